"""Sentences about kimo.yaml: what is wrong in it. Where it is wrong stands before the sentence."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "config.did_you_mean": Sentence(en="Did you mean {names}?", it="Forse {names}?"),
    # --- the file
    "config.no_file": Sentence(
        en=(
            "There is no {file}. `kimo demo` makes one with a demo company; --config or the"
            " variable {variable} names another."
        ),
        it=(
            "Manca {file}. `kimo demo` ne fa uno con un'azienda di prova; --config o la variabile"
            " {variable} ne indicano un altro."
        ),
    ),
    "config.unreadable": Sentence(
        en="{file} cannot be read: {error}", it="{file} non si può leggere: {error}"
    ),
    "config.not_yaml": Sentence(
        en="{place}: not valid YAML: {error}", it="{place}: non è YAML valido: {error}"
    ),
    "config.twice": Sentence(
        en="this key is there twice. Keep one", it="questa chiave c'è due volte. Tenerne una"
    ),
    "config.variable_not_set": Sentence(
        en="the environment variable {variable} is not set",
        it="la variabile d'ambiente {variable} non è impostata",
    ),
    "config.entities_or_mapping": Sentence(
        en="give `entities` or `mapping`, not both",
        it="indicare `entities` o `mapping`, non entrambi",
    ),
    "config.no_mapping_file": Sentence(
        en="there is no file {file}", it="il file {file} non esiste"
    ),
    "config.export_twice": Sentence(
        en="{file} has an `export` as well. Keep one of them",
        it="anche {file} ha un `export`. Tenerne uno solo",
    ),
    # --- sources and databases
    "config.not_a_database_url": Sentence(
        en=(
            "not a database URL. Expected e.g. mssql+pyodbc://user:password@host/database or"
            " sqlite:///erp.sqlite"
        ),
        it=(
            "non è l'URL di un database. Per esempio mssql+pyodbc://utente:password@host/database o"
            " sqlite:///erp.sqlite"
        ),
    ),
    "config.not_a_postgresql_url": Sentence(
        en=("not the URL of a PostgreSQL. Expected e.g. postgresql://user:password@host/database"),
        it=("non è l'URL di un PostgreSQL. Per esempio postgresql://utente:password@host/database"),
    ),
    "config.no_such_source": Sentence(
        en="source '{source}' is not among `sources`",
        it="la sorgente '{source}' non è tra le `sources`",
    ),
    "config.not_a_host": Sentence(
        en=(
            "expected a host, or host:port, such as pictures.local:8080: without https://, path or"
            " wildcard"
        ),
        it=(
            "serve un host, o host:porta, come pictures.local:8080: senza https://, percorso o"
            " caratteri jolly"
        ),
    ),
    "config.unknown_key": Sentence(
        en="there is no such key. Did you mean `{key}`?",
        it="questa chiave non esiste. Forse `{key}`?",
    ),
    "config.unknown_key_among": Sentence(
        en="there is no such key. Known here: {keys}.",
        it="questa chiave non esiste. Qui si possono usare: {keys}.",
    ),
    "config.missing_key": Sentence(
        en="this key is required and is not there", it="questa chiave è obbligatoria e manca"
    ),
    "config.expected": Sentence(en="expected {values}", it="sono ammessi {values}"),
    "config.got": Sentence(en="{message}, got {value}", it="{message}, trovato {value}"),
    # --- entities
    "config.made_by_kimo": Sentence(
        en="{entity} is made by Kimo itself, it cannot be imported. Take it out",
        it="{entity} è fatta da Kimo stesso, non si può importare. Toglierla",
    ),
    "config.only_exported": Sentence(
        en="{entity} is only exported to the ERP, it cannot be imported",
        it="{entity} viene solo esportata verso l'ERP, non si può importare",
    ),
    "config.no_such_field": Sentence(
        en="{entity} has no field '{field}'. {hint}",
        it="{entity} non ha il campo '{field}'. {hint}",
    ),
    "config.fields_are": Sentence(en="It has: {names}.", it="Ha: {names}."),
    "config.no_such_status_kind": Sentence(
        en=("there is no such kind of status. Expected an entity and a number, e.g. {examples}"),
        it="questo tipo di stato non esiste. Servono un'entità e un numero, p.es. {examples}",
    ),
    "config.table_or_query": Sentence(
        en="give `table` or `query`, not both", it="indicare `table` o `query`, non entrambi"
    ),
    "config.where_without_table": Sentence(
        en="`where` goes with `table`. Put the condition into the `query`",
        it="`where` va con `table`. Mettere la condizione nella `query`",
    ),
    "config.two_beginnings": Sentence(
        en=(
            "`fields` and `transform` both say what {field} begins with. Take {field} out of"
            " `fields`, or write a transformation that begins with its column"
        ),
        it=(
            "`fields` e `transform` dicono entrambi da dove parte {field}. Togliere {field} da"
            " `fields`, o scrivere una trasformazione che parta dalla sua colonna"
        ),
    ),
    "config.no_mapping": Sentence(
        en="expected at least one mapping", it="serve almeno una mappatura"
    ),
    # --- export
    "config.never_sent": Sentence(
        en="{entity} is never sent to the ERP. {hint}",
        it="{entity} non viene mai inviata all'ERP. {hint}",
    ),
    "config.expected_one_of": Sentence(en="Expected one of {names}", it="Valori ammessi: {names}"),
    "config.head_not_listed": Sentence(
        en="{entity} travels with {head}, which is not listed. Add {head}",
        it="{entity} viaggia con {head}, che non è in elenco. Aggiungere {head}",
    ),
    "config.reference_goes_as_it_is": Sentence(
        en=("the ERP's answer is bound by the SyncReference, so it goes as it is. Take it out"),
        it=("la risposta dell'ERP è legata al SyncReference, che quindi va com'è. Toglierlo"),
    ),
    "config.reads_no_field": Sentence(
        en="reads '{column}', and {entity} has no such field. {hint}",
        it="legge '{column}', ma {entity} non ha questo campo. {hint}",
    ),
    # --- schedules
    "config.cron_expected": Sentence(
        en=(
            "Expected five fields: minute, hour, day of the month, month, day of the week, e.g."
            " 30 2 * * * (each night at 02:30) or */10 6-20 * * 1-6"
        ),
        it=(
            "Servono cinque campi: minuto, ora, giorno del mese, mese, giorno della settimana,"
            " p.es. 30 2 * * * (ogni notte alle 02:30) o */10 6-20 * * 1-6"
        ),
    ),
    "config.cron_fields": Sentence(
        en="'{expression}' has {number} fields. {expected}",
        it="'{expression}' ha {number} campi. {expected}",
    ),
    "config.cron_no_such_day": Sentence(
        en="'{expression}' means a day that no month has. {expected}",
        it="'{expression}' indica un giorno che nessun mese ha. {expected}",
    ),
    "config.cron_part": Sentence(
        en="'{part}' is no {field}. {expected}",
        it="'{part}' non è un valore di {field}. {expected}",
    ),
    "config.cron_range": Sentence(
        en="'{part}' is no {field}: it goes from {smallest} to {biggest}. {expected}",
        it="'{part}' non è un valore di {field}: va da {smallest} a {biggest}. {expected}",
    ),
    "config.no_such_zone": Sentence(
        en="there is no time zone '{name}'. {hint}",
        it="il fuso orario '{name}' non esiste. {hint}",
    ),
    "config.zone_example": Sentence(
        en="Expected a name such as Europe/Rome", it="Serve un nome come Europe/Rome"
    ),
}
