"""The ERP's tables as they are, and what is written into them: only columns that exist there, each
value checked first.

What a value looks like there is formats.py's, what a column can hold columns.py's, what the tables
are reflection.py's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import Column, Engine, MetaData, Table

from kimo_assets.catalog import Entity, Field, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.config.models import ExportConfig, ExportFormats, ExportMapping
from kimo_assets.errors import nearest
from kimo_assets.export.columns import ErpColumn, text_check, writer
from kimo_assets.export.formats import (
    Formats,
    Refused,
    after,
    null_of,
    null_setting,
    reader,
    single_line,
    upper,
)
from kimo_assets.export.reflection import ErpTable, NoTable, Reflection
from kimo_assets.sources.connection import source_errors
from kimo_assets.transforms import Transformation, transformed

SYNC_REFERENCE = "SyncReference"

# So many different values of a column are remembered: codes, flags, days and prices come again and
# again.
_REMEMBERED = 1024
_SHOWN = 40

# Entities whose ids may be split, and the setting that says at what.
_DOCUMENTS = ("Document", "DocumentLine")
_SITES = ("ShipmentSiteId", "ShipmentSite2Id")

Make = Callable[[Any], Any]


class UnfittingValueError(Exception):
    """A value that the ERP's column cannot hold: one sentence with field, column, what it is and
    what fits.
    """


@dataclass(frozen=True)
class ColumnWriter:
    """One column's value. at: the position of the text that `make` takes; the one behind all fields
    is all of them.
    """

    field: str
    column: str
    make: Make
    at: int


@dataclass(frozen=True)
class Target:
    """Where the rows of an entity go. fields: Kimo's fields that are needed to make a row, in the
    order convert takes them.

    table: with exactly the columns that are written, in the order convert gives them. sync_column:
    the one that holds the SyncReference, where there is one. ignored: fields for which the ERP has
    no column. unfilled: its columns that no field fills although they need a value. notes: what is
    written otherwise than it might be expected, for `kimo check`.
    """

    entity: str
    table: Table
    fields: tuple[str, ...]
    sync_column: str | None
    ignored: tuple[str, ...] = ()
    makers: tuple[ColumnWriter, ...] = field(default=(), repr=False, compare=False)
    columns: tuple[ErpColumn, ...] = field(default=(), repr=False, compare=False)
    unfilled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    _steps: tuple[tuple[Make, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_steps", tuple((maker.make, maker.at) for maker in self.makers))

    def convert(self, values: Sequence[str | None]) -> tuple[Any, ...]:
        """A row for the ERP from the fields as PostgreSQL writes them (::text). Raises: UnfittingValueError."""
        cells = (*values, values)
        try:
            return tuple([make(cells[at]) for make, at in self._steps])
        except Refused:
            raise UnfittingValueError(self._complaint(cells)) from None

    def _complaint(self, cells: Sequence[Any]) -> str:
        for maker in self.makers:
            try:
                maker.make(cells[maker.at])
            except Refused as error:
                given = (
                    cells[self.fields.index(maker.field)] if maker.field in self.fields else None
                )
                return (
                    f"{self.entity}.{maker.field} -> {maker.column}: {_shown(given)}{error.fits}."
                    f" {error.advice}"
                )
        raise AssertionError("a value that was refused fits")


def _shown(value: str | None) -> str:
    """The value, in one line and not all of a long one."""
    if value is None:
        return ""
    line = " ".join(value.split())
    return f"'{line if len(line) <= _SHOWN else line[: _SHOWN - 1] + '…'}': "


def find_targets(
    engine: Engine, config: KimoConfig
) -> tuple[Mapping[str, Target], Mapping[str, str]]:
    """The targets of what `export: entities:` lists and of the parts that travel with it, and why
    an entity has none.

    A part that is not listed goes by its own name, where the ERP has such a table; it is among the
    reasons where there is none. Raises: SourceError.
    """
    targets: dict[str, Target] = {}
    reasons: dict[str, str] = {}
    with source_errors(config.export.source, engine):
        reflection = Reflection(engine)
        for name, mapping in exported(config.export).items():
            try:
                targets[name] = _target(load_catalog()[name], mapping, reflection, config)
            except NoTable as reason:
                reasons[name] = str(reason)
    return targets, reasons


def exported(section: ExportConfig) -> Mapping[str, ExportMapping]:
    """What is listed, and the parts that travel with it: heads before their parts, in the order in
    which they are sent.
    """
    catalog = load_catalog()
    found: dict[str, ExportMapping] = {}
    for head in catalog.sent_to_erp:
        if head in section.entities:
            found |= {
                name: section.entities.get(name, ExportMapping())
                for name in (head, *catalog.sent_with(head))
            }
    return found


# --- an entity's columns
# ------------------------------------------------------------------------------------


def _target(
    entity: Entity, mapping: ExportMapping, reflection: Reflection, config: KimoConfig
) -> Target:
    """Raises: NoTable."""
    table = reflection.table(mapping.table or entity.name)
    pairs = _pairs(entity, mapping, table)
    if not pairs:
        raise NoTable(
            f"table {mapping.table or entity.name} has no column of {entity.name}'s fields"
        )
    making = _Making(entity, mapping, config, tuple(pairs))
    makers = tuple(making.maker(entity.fields[name], column) for name, column in pairs.items())
    columns = tuple(pairs.values())
    return Target(
        entity=entity.name,
        table=_written_table(table, columns),
        fields=making.fields,
        sync_column=pairs[SYNC_REFERENCE].name if SYNC_REFERENCE in pairs else None,
        ignored=tuple(name for name in entity.fields if name not in pairs),
        makers=makers,
        columns=columns,
        unfilled=_unfilled(table, columns),
        notes=tuple(making.notes),
    )


def _written_table(table: ErpTable, columns: Sequence[ErpColumn]) -> Table:
    made = [Column(column.name, table.types[column.name]) for column in columns]
    return Table(table.name, MetaData(), *made, schema=table.schema)


def _unfilled(table: ErpTable, columns: Sequence[ErpColumn]) -> tuple[str, ...]:
    filled = {column.name for column in columns}
    needy = (one for one in table.columns if not (one.nullable or one.has_default or one.is_filled))
    return tuple(column.name for column in needy if column.name not in filled)


def _pairs(entity: Entity, mapping: ExportMapping, table: ErpTable) -> dict[str, ErpColumn]:
    """Field -> its column, in the catalogue's order; what kimo.yaml names must be there. Raises:
    NoTable.
    """
    pairs: dict[str, ErpColumn] = {}
    for name in entity.fields:
        if name in mapping.fields or name in mapping.transform:
            pairs[name] = _named(entity, name, mapping.fields.get(name, name), table)
    taken: dict[str, str] = {}
    for name, column in pairs.items():
        if column.name in taken:
            raise NoTable(
                f"{taken[column.name]} and {name} both go into its column {column.name}: keep one"
                " of them"
            )
        taken[column.name] = name
    for name in entity.fields:
        found = table.find(name)
        if name not in pairs and found and not found.is_filled and found.name not in taken:
            pairs[name] = found
    return {name: pairs[name] for name in entity.fields if name in pairs}


def _named(entity: Entity, name: str, wanted: str, table: ErpTable) -> ErpColumn:
    column = table.find(wanted)
    if column is None:
        alike = [one.name for one in table.columns if one.name.casefold() == wanted.casefold()]
        close = alike or nearest(wanted, [one.name for one in table.columns])
        hint = f". Columns like it: {', '.join(close)}" if close else ""
        raise NoTable(f"table {table.name} has no column {wanted} (for {entity.name}.{name}){hint}")
    if column.is_filled:
        raise NoTable(
            f"column {column.name} (for {entity.name}.{name}) of table {table.name} is filled by"
            " the database itself: take it out of `fields`"
        )
    return column


# --- a column's value
# ---------------------------------------------------------------------------------------


class _Making:
    """How the values of one entity are made."""

    def __init__(
        self, entity: Entity, mapping: ExportMapping, config: KimoConfig, names: Sequence[str]
    ) -> None:
        self.entity = entity
        self.mapping = mapping
        self.export: ExportFormats = config.export.formats
        self.formats = Formats.of(config)
        self.notes: list[str] = []
        self._by_fold = {name.casefold(): name for name in entity.fields}
        self.fields = self._needed(names)
        self._at = {name: position for position, name in enumerate(self.fields)}

    def _needed(self, names: Sequence[str]) -> tuple[str, ...]:
        needed = dict.fromkeys(column for name in names for column in self._read_by(name))
        return tuple(name for name in self.entity.fields if name in needed)

    def _read_by(self, name: str) -> tuple[str, ...]:
        """The fields from which a column's value is made. Raises: NoTable for one that is none."""
        found: tuple[str, ...] = (name,)
        if step := self.mapping.transform.get(name):
            columns = step.columns(name)
            if unknown := [column for column in columns if column.casefold() not in self._by_fold]:
                raise NoTable(
                    f"the transformation of {name} reads {', '.join(unknown)}, which"
                    f" {self.entity.name} has not"
                )
            found = tuple(self._by_fold[column.casefold()] for column in columns)
        return (*found, "LineType") if self._is_idrolab(name) else found

    def _is_idrolab(self, name: str) -> bool:
        return (self.entity.name, name) == (
            "DocumentLine",
            "ItemId",
        ) and self.export.idrolab_item is not None

    def maker(self, source: Field, column: ErpColumn) -> ColumnWriter:
        null = self._null(source, column)
        write = writer(column, self.formats)
        name = source.name
        step = self.mapping.transform.get(name)
        adjust = self._adjustment(name)
        if step is None and adjust is None and not self._is_idrolab(name):
            return ColumnWriter(
                name, column.name, _plain(source, column, write, null), self._at[name]
            )
        read = self._read_by(name)
        made = _remembered(
            partial(
                _made, step, [reader(self.entity.fields[one]) for one in read], adjust, write, null
            )
        )
        if self._is_idrolab(name):
            code = self.export.idrolab_item or ""
            made = partial(_idrolab, made, self._idrolab_type(), code, write)
        positions = tuple(self._at[one] for one in read)
        return ColumnWriter(name, column.name, partial(_of_row, made, positions), len(self.fields))

    def _idrolab_type(self) -> str:
        codes = self.entity.fields["LineType"].codes
        return next(code for code, label in codes.items() if label == "Idrolab")

    def _null(self, source: Field, column: ErpColumn) -> Callable[[], Any]:
        """What stands for no value: what the formats say, where the column can hold it; else NULL,
        where it may be.
        """
        given = null_of(source, self.export)
        if given is not None:
            try:
                value = writer(column, self.formats)(given)
                if value != "" or column.keeps_empty_texts:
                    return lambda: value
            except Refused:
                self.notes.append(
                    f"{column.name} cannot hold '{given}' for no value, so NULL is written"
                )
        if column.nullable:
            return lambda: None
        return partial(_missing, column, null_setting(source))

    def _adjustment(self, name: str) -> Make | None:
        """What is done to the value behind its transformation. Nothing to the SyncReference, which
        the answer names.
        """
        steps: list[Make] = []
        if self.entity.name in _DOCUMENTS and name in _SITES and self.export.shipment_site_split:
            steps.append(partial(after, self.export.shipment_site_split))
        if self.entity.name in _DOCUMENTS and name == "ItemId" and self.export.item_split:
            steps.append(partial(after, self.export.item_split))
        is_text = self.entity.fields[name].type == "text" or name in self.mapping.transform
        if is_text and name != SYNC_REFERENCE:
            steps += [upper] if self.export.case == "upper" else []
            steps += [single_line] if self.export.single_line else []
        return partial(_in_turn, steps) if steps else None


