"""Reads the catalogue's YAML (kimo_assets/catalog/data, one file a business area) into the
model.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from pydantic import TypeAdapter

from kimo_assets.catalog.model import Catalog, Entity
from kimo_assets.catalog.notation import parse_field
from kimo_assets.catalog.scopes import Scope

# Every scalar stays text: enum codes such as 01 and labels such as No are not YAML's to interpret.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_SCOPE: TypeAdapter[Scope] = TypeAdapter(Scope)
_FOLDER = files("kimo_assets.catalog") / "data"
# The other files are an area of entities each.
_MADE = "made.yaml"
_NO_AREAS = ("console.yaml", "enums.yaml", _MADE)


@cache
def load_catalog() -> Catalog:
    """The catalogue of this package, read once per process."""
    shared = data_file("enums.yaml")
    areas = sorted((f for f in _FOLDER.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    entities = {
        name: _entity(name, area.name.removesuffix(".yaml"), raw, shared)
        for area in areas
        if area.name not in _NO_AREAS
        for name, raw in _read(area).items()
    }
    made = {name: _entity(name, "made", raw, shared) for name, raw in data_file(_MADE).items()}
    return Catalog(entities, made)


def data_file(name: str) -> dict[str, Any]:
    """A file of the catalogue's data, every scalar a text."""
    return _read(_FOLDER / name)


def _read(file: Traversable) -> dict[str, Any]:
    return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 (a base loader builds only text)


def _entity(
    name: str, category: str, raw: Mapping[str, Any], shared: Mapping[str, Mapping[str, str]]
) -> Entity:
    enums = {**shared, **raw.get("enums", {})}
    return Entity(
        name=name,
        category=category,
        direction=raw["direction"],
        fields={field: parse_field(field, line, enums) for field, line in raw["fields"].items()},
        primary_key=tuple(raw.get("primary_key", ["Id"])),
        unique_keys=tuple(tuple(key) for key in raw.get("unique_keys", [])),
        scope=_SCOPE.validate_python(raw["agent_scope"]),
        owner_field=raw.get("owner"),
        follows=tuple(raw.get("follows", ())),
    )
