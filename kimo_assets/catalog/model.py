"""The shapes of the catalogue: entities, fields, references. Frozen values without any I/O."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Literal

from kimo_assets.catalog.lifecycle import ANSWER_PREFIX
from kimo_assets.catalog.scopes import AgentColumn, Scope
from kimo_assets.errors import UnknownEntityError

FieldType = Literal["text", "dec", "int", "bool", "enum", "date", "dt"]
Direction = Literal["import", "import+export", "export", "made"]

# The vendor's limit (fact sheet, section 7). Derived Ids have to fit as well.
MAX_ID_CHARS = 50


@dataclass(frozen=True)
class Reference:
    """A foreign key. A soft one is not checked, because real data are known to break it.

    keys: further parts of a composite key, target's column -> local column. const: parts with a
    fixed value. unless: local column -> codes with which the field holds something else.
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
    """A column that may hold an Id of another entity.

    when: columns that must hold one of these codes for it to be such an Id. unless: columns that
    must not.
    """

    entity: str
    column: str
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """One column.

    size: characters, None for unlimited. codes: of an enum, empty when the list is not known (an
    open enum).
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
        """Whether the value names another row, so that 0 means none (fact sheet, section 8)."""
        return bool(self.references or self.references_by or self.console_reference)


@dataclass(frozen=True)
class Entity:
    """A table of the vendor's, or one of the same shape that Kimo derives itself.

    follows: the entities that a derived one is about.
    """

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
        """The fields that tell rows apart beside Id. Where the ERP gives no Id, it is derived from
        them.
        """
        # ItemCrossReference marks no primary key in the manual. Its composite key is used instead
        # (fact sheet, section 14).
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
        """Field -> its reference, of those that must point to a row."""
        references = {name: described.references for name, described in self.fields.items()}
        return {name: target for name, target in references.items() if target and not target.soft}

    @property
    def agent_field(self) -> str | None:
        """The field that gives a row to one agent, above all in links between agents and rows."""
        # The ERP shows its answers for some days only. That an agent's are gone is no broken
        # export.
        if not isinstance(self.scope, AgentColumn) or self.category == "sync_references":
            return None
        reference = self.hard_references.get(self.scope.column)
        if reference is None or reference.target != "SalesAgent":
            return None
        return self.scope.column

    @property
    def status_fields(self) -> dict[str, str]:
        """Fields that hold a status of the ERP -> the list that decodes it, such as `Account1`.

        Source of the rule: fact sheet, section 8.
        """
        kinds = {}
        for name, described in self.fields.items():
            reference = described.console_reference
            if reference and reference.target == "ErpStatus":
                kinds[name] = f"{self.name}{reference.const['Index']}"
        return kinds

    @property
    def is_sent_to_erp(self) -> bool:
        """Whether rows go to the ERP by their own EntityStatus: heads, not their lines."""
        return "EntityStatus" in self.fields and self.direction != "import"

    @property
    def is_derived(self) -> bool:
        """Whether Kimo derives the rows itself, so that no ERP sends them."""
        return self.direction == "made"

    @property
    def is_held_while_pending(self) -> bool:
        """Whether Kimo edits these rows, so that an import must not overwrite pending edits."""
        # Documents are only exported: no import can meet them.
        return "EntityStatus" in self.fields and self.direction != "export"


@dataclass(frozen=True)
class Catalog:
    """All entities, and how they hang together.

    entities: the vendor's. derived: those of the same shape that Kimo derives itself and nothing
    imports.
    """

    entities: Mapping[str, Entity]
    derived: Mapping[str, Entity] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Entity:
        if name not in self.all:
            raise UnknownEntityError(name, self.all)
        return self.all[name]

    @cached_property
    def all(self) -> Mapping[str, Entity]:
        """The vendor's entities and the derived ones."""
        return {**self.entities, **self.derived}

    def referrers(self, name: str) -> list[Referrer]:
        """Every column of any entity that may hold an Id of this one, by any kind of reference."""
        return [referrer for entity in self.all.values() for referrer in _referrers(entity, name)]

    @cached_property
    def answers(self) -> Mapping[str, str]:
        """Head that is sent to the ERP -> the entity with the ERP's answers to it.

        The ERP answers no orders.
        """
        of_head = {head: f"{ANSWER_PREFIX}{head}" for head in self.sent_to_erp}
        return {head: answers for head, answers in of_head.items() if answers in self.entities}

    def derived_about(self, names: Iterable[str]) -> list[str]:
        """The derived entities that are about any of these."""
        subjects = set(names)
        return [
            entity.name
            for entity in self.derived.values()
            if not subjects.isdisjoint(entity.follows)
        ]

    def owned_by(self, name: str) -> list[str]:
        """The entities whose rows are parts of this one's."""
        return [entity.name for entity in self.entities.values() if entity.owner == name]

    @cached_property
    def sent_to_erp(self) -> list[str]:
        """The heads that are exported, each after those that it may refer to.

        So a new customer goes before the order of this customer.
        """
        heads = {entity.name for entity in self.all.values() if entity.is_sent_to_erp}
        return [name for name in self.load_order if name in heads]

    def sent_with(self, head: str) -> list[str]:
        """The parts that travel with a head, or not at all."""
        # A part without a SyncReference is not exchanged. With its own EntityStatus it is a head.
        parts = (self.entities[name] for name in self.owned_by(head))
        return [
            part.name
            for part in parts
            if "SyncReference" in part.fields and not part.is_sent_to_erp
        ]

    @cached_property
    def load_order(self) -> list[str]:
        """Every entity after those its hard references point to, then by category and name.

        The derived ones are last.
        """
        # A row may refer to another one of its own entity. That is no cycle between entities.
        sorter = TopologicalSorter({name: self._targets(name) - {name} for name in self.entities})
        sorter.prepare()
        order: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=self._by_category)
            order += ready
            sorter.done(*ready)
        return [*order, *self.derived]

    def _targets(self, name: str) -> set[str]:
        """The entities that the hard references of this one point to."""
        return {reference.target for reference in self[name].hard_references.values()}

    def _by_category(self, name: str) -> tuple[str, str]:
        return self.entities[name].category, name

    def in_load_order(self, names: Iterable[str]) -> list[str]:
        """The names in the order of load_order, each once."""
        rank = {name: position for position, name in enumerate(self.load_order)}
        return sorted(set(names), key=rank.__getitem__)

    def linked(self, names: Iterable[str]) -> set[str]:
        """The named entities, what they own, and all that these point to (design, section 8)."""
        with_owned = _closure(names, self.owned_by)
        return _closure(with_owned, self._targets)


