"""Sentences of the Dagster layer: what its runs, jobs and assets say of themselves."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
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
