"""Sentences of Kimo's database, its ledger, its server and its migrations."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "database.run_without_load": Sentence(
        en="run {run_id} left no load in the ledger, so it has no report",
        it="l'esecuzione {run_id} non ha lasciato alcun caricamento nel registro: non c'è resoconto",
    ),
}
