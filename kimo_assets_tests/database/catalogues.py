"""Other versions of the program, as far as the catalogue goes.

with catalogue(edited({"Zone": {"Description": text(10)}})):
    ...  # all of the program knows this catalogue
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from kimo_assets.catalog import Catalog, Entity, Field, load_catalog

_DERIVED = ("all", "answers", "sent_to_erp", "load_order")


def text(size: int | None = None) -> Field:
    return Field("", "text", size)


def edited(
    fields: Mapping[str, Mapping[str, Field | None]], without: tuple[str, ...] = ()
) -> Catalog:
    """Today's catalogue with other fields: None takes one away. An entity that is not known gets
    just these.
    """
    catalog = load_catalog()
    entities = {name: entity for name, entity in catalog.entities.items() if name not in without}
    for name, changed in fields.items():
        before = catalog.entities.get(name) or _with_id_only(name)
        after = {
            **before.fields,
            **{
                key: replace(
                    before.fields.get(key, field),
                    name=key,
                    type=field.type,
                    size=field.size,
                    codes=field.codes,
                    flags=field.flags,
                )
                for key, field in changed.items()
                if field
            },
        }
        entities[name] = replace(
            before, fields={key: f for key, f in after.items() if changed.get(key, f) is not None}
        )
    return Catalog(entities, dict(catalog.derived))


def _with_id_only(name: str) -> Entity:
    zone = load_catalog()["Zone"]
    return replace(zone, name=name, fields={"Id": zone.fields["Id"]})


def of(*entities: Entity) -> Catalog:
    return Catalog({entity.name: entity for entity in entities})


@contextmanager
def catalogue(other: Catalog) -> Iterator[None]:
    """All of the program takes it for its own meanwhile."""
    catalog = load_catalog()
    before = dict(catalog.entities)
    _become(catalog, other.entities)
    try:
        yield
    finally:
        _become(catalog, before)


def _become(catalog: Catalog, entities: Mapping[str, Entity]) -> None:
    known = catalog.entities
    assert isinstance(known, dict)
    wanted = dict(entities)
    known.clear()
    known.update(wanted)
    for name in _DERIVED:
        vars(catalog).pop(name, None)
