"""Sentences of the Dagster layer: what its runs, jobs and assets say of themselves."""

from kimo_assets.texts.catalogue import Sentence

_RUNS = {
    "defs.not_started": Sentence(
        en="Not started: {error}, then run this again.",
        it="Non avviata: {error}, poi ripetere l'esecuzione.",
    ),
    "defs.unexpected_error": Sentence(
        en=(
            "Unexpected error. {error}. What was done before is kept, the rest is as it was. Run it"
            " again. If it comes back, show the stack trace below to whoever looks after"
            " kimo_assets."
        ),
        it=(
            "Errore imprevisto. {error}. Ciò che era stato fatto è conservato, il resto è come"
            " prima. Ripetere l'esecuzione. Se si ripresenta, mostrare la traccia qui sotto a chi"
            " cura kimo_assets."
        ),
    ),
    "defs.no_such_step": Sentence(
        en="steps: {step} is no step; expected 1, 2 or 3",
        it="steps: {step} non è uno step; sono ammessi 1, 2 e 3",
    ),
    "defs.wrong_company": Sentence(
        en=(
            "Not started: the run is of the code location '{location}', and this process has the"
            " kimo.yaml of '{company}' ({path}). Give it the right KIMO_CONFIG, or the location its"
            " company's name."
        ),
        it=(
            "Non avviata: l'esecuzione è della code location '{location}', ma questo processo ha il"
            " kimo.yaml di '{company}' ({path}). Dargli il KIMO_CONFIG giusto, o dare alla code"
            " location il nome della sua azienda."
        ),
    ),
}

_QUEUE = {
    "defs.dropped": Sentence(
        en=(
            "Dropped: run {run_id} of the same job, with the same configuration, waits in the queue"
            " already. It will do what was asked for, nothing is lost."
        ),
        it=(
            "Scartata: l'esecuzione {run_id} dello stesso job, con la stessa configurazione, è già"
            " in coda. Farà ciò che è stato chiesto, non si perde nulla."
        ),
    ),
    "defs.same_run_waits": Sentence(
        en="run {run_id} waits in the queue already and will do the same",
        it="l'esecuzione {run_id} è già in coda e farà lo stesso",
    ),
    "defs.same_minute": Sentence(
        en="another schedule has asked for the same at this minute: run {run_id}",
        it="un'altra pianificazione ha chiesto lo stesso in questo minuto: esecuzione {run_id}",
    ),
    "defs.schedule": Sentence(
        en="{title}. `{cron}` in {zone}, as `schedules:` of kimo.yaml says.",
        it="{title}. `{cron}` in {zone}, come indica `schedules:` di kimo.yaml.",
    ),
}

