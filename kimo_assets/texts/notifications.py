"""The words of mails and of their sending, in the language that `notifications:` asks for."""

from kimo_assets.texts.catalogue import Sentence

_A_RUN = {
    "notifications.subject.succeeded": Sentence(
        en="[Kimo] Done: {title}", it="[Kimo] Completato: {title}"
    ),
    "notifications.subject.failed": Sentence(
        en="[Kimo] FAILED: {title}", it="[Kimo] FALLITO: {title}"
    ),
    "notifications.subject.still_failing": Sentence(
        en="[Kimo] Still failing: {title}", it="[Kimo] Ancora in errore: {title}"
    ),
    "notifications.subject.recovered": Sentence(
        en="[Kimo] Works again: {title}", it="[Kimo] Di nuovo a posto: {title}"
    ),
    "notifications.headline.succeeded": Sentence(en="{title}: done", it="{title}: completato"),
    "notifications.headline.failed": Sentence(en="{title}: failed", it="{title}: non riuscito"),
    "notifications.headline.still_failing": Sentence(
        en="{title}: still failing", it="{title}: ancora in errore"
    ),
    "notifications.headline.recovered": Sentence(
        en="{title}: works again", it="{title}: funziona di nuovo"
    ),
    "notifications.started": Sentence(en="Started", it="Inizio"),
    "notifications.took": Sentence(en="Took", it="Durata"),
    "notifications.load": Sentence(en="Load", it="Caricamento"),
    "notifications.run": Sentence(en="Run", it="Esecuzione"),
    "notifications.started_by": Sentence(en="Started by", it="Avviato da"),
    "notifications.failing_since": Sentence(en="Failing since", it="In errore dal"),
    "notifications.failing_runs": Sentence(
        en="{since}, {count:,} runs",
        it="{since}, {count:,} esecuzioni",
        one_en="{since}, {count:,} run",
        one_it="{since}, {count:,} esecuzione",
    ),
    "notifications.open_ui": Sentence(en="Open in the UI", it="Apri in Dagster"),
    "notifications.failures": Sentence(en="What failed", it="Che cosa non è riuscito"),
    "notifications.no_reason": Sentence(
        en="The run ended without saying why: its log is in the UI.",
        it="L'esecuzione è finita senza dire perché: il suo registro è in Dagster.",
    ),
    "notifications.repeat_with": Sentence(
        en=(
            "What was finished is kept, the rest is as before. When the cause is corrected, run it"
            " again with:"
        ),
        it=(
            "Ciò che era finito è conservato, il resto è come prima. Corretta la causa, ripetere"
            " con:"
        ),
    ),
    "notifications.next_mail": Sentence(
        en=(
            "While it goes on failing, there is at most one mail every {hours} hours. When it works"
            " again, there is one more."
        ),
        it=(
            "Finché continua a fallire, arriva al più una mail ogni {hours} ore. Quando funziona di"
            " nuovo, ne arriva un'altra."
        ),
    ),
    "notifications.step_summary": Sentence(
        en="{entities} entities: {unchanged} unchanged, {failed} failed.",
        it="{entities} entità: {unchanged} invariate, {failed} non riuscite.",
    ),
    "notifications.and_more": Sentence(
        en="… and {count:,} more.", it="… e altre {count:,}.", one_it="… e un'altra ({count:,})."
    ),
    "notifications.rejected_rows": Sentence(
        en="Rejected rows: {count:,}, new {new:,}", it="Righe scartate: {count:,}, nuove {new:,}"
    ),
    "notifications.retry_rejected": Sentence(
        en=(
            "When they are corrected in the ERP, `kimo retry` takes them. Which they are, and how"
            " to find them in the ERP:"
        ),
        it=(
            "Corrette nell'Erp, si riprendono con `kimo retry`. Quali sono, e come trovarle"
            " nell'Erp:"
        ),
    ),
    "notifications.held_rows": Sentence(
        en="{count:,} rows held: they have edits in Kimo that are not in the ERP yet.",
        it="{count:,} righe trattenute: in Kimo hanno modifiche che non sono ancora nell'Erp.",
        one_en="{count:,} row held: it has edits in Kimo that are not in the ERP yet.",
        one_it="{count:,} riga trattenuta: in Kimo ha modifiche che non sono ancora nell'Erp.",
    ),
    "notifications.dangling": Sentence(
        en="{count:,} references that point nowhere (`kimo status`).",
        it="{count:,} riferimenti che non portano a nessuna riga (`kimo status`).",
        one_en="{count:,} reference that points nowhere (`kimo status`).",
        one_it="{count:,} riferimento che non porta a nessuna riga (`kimo status`).",
    ),
    "notifications.to_look_at": Sentence(en="To look at", it="Da guardare"),
    "notifications.exported": Sentence(
        en="To the ERP: {count:,} sent", it="Export verso Erp: inviati {count:,}"
    ),
    "notifications.nothing_exported": Sentence(
        en="There was nothing to send.", it="Non c'era niente da inviare."
    ),
    "notifications.held_back": Sentence(en="Held back: {count:,}", it="Trattenuti: {count:,}"),
    "notifications.figures": Sentence(en="Figures", it="Cifre"),
    "notifications.problems": Sentence(
        en="Could not be done: {count:,}", it="Non riusciti: {count:,}"
    ),
    "notifications.notes": Sentence(en="Notes", it="Note"),
}

