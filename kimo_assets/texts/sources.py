"""Sentences of the ERP's side: connections, tables and columns, semaphores, the custom task."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # Connections
    "sources.error": Sentence(
        en="source '{source}' ({address}): {error}",
        it="sorgente '{source}' ({address}): {error}",
    ),
    "sources.no_driver": Sentence(
        en="source '{source}': no driver for {driver} ({error}). Install it.",
        it="sorgente '{source}': manca il driver per {driver} ({error}). Installarlo.",
    ),
    "sources.no_driver_extra": Sentence(
        en=(
            "source '{source}': no driver for {driver} ({error}). Install it: pip install"
            " 'kimo_assets[{extra}]'."
        ),
        it=(
            "sorgente '{source}': manca il driver per {driver} ({error}). Installarlo: pip install"
            " 'kimo_assets[{extra}]'."
        ),
    ),
    "sources.lock_waited": Sentence(
        en="{error}; waited {seconds:g} s (sources.{source}.lock_timeout_s)",
        it="{error}; attesa di {seconds:g} s (sources.{source}.lock_timeout_s)",
    ),
    "sources.time_limit": Sentence(
        en="the source took longer than {seconds:g} s",
        it="la sorgente ha impiegato più di {seconds:g} s",
    ),
    "sources.see_line": Sentence(en="{error}. See {line}.", it="{error}. Vedere {line}."),
    "sources.tried": Sentence(
        en="{error} (tried {count} times)",
        it="{error} ({count} tentativi)",
        one_en="{error} (tried once)",
        one_it="{error} (un solo tentativo)",
    ),
    "sources.again": Sentence(
        en="{error}; again in {seconds:.0f} s ({attempt} of {attempts})",
        it="{error}; nuovo tentativo fra {seconds:.0f} s ({attempt} di {attempts})",
    ),
    # Locks
    "sources.table_locked": Sentence(
        en=(
            "table {table} is locked by another session. End that session, or import again later."
            " {error}"
        ),
        it=(
            "la tabella {table} è bloccata da un'altra sessione. Chiudere la sessione o ripetere"
            " l'importazione più tardi. {error}"
        ),
    ),
    "sources.table_locked_by": Sentence(
        en=(
            "table {table} is locked by another session: {sessions}. End that session, or import"
            " again later. {error}"
        ),
        it=(
            "la tabella {table} è bloccata da un'altra sessione: {sessions}. Chiudere la sessione o"
            " ripetere l'importazione più tardi. {error}"
        ),
    ),
    "sources.query_locked": Sentence(
        en=(
            "a table of its query is locked by another session. End that session, or import again"
            " later. {error}"
        ),
        it=(
            "una tabella della sua query è bloccata da un'altra sessione. Chiudere la sessione o"
            " ripetere l'importazione più tardi. {error}"
        ),
    ),
    "sources.query_locked_by": Sentence(
        en=(
            "a table of its query is locked by another session: {sessions}. End that session, or"
            " import again later. {error}"
        ),
        it=(
            "una tabella della sua query è bloccata da un'altra sessione: {sessions}. Chiudere la"
            " sessione o ripetere l'importazione più tardi. {error}"
        ),
    ),
    "sources.lock_holder": Sentence(
        en="{table} by session {session}", it="{table} dalla sessione {session}"
    ),
    "sources.lock_holder_since": Sentence(
        en="{table} by session {session} since {since} UTC",
        it="{table} dalla sessione {session} dalle {since} UTC",
    ),
    # Tables and columns
    "sources.its_query": Sentence(en="its query", it="la sua query"),
    "sources.table": Sentence(en="table {table}", it="la tabella {table}"),
    "sources.and": Sentence(en=" and ", it=" e "),
    "sources.no_table": Sentence(
        en="there is no table or view {table} in {address}.{hint}",
        it="non c'è una tabella o vista {table} in {address}.{hint}",
    ),
    "sources.tables_like_it": Sentence(
        en=" Tables like it: {tables}.", it=" Tabelle simili: {tables}."
    ),
    "sources.count_of_tables": Sentence(
        en=" It has {count} tables and views.",
        it=" Ha {count} tabelle e viste.",
        one_en=" It has {count} table or view.",
        one_it=" Ha {count} tabella o vista.",
    ),
    "sources.no_column": Sentence(
        en=(
            "{origin} has no column {columns}. It has: {available}. Correct"
            " entities.{entity}.{key}."
        ),
        it=(
            "{origin} non ha la colonna {columns}. Colonne presenti: {available}. Correggere"
            " entities.{entity}.{key}."
        ),
    ),
    "sources.column_for_field": Sentence(
        en="{column} (for {entity}.{field})", it="{column} (per {entity}.{field})"
    ),
    "sources.no_id": Sentence(
        en=(
            "{origin} gives no Id for {entity}, which has no other key. Map"
            " entities.{entity}.fields.Id."
        ),
        it=(
            "{origin} non dà un Id per {entity}, che non ha altra chiave. Mappare"
            " entities.{entity}.fields.Id."
        ),
    ),
    "sources.no_identity": Sentence(
        en=(
            "{origin} gives neither an Id for {entity} nor any of the columns its Id is derived"
            " from: {fields}. Map one of them under entities.{entity}.fields."
        ),
        it=(
            "{origin} non dà un Id per {entity}, né una delle colonne da cui l'Id si deriva:"
            " {fields}. Mapparne una in entities.{entity}.fields."
        ),
    ),
    "sources.row_too_long": Sentence(
        en=(
            "{entity} cannot be read line by line, a row is longer than the server's"
            " max_allowed_packet"
        ),
        it=(
            "{entity} non si può leggere riga per riga, una riga supera max_allowed_packet del"
            " server"
        ),
    ),
    "sources.text_with_separator": Sentence(
        en="{entity} cannot be read line by line, a text holds the control characters 1F and 1E",
        it=(
            "{entity} non si può leggere riga per riga, un testo contiene i caratteri di controllo"
            " 1F e 1E"
        ),
    ),
    # The vendor's tables of mappings
    "sources.no_vendor_tables": Sentence(
        en=(
            "{address} has neither {mapping} nor {filter}: is it the vendor's KimoIntegrator"
            " database? It has: {tables}. For an integration database whose tables carry Kimo's"
            " names, `kimo init` writes the mapping."
        ),
        it=(
            "{address} non ha né {mapping} né {filter}: è il database KimoIntegrator del fornitore?"
            " Tabelle presenti: {tables}. Per un database di integrazione con i nomi di tabella di"
            " Kimo, `kimo init` scrive il mapping."
        ),
    ),
    "sources.no_vendor_tables_in_empty": Sentence(
        en=(
            "{address} has neither {mapping} nor {filter}: is it the vendor's KimoIntegrator"
            " database? It has no tables. For an integration database whose tables carry Kimo's"
            " names, `kimo init` writes the mapping."
        ),
        it=(
            "{address} non ha né {mapping} né {filter}: è il database KimoIntegrator del fornitore?"
            " Non ha tabelle. Per un database di integrazione con i nomi di tabella di Kimo,"
            " `kimo init` scrive il mapping."
        ),
    ),
    "sources.no_vendor_column": Sentence(
        en="table {table} in {address} has no column {columns}. It has: {available}.",
        it="la tabella {table} in {address} non ha la colonna {columns}. Presenti: {available}.",
    ),
    # The custom task
    "sources.task_starts": Sentence(
        en="custom task {program} starts", it="il custom task {program} parte"
    ),
    "sources.task_done": Sentence(
        en="custom task {program} is done, {seconds:.1f} s",
        it="il custom task {program} è terminato, {seconds:.1f} s",
    ),
    "sources.task_failed": Sentence(
        en="custom task {program} {problem}. Nothing was read.",
        it="il custom task {program} {problem}. Non è stato letto nulla.",
    ),
    "sources.task_last_lines": Sentence(
        en=" Its last lines: {lines}.", it=" Le sue ultime righe: {lines}."
    ),
    "sources.task_timeout": Sentence(
        en="was ended after {seconds:g} s (import.custom_task.timeout_s)",
        it="è stato interrotto dopo {seconds:g} s (import.custom_task.timeout_s)",
    ),
    "sources.task_not_started": Sentence(
        en="cannot be started: {error}", it="non si può avviare: {error}"
    ),
    "sources.task_is_folder": Sentence(
        en="is a folder, not a program", it="è una cartella, non un programma"
    ),
    "sources.task_not_executable": Sentence(
        en="is not executable: allow it to be run (chmod +x)",
        it="non è eseguibile: consentirne l'esecuzione (chmod +x)",
    ),
    "sources.task_missing": Sentence(
        en="is not there: correct import.custom_task in kimo.yaml",
        it="non esiste: correggere import.custom_task in kimo.yaml",
    ),
    "sources.task_exit_code": Sentence(
        en="ended with exit code {code}", it="è terminato con il codice {code}"
    ),
    "sources.task_killed": Sentence(
        en="was killed by signal {signal}", it="è stato interrotto dal segnale {signal}"
    ),
    # Semaphores
    "sources.semaphore": Sentence(
        en="{table} of source '{source}'", it="{table} della sorgente '{source}'"
    ),
    "sources.semaphore_status.0": Sentence(en="idle", it="libero"),
    "sources.semaphore_status.1": Sentence(
        en="the ERP is writing to the integration database",
        it="l'ERP sta scrivendo nel database di integrazione",
    ),
    "sources.semaphore_status.2": Sentence(
        en="Kimo is reading the integration database",
        it="Kimo sta leggendo il database di integrazione",
    ),
    "sources.semaphore_status.3": Sentence(
        en="Kimo is writing to the integration database",
        it="Kimo sta scrivendo nel database di integrazione",
    ),
    "sources.semaphore_status.4": Sentence(
        en="the ERP is reading the integration database",
        it="l'ERP sta leggendo il database di integrazione",
    ),
    "sources.semaphore_status.unknown": Sentence(
        en="means nothing to Kimo", it="sconosciuto a Kimo"
    ),
    "sources.semaphore_without_status": Sentence(
        en="source '{source}': the semaphore {table} has no column Status. It has: {columns}.",
        it=(
            "sorgente '{source}': il semaforo {table} non ha la colonna Status. Colonne presenti:"
            " {columns}."
        ),
    ),
    "sources.semaphore_no_number": Sentence(
        en=(
            "{semaphore} has the status {values}. Expected a number from 0 to 4. Set it at the ERP."
        ),
        it=(
            "{semaphore} ha lo stato {values}. Atteso un numero da 0 a 4. Impostarlo dal lato"
            " dell'ERP."
        ),
    ),
    "sources.semaphore_left_behind": Sentence(
        en="{semaphore} was left behind by a run of ours that was killed: taken over",
        it="{semaphore} era rimasto occupato da una nostra esecuzione interrotta: ripreso",
    ),
    "sources.semaphore_in_transaction": Sentence(
        en="{semaphore} is held by a transaction that has not ended",
        it="{semaphore} è bloccato da una transazione non conclusa",
    ),
    "sources.semaphore_busy": Sentence(
        en="{semaphore} is {status}, at every look since {since}",
        it="{semaphore} è {status}, a ogni controllo dalle {since}",
    ),
    "sources.semaphore_busy_not_ours": Sentence(
        en="{semaphore} is {status}, but not by us, at every look since {since}",
        it="{semaphore} è {status}, ma non da parte nostra, a ogni controllo dalle {since}",
    ),
    "sources.semaphore_waiting": Sentence(
        en="{state}. Kimo is waiting up to {limit} for it", it="{state}. Attesa massima: {limit}"
    ),
    "sources.semaphore_given_up.import": Sentence(
        en=(
            "{state}. Kimo waited {limit} (import.semaphore_wait_s). Nothing was read."
            " Wait until it"
            " is idle and import again. If the program that set it is gone, `kimo semaphore reset`"
            " sets it to 0."
        ),
        it=(
            "{state}. Attesa di {limit} (import.semaphore_wait_s). Non è stato letto nulla."
            " Aspettare che sia libero e importare di nuovo. Se nessuno lo occupa più,"
            " `kimo semaphore reset` lo riporta a 0."
        ),
    ),
    "sources.semaphore_given_up.export": Sentence(
        en=(
            "{state}. Kimo waited {limit} (export.semaphore_wait_s). Nothing was sent."
            " Wait until it"
            " is idle and export again. If the program that set it is gone, `kimo semaphore reset`"
            " sets it to 0."
        ),
        it=(
            "{state}. Attesa di {limit} (export.semaphore_wait_s). Non è stato inviato nulla."
            " Aspettare che sia libero ed esportare di nuovo. Se nessuno lo occupa più,"
            " `kimo semaphore reset` lo riporta a 0."
        ),
    ),
    "sources.semaphore_not_set": Sentence(
        en=("{semaphore} cannot be set: {error}. Kimo has to be allowed to read and update it."),
        it=(
            "{semaphore} non si può impostare: {error}. Kimo deve avere il permesso di leggerlo e"
            " modificarlo."
        ),
    ),
    "sources.semaphore_not_given_back": Sentence(
        en=(
            "{semaphore} could not be given back and stays {status}: {error}. It is on record as"
            " ours: the next run gives it back, or `kimo semaphore reset` does"
        ),
        it=(
            "{semaphore} non è stato liberato e resta {status}: {error}. Risulta registrato come"
            " nostro: lo libera la prossima esecuzione, oppure `kimo semaphore reset`"
        ),
    ),
    "sources.no_semaphore.import": Sentence(
        en=("source '{source}' has no table {table}: nothing keeps the ERP from writing meanwhile"),
        it=(
            "la sorgente '{source}' non ha la tabella {table}: nulla impedisce all'ERP di scrivere"
            " nel frattempo"
        ),
    ),
    "sources.no_semaphore.export": Sentence(
        en=("source '{source}' has no table {table}: nothing keeps the ERP from reading meanwhile"),
        it=(
            "la sorgente '{source}' non ha la tabella {table}: nulla impedisce all'ERP di leggere"
            " nel frattempo"
        ),
    ),
}
