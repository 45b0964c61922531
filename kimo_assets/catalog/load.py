"""Reads the catalogue's YAML (data/, one file a business area) into the model."""

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
# A PyYAML that was built without libyaml has only the slow loader.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_SCOPE: TypeAdapter[Scope] = TypeAdapter(Scope)
_FOLDER = files("kimo_assets.catalog") / "data"

# Entities that Kimo derives. They have a file of their own because no area of the ERP has them.
_DERIVED = "derived.yaml"
_NO_AREAS = ("console.yaml", "enums.yaml", _DERIVED)
# Their category and direction, as `kimo entities --json` has them.
_MADE = "made"


@cache
def load_catalog() -> Catalog:
    """The catalogue of this package, read once per process."""
    enums = data_file("enums.yaml")
    entities: dict[str, Entity] = {}
    for area in _areas():
        category = area.name.removesuffix(".yaml")
        for name, raw in _read(area).items():
            entities[name] = _entity(name, category, raw, enums)
    derived = {name: _entity(name, _MADE, raw, enums) for name, raw in data_file(_DERIVED).items()}
    return Catalog(entities, derived)


def _areas() -> list[Traversable]:
    """The files of entities, in the order of their names."""
    # Sorted: the order of a folder differs from one file system to the next.
    areas = [
        file
        for file in _FOLDER.iterdir()
        if file.name.endswith(".yaml") and file.name not in _NO_AREAS
    ]
    return sorted(areas, key=lambda area: area.name)


def data_file(name: str) -> dict[str, Any]:
    """A file of the catalogue's data, every scalar a text."""
    return _read(_FOLDER / name)


def _read(file: Traversable) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.load(text, Loader=_LOADER)  # noqa: S506 (builds only text)
    return content


def _entity(
    name: str, category: str, raw: Mapping[str, Any], shared: Mapping[str, Mapping[str, str]]
) -> Entity:
    """An entity as its file describes it. shared: the enums that all files may name."""
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
