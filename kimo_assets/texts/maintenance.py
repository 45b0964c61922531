"""Sentences of maintenance/: the cleaning of the ledger, and the semaphores."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- retention
    "maintenance.only_the_first": Sentence(
        en="{rows}: only the first {count:,}, the rest is the next run's",
        it="{rows}: solo le prime {count:,}, le altre alla prossima esecuzione",
    ),
}