_COLUMNS = {
    "notifications.column.entity": Sentence(en="Entity", it="Entità"),
    "notifications.column.status": Sentence(en="Result", it="Esito"),
    "notifications.column.read": Sentence(en="Read", it="Lette"),
    "notifications.column.staged": Sentence(en="Staged", it="Accettate"),
    "notifications.column.rejected": Sentence(en="Rejected", it="Scartate"),
    "notifications.column.inserted": Sentence(en="Inserted", it="Nuove"),
    "notifications.column.updated": Sentence(en="Updated", it="Cambiate"),
    "notifications.column.archived": Sentence(en="Archived", it="Archiviate"),
    "notifications.column.held": Sentence(en="Held", it="Trattenute"),
    "notifications.column.rows": Sentence(en="Rows", it="Righe"),
    "notifications.column.rows_put": Sentence(en="Changed", it="Cambiate"),
    "notifications.column.rows_removed": Sentence(en="Removed", it="Tolte"),
    "notifications.column.agents": Sentence(en="Agents", it="Agenti"),
    "notifications.column.seconds": Sentence(en="Seconds", it="Secondi"),
    "notifications.column.new": Sentence(en="New", it="Nuove"),
    "notifications.column.reason": Sentence(en="Why", it="Perché"),
    "notifications.column.subject": Sentence(en="What", it="Che cosa"),
    "notifications.column.which": Sentence(en="Which", it="Quale"),
    "notifications.column.since": Sentence(en="Since", it="Da"),
    "notifications.column.records": Sentence(en="Records", it="Documenti"),
    "notifications.column.count": Sentence(en="Count", it="Quanti"),
    "notifications.column.read_last": Sentence(en="Read", it="Letta"),
    "notifications.column.ready": Sentence(en="Ready", it="Pronti"),
    "notifications.column.held_records": Sentence(en="Held", it="Trattenuti"),
    "notifications.column.waiting_records": Sentence(en="Waiting", it="Attendono altri"),
    "notifications.column.in_flight": Sentence(en="Under way", it="In viaggio"),
    "notifications.column.unacknowledged": Sentence(en="Unanswered", it="Senza risposta"),
    "notifications.column.user": Sentence(en="User", it="Utente"),
    "notifications.column.agent": Sentence(en="Agent", it="Agente"),
    "notifications.column.device": Sentence(en="Device", it="Dispositivo"),
    "notifications.column.last_sync": Sentence(en="Last sync", it="Ultima sincronizzazione"),
    "notifications.status.ok": Sentence(en="done", it="fatto"),
    "notifications.status.unchanged": Sentence(en="unchanged", it="invariata"),
    "notifications.status.failed": Sentence(en="FAILED", it="NON RIUSCITA"),
    "notifications.status.skipped": Sentence(en="skipped", it="saltata"),
}

