"""The letters' words in Italian and English, as data; and how figures and times are written in
each.

Sentences about single rows, files and errors come from elsewhere and are in English, as in the
terminal and the UI; menu entries are the vendor's, in Italian.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from kimo_assets.notifications.settings import Language, NotificationSettings

# key: (Italian, English). In braces what is filled in.
WORDS: dict[str, tuple[str, str]] = {
    # a run
    "subject succeeded": ("[Kimo] Completato: {title}", "[Kimo] Done: {title}"),
    "subject failed": ("[Kimo] FALLITO: {title}", "[Kimo] FAILED: {title}"),
    "subject still failing": ("[Kimo] Ancora in errore: {title}", "[Kimo] Still failing: {title}"),
    "subject recovered": ("[Kimo] Di nuovo a posto: {title}", "[Kimo] Works again: {title}"),
    "headline succeeded": ("{title}: completato", "{title}: done"),
    "headline failed": ("{title}: non riuscito", "{title}: failed"),
    "headline still failing": ("{title}: ancora in errore", "{title}: still failing"),
    "headline recovered": ("{title}: funziona di nuovo", "{title}: works again"),
    "started": ("Inizio", "Started"),
    "took": ("Durata", "Took"),
    "load": ("Caricamento", "Load"),
    "run": ("Esecuzione", "Run"),
    "scheduled by": ("Avviato da", "Started by"),
    "failing since": ("In errore dal", "Failing since"),
    "failing runs": ("{since}, {count} esecuzioni", "{since}, {count} runs"),
    "open": ("Apri in Dagster", "Open in the UI"),
    "what failed": ("Che cosa non è riuscito", "What failed"),
    "no reason": (
        "L'esecuzione è finita senza dire perché: il suo registro è in Dagster.",
        "The run ended without saying why: its log is in the UI.",
    ),
    "kept": (
        "Ciò che era finito è conservato, il resto è come prima. Corretta la causa, ripetere con:",
        (
            "What had been finished is kept, the rest is as before. When the cause is mended, run"
            " again with:"
        ),
    ),
    "quiet": (
        (
            "Finché continua a fallire, al più una mail ogni {hours} ore; poi una quando funziona"
            " di nuovo."
        ),
        (
            "While it goes on failing, a mail every {hours} hours at most; then one when it works"
            " again."
        ),
    ),
    "step": ("{title}", "{title}"),
    "step summary": (
        "{entities} entità: {unchanged} invariate, {failed} non riuscite.",
        "{entities} entities: {unchanged} unchanged, {failed} failed.",
    ),
    "and more": ("… e altre {count}.", "… and {count} more."),
    "refused": ("Righe scartate: {count}, nuove {new}", "Refused rows: {count}, new {new}"),
    "refused commands": (
        "Corrette nell'Erp, si riprendono con `kimo retry`. Quali sono, e come trovarle nell'Erp:",
        (
            "Mended in the ERP, `kimo retry` takes them. Which they are, and how to find them in"
            " the ERP:"
        ),
    ),
    "held": (
        "{count} righe trattenute: in Kimo hanno modifiche che non sono ancora nell'Erp.",
        "{count} rows held: they have edits in Kimo that are not in the ERP yet.",
    ),
    "dangling": (
        "{count} riferimenti che non portano a nessuna riga (`kimo status`).",
        "{count} references that point nowhere (`kimo status`).",
    ),
    "to look at": ("Da guardare", "To look at"),
    "exported": ("Export verso Erp: inviati {count}", "To the ERP: {count} sent"),
    "nothing exported": ("Non c'era niente da inviare.", "There was nothing to send."),
    "held back": ("Trattenuti: {count}", "Held back: {count}"),
    "figures": ("Cifre", "Figures"),
    "problems": ("Non riusciti: {count}", "Could not be done: {count}"),
    "notes": ("Note", "Notes"),
    # columns
    "entity": ("Entità", "Entity"),
    "status": ("Esito", "Result"),
    "read": ("Lette", "Read"),
    "staged": ("Accettate", "Staged"),
    "rejected": ("Scartate", "Refused"),
    "refused_": ("Scartate", "Refused"),
    "inserted": ("Nuove", "Inserted"),
    "updated": ("Cambiate", "Updated"),
    "archived": ("Archiviate", "Archived"),
    "held_": ("Trattenute", "Held"),
    "rows": ("Righe", "Rows"),
    "rows_put": ("Cambiate", "Changed"),
    "rows_removed": ("Tolte", "Removed"),
    "agents": ("Agenti", "Agents"),
    "seconds": ("Secondi", "Seconds"),
    "new": ("Nuove", "New"),
    "why": ("Perché", "Why"),
    "what": ("Che cosa", "What"),
    "which": ("Quale", "Which"),
    "since": ("Da", "Since"),
    "records": ("Documenti", "Records"),
    "count": ("Quanti", "Count"),
    "ok": ("fatto", "done"),
    "unchanged": ("invariata", "unchanged"),
    "failed": ("NON RIUSCITA", "FAILED"),
    "skipped": ("saltata", "skipped"),
    # the morning report
    "morning subject": ("[Kimo] Rapporto del mattino: {state}", "[Kimo] Morning report: {state}"),
    "morning headline": ("Rapporto del mattino, {day}", "Morning report, {day}"),
    "all well": ("tutto a posto", "all is well"),
    "to do": ("{count} cose da guardare", "{count} things to look at"),
    "one to do": ("una cosa da guardare", "one thing to look at"),
    "covers": ("Dal", "Since"),
    "last load": ("Ultimo caricamento", "Last load"),
    "load line": ("{load}, {title}, {at}: {outcome}", "{load}, {title}, {at}: {outcome}"),
    "succeeded": ("riuscito", "succeeded"),
    "load failed": ("non riuscito", "failed"),
    "running": ("in corso", "running"),
    "killed": ("interrotto", "killed"),
    "no load": ("nessuno finora", "none so far"),
    "fresh until": ("Dati aggiornati almeno al", "Data fresh at least until"),
    "fresh": ("Freschezza dei dati", "How fresh the data are"),
    "stale": (
        "{count} entità più vecchie di {hours} ore, o mai lette:",
        "{count} entities older than {hours} hours, or never read:",
    ),
    "all fresh": (
        "Tutte le {count} entità sono più recenti di {hours} ore.",
        "All {count} entities are younger than {hours} hours.",
    ),
    "never": ("mai", "never"),
    "read last": ("Letta", "Read"),
    "failed since": ("Non riusciti", "What failed"),
    "failing now": (
        "{job}: in errore dal {since}, {count} esecuzioni.",
        "{job}: failing since {since}, {count} runs.",
    ),
    "killed load": (
        "{title} (caricamento {load}) è stato interrotto prima della fine.",
        "{title} (load {load}) was killed before its end.",
    ),
    "failed load": ("{title} (caricamento {load}, {at})", "{title} (load {load}, {at})"),
    "waiting": ("In attesa dell'Erp", "Waiting for the ERP"),
    "ready": ("Pronti", "Ready"),
    "held record": ("Trattenuti", "Held"),
    "waiting record": ("Attendono altri", "Waiting"),
    "in_flight": ("In viaggio", "Under way"),
    "unacknowledged": ("Senza risposta", "Unanswered"),
    "nothing waits": ("Niente.", "Nothing."),
    "stuck": ("Fermi da troppo tempo: {count}", "Stuck: {count}"),
    "tablets": (
        "Tablet non sincronizzati da più di {hours} ore: {count}",
        "Tablets that have not synced for more than {hours} hours: {count}",
    ),
    "user": ("Utente", "User"),
    "agent": ("Agente", "Agent"),
    "device": ("Dispositivo", "Device"),
    "last sync": ("Ultima sincronizzazione", "Last sync"),
    "tablets unknown": (
        "Non si sa: il server di Kimo non ha scritto nessuna sincronizzazione in ops.tablet_sync.",
        "Not known: Kimo's server has written no sync into ops.tablet_sync.",
    ),
    "tablets never": (
        "{count} agenti di cui non si conosce nessuna sincronizzazione: {names}",
        "{count} agents of whom no sync is known: {names}",
    ),
    "corrections": ("Immagini e indirizzi da correggere", "Pictures and addresses to correct"),
    "pictures": (
        "{count} immagini nominate da righe non si possono usare:",
        "{count} pictures that rows name cannot be used:",
    ),
    "addresses": ("{count} indirizzi da correggere:", "{count} addresses to correct:"),
    "mails": ("Mail non consegnate: {count}", "Mails that were not delivered: {count}"),
    # the foot
    "foot": (
        (
            "Inviata da kimo_assets a chi è nominato in `notifications:` di kimo.yaml o nelle"
            " impostazioni NotificationCenter della console."
        ),
        (
            "Sent by kimo_assets to those named in `notifications:` of kimo.yaml, or in the"
            " console's NotificationCenter settings."
        ),
    ),
}

_PLACES: dict[Language, int] = {"it": 0, "en": 1}


@dataclass(frozen=True)
class Words:
    """Words of one language, and times of one time zone."""

    language: Language
    timezone: ZoneInfo

    @classmethod
    def of(cls, settings: NotificationSettings) -> "Words":
        return cls(settings.language, settings.timezone)

    def __call__(self, key: str, **values: object) -> str:
        return WORDS[key][_PLACES[self.language]].format(**values)

    def columns(self, *keys: str) -> Sequence[str]:
        return [self(key) for key in keys]

    def number(self, value: float | None) -> str:
        """For a table: as a count, and a dash for nothing."""
        return self.count(value) if value else "-"

    def count(self, value: float) -> str:
        """1,234 or 1.234."""
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "it" else text

    def moment(self, value: datetime | None) -> str:
        if value is None:
            return self("never")
        return value.astimezone(self.timezone).strftime(
            "%d/%m/%Y %H:%M" if self.language == "it" else "%Y-%m-%d %H:%M"
        )

    def day(self, value: datetime) -> str:
        return value.astimezone(self.timezone).strftime(
            "%d/%m/%Y" if self.language == "it" else "%Y-%m-%d"
        )

    def duration(self, seconds: float) -> str:
        """E.g. 2 h 05 min, 3 min 20 s, 4 s."""
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes:02} min"
        return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
