"""Sentences of Kimo's database, its ledger, its server and its migrations."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "database.run_without_load": Sentence(
        en="run {run_id} left no load in the ledger, so it has no report",
        it="l'esecuzione {run_id} non ha lasciato alcun caricamento nel registro: non c'è"
        " resoconto",
    ),
    # --- server
    "database.too_old": Sentence(
        en="database: PostgreSQL 17 or newer is needed (COPY ... ON_ERROR with its report)",
        it="database: serve PostgreSQL 17 o successivo (COPY ... ON_ERROR con il suo resoconto)",
    ),
    "database.cannot_connect": Sentence(
        en="database: cannot connect to Kimo's PostgreSQL: {reason}",
        it="database: connessione al PostgreSQL di Kimo non riuscita: {reason}",
    ),
    "database.not_started": Sentence(
        en="the embedded PostgreSQL under {folder} did not start: {reason}. Its log is {log}. If"
        " another program holds the folder, stop it. Or name your own server under `database:"
        " url:`.",
        it="il PostgreSQL integrato in {folder} non si è avviato: {reason}. Il suo log è {log}. Se"
        " un altro programma occupa la cartella, fermarlo. Oppure indicare un proprio server in"
        " `database: url:`.",
    ),
    "database.unreadable_copy_report": Sentence(
        en="PostgreSQL's report of rejected rows could not be read: '{message}'. Set lc_messages ="
        " 'C' on the Kimo database: the report is only understood in English.",
        it="Il resoconto di PostgreSQL sulle righe scartate non è leggibile: '{message}'. Impostare"
        " lc_messages = 'C' nel database di Kimo: il resoconto si capisce solo in inglese.",
    ),
    # --- locks
    "database.run_going_on": Sentence(
        en="'{title}' (load {load}, run {run_id}) is running since {since} UTC. Wait until it has"
        " ended",
        it="'{title}' (caricamento {load}, esecuzione {run_id}) è in corso dalle {since} UTC:"
        " attendere la fine",
    ),
    "database.load_going_on": Sentence(
        en="'{title}' (load {load}) is running since {since} UTC. Wait until it has ended",
        it="'{title}' (caricamento {load}) è in corso dalle {since} UTC: attendere la fine",
    ),
    # --- upgrades
    "database.tables_in_use": Sentence(
        en="Kimo's database cannot be brought up to date, and was left as it is: {sessions} holds a"
        " table of it. Wait until it has ended, then start again",
        it="Il database di Kimo non può essere aggiornato ed è rimasto com'era: una sua tabella è"
        " occupata da {sessions}. Attendere la fine, poi riavviare",
    ),
    "database.session": Sentence(
        en="{program} (process {pid}, user {user}, since {since})",
        it="{program} (processo {pid}, utente {user}, dalle {since})",
    ),
    "database.a_program": Sentence(en="a program", it="un programma"),
    "database.another_program": Sentence(en="another program", it="un altro programma"),
    "database.new_key_does_not_fit": Sentence(
        en="Kimo's database cannot be brought up to date, and was left as it is: {table} gets"
        " another key, and two of its rows have the same one, or a row has none: {reason}. Correct"
        " these rows, then start again",
        it="Il database di Kimo non può essere aggiornato ed è rimasto com'era: {table} ha una"
        " nuova chiave, e due righe hanno la stessa, o una riga non ne ha: {reason}. Correggere"
        " queste righe, poi riavviare",
    ),
    "database.depended_on": Sentence(
        en="Kimo's database cannot be brought up to date, and was left as it is: something of your"
        " own builds on one of its tables: {reason}. Drop the view or rule, start again, and"
        " create it anew",
        it="Il database di Kimo non può essere aggiornato ed è rimasto com'era: un vostro oggetto"
        " dipende da una sua tabella: {reason}. Eliminare la vista o la regola, riavviare e"
        " ricrearla",
    ),
    "database.newer": Sentence(
        en="Kimo's database was made by a newer kimo_assets: it has migration {number}, this"
        " program has them up to {newest}. Nothing was changed. Update this program",
        it="Il database di Kimo è di un kimo_assets più recente: ha la migrazione {number}, questo"
        " programma arriva alla {newest}. Nulla è stato modificato. Aggiornare il programma",
    ),
    "database.upgrade_during_a_run": Sentence(
        en="Kimo's database cannot be brought up to date, and was left as it is: an import or"
        " export is running. Wait until it has ended, then start again",
        it="Il database di Kimo non può essere aggiornato ed è rimasto com'era: è in corso un"
        " import o un export. Attendere la fine, poi riavviare",
    ),
    "database.values_do_not_fit": Sentence(
        en="Kimo's database cannot be brought up to date, and was left as it is: {misfits}."
        " Correct these values, then start again",
        it="Il database di Kimo non può essere aggiornato ed è rimasto com'era: {misfits}."
        " Correggere questi valori, poi riavviare",
    ),
    "database.misfit": Sentence(
        en="{column} becomes {new} (it is {old}), and {count:,} of its values would not fit. This"
        " query finds them: {query}",
        it="{column} diventa {new} (ora è {old}), e {count:,} dei suoi valori non ci starebbero."
        " Questa query li trova: {query}",
        one_en="{column} becomes {new} (it is {old}), and {count:,} of its values would not fit."
        " This query finds it: {query}",
        one_it="{column} diventa {new} (ora è {old}), e {count:,} dei suoi valori non ci starebbe."
        " Questa query lo trova: {query}",
    ),
    "database.retyped": Sentence(
        en="With an upgrade {column} has become {type}, which does not admit its earlier values.",
        it="Con un aggiornamento {column} è diventata {type}, che non ammette i valori precedenti.",
    ),
    # --- rejected rows: since when
    "database.rejected_new": Sentence(en="new", it="nuova"),
    "database.rejected_since": Sentence(
        en="{day} ({count:,} loads)", it="{day} ({count:,} caricamenti)"
    ),
    # --- overdue records: database.overdue.<EntityStatus>
    "database.overdue.1": Sentence(
        en="the ERP has not answered: look there for its SyncReference.",
        it="l'ERP non ha risposto: cercare lì il suo SyncReference.",
    ),
    "database.overdue.3": Sentence(
        en="its export has not ended: run `kimo export`, which looks what became of it.",
        it="il suo export non è finito: lanciare `kimo export`, che ne verifica l'esito.",
    ),
    "database.overdue.5": Sentence(
        en="it is not known whether it arrived at the ERP: run `kimo export`, which looks and tells"
        " how to settle it.",
        it="non si sa se è arrivato all'ERP: lanciare `kimo export`, che verifica e dice come"
        " risolvere.",
    ),
    "database.overdue.6": Sentence(
        en="it waits for an export: run `kimo export`, which tells the reason if it holds it back.",
        it="attende un export: lanciare `kimo export`, che dice il motivo se lo trattiene.",
    ),
    "database.overdue.7": Sentence(
        en="somebody is editing it in Kimo, or has left it unfinished.",
        it="qualcuno lo sta modificando in Kimo, o l'ha lasciato a metà.",
    ),
    "database.overdue.8": Sentence(
        en="Kimo's server has it and has not released it for the export.",
        it="è sul server di Kimo, che non lo ha ancora liberato per l'export.",
    ),
    "database.overdue.9": Sentence(
        en="its upload from the tablet has not ended: let the tablet sync.",
        it="il suo invio dal tablet non è finito: far sincronizzare il tablet.",
    ),
    "database.overdue.10": Sentence(
        en="it was edited again, and the ERP has not answered what was sent before: look there for"
        " its SyncReference.",
        it="è stato modificato di nuovo, e l'ERP non ha risposto all'invio precedente: cercare lì"
        " il suo SyncReference.",
    ),
}