_SENSORS = {
    "defs.sensor.erp_finished": Sentence(
        en=(
            "The ERP has finished its own export: ImportFromErpSemaphore goes from 1 to 0, in all"
            " sources. Starts the full import. It looks every half minute, so it may miss a shorter"
            " export."
        ),
        it=(
            "L'Erp ha finito il proprio export: ImportFromErpSemaphore passa da 1 a 0, in tutte le"
            " sorgenti. Avvia l'import completo. Guarda ogni mezzo minuto, quindi un export più"
            " breve può sfuggire."
        ),
    ),
    "defs.sensor.records_waiting": Sentence(
        en=(
            "Records that agents made or edited are ready for the ERP. Starts the export. Records"
            " that were held back go with the next export. After an export that failed the next one"
            " waits a quarter of an hour."
        ),
        it=(
            "Documenti creati o modificati dagli agenti sono pronti per l'Erp. Avvia l'export. I"
            " documenti trattenuti partono con l'export successivo. Dopo un export non riuscito, il"
            " successivo attende un quarto d'ora."
        ),
    ),
    "defs.sensor.new_pictures": Sentence(
        en=(
            "Picture files are new, changed or gone in the source folders. Starts their import once"
            " two looks in a row have seen the same, so that files are not taken while they are"
            " copied. Folders with a URL are looked at every quarter of an hour."
        ),
        it=(
            "Nelle cartelle di origine ci sono file immagine nuovi, cambiati o tolti. Ne avvia"
            " l'importazione quando due controlli di seguito vedono lo stesso, così non si prendono"
            " file mentre vengono copiati. Le cartelle con un URL si controllano ogni quarto d'ora."
        ),
    ),
    "defs.sensor.kimo_yaml_changed": Sentence(
        en=(
            "kimo.yaml, or the mapping beside it, has changed. It is checked, and a mistake stands"
            " here until it is corrected. A valid file is taken over: the UI reloads it at once,"
            " the daemon within a minute."
        ),
        it=(
            "kimo.yaml, o la mappatura accanto, è cambiato. Viene controllato, e un errore resta"
            " scritto qui finché non è corretto. Un file valido viene adottato: la UI lo ricarica"
            " subito, il daemon entro un minuto."
        ),
    ),
    "defs.sensor.data_are_fresh": Sentence(
        en=(
            "Records in the check tablets_data_are_fresh of sync_payloads when the tablets' data"
            " become too old, and when they are fresh again. It does so while nothing runs, too."
        ),
        it=(
            "Registra nel controllo tablets_data_are_fresh di sync_payloads quando i dati dei"
            " tablet diventano troppo vecchi, e quando sono di nuovo aggiornati. Lo fa anche mentre"
            " nulla è in esecuzione."
        ),
    ),
    "defs.sensor.end_dead_runs": Sentence(
        en=(
            "Marks runs as failed whose process was killed. Dagster would show them as started for"
            " ever, and let every later run wait for them."
        ),
        it=(
            "Segna come fallite le esecuzioni il cui processo è stato interrotto. Dagster le"
            " mostrerebbe avviate per sempre, e ogni esecuzione successiva le aspetterebbe."
        ),
    ),
    "defs.sensor.tell_operators": Sentence(
        en=(
            "Mails operators how runs have ended: the first failure, then the recovery, and the"
            " success of the jobs that kimo.yaml names. Sends mails that wait for the mail server,"
            " with pauses. docs/notifications.md."
        ),
        it=(
            "Avvisa gli operatori per mail di come sono finite le esecuzioni: il primo errore, poi"
            " il ritorno alla normalità, e la riuscita dei job nominati in kimo.yaml. Invia le mail"
            " che attendono il server di posta, con pause. docs/notifications.md."
        ),
    ),
    "defs.mails_written": Sentence(
        en="{count} new mails",
        it="{count} nuove mail",
        one_en="{count} new mail",
        one_it="{count} nuova mail",
    ),
    "defs.mail_impossible": Sentence(
        en="no mail could be written about run {run_id}: {error}",
        it="non è stato possibile scrivere una mail sull'esecuzione {run_id}: {error}",
    ),
    "defs.no_run": Sentence(en="no run is going on", it="nessuna esecuzione è in corso"),
    "defs.dead_runs": Sentence(
        en="{dead} of {runs} runs that are going on were dead",
        it="{dead} di {runs} esecuzioni in corso erano interrotte",
    ),
    "defs.killed": Sentence(
        en=(
            "Ended by the sensor end_dead_runs: the process of this run is gone, it was killed or"
            " its machine stopped. What it had finished is kept, the rest is as before. Run it"
            " again."
        ),
        it=(
            "Terminata dal sensore end_dead_runs: il processo di questa esecuzione non c'è più, è"
            " stato interrotto o la macchina si è fermata. Ciò che aveva finito è conservato, il"
            " resto è come prima. Ripetere l'esecuzione."
        ),
    ),
    "defs.semaphore": Sentence(
        en="source '{source}': {semaphore} is {status}",
        it="sorgente '{source}': {semaphore} è {status}",
    ),
    "defs.export_not_over": Sentence(
        en="run {run_id} of the export is not over yet",
        it="l'esecuzione {run_id} dell'export non è ancora finita",
    ),
    "defs.export_failed": Sentence(
        en="run {run_id} of the export has failed; the next one from {again} UTC on",
        it="l'esecuzione {run_id} dell'export non è riuscita; la prossima dalle {again} UTC",
    ),
    "defs.no_records_ready": Sentence(
        en="no records are ready for the ERP", it="nessun documento è pronto per l'Erp"
    ),
    "defs.records_ready": Sentence(
        en="{count:,} records are ready for the ERP",
        it="{count:,} documenti sono pronti per l'Erp",
        one_en="{count:,} record is ready for the ERP",
        one_it="{count:,} documento è pronto per l'Erp",
    ),
    "defs.records_kept": Sentence(
        en="{count:,} are held back or wait (kimo export status)",
        it="{count:,} sono trattenuti o in attesa (kimo export status)",
        one_en="{count:,} is held back or waits (kimo export status)",
        one_it="{count:,} è trattenuto o in attesa (kimo export status)",
    ),
    "defs.no_folder": Sentence(
        en="no folder is named (images: source:)",
        it="nessuna cartella è indicata (images: source:)",
    ),
    "defs.folder_not_due": Sentence(
        en="{folder} was looked at {at}", it="{folder}: ultimo controllo {at}"
    ),
    "defs.folder_unchanged": Sentence(
        en="nothing is new among the {count:,} files of {folder}",
        it="nulla di nuovo tra i {count:,} file di {folder}",
    ),
    "defs.folder_changing": Sentence(
        en="{folder} has changed: its files are imported when the next look sees the same",
        it="{folder} è cambiata: i file si importano quando il prossimo controllo vede lo stesso",
    ),
    "defs.folder_changed": Sentence(en="{folder} has changed", it="{folder} è cambiata"),
    "defs.yaml_unchanged": Sentence(en="{name} is as it was", it="{name} è come prima"),
    "defs.yaml_wrong": Sentence(
        en="{name} is not taken over, correct it: {problem}",
        it="{name} non è adottato, va corretto: {problem}",
    ),
    "defs.yaml_watched": Sentence(
        en="{name} is watched from now on", it="{name} è sorvegliato da ora in poi"
    ),
    "defs.yaml_changed": Sentence(
        en="{name} has changed and is right; {reloaded}",
        it="{name} è cambiato ed è valido; {reloaded}",
    ),
    "defs.reloaded": Sentence(en="the UI has reloaded it", it="la UI lo ha ricaricato"),
    "defs.no_webserver": Sentence(
        en=(
            "no webserver answered at {url}: press Reload in the UI (Deployment) when it runs; the"
            " daemon takes it over within a minute"
        ),
        it=(
            "nessun webserver ha risposto a {url}: premere Reload nella UI (Deployment) quando è"
            " attivo; il daemon lo adotta entro un minuto"
        ),
    ),
    "defs.not_reloaded": Sentence(
        en=(
            "the webserver could not reload it ({error}): press Reload in the UI (Deployment) when"
            " it runs; the daemon takes it over within a minute"
        ),
        it=(
            "il webserver non ha potuto ricaricarlo ({error}): premere Reload nella UI (Deployment)"
            " quando è attivo; il daemon lo adotta entro un minuto"
        ),
    ),
}

