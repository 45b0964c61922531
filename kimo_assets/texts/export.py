"""Sentences of the export to the ERP: why a record waits or is held, what a batch needs, and what
`kimo check` reports about the ERP's tables.

Reasons of single records are stored with them (ops.export_held) and stand behind the record's name,
so they begin in small letters and have no full stop.
"""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "export.and": Sentence(en=" and ", it=" e "),
    # --- why a record cannot go now
    "export.ready.no_reference": Sentence(
        en="it has no SyncReference, and only by that could the ERP's answer be recognised",
        it="non ha un SyncReference, e solo con quello si riconoscerebbe la risposta dell'ERP",
    ),
    "export.ready.double_reference": Sentence(
        en=(
            "its SyncReference {reference} is that of another record too: the ERP's answer could"
            " mean either"
        ),
        it=(
            "il suo SyncReference {reference} è anche quello di un altro record: la risposta"
            " dell'ERP potrebbe riguardare l'uno o l'altro"
        ),
    ),
    "export.ready.unknown_type": Sentence(
        en=(
            "DocumentTypeId {type} is no document type of the console's: `kimo settings load` loads"
            " them"
        ),
        it=(
            "DocumentTypeId {type} non è un tipo documento della console: `kimo settings load` li"
            " carica"
        ),
    ),
    "export.ready.no_type": Sentence(
        en=(
            "it has no DocumentTypeId, so no document type of the console's: `kimo settings load`"
            " loads them"
        ),
        it=(
            "non ha un DocumentTypeId, quindi nessun tipo documento della console: `kimo settings"
            " load` li carica"
        ),
    ),
    "export.ready.type_not_sent": Sentence(
        en="documents of type {type} are not sent to the ERP (DocumentType.CanSendToErp)",
        it="i documenti di tipo {type} non vengono inviati all'ERP (DocumentType.CanSendToErp)",
    ),
    "export.ready.draft": Sentence(
        en="it is not confirmed, and drafts of type {type} are not sent (ShouldExportDraftsToErp)",
        it=(
            "non è confermato, e le bozze di tipo {type} non vengono inviate"
            " (ShouldExportDraftsToErp)"
        ),
    ),
    "export.ready.no_document_status": Sentence(
        en="its DocumentStatus is empty. Only confirmed documents are sent (1)",
        it="il suo DocumentStatus è vuoto. Vengono inviati solo i documenti confermati (1)",
    ),
    "export.ready.not_confirmed": Sentence(
        en="its DocumentStatus is {status}. Only confirmed documents are sent (1)",
        it="il suo DocumentStatus è {status}. Vengono inviati solo i documenti confermati (1)",
    ),
    # --- what a record waits for
    "export.waits.not_listed": Sentence(
        en=(
            "waits for the {target} {key} ({field}), which is new to the ERP and is not sent:"
            " `export: entities:` of kimo.yaml does not list {target}"
        ),
        it=(
            "attende {target} {key} ({field}), che è nuovo per l'ERP e non viene inviato: `export:"
            " entities:` di kimo.yaml non elenca {target}"
        ),
    ),
    "export.waits.archived": Sentence(
        en="waits for the {target} {key} ({field}), which is new to the ERP and is archived",
        it="attende {target} {key} ({field}), che è nuovo per l'ERP ed è archiviato",
    ),
    "export.waits.no_status": Sentence(
        en=(
            "waits for the {target} {key} ({field}), which is new to the ERP and has no"
            " EntityStatus"
        ),
        it="attende {target} {key} ({field}), che è nuovo per l'ERP e non ha un EntityStatus",
    ),
    "export.waits.in_flight": Sentence(
        en=(
            "waits for the {target} {key} ({field}), which is new to the ERP and is on its way to"
            " the ERP"
        ),
        it="attende {target} {key} ({field}), che è nuovo per l'ERP ed è in viaggio verso l'ERP",
    ),
    "export.waits.deleted": Sentence(
        en="waits for the {target} {key} ({field}), which is new to the ERP and is deleted",
        it="attende {target} {key} ({field}), che è nuovo per l'ERP ed è eliminato",
    ),
    "export.waits.to_be_sent": Sentence(
        en=(
            "waits for the {target} {key} ({field}), which is new to the ERP and is to be sent"
            " first"
        ),
        it="attende {target} {key} ({field}), che è nuovo per l'ERP e va inviato prima",
    ),
    "export.waits.edited": Sentence(
        en="waits for the {target} {key} ({field}), which is new to the ERP and is being edited",
        it="attende {target} {key} ({field}), che è nuovo per l'ERP e viene modificato",
    ),
    "export.waits.uploaded": Sentence(
        en=(
            "waits for the {target} {key} ({field}), which is new to the ERP and was only just"
            " uploaded"
        ),
        it="attende {target} {key} ({field}), che è nuovo per l'ERP ed è stato appena caricato",
    ),
    "export.waits.upload": Sentence(
        en="waits for the {target} {key} ({field}), which is new to the ERP and is being uploaded",
        it="attende {target} {key} ({field}), che è nuovo per l'ERP ed è in caricamento",
    ),
    "export.waits.edited_again": Sentence(
        en=(
            "waits for the {target} {key} ({field}), which is new to the ERP and was edited again"
            " before the ERP has answered"
        ),
        it=(
            "attende {target} {key} ({field}), che è nuovo per l'ERP ed è stato modificato di nuovo"
            " prima della risposta dell'ERP"
        ),
    ),
    # --- sending a batch
    "export.send.lost_in_every_commit": Sentence(
        en=(
            "source '{source}': the connection is lost in every commit. The next export sends what"
            " was not sent"
        ),
        it=(
            "sorgente '{source}': la connessione cade a ogni commit. Il prossimo export invia ciò"
            " che non è stato inviato"
        ),
    ),
    "export.send.looking": Sentence(
        en="The commit of batch {batch} ({entity}) failed: {error}. Looking whether it has arrived",
        it="Il commit del lotto {batch} ({entity}) è fallito: {error}. Verifico se è arrivato",
    ),
    "export.send.refused": Sentence(
        en="the ERP refuses it: {message}", it="l'ERP lo rifiuta: {message}"
    ),
    "export.send.in_doubt": Sentence(
        en=(
            "batch {batch} is in doubt: its commit was interrupted, and the ERP may have taken its"
            " rows away since. Look for this SyncReference in the ERP, then run `kimo export"
            " resolve {batch} --arrived` or `--again`"
        ),
        it=(
            "il lotto {batch} è in dubbio: il suo commit è stato interrotto, e nel frattempo l'ERP"
            " può averne prelevato le righe. Cercare questo SyncReference nell'ERP, poi eseguire"
            " `kimo export resolve {batch} --arrived` oppure `--again`"
        ),
    ),
    # --- the run
    "export.run.nothing_listed": Sentence(
        en="Nothing is sent: `export: entities:` of kimo.yaml lists nothing",
        it="Non viene inviato nulla: `export: entities:` di kimo.yaml è vuoto",
    ),
    "export.run.restored": Sentence(
        en=(
            "Nothing was sent: the ERP has {count} batches ({first} to {last}) of ours, from"
            " {moment} UTC on, that this database does not know. It was restored from a backup"
            " taken before they were sent, and their records would go out a second time. Settle"
            " them as docs/deploying.md says under `After an old backup`, then export again"
        ),
        it=(
            "Non è stato inviato nulla: l'ERP ha {count} lotti nostri (da {first} a {last}), dal"
            " {moment} UTC in poi, che questo database non conosce. È stato ripristinato da un"
            " backup precedente al loro invio, e i loro record partirebbero una seconda volta."
            " Chiuderli come indica docs/deploying.md sotto `After an old backup`, poi esportare di"
            " nuovo"
        ),
        one_en=(
            "Nothing was sent: the ERP has batch {first} of ours, from {moment} UTC on, that this"
            " database does not know. It was restored from a backup taken before it was sent, and"
            " its records would go out a second time. Settle it as docs/deploying.md says under"
            " `After an old backup`, then export again"
        ),
        one_it=(
            "Non è stato inviato nulla: l'ERP ha il nostro lotto {first}, dal {moment} UTC in poi,"
            " che questo database non conosce. È stato ripristinato da un backup precedente al suo"
            " invio, e i suoi record partirebbero una seconda volta. Chiuderlo come indica"
            " docs/deploying.md sotto `After an old backup`, poi esportare di nuovo"
        ),
    ),
    "export.run.not_in_doubt": Sentence(
        en="batch {batch} is not in doubt. `kimo export status` lists the batches that are",
        it="il lotto {batch} non è in dubbio. `kimo export status` elenca i lotti che lo sono",
    ),
    "export.run.no_marker": Sentence(
        en=(
            "There is no marker table at the ERP: {reason}. After a crash, batches are recognised"
            " by their SyncReferences, as long as these are there"
        ),
        it=(
            "Nell'ERP non c'è la tabella dei marcatori: {reason}. Dopo un'interruzione i lotti si"
            " riconoscono dai loro SyncReference, finché ci sono"
        ),
    ),
    "export.run.recovered": Sentence(
        en=(
            "{entity}: of an export that was interrupted {arrived} had arrived at the ERP, {again}"
            " are sent again"
        ),
        it=(
            "{entity}: di un export interrotto, {arrived} erano arrivati all'ERP, {again} vengono"
            " inviati di nuovo"
        ),
    ),
    "export.run.in_doubt": Sentence(
        en=(
            "Batch {batch} ({entity}) is in doubt: it may have arrived at the ERP or not. `kimo"
            " export resolve {batch} --arrived` or `--again` settles it"
        ),
        it=(
            "Il lotto {batch} ({entity}) è in dubbio: può essere arrivato all'ERP oppure no. Lo"
            " chiude `kimo export resolve {batch} --arrived` oppure `--again`"
        ),
    ),
    "export.run.many_held": Sentence(
        en="{count:,} records are held or waiting. `kimo export status` has all of them",
        it="{count:,} record sono trattenuti o in attesa. `kimo export status` li mostra tutti",
    ),
    "export.run.all_refused": Sentence(
        en=(
            "{entity}: the ERP refused all {count} records of a batch. The rest was not tried:"
            " {reason}"
        ),
        it=(
            "{entity}: l'ERP ha rifiutato tutti i {count} record di un lotto. Gli altri non sono"
            " stati tentati: {reason}"
        ),
    ),
    # --- the marker table
    "export.marker.cannot_be_made": Sentence(
        en="the table {table} is not there and cannot be made: {reason}",
        it="la tabella {table} non c'è e non può essere creata: {reason}",
    ),
    "export.marker.vanished": Sentence(
        en="the table {table} was made and is not there",
        it="la tabella {table} è stata creata e non c'è",
    ),
    "export.marker.not_ours": Sentence(
        en="the table {table} lacks {columns}, so it is not one that Kimo has made",
        it="alla tabella {table} manca {columns}, quindi non è stata creata da Kimo",
    ),
    # --- the ERP's tables
    "export.target.only_case_differs": Sentence(
        en="{names} differ only in capitals: write one of them as it is spelt",
        it="{names} differiscono solo nelle maiuscole: scriverne uno esattamente com'è",
    ),
    "export.target.no_table": Sentence(
        en="there is no table or view {table} in {database}. It has {count} tables and views",
        it="non c'è una tabella o vista {table} in {database}. Ha {count} tabelle e viste",
    ),
    "export.target.no_table_but": Sentence(
        en="there is no table or view {table} in {database}. Tables like it: {names}",
        it="non c'è una tabella o vista {table} in {database}. Tabelle simili: {names}",
    ),
    "export.target.no_transactions": Sentence(
        en=(
            "table {table} is of the engine {engine}, which has no transactions: ALTER TABLE {name}"
            " ENGINE = InnoDB"
        ),
        it=(
            "la tabella {table} usa il motore {engine}, che non ha transazioni: ALTER TABLE {name}"
            " ENGINE = InnoDB"
        ),
    ),
    "export.target.no_fields": Sentence(
        en="table {table} has no column of {entity}'s fields",
        it="la tabella {table} non ha alcuna colonna per i campi di {entity}",
    ),
    "export.target.two_fields": Sentence(
        en="{first} and {second} both go into its column {column}: keep one of them",
        it="{first} e {second} vanno entrambi nella colonna {column}: tenerne uno solo",
    ),
    "export.target.no_column": Sentence(
        en="table {table} has no column {column} (for {field})",
        it="la tabella {table} non ha la colonna {column} (per {field})",
    ),
    "export.target.no_column_but": Sentence(
        en="table {table} has no column {column} (for {field}). Columns like it: {names}",
        it="la tabella {table} non ha la colonna {column} (per {field}). Colonne simili: {names}",
    ),
    "export.target.filled": Sentence(
        en=(
            "column {column} (for {field}) of table {table} is filled by the database itself: take"
            " it out of `fields`"
        ),
        it=(
            "la colonna {column} (per {field}) della tabella {table} è riempita dal database:"
            " toglierla da `fields`"
        ),
    ),
    "export.target.unknown_source": Sentence(
        en="the transformation of {field} reads {names}, which {entity} has not",
        it="la trasformazione di {field} legge {names}, che {entity} non ha",
    ),
    "export.target.null_text": Sentence(
        en="{column} cannot hold '{value}' for no value, so NULL is written",
        it="{column} non può contenere '{value}' per il valore assente, quindi si scrive NULL",
    ),
    # --- what a column can hold. The value itself stands before these.
    "export.column.without_type": Sentence(
        en="a column without a type", it="una colonna senza tipo"
    ),
    "export.column.too_long.characters": Sentence(
        en="{size} characters, and {type} holds {length}",
        it="{size} caratteri, e {type} ne contiene {length}",
    ),
    "export.column.too_long.bytes": Sentence(
        en="{size} bytes, and {type} holds {length}",
        it="{size} byte, e {type} ne contiene {length}",
    ),
    "export.column.too_long.utf16": Sentence(
        en="{size} units of UTF-16 (an emoji takes 2), and {type} holds {length}",
        it="{size} unità UTF-16 (un'emoji ne occupa 2), e {type} ne contiene {length}",
    ),
    "export.column.nul": Sentence(
        en="it holds the character U+0000, which PostgreSQL takes in no text",
        it="contiene il carattere U+0000, che PostgreSQL non accetta in alcun testo",
    ),
    "export.column.lacks_character": Sentence(
        en="{type} cannot hold the character '{character}' ({code}): the column is in {encoding}",
        it=(
            "{type} non può contenere il carattere '{character}' ({code}): la colonna è in"
            " {encoding}"
        ),
    ),
    "export.column.lacks_beyond_bmp": Sentence(
        en=(
            "{type} cannot hold the character '{character}' ({code}): the column is in a character"
            " set without it"
        ),
        it=(
            "{type} non può contenere il carattere '{character}' ({code}): il set di caratteri"
            " della colonna non lo ha"
        ),
    ),
    "export.column.numbers": Sentence(en="{type} holds numbers", it="{type} contiene numeri"),
    "export.column.not_finite": Sentence(
        en="{type} holds numbers, and that is none", it="{type} contiene numeri, e questo non lo è"
    ),
    "export.column.whole_numbers": Sentence(
        en="{type} holds whole numbers, and nothing is rounded",
        it="{type} contiene numeri interi, e nulla viene arrotondato",
    ),
    "export.column.range": Sentence(
        en="{type} holds {low} to {high}", it="{type} contiene valori da {low} a {high}"
    ),
    "export.column.decimals": Sentence(
        en="{type} holds {scale} decimals, and nothing is rounded",
        it="{type} contiene {scale} decimali, e nulla viene arrotondato",
    ),
    "export.column.whole_digits": Sentence(
        en="{type} holds {digits} digits before the decimal point",
        it="{type} contiene {digits} cifre prima della virgola",
    ),
    "export.column.too_large": Sentence(
        en="{type} does not hold numbers as large", it="{type} non contiene numeri così grandi"
    ),
    "export.column.digits": Sentence(
        en="{type} holds about {digits} digits, and nothing is rounded",
        it="{type} contiene circa {digits} cifre, e nulla viene arrotondato",
    ),
    "export.column.flags": Sentence(en="{type} holds 0 and 1", it="{type} contiene 0 e 1"),
    "export.column.days": Sentence(en="{type} holds days", it="{type} contiene date"),
    "export.column.moments": Sentence(en="{type} holds moments", it="{type} contiene date e ore"),
    # --- values that cannot be written
    "export.value.no_date": Sentence(
        en="a date between the years 1 and 9999 is expected",
        it="serve una data tra gli anni 1 e 9999",
    ),
    "export.value.nothing_after": Sentence(
        en="nothing stands behind its '{separator}'", it="non c'è nulla dopo il suo '{separator}'"
    ),
    "export.value.missing": Sentence(
        en="there is no value, and {column} needs one",
        it="il valore manca, e {column} lo richiede",
    ),
    "export.value.not_transformed": Sentence(
        en="the transformation gives nothing: {reason}",
        it="la trasformazione non dà alcun valore: {reason}",
    ),
    # --- what to do about such values
    "export.advice.take_out": Sentence(en="Take it out", it="Toglierlo"),
    "export.advice.shorten": Sentence(
        en="Shorten it in Kimo, or widen the column",
        it="Accorciarlo in Kimo, oppure allargare la colonna",
    ),
    "export.advice.character": Sentence(
        en="Take the character out in Kimo, or have the column hold Unicode",
        it="Togliere il carattere in Kimo, oppure usare una colonna Unicode",
    ),
    "export.advice.correct": Sentence(en="Correct it in Kimo", it="Correggerlo in Kimo"),
    "export.advice.correct_date": Sentence(
        en="Correct the date in Kimo", it="Correggere la data in Kimo"
    ),
    "export.advice.widen": Sentence(
        en="Correct it in Kimo, or widen the column",
        it="Correggerlo in Kimo, oppure allargare la colonna",
    ),
    "export.advice.text_column": Sentence(
        en="Map the field to a column of text, or transform it",
        it="Mappare il campo su una colonna di testo, oppure trasformarlo",
    ),
    "export.advice.other_column": Sentence(
        en="Map the field to another column, or transform it",
        it="Mappare il campo su un'altra colonna, oppure trasformarlo",
    ),
    "export.advice.split": Sentence(
        en="Correct the id, or the split in `export: formats:`",
        it="Correggere l'id, oppure la divisione in `export: formats:`",
    ),
    "export.advice.missing": Sentence(
        en="Fill it in Kimo, or say what stands for no value: export.formats.{setting}",
        it=(
            "Compilarlo in Kimo, oppure indicare cosa sta per nessun valore:"
            " export.formats.{setting}"
        ),
    ),
    "export.advice.transformation": Sentence(
        en="Correct the value in Kimo, or the transformation in `export`",
        it="Correggere il valore in Kimo, oppure la trasformazione in `export`",
    ),
    # --- kimo check
    "export.check.no_table": Sentence(
        en="{reason}. Nothing of it is sent", it="{reason}. Non ne viene inviato nulla"
    ),
    "export.check.no_table_of_part": Sentence(
        en=(
            "{reason}. It is not listed, so its rows stay here: add export.entities.{entity} with"
            " its table"
        ),
        it=(
            "{reason}. Non è in elenco, quindi le sue righe restano qui: aggiungere"
            " export.entities.{entity} con la sua tabella"
        ),
    ),
    "export.check.table": Sentence(
        en="table {table}: {columns} of {fields} fields have a column",
        it="tabella {table}: {columns} campi su {fields} hanno una colonna",
    ),
    "export.check.less_exact": Sentence(
        en=". Less exact there: {columns}", it=". Meno precisi: {columns}"
    ),
    "export.check.not_filled": Sentence(
        en=(
            "{columns} must have a value, and no field fills it: every row would be refused. Map a"
            " field or a constant to it, or have the ERP give it a default"
        ),
        it=(
            "{columns} richiede un valore, e nessun campo lo fornisce: ogni riga sarebbe"
            " rifiutata. Mapparvi un campo o una costante, oppure far impostare un default nell'ERP"
        ),
    ),
    "export.check.wrong_type": Sentence(
        en="{column} cannot take {field}, e.g. '{example}': {reason}. {remedy}",
        it="{column} non può ricevere {field}, ad es. '{example}': {reason}. {remedy}",
    ),
    "export.check.wrong_constant": Sentence(
        en="{column} cannot take the constant of {field}: {reason}",
        it="{column} non può ricevere la costante di {field}: {reason}",
    ),
    "export.check.remedy_boolean": Sentence(
        en="export.formats.boolean: zero_one writes 1 and 0",
        it="export.formats.boolean: zero_one scrive 1 e 0",
    ),
    "export.check.remedy_date": Sentence(
        en="export.formats.{setting} says how it is written",
        it="export.formats.{setting} indica come scriverla",
    ),
    "export.check.remedy_other": Sentence(
        en="Map it to another column, or transform it",
        it="Mapparlo su un'altra colonna, oppure trasformarlo",
    ),
    "export.check.narrow": Sentence(
        en=(
            "columns shorter than their field: {columns}. A longer value is not cut: its record is"
            " held"
        ),
        it=(
            "colonne più corte del loro campo: {columns}. Un valore più lungo non viene tagliato:"
            " il suo record viene trattenuto"
        ),
    ),
    "export.check.size": Sentence(en="{field} has up to {size}", it="{field} fino a {size}"),
    "export.check.no_size": Sentence(en="{field} has no limit", it="{field} senza limite"),
    "export.check.no_sync_reference": Sentence(
        en=(
            "no column takes SyncReference: the ERP cannot answer by it, and Kimo cannot look up"
            " what arrived"
        ),
        it=(
            "nessuna colonna riceve SyncReference: l'ERP non può usarlo per rispondere, e Kimo non"
            " può verificare che cosa è arrivato"
        ),
    ),
    "export.check.no_answers": Sentence(
        en=(
            "{answers} is not mapped: the ERP's answers never arrive, so new records keep Kimo's"
            " Ids. Map it"
        ),
        it=(
            "{answers} non è mappata: le risposte dell'ERP non arrivano mai, quindi i nuovi record"
            " mantengono gli Id di Kimo. Mapparla"
        ),
    ),
    "export.check.no_right": Sentence(
        en="this user may not insert into {table}: have the ERP grant it",
        it="questo utente non può inserire in {table}: farsi dare il permesso dall'ERP",
    ),
}
