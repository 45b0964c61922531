"""The notation of transformations as a JSON Schema, for editors.

What the notation means is `kimo_assets.transforms`' to say. A test holds that the steps and options
here are the ones there.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from kimo_assets.transforms import INPUTS, STEPS, Transformation, parse

JsonSchema = dict[str, Any]

_SCALAR = ["string", "number", "boolean"]
_COLUMNS: JsonSchema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_TABLE: JsonSchema = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": [*_SCALAR, "null"]},
}

BARE_STEPS: Mapping[str, str] = {
    "StringToHash": "Shortens an id to the 32 characters of its MD5, as the vendor's step does.",
    "QueryAsLong": "Takes an id that is a whole number at the source in its plain form.",
    "StringToInteger": "Makes a whole number of a text, for a column that holds numbers.",
    "trim": "Cuts the blanks off at both ends.",
    "upper": "Writes the text in capitals.",
    "lower": "Writes the text in small letters.",
}

# A step with an argument: its own key first, then its options.
STEPS_WITH_ARGUMENT: Mapping[str, Mapping[str, JsonSchema]] = {
    "constant": {
        "constant": {"type": _SCALAR, "description": "The same value in every row."},
    },
    "coalesce": {
        "coalesce": {
            **_COLUMNS,
            "description": "Columns, of which the first that has a value counts.",
        },
    },
    "concat": {
        "concat": {
            **_COLUMNS,
            "description": "Columns, whose texts are joined. Empty ones are left out.",
        },
        "separator": {
            "type": _SCALAR,
            "description": "What stands between the texts. Nothing by default.",
        },
    },
    "expression": {
        "expression": {
            "type": _SCALAR,
            "description": "An expression of Jinja, whose variables are the row's columns.",
            "examples": ["NAME ~ ' ' ~ CITY"],
        },
    },
    "RemovePrefix": {
        "RemovePrefix": {
            "type": _SCALAR,
            "description": "The text that is taken off where the value begins with it.",
        },
    },
    "replace": {
        "replace": {
            **_TABLE,
            "description": "Pairs of texts. The first of each pair is replaced by the second.",
        },
    },
    "lookup": {
        "lookup": {
            **_TABLE,
            "description": "Pairs of codes. The first of each pair becomes the second.",
        },
        "default": {
            "type": [*_SCALAR, "null"],
            "description": "For codes that are not listed. Without it they reject the row.",
        },
    },
    "date": {
        "date": {
            "type": _SCALAR,
            "description": "The format in which the day or moment is written, in .NET's notation.",
            "examples": ["dd/MM/yyyy"],
        },
    },
    "number": {
        "number": {
            "type": _SCALAR,
            "description": "How the number 1234.56 looks where it is written in this way.",
            "examples": ["1.234,56"],
        },
    },
}


def _steps(names: Mapping[str, Any]) -> Iterator[JsonSchema]:
    for name in names:
        if name in BARE_STEPS:
            yield {"const": name, "description": BARE_STEPS[name]}
        else:
            yield {
                "type": "object",
                "properties": dict(STEPS_WITH_ARGUMENT[name]),
                "required": [name],
                "additionalProperties": False,
            }


def _transformation_schema() -> JsonSchema:
    """One step, or a list of steps. Only the first may make a value anew."""
    first = [*_steps(STEPS), *_steps(INPUTS)]
    steps = {
        "type": "array",
        "minItems": 1,
        # A list of schemas is how draft-07 treats the first item apart from the others.
        "items": [{"anyOf": first}],
        "additionalItems": {"anyOf": list(_steps(STEPS))},
        "description": "Steps that are taken one after another.",
    }
    return {"anyOf": [*first, steps]}


TRANSFORMATION_SCHEMA = _transformation_schema()

TransformationField = Annotated[
    Transformation, PlainValidator(parse), WithJsonSchema(TRANSFORMATION_SCHEMA)
]