_ASSETS = {
    "defs.asset.erp": Sentence(
        en=(
            "Database di integrazione dell'ERP. Step 1 reads its tables or views, as `entities` of"
            " kimo.yaml maps them. Kimo writes only its semaphore and its exports there"
            " (`erp_outbox`). `kimo check` compares the mapping with it."
        ),
        it=(
            "Database di integrazione dell'ERP. Lo Step 1 ne legge le tabelle o viste, come le"
            " mappa `entities` di kimo.yaml. Kimo vi scrive solo il semaforo e gli export"
            " (`erp_outbox`). `kimo check` lo confronta con la mappatura."
        ),
    ),
    "defs.asset.crm": Sentence(
        en=(
            "Database di integrazione del CRM. Step 1 reads its tables or views, as `entities` of"
            " kimo.yaml maps them. Kimo writes only its semaphore and its exports there"
            " (`erp_outbox`). `kimo check` compares the mapping with it."
        ),
        it=(
            "Database di integrazione del CRM. Lo Step 1 ne legge le tabelle o viste, come le"
            " mappa `entities` di kimo.yaml. Kimo vi scrive solo il semaforo e gli export"
            " (`erp_outbox`). `kimo check` lo confronta con la mappatura."
        ),
    ),
    "defs.asset.erp_staging": Sentence(
        en=(
            "{title}. Each mapped entity is read whole from the ERP into schema `integrator`. Every"
            " value is cast and checked, and rejected rows are kept in the quarantine with their"
            " reason. The new snapshot is swapped in at once."
        ),
        it=(
            "{title}. Ogni entità mappata è letta per intero dall'Erp nello schema `integrator`."
            " Ogni valore è convertito e controllato, e le righe scartate restano in quarantena con"
            " il motivo. Il nuovo snapshot subentra in un colpo solo."
        ),
    ),
    "defs.asset.kimo_tables": Sentence(
        en=(
            "{title}. Kimo's tables become the snapshot in one transaction: rows are inserted,"
            " updated, archived or unchanged. Rows with pending edits are held, and references that"
            " point nowhere are counted."
        ),
        it=(
            "{title}. Le tabelle di Kimo diventano lo snapshot in una transazione: righe inserite,"
            " aggiornate, archiviate o invariate. Le righe con modifiche in sospeso sono"
            " trattenute, e si contano i riferimenti che non portano a nessuna riga."
        ),
    ),
    "defs.asset.sync_payloads": Sentence(
        en=(
            "{title}. Each agent gets exactly the rows he may see: objects are shared by agents who"
            " see the same, and each agent's manifest is replaced at once. Unchanged data cost"
            " nothing."
        ),
        it=(
            "{title}. Ogni agente riceve esattamente le righe che può vedere: gli oggetti sono"
            " condivisi tra gli agenti che vedono lo stesso, e il manifest di ogni agente è"
            " sostituito in un colpo solo. I dati invariati non costano nulla."
        ),
    ),
    "defs.asset.agent_payloads": Sentence(
        en=(
            "{title}. What the tablets get: a manifest per agent and user. Every step 3 records"
            " here how many there are and what they weigh, the biggest agents, and their bytes over"
            " the last loads. See the button Plots under Metadata, and the picture `bytes over"
            " loads`."
        ),
        it=(
            "{title}. Che cosa ricevono i tablet: un manifest per agente e utente. Ogni step 3"
            " registra qui quanti sono e quanto pesano, gli agenti più grandi, e i loro byte negli"
            " ultimi caricamenti. Si vedono con il pulsante Plots sotto Metadata, e nella figura"
            " `bytes over loads`."
        ),
    ),
    "defs.asset.settings": Sentence(
        en=(
            "{title}. The console's tables as all tablets get them: business rules (those that the"
            " ERP sends prevail), roles, document types, metadata ... The job of that name and"
            " every step 3 record here what the tablets have now. `kimo settings load` brings a"
            " changed settings.yaml in."
        ),
        it=(
            "{title}. Le tabelle della console come le ricevono tutti i tablet: regole aziendali"
            " (prevalgono quelle inviate dall'Erp), ruoli, tipi di documento, metadati ... Il job"
            " con questo nome e ogni step 3 registrano qui che cosa hanno ora i tablet. `kimo"
            " settings load` carica un settings.yaml modificato."
        ),
    ),
    "defs.asset.erp_outbox": Sentence(
        en=(
            "{title}. Records that agents created or edited, on their way to the ERP's tables: each"
            " head with its lines, exactly once. Every export records here what was sent, and what"
            " was held back for which reason. The ERP's answer comes back with the import. `kimo"
            " export status` follows a single record."
        ),
        it=(
            "{title}. I documenti creati o modificati dagli agenti, in viaggio verso le tabelle"
            " dell'Erp: ogni testata con le sue righe, una volta sola. Ogni export registra qui che"
            " cosa è stato inviato, e che cosa è stato trattenuto e perché. La risposta dell'Erp"
            " torna con l'import. `kimo export status` segue un singolo documento."
        ),
    ),
    "defs.asset.public_images": Sentence(
        en=(
            "{files}, {download}. The pictures that rows name, checked and made small, in the"
            " public folder, each with a square thumbnail. Both jobs record here what they made,"
            " and what could not be used for which reason. Agents get the names with the next step"
            " 3 (PublicImage)."
        ),
        it=(
            "{files}, {download}. Le immagini nominate dalle righe, controllate e ridotte, nella"
            " cartella pubblica, ognuna con una miniatura quadrata. I due job registrano qui che"
            " cosa hanno prodotto, e che cosa non si è potuto usare e perché. Gli agenti ricevono i"
            " nomi con il prossimo step 3 (PublicImage)."
        ),
    ),
    "defs.asset.geopositions": Sentence(
        en=(
            "{title}. Where customers and ship-to sites are, as Google answers for their addresses,"
            " and how exact that is: a picture, a table by province, and the addresses to correct."
            " Agents get the coordinates with the next step 3 (EntityGeoposition)."
        ),
        it=(
            "{title}. Dove si trovano clienti e destinazioni, come risponde Google per i loro"
            " indirizzi, e con quale precisione: una figura, una tabella per provincia, e gli"
            " indirizzi da correggere. Gli agenti ricevono le coordinate con il prossimo step 3"
            " (EntityGeoposition)."
        ),
    ),
    "defs.allow_shrink": Sentence(
        en=(
            "Go on even if there are far fewer rows than the last time, or an agent loses most of"
            " his."
        ),
        it=(
            "Proseguire anche se le righe sono molte meno dell'ultima volta, o se un agente perde"
            " la maggior parte delle sue."
        ),
    ),
    "defs.no_partition": Sentence(
        en=(
            "No partition was chosen, so nothing was done. For all entities: Lineage, `Materialize"
            " all`, `All`; or the job `{job}` with `entities` left empty."
        ),
        it=(
            "Nessuna partizione scelta, quindi non è stato fatto nulla. Per tutte le entità:"
            " Lineage, `Materialize all`, `All`; oppure il job `{job}` con `entities` vuoto."
        ),
    ),
    "defs.step_failed": Sentence(
        en="{title}: {failed} of {count} entities failed, the others are done and kept. {lines}",
        it="{title}: {failed} entità su {count} non riuscite, le altre sono conservate. {lines}",
    ),
    "defs.step_summary": Sentence(
        en="{title}: {count} entities, {unchanged} unchanged. {figures}",
        it="{title}: {count} entità, {unchanged} invariate. {figures}",
    ),
    "defs.entity_failed": Sentence(
        en="{entity} failed: {error}", it="{entity} non riuscita: {error}"
    ),
    "defs.no_customers": Sentence(en="no customers", it="nessun cliente"),
    "defs.positions": Sentence(en="where the customers are", it="dove si trovano i clienti"),
    "defs.contact_sheet": Sentence(en="contact sheet", it="provino delle immagini"),
    "defs.no_rows": Sentence(en="no rows", it="nessuna riga"),
    "defs.nothing_to_do": Sentence(en="nothing to do", it="niente da fare"),
}

