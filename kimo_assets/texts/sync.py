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
    "sync.object_not_zstd": Sentence(en="it is not zstd: {error}", it="non è zstd: {error}"),
    "sync.object_not_utf8": Sentence(en="it is not UTF-8: {error}", it="non è UTF-8: {error}"),
    "sync.object_not_csv": Sentence(en="it is not CSV: {error}", it="non è CSV: {error}"),
    "sync.object_cut": Sentence(en="it ends within a record", it="finisce nel mezzo di un record"),
    # Store, manifests, settings
    "sync.no_store": Sentence(
        en=(
            "There is no sync store at {url}: {marker} is not there. Either the address is wrong,"
            " or step 3 has not run yet."
        ),
        it=(
            "In {url} non c'è un archivio di sync: manca {marker}. L'indirizzo è sbagliato, oppure"
            " lo step 3 non è ancora stato eseguito."
        ),
    ),
    "sync.store_not_opened": Sentence(
        en="The sync store {url} cannot be opened: {error}",
        it="Non è possibile aprire l'archivio di sync {url}: {error}",
    ),
    "sync.store_not_read": Sentence(
        en="The sync store {url} cannot be read: {reason}",
        it="Non è possibile leggere l'archivio di sync {url}: {reason}",
    ),
    "sync.store_not_written": Sentence(
        en=(
            "The sync store {url} cannot be written: {reason}. Correct the folder or URL under"
            " `sync: store:` in kimo.yaml, or its rights, and run step 3 again. Tablets keep their"
            " data."
        ),
        it=(
            "Non è possibile scrivere l'archivio di sync {url}: {reason}. Correggere la cartella o"
            " l'URL in `sync: store:` di kimo.yaml, oppure i permessi, ed eseguire di nuovo lo"
            " step 3. I tablet tengono i loro dati."
        ),
    ),
    "sync.not_a_store": Sentence(
        en="{url} is not a sync store: its {marker} is something else. Name another folder.",
        it="{url} non è un archivio di sync: il suo {marker} è altro. Indicare un'altra cartella.",
    ),
    "sync.store_of_other_database": Sentence(
        en=(
            "{url} is the sync store of another Kimo database ({owner}): payloads prepared here"
            " would replace the other ones. Name another folder or URL under `sync: store:` in"
            " kimo.yaml. If that database no longer exists, delete {marker} there."
        ),
        it=(
            "{url} è l'archivio di sync di un altro database Kimo ({owner}): i dati preparati qui"
            " sostituirebbero gli altri. Indicare un'altra cartella o un altro URL in"
            " `sync: store:` di kimo.yaml. Se quel database non esiste più, cancellare {marker}."
        ),
    ),
    "sync.not_a_zstd_frame": Sentence(
        en="it is not a zstd frame: {error}", it="non è un frame zstd: {error}"
    ),
    "sync.manifest_of_agent": Sentence(
        en="the manifest of agent '{agent}'", it="il manifest dell'agente '{agent}'"
    ),
    "sync.manifest_of_user": Sentence(
        en="the manifest of user '{user}'", it="il manifest dell'utente '{user}'"
    ),
    "sync.no_payload_for_agent": Sentence(
        en=(
            "{url} holds no payload for agent '{agent}'. Either the code is wrong (`kimo status`"
            " counts the agents), or the agent was not in the last load, or step 3 has not run"
            " since."
        ),
        it=(
            "{url} non contiene dati per l'agente '{agent}'. Il codice è sbagliato (`kimo status`"
            " conta gli agenti), oppure l'agente non era nell'ultimo caricamento, oppure da allora"
            " lo step 3 non è stato eseguito."
        ),
    ),
    "sync.no_payload_for_user": Sentence(
        en=(
            "{url} holds no payload for user '{user}'. Either the code is wrong, or the user was"
            " not in the last load, or step 3 has not run since."
        ),
        it=(
            "{url} non contiene dati per l'utente '{user}'. Il codice è sbagliato, oppure l'utente"
            " non era nell'ultimo caricamento, oppure da allora lo step 3 non è stato eseguito."
        ),
    ),
    "sync.document_unreadable": Sentence(
        en="{url}: {document} cannot be read: {error}. Prepare the payloads again: step 3.",
        it="{url}: non si riesce a leggere {document}: {error}. Preparare di nuovo i dati: step 3.",
    ),
    "sync.document_of_other_agent": Sentence(
        en="{url}: {document} belongs to agent '{agent}'.",
        it="{url}: {document} appartiene all'agente '{agent}'.",
    ),
    "sync.document_of_other_user": Sentence(
        en="{url}: {document} is for the user {user}.",
        it="{url}: {document} è per l'utente {user}.",
    ),
    "sync.document_not_json": Sentence(
        en="{url}: {document} is not JSON: {error}", it="{url}: {document} non è JSON: {error}"
    ),
    "sync.document_not_object": Sentence(
        en="{url}: {document} is not a JSON object.", it="{url}: {document} non è un oggetto JSON."
    ),
    "sync.document_of_other_format": Sentence(
        en=(
            "{url}: {document} is {format} version {version}. This client reads {read_format}"
            " version {read_version}."
        ),
        it=(
            "{url}: {document} è {format} versione {version}. Questo client legge {read_format}"
            " versione {read_version}."
        ),
    ),
    "sync.document_newer": Sentence(
        en=(
            "{url}: {document} is {format} version {version}. This client reads {read_format}"
            " version {read_version}. Update this program."
        ),
        it=(
            "{url}: {document} è {format} versione {version}. Questo client legge {read_format}"
            " versione {read_version}. Aggiornare questo programma."
        ),
    ),
    "sync.document_invalid": Sentence(
        en=(
            "{url}: {document} does not match the format: {member}: {problem}. Prepare the payloads"
            " again: step 3."
        ),
        it=(
            "{url}: {document} non rispetta il formato: {member}: {problem}. Preparare di nuovo i"
            " dati: step 3."
        ),
    ),
    "sync.change_does_not_follow": Sentence(
        en="the change of load {later} does not follow that of load {earlier}",
        it="la modifica del caricamento {later} non segue quella del caricamento {earlier}",
    ),
    "sync.change_not_from_base": Sentence(
        en="the change of load {load} does not start at the base",
        it="la modifica del caricamento {load} non parte dalla base",
    ),
    "sync.state_not_reached": Sentence(
        en="base and changes do not lead to the bucket's state",
        it="base e modifiche non portano allo stato del bucket",
    ),
    "sync.bucket_row_count": Sentence(
        en="it declares {rows} rows, its base has {base_rows}",
        it="dichiara {rows} righe, la sua base ne ha {base_rows}",
    ),
    "sync.columns_not_listed": Sentence(
        en="{columns} is not among its columns", it="{columns} non è fra le sue colonne"
    ),
    "sync.private_without_key": Sentence(
        en="its private columns lack the key", it="nelle sue colonne private manca la chiave"
    ),
    "sync.bucket_twice": Sentence(
        en="bucket {bucket} is listed twice", it="il bucket {bucket} compare due volte"
    ),
    "sync.settings_key_not_listed": Sentence(
        en="its key {key} is not among its columns", it="la sua chiave {key} non è fra le colonne"
    ),
    "sync.user_of_other_agent": Sentence(
        en="user '{user}' belongs to agent '{owner}', not to '{agent}'.",
        it="l'utente '{user}' appartiene all'agente '{owner}', non a '{agent}'.",
    ),
    "sync.nothing_prepared": Sentence(
        en="{url} holds no payload yet. Prepare them: step 3 (`kimo import --step 3`).",
        it="{url} non contiene ancora dati. Prepararli: step 3 (`kimo import --step 3`).",
    ),
    "sync.unknown_agent": Sentence(
        en=(
            "{url} holds no payload for agent '{code}'.{hint} Agents that step 3 has prepared for:"
            " {prepared}. `kimo sync weight` lists them."
        ),
        it=(
            "{url} non contiene dati per l'agente '{code}'.{hint} Agenti per cui lo step 3 ha"
            " preparato i dati: {prepared}. `kimo sync weight` li elenca."
        ),
    ),
    "sync.unknown_user": Sentence(
        en=(
            "{url} holds no payload for user '{code}'.{hint} Users that step 3 has prepared for:"
            " {prepared}. `kimo sync weight` lists them."
        ),
        it=(
            "{url} non contiene dati per l'utente '{code}'.{hint} Utenti per cui lo step 3 ha"
            " preparato i dati: {prepared}. `kimo sync weight` li elenca."
        ),
    ),
    "sync.manifest_of_other_owner": Sentence(
        en="{url}: {path} is the manifest of '{owner}'. Prepare the payloads again: step 3.",
        it="{url}: {path} è il manifest di '{owner}'. Preparare di nuovo i dati: step 3.",
    ),
    # Why an agent sees a row, or does not (`kimo why`)
    "sync.trace_any_of": Sentence(
        en="one of these has to let it through",
        it="basta che una di queste regole la lasci passare",
    ),
    "sync.trace_all_of": Sentence(
        en="all of these have to let it through",
        it="tutte queste regole devono lasciarla passare",
    ),
    "sync.trace_filters": Sentence(en="and only if", it="e solo se"),
    "sync.trace_only_columns": Sentence(
        en="of this row only {columns}", it="di questa riga solo {columns}"
    ),
    "sync.trace_business_rule": Sentence(
        en="business rule {rule}: mode {mode}", it="business rule {rule}: modalità {mode}"
    ),
    "sync.trace_empty": Sentence(en="{column} is empty", it="{column} è vuota"),
    "sync.trace_own_warehouse": Sentence(
        en="the user's own warehouse is {warehouse}, and no other counts",
        it="il magazzino dell'utente è {warehouse}, gli altri non contano",
    ),
    "sync.trace_no_link": Sentence(
        en="{link} has no row with {key_column} = {key}",
        it="{link} non ha righe con {key_column} = {key}",
    ),
    "sync.trace_links": Sentence(
        en="{link} with {key_column} = {key}: {column} {values}",
        it="{link} con {key_column} = {key}: {column} {values}",
    ),
    "sync.trace_more_values": Sentence(en=" and {more} more", it=" e altri {more}"),
    "sync.trace_not_linked": Sentence(en=", not {value}", it=", non {value}"),
    "sync.trace_too_deep": Sentence(
        en="{entity} {key}: and so on", it="{entity} {key}: e così via"
    ),
    "sync.trace_row_missing": Sentence(
        en="{entity} {key} is not there", it="{entity} {key} non esiste"
    ),
    # Step 3
    "sync.nothing_loaded": Sentence(
        en="nothing is loaded: run step 2 for it first",
        it="nessun dato caricato: eseguire prima lo step 2 per questa entità",
    ),
    # The next sync of a tablet (`kimo sync diff`)
    "sync.fetch_first_sync": Sentence(en="first sync", it="primo sync"),
    "sync.fetch_new_bucket": Sentence(
        en="a bucket new for this agent", it="un bucket nuovo per questo agente"
    ),
    "sync.fetch_other_columns": Sentence(
        en="other columns than at the last sync", it="colonne diverse dall'ultimo sync"
    ),
    "sync.fetch_rewritten": Sentence(
        en="new or written anew since, as small ones always are",
        it="nuovo o riscritto da allora, come sempre quelli piccoli",
    ),
    "sync.fetch_too_far_behind": Sentence(
        en="the tablet is too far behind: changes are listed from load {load} on",
        it="il tablet è troppo indietro: le modifiche partono dal caricamento {load}",
    ),
    "sync.not_a_tablet": Sentence(
        en="--to: {file} is no file of `kimo agent`: {error}. Name a file that `kimo agent` made.",
        it=(
            "--to: {file} non è un file di `kimo agent`: {error}. Indicare un file creato da"
            " `kimo agent`."
        ),
    ),
    "sync.tablet_of_other_owner": Sentence(
        en="--to: {file} holds other data: of agent '{agent}', user {user}, store {store}.",
        it=(
            "--to: {file} contiene altri dati: dell'agente '{agent}', utente {user}, archivio"
            " {store}."
        ),
    ),
    "sync.plot_load": Sentence(en="load {load}", it="caricamento {load}"),
    # Whether the store is whole (`kimo sync verify`, the check of the payloads)
    "sync.everybody": Sentence(en="everybody", it="tutti"),
    "sync.run_step_3_again": Sentence(
        en="run step 3 again: it writes what is missing",
        it="eseguire di nuovo lo step 3: riscrive ciò che manca",
    ),
    "sync.delete_and_run_step_3_again": Sentence(
        en="delete that file, then run step 3 again: it writes what is missing",
        it="cancellare quel file, poi eseguire di nuovo lo step 3: riscrive ciò che manca",
    ),
    "sync.agent_without_manifest": Sentence(
        en="agent {agent} has no manifest", it="l'agente {agent} non ha un manifest"
    ),
    "sync.manifest_missing": Sentence(en="the manifest is not there", it="manca il manifest"),
    "sync.manifest_of_other_store": Sentence(
        en="{url}: {path} is of the store {store}, not of this one",
        it="{url}: {path} è dell'archivio {store}, non di questo",
    ),
    "sync.settings_invalid": Sentence(
        en="the settings do not match the format", it="le impostazioni non rispettano il formato"
    ),
    "sync.damage_object_missing": Sentence(en="the object is not there", it="l'oggetto non c'è"),
    "sync.damage_object_size": Sentence(
        en="the object has {size:,} bytes instead of {listed:,}",
        it="l'oggetto ha {size:,} byte invece di {listed:,}",
    ),
    "sync.damage_object_hash": Sentence(
        en="the object is damaged: its content has another SHA-256",
        it="l'oggetto è danneggiato: il suo contenuto ha un altro SHA-256",
    ),
    "sync.damage_object_zstd": Sentence(
        en="the object cannot be decompressed: {error}",
        it="non è possibile decomprimere l'oggetto: {error}",
    ),
    "sync.damage_object_rows": Sentence(
        en="the object has {rows:,} rows, its manifest says {listed:,}",
        it="l'oggetto ha {rows:,} righe, il suo manifest ne dichiara {listed:,}",
    ),
}
