"""Sentences about a settings file: what is wrong in it, and what is probably not meant."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "settings.empty_file": Sentence(
        en="{file} is empty. Expected sections: {sections}",
        it="{file} è vuoto. Sezioni ammesse: {sections}",
    ),
    "settings.no_sections": Sentence(
        en="{file}: expected sections such as `BusinessRule:` or `User:`, each with its rows",
        it="{file}: servono sezioni come `BusinessRule:` o `User:`, ognuna con le sue righe",
    ),
    "settings.and_more": Sentence(en="... and {count} more", it="... e altri {count}"),
    "settings.did_you_mean": Sentence(en="Did you mean {names}?", it="Forse {names}?"),
    "settings.there_are": Sentence(en="There are: {names}.", it="Esistono: {names}."),
    "settings.columns_are": Sentence(en="It has: {names}.", it="Ha: {names}."),
    "settings.expected_one_of": Sentence(
        en="Expected {names} or {last}.", it="Valori ammessi: {names} o {last}."
    ),
    "settings.no_such_section": Sentence(
        en="there is no such section. {hint}", it="questa sezione non esiste. {hint}"
    ),
    "settings.empty_section": Sentence(
        en=(
            "the section is empty. `{{}}` would empty its table; take the section out to leave the"
            " table as it is"
        ),
        it=(
            "la sezione è vuota. `{{}}` svuoterebbe la sua tabella; togliere la sezione per"
            " lasciare la tabella com'è"
        ),
    ),
    "settings.expected_list": Sentence(
        en="expected a list, the {column} of each: [A, B]",
        it="serve un elenco, {column} di ciascuno: [A, B]",
    ),
    "settings.expected_rows": Sentence(
        en="expected rows by their {column}, each with a line `key: ...`",
        it="servono righe per {column}, ognuna con una riga `chiave: ...`",
    ),
    "settings.required": Sentence(
        en="{column} is required and is not there", it="{column} è obbligatorio e manca"
    ),
    "settings.open_secret": Sentence(
        en=(
            "a secret does not stand in a file: write ${{NAME}}, and set the variable NAME where"
            " Kimo runs"
        ),
        it=(
            "un segreto non si scrive in un file: scrivere ${{NAME}}, e impostare la variabile NAME"
            " dove gira Kimo"
        ),
    ),
    "settings.twice": Sentence(
        en="this row is there twice; keep one", it="questa riga c'è due volte; tenerne una"
    ),
    "settings.empty_key": Sentence(en="its {column} is empty", it="il suo {column} è vuoto"),
    "settings.expected_columns": Sentence(
        en="expected its columns, {{{column}: ...}}, got {value}",
        it="servono le sue colonne, {{{column}: ...}}, trovato {value}",
    ),
    "settings.no_such_column": Sentence(
        en="{table} has no column '{column}'. {hint}",
        it="{table} non ha la colonna '{column}'. {hint}",
    ),
    "settings.expected_one_value": Sentence(
        en="expected one value for {column}, got {value}",
        it="serve un solo valore per {column}, trovato {value}",
    ),
    "settings.a_table": Sentence(en="a table", it="una tabella"),
    "settings.a_list": Sentence(en="a list", it="un elenco"),
    # --- values
    "settings.expected_flag": Sentence(
        en="expected true or false, got {value}", it="serve true o false, trovato {value}"
    ),
    "settings.expected_number": Sentence(
        en="expected a whole number, got {value}", it="serve un numero intero, trovato {value}"
    ),
    "settings.not_a_text": Sentence(
        en="the text holds a NUL or half a character, which no text may hold",
        it="il testo contiene un NUL o mezzo carattere, che nessun testo può contenere",
    ),
    "settings.too_long": Sentence(
        en="at most {size} characters, got {length}",
        it="al massimo {size} caratteri, trovati {length}",
    ),
    "settings.no_such_value": Sentence(
        en="there is no {value} here. {hint}", it="qui {value} non esiste. {hint}"
    ),
    # --- references
    "settings.no_such_row": Sentence(
        en="there is no {target} '{value}'. {hint}", it="{target} '{value}' non esiste. {hint}"
    ),
    "settings.left_out_in_use": Sentence(
        en=(
            "'{value}' is left out and in use, by {table} {users}: keep it, or take it from there"
            " first"
        ),
        it=("'{value}' manca ed è in uso, in {table} {users}: tenerlo, o toglierlo prima da lì"),
    ),
    "settings.users_and_others": Sentence(en="{users} and others", it="{users} e altri"),
    "settings.not_imported": Sentence(
        en=(
            "there is no {target} '{value}' among the imported ones, and only these can be chosen."
            " {hint}"
        ),
        it=(
            "{target} '{value}' non è tra quelli importati, e solo questi si possono scegliere."
            " {hint}"
        ),
    ),
    "settings.none_imported_yet": Sentence(
        en="No {target} is imported yet: `kimo import` first.",
        it="Nessun {target} è ancora importato: prima `kimo import`.",
    ),
    "settings.they_are": Sentence(en="They are {names}.", it="Sono {names}."),
    "settings.some_are": Sentence(en="They are {names} ...", it="Sono {names} ..."),
    "settings.not_an_entity": Sentence(
        en="'{name}' is not an entity. {hint}", it="'{name}' non è un'entità. {hint}"
    ),
    "settings.no_such_status_kind": Sentence(
        en="there is no such kind of status. Expected an entity and a number. {hint}",
        it="questo tipo di stato non esiste. Servono un'entità e un numero. {hint}",
    ),
    "settings.status_kind_example": Sentence(en="E.g. Account1.", it="Per esempio Account1."),
    "settings.no_such_field": Sentence(
        en="{entity} has no field '{field}'. {hint}",
        it="{entity} non ha il campo '{field}'. {hint}",
    ),
    "settings.user_without_role": Sentence(
        en="{user}: has no role: can log in, and finds no function",
        it="{user}: non ha ruoli: può accedere, ma non trova funzioni",
    ),
    "settings.agent_without_code": Sentence(
        en="{user}: is of type SalesAgent without a SalesAgentId: gets no data",
        it="{user}: è di tipo SalesAgent senza SalesAgentId: non riceve dati",
    ),
}
