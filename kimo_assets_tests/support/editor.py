"""A kimo.yaml as an editor sees it: the mistakes that the JSON Schema finds in it."""

import json
import re
from datetime import date
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft7Validator

from kimo_assets.config.document import PlainWordsLoader
from kimo_assets.config.schema import schema_text


class _CoreLoader(yaml.SafeLoader):
    """The core schema of YAML 1.2, by which editors read: 001 and 0x1F are numbers, days are not
    more than texts.
    """


_CORE = {
    "null": ("(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    "bool": ("(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    "int": ("(?:[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)$", list("-+0123456789")),
}
_CoreLoader.yaml_implicit_resolvers = {}
# The first that fits counts, so that the whole numbers come before those with a point.
for _name in ("null", "bool", "int", "float"):
    _pattern, _first = _CORE[_name]
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first)


@cache
def _validator() -> Draft7Validator:
    return Draft7Validator(json.loads(schema_text()))


def mistakes(text: str) -> list[str]:
    """What an editor marks, as `path: message`: none is expected for a file that loads."""
    documents = [yaml.load(text, loader) for loader in (PlainWordsLoader, _CoreLoader)]
    errors = [error for document in documents for error in _errors(document)]
    return sorted(set(errors))


def _errors(document: Any) -> list[str]:
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator().iter_errors(_as_json(document))
    ]


def _as_json(value: Any) -> Any:
    """JSON knows no days, and only texts as keys."""
    if isinstance(value, dict):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_json(part) for part in value]
    return value.isoformat() if isinstance(value, date) else value