_JOBS = {
    "defs.resource": Sentence(
        en="Kimo's database, the import's lock and its load number.",
        it="Il database di Kimo, il lock dell'import e il suo numero di caricamento.",
    ),
    "defs.job.steps": Sentence(
        en=(
            "{title}. One entity: choose its partition in the launchpad. All of them, or any"
            " choice: the tab Partitions, `Launch backfill`; or `Materialize all` of the lineage."
        ),
        it=(
            "{title}. Un'entità: scegliere la sua partizione nel launchpad. Tutte, o una scelta: la"
            " scheda Partitions, `Launch backfill`; oppure `Materialize all` del lineage."
        ),
    ),
    "defs.job.import_entities": Sentence(
        en=(
            "{title} / Step 1 / 2 / 3 / 2+3 (entità specifiche), with the vendor's mask: the named"
            " entities and, unless `only_listed`, those linked to them."
        ),
        it=(
            "{title} / Step 1 / 2 / 3 / 2+3 (entità specifiche), con la maschera del produttore: le"
            " entità nominate e, salvo `only_listed`, quelle collegate."
        ),
    ),
    "defs.op.import_entities": Sentence(
        en=(
            "Resolves the linked entities, does the chosen steps, and records each entity in each"
            " layer's asset."
        ),
        it=(
            "Determina le entità collegate, esegue gli step scelti, e registra ogni entità"
            " nell'asset di ogni livello."
        ),
    ),
    "defs.mask.entities": Sentence(
        en=(
            "Entità: names separated by commas, in any case, e.g. Item, PriceList. Empty: all"
            " mapped entities. An unknown name ends the run before anything is done, and the"
            " message suggests the nearest one."
        ),
        it=(
            "Entità: nomi separati da virgole, maiuscole o minuscole, ad es. Item, PriceList."
            " Vuoto: tutte le entità mappate. Un nome sconosciuto termina l'esecuzione prima che"
            " sia fatto qualcosa, e il messaggio suggerisce il più vicino."
        ),
    ),
    "defs.mask.only_listed": Sentence(
        en=(
            "Consider only the named entities and not the linked ones. Use with caution: references"
            " may be left pointing nowhere."
        ),
        it=(
            "Considera solo le entità nominate e non quelle collegate. Usare con cautela: possono"
            " restare riferimenti che non portano a nessuna riga."
        ),
    ),
    "defs.mask.steps": Sentence(
        en="Which of the steps 1, 2 and 3, in this order.",
        it="Quali degli step 1, 2 e 3, in quest'ordine.",
    ),
    "defs.mask.allow_shrink": Sentence(
        en="Take a snapshot even if there are far fewer rows than the last time.",
        it="Accettare uno snapshot anche se le righe sono molte meno dell'ultima volta.",
    ),
    "defs.mask.plan": Sentence(
        en=(
            "The id of a saved plan (`kimo plan --save`): applies exactly the snapshots it has"
            " seen, whatever the fields above say."
        ),
        it=(
            "L'id di un'anteprima salvata (`kimo plan --save`): applica esattamente gli snapshot"
            " che ha visto, qualunque cosa dicano i campi qui sopra."
        ),
    ),
    "defs.entities_chosen": Sentence(
        en="{count} entities: {names}",
        it="{count} entità: {names}",
        one_en="{count} entity: {names}",
    ),
    "defs.job.plan": Sentence(
        en=(
            "{title}. Shows what an import would insert, change, archive, hold and reject, and"
            " whether a guard would stop it. Writes nothing."
        ),
        it=(
            "{title}. Mostra che cosa un import inserirebbe, cambierebbe, archivierebbe,"
            " tratterrebbe e scarterebbe, e se una protezione lo fermerebbe. Non scrive nulla."
        ),
    ),
    "defs.op.plan": Sentence(
        en="Reads and compares as an import does, then takes all of it back.",
        it="Legge e confronta come un import, poi annulla tutto.",
    ),
    "defs.plan.entities": Sentence(
        en="Names separated by commas. Empty: all mapped entities.",
        it="Nomi separati da virgole. Vuoto: tutte le entità mappate.",
    ),
    "defs.plan.only_listed": Sentence(
        en="Only the named entities and not the linked ones.",
        it="Solo le entità nominate e non quelle collegate.",
    ),
    "defs.plan.save": Sentence(
        en=(
            "Keep the snapshots that were read: the run shows the plan's id, with which `{job}`"
            " applies exactly these."
        ),
        it=(
            "Conservare gli snapshot letti: l'esecuzione mostra l'id dell'anteprima, con il quale"
            " `{job}` applica esattamente questi."
        ),
    ),
    "defs.plan.nothing": Sentence(en="nothing", it="niente"),
    "defs.plan.no_rows": Sentence(en="none", it="nessuna"),
    "defs.plan_failed": Sentence(
        en="{count} entities cannot be read. {lines}",
        it="{count} entità non si possono leggere. {lines}",
        one_en="{count} entity cannot be read. {lines}",
        one_it="{count} entità non si può leggere. {lines}",
    ),
    "defs.job.undo": Sentence(
        en=(
            "{title}. Takes the last load back, or all after a given one: Kimo's tables in one"
            " transaction, then the payloads. Staged snapshots stay, so correct the ERP before the"
            " next import."
        ),
        it=(
            "{title}. Annulla l'ultimo caricamento, o tutti dopo quello indicato: le tabelle di"
            " Kimo in una transazione, poi i dati di sync. Gli snapshot letti restano, quindi"
            " correggere l'Erp prima del prossimo import."
        ),
    ),
    "defs.op.undo": Sentence(
        en="Takes loads back, and records each entity that changed in its layer's asset.",
        it="Annulla caricamenti, e registra ogni entità cambiata nell'asset del suo livello.",
    ),
    "defs.undo.to": Sentence(
        en=(
            "The number of a load: Kimo's tables become what they were after it. Empty: the last"
            " load that changed something is taken back. `kimo undo --list` shows the loads."
        ),
        it=(
            "Il numero di un caricamento: le tabelle di Kimo tornano com'erano dopo di esso. Vuoto:"
            " si annulla l'ultimo caricamento che ha cambiato qualcosa. `kimo undo --list` mostra i"
            " caricamenti."
        ),
    ),
    "defs.job.retry": Sentence(
        en=(
            "{title}: only the rejected rows are read again, after they were corrected in the ERP."
            " Those that are good now are loaded and go to the tablets. The other rows wait for the"
            " next import."
        ),
        it=(
            "{title}: si rileggono solo le righe scartate, dopo che sono state corrette nell'Erp."
            " Quelle ora valide sono caricate e vanno ai tablet. Le altre righe attendono il"
            " prossimo import."
        ),
    ),
    "defs.op.retry": Sentence(
        en=(
            "Reads only the rejected rows again from the ERP, by their key, then loads and"
            " publishes these entities."
        ),
        it=(
            "Rilegge dall'Erp solo le righe scartate, per chiave, poi carica e pubblica queste"
            " entità."
        ),
    ),
    "defs.retry.entities": Sentence(
        en=(
            "Names separated by commas, e.g. Item, PriceList. Empty: all entities with rejected"
            " rows."
        ),
        it=(
            "Nomi separati da virgole, ad es. Item, PriceList. Vuoto: tutte le entità con righe"
            " scartate."
        ),
    ),
    "defs.job.settings": Sentence(
        en=(
            "{title}. The console's tables alone: business rules, roles, document types, metadata"
            " ... Users, and rules about who sees what, count from the next step 3."
        ),
        it=(
            "{title}. Solo le tabelle della console: regole aziendali, ruoli, tipi di documento,"
            " metadati ... Gli utenti, e le regole su chi vede che cosa, valgono dal prossimo step"
            " 3."
        ),
    ),
    "defs.op.settings": Sentence(
        en="Writes the console's tables that all tablets get. An unchanged table is not written.",
        it=(
            "Scrive le tabelle della console che ricevono tutti i tablet. Una tabella invariata non"
            " è riscritta."
        ),
    ),
    "defs.settings_written": Sentence(
        en="{count} tables, {written} of them written",
        it="{count} tabelle, di cui scritte {written}",
        one_en="{count} table, {written} of them written",
        one_it="{count} tabella, di cui scritte {written}",
    ),
    "defs.job.export": Sentence(
        en=(
            "{title}. From Kimo's tables into the outbox, and from there appended to the ERP's"
            " tables: orders, new and edited customers, visits, payments, as `export: entities:` of"
            " kimo.yaml lists them."
        ),
        it=(
            "{title}. Dalle tabelle di Kimo all'outbox, e da lì in coda alle tabelle dell'Erp:"
            " ordini, clienti nuovi e modificati, visite, pagamenti, come li elenca `export:"
            " entities:` di kimo.yaml."
        ),
    ),
    "defs.op.export": Sentence(
        en=(
            "Sends all records that are ready, entity by entity, in batches. Batches of a run that"
            " was killed are settled first. Records that the ERP cannot take are held back with"
            " their reason."
        ),
        it=(
            "Invia tutti i documenti pronti, entità per entità, a lotti. Prima si chiudono i lotti"
            " di un'esecuzione interrotta. I documenti che l'Erp non può ricevere sono trattenuti"
            " con il motivo."
        ),
    ),
    "defs.nothing_ready": Sentence(en="nothing was ready", it="niente era pronto"),
    "defs.job.import_files": Sentence(
        en=(
            "{title}. The picture files that items, manufacturers, trademarks and promotions name,"
            " from `images: source:` of kimo.yaml into the public folder. A file that cannot be"
            " used does not stop it. It may run beside an import."
        ),
        it=(
            "{title}. I file immagine nominati da articoli, produttori, marchi e promozioni, da"
            " `images: source:` di kimo.yaml alla cartella pubblica. Un file inutilizzabile non lo"
            " ferma. Può girare accanto a un import."
        ),
    ),
    "defs.op.import_files": Sentence(
        en=(
            "Files that are new or changed become public pictures. Pictures that no row names any"
            " more leave after some days."
        ),
        it=(
            "I file nuovi o cambiati diventano immagini pubbliche. Le immagini che nessuna riga"
            " nomina più spariscono dopo alcuni giorni."
        ),
    ),
    "defs.job.download_images": Sentence(
        en=(
            "{title}. The pictures at the addresses of ItemUrl with UrlTypeId 1. An unchanged"
            " picture costs one small answer. A picture that cannot be used does not stop it. It"
            " may run beside an import."
        ),
        it=(
            "{title}. Le immagini agli indirizzi di ItemUrl con UrlTypeId 1. Un'immagine invariata"
            " costa una piccola risposta. Un'immagine inutilizzabile non lo ferma. Può girare"
            " accanto a un import."
        ),
    ),
    "defs.op.download_images": Sentence(
        en=(
            "Asks every picture's server whether it has changed. Changed pictures are fetched,"
            " checked and made public."
        ),
        it=(
            "Chiede al server di ogni immagine se è cambiata. Le immagini cambiate sono scaricate,"
            " controllate e rese pubbliche."
        ),
    ),
    "defs.job.geocode": Sentence(
        en=(
            "{title}. Customers and ship-to sites get coordinates. Each answer is kept at once, so"
            " a run that is stopped goes on where it was. It needs a key of Google's in the"
            " environment, and says so without one."
        ),
        it=(
            "{title}. Clienti e destinazioni ricevono le coordinate. Ogni risposta è conservata"
            " subito, così un'esecuzione fermata riprende da dov'era. Serve una chiave di Google"
            " nell'ambiente, e se manca lo segnala."
        ),
    ),
    "defs.op.geocode": Sentence(
        en=(
            "Asks Google for each distinct address that is new, changed or answered too long ago,"
            " within the day's budget."
        ),
        it=(
            "Chiede a Google ogni indirizzo diverso che è nuovo, cambiato o con una risposta troppo"
            " vecchia, entro il budget del giorno."
        ),
    ),
    "defs.task_problems": Sentence(
        en=("{count} could not be done; all are in the asset's metadata. {subject}: {reason}"),
        it=("{count} non riusciti; tutti sono nei metadati dell'asset. {subject}: {reason}"),
    ),
    "defs.job.cleaning": Sentence(
        en=(
            "{title}. Deletes old records of the past (`retention:` of kimo.yaml): Dagster's runs"
            " with their events, logs and ticks; the ledger's loads, results, answered exports."
            " Records that status, undo, why and the state of partitions need stay, whatever their"
            " age."
        ),
        it=(
            "{title}. Elimina le vecchie registrazioni (`retention:` di kimo.yaml): le esecuzioni"
            " di Dagster con eventi, log e tick; caricamenti, esiti ed export con risposta del"
            " registro. Ciò che serve a status, undo, why e allo stato delle partizioni resta,"
            " qualunque sia l'età."
        ),
    ),
    "defs.op.cleaning": Sentence(
        en=(
            "Deletes what is older than `retention:` of kimo.yaml says, in pieces. What is still"
            " needed stays."
        ),
        it=(
            "Elimina ciò che è più vecchio di quanto indica `retention:` di kimo.yaml, a pezzi. Ciò"
            " che serve ancora resta."
        ),
    ),
    "defs.cleaning.dry_run": Sentence(
        en="Only count what would go.", it="Conta soltanto ciò che verrebbe eliminato."
    ),
    "defs.only_oldest_runs": Sentence(
        en="Only the {count:,} oldest runs: the rest is the next cleaning's",
        it="Solo le {count:,} esecuzioni più vecchie: le altre alla prossima pulizia",
    ),
    "defs.nothing_deleted": Sentence(
        en="Nothing was deleted: these are what would go.",
        it="Non è stato eliminato nulla: questo è ciò che verrebbe eliminato.",
    ),
    "defs.job.morning_report": Sentence(
        en=(
            "{title}. How fresh the data are, what failed or was rejected since the last one, what"
            " waits for the ERP or is stuck, whose tablet is out of date, which pictures and"
            " addresses to correct: by mail."
        ),
        it=(
            "{title}. Quanto sono aggiornati i dati, che cosa non è riuscito o è stato scartato"
            " dall'ultimo rapporto, che cosa attende l'Erp o è fermo, quali tablet non sono"
            " aggiornati, quali immagini e indirizzi correggere: per mail."
        ),
    ),
    "defs.op.morning_report": Sentence(
        en=(
            "Reads what happened since the last report and mails it. A mail that its server does"
            " not take now is kept, and the sensor tell_operators sends it."
        ),
        it=(
            "Legge che cosa è successo dall'ultimo rapporto e lo invia per mail. Una mail che il"
            " server non accetta ora è conservata, e la invia il sensore tell_operators."
        ),
    ),
}

_IN_PROCESS = {
    "defs.run_broke": Sentence(
        en="run {run_id} broke: {error}", it="l'esecuzione {run_id} si è interrotta: {error}"
    ),
    "defs.no_report": Sentence(
        en="run {run_id} ended without a report",
        it="l'esecuzione {run_id} è finita senza un rapporto",
    ),
}

SENTENCES = _RUNS | _QUEUE | _SENSORS | _ASSETS | _JOBS | _IN_PROCESS