_MORNING = {
    "notifications.morning.subject": Sentence(
        en="[Kimo] Morning report: {state}", it="[Kimo] Rapporto del mattino: {state}"
    ),
    "notifications.morning.headline": Sentence(
        en="Morning report, {day}: {state}", it="Rapporto del mattino, {day}: {state}"
    ),
    "notifications.morning.all_well": Sentence(en="all is well", it="tutto a posto"),
    "notifications.morning.to_do": Sentence(
        en="{count} things to look at",
        it="{count} cose da guardare",
        one_en="one thing to look at",
        one_it="una cosa da guardare",
    ),
    "notifications.morning.covers": Sentence(en="Since", it="Dal"),
    "notifications.morning.last_load": Sentence(en="Last load", it="Ultimo caricamento"),
    "notifications.morning.load": Sentence(
        en="{load}, {title}, {at}: {outcome}", it="{load}, {title}, {at}: {outcome}"
    ),
    "notifications.load.succeeded": Sentence(en="succeeded", it="riuscito"),
    "notifications.load.failed": Sentence(en="failed", it="non riuscito"),
    "notifications.load.running": Sentence(en="running", it="in corso"),
    "notifications.load.killed": Sentence(en="killed", it="interrotto"),
    "notifications.load.none": Sentence(en="none so far", it="nessuno finora"),
    "notifications.morning.fresh_until": Sentence(
        en="Data fresh at least until", it="Dati aggiornati almeno al"
    ),
    "notifications.morning.freshness": Sentence(
        en="How fresh the data are", it="Freschezza dei dati"
    ),
    "notifications.morning.stale": Sentence(
        en="{count} entities older than {hours} hours, or never read:",
        it="{count} entità più vecchie di {hours} ore, o mai lette:",
        one_en="{count} entity older than {hours} hours, or never read:",
    ),
    "notifications.morning.all_fresh": Sentence(
        en="All {count} entities are younger than {hours} hours.",
        it="Tutte le {count} entità sono più recenti di {hours} ore.",
    ),
    "notifications.never": Sentence(en="never", it="mai"),
    "notifications.morning.failed": Sentence(en="What failed", it="Non riusciti"),
    "notifications.morning.failing_job": Sentence(
        en="{job}: failing since {since}, {count:,} runs.",
        it="{job}: in errore dal {since}, {count:,} esecuzioni.",
        one_en="{job}: failing since {since}, {count:,} run.",
        one_it="{job}: in errore dal {since}, {count:,} esecuzione.",
    ),
    "notifications.morning.killed_load": Sentence(
        en="{title} (load {load}) was killed before its end.",
        it="{title} (caricamento {load}) è stato interrotto prima della fine.",
    ),
    "notifications.morning.failed_load": Sentence(
        en="{title} (load {load}, {at})", it="{title} (caricamento {load}, {at})"
    ),
    "notifications.morning.waiting": Sentence(en="Waiting for the ERP", it="In attesa dell'Erp"),
    "notifications.morning.nothing_waits": Sentence(en="Nothing.", it="Niente."),
    "notifications.morning.stuck": Sentence(
        en="Stuck: {count:,}", it="Fermi da troppo tempo: {count:,}"
    ),
    "notifications.morning.late_tablets": Sentence(
        en="Tablets that have not synced for more than {hours} hours: {count:,}",
        it="Tablet non sincronizzati da più di {hours} ore: {count:,}",
    ),
    "notifications.morning.unknown_tablets": Sentence(
        en="Tablets that have not synced for more than {hours} hours: ?",
        it="Tablet non sincronizzati da più di {hours} ore: ?",
    ),
    "notifications.morning.no_sync_written": Sentence(
        en="Not known: Kimo's server has written no sync into ops.tablet_sync.",
        it=(
            "Non si sa: il server di Kimo non ha scritto nessuna sincronizzazione in"
            " ops.tablet_sync."
        ),
    ),
    "notifications.morning.agents_without_sync": Sentence(
        en="{count} agents without a known sync: {names}",
        it="{count} agenti di cui non si conosce nessuna sincronizzazione: {names}",
        one_en="{count} agent without a known sync: {names}",
        one_it="{count} agente di cui non si conosce nessuna sincronizzazione: {names}",
    ),
    "notifications.morning.corrections": Sentence(
        en="Pictures and addresses to correct", it="Immagini e indirizzi da correggere"
    ),
    "notifications.morning.pictures": Sentence(
        en="{count:,} pictures that rows name cannot be used:",
        it="{count:,} immagini nominate da righe non si possono usare:",
        one_en="{count:,} picture that rows name cannot be used:",
        one_it="{count:,} immagine nominata da righe non si può usare:",
    ),
    "notifications.morning.addresses": Sentence(
        en="{count:,} addresses to correct:",
        it="{count:,} indirizzi da correggere:",
        one_en="{count:,} address to correct:",
        one_it="{count:,} indirizzo da correggere:",
    ),
    "notifications.morning.undelivered": Sentence(
        en="Mails that were not delivered: {count}", it="Mail non consegnate: {count}"
    ),
    "notifications.foot": Sentence(
        en=(
            "Sent by kimo_assets to those named in `notifications:` of kimo.yaml, or in the"
            " console's NotificationCenter settings."
        ),
        it=(
            "Inviata da kimo_assets a chi è nominato in `notifications:` di kimo.yaml o nelle"
            " impostazioni NotificationCenter della console."
        ),
    ),
}

