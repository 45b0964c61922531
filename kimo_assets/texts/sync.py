"""Sentences of the sync store and its client: what a store, a manifest or a tablet's file lacks.

Sentences about an object begin with "it": they follow its name in `sync.object_invalid`.
"""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # The reference client
    "sync.wrong_store": Sentence(
        en="{url}: its {document} is of another store: {other}, not {store}.",
        it="{url}: {document} è di un altro archivio di sync: {other}, non {store}.",
    ),
    "sync.object_invalid": Sentence(
        en=(
            "{url}: {table}: the object {sha256} does not match the format: {problem}. Prepare the"
            " payloads again: step 3."
        ),
        it=(
            "{url}: {table}: l'oggetto {sha256} non rispetta il formato: {problem}. Preparare di"
            " nuovo i dati: step 3."
        ),
    ),
    "sync.object_row_count": Sentence(
        en="it has {rows} rows, its manifest says {listed}",
        it="ha {rows} righe, il suo manifest ne dichiara {listed}",
    ),
    "sync.object_missing": Sentence(
        en="{url}: the object {sha256} is not there. Prepare the payloads again: step 3.",
        it="{url}: manca l'oggetto {sha256}. Preparare di nuovo i dati: step 3.",
    ),
    "sync.object_damaged": Sentence(
        en=(
            "{url}: the object {path} is damaged: its content has another SHA-256. Delete that file"
            " and prepare the payloads again: step 3."
        ),
        it=(
            "{url}: l'oggetto {path} è danneggiato: il suo contenuto ha un altro SHA-256."
            " Cancellare quel file e preparare di nuovo i dati: step 3."
        ),
    ),
    "sync.object_not_fetched": Sentence(
        en=(
            "{url}: the object {sha256} could not be fetched into {folder}: {reason}. Sync again:"
            " the objects that were fetched are kept."
        ),
        it=(
            "{url}: non è stato possibile scaricare l'oggetto {sha256} in {folder}: {reason}."
            " Ripetere il sync: gli oggetti già scaricati restano."
        ),
    ),
    # The client's SQLite file
    "sync.file_foreign": Sentence(
        en="{file} is not a SQLite file of this client. Give --to a new file's name.",
        it="{file} non è un file SQLite di questo client. Indicare a --to un file nuovo.",
    ),
    "sync.file_of_earlier_version": Sentence(
        en=("{file} was made by an earlier version of this client. Give --to a new file's name."),
        it=(
            "{file} è stato creato da una versione precedente di questo client. Indicare a --to un"
            " file nuovo."
        ),
    ),
    "sync.file_of_other_version": Sentence(
        en="{file} was made by another version of this client. Give --to a new file's name.",
        it=(
            "{file} è stato creato da un'altra versione di questo client. Indicare a --to un file"
            " nuovo."
        ),
    ),
    "sync.file_of_other_owner": Sentence(
        en="{file} holds the data of {owner}. Give {asked} a file of its own.",
        it="{file} contiene i dati di {owner}. Per {asked} indicare un altro file.",
    ),
    "sync.file_of_other_store": Sentence(
        en=(
            "{file} was synced from another company's store (id {other}, this one's is {store})."
            " Check the store's address, or give --to a new file's name."
        ),
        it=(
            "{file} proviene dall'archivio di sync di un'altra azienda (id {other}, mentre questo"
            " ha {store}). Controllare l'indirizzo dell'archivio o indicare a --to un file nuovo."
        ),
    ),
    "sync.file_in_use": Sentence(
        en=(
            "{file} is in use by another program. Close that program, then sync again. The file was"
            " not changed."
        ),
        it=(
            "{file} è in uso da un altro programma. Chiuderlo, poi ripetere il sync. Il file non è"
            " stato modificato."
        ),
    ),
    "sync.file_not_writable": Sentence(
        en=(
            "{file} cannot be written ({error}): is the disk full? The file was not changed. Sync"
            " again when there is room."
        ),
        it=(
            "Non è possibile scrivere {file} ({error}): il disco è pieno? Il file non è stato"
            " modificato. Ripetere il sync quando c'è spazio."
        ),
    ),
    "sync.file_damaged": Sentence(
        en="{file} is damaged ({error}). Delete it and sync again.",
        it="{file} è danneggiato ({error}). Cancellarlo e ripetere il sync.",
    ),
    "sync.file_error": Sentence(
        en="{file}: SQLite refused: {error}. The file was not changed.",
        it="{file}: errore di SQLite: {error}. Il file non è stato modificato.",
    ),
    "sync.agent": Sentence(en="agent '{agent}'", it="agente '{agent}'"),
    "sync.user": Sentence(en="user '{user}'", it="utente '{user}'"),
    "sync.user_of_agent": Sentence(
        en="user '{user}' of agent '{agent}'", it="utente '{user}' dell'agente '{agent}'"
    ),
    "sync.row_total": Sentence(
        en=(
            "{table}: the sync came to {rows} rows of {keys} keys, the manifest says {listed}. Sync"
            " into a new file. If that fails too, prepare the payloads again: step 3."
        ),
        it=(
            "{table}: dopo il sync ci sono {rows} righe con {keys} chiavi, il manifest ne dichiara"
            " {listed}. Fare il sync in un file nuovo. Se non riesce, preparare di nuovo i dati:"
            " step 3."
        ),
    ),
    "sync.object_first_column": Sentence(
        en="its first column is not _removed", it="la sua prima colonna non è _removed"
    ),
    "sync.object_field_count": Sentence(
        en="it is not CSV with as many fields as its header has ({error})",
        it="non è un CSV con tanti campi quanti ne ha l'intestazione ({error})",
    ),
    "sync.object_no_key": Sentence(en="it has a row without a key", it="ha una riga senza chiave"),
    "sync.object_key_twice": Sentence(en="it has a key twice", it="ha due volte la stessa chiave"),
    "sync.object_header": Sentence(
        en="its header {header!r} does not fit, expected {columns}",
        it="la sua intestazione {header!r} non va bene, attesa: {columns}",
    ),
    "sync.object_removed_flag": Sentence(
        en="it has a row that is neither put nor removed: {row}",
        it="ha una riga né aggiunta né rimossa: {row}",
    ),
}
