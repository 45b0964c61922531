"""Sentences of diagnostics/: what the preflight, the status and the reports say."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- the machine
    "diagnostics.folder.not_writable": Sentence(
        en=(
            "{folder}: {user} cannot write there: {reason}. Give that user the right, or name"
            " another folder"
        ),
        it=(
            "{folder}: {user} non può scriverci: {reason}. Dare il permesso a quell'utente, oppure"
            " indicare un'altra cartella"
        ),
    ),
    "diagnostics.folder.writable": Sentence(en="{folder}, writable", it="{folder}, scrivibile"),
    "diagnostics.folder.made_when_needed": Sentence(
        en="{folder}, made when it is needed", it="{folder}, creata quando serve"
    ),
    "diagnostics.folder.not_readable": Sentence(
        en=(
            "{folder} cannot be listed by {user}: {reason}. Correct the address, its rights, or the"
            " share's mount"
        ),
        it=(
            "{folder}: {user} non può elencarne i file: {reason}. Correggere l'indirizzo, i"
            " permessi o il mount della condivisione"
        ),
    ),
    "diagnostics.folder.readable": Sentence(en="{folder}, readable", it="{folder}, leggibile"),
    "diagnostics.this_user": Sentence(en="this user", it="questo utente"),
    "diagnostics.user": Sentence(en="user {name}", it="l'utente {name}"),
    "diagnostics.disk.free": Sentence(
        en="{free:,.1f} GB free on the disk of {folder}",
        it="{free:,.1f} GB liberi sul disco di {folder}",
    ),
    "diagnostics.disk.nearly_full": Sentence(
        en=(
            "{free:,.1f} GB free on the disk of {folder}, less than {enough:,.0f} GB: PostgreSQL"
            " and the sync store need room. Free some, or move data_dir"
        ),
        it=(
            "{free:,.1f} GB liberi sul disco di {folder}, meno di {enough:,.0f} GB: PostgreSQL e lo"
            " store di sync hanno bisogno di spazio. Liberarne, oppure spostare data_dir"
        ),
    ),
    "diagnostics.dagster.unreachable": Sentence(
        en="{reason}. Create it, or correct `database: dagster_url:` of kimo.yaml",
        it="{reason}. Crearlo, oppure correggere `database: dagster_url:` di kimo.yaml",
    ),
    "diagnostics.dagster.may_not_create": Sentence(
        en="user {user} may not create tables there: make that user its owner",
        it="l'utente {user} non può crearvi tabelle: renderlo proprietario del database",
    ),
    "diagnostics.secret.is_set": Sentence(en="{variable} is set", it="{variable} è impostata"),
    "diagnostics.secret.no_geocoding_key": Sentence(
        en=(
            "the environment has no {variable}: without Google's key nothing is geocoded. Set it"
            " for the service (docs/deploying.md)"
        ),
        it=(
            "manca la variabile d'ambiente {variable}: senza la chiave di Google non si geocodifica"
            " nulla. Impostarla per il servizio (docs/deploying.md)"
        ),
    ),
    "diagnostics.secret.no_api_token": Sentence(
        en=(
            "the environment has no {variable}: without a token every request is refused. Set it"
            " for the service (docs/deploying.md)"
        ),
        it=(
            "manca la variabile d'ambiente {variable}: senza un token ogni richiesta viene"
            " rifiutata. Impostarla per il servizio (docs/deploying.md)"
        ),
    ),
    "diagnostics.mail.answers": Sentence(en="{address} answers", it="{address} risponde"),
    "diagnostics.mail.unreachable": Sentence(
        en=(
            "{address} cannot be reached: {reason}. No mail goes out. Correct notifications.smtp,"
            " or the network"
        ),
        it=(
            "{address} non è raggiungibile: {reason}. Nessuna mail parte. Correggere"
            " notifications.smtp, oppure la rete"
        ),
    ),
    # --- configuration, database, sources, store
    "diagnostics.mapped": Sentence(
        en="{path}, {count:,} entities mapped",
        it="{path}, {count:,} entità mappate",
        one_en="{path}, {count:,} entity mapped",
        one_it="{path}, {count:,} entità mappata",
    ),
    "diagnostics.nothing_mapped": Sentence(
        en="no entity is mapped, so there is nothing to import: add some under `entities`",
        it=(
            "nessuna entità è mappata, quindi non c'è nulla da importare: aggiungerne sotto"
            " `entities`"
        ),
    ),
    "diagnostics.no_agents_mapped": Sentence(
        en="SalesAgent is not mapped: without agents, step 3 prepares payloads for nobody",
        it="SalesAgent non è mappata: senza agenti lo step 3 non prepara dati per nessuno",
    ),
    "diagnostics.embedded": Sentence(
        en="PostgreSQL {version}, embedded under {folder}",
        it="PostgreSQL {version}, integrato sotto {folder}",
    ),
    "diagnostics.source_unreachable": Sentence(
        en="{reason}. Not checked: {count:,} entities",
        it="{reason}. Non controllate: {count:,} entità",
        one_en="{reason}. Not checked: {count:,} entity",
        one_it="{reason}. Non controllata: {count:,} entità",
    ),
    "diagnostics.no_semaphore": Sentence(
        en="no such table: nothing keeps the ERP and the {flow} apart",
        it=(
            "la tabella non esiste: nulla impedisce che l'ERP e il processo ({flow}) lavorino"
            " insieme"
        ),
    ),
    "diagnostics.semaphore_rows": Sentence(
        en="{count:,} rows; expected one, with Status 0 while nobody is at work",
        it="{count:,} righe; ne è attesa una, con Status 0 quando nessuno lavora",
    ),
    "diagnostics.store.not_writable": Sentence(
        en="cannot write to {store}: {reason}",
        it="impossibile scrivere in {store}: {reason}",
    ),
    "diagnostics.store.writable": Sentence(
        en="writable: {store}",
        it="scrivibile: {store}",
    ),
    # --- an entity and its rows
    "diagnostics.rows_not_measured": Sentence(
        en="its rows were not looked at: {reason}",
        it="le sue righe non sono state esaminate: {reason}",
    ),
    "diagnostics.from_query": Sentence(
        en="a query",
        it="una query",
    ),
    "diagnostics.from_table": Sentence(
        en="table {table}",
        it="tabella {table}",
    ),
    "diagnostics.rows": Sentence(
        en="{count:,} rows",
        it="{count:,} righe",
        one_en="{count:,} row",
        one_it="{count:,} riga",
    ),
    "diagnostics.rows_not_counted": Sentence(
        en="rows not counted",
        it="righe non contate",
    ),
    "diagnostics.fields": Sentence(
        en="{fields} of {total} fields",
        it="{fields} campi su {total}",
    ),
    "diagnostics.columns_unused": Sentence(
        en="columns no field takes: {columns}",
        it="colonne che nessun campo usa: {columns}",
    ),
    "diagnostics.id_derived": Sentence(
        en="Id derived from {columns}",
        it="Id derivato da {columns}",
    ),
    "diagnostics.columns_wider": Sentence(
        en="columns that may become longer than their field: {columns}",
        it="colonne che possono superare la lunghezza del campo: {columns}",
    ),
    "diagnostics.column_width": Sentence(
        en="{column} (now up to {longest})",
        it="{column} (ora fino a {longest})",
    ),
    "diagnostics.column_of_field": Sentence(
        en="{column} (for {field})",
        it="{column} (per {field})",
    ),
    "diagnostics.no_rows": Sentence(
        en="{origin} has no rows: is it the right one?",
        it="{origin}: nessuna riga. È quella giusta?",
    ),
    "diagnostics.and": Sentence(
        en=" and ",
        it=" e ",
    ),
    "diagnostics.key_missing": Sentence(
        en="{count:,} rows without a value in {key}: rejected on the way in",
        it="{count:,} righe senza valore in {key}: scartate in ingresso",
        one_en="{count:,} row without a value in {key}: rejected on the way in",
        one_it="{count:,} riga senza valore in {key}: scartata in ingresso",
    ),
    "diagnostics.key_repeated": Sentence(
        en=(
            "{key} is not unique: {count:,} rows repeat the key of another, e.g. {example}. The"
            " first of each stays, the others are rejected"
        ),
        it=(
            "{key} non è univoca: {count:,} righe ripetono la chiave di un'altra, ad es."
            " {example}. La prima resta, le altre vengono scartate"
        ),
        one_en=(
            "{key} is not unique: {count:,} row repeats the key of another, e.g. {example}. The"
            " first of each stays, the others are rejected"
        ),
        one_it=(
            "{key} non è univoca: {count:,} riga ripete la chiave di un'altra, ad es. {example}."
            " La prima resta, le altre vengono scartate"
        ),
    ),
    "diagnostics.never.not_a_number": Sentence(
        en="{column} is {type}, which is never a number: every row with a value would be rejected",
        it="{column} è {type}, che non è mai un numero: ogni riga con un valore verrebbe scartata",
    ),
    "diagnostics.never.not_a_whole_number": Sentence(
        en=(
            "{column} is {type}, which is never a whole number: every row with a value would be"
            " rejected"
        ),
        it=(
            "{column} è {type}, che non è mai un numero intero: ogni riga con un valore verrebbe"
            " scartata"
        ),
    ),
    "diagnostics.never.not_a_flag": Sentence(
        en="{column} is {type}, which is never a flag: every row with a value would be rejected",
        it=(
            "{column} è {type}, che non è mai un valore sì/no: ogni riga con un valore verrebbe"
            " scartata"
        ),
    ),
    "diagnostics.never.impossible_date": Sentence(
        en="{column} is {type}, which is never a date: every row with a value would be rejected",
        it="{column} è {type}, che non è mai una data: ogni riga con un valore verrebbe scartata",
    ),
    "diagnostics.never.unknown_enum_code": Sentence(
        en="{column} is {type}, which is never a code: every row with a value would be rejected",
        it="{column} è {type}, che non è mai un codice: ogni riga con un valore verrebbe scartata",
    ),
    "diagnostics.text_too_long": Sentence(
        en=(
            "{column}: {count:,} rows with a text of more than {size} characters (the longest has"
            " {longest}): rejected on the way in"
        ),
        it=(
            "{column}: {count:,} righe con un testo di più di {size} caratteri (il più lungo ne ha"
            " {longest}): scartate in ingresso"
        ),
        one_en=(
            "{column}: {count:,} row with a text of more than {size} characters (it has"
            " {longest}): rejected on the way in"
        ),
        one_it=(
            "{column}: {count:,} riga con un testo di più di {size} caratteri (il più lungo ne ha"
            " {longest}):"
            " scartata in ingresso"
        ),
    ),
    "diagnostics.misfit.not_a_number": Sentence(
        en=(
            "{column}: {count:,} rows with a value that is no number, e.g. {example}: rejected on"
            " the way in"
        ),
        it=(
            "{column}: {count:,} righe con un valore che non è un numero, ad es. {example}:"
            " scartate in ingresso"
        ),
        one_en=(
            "{column}: {count:,} row with a value that is no number, e.g. {example}: rejected on"
            " the way in"
        ),
        one_it=(
            "{column}: {count:,} riga con un valore che non è un numero, ad es. {example}:"
            " scartata in ingresso"
        ),
    ),
    "diagnostics.misfit.not_a_whole_number": Sentence(
        en=(
            "{column}: {count:,} rows with a value that is no whole number, e.g. {example}:"
            " rejected on the way in"
        ),
        it=(
            "{column}: {count:,} righe con un valore che non è un numero intero, ad es. {example}:"
            " scartate in ingresso"
        ),
        one_en=(
            "{column}: {count:,} row with a value that is no whole number, e.g. {example}:"
            " rejected on the way in"
        ),
        one_it=(
            "{column}: {count:,} riga con un valore che non è un numero intero, ad es. {example}:"
            " scartata in ingresso"
        ),
    ),
    "diagnostics.misfit.not_a_flag": Sentence(
        en=(
            "{column}: {count:,} rows with a value that is neither 0 nor 1, e.g. {example}:"
            " rejected on the way in"
        ),
        it=(
            "{column}: {count:,} righe con un valore che non è né 0 né 1, ad es. {example}:"
            " scartate in ingresso"
        ),
        one_en=(
            "{column}: {count:,} row with a value that is neither 0 nor 1, e.g. {example}:"
            " rejected on the way in"
        ),
        one_it=(
            "{column}: {count:,} riga con un valore che non è né 0 né 1, ad es. {example}:"
            " scartata in ingresso"
        ),
    ),
    "diagnostics.misfit.impossible_date": Sentence(
        en=(
            "{column}: {count:,} rows with a value that is no date, or none written year first,"
            " e.g. {example}: rejected on the way in. sources.{source}.formats says how dates are"
            " written"
        ),
        it=(
            "{column}: {count:,} righe con un valore che non è una data, o non è scritta con"
            " l'anno davanti, ad es. {example}: scartate in ingresso. sources.{source}.formats"
            " indica come sono scritte le date"
        ),
        one_en=(
            "{column}: {count:,} row with a value that is no date, or none written year first,"
            " e.g. {example}: rejected on the way in. sources.{source}.formats says how dates are"
            " written"
        ),
        one_it=(
            "{column}: {count:,} riga con un valore che non è una data, o non è scritta con l'anno"
            " davanti, ad es. {example}: scartata in ingresso. sources.{source}.formats indica"
            " come sono scritte le date"
        ),
    ),
    "diagnostics.misfit.unknown_enum_code": Sentence(
        en=(
            "{column}: {count:,} rows with a value that is none of its codes, e.g. {example}:"
            " rejected on the way in. The codes are {codes}"
        ),
        it=(
            "{column}: {count:,} righe con un valore che non è tra i suoi codici, ad es."
            " {example}: scartate in ingresso. I codici sono {codes}"
        ),
        one_en=(
            "{column}: {count:,} row with a value that is none of its codes, e.g. {example}:"
            " rejected on the way in. The codes are {codes}"
        ),
        one_it=(
            "{column}: {count:,} riga con un valore che non è tra i suoi codici, ad es. {example}:"
            " scartata in ingresso. I codici sono {codes}"
        ),
    ),
    "diagnostics.misfit.enum_without_codes": Sentence(
        en="{column}: {count:,} rows with a value that is none of its codes, e.g. {example}",
        it="{column}: {count:,} righe con un valore che non è tra i suoi codici, ad es. {example}",
        one_en="{column}: {count:,} row with a value that is none of its codes, e.g. {example}",
        one_it=(
            "{column}: {count:,} riga con un valore che non è tra i suoi codici, ad es. {example}"
        ),
    ),
    "diagnostics.status_not_decoded": Sentence(
        en=(
            "{column}: {count:,} rows with a status, e.g. {example}, and nothing decodes them: add"
            " erp_statuses.{kind}, or ErpStatus.{kind} to the settings"
        ),
        it=(
            "{column}: {count:,} righe con uno stato, ad es. {example}, che nulla decodifica:"
            " aggiungere erp_statuses.{kind}, oppure ErpStatus.{kind} alle impostazioni"
        ),
        one_en=(
            "{column}: {count:,} row with a status, e.g. {example}, and nothing decodes them: add"
            " erp_statuses.{kind}, or ErpStatus.{kind} to the settings"
        ),
        one_it=(
            "{column}: {count:,} riga con uno stato, ad es. {example}, che nulla decodifica:"
            " aggiungere erp_statuses.{kind}, oppure ErpStatus.{kind} alle impostazioni"
        ),
    ),
    "diagnostics.status_unknown": Sentence(
        en=(
            "{column}: {count:,} rows with a status, e.g. {example}, that erp_statuses.{kind} does"
            " not decode: rejected on the way in, unless it is added there"
        ),
        it=(
            "{column}: {count:,} righe con uno stato, ad es. {example}, che erp_statuses.{kind}"
            " non decodifica: scartate in ingresso, se non lo si aggiunge lì"
        ),
        one_en=(
            "{column}: {count:,} row with a status, e.g. {example}, that erp_statuses.{kind} does"
            " not decode: rejected on the way in, unless it is added there"
        ),
        one_it=(
            "{column}: {count:,} riga con uno stato, ad es. {example}, che erp_statuses.{kind} non"
            " decodifica: scartata in ingresso, se non lo si aggiunge lì"
        ),
    ),
    "diagnostics.nobody_sees": Sentence(
        en="who sees a row is decided by {columns}, which no column fills",
        it="chi vede una riga dipende da {columns}, che nessuna colonna riempie",
    ),
    "diagnostics.unmapped_targets": Sentence(
        en="points to entities that are not mapped: {targets}",
        it="rimanda a entità non mappate: {targets}",
    ),
    "diagnostics.target": Sentence(
        en="{target} (by {fields})",
        it="{target} (da {fields})",
    ),
    "diagnostics.field_in_rows": Sentence(
        en="{field} in {count:,} rows",
        it="{field} in {count:,} righe",
        one_en="{field} in {count:,} row",
        one_it="{field} in {count:,} riga",
    ),
    # --- why an agent sees a row
    "diagnostics.visibility.archived": Sentence(
        en="nobody sees it: load {load} archived it, because the ERP no longer sent it",
        it="nessuno la vede: il caricamento {load} l'ha archiviata, perché l'ERP non la invia più",
    ),
    "diagnostics.visibility.agent_sees": Sentence(en="the agent sees it", it="l'agente la vede"),
    "diagnostics.visibility.agent_does_not_see": Sentence(
        en="the agent does not see it", it="l'agente non la vede"
    ),
    "diagnostics.visibility.user_sees": Sentence(en="the user sees it", it="l'utente la vede"),
    "diagnostics.visibility.user_does_not_see": Sentence(
        en="the user does not see it", it="l'utente non la vede"
    ),
    "diagnostics.visibility.rejected": Sentence(
        en=(
            "it is not in Kimo: step {step} rejected it ({rule}, {field}); `kimo rejected {entity}`"
            " shows it"
        ),
        it=(
            "non è in Kimo: lo step {step} l'ha scartata ({rule}, {field}); `kimo rejected"
            " {entity}` la mostra"
        ),
    ),
    "diagnostics.visibility.never_sent": Sentence(
        en=(
            "there is no such row in Kimo: the ERP has never sent one with this Id, or its entity"
            " was never imported"
        ),
        it=(
            "questa riga non è in Kimo: l'ERP non ne ha mai inviata una con questo Id, oppure la"
            " sua entità non è mai stata importata"
        ),
    ),
    "diagnostics.visibility.no_agent": Sentence(
        en="'{agent}' is no agent here.{hint} Agents are the live rows of SalesAgent.",
        it="'{agent}' non è un agente.{hint} Gli agenti sono le righe attive di SalesAgent.",
    ),
    "diagnostics.visibility.no_user": Sentence(
        en=(
            "agent '{agent}' has no user '{user}'.{hint} `kimo settings show User` lists the users."
            " Archived ones, and those of another type than SalesAgent, have no tablet."
        ),
        it=(
            "l'agente '{agent}' non ha un utente '{user}'.{hint} `kimo settings show User` elenca"
            " gli utenti. Quelli archiviati, e quelli di un tipo diverso da SalesAgent, non hanno"
            " un tablet."
        ),
    ),
    # --- the morning report
    "diagnostics.batch": Sentence(en="batch {batch}", it="lotto {batch}"),
    "diagnostics.batch_in_doubt": Sentence(
        en="it may have arrived at the ERP or not",
        it="può essere arrivato all'ERP oppure no",
    ),
    "diagnostics.rejected_by_the_erp": Sentence(
        en="the ERP has rejected it", it="l'ERP lo ha rifiutato"
    ),
}
