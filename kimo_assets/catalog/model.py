"""The shapes of the catalogue: entities, fields, references. Frozen values; no file, no database,
no Dagster.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Literal

from kimo_assets.catalog.lifecycle import ANSWER_PREFIX
from kimo_assets.catalog.scopes import AgentColumn, Scope
from kimo_assets.errors import UnknownEntityError

FieldType = Literal["text", "dec", "int", "bool", "enum", "date", "dt"]
Direction = Literal["import", "import+export", "export", "made"]

MAX_ID_CHARS = 50


@dataclass(frozen=True)
class Reference:
    """A foreign key. `soft` ones are looked at by nobody: they are known not to hold in real data.

    keys: further parts of a composite key, target's column -> local column; const: parts with a
    fixed value; unless: local column -> codes with which the field holds something else.
    """

    target: str
    column: str = "Id"
    soft: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    const: Mapping[str, str] = field(default_factory=dict)
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class TypedReference:
    """A foreign key whose target depends on the code in another column."""

    type_column: str
    targets: Mapping[str, str]


@dataclass(frozen=True)
class Referrer:
    """A column in which an Id of another entity's may stand.

    when: columns that must hold one of these codes for it to be one; unless: columns that must not.
    """

    entity: str
    column: str
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """One column. size: characters, None for unlimited. codes: of an enum, empty when the list is
    not known (open).
    """

    name: str
    type: FieldType
    size: int | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    flags: bool = False
    references: Reference | None = None
    references_by: TypedReference | None = None
    console_reference: Reference | None = None

    @property
    def is_open_enum(self) -> bool:
        return self.type == "enum" and not self.codes

    @property
    def is_key(self) -> bool:
        """Whether the value names another row, so that 0 means 'no value' (fact sheet,
        section 8).
        """
        return bool(self.references or self.references_by or self.console_reference)


@dataclass(frozen=True)
class Entity:
    """follows: of one that Kimo makes itself, the entities it is about."""

    name: str
    category: str
    direction: Direction
    fields: Mapping[str, Field]
    primary_key: tuple[str, ...]
    unique_keys: tuple[tuple[str, ...], ...]
    scope: Scope
    owner_field: str | None = None
    follows: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The fields that tell rows apart beside Id: an Id is derived from them where the ERP gives
        none.

        ItemCrossReference marks no primary key in the manual; its composite key is used so (fact
        sheet, section 14).
        """
        if self.primary_key != ("Id",):
            return self.primary_key
        return self.unique_keys[0] if self.unique_keys else ()

    @property
    def owner(self) -> str | None:
        """The entity these rows are a part of: lines of a document, translations of an item."""
        return self.owner_reference.target if self.owner_reference else None

    @property
    def owner_reference(self) -> Reference | None:
        return self.fields[self.owner_field].references if self.owner_field else None

    @cached_property
    def hard_references(self) -> dict[str, Reference]:
        return {
            f.name: f.references
            for f in self.fields.values()
            if f.references and not f.references.soft
        }

    @property
    def agent_field(self) -> str | None:
        """The field that gives the row to one agent: of the links between agents and what they see,
        above all.
        """
        if not isinstance(self.scope, AgentColumn) or self.category == "sync_references":
            return None
        reference = self.hard_references.get(self.scope.column)
        return self.scope.column if reference and reference.target == "SalesAgent" else None

    @property
    def status_fields(self) -> dict[str, str]:
        """Fields that hold a status of the ERP's -> the kind it is decoded by, `Account1` (fact
        sheet, section 8).
        """
        return {
            f.name: f"{self.name}{f.console_reference.const['Index']}"
            for f in self.fields.values()
            if f.console_reference and f.console_reference.target == "ErpStatus"
        }

    @property
    def is_sent_to_erp(self) -> bool:
        """Whether rows go to the ERP by themselves, by their EntityStatus: heads, not the lines
        that travel with them.
        """
        return "EntityStatus" in self.fields and self.direction in (
            "import+export",
            "export",
            "made",
        )

    @property
    def is_held_while_pending(self) -> bool:
        """Whether Kimo edits these rows, so that an import must not overwrite pending edits."""
        return "EntityStatus" in self.fields and self.direction != "export"