def _missing(column: ErpColumn, setting: str) -> Any:
    raise Refused(
        f"there is no value, and {column.name} needs one",
        f"Fill it in Kimo, or say what stands for no value: export.formats.{setting}",
    )


def _plain(source: Field, column: ErpColumn, write: Make, null: Callable[[], Any]) -> Make:
    """A value that goes as it is: texts are only looked at, the others read once."""
    if source.type == "text" and column.sort == "text":
        return _plain_text(column, null)
    read = reader(source)

    @lru_cache(maxsize=_REMEMBERED)
    def make(value: str | None) -> Any:
        if value is None or (value == "" and column.sort not in ("text", "any")):
            return null()
        return write(read(value))

    return make


def _plain_text(column: ErpColumn, null: Callable[[], Any]) -> Make:
    check = text_check(column)
    keeps_empty = column.keeps_empty_texts

    def make(value: str | None) -> Any:
        if value is None or (not value and not keeps_empty):
            return null()
        return check(value)

    return make


def _of_row(
    made: Callable[[tuple[str | None, ...]], Any],
    positions: Sequence[int],
    values: Sequence[str | None],
) -> Any:
    return made(tuple([values[position] for position in positions]))


def _remembered(
    made: Callable[[tuple[str | None, ...]], Any],
) -> Callable[[tuple[str | None, ...]], Any]:
    return lru_cache(maxsize=_REMEMBERED)(made)


