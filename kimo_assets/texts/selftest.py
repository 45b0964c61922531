"""Sentences of `kimo selftest --crash`: what it does, and what was not whole after a kill."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "selftest.preparing": Sentence(
        en="Making a small company and importing it ...",
        it="Creazione e importazione di una piccola azienda ...",
    ),
    "selftest.points": Sentence(
        en="{title}: {work}, {chosen} of {number} points",
        it="{title}: {work}, {chosen} punti su {number}",
    ),
    "selftest.no_createdb": Sentence(
        en=(
            "the selftest makes databases of its own, which the user of `database: url:` may not:"
            " give it CREATEDB (ALTER ROLE ... CREATEDB), or run the selftest with another"
            " kimo.yaml"
        ),
        it=(
            "il selftest crea database propri, e l'utente di `database: url:` non può farlo: dargli"
            " CREATEDB (ALTER ROLE ... CREATEDB), o eseguire il selftest con un altro kimo.yaml"
        ),
    ),
    "selftest.foreign_database": Sentence(
        en=(
            "the selftest only works in databases of its own ({prefix}...), not in {name}: nothing"
            " was done"
        ),
        it=(
            "il selftest lavora solo in database propri ({prefix}...), non in {name}: non è stato"
            " fatto nulla"
        ),
    ),
    "selftest.import_fails": Sentence(
        en="the import itself fails: {failures}", it="l'import stesso non riesce: {failures}"
    ),
    "selftest.child_failed": Sentence(
        en="the process that does the {work} has ended with {code}: {message}",
        it="il processo che esegue {work} è terminato con {code}: {message}",
    ),
    # --- what was not whole
    "selftest.not_reached": Sentence(
        en="the process has not reached this point", it="il processo non ha raggiunto questo punto"
    ),
    "selftest.lock_taken": Sentence(en="the lock was not free", it="il lock non era libero"),
    "selftest.tables_between": Sentence(
        en="Kimo's tables are neither the old nor the new ones: {names}",
        it="le tabelle di Kimo non sono né le vecchie né le nuove: {names}",
    ),
    "selftest.some_old_some_new": Sentence(
        en="some are old, some new", it="alcune vecchie, alcune nuove"
    ),
    "selftest.staged_between": Sentence(
        en="staged tables are neither the old nor the new ones: {names}",
        it="le tabelle di staging non sono né le vecchie né le nuove: {names}",
    ),
    "selftest.agent_between": Sentence(
        en="agent {agent}'s file is neither the old nor the new one",
        it="il file dell'agente {agent} non è né il vecchio né il nuovo",
    ),
    "selftest.other_state": Sentence(
        en="done again, it gives another state: {names}",
        it="rifatto, dà un altro stato: {names}",
    ),
    "selftest.agents_files": Sentence(en="of the agents' files", it="dei file degli agenti"),
    "selftest.semaphore": Sentence(
        en="{semaphore} of the ERP is {status}, not 0",
        it="{semaphore} dell'ERP è {status}, non 0",
    ),
    "selftest.arrived_twice": Sentence(
        en="{table}: {count} arrived more than once", it="{table}: {count} arrivati più volte"
    ),
    "selftest.missing_or_too_many": Sentence(
        en="{table}: {missing} are missing, {more} too many",
        it="{table}: {missing} mancanti, {more} di troppo",
    ),
    "selftest.left_open": Sentence(
        en="{rows} rows are left in the outbox, {batches} batches open",
        it="{rows} righe rimaste nell'outbox, {batches} lotti aperti",
    ),
    "selftest.counts_differ": Sentence(
        en="Kimo says that {sent} records were sent, {arrived} are at the ERP",
        it="secondo Kimo sono stati inviati {sent} record, nell'ERP ce ne sono {arrived}",
    ),
}