@dataclass(frozen=True)
class Catalog:
    """entities: the vendor's; made: tables of their shape that Kimo makes itself, which nothing
    imports.
    """

    entities: Mapping[str, Entity]
    made: Mapping[str, Entity] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Entity:
        if name not in self.all:
            raise UnknownEntityError(name, self.all)
        return self.all[name]

    @cached_property
    def all(self) -> Mapping[str, Entity]:
        return {**self.entities, **self.made}

    def referrers(self, name: str) -> list[Referrer]:
        """Every column, of any entity, in which an Id of this one may stand: whatever kind of
        reference it is.
        """
        return [referrer for entity in self.all.values() for referrer in _referrers(entity, name)]

    @cached_property
    def answers(self) -> Mapping[str, str]:
        """Head that is sent to the ERP -> the entity whose rows are the ERP's answers to it. Orders
        have none.
        """
        of_head = {head: f"{ANSWER_PREFIX}{head}" for head in self.sent_to_erp}
        return {head: answers for head, answers in of_head.items() if answers in self.entities}

    def made_about(self, names: Iterable[str]) -> list[str]:
        """What Kimo makes itself about any of these."""
        about = set(names)
        return [entity.name for entity in self.made.values() if about & set(entity.follows)]

    def owned_by(self, name: str) -> list[str]:
        return [e.name for e in self.entities.values() if e.owner == name]

    @cached_property
    def sent_to_erp(self) -> list[str]:
        """The heads that are exported, each after those that it may refer to: a new customer before
        the order of theirs.
        """
        heads = {entity.name for entity in self.all.values() if entity.is_sent_to_erp}
        return [name for name in self.load_order if name in heads]

    def sent_with(self, head: str) -> list[str]:
        """The parts that travel with a head, or not at all."""
        parts = (self.entities[name] for name in self.owned_by(head))
        return [
            part.name
            for part in parts
            if "SyncReference" in part.fields and not part.is_sent_to_erp
        ]

    @cached_property
    def load_order(self) -> list[str]:
        """Every entity after those its hard references point to; equal ones by category, then name.
        Made ones are last.
        """
        sorter = TopologicalSorter(
            {
                e.name: {r.target for r in e.hard_references.values()} - {e.name}
                for e in self.entities.values()
            }
        )
        sorter.prepare()
        order: list[str] = []
        while sorter.is_active():
            ready = sorted(
                sorter.get_ready(), key=lambda name: (self.entities[name].category, name)
            )
            order += ready
            sorter.done(*ready)
        return [*order, *self.made]

    def in_load_order(self, names: Iterable[str]) -> list[str]:
        rank = {name: i for i, name in enumerate(self.load_order)}
        return sorted(set(names), key=rank.__getitem__)

    def linked(self, names: Iterable[str]) -> set[str]:
        """The named entities, what they own, and all that these point to (design, section 8)."""
        with_owned = self._closure(names, self.owned_by)
        return self._closure(
            with_owned, lambda name: [r.target for r in self[name].hard_references.values()]
        )

    def _closure(self, names: Iterable[str], neighbours) -> set[str]:  # type: ignore[no-untyped-def]
        seen: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += neighbours(name)
        return seen


def _referrers(entity: Entity, target: str) -> Iterator[Referrer]:
    for described in entity.fields.values():
        reference, typed = described.references, described.references_by
        if reference and reference.target == target and reference.column == "Id":
            yield Referrer(entity.name, described.name, unless=reference.unless)
        if reference and reference.target == target and "Id" in reference.keys:
            yield Referrer(entity.name, reference.keys["Id"], unless=reference.unless)
        if typed and (
            codes := tuple(code for code, name in typed.targets.items() if name == target)
        ):
            yield Referrer(entity.name, described.name, when={typed.type_column: codes})
    if {"EntityType", "EntityId"} <= entity.fields.keys():
        yield Referrer(entity.name, "EntityId", when={"EntityType": (target,)})
