"""Sentences of cli/: what the `kimo` command prints, its tables' titles and heads, its errors.

The help texts of commands and options stay in the code of cli/, in English: they are documentation,
and a test holds them against docs/cli.md.
"""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- errors of every command
    "cli.error": Sentence(
        en="Error: {message}",
        it="Errore: {message}",
    ),
    "cli.postgresql_error": Sentence(
        en="Kimo's PostgreSQL: {reason}",
        it="PostgreSQL di Kimo: {reason}",
    ),
    "cli.file_system_error": Sentence(
        en="the file system: {reason}",
        it="file system: {reason}",
    ),
    # --- words of many commands
    "cli.starting": Sentence(
        en="Starting ...",
        it="Avvio in corso ...",
    ),
    "cli.looking": Sentence(
        en="Looking ...",
        it="Controllo in corso ...",
    ),
    "cli.warning": Sentence(
        en="Warning: {message}",
        it="Attenzione: {message}",
    ),
    "cli.number": Sentence(
        en="{value:,}",
        it="{value:,}",
    ),
    "cli.and_more": Sentence(
        en="{names} and {more:,} more",
        it="{names} e altri {more:,}",
    ),
    "cli.and_more_in_json": Sentence(
        en="... and {more:,} more: --json has all of them.",
        it="... e altri {more:,}: --json li contiene tutti.",
    ),
    "cli.and_more_listed_in_json": Sentence(
        en="and {more:,} more: --json lists all.",
        it="e altri {more:,}: --json li elenca tutti.",
    ),
    "cli.what_next": Sentence(
        en="What next:",
        it="Prossimi passi:",
    ),
    "cli.stopped": Sentence(
        en="Stopped.",
        it="Terminato.",
    ),
    "cli.file_exists": Sentence(
        en="{file} is there already. --force writes over it, --to names another file.",
        it="{file} esiste già. --force lo sovrascrive, --to indica un altro file.",
    ),
    "cli.only_listed_alone": Sentence(
        en="--only-listed goes with --entities.",
        it="--only-listed va usato insieme a --entities.",
    ),
    # --- numbers with their nouns: cli.count.<noun>
    "cli.count.address": Sentence(
        en="{count:,} addresses",
        it="{count:,} indirizzi",
        one_en="{count:,} address",
        one_it="{count:,} indirizzo",
    ),
    "cli.count.agent": Sentence(
        en="{count:,} agents",
        it="{count:,} agenti",
        one_en="{count:,} agent",
        one_it="{count:,} agente",
    ),
    "cli.count.bucket": Sentence(
        en="{count:,} buckets",
        it="{count:,} bucket",
        one_en="{count:,} bucket",
        one_it="{count:,} bucket",
    ),
    "cli.count.call": Sentence(
        en="{count:,} calls",
        it="{count:,} chiamate",
        one_en="{count:,} call",
        one_it="{count:,} chiamata",
    ),
    "cli.count.day": Sentence(
        en="{count:,} days",
        it="{count:,} giorni",
        one_en="{count:,} day",
        one_it="{count:,} giorno",
    ),
    "cli.count.entity": Sentence(
        en="{count:,} entities",
        it="{count:,} entità",
        one_en="{count:,} entity",
        one_it="{count:,} entità",
    ),
    "cli.count.error": Sentence(
        en="{count:,} errors",
        it="{count:,} errori",
        one_en="{count:,} error",
        one_it="{count:,} errore",
    ),
    "cli.count.object": Sentence(
        en="{count:,} objects",
        it="{count:,} oggetti",
        one_en="{count:,} object",
        one_it="{count:,} oggetto",
    ),
    "cli.count.manifest": Sentence(
        en="{count:,} manifests",
        it="{count:,} manifest",
        one_en="{count:,} manifest",
        one_it="{count:,} manifest",
    ),
    "cli.count.part": Sentence(
        en="{count:,} parts",
        it="{count:,} parti",
        one_en="{count:,} part",
        one_it="{count:,} parte",
    ),
    "cli.count.record": Sentence(
        en="{count:,} records",
        it="{count:,} record",
        one_en="{count:,} record",
        one_it="{count:,} record",
    ),
    "cli.count.row": Sentence(
        en="{count:,} rows",
        it="{count:,} righe",
        one_en="{count:,} row",
        one_it="{count:,} riga",
    ),
    "cli.count.section": Sentence(
        en="{count:,} sections",
        it="{count:,} sezioni",
        one_en="{count:,} section",
        one_it="{count:,} sezione",
    ),
    "cli.count.table_or_view": Sentence(
        en="{count:,} tables and views",
        it="{count:,} tabelle e viste",
        one_en="{count:,} table or view",
        one_it="{count:,} tabella o vista",
    ),
    "cli.count.user": Sentence(
        en="{count:,} users",
        it="{count:,} utenti",
        one_en="{count:,} user",
        one_it="{count:,} utente",
    ),
    "cli.count.warning": Sentence(
        en="{count:,} warnings",
        it="{count:,} avvisi",
        one_en="{count:,} warning",
        one_it="{count:,} avviso",
    ),
    "cli.count.time": Sentence(
        en="{count:,} times",
        it="{count:,} volte",
        one_en="{count:,} time",
        one_it="{count:,} volta",
    ),
    # --- heads of tables: cli.column.<column>
    "cli.column.a_day": Sentence(
        en="A day",
        it="Al giorno",
    ),
    "cli.column.agent": Sentence(
        en="Agent",
        it="Agente",
    ),
    "cli.column.agents": Sentence(
        en="Agents",
        it="Agenti",
    ),
    "cli.column.archived": Sentence(
        en="Archived",
        it="Archiviate",
    ),
    "cli.column.bytes": Sentence(
        en="Bytes",
        it="Byte",
    ),
    "cli.column.bytes_written": Sentence(
        en="Written",
        it="Scritti",
    ),
    "cli.column.category": Sentence(
        en="Category",
        it="Categoria",
    ),
    "cli.column.changed": Sentence(
        en="Changed",
        it="Modificate",
    ),
    "cli.column.column": Sentence(
        en="Column",
        it="Colonna",
    ),
    "cli.column.direction": Sentence(
        en="Direction",
        it="Direzione",
    ),
    "cli.column.entities": Sentence(
        en="Entities",
        it="Entità",
    ),
    "cli.column.entity": Sentence(
        en="Entity",
        it="Entità",
    ),
    "cli.column.field": Sentence(
        en="Field",
        it="Campo",
    ),
    "cli.column.fields": Sentence(
        en="Fields",
        it="Campi",
    ),
    "cli.column.file": Sentence(
        en="File",
        it="File",
    ),
    "cli.column.files": Sentence(
        en="Files",
        it="File",
    ),
    "cli.column.first_sync": Sentence(
        en="First sync",
        it="Primo sync",
    ),
    "cli.column.fresh": Sentence(
        en="Fresh",
        it="Aggiornata al",
    ),
    "cli.column.from": Sentence(
        en="From",
        it="Da",
    ),
    "cli.column.gone": Sentence(
        en="Gone",
        it="Non più presenti",
    ),
    "cli.column.heaviest": Sentence(
        en="Weighs most",
        it="La più pesante",
    ),
    "cli.column.held": Sentence(
        en="Held",
        it="Trattenute",
    ),
    "cli.column.how": Sentence(
        en="How",
        it="Come",
    ),
    "cli.column.id": Sentence(
        en="Id",
        it="Id",
    ),
    "cli.column.in_flight": Sentence(
        en="In flight",
        it="In corso",
    ),
    "cli.column.inserted": Sentence(
        en="New",
        it="Nuove",
    ),
    "cli.column.load": Sentence(
        en="Load",
        it="Caricamento",
    ),
    "cli.column.mapped_from": Sentence(
        en="Mapped from",
        it="Mappata da",
    ),
    "cli.column.notes": Sentence(
        en="Notes",
        it="Note",
    ),
    "cli.column.now_good": Sentence(
        en="Now good",
        it="Ora valide",
    ),
    "cli.column.objects": Sentence(
        en="Objects",
        it="Oggetti",
    ),
    "cli.column.objects_written": Sentence(
        en="Objects",
        it="Oggetti",
    ),
    "cli.column.of": Sentence(
        en="Of",
        it="Di",
    ),
    "cli.column.part_of": Sentence(
        en="Part of",
        it="Parte di",
    ),
    "cli.column.point": Sentence(
        en="Point",
        it="Punto",
    ),
    "cli.column.points_to": Sentence(
        en="Points to",
        it="Riferimento a",
    ),
    "cli.column.province": Sentence(
        en="Province",
        it="Provincia",
    ),
    "cli.column.put": Sentence(
        en="Put",
        it="Inserite o modificate",
    ),
    "cli.column.read": Sentence(
        en="Read",
        it="Lette",
    ),
    "cli.column.ready": Sentence(
        en="Ready",
        it="Pronti",
    ),
    "cli.column.recovered": Sentence(
        en="Recovered",
        it="Recuperati",
    ),
    "cli.column.refused": Sentence(
        en="Rejected",
        it="Scartate",
    ),
    "cli.column.refused_by_erp": Sentence(
        en="Refused",
        it="Rifiutati",
    ),
    "cli.column.rejected": Sentence(
        en="Rejected",
        it="Scartate",
    ),
    "cli.column.removed": Sentence(
        en="Removed",
        it="Rimosse",
    ),
    "cli.column.retried": Sentence(
        en="Retried",
        it="Riprovate",
    ),
    "cli.column.rows": Sentence(
        en="Rows",
        it="Righe",
    ),
    "cli.column.seconds": Sentence(
        en="Seconds",
        it="Secondi",
    ),
    "cli.column.section": Sentence(
        en="Section",
        it="Sezione",
    ),
    "cli.column.semaphore": Sentence(
        en="Semaphore",
        it="Semaforo",
    ),
    "cli.column.sent": Sentence(
        en="Sent",
        it="Inviati",
    ),
    "cli.column.share": Sentence(
        en="Share",
        it="Quota",
    ),
    "cli.column.since": Sentence(
        en="Since",
        it="Dal",
    ),
    "cli.column.source": Sentence(
        en="Source",
        it="Sorgente",
    ),
    "cli.column.staged": Sentence(
        en="Staged",
        it="In staging",
    ),
    "cli.column.started": Sentence(
        en="Started",
        it="Iniziato",
    ),
    "cli.column.state": Sentence(
        en="State",
        it="Stato",
    ),
    "cli.column.status": Sentence(
        en="Status",
        it="Stato",
    ),
    "cli.column.step": Sentence(
        en="Step",
        it="Step",
    ),
    "cli.column.step_1": Sentence(
        en="Step 1",
        it="Step 1",
    ),
    "cli.column.step_2": Sentence(
        en="Step 2",
        it="Step 2",
    ),
    "cli.column.step_3": Sentence(
        en="Step 3",
        it="Step 3",
    ),
    "cli.column.still_rejected": Sentence(
        en="Still rejected",
        it="Ancora scartate",
    ),
    "cli.column.stuck": Sentence(
        en="Overdue",
        it="In ritardo",
    ),
    "cli.column.type": Sentence(
        en="Type",
        it="Tipo",
    ),
    "cli.column.unacknowledged": Sentence(
        en="Unacknowledged",
        it="Non confermati",
    ),
    "cli.column.unchanged": Sentence(
        en="Unchanged",
        it="Invariate",
    ),
    "cli.column.updated": Sentence(
        en="Changed",
        it="Modificate",
    ),
    "cli.column.user": Sentence(
        en="User",
        it="Utente",
    ),
    "cli.column.values": Sentence(
        en="Values",
        it="Valori",
    ),
    "cli.column.waiting": Sentence(
        en="Waiting",
        it="In attesa",
    ),
    "cli.column.what": Sentence(
        en="What",
        it="Che cosa",
    ),
    "cli.column.where": Sentence(
        en="Where",
        it="Dove",
    ),
    "cli.column.whole": Sentence(
        en="Whole",
        it="Integro",
    ),
    "cli.column.whose": Sentence(
        en="Whose",
        it="Di chi",
    ),
    "cli.column.why": Sentence(
        en="Why",
        it="Motivo",
    ),
    "cli.column.without_key": Sentence(
        en="Without a key",
        it="Senza chiave",
    ),
    "cli.column.work": Sentence(
        en="Work",
        it="Lavoro",
    ),
    # --- heads of the table of provinces: cli.column.geocode.<figure>
    "cli.column.geocode.accounts": Sentence(
        en="Accounts",
        it="Clienti",
    ),
    "cli.column.geocode.found": Sentence(
        en="Found",
        it="Trovati",
    ),
    "cli.column.geocode.coarse": Sentence(
        en="Coarse",
        it="Approssimativi",
    ),
    "cli.column.geocode.partial": Sentence(
        en="Partial",
        it="Parziali",
    ),
    "cli.column.geocode.zero": Sentence(
        en="Nothing found",
        it="Non trovati",
    ),
    "cli.column.geocode.not_askable": Sentence(
        en="Not askable",
        it="Non richiedibili",
    ),
    "cli.column.geocode.waiting": Sentence(
        en="Waiting",
        it="In attesa",
    ),
    "cli.column.geocode.by_person": Sentence(
        en="By person",
        it="A mano",
    ),
    # --- kimo agent
    "cli.agent_named": Sentence(
        en="Agent {agent}",
        it="Agente {agent}",
    ),
    "cli.agent_and_user": Sentence(
        en="Agent {agent}, user {user}",
        it="Agente {agent}, utente {user}",
    ),
    "cli.agent.synced": Sentence(
        en="{whose}, load {load}: {entities} ({changed:,} changed), {rows} in {file}",
        it=("{whose}, caricamento {load}: {entities} ({changed:,} modificate), {rows} in {file}"),
    ),
    "cli.agent.downloaded": Sentence(
        en="Downloaded {objects}, {size}: {rows} put, {removed:,} removed.",
        it="Scaricati {objects}, {size}: {rows} inserite o modificate, {removed:,} rimosse.",
    ),
    "cli.agent.downloading": Sentence(
        en="Downloading",
        it="Download",
    ),
    "cli.agent.writing": Sentence(
        en="Writing",
        it="Scrittura",
    ),
    # --- kimo check
    "cli.check.looking_at": Sentence(
        en="Looking at {entity} ({nth:,} of {total:,}) ...",
        it="Controllo di {entity} ({nth:,} di {total:,}) ...",
    ),
    "cli.check.more": Sentence(
        en="{subject}: {more:,} more: {command}",
        it="{subject}: altri {more:,}: {command}",
    ),
    "cli.check.ready": Sentence(
        en="{errors}, {warnings}: ready to import.",
        it="{errors}, {warnings}: pronto per l'importazione.",
    ),
    "cli.check.not_ready": Sentence(
        en="{errors}, {warnings}: not ready to import.",
        it="{errors}, {warnings}: non pronto per l'importazione.",
    ),
    "cli.check.derived_id": Sentence(
        en="Id derived from {columns}",
        it="Id ricavato da {columns}",
    ),
    "cli.check.unused": Sentence(
        en="not taken: {columns}",
        it="non usate: {columns}",
    ),
    "cli.check.wider": Sentence(
        en="wider than the field: {columns}",
        it="più larghe del campo: {columns}",
    ),
    # --- kimo demo
    "cli.demo.made": Sentence(
        en="The agents have made {records}. To send what is ready: {command}",
        it="Gli agenti hanno creato {records}. Per inviare ciò che è pronto: {command}",
    ),
    "cli.demo.taken": Sentence(
        en="The ERP has taken over {records}. For its answers: {command}",
        it="L'ERP ha preso in carico {records}. Per le sue risposte: {command}",
    ),
    "cli.demo.nothing": Sentence(
        en="nothing",
        it="nulla",
    ),
    "cli.demo.settings": Sentence(
        en="{file}: {sections} of settings",
        it="{file}: {sections} di impostazioni",
    ),
    "cli.demo.making": Sentence(
        en="Making a {scale} company",
        it="Creazione dell'azienda {scale}",
    ),
    "cli.demo.making_in": Sentence(
        en="Making a {scale} company in {folder} ...",
        it="Creazione dell'azienda {scale} in {folder} ...",
    ),
    "cli.demo.or_make_dev": Sentence(
        en="{command} (or: make dev)",
        it="{command} (oppure: make dev)",
    ),
    "cli.demo.done": Sentence(
        en="{folder} holds the company. {agents} can sync. What next:",
        it="{folder} contiene l'azienda. {agents} con i dati per il sync. Prossimi passi:",
    ),
    "cli.demo.next.dev": Sentence(
        en="the UI, at http://127.0.0.1:3000",
        it="la UI, su http://127.0.0.1:3000",
    ),
    "cli.demo.next.rejected": Sentence(
        en="the rejected rows, and why",
        it="le righe scartate, con i motivi",
    ),
    "cli.demo.next.images": Sentence(
        en="its pictures, made small (some are wrong on purpose)",
        it="le sue immagini, rimpicciolite (alcune sono sbagliate apposta)",
    ),
    "cli.demo.next.status": Sentence(
        en="what Kimo holds, and how fresh it is",
        it="che cosa contiene Kimo, e a quando risale",
    ),
    "cli.demo.next.users": Sentence(
        en="the users (settings.yaml is the file they came from)",
        it="gli utenti (settings.yaml è il file da cui provengono)",
    ),
    "cli.demo.next.agent": Sentence(
        en="what agent {agent} has on the tablet",
        it="che cosa ha sul tablet l'agente {agent}",
    ),
    # --- kimo dev
    "cli.dev.starting": Sentence(
        en="Starting ... Ctrl-C ends it.",
        it="Avvio in corso ... Ctrl-C termina.",
    ),
    "cli.dev.open_to_others": Sentence(
        en="Warning: everybody who reaches {url} can start imports. It asks for no password.",
        it=(
            "Attenzione: chiunque raggiunga {url} può avviare importazioni. Non chiede alcuna"
            " password."
        ),
    ),
    "cli.dev.api_port_taken": Sentence(
        en="Port {port} is taken, so the web API is not started. Choose another: --api-port",
        it=(
            "La porta {port} è occupata, perciò la web API non si avvia. Sceglierne un'altra:"
            " --api-port"
        ),
    ),
    "cli.dev.ui": Sentence(
        en="The UI is at {url}",
        it="La UI è su {url}",
    ),
    "cli.dev.read_only_ui": Sentence(
        en="The UI for viewers is at {url}",
        it="La UI di sola lettura è su {url}",
    ),
    "cli.web_api": Sentence(
        en="The web API is at {url}/server/Integration",
        it="La web API è su {url}/server/Integration",
    ),
    "cli.dev.child_ended": Sentence(
        en=(
            "the {name} ended by itself with exit code {exit_code}, and the rest was stopped. Its"
            " last lines:"
        ),
        it=(
            "il processo {name} è terminato da solo con codice di uscita {exit_code}, e gli altri"
            " sono stati fermati. Le sue ultime righe:"
        ),
    ),
    "cli.dev.child_ended_with": Sentence(
        en="{name} ended: {lines}",
        it="{name} è terminato: {lines}",
    ),
    # --- kimo entities
    "cli.entities.name_and_linked": Sentence(
        en="Give NAME or --linked, not both.",
        it="Indicare NAME oppure --linked, non entrambi.",
    ),
    "cli.entities.a_query": Sentence(
        en="a query",
        it="una query",
    ),
    "cli.entities.no_config": Sentence(
        en="There is no kimo.yaml here.",
        it="Qui non c'è alcun kimo.yaml.",
    ),
    "cli.entities.mapped_in": Sentence(
        en="{mapped:,} are mapped in {file}.",
        it="{mapped:,} sono mappate in {file}.",
    ),
    "cli.entities.total": Sentence(
        en="{entities} and {derived:,} that Kimo makes. {mapped}",
        it="{entities} e {derived:,} create da Kimo. {mapped}",
    ),
    "cli.entities.direction.import": Sentence(
        en="import",
        it="importazione",
    ),
    "cli.entities.direction.import+export": Sentence(
        en="import, export",
        it="importazione, esportazione",
    ),
    "cli.entities.direction.export": Sentence(
        en="export",
        it="esportazione",
    ),
    "cli.entities.direction.made": Sentence(
        en="made by Kimo",
        it="creata da Kimo",
    ),
    "cli.entities.label.category": Sentence(
        en="Category",
        it="Categoria",
    ),
    "cli.entities.label.direction": Sentence(
        en="Direction",
        it="Direzione",
    ),
    "cli.entities.label.mapped_from": Sentence(
        en="Mapped from",
        it="Mappata da",
    ),
    "cli.entities.label.part_of": Sentence(
        en="Part of",
        it="Parte di",
    ),
    "cli.entities.label.key": Sentence(
        en="Key",
        it="Chiave",
    ),
    "cli.entities.label.without_id": Sentence(
        en="Without Id",
        it="Senza Id",
    ),
    "cli.entities.label.seen_by": Sentence(
        en="Seen by",
        it="Visibile a",
    ),
    "cli.entities.owner": Sentence(
        en="{owner} (by {field})",
        it="{owner} (tramite {field})",
    ),
    "cli.entities.derived_from": Sentence(
        en="derived from {columns}",
        it="ricavato da {columns}",
    ),
    "cli.entities.mapping_unknown": Sentence(
        en="unknown: there is no kimo.yaml here",
        it="non si sa: qui non c'è alcun kimo.yaml",
    ),
    "cli.entities.not_mapped": Sentence(
        en="not mapped",
        it="non mappata",
    ),
    "cli.entities.run_takes": Sentence(
        en=("A run of {names} takes {entities}. With --only-listed it takes just the named ones."),
        it=(
            "Un'esecuzione di {names} comprende {entities}. Con --only-listed comprende solo"
            " quelle indicate."
        ),
    ),
    "cli.entities.named": Sentence(
        en="named",
        it="indicata",
    ),
    "cli.entities.part_of": Sentence(
        en="part of {owner}",
        it="parte di {owner}",
    ),
    "cli.entities.pointed_to": Sentence(
        en="{names} point to it",
        it="vi fanno riferimento {names}",
        one_en="{names} points to it",
        one_it="vi fa riferimento {names}",
    ),
    "cli.entities.left_out": Sentence(
        en="{reason} (not mapped, left out)",
        it="{reason} (non mappata, esclusa)",
    ),
    # --- kimo export
    "cli.export.sent": Sentence(
        en="{records} sent in {seconds:.1f} s.",
        it="{records} inviati in {seconds:.1f} s.",
    ),
    "cli.export.held_title": Sentence(
        en="Held back, or waiting",
        it="Trattenuti o in attesa",
    ),
    "cli.export.status_title": Sentence(
        en="Waiting for the ERP",
        it="In attesa dell'ERP",
    ),
    "cli.export.in_doubt": Sentence(
        en=(
            "Batch {batch} ({entity}, {records}, {began}): it is not known whether it has arrived."
            " Look in the ERP, then: {command} (or --again)."
        ),
        it=(
            "Lotto {batch} ({entity}, {records}, {began}): non si sa se è arrivato. Controllare"
            " nell'ERP, poi: {command} (oppure --again)."
        ),
    ),
    "cli.export.no_such_record": Sentence(
        en="there is no record with the SyncReference or Id '{reference}'.",
        it="non esiste alcun record con SyncReference o Id '{reference}'.",
    ),
    "cli.export.record": Sentence(
        en="{entity} {id}, SyncReference {sync_reference}",
        it="{entity} {id}, SyncReference {sync_reference}",
    ),
    "cli.export.archived_record": Sentence(
        en="{entity} {id}, SyncReference {sync_reference}, archived",
        it="{entity} {id}, SyncReference {sync_reference}, archiviato",
    ),
    "cli.export.uploaded": Sentence(
        en="uploaded to Kimo's server",
        it="caricato sul server di Kimo",
    ),
    "cli.export.taken": Sentence(
        en="taken into batch {batch} (load {load}) with {parts}: {tables}",
        it="incluso nel lotto {batch} (caricamento {load}) con {parts}: {tables}",
    ),
    "cli.export.arrived": Sentence(
        en="at the ERP (source '{source}')",
        it="nell'ERP (sorgente '{source}')",
    ),
    "cli.export.accepted": Sentence(
        en="answered: the ERP knows it as {id}",
        it="risposta: nell'ERP ha l'Id {id}",
    ),
    "cli.export.refused": Sentence(
        en="answered: refused: {reason}",
        it="risposta: rifiutato: {reason}",
    ),
    "cli.export.held_back": Sentence(
        en="held back: {reason}",
        it="trattenuto: {reason}",
    ),
    "cli.export.now": Sentence(
        en="now: EntityStatus {status}",
        it="ora: EntityStatus {status}",
    ),
    "cli.export.now_gone": Sentence(
        en="now: it is not in Kimo any more",
        it="ora: non è più in Kimo",
    ),
    "cli.export.which_way": Sentence(
        en="Say --arrived or --again: look in the ERP for one of the batch's SyncReferences.",
        it=(
            "Indicare --arrived oppure --again: cercare nell'ERP una delle SyncReference del lotto."
        ),
    ),
    "cli.export.settled_as_arrived": Sentence(
        en="Batch {batch}: {count:,} records are taken for sent.",
        it="Lotto {batch}: {count:,} record considerati inviati.",
        one_en="Batch {batch}: {count:,} record is taken for sent.",
        one_it="Lotto {batch}: {count:,} record considerato inviato.",
    ),
    "cli.export.settled_as_not_arrived": Sentence(
        en="Batch {batch}: {count:,} records will be sent again with the next export.",
        it=(
            "Lotto {batch}: {count:,} record saranno inviati di nuovo con la prossima esportazione."
        ),
        one_en="Batch {batch}: {count:,} record will be sent again with the next export.",
        one_it=(
            "Lotto {batch}: {count:,} record sarà inviato di nuovo con la prossima esportazione."
        ),
    ),
    # --- kimo geocode
    "cli.geocode.choose_one": Sentence(
        en="Choose one of --preview, --list and --plot.",
        it="Scegliere una sola opzione tra --preview, --list e --plot.",
    ),
    "cli.geocode.nothing_to_ask": Sentence(
        en="Nothing to ask: every address has an answer that may still be kept.",
        it="Nulla da chiedere: ogni indirizzo ha una risposta che si può ancora conservare.",
    ),
    "cli.geocode.calls": Sentence(
        en=(
            "A run would make {calls} ({new:,} new or changed, {expiring:,} answered too long"
            " ago), for {cost:,.2f} at {price:g} per 1,000 calls, before what Google grants free"
            " of charge. Calls that are repeated after an error come on top."
        ),
        it=(
            "Un'esecuzione farebbe {calls} ({new:,} per indirizzi nuovi o modificati, {expiring:,}"
            " per risposte troppo vecchie), per un costo di {cost:,.2f} a {price:g} ogni 1.000"
            " chiamate, prima della quota gratuita di Google. Le chiamate ripetute dopo un errore"
            " si aggiungono."
        ),
    ),
    "cli.geocode.budget": Sentence(
        en=(
            "{fits:,} of them fit today's budget (daily_budget: {left} left). All of them take"
            " {days}."
        ),
        it=(
            "Oggi ne rientrano {fits:,} nel limite giornaliero (daily_budget: restano {left}). Per"
            " tutte servono {days}."
        ),
    ),
    "cli.geocode.by_province": Sentence(
        en="Customers and ship-to sites by province",
        it="Clienti e destinazioni per provincia",
    ),
    "cli.geocode.unknown_province": Sentence(
        en="unknown",
        it="sconosciuta",
    ),
    "cli.geocode.nothing_to_correct": Sentence(
        en="No address to correct.",
        it="Nessun indirizzo da correggere.",
    ),
    "cli.geocode.to_correct": Sentence(
        en="{addresses} to correct",
        it="{addresses} da correggere",
    ),
    "cli.geocode.plot_not_written": Sentence(
        en=("--plot: {file} cannot be written ({reason}): name a file in a folder that is there."),
        it=(
            "--plot: non è possibile scrivere {file} ({reason}): indicare un file in una cartella"
            " esistente."
        ),
    ),
    "cli.geocode.plotted": Sentence(
        en="{count:,} positions drawn in {file}.",
        it="{count:,} posizioni disegnate in {file}.",
        one_en="{count:,} position drawn in {file}.",
        one_it="{count:,} posizione disegnata in {file}.",
    ),
    # --- kimo images audit: the kinds of flaws are cli.images.flaw.<kind>
    "cli.images.flaw.missing": Sentence(
        en="There is no such file",
        it="Il file non esiste",
    ),
    "cli.images.flaw.refused": Sentence(
        en="No name of a file in the folder",
        it="Non è il nome di un file della cartella",
    ),
    "cli.images.flaw.failed": Sentence(
        en="Could not be read",
        it="Non è stato possibile leggerlo",
    ),
    "cli.images.flaw.ambiguous": Sentence(
        en="Several files fit the name",
        it="Più file corrispondono al nome",
    ),
    "cli.images.flaw.misnamed": Sentence(
        en="Of another type than the name says",
        it="Di un tipo diverso da quello indicato dal nome",
    ),
    "cli.images.flaw.small": Sentence(
        en="Too small",
        it="Troppo piccola",
    ),
    "cli.images.duplicates": Sentence(
        en="The same picture twice",
        it="La stessa immagine due volte",
    ),
    "cli.images.unnamed": Sentence(
        en="Files that no row names",
        it="File che nessuna riga indica",
    ),
    "cli.images.sheet_written": Sentence(
        en="Contact sheet written to {file}.",
        it="Foglio delle miniature scritto in {file}.",
    ),
    "cli.images.waiting": Sentence(
        en="{count:,} files not imported yet: {command}.",
        it="{count:,} file non ancora importati: {command}.",
        one_en="{count:,} file not imported yet: {command}.",
        one_it="{count:,} file non ancora importato: {command}.",
    ),
    "cli.images.total": Sentence(
        en="{count:,} pictures named by rows, something wrong with {wrong:,}.",
        it="{count:,} immagini indicate dalle righe, {wrong:,} con qualche difetto.",
        one_en="{count:,} picture named by rows, something wrong with {wrong:,}.",
        one_it="{count:,} immagine indicata dalle righe, {wrong:,} con qualche difetto.",
    ),
    # --- kimo import
    "cli.no_names": Sentence(
        en="{option} names no entity. `kimo entities` lists them.",
        it="{option} non indica alcuna entità. `kimo entities` le elenca.",
    ),
    "cli.import.plan_alone": Sentence(
        en=("--plan says what to import. --step, --entities and --allow-shrink do not go with it."),
        it=(
            "--plan dice che cosa importare: --step, --entities e --allow-shrink non vanno insieme."
        ),
    ),
    "cli.import.stopped": Sentence(
        en="it was stopped. What was finished before is kept. Start it again.",
        it=("l'esecuzione è stata fermata: ciò che era concluso è conservato. Avviarla di nuovo."),
    ),
    # --- kimo init and kimo mapping pull
    "cli.init.counting": Sentence(
        en="Counting {table} ...",
        it="Conteggio di {table} ...",
    ),
    "cli.init.reading": Sentence(
        en="Reading ...",
        it="Lettura in corso ...",
    ),
    "cli.init.mapped": Sentence(
        en="{file}: {entities} mapped, from {tables}.",
        it="{file}: {entities} mappate, da {tables}.",
    ),
    "cli.init.mapped_of_schema": Sentence(
        en="{file}: {entities} mapped, from {tables} of schema {schema}.",
        it="{file}: {entities} mappate, da {tables} dello schema {schema}.",
    ),
    "cli.init.dangling": Sentence(
        en=("Not there, though keys point to it. Rows whose key has a value will point nowhere:"),
        it=(
            "Non esistono, anche se delle chiavi vi fanno riferimento. Le righe con un valore in"
            " quelle chiavi avranno riferimenti che non portano a nulla:"
        ),
    ),
    "cli.init.pointed_to": Sentence(
        en="{entity} (by {fields})",
        it="{entity} (da {fields})",
    ),
    "cli.init.left_out": Sentence(
        en="Left out, as comments in the file:",
        it="Escluse, come commenti nel file:",
    ),
    "cli.init.more_in_file": Sentence(
        en="and {more:,} more. The file lists them.",
        it="e altre {more:,}. Il file le elenca.",
    ),
    "cli.init.set_variable": Sentence(
        en=(
            "Set {variable} first: the file names it in place of the password, written as the"
            " password was in the URL."
        ),
        it=(
            "Impostare prima {variable}: il file la indica al posto della password, scritta come"
            " lo era nell'URL."
        ),
    ),
    "cli.init.next.check": Sentence(
        en="compare the mapping with the live source",
        it="confronta la mappatura con la sorgente reale",
    ),
    "cli.init.next.plan": Sentence(
        en="see what an import would change, without changing anything",
        it="mostra che cosa cambierebbe un'importazione, senza cambiare nulla",
    ),
    "cli.init.next.import": Sentence(
        en="import",
        it="importa",
    ),
    "cli.init.pulled": Sentence(
        en="{file}: {entities} mapped.",
        it="{file}: {entities} mappate.",
    ),
    "cli.init.pulled_both_ways": Sentence(
        en="{file}: {entities} mapped, {exported:,} exported.",
        it="{file}: {entities} mappate, {exported:,} esportate.",
    ),
    "cli.init.kept_as_comments": Sentence(
        en="Kept as comments, without effect here: {counts}.",
        it="Conservati come commenti, senza effetto qui: {counts}.",
    ),
    "cli.init.how_to_take": Sentence(
        en="kimo.yaml takes it with the line  mapping: {file}  in the place of `entities`.",
        it="kimo.yaml lo usa con la riga  mapping: {file}  al posto di `entities`.",
    ),
    "cli.init.and_under_source": Sentence(
        en="... and under sources.{system}:  {line}",
        it="... e sotto sources.{system}:  {line}",
    ),
    # --- kimo plan
    "cli.plan.no_folder": Sentence(
        en="--save: there is no folder {folder}",
        it="--save: la cartella {folder} non esiste",
    ),
    "cli.plan.reading": Sentence(
        en="Reading {entity} ...",
        it="Lettura di {entity} ...",
    ),
    "cli.plan.rows_read": Sentence(
        en="Reading {entity}: {rows:,} rows ...",
        it="Lettura di {entity}: {rows:,} righe ...",
    ),
    "cli.plan.comparing": Sentence(
        en="Comparing {entity} ...",
        it="Confronto di {entity} ...",
    ),
    "cli.plan.reading_and_comparing": Sentence(
        en="Reading the ERP and comparing ...",
        it="Lettura dell'ERP e confronto in corso ...",
    ),
    "cli.plan.title": Sentence(
        en="Plan",
        it="Piano",
    ),
    "cli.plan.more_entities": Sentence(
        en="... and {count:,} more entities: --json shows them.",
        it="... e altre {count:,} entità: --json le mostra.",
        one_en="... and {count:,} more entity: --json shows it.",
        one_it="... e un'altra entità ({count:,}): --json la mostra.",
    ),
    "cli.plan.cannot_be_read": Sentence(
        en="Cannot be read: {entities}: {reason}",
        it="Non è possibile leggere: {entities}: {reason}",
    ),
    "cli.plan.guard": Sentence(
        en="A guard would stop {entity}: {reason}",
        it="Una protezione fermerebbe {entity}: {reason}",
    ),
    "cli.plan.without_changes": Sentence(
        en="{count:,} entities without changes",
        it="{count:,} entità senza modifiche",
        one_en="{count:,} entity without changes",
        one_it="{count:,} entità senza modifiche",
    ),
    "cli.plan.changed_fields": Sentence(
        en="fields that change: {fields}",
        it="campi che cambiano: {fields}",
    ),
    "cli.plan.returns": Sentence(
        en="comes back",
        it="ritorna",
    ),
    "cli.plan.pending_edits": Sentence(
        en="Kimo has pending edits: not overwritten",
        it="Kimo ha modifiche non ancora inviate: non viene sovrascritta",
    ),
    "cli.plan.more_fields": Sentence(
        en="and {count:,} more fields",
        it="e altri {count:,} campi",
        one_en="and {count:,} more field",
        one_it="e un altro campo ({count:,})",
    ),
    "cli.plan.no_value": Sentence(
        en="no value",
        it="nessun valore",
    ),
    "cli.plan.counts": Sentence(
        en="{inserted:,} new, {updated:,} changed, {archived:,} archived",
        it="{inserted:,} nuove, {updated:,} modificate, {archived:,} archiviate",
    ),
    "cli.plan.nothing_to_do": Sentence(
        en="nothing to do",
        it="nulla da fare",
    ),
    "cli.plan.end": Sentence(
        en="{counts}, found out in {seconds:.1f} s. Kimo's data are as they were.",
        it="{counts}, in {seconds:.1f} s. I dati di Kimo sono rimasti com'erano.",
    ),
    "cli.plan.kept": Sentence(
        en="The plan is kept in {file}: {command} applies exactly this.",
        it="Il piano è conservato in {file}: {command} applica esattamente questo.",
    ),
    "cli.plan.lift_guards": Sentence(
        en="If it is right so: {save}, then {apply} lifts the guards for it.",
        it="Se è giusto così: {save}, poi {apply} lo applica senza le protezioni.",
    ),
    "cli.plan.do_it": Sentence(
        en="{command} does it.",
        it="{command} lo esegue.",
    ),
    # --- ports of kimo dev and kimo serve
    "cli.port_taken": Sentence(
        en=(
            "Port {port} on {host} cannot be used: {reason}. Perhaps another `{command}` is"
            " running. Stop the program that has it, or choose another port: {choice}"
        ),
        it=(
            "La porta {port} su {host} non è utilizzabile: {reason}. Forse è in esecuzione un"
            " altro `{command}`. Fermare il programma che la occupa, oppure scegliere un'altra"
            " porta: {choice}"
        ),
    ),
    # --- progress
    "cli.progress.done_of": Sentence(
        en="{done} of {total}",
        it="{done} di {total}",
    ),
    "cli.progress.rows": Sentence(
        en="{rows:,} rows, {rate:,.0f} rows/s",
        it="{rows:,} righe, {rate:,.0f} righe/s",
    ),
    "cli.progress.same_reason": Sentence(
        en="for the same reason",
        it="per lo stesso motivo",
    ),
    "cli.progress.failed": Sentence(
        en="Step {step}: {entity} failed: {reason}",
        it="Step {step}: {entity} non riuscita: {reason}",
    ),
    "cli.progress.manifests": Sentence(
        en="Manifests",
        it="Manifest",
    ),
    # --- figures of an entity in a line of progress: cli.figure.<figure>
    "cli.figure.retried": Sentence(
        en="{count:,} retried",
        it="{count:,} riprovate",
    ),
    "cli.figure.good": Sentence(
        en="{count:,} now good",
        it="{count:,} ora valide",
    ),
    "cli.figure.still_refused": Sentence(
        en="{count:,} still rejected",
        it="{count:,} ancora scartate",
    ),
    "cli.figure.gone": Sentence(
        en="{count:,} gone",
        it="{count:,} non più presenti",
    ),
    "cli.figure.without_key": Sentence(
        en="{count:,} without a key",
        it="{count:,} senza chiave",
    ),
    "cli.figure.read": Sentence(
        en="{count:,} read",
        it="{count:,} lette",
    ),
    "cli.figure.rejected": Sentence(
        en="{count:,} rejected",
        it="{count:,} scartate",
    ),
    "cli.figure.inserted": Sentence(
        en="{count:,} inserted",
        it="{count:,} inserite",
    ),
    "cli.figure.updated": Sentence(
        en="{count:,} updated",
        it="{count:,} modificate",
    ),
    "cli.figure.archived": Sentence(
        en="{count:,} archived",
        it="{count:,} archiviate",
    ),
    "cli.figure.unchanged": Sentence(
        en="{count:,} unchanged",
        it="{count:,} invariate",
    ),
    "cli.figure.held": Sentence(
        en="{count:,} held",
        it="{count:,} trattenute",
    ),
    "cli.figure.refused": Sentence(
        en="{count:,} rejected",
        it="{count:,} scartate",
    ),
    "cli.figure.dangling": Sentence(
        en="{count:,} dangling",
        it="{count:,} riferimenti a vuoto",
    ),
    "cli.figure.rows": Sentence(
        en="{count:,} rows",
        it="{count:,} righe",
    ),
    "cli.figure.objects_written": Sentence(
        en="{count:,} objects written",
        it="{count:,} oggetti scritti",
    ),
    # --- kimo rejected and kimo retry
    "cli.rejected.written": Sentence(
        en="{count:,} rows written to {file}.",
        it="{count:,} righe scritte in {file}.",
        one_en="{count:,} row written to {file}.",
        one_it="{count:,} riga scritta in {file}.",
    ),
    "cli.rejected.excel_shows": Sentence(
        en="Excel shows the first {lines:,}.",
        it="Excel mostra le prime {lines:,}.",
    ),
    "cli.rejected.how_to_see": Sentence(
        en="{rows}. {command} shows an entity's rows.",
        it="{rows}. {command} mostra le righe di un'entità.",
    ),
    "cli.rejected.no_row": Sentence(
        en="No row is rejected.",
        it="Nessuna riga è scartata.",
    ),
    "cli.rejected.no_row_of": Sentence(
        en="No row of {entity} is rejected.",
        it="Nessuna riga di {entity} è scartata.",
    ),
    "cli.rejected.no_new_row": Sentence(
        en="No row is rejected that was not rejected in the load before.",
        it="Nessuna riga è scartata che non lo fosse già nel caricamento precedente.",
    ),
    "cli.rejected.no_new_row_of": Sentence(
        en="No row of {entity} is rejected that was not rejected in the load before.",
        it=("Nessuna riga di {entity} è scartata che non lo fosse già nel caricamento precedente."),
    ),
    "cli.rejected.new_beside": Sentence(
        en="{new:,} new, {since}",
        it="{new:,} nuove, {since}",
    ),
    "cli.rejected.since": Sentence(
        en="since {since}",
        it="dal {since}",
    ),
    "cli.rejected.step": Sentence(
        en="step {step}",
        it="step {step}",
    ),
    "cli.rejected.csv_has_all": Sentence(
        en="{more:,} more: {command} writes all.",
        it="Altre {more:,}: {command} le scrive tutte.",
    ),
    "cli.rejected.nothing_to_retry": Sentence(
        en="No row is rejected: there is nothing to retry.",
        it="Nessuna riga è scartata: non c'è nulla da riprovare.",
    ),
    "cli.rejected.nothing_to_retry_of": Sentence(
        en="No row of {entity} is rejected: there is nothing to retry.",
        it="Nessuna riga di {entity} è scartata: non c'è nulla da riprovare.",
    ),
    "cli.rejected.no_key": Sentence(
        en=("Rows without a key cannot be looked up in the ERP: the next import reads them again."),
        it=(
            "Le righe senza chiave non si possono cercare nell'ERP: la prossima importazione le"
            " rilegge."
        ),
    ),
    "cli.rejected.retry_title": Sentence(
        en="Rejected rows, tried again",
        it="Righe scartate, riprovate",
    ),
    "cli.rejected.rows": Sentence(
        en="{count:,} rows rejected",
        it="{count:,} righe scartate",
        one_en="{count:,} row rejected",
        one_it="{count:,} riga scartata",
    ),
    "cli.rejected.rows_all_new": Sentence(
        en="{count:,} rows rejected, all of them new",
        it="{count:,} righe scartate, tutte nuove",
        one_en="{count:,} row rejected, a new one",
        one_it="{count:,} riga scartata, nuova",
    ),
    "cli.rejected.rows_some_new": Sentence(
        en="{count:,} rows rejected, {new:,} of them new",
        it="{count:,} righe scartate, di cui {new:,} nuove",
    ),
    # --- kimo report
    "cli.report.written": Sentence(
        en="Written to {file}.",
        it="Scritto in {file}.",
    ),
    # --- kimo selftest
    "cli.yes": Sentence(
        en="yes",
        it="sì",
    ),
    "cli.no": Sentence(
        en="no",
        it="no",
    ),
    "cli.selftest.which": Sentence(
        en="Say what is to be tested: --crash.",
        it="Indicare che cosa provare: --crash.",
    ),
    "cli.selftest.title": Sentence(
        en="Killed",
        it="Interruzioni",
    ),
    "cli.selftest.broken": Sentence(
        en=(
            "Killed {times} in {seconds:.0f} s: {count:,} times something was not whole. Report"
            " this with the table above."
        ),
        it=(
            "Interrotto {times} in {seconds:.0f} s: {count:,} volte qualcosa non era integro."
            " Segnalarlo con la tabella qui sopra."
        ),
        one_en=(
            "Killed {times} in {seconds:.0f} s: once something was not whole. Report this with the"
            " table above."
        ),
        one_it=(
            "Interrotto {times} in {seconds:.0f} s: una volta qualcosa non era integro. Segnalarlo"
            " con la tabella qui sopra."
        ),
    ),
    "cli.selftest.whole": Sentence(
        en="Killed {times} in {seconds:.0f} s: each time the old or the new state was whole.",
        it=(
            "Interrotto {times} in {seconds:.0f} s: ogni volta lo stato vecchio o quello nuovo era"
            " integro."
        ),
    ),
    # --- kimo semaphore
    "cli.semaphore.json_needs_yes": Sentence(
        en="--json asks nothing, so it needs --yes.",
        it="--json non chiede nulla, perciò serve --yes.",
    ),
    "cli.semaphore.ask": Sentence(
        en="Set to 0 (idle)?",
        it="Impostare a 0 (libero)?",
    ),
    "cli.semaphore.was_reset": Sentence(
        en="Set to 0: {number:,}.",
        it="Impostati a 0: {number:,}.",
    ),
    "cli.semaphore.all_idle": Sentence(
        en="All of them are idle already.",
        it="Sono già tutti liberi.",
    ),
    "cli.semaphore.busy": Sentence(
        en="{source} {semaphore}: {status}, {words} ({whose}).",
        it="{source} {semaphore}: {status}, {words} ({whose}).",
    ),
    # --- kimo serve
    "cli.serve.no_token": Sentence(
        en="Warning: {variable} is not set, so every request is refused.",
        it="Attenzione: {variable} non è impostata, perciò ogni richiesta viene rifiutata.",
    ),
    "cli.serve.no_tls": Sentence(
        en="Warning: without TLS the token can be read on its way: put a proxy before it.",
        it=("Attenzione: senza TLS il token si può leggere in transito: mettere davanti un proxy."),
    ),
    # --- kimo settings and kimo sync-settings
    "cli.settings.how_to_sync": Sentence(
        en=(
            "{command} hands them to the tablets. Users, and rules that decide who sees what,"
            " count from the next step 3: {step_3}."
        ),
        it=(
            "{command} le passa ai tablet. Gli utenti, e le regole che decidono chi vede che cosa,"
            " valgono dal prossimo step 3: {step_3}."
        ),
    ),
    "cli.settings.written": Sentence(
        en="{file}: {rows} of {sections}.",
        it="{file}: {rows} di {sections}.",
    ),
    "cli.settings.no_section": Sentence(
        en="there is no section '{name}'. There are: {names}.",
        it="la sezione '{name}' non esiste. Esistono: {names}.",
    ),
    "cli.settings.no_section_but": Sentence(
        en="there is no section '{name}'. Did you mean {names}?",
        it="la sezione '{name}' non esiste. Forse {names}?",
    ),
    "cli.settings.or": Sentence(
        en=" or ",
        it=" o ",
    ),
    "cli.settings.empty": Sentence(
        en="Empty: {names}.",
        it="Vuote: {names}.",
    ),
    "cli.settings.flags": Sentence(
        en="Flags",
        it="Indicatori",
    ),
    "cli.settings.up_to_date": Sentence(
        en="The settings on the tablets are up to date: {rows}, nothing was written.",
        it="Le impostazioni sui tablet sono aggiornate: {rows}, nulla è stato scritto.",
    ),
    "cli.settings.prepared": Sentence(
        en="{rows} of settings prepared. Written: {names} ({size}).",
        it="{rows} di impostazioni preparate. Scritte: {names} ({size}).",
    ),
    # --- kimo status
    "cli.status.nothing_yet": Sentence(
        en="Nothing was imported yet. {check} looks at the configuration, {import_} imports.",
        it=(
            "Non è stato ancora importato nulla. {check} controlla la configurazione, {import_}"
            " importa."
        ),
    ),
    "cli.status.load": Sentence(
        en="Load {load}, {title}, started {started}:",
        it="Caricamento {load}, {title}, iniziato {started}:",
    ),
    "cli.status.took": Sentence(
        en=" in {seconds:,.1f} s",
        it=" in {seconds:,.1f} s",
    ),
    "cli.status.run": Sentence(
        en="Run {run_id} in the UI.",
        it="Esecuzione {run_id} nella UI.",
    ),
    "cli.status.is_running": Sentence(
        en="is running",
        it="in corso",
    ),
    "cli.status.was_killed": Sentence(
        en="was killed before its end",
        it="interrotto prima della fine",
    ),
    "cli.status.succeeded": Sentence(
        en="succeeded",
        it="riuscito",
    ),
    "cli.status.failed": Sentence(
        en="FAILED",
        it="NON RIUSCITO",
    ),
    "cli.status.not_mapped": Sentence(
        en="{entity} (no longer mapped)",
        it="{entity} (non più mappata)",
    ),
    "cli.status.never": Sentence(
        en="never",
        it="mai",
    ),
    "cli.status.no_reason": Sentence(
        en="failed",
        it="non riuscita",
    ),
    "cli.status.step_failed": Sentence(
        en="Step {step}: {entities}: {reason}",
        it="Step {step}: {entities}: {reason}",
    ),
    "cli.status.dangling_title": Sentence(
        en="References that point nowhere",
        it="Riferimenti che non portano a nulla",
    ),
    "cli.status.payloads": Sentence(
        en="{count:,} agents can sync: {objects}, {size} in {store}",
        it="{count:,} agenti possono fare il sync: {objects}, {size} in {store}",
        one_en="{count:,} agent can sync: {objects}, {size} in {store}",
        one_it="{count:,} agente può fare il sync: {objects}, {size} in {store}",
    ),
    "cli.rejected.says_why": Sentence(
        en="{rows}: {command} says why.",
        it="{rows}: {command} ne dice il motivo.",
    ),
    # --- the report of a run: kimo import, kimo undo, kimo retry, kimo demo
    "cli.summary.total": Sentence(
        en="Total: {entities}",
        it="Totale: {entities}",
    ),
    "cli.summary.unchanged": Sentence(
        en="{count:,} entities unchanged",
        it="{count:,} entità invariate",
        one_en="{count:,} entity unchanged",
        one_it="{count:,} entità invariata",
    ),
    "cli.summary.others": Sentence(
        en="{others:,} others",
        it="altre {others:,}",
    ),
    "cli.summary.failed_mark": Sentence(
        en="FAILED",
        it="NON RIUSCITA",
    ),
    "cli.summary.skipped_mark": Sentence(
        en="skipped",
        it="saltata",
    ),
    "cli.summary.done": Sentence(
        en="Done: load {load}, {seconds:.1f} s.",
        it="Fatto: caricamento {load}, {seconds:.1f} s.",
    ),
    "cli.summary.held": Sentence(
        en="{count:,} rows held: Kimo has pending edits of them, which no import overwrites.",
        it=(
            "{count:,} righe trattenute: Kimo ne ha modifiche non ancora inviate, che nessuna"
            " importazione sovrascrive."
        ),
        one_en="{count:,} row held: Kimo has pending edits of it, which no import overwrites.",
        one_it=(
            "{count:,} riga trattenuta: Kimo ne ha modifiche non ancora inviate, che nessuna"
            " importazione sovrascrive."
        ),
    ),
    "cli.summary.dangling": Sentence(
        en="{count:,} references pointing nowhere: {command} lists them.",
        it="{count:,} riferimenti che non portano a nulla: {command} li elenca.",
        one_en="{count:,} reference pointing nowhere: {command} lists it.",
        one_it="{count:,} riferimento che non porta a nulla: {command} lo elenca.",
    ),
    "cli.summary.acknowledged": Sentence(
        en=("{count:,} records acknowledged by the ERP, {bound:,} of them with an Id of its own."),
        it="{count:,} record confermati dall'ERP, di cui {bound:,} con un Id dell'ERP.",
        one_en=(
            "{count:,} record acknowledged by the ERP, {bound:,} of them with an Id of its own."
        ),
        one_it="{count:,} record confermato dall'ERP, di cui {bound:,} con un Id dell'ERP.",
    ),
    "cli.summary.failed": Sentence(
        en="{title}: {count:,} entities failed, {good:,} good.",
        it="{title}: {count:,} entità non riuscite, {good:,} riuscite.",
        one_en="{title}: {count:,} entity failed, {good:,} good.",
        one_it="{title}: {count:,} entità non riuscita, {good:,} riuscite.",
    ),
    "cli.summary.not_started": Sentence(
        en="Not started because of that: step {steps}. The tablets keep what they have.",
        it="Non avviati per questo motivo: step {steps}. I tablet mantengono i loro dati.",
    ),
    "cli.summary.and": Sentence(
        en=" and ",
        it=" e ",
    ),
    "cli.summary.next.allow_shrink": Sentence(
        en="{command}: take it nevertheless",
        it="{command}: per prendere comunque i dati",
    ),
    "cli.summary.next.read": Sentence(
        en="{command}: read it from the ERP first",
        it="{command}: per leggere prima dall'ERP",
    ),
    "cli.summary.next.semaphores": Sentence(
        en="{command}: who holds the ERP's semaphores, and since when",
        it="{command}: chi occupa i semafori dell'ERP, e da quando",
    ),
    "cli.summary.next.check": Sentence(
        en="{command}: where the mapping and the ERP disagree",
        it="{command}: dove la mappatura e l'ERP non coincidono",
    ),
    "cli.summary.next.rejected": Sentence(
        en="{command}: its rejected rows",
        it="{command}: le sue righe scartate",
    ),
    # --- kimo sync
    "cli.sync.whose": Sentence(
        en="{whose}, load {load}",
        it="{whose}, caricamento {load}",
    ),
    "cli.sync.the_manifest": Sentence(
        en="the manifest",
        it="il manifest",
    ),
    "cli.sync.without_rows": Sentence(
        en="{count:,} entities without rows",
        it="{count:,} entità senza righe",
        one_en="{count:,} entity without rows",
        one_it="{count:,} entità senza righe",
    ),
    "cli.sync.first_sync": Sentence(
        en="First sync: {rows}, {size} in {objects}, {seconds} s at {mbit:g} Mbit/s.",
        it="Primo sync: {rows}, {size} in {objects}, {seconds} s a {mbit:g} Mbit/s.",
    ),
    "cli.sync.heaviest": Sentence(
        en="{entity} weighs most.",
        it="La più pesante è {entity}.",
    ),
    "cli.sync.no_usual_day": Sentence(
        en="A usual day: not enough loads yet.",
        it="Un giorno tipico: non ci sono ancora abbastanza caricamenti.",
    ),
    "cli.sync.usual_day": Sentence(
        en="A usual day brings {size}.",
        it="Un giorno tipico porta {size}.",
    ),
    "cli.sync.empty_store": Sentence(
        en="{url} holds no payload yet. Prepare them: {command}.",
        it="{url} non contiene ancora dati per i tablet. Prepararli: {command}.",
    ),
    "cli.sync.all_first_syncs": Sentence(
        en=(
            "{agents}, {users}: first syncs of {size} altogether, at {mbit:g} Mbit/s. The store"
            " holds {objects}, {stored}."
        ),
        it=(
            "{agents}, {users}: primi sync per {size} in tutto, a {mbit:g} Mbit/s. L'archivio"
            " contiene {objects}, {stored}."
        ),
    ),
    "cli.sync.to_and_since": Sentence(
        en="--to knows since when. Leave --since out.",
        it="--to sa già da quando. Togliere --since.",
    ),
    "cli.sync.not_published": Sentence(
        en="--since: no load {load} has published yet. The last that did is {last}.",
        it=(
            "--since: il caricamento {load} non ha ancora pubblicato nulla. L'ultimo che lo ha"
            " fatto è {last}."
        ),
    ),
    "cli.sync.fetches": Sentence(
        en="The next sync fetches {size} in {objects}, and the manifest: {manifest}.",
        it="Il prossimo sync scarica {size} in {objects}, e il manifest: {manifest}.",
    ),
    "cli.sync.new_file": Sentence(
        en="{file}, which is not there yet",
        it="{file}, che non esiste ancora",
    ),
    "cli.sync.tablet_since": Sentence(
        en="a tablet that has synced after load {load}",
        it="un tablet che ha fatto il sync dopo il caricamento {load}",
    ),
    "cli.sync.new_tablet": Sentence(
        en="a tablet that has never synced",
        it="un tablet che non ha mai fatto il sync",
    ),
    "cli.sync.brings_nothing": Sentence(
        en="{title}: the next sync brings nothing to {tablet}.",
        it="{title}: il prossimo sync non porta nulla a {tablet}.",
    ),
    "cli.sync.to_tablet": Sentence(
        en="{title}: to {tablet}",
        it="{title}: a {tablet}",
    ),
    "cli.sync.private": Sentence(
        en="{entity} (private)",
        it="{entity} (privata)",
    ),
    "cli.sync.by_changes": Sentence(
        en="changes of {buckets}",
        it="modifiche di {buckets}",
    ),
    "cli.sync.by_base": Sentence(
        en="{buckets} whole ({reasons})",
        it="{buckets} per intero ({reasons})",
    ),
    "cli.sync.dropped": Sentence(
        en="{buckets} no longer theirs: the rows go",
        it="{buckets} non più suoi: le righe vengono tolte",
    ),
    "cli.sync.objects": Sentence(
        en="Objects",
        it="Oggetti",
    ),
    "cli.sync.damage": Sentence(
        en="{path}: {problem}. What to do: {remedy}. Concerns {names}.",
        it="{path}: {problem}. Che cosa fare: {remedy}. Riguarda {names}.",
    ),
    "cli.sync.read": Sentence(
        en=(
            "{read:,} of {manifests} read, with {objects}, {read_objects:,} of them read too"
            " ({size})"
        ),
        it=(
            "letti {read:,} di {manifests}, con {objects}, di cui {read_objects:,} letti anch'essi"
            " ({size})"
        ),
    ),
    "cli.sync.whole": Sentence(
        en="All is whole: {read}.",
        it="Tutto è integro: {read}.",
    ),
    "cli.sync.damaged": Sentence(
        en="{count:,} damages: {read}.",
        it="{count:,} danni: {read}.",
        one_en="{count:,} damage: {read}.",
        one_it="{count:,} danno: {read}.",
    ),
    # --- side jobs: kimo images, kimo geocode, kimo clean
    "cli.task.done": Sentence(
        en="{title}: {figures}. {seconds:.1f} s",
        it="{title}: {figures}. {seconds:.1f} s",
    ),
    "cli.task.nothing_to_do": Sentence(
        en="nothing to do",
        it="nulla da fare",
    ),
    "cli.task.problems": Sentence(
        en="{count:,} problems",
        it="{count:,} problemi",
        one_en="{count:,} problem",
        one_it="{count:,} problema",
    ),
    # --- kimo undo
    "cli.undo.no_load": Sentence(
        en=(
            "No load can be taken back: nothing was changed yet, or none is kept"
            " (history.keep_loads)."
        ),
        it=(
            "Nessun caricamento può essere annullato: nulla è ancora cambiato, o non se ne"
            " conserva alcuno (history.keep_loads)."
        ),
    ),
    "cli.undo.list_title": Sentence(
        en="Loads that can be taken back, the newest first",
        it="Caricamenti che si possono annullare, dal più recente",
    ),
    "cli.undo.how_to": Sentence(
        en="{last} takes the last one back, {all_after} all after LOAD.",
        it="{last} annulla l'ultimo, {all_after} tutti quelli dopo LOAD.",
    ),
    "cli.undo.undone": Sentence(
        en="taken back by load {load}",
        it="annullato dal caricamento {load}",
    ),
    "cli.undo.title": Sentence(
        en="To be taken back",
        it="Da annullare",
    ),
    "cli.undo.ask": Sentence(
        en="Go back to the state after load {load}?",
        it="Tornare allo stato dopo il caricamento {load}?",
    ),
    # --- kimo why
    "cli.why.load": Sentence(
        en="load {load}, {title}, {started}",
        it="caricamento {load}, {title}, {started}",
    ),
    "cli.why.last_changed": Sentence(
        en="Last changed by {load}.",
        it="Ultima modifica: {load}.",
    ),
    "cli.why.saw_before": Sentence(
        en="Who sees it changed with {load}: before, the agent saw it.",
        it="Chi la vede è cambiato con: {load}. Prima l'agente la vedeva.",
    ),
    "cli.why.did_not_see_before": Sentence(
        en="Who sees it changed with {load}: before, the agent did not see it.",
        it="Chi la vede è cambiato con: {load}. Prima l'agente non la vedeva.",
    ),
    "cli.why.not_prepared": Sentence(
        en="Nothing was prepared for this agent yet: step 3 has not run.",
        it=(
            "Per questo agente non è stato ancora preparato nulla: lo step 3 non è stato eseguito."
        ),
    ),
    "cli.why.holds": Sentence(
        en="What was last prepared for the agent's tablet holds the row.",
        it="Gli ultimi dati preparati per il tablet dell'agente contengono la riga.",
    ),
    "cli.why.still_holds": Sentence(
        en=(
            "What was last prepared for the agent's tablet holds the row, because step 3 has not"
            " run since that changed."
        ),
        it=(
            "Gli ultimi dati preparati per il tablet dell'agente contengono la riga, perché da"
            " quella modifica lo step 3 non è stato eseguito."
        ),
    ),
    "cli.why.does_not_hold": Sentence(
        en="What was last prepared for the agent's tablet does not hold the row.",
        it="Gli ultimi dati preparati per il tablet dell'agente non contengono la riga.",
    ),
    "cli.why.does_not_hold_yet": Sentence(
        en=(
            "What was last prepared for the agent's tablet does not hold the row, because step 3"
            " has not run since that changed."
        ),
        it=(
            "Gli ultimi dati preparati per il tablet dell'agente non contengono la riga, perché da"
            " quella modifica lo step 3 non è stato eseguito."
        ),
    ),
}