def _closure(names: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    """The names, and all that can be reached from them by way of neighbours."""
    reached: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += neighbours(name)
    return reached


def _referrers(entity: Entity, target: str) -> Iterator[Referrer]:
    """The columns of an entity that may hold an Id of the target."""
    for described in entity.fields.values():
        if described.references:
            yield from _by_reference(entity, described, described.references, target)
        if described.references_by:
            yield from _by_type(entity, described, described.references_by, target)
    # A pair of columns with these names may refer to any entity. The data mark it as no reference.
    if {"EntityType", "EntityId"} <= entity.fields.keys():
        yield Referrer(entity.name, "EntityId", when={"EntityType": (target,)})


def _by_reference(
    entity: Entity, described: Field, reference: Reference, target: str
) -> Iterator[Referrer]:
    """The field itself, or the column that holds the Id as a part of a composite key."""
    if reference.target != target:
        return
    if reference.column == "Id":
        yield Referrer(entity.name, described.name, unless=reference.unless)
    if "Id" in reference.keys:
        yield Referrer(entity.name, reference.keys["Id"], unless=reference.unless)


def _by_type(
    entity: Entity, described: Field, typed: TypedReference, target: str
) -> Iterator[Referrer]:
    """The field, where the codes of its type column name the target."""
    codes = tuple(code for code, name in typed.targets.items() if name == target)
    if codes:
        yield Referrer(entity.name, described.name, when={typed.type_column: codes})
