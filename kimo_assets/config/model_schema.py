"""The JSON Schema of kimo.yaml as its models say it, for people: the page docs/kimo-yaml.md is made
from it, and so is the schema for editors (schema.py).
"""

from collections.abc import Callable, Mapping
from typing import Any

from kimo_assets.config.models import KimoConfig
from kimo_assets.config.transformations import TRANSFORMATION_SCHEMA

JsonSchema = dict[str, Any]

# The models that stand in more than one place. All others are written out where they are used.
_SHARED_MODELS = ("SourceConfig", "EntityMapping", "ExportMapping")

_MAPPING_KEY: JsonSchema = {
    "type": "string",
    "description": (
        "A file with the entities, instead of `entities` here. It may hold `export` as well. Its "
        "path counts from the folder of kimo.yaml."
    ),
    "examples": ["mapping.yaml"],
}


def model_schema() -> JsonSchema:
    """The schema as the models say it, for people: no variables, no names of the catalogue."""
    schema = KimoConfig.model_json_schema()
    models = schema.pop("$defs")
    schema = _plain(_inlined(schema, models))
    schema["properties"]["mapping"] = _MAPPING_KEY
    schema["not"] = {"required": ["entities", "mapping"]}
    shared = {name: _plain(_inlined(models[name], models)) for name in _SHARED_MODELS}
    # Their description would hide that of the entity.
    for name in ("EntityMapping", "ExportMapping"):
        shared[name].pop("description")
    shared["EntityMapping"]["allOf"] = [_not_both("query", other) for other in ("table", "where")]
    shared["Transformation"] = TRANSFORMATION_SCHEMA
    return {**schema, "definitions": shared}


def _not_both(key: str, other: str) -> JsonSchema:
    # Empty ones count as left out, as they do for the model.
    texts = {f"^({key}|{other})$": {"type": "string", "minLength": 1}}
    return {"not": {"required": [key, other], "patternProperties": texts}}


def subschemas(schema: JsonSchema, change: Callable[[JsonSchema], JsonSchema]) -> JsonSchema:
    """The schema with each schema directly in it changed. What else it says stays as it is."""
    changed = dict(schema)
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "definitions"):
            changed[key] = {name: change(part) for name, part in value.items()}
        elif key in ("anyOf", "allOf") or (key == "items" and isinstance(value, list)):
            changed[key] = [change(part) for part in value]
        elif key in ("items", "additionalItems", "additionalProperties", "not"):
            changed[key] = change(value) if isinstance(value, dict) else value
    return changed


def _inlined(schema: JsonSchema, models: Mapping[str, JsonSchema]) -> JsonSchema:
    """With each model written out where it is used. A key's own description prevails."""
    if schema == TRANSFORMATION_SCHEMA:
        return {"$ref": "#/definitions/Transformation"}
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        about = without(schema, "$ref")
        if name in _SHARED_MODELS:
            return {**about, "$ref": f"#/definitions/{name}"}
        schema = {**models[name], **about}
    return subschemas(schema, lambda part: _inlined(part, models))


def _plain(schema: JsonSchema) -> JsonSchema:
    """Without what only makes noise in an editor: titles made of names, empty defaults, and
    descriptions of a value's forms, which would hide the description of the key.
    """
    schema = subschemas(_without_null_choice(schema), _plain)
    if "anyOf" in schema:
        schema["anyOf"] = [without(part, "description") for part in schema["anyOf"]]
    noise = {"title", "format"}
    if schema.get("default") in (None, {}, []) or "properties" in schema:
        noise.add("default")
    return without(schema, *noise)


def without(schema: JsonSchema, *keys: str) -> JsonSchema:
    """The schema without some of its keys."""
    return {key: value for key, value in schema.items() if key not in keys}


def _without_null_choice(schema: JsonSchema) -> JsonSchema:
    """`anyOf: [X, null]` as X whose type may also be null."""
    choices = schema.get("anyOf", [])
    if len(choices) != 2 or choices[1] != {"type": "null"}:
        return schema
    if "type" not in choices[0] or choices[0]["type"] == "object":
        return schema
    value = {**choices[0], "type": [*types_of(choices[0]), "null"]}
    # A constant would forbid null, so that it becomes a list of values.
    if "const" in value:
        value["enum"] = [value.pop("const")]
    if "enum" in value:
        value["enum"] = [*value["enum"], None]
    return {**value, **without(schema, "anyOf")}


def types_of(schema: JsonSchema) -> list[str]:
    """The types that a value may have: none where it may have any, or alternatives say it."""
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)
