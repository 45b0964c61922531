"""Sentences of `kimo init` and `kimo mapping pull`: errors, and what was decided about a row.

The comments that they write into kimo.yaml stand in kimo_assets/setup, with the file's other text.
"""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # Addresses
    "setup.variable_not_set": Sentence(
        en="the URL of source '{source}' names {names}, which is not set",
        it="l'URL della sorgente '{source}' usa {names}, che non è impostata",
    ),
    "setup.no_url": Sentence(
        en=(
            "the address of source '{source}' is no database URL. Expected e.g."
            " mssql+pyodbc://user:password@host/database?driver=... or sqlite:///erp.sqlite"
        ),
        it=(
            "l'indirizzo della sorgente '{source}' non è l'URL di un database. Atteso p.es."
            " mssql+pyodbc://utente:password@host/database?driver=... oppure sqlite:///erp.sqlite"
        ),
    ),
    # kimo init
    "setup.no_tables": Sentence(
        en=(
            "{place} has no tables and no views. Is it the right database, and may this user see"
            " them (--schema)?"
        ),
        it=(
            "{place} non ha tabelle né viste. È il database giusto, e questo utente può vederle"
            " (--schema)?"
        ),
    ),
    "setup.no_entities": Sentence(
        en=(
            "none of the {count} tables and views of {place} carries an entity's name, so nothing"
            " was written. It has: {names}. Write the mapping by hand (docs/mapping.md, with"
            " examples/northwind as a complete one). `kimo entities` lists the names."
        ),
        it=(
            "nessuna delle {count} tabelle e viste di {place} ha il nome di un'entità, quindi non è"
            " stato scritto nulla. Contiene: {names}. Scrivere il mapping a mano (docs/mapping.md,"
            " con examples/northwind come esempio completo). `kimo entities` elenca i nomi."
        ),
    ),
    "setup.names_and_more": Sentence(en="{names} and {count} more", it="{names} e altri {count}"),
    "setup.schema_of": Sentence(en="{address}, schema {schema}", it="{address}, schema {schema}"),
    # kimo mapping pull: one sentence for each decision
    "setup.nearest": Sentence(en=" (nearest: {names})", it=" (più simili: {names})"),
    "setup.and": Sentence(en=" and ", it=" e "),
    "setup.missing_table": Sentence(
        en="there is no table {table}: read without it",
        it="manca la tabella {table}: lettura eseguita senza",
    ),
    "setup.unknown_columns": Sentence(
        en="{table} has columns that are unknown here, so they were not read: {columns}",
        it="{table} ha colonne qui sconosciute, quindi non sono state lette: {columns}",
    ),
    "setup.row_without_entity": Sentence(
        en="{table} has a row without KimoEntity: kept at the file's end",
        it="{table} ha una riga senza KimoEntity: conservata in fondo al file",
    ),
    "setup.unknown_system": Sentence(
        en=(
            "{table}: SystemId '{system}' of {entity} is neither Erp nor Crm: kept at the file's"
            " end"
        ),
        it=(
            "{table}: SystemId '{system}' di {entity} non è né Erp né Crm: conservata in fondo al"
            " file"
        ),
    ),
    "setup.unknown_entity": Sentence(
        en="{table}: Kimo has no entity '{name}'{hint}: its rows are kept at the file's end",
        it=(
            "{table}: Kimo non ha un'entità '{name}'{hint}: le sue righe sono conservate in fondo"
            " al file"
        ),
    ),
    "setup.contradiction": Sentence(
        en="{subject}: {key} is {old} in one row and {new} in another: the first counts",
        it="{subject}: {key} è {old} in una riga e {new} in un'altra: vale la prima",
    ),
    "setup.key.table": Sentence(en="the table", it="la tabella"),
    "setup.key.export_table": Sentence(
        en="the table to export to", it="la tabella di esportazione"
    ),
    "setup.key.column": Sentence(en="the column of {field}", it="la colonna di {field}"),
    "setup.key.export_column": Sentence(
        en="the column to export {field} to", it="la colonna di esportazione di {field}"
    ),
    "setup.key.steps": Sentence(
        en="the transformation of {field}", it="la trasformazione di {field}"
    ),
    "setup.key.export_steps": Sentence(
        en="the export's transformation of {field}",
        it="la trasformazione di esportazione di {field}",
    ),
    "setup.unknown_field": Sentence(
        en="{entity} has no field '{name}'{hint}: the row is a comment",
        it="{entity} non ha un campo '{name}'{hint}: la riga diventa un commento",
    ),
    "setup.no_column": Sentence(
        en="{field}: its row names no column, so the one of the same name is taken",
        it="{field}: la sua riga non indica una colonna, quindi vale quella con lo stesso nome",
    ),
    "setup.unknown_steps": Sentence(
        en="{field}: the transformation '{steps}' is not known here: it is a comment",
        it="{field}: la trasformazione '{steps}' qui non è nota: diventa un commento",
    ),
    "setup.unknown_export_steps": Sentence(
        en=("{field}: its transformation for the export is a comment: '{steps}' is not known here"),
        it=(
            "{field}: la sua trasformazione per l'esportazione diventa un commento: '{steps}' qui"
            " non è nota"
        ),
    ),
    "setup.reference_not_transformed": Sentence(
        en=(
            "{field}: its transformation for the export is a comment: Kimo sends it unchanged, to"
            " find the ERP's answer by it"
        ),
        it=(
            "{field}: la sua trasformazione per l'esportazione diventa un commento: Kimo lo invia"
            " invariato, per ritrovare la risposta dell'ERP"
        ),
    ),
    "setup.empty_filter": Sentence(
        en="IntegratorImportFilter: the row of {entity} has neither filter nor query",
        it="IntegratorImportFilter: la riga di {entity} non ha né filtro né query",
    ),
    "setup.word_taken_off": Sentence(
        en="{entity}: '{word}' before its AdditionalFilter is taken off",
        it="{entity}: '{word}' davanti al suo AdditionalFilter è stato tolto",
    ),
    "setup.filter_of_crm": Sentence(
        en=(
            "{entity}: its filter names no system. Only the CRM maps the entity, so it is the CRM's"
        ),
        it=(
            "{entity}: il suo filtro non indica un sistema. Solo il CRM mappa l'entità, quindi vale"
            " per il CRM"
        ),
    ),
    "setup.setting_twice": Sentence(
        en="{key} of {system} is {old} in one row and {new} in another: the first counts",
        it="{key} di {system} è {old} in una riga e {new} in un'altra: vale la prima",
    ),
    "setup.unknown_setting": Sentence(
        en="{key} of {system} is {value}, which is not known here: it is a comment",
        it="{key} di {system} è {value}, qui non noto: diventa un commento",
    ),
    "setup.never_sent": Sentence(
        en=(
            "{entity} is never sent to the ERP by Kimo: what its rows say of an export is kept as a"
            " comment"
        ),
        it=(
            "{entity} non viene mai inviata all'ERP da Kimo: quanto le sue righe dicono"
            " dell'esportazione resta come commento"
        ),
    ),
    "setup.other_source": Sentence(
        en=(
            "{entity} would go to the {system}, and the export goes to one source: what its rows"
            " say of an export is kept as a comment"
        ),
        it=(
            "{entity} andrebbe al {system}, ma l'esportazione ha una sola destinazione: quanto le"
            " sue righe dicono dell'esportazione resta come commento"
        ),
    ),
    "setup.head_exported": Sentence(
        en=("{entity} is exported as well, into the table of its name: {parts} would not go alone"),
        it=(
            "anche {entity} viene esportata, nella tabella con il suo nome: {parts} da sola non"
            " partirebbe"
        ),
    ),
    "setup.source_not_named": Sentence(
        en="{entity} comes from the {system}, which no --{option}-url names: it is a comment",
        it=("{entity} arriva dal {system}, che nessun --{option}-url indica: diventa un commento"),
    ),
    "setup.only_exported": Sentence(
        en=(
            "{entity} is only exported to the ERP: what its rows say of an import is kept at the"
            " file's end"
        ),
        it=(
            "{entity} viene solo esportata verso l'ERP: quanto le sue righe dicono"
            " dell'importazione è conservato in fondo al file"
        ),
    ),
    "setup.filter_without_mapping": Sentence(
        en=(
            "IntegratorImportFilter has a filter for {entity}, which nothing maps: kept at the"
            " file's end"
        ),
        it=(
            "IntegratorImportFilter ha un filtro per {entity}, che nessuna riga mappa: conservato"
            " in fondo al file"
        ),
    ),
    "setup.no_table_named": Sentence(
        en=(
            "{subject}: no row names its table, only fields: the table of the entity's name is"
            " taken"
        ),
        it=(
            "{subject}: nessuna riga indica la sua tabella, solo campi: vale la tabella con il nome"
            " dell'entità"
        ),
    ),
    "setup.filter_around_query": Sentence(
        en="{subject}: has CustomQuery and AdditionalFilter: the filter is put around the query",
        it="{subject}: ha CustomQuery e AdditionalFilter: il filtro racchiude la query",
    ),
}
