"""Sentences of quality/: what each check demands, and what it has seen."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- what each check demands
    "quality.description.payloads_are_whole": Sentence(
        en=(
            "Reads a sample of what step 3 has left in the store: the manifests of the biggest"
            " agents and of some others, and up to {megabytes} MB of their objects. Each must be"
            " there, with its size, its SHA-256 and its rows, and the changes must lead where they"
            " should. Every agent must have a manifest. What to do: the result names it for each"
            " damaged file. `kimo sync verify --all` reads everything."
        ),
        it=(
            "Rilegge un campione di quanto lo step 3 ha lasciato nello store: i manifest degli"
            " agenti più grandi e di alcuni altri, e fino a {megabytes} MB dei loro oggetti."
            " Ognuno deve esserci, con dimensione, SHA-256 e righe corrette, e le modifiche devono"
            " portare al risultato giusto. Ogni agente deve avere un manifest. Cosa fare: il"
            " risultato lo indica per ogni file danneggiato. `kimo sync verify --all` legge tutto."
        ),
    ),
    "quality.description.nothing_is_stuck": Sentence(
        en=(
            "No batch is in doubt at the ERP, the ERP has rejected no record, and none has been"
            " under way for longer than the business rule PendingEdits\\DaysStuck allows. What to"
            " do: `kimo export status` tells it for each. `kimo export resolve` settles a batch."
        ),
        it=(
            "Nessun lotto è in dubbio presso l'ERP, l'ERP non ha rifiutato alcun record, e nessuno"
            " è in viaggio da più tempo di quanto consente la regola PendingEdits\\DaysStuck. Cosa"
            " fare: `kimo export status` lo indica per ognuno. `kimo export resolve` chiude un"
            " lotto."
        ),
    ),
    "quality.description.nothing_rejected_above": Sentence(
        en=(
            "No entity has more rejected rows than limits: max_rejected of kimo.yaml allows (2 %)."
            " At limits: blocking_rejected (50 %, from 50 rows on) the next step does not start and"
            " the tablets keep their data. What to do: `kimo rejected ENTITY` shows the rows with"
            " the reasons. Correct the ERP or the mapping and import again. If the rows are right"
            " as they are, run with `allow_shrink`."
        ),
        it=(
            "Nessuna entità ha più righe scartate di quante ne consente limits: max_rejected di"
            " kimo.yaml (2 %). A limits: blocking_rejected (50 %, da 50 righe in su) lo step"
            " successivo non parte e i tablet mantengono i loro dati. Cosa fare: `kimo rejected"
            " ENTITÀ` mostra le righe con i motivi. Correggere l'ERP o la mappatura e importare di"
            " nuovo. Se le righe sono giuste così, eseguire con `allow_shrink`."
        ),
    ),
    "quality.description.row_counts_are_usual": Sentence(
        en=(
            "The ERP gave about as many rows of each entity as in its five loads before (their"
            " median): not more and not fewer by the share and the rows of guards: max_shrink and"
            " min_shrink_rows. A fall of that size was stopped, or was allowed. What to do: ask at"
            " the ERP. `kimo undo` takes a bad load back."
        ),
        it=(
            "L'ERP ha fornito per ogni entità circa tante righe quante nei cinque caricamenti"
            " precedenti (la loro mediana): la differenza resta entro la quota e il numero di righe"
            " di guards: max_shrink e min_shrink_rows. Un calo più grande è stato fermato, oppure"
            " consentito. Cosa fare: chiedere a chi gestisce l'ERP. `kimo undo` annulla un"
            " caricamento errato."
        ),
    ),
    "quality.description.references_resolve": Sentence(
        en=(
            "References that point nowhere are no more than limits: max_dangling of an entity's"
            " rows (5 %). What to do: map and import the entity that they should be in, import"
            " without `only_listed`, or correct the rows in the ERP."
        ),
        it=(
            "I riferimenti che non portano a nulla non superano limits: max_dangling delle righe di"
            " un'entità (5 %). Cosa fare: mappare e importare l'entità a cui dovrebbero portare,"
            " importare senza `only_listed`, oppure correggere le righe nell'ERP."
        ),
    ),
    "quality.description.every_picture_is_there": Sentence(
        en=(
            "Every picture that a row names could be read, and is public. What to do: put the"
            " missing file into the source folder, or correct the name at the ERP. `kimo images"
            " audit` lists all of them."
        ),
        it=(
            "Ogni immagine indicata da una riga è leggibile ed è pubblica. Cosa fare: mettere il"
            " file mancante nella cartella di origine, oppure correggere il nome nell'ERP. `kimo"
            " images audit` le elenca tutte."
        ),
    ),
    "quality.description.addresses_are_found": Sentence(
        en=(
            "Google knows the address of every customer and ship-to site. What to do: correct those"
            " in the table at the ERP. The import after that and the next geocoding ask again."
            " `kimo geocode --list` has all of them."
        ),
        it=(
            "Google conosce l'indirizzo di ogni cliente e di ogni destinazione. Cosa fare:"
            " correggere nell'ERP quelli in tabella. L'import successivo e la geocodifica seguente"
            " chiedono di nuovo. `kimo geocode --list` li elenca tutti."
        ),
    ),
    "quality.description.tablets_data_are_fresh": Sentence(
        en=(
            "The tablets' data were read from the ERP within the last limits: fresh_hours (26)."
            " The sensor data_are_fresh records it too while nothing runs. What to do: look why the"
            " last import failed or did not start, then run `kimo import`."
        ),
        it=(
            "I dati dei tablet sono stati letti dall'ERP nelle ultime limits: fresh_hours ore (26)."
            " Il sensore data_are_fresh lo registra anche quando non è in corso nulla. Cosa fare:"
            " verificare perché l'ultimo import è fallito o non è partito, poi eseguire `kimo"
            " import`."
        ),
    ),
    # --- the headings of the tables
    "quality.column.entity": Sentence(en="entity", it="entità"),
    "quality.column.rejected": Sentence(en="rejected", it="scartate"),
    "quality.column.read": Sentence(en="read", it="lette"),
    "quality.column.share": Sentence(en="share", it="quota"),
    "quality.column.rows_read": Sentence(en="rows read", it="righe lette"),
    "quality.column.usual": Sentence(en="usual", it="di solito"),
    "quality.column.field": Sentence(en="field", it="campo"),
    "quality.column.target": Sentence(en="should be in", it="dovrebbe essere in"),
    "quality.column.dangling": Sentence(
        en="rows that point nowhere", it="righe che non portano a nulla"
    ),
    "quality.column.rows": Sentence(en="rows", it="righe"),
    "quality.column.samples": Sentence(en="e.g.", it="ad es."),
    "quality.column.what": Sentence(en="what", it="cosa"),
    "quality.column.why": Sentence(en="why", it="perché"),
    "quality.column.which": Sentence(en="which", it="quale"),
    "quality.column.whose": Sentence(en="whose", it="di chi"),
    "quality.column.accounts": Sentence(en="accounts", it="clienti"),
    "quality.column.staged_at": Sentence(
        en="last read from the ERP (UTC)", it="letta l'ultima volta dall'ERP (UTC)"
    ),
    "quality.column.file": Sentence(en="file", it="file"),
    "quality.column.concerns": Sentence(en="concerns", it="riguarda"),
    "quality.column.remedy": Sentence(en="what to do", it="cosa fare"),
    # --- lists that are cut
    "quality.and_more": Sentence(en="{named}; and {count} more", it="{named}; e altri {count}"),
    "quality.more": Sentence(
        en="And {count} more.", it="E altri {count}.", one_it="E un altro ({count})."
    ),
    # --- rejected rows
    "quality.rejected.none": Sentence(
        en="No entity has more than {limit:.1%} of its rows rejected.",
        it="Nessuna entità ha più del {limit:.1%} di righe scartate.",
    ),
    "quality.rejected.some": Sentence(
        en=(
            "{named}. Allowed are {limit:.1%} (limits: max_rejected). Look at them with `kimo"
            " rejected {entity}`, correct them in the ERP or the mapping, then run"
            " `retry_rejected`."
        ),
        it=(
            "{named}. È consentito il {limit:.1%} (limits: max_rejected). Guardarle con `kimo"
            " rejected {entity}`, correggerle nell'ERP o nella mappatura, poi eseguire"
            " `retry_rejected`."
        ),
    ),
    "quality.rejected.entity": Sentence(
        en="{entity}: {rejected:,} of {read:,} rows rejected",
        it="{entity}: {rejected:,} righe scartate su {read:,}",
    ),
    "quality.rejected.blocking_entity": Sentence(
        en="{entity} ({rejected:,} of {read:,} rows, {share:.0%})",
        it="{entity} ({rejected:,} righe su {read:,}, {share:.0%})",
    ),
    "quality.rejected.stopped": Sentence(
        en=(
            "Too many rows were rejected: {entities}. At {limit:.0%} the next step does not start"
            " (limits: blocking_rejected). Yesterday's data stay. `kimo rejected` shows the"
            " reasons: correct the ERP or the mapping and import again. If the rows are right as"
            " they are, run again with --allow-shrink (allow_shrink)."
        ),
        it=(
            "Troppe righe scartate: {entities}. Al {limit:.0%} lo step successivo non parte"
            " (limits: blocking_rejected). Restano i dati di ieri. `kimo rejected` mostra i"
            " motivi: correggere l'ERP o la mappatura e importare di nuovo. Se le righe sono giuste"
            " così, eseguire di nuovo con --allow-shrink (allow_shrink)."
        ),
    ),
    # --- row counts
    "quality.counts.usual": Sentence(
        en="Every entity has about as many rows as in its last loads.",
        it="Ogni entità ha circa tante righe quante negli ultimi caricamenti.",
    ),
    "quality.counts.unusual": Sentence(
        en=(
            "{named}. Ask at the ERP whether that is right. If it is not, `kimo undo` takes the"
            " load back."
        ),
        it=(
            "{named}. Chiedere a chi gestisce l'ERP se è corretto. Se non lo è, `kimo undo` annulla"
            " il caricamento."
        ),
    ),
    "quality.counts.entity": Sentence(
        en="{entity}: {read:,} rows, usual are {usual:,}",
        it="{entity}: {read:,} righe, di solito {usual:,}",
    ),
    # --- references
    "quality.references.resolve": Sentence(
        en="No more than {limit:.0%} of an entity's rows point nowhere.",
        it="I riferimenti che non portano a nulla non superano il {limit:.0%} delle righe.",
    ),
    "quality.references.dangle": Sentence(
        en="{named}. Import {target} too, or correct the rows in the ERP.",
        it="{named}. Importare anche {target}, oppure correggere le righe nell'ERP.",
    ),
    "quality.references.field": Sentence(
        en="{entity}.{field}: {dangling:,} of {rows:,} rows point to no {target}",
        it="{entity}.{field}: {dangling:,} righe su {rows:,} non portano ad alcun {target}",
    ),
    # --- pictures and addresses
    "quality.pictures.all_there": Sentence(
        en="Every picture that a row names is there.",
        it="Ogni immagine indicata da una riga è presente.",
    ),
    "quality.pictures.missing": Sentence(
        en=(
            "Missing pictures: {count:,}. {named}. Put the file there, or correct the name at the"
            " ERP, then run `import_files`."
        ),
        it=(
            "Immagini mancanti: {count:,}. {named}. Mettere il file al suo posto, oppure correggere"
            " il nome nell'ERP, poi eseguire `import_files`."
        ),
    ),
    "quality.addresses.all_found": Sentence(
        en="Of {addresses:,} addresses, none is unknown to Google.",
        it="Di {addresses:,} indirizzi, nessuno è sconosciuto a Google.",
    ),
    "quality.addresses.not_found": Sentence(
        en=(
            "Addresses that are not found: {count:,} of {addresses:,}. {named}. Correct them at the"
            " ERP. The next geocoding asks again."
        ),
        it=(
            "Indirizzi non trovati: {count:,} su {addresses:,}. {named}. Correggerli nell'ERP. La"
            " prossima geocodifica chiede di nuovo."
        ),
    ),
    # --- age
    "quality.fresh.nothing_imported": Sentence(
        en="Nothing was imported yet.", it="Non è ancora stato importato nulla."
    ),
    "quality.fresh.all": Sentence(
        en="Every entity was read from the ERP within the last {hours:g} hours.",
        it="Ogni entità è stata letta dall'ERP nelle ultime {hours:g} ore.",
    ),
    "quality.fresh.old": Sentence(
        en=(
            "{old} of {entities} entities are older than {hours:g} hours (limits: fresh_hours):"
            " {named}. Look at the last import's run and its mail. `kimo import` reads them now."
        ),
        it=(
            "{old} entità su {entities} hanno dati più vecchi di {hours:g} ore (limits:"
            " fresh_hours): {named}. Guardare l'esecuzione dell'ultimo import e la sua mail. `kimo"
            " import` le legge adesso."
        ),
    ),
    "quality.fresh.entity": Sentence(en="{entity} of {at} UTC", it="{entity} del {at} UTC"),
    # --- the outbox
    "quality.export.all_moves": Sentence(
        en="Nothing is stuck between Kimo and the ERP.",
        it="Nulla è fermo tra Kimo e l'ERP.",
    ),
    "quality.export.stuck": Sentence(en="{what} {which}: {why}.", it="{what} {which}: {why}."),
    "quality.export.batch": Sentence(en="batch {batch}", it="lotto {batch}"),
    "quality.export.batch_in_doubt": Sentence(
        en="it may have arrived at the ERP or not: see `kimo export status`",
        it="può essere arrivato all'ERP oppure no: vedere `kimo export status`",
    ),
    "quality.export.rejected_by_the_erp": Sentence(
        en="the ERP has rejected it", it="l'ERP lo ha rifiutato"
    ),
    "quality.export.edited_after_sending": Sentence(
        en=(
            "edited in Kimo after it was sent, and no answer of the ERP will release it. The ERP"
            " has the version before the edit. Amend it there by hand, then have it set to 1 in"
            " Kimo"
        ),
        it=(
            "modificato in Kimo dopo l'invio, e nessuna risposta dell'ERP lo libererà. L'ERP ha la"
            " versione precedente alla modifica. Correggerlo là a mano, poi farlo impostare a 1 in"
            " Kimo"
        ),
    ),
    # --- the payloads
    "quality.payloads.whole": Sentence(
        en="{manifests} manifests and {objects} of their {objects_found} objects are whole.",
        it="{manifests} manifest e {objects} dei loro {objects_found} oggetti sono integri.",
    ),
    "quality.payloads.damage": Sentence(
        en="{file}: {message}. It concerns {codes}. {remedy}.",
        it="{file}: {message}. Riguarda {codes}. {remedy}.",
    ),
    "quality.payloads.codes": Sentence(en="{codes} and {count} more", it="{codes} e altri {count}"),
}
