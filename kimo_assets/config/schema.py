"""The JSON Schema of kimo.yaml, by which an editor explains its keys, completes them and marks
mistakes.

It is made from the models, and from the catalogue's names of entities and fields. It takes whatever
the reader of kimo.yaml takes, environment variables in every place included. What only the reader
can know (whether a source or a file is there) it does not judge. The dialect is draft-07, the
newest that the YAML language server supports.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kimo_assets.catalog import Catalog, Entity, load_catalog
from kimo_assets.config.model_schema import (
    JsonSchema,
    model_schema,
    subschemas,
    types_of,
    without,
)

SCHEMA_FILE = "kimo.schema.json"
EDITOR_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"
"""The first line of a kimo.yaml: editors read in it where the schema is, from the file's folder."""

_WIDTH = 100
_DIALECT = "http://json-schema.org/draft-07/schema#"


def write_schema(folder: Path) -> Path:
    """Writes the schema beside a kimo.yaml. A schema that is there is replaced."""
    file = folder / SCHEMA_FILE
    file.write_text(schema_text(), encoding="utf-8")
    return file


def schema_text() -> str:
    """The JSON Schema of kimo.yaml as a text, the same at every call."""
    return _written(editor_schema(), "") + "\n"


def _written(value: Any, indent: str) -> str:
    """JSON with as much on a line as fits, and a list of plain values on one line whatever its
    length: the schema is written beside every kimo.yaml, and has 2,700 names of fields.
    """
    line = json.dumps(value)
    if not isinstance(value, dict | list) or len(indent) + len(line) <= _WIDTH:
        return line
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_written(part, deeper)}" for key, part in value.items()]
        return f"{{\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}}}"
    if not any(isinstance(part, dict | list) for part in value):
        return line
    parts = [_written(part, deeper) for part in value]
    return f"[\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}]"


def editor_schema() -> JsonSchema:
    """The schema that editors get: names of the catalogue, and variables wherever they may be."""
    schema = _with_variables(_with_catalogue_names(model_schema(), load_catalog()))
    return {"$schema": _DIALECT, **schema}


# --- names of the catalogue


def _with_catalogue_names(schema: JsonSchema, catalog: Catalog) -> JsonSchema:
    """With the entities, their fields and the kinds of statuses that there are."""
    properties = {name: _listed_keys(part) for name, part in schema["properties"].items()}
    properties["images"] = subschemas(properties["images"], _listed_keys)
    statuses, entities = properties["erp_statuses"], properties["entities"]
    targets = properties["export"]["properties"]["entities"]
    properties["erp_statuses"] = _with_statuses(statuses, catalog)
    properties["entities"] = _with_imported(entities, catalog)
    properties["export"]["properties"]["entities"] = _with_exported(targets, catalog)
    definitions = {
        **schema["definitions"],
        "Mappings": entities["additionalProperties"],
        "Targets": targets["additionalProperties"],
        **{_fields_name(entity): _fields_of(entity) for entity in catalog.all.values()},
    }
    return {**schema, "properties": properties, "definitions": definitions}


def _with_statuses(schema: JsonSchema, catalog: Catalog) -> JsonSchema:
    kinds = {kind for entity in catalog.entities.values() for kind in entity.status_fields.values()}
    statuses: JsonSchema = schema["additionalProperties"]
    return _keyed(schema, dict.fromkeys(sorted(kinds), statuses))


def _with_imported(schema: JsonSchema, catalog: Catalog) -> JsonSchema:
    imported = [entity for entity in catalog.entities.values() if entity.direction != "export"]
    parts = {entity.name: _of_entity(entity, "Mappings", _IMPORTED) for entity in imported}
    return _keyed(schema, parts)


def _with_exported(schema: JsonSchema, catalog: Catalog) -> JsonSchema:
    """The heads that are sent to the ERP, and the parts that travel with them."""
    parts = {}
    for head in catalog.sent_to_erp:
        for name in (head, *catalog.sent_with(head)):
            parts[name] = _of_entity(catalog[name], "Targets", _EXPORTED)
    return _keyed(schema, parts)