def _made(
    step: Transformation | None,
    readers: Sequence[Callable[[str], Any]],
    adjust: Make | None,
    write: Make,
    null: Callable[[], Any],
    texts: tuple[str | None, ...],
) -> Any:
    """A value by its steps. What a step makes empty is no value."""
    given = [
        None if text is None else read(text) for read, text in zip(readers, texts, strict=False)
    ]
    value = given[0] if given else None
    if step is not None:
        value = _transformed(step, given)
    if adjust is not None and value is not None:
        value = adjust(value)
    return null() if value is None or (value == "" and step is not None) else write(value)


def _transformed(step: Transformation, given: Sequence[Any]) -> Any:
    outcome = transformed(
        step, [[value] for value in given[: len(step.columns(""))]], 1, frozenset()
    )
    if outcome.rejected:
        raise Refused(
            "the transformation gives nothing:"
            f" {outcome.rejected[0].detail or outcome.rejected[0].rule}",
            "Mend the value in Kimo, or the transformation in `export`",
        )
    return outcome.values[0]


def _idrolab(
    made: Callable[[tuple[str | None, ...]], Any],
    line_type: str,
    code: str,
    write: Make,
    texts: tuple[str | None, ...],
) -> Any:
    """Lines from the Idrolab catalogue name no item of the ERP's: they all get one code. The line's
    type comes last.
    """
    return write(code) if texts[-1] == line_type else made(texts[:-1])


def _in_turn(steps: Sequence[Make], value: Any) -> Any:
    for step in steps:
        value = step(value)
    return value
