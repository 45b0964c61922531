"""Sentences of the demo company: what cannot be made, and what to do."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "demo.unknown_scale": Sentence(
        en="Unknown demo scale {scale}: choose one of {scales}.",
        it="Dimensione {scale} sconosciuta: scegliere tra {scales}.",
    ),
    "demo.not_ours": Sentence(
        en="{file} was not made by the demo: choose an empty directory for the demo company.",
        it="{file} non è stato fatto dalla demo: scegliere una cartella vuota per l'azienda demo.",
    ),
    "demo.foreign_erp": Sentence(
        en="{folder} holds an {file} of its own: choose an empty directory for the demo company.",
        it="{folder} contiene già un {file} suo: scegliere una cartella vuota per l'azienda demo.",
    ),
    "demo.no_company": Sentence(
        en="There is no demo company in {folder}: `kimo demo --dir {folder}` makes one.",
        it="Non c'è un'azienda demo in {folder}: `kimo demo --dir {folder}` ne crea una.",
    ),
    "demo.no_erp": Sentence(
        en="There is no ERP at {file}: `kimo demo --dir {folder}` makes a demo company.",
        it="Non c'è un ERP in {file}: `kimo demo --dir {folder}` crea un'azienda demo.",
    ),
    "demo.other_version": Sentence(
        en=(
            "{file}: {error}. A company that was made by an earlier version is made anew by `kimo"
            " demo`; if somebody else writes to it, try again when they have ended."
        ),
        it=(
            "{file}: {error}. Un'azienda fatta da una versione precedente si rifà con `kimo demo`;"
            " se qualcun altro ci sta scrivendo, riprovare quando ha finito."
        ),
    ),
    "demo.kimo_writes": Sentence(en="Kimo is writing to it", it="Kimo ci sta scrivendo"),
    "demo.somebody_works": Sentence(en="somebody is at work there", it="qualcuno ci sta lavorando"),
    "demo.missing": Sentence(en="missing", it="mancante"),
    "demo.semaphore_taken": Sentence(
        en=(
            "{table} of {file} is {status}: {reason}. Pick up when the export has ended; if nobody"
            " is at work there any more, `kimo semaphore reset` sets it to 0."
        ),
        it=(
            "{table} di {file} è {status}: {reason}. Prelevare quando l'export è finito; se nessuno"
            " ci lavora più, `kimo semaphore reset` lo riporta a 0."
        ),
    ),
    "demo.port_in_use": Sentence(
        en=(
            "the makers' site of the demo cannot listen on {address} ({error}): end what uses that"
            " port"
        ),
        it=(
            "il sito dei produttori della demo non può ascoltare su {address} ({error}): chiudere"
            " ciò che usa quella porta"
        ),
    ),
    "demo.no_orders": Sentence(
        en="{count} orders cannot be made: ask for 1 or more.",
        it="{count} ordini non si possono fare: chiederne almeno 1.",
    ),
    "demo.no_priced_items": Sentence(
        en="There are no items with a price: import the demo company first, `kimo demo` does.",
        it="Non ci sono articoli con un prezzo: prima importare l'azienda demo, con `kimo demo`.",
    ),
    "demo.no_followed_customers": Sentence(
        en=(
            "There are no customers that an agent follows: import the demo company first, `kimo"
            " demo` does."
        ),
        it=(
            "Non ci sono clienti seguiti da un agente: prima importare l'azienda demo, con `kimo"
            " demo`."
        ),
    ),
}