_SENDING = {
    "notifications.sent": Sentence(
        en="{count} mails sent",
        it="{count} mail inviate",
        one_en="{count} mail sent",
        one_it="{count} mail inviata",
    ),
    "notifications.pending": Sentence(
        en="{count} mails to be tried again",
        it="{count} mail da ritentare",
        one_en="{count} mail to be tried again",
    ),
    "notifications.lost": Sentence(
        en="{count} mails given up",
        it="{count} mail abbandonate",
        one_en="{count} mail given up",
        one_it="{count} mail abbandonata",
    ),
    "notifications.nothing_sent": Sentence(en="no mail sent", it="nessuna mail inviata"),
    "notifications.given_up": Sentence(
        en="'{subject}' is given up after {attempts} attempts",
        it="'{subject}' è abbandonata dopo {attempts} tentativi",
    ),
    "notifications.no_server": Sentence(
        en=(
            "nobody is told by mail: there is no mail server. Say `notifications: smtp:` in"
            " kimo.yaml, or MailServer\\SmtpServer in the console's server settings"
        ),
        it=(
            "nessuno è avvisato per mail: non c'è un server di posta. Indicare `notifications:"
            " smtp:` in kimo.yaml, o MailServer\\SmtpServer nelle impostazioni del server della"
            " console"
        ),
    ),
    "notifications.own_key": Sentence(
        en="notifications: {key}: of kimo.yaml", it="notifications: {key}: di kimo.yaml"
    ),
    "notifications.server_setting": Sentence(
        en="the server setting {key}", it="l'impostazione del server {key}"
    ),
    "notifications.no_address": Sentence(
        en="{origin}: '{text}' is no mail address and gets no mail; expected anna@firm.it, say",
        it=(
            "{origin}: '{text}' non è un indirizzo di posta e non riceve mail; un esempio valido:"
            " anna@firm.it"
        ),
    ),
    "notifications.no_sender_address": Sentence(
        en="the sender '{text}' is no mail address; expected one such as kimo@firm.it",
        it="il mittente '{text}' non è un indirizzo di posta; un esempio valido: kimo@firm.it",
    ),
    "notifications.variable_not_set": Sentence(
        en="{origin}: the environment variable {name} is not set",
        it="{origin}: la variabile d'ambiente {name} non è impostata",
    ),
    "notifications.wrong_server": Sentence(
        en="the mail server in the console's server settings: {key}: {problem}",
        it="il server di posta nelle impostazioni della console: {key}: {problem}",
    ),
}

_SERVER = {
    "notifications.smtp.recipient": Sentence(
        en="the mail server {server} does not take mail for {address}: {answer}",
        it="il server di posta {server} non accetta mail per {address}: {answer}",
    ),
    "notifications.smtp.login": Sentence(
        en=(
            "the mail server {server} refuses the user '{user}' or the password: {answer}. Look at"
            " `notifications: smtp:`"
        ),
        it=(
            "il server di posta {server} rifiuta l'utente '{user}' o la password: {answer}."
            " Controllare `notifications: smtp:`"
        ),
    ),
    "notifications.smtp.not_offered": Sentence(
        en=(
            "the mail server {server} does not offer what is asked of it ({error}). Look at"
            " `security` and `username`"
        ),
        it=(
            "il server di posta {server} non offre ciò che gli è chiesto ({error}). Controllare"
            " `security` e `username`"
        ),
    ),
    "notifications.smtp.certificate": Sentence(
        en="the mail server {server} shows a certificate that is not trusted here: {error}",
        it="il server di posta {server} presenta un certificato non ritenuto valido: {error}",
    ),
    "notifications.smtp.tls": Sentence(
        en=(
            "the mail server {server} does not speak TLS as asked ({error}). Look at `port` and"
            " `security`"
        ),
        it=(
            "il server di posta {server} non usa TLS come richiesto ({error}). Controllare `port` e"
            " `security`"
        ),
    ),
    "notifications.smtp.sender": Sentence(
        en="the mail server {server} does not take mail from {address}: {answer}",
        it="il server di posta {server} non accetta mail da {address}: {answer}",
    ),
    "notifications.smtp.mail": Sentence(
        en="the mail server {server} does not take the mail: {answer}",
        it="il server di posta {server} non accetta la mail: {answer}",
    ),
    "notifications.smtp.disconnected": Sentence(
        en="the mail server {server} hung up, or did not answer in time ({error})",
        it="il server di posta {server} ha chiuso, o non ha risposto in tempo ({error})",
    ),
    "notifications.smtp.not_ascii": Sentence(
        en=(
            "the mail server {server} cannot be given its name, user or password: one holds letters"
            " that are not plain ASCII"
        ),
        it=(
            "il server di posta {server} non può ricevere il suo nome, l'utente o la password:"
            " contengono lettere che non sono ASCII"
        ),
    ),
    "notifications.smtp.timeout": Sentence(
        en="the mail server {server} does not answer within {seconds:g} s",
        it="il server di posta {server} non risponde entro {seconds:g} s",
    ),
    "notifications.smtp.unreachable": Sentence(
        en="the mail server {server} cannot be reached: {error}",
        it="il server di posta {server} non è raggiungibile: {error}",
    ),
}

SENTENCES = _A_RUN | _COLUMNS | _MORNING | _SENDING | _SERVER