_IMPORTED = (
    "Where {name} is read from: a table's name, a mapping, or a list with one mapping per source. "
    "`kimo entities {name}` shows its fields."
)
_EXPORTED = (
    "Where {name} goes at the ERP: a table's name, or a mapping. `kimo entities {name}` shows its "
    "fields."
)


def _of_entity(entity: Entity, definition: str, description: str) -> JsonSchema:
    return {
        "description": description.format(name=entity.name),
        "allOf": [
            {"$ref": f"#/definitions/{definition}"},
            {"$ref": f"#/definitions/{_fields_name(entity)}"},
        ],
    }


def _fields_name(entity: Entity) -> str:
    return f"FieldsOf{entity.name}"


def _fields_of(entity: Entity) -> JsonSchema:
    """What a mapping of the entity, or each of a list of them, may name as Kimo's field."""
    names = {"propertyNames": {"enum": list(entity.fields)}}
    own = {"$ref": f"#/definitions/{_fields_name(entity)}"}
    return {"patternProperties": {"^(fields|transform)$": names}, "items": own}


def _listed_keys(schema: JsonSchema) -> JsonSchema:
    """Keys out of a fixed list as properties, which editors explain and complete."""
    names = schema.get("propertyNames", {}).get("enum")
    if not names:
        return schema
    entry: JsonSchema = schema["additionalProperties"]
    return _keyed(without(schema, "propertyNames"), dict.fromkeys(names, entry))


def _keyed(schema: JsonSchema, properties: Mapping[str, JsonSchema]) -> JsonSchema:
    return {**schema, "properties": dict(properties), "additionalProperties": False}


# --- variables of the environment


_VARIABLE = r"\$\{\w+\}"
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
# To YAML 1.2 all of them are texts but true and false. To the reader of kimo.yaml they are flags.
_FLAGS = ("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0")


def _any_case(word: str) -> str:
    """A pattern for the word in capitals, small letters or both. Patterns know no such option."""
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


_FLAG = f"^({'|'.join(map(_any_case, _FLAGS))})$"


def _with_variables(schema: JsonSchema) -> JsonSchema:
    """With a text that holds ${VARIABLE} wherever the value is restricted, and numbers in quotes.

    A limit such as `minimum` judges numbers only and a `pattern` texts only, so that both may stand
    beside each other. Alternatives would do as well, but make an editor's messages longer.
    """
    schema = subschemas(schema, _with_variables)
    types = types_of(schema)
    if "enum" in schema and "string" in types:
        return _enum_or_variable(schema)
    if "string" in types:
        return _text_or_variable(schema)
    if "boolean" in types:
        types = [*types, "integer", "string"]
        # Of numbers, pydantic takes 1 and 0 for flags and no others.
        limits = {"minimum": 0, "maximum": 1, **_pattern(_FLAG, "true or false")}
        return {**schema, "type": types, **limits}
    if "integer" in types or "number" in types:
        return {**schema, "type": [*types, "string"], **_pattern(_NUMBER, "a number")}
    return schema


def _pattern(pattern: str, expected: str) -> JsonSchema:
    message = f"Expected {expected}, or ${{VARIABLE}} of the environment."
    return {"pattern": f"{_VARIABLE}|{pattern}", "patternErrorMessage": message}


def _text_or_variable(schema: JsonSchema) -> JsonSchema:
    """A restricted text, or a variable. A pattern that speaks of variables itself stays."""
    pattern = schema.get("pattern", "")
    if "maxLength" in schema:
        pattern = f"^.{{{schema['minLength']},{schema['maxLength']}}}$"
    if not pattern or r"\$\{" in pattern:
        return schema
    about = without(schema, "minLength", "maxLength")
    return {**about, "pattern": f"{_VARIABLE}|{pattern}"}


def _enum_or_variable(schema: JsonSchema) -> JsonSchema:
    values = {key: schema[key] for key in ("type", "enum")}
    about = without(schema, *values)
    return {**about, "anyOf": [values, {"type": "string", "pattern": _VARIABLE}]}
