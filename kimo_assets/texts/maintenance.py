"""Sentences of maintenance/: the cleaning of the ledger, and the semaphores."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- retention
    "maintenance.only_the_first": Sentence(
        en="{rows}: only the first {count:,}, the rest is the next run's",
        it="{rows}: solo le prime {count:,}, le altre alla prossima esecuzione",
    ),
    # --- semaphores
    "maintenance.semaphore.unreadable": Sentence(en="cannot be read", it="non leggibile"),
    "maintenance.semaphore.no_table": Sentence(en="no such table", it="la tabella non esiste"),
    "maintenance.semaphore.not_ours": Sentence(en="not ours", it="non nostro"),
    "maintenance.semaphore.load": Sentence(en="load {load}", it="caricamento {load}"),
    "maintenance.semaphore.run": Sentence(en=", run {run_id}", it=", esecuzione {run_id}"),
    "maintenance.semaphore.ours": Sentence(en="ours ({run})", it="nostro ({run})"),
    "maintenance.semaphore.left_behind": Sentence(
        en="ours, left behind ({run})", it="nostro, rimasto impostato ({run})"
    ),
    "maintenance.semaphore.source_is_gone": Sentence(
        en=(
            "{semaphore} of source '{source}' is ours by our record, but there is no such source"
            " any more"
        ),
        it=("{semaphore} della sorgente '{source}' risulta nostro, ma la sorgente non esiste più"),
    ),
    "maintenance.semaphore.table_is_gone": Sentence(
        en=(
            "{semaphore} of source '{source}' is ours by our record, but there is no such table"
            " any more"
        ),
        it="{semaphore} della sorgente '{source}' risulta nostro, ma la tabella non esiste più",
    ),
    "maintenance.semaphore.given_back": Sentence(
        en="{semaphore} of source '{source}' was left behind by load {load} and is given back",
        it=(
            "{semaphore} della sorgente '{source}' era rimasto impostato dal caricamento {load} ed"
            " è stato liberato"
        ),
    ),
    "maintenance.semaphore.not_ours_any_more": Sentence(
        en="{semaphore} of source '{source}' was not ours any more",
        it="{semaphore} della sorgente '{source}' non era più nostro",
    ),
    "maintenance.semaphore.not_given_back": Sentence(
        en=(
            "{semaphore} of source '{source}', left behind by load {load}, could not be given"
            " back: {reason}"
        ),
        it=(
            "{semaphore} della sorgente '{source}', rimasto impostato dal caricamento {load}, non"
            " può essere liberato: {reason}"
        ),
    ),
}
