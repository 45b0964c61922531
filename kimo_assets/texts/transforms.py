"""Sentences of transformations: mistakes in kimo.yaml's `transform`, and why a value was rejected.

Sentences that begin with a small letter follow the place in kimo.yaml, or the name of the rule.
"""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # Mistakes in the notation
    "transforms.expected_steps": Sentence(
        en="expected a step or a list of steps, e.g. trim",
        it="atteso un passo o un elenco di passi, p.es. trim",
    ),
    "transforms.expected_step": Sentence(
        en="expected a step, e.g. trim or {example}",
        it="atteso un passo, p.es. trim oppure {example}",
    ),
    "transforms.only_first": Sentence(
        en="`{name}` makes a new value, so it can only be the first step",
        it="`{name}` crea un valore nuovo, quindi può essere solo il primo passo",
    ),
    "transforms.takes_no_argument": Sentence(
        en="`{name}` takes no argument: write it without a colon",
        it="`{name}` non ha argomenti: scriverlo senza due punti",
    ),
    "transforms.needs_argument": Sentence(
        en="`{name}` needs an argument. Expected e.g. {example}",
        it="`{name}` richiede un argomento. Atteso p.es. {example}",
    ),
    "transforms.expected_like": Sentence(
        en="{problem}. Expected e.g. {example}", it="{problem}. Atteso p.es. {example}"
    ),
    "transforms.two_steps": Sentence(
        en="{names} are two steps: write them as a list, one `- ` each",
        it="{names} sono due passi: scriverli come elenco, un `- ` per ciascuno",
    ),
    "transforms.and": Sentence(en=" and ", it=" e "),
    "transforms.unknown_option": Sentence(
        en="`{name}` has no `{option}`.{hint}", it="`{name}` non ha `{option}`.{hint}"
    ),
    "transforms.unknown_step": Sentence(
        en="there is no transformation `{name}`.{hint}",
        it="non esiste la trasformazione `{name}`.{hint}",
    ),
    "transforms.there_are": Sentence(en=" There are: {names}.", it=" Esistono: {names}."),
    "transforms.expected.value": Sentence(en="expected a value", it="atteso un valore"),
    "transforms.expected.expression": Sentence(
        en="expected an expression", it="attesa un'espressione"
    ),
    "transforms.expected.text": Sentence(en="expected a text", it="atteso un testo"),
    "transforms.expected.format": Sentence(en="expected a format", it="atteso un formato"),
    "transforms.expected.example": Sentence(en="expected an example", it="atteso un esempio"),
    "transforms.expected_columns": Sentence(
        en="expected a list of columns", it="atteso un elenco di colonne"
    ),
    "transforms.expected_pairs": Sentence(en="expected pairs", it="attese coppie"),
    "transforms.expected_value_for": Sentence(
        en="expected a value for {key}", it="atteso un valore per {key}"
    ),
    "transforms.replaces_empty": Sentence(
        en="an empty text cannot be replaced", it="un testo vuoto non si può sostituire"
    ),
    # Formats of days and numbers
    "transforms.unknown_date_part": Sentence(
        en="'{letters}' is no part of a date here. Known: {parts}; quote other letters",
        it=(
            "'{letters}' qui non è una parte di una data. Ammesse: {parts}; mettere fra apici le"
            " altre lettere"
        ),
    ),
    "transforms.date_part_twice": Sentence(
        en="'{notation}' says a part of the date twice",
        it="'{notation}' indica due volte una parte della data",
    ),
    "transforms.date_part_missing": Sentence(
        en=(
            "'{notation}' does not say year, month and day. Expected e.g. dd/MM/yyyy (MM month, mm"
            " minute)"
        ),
        it=(
            "'{notation}' non indica anno, mese e giorno. Atteso p.es. dd/MM/yyyy (MM mese, mm"
            " minuti)"
        ),
    ),
    "transforms.not_a_number_example": Sentence(
        en=(
            "'{example}' is no example of a number. Expected 1234.56 as it is written there, e.g."
            " 1.234,56"
        ),
        it=(
            "'{example}' non è un esempio di numero. Atteso 1234.56 come si scrive lì, p.es."
            " 1.234,56"
        ),
    ),
    # Why a value was rejected
    "transforms.rejected.date": Sentence(en="expected {formats}", it="atteso {formats}"),
    "transforms.year_month_day": Sentence(en="year-month-day", it="anno-mese-giorno"),
    "transforms.rejected.number": Sentence(
        en="expected a number written like {example}",
        it="atteso un numero scritto come {example}",
    ),
    "transforms.rejected.whole_number": Sentence(
        en="expected a whole number", it="atteso un numero intero"
    ),
    "transforms.rejected.code": Sentence(en="expected one of {codes}", it="atteso uno fra {codes}"),
    "transforms.rejected.bytes": Sentence(
        en="bytes that are no characters", it="byte che non sono caratteri"
    ),
    # Expressions
    "transforms.expression_unreadable": Sentence(
        en="the expression cannot be read: {problem}",
        it="l'espressione non è leggibile: {problem}",
    ),
    "transforms.token_unexpected": Sentence(
        en="'{token}' is not expected there", it="'{token}' lì non è atteso"
    ),
    "transforms.unknown_filter": Sentence(
        en="there is no filter '{name}'.{hint}", it="non esiste il filtro '{name}'.{hint}"
    ),
    "transforms.unknown_test": Sentence(
        en="there is no test '{name}'.{hint}", it="non esiste il test '{name}'.{hint}"
    ),
    "transforms.attribute_forbidden": Sentence(
        en="'{name}' cannot be used here", it="'{name}' qui non si può usare"
    ),
    "transforms.values_do_not_suit": Sentence(
        en="the values do not suit the expression ({problem})",
        it="i valori non sono adatti all'espressione ({problem})",
    ),
    "transforms.not_a_value": Sentence(
        en="gives a {type}, which is no value", it="dà un {type}, che non è un valore"
    ),
    "transforms.division_by_zero": Sentence(en="division by zero", it="divisione per zero"),
    "transforms.not_a_number_to_round": Sentence(
        en="'{value}' is no number to round", it="'{value}' non è un numero da arrotondare"
    ),
    "transforms.unknown_rounding": Sentence(
        en="round knows {methods}, not {method}", it="round ammette {methods}, non {method}"
    ),
}
