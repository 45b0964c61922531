"""The ERP's tables, and what is written into them: existing columns alone, each value checked.

What a value looks like there is formats.py's, what a column can hold columns.py's, what the tables
are reflection.py's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    DoesNotFitError,
    Formats,
    after,
    null_of,
    null_setting,
    reader,
    single_line,
    upper,
)
from kimo_assets.export.reflection import ErpTable, NoTargetError, Reflection
from kimo_assets.sources.connection import source_errors
from kimo_assets.texts import say
from kimo_assets.transforms import Transformation, transformed

SYNC_REFERENCE = "SyncReference"

# How many values of a column are remembered: codes, flags, days and prices come again and again.
_REMEMBERED = 1024
_SHOWN_CHARS = 40

# Entities whose ids may be split, and the fields that `shipment_site_split` is about.
_DOCUMENTS = ("Document", "DocumentLine")
_SITES = ("ShipmentSiteId", "ShipmentSite2Id")

Make = Callable[[Any], Any]
Texts = tuple[str | None, ...]


class UnfittingValueError(Exception):
    """A value that the ERP's column cannot hold.

    The message names field, column, value, what fits and what to do.
    """


@dataclass(frozen=True)
class ColumnWriter:
    """Makes one column's value. at: the position of the text that `make` takes.

    The position after the last field stands for the texts of all fields.
    """

    field: str
    column: str
    make: Make
    at: int


@dataclass(frozen=True)
class Target:
    """Where the rows of an entity go.

    fields: of Kimo, those that are needed to make a row, in the order in which convert takes them.
    table: with exactly the columns that are written, in the order in which convert gives them.
    sync_column: the one that holds the SyncReference. None: there is none. ignored: fields for
    which the ERP has no column. unfilled: its columns that need a value and that no field fills.
    notes: sentences for `kimo check` about values that are written in an unexpected way.
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
        # convert is called for every row. Tuples are faster there than attributes.
        object.__setattr__(self, "_steps", tuple((maker.make, maker.at) for maker in self.makers))

    def convert(self, values: Sequence[str | None]) -> tuple[Any, ...]:
        """A row for the ERP from the fields as PostgreSQL writes them (::text).

        Raises: UnfittingValueError.
        """
        cells = (*values, values)
        try:
            return tuple([make(cells[at]) for make, at in self._steps])
        except DoesNotFitError:
            raise UnfittingValueError(self._message(cells)) from None

    def _message(self, cells: Sequence[Any]) -> str:
        """About the first value that does not fit. Found anew, to keep convert fast."""
        for maker in self.makers:
            try:
                maker.make(cells[maker.at])
            except DoesNotFitError as error:
                value = None
                if maker.field in self.fields:
                    value = cells[self.fields.index(maker.field)]
                column = f"{self.entity}.{maker.field} -> {maker.column}"
                return f"{column}: {_shown(value)}{error.fits}. {error.advice}"
        raise AssertionError("a value that did not fit fits")


def _shown(value: str | None) -> str:
    """The value in one line, shortened."""
    if value is None:
        return ""
    line = " ".join(value.split())
    if len(line) > _SHOWN_CHARS:
        line = f"{line[: _SHOWN_CHARS - 1]}…"
    return f"'{line}': "


def find_targets(
    engine: Engine, config: KimoConfig
) -> tuple[Mapping[str, Target], Mapping[str, str]]:
    """The targets of what is exported, by entity, and the reasons of entities that have none.

    A part that is not listed goes into the table of its own name, if the ERP has one.
    Raises: SourceError.
    """
    targets: dict[str, Target] = {}
    reasons: dict[str, str] = {}
    with source_errors(config.export.source, engine):
        reflection = Reflection(engine)
        for name, mapping in exported(config.export).items():
            try:
                targets[name] = _target(load_catalog()[name], mapping, reflection, config)
            except NoTargetError as reason:
                reasons[name] = str(reason)
    return targets, reasons


def exported(section: ExportConfig) -> Mapping[str, ExportMapping]:
    """The entities that `export: entities:` lists and the parts that travel with them.

    In the order in which they are sent: heads before their parts.
    """
    catalog = load_catalog()
    mappings: dict[str, ExportMapping] = {}
    for head in catalog.sent_to_erp:
        if head in section.entities:
            for name in (head, *catalog.sent_with(head)):
                mappings[name] = section.entities.get(name, ExportMapping())
    return mappings


# --- an entity's columns
# ------------------------------------------------------------------------------------


def _target(
    entity: Entity, mapping: ExportMapping, reflection: Reflection, config: KimoConfig
) -> Target:
    """Raises: NoTargetError."""
    table_name = mapping.table or entity.name
    table = reflection.table(table_name)
    pairs = _pairs(entity, mapping, table)
    if not pairs:
        raise NoTargetError(say("export.target.no_fields", table=table_name, entity=entity.name))
    making = _Making(entity, mapping, config, tuple(pairs))
    makers = tuple(making.maker(entity.fields[name], column) for name, column in pairs.items())
    columns = tuple(pairs.values())
    sync_column = pairs.get(SYNC_REFERENCE)
    return Target(
        entity=entity.name,
        table=_written_table(table, columns),
        fields=making.fields,
        sync_column=sync_column.name if sync_column else None,
        ignored=tuple(name for name in entity.fields if name not in pairs),
        makers=makers,
        columns=columns,
        unfilled=_unfilled(table, columns),
        notes=tuple(making.notes),
    )


def _written_table(table: ErpTable, columns: Sequence[ErpColumn]) -> Table:
    """With the columns that are written alone."""
    written: list[Column[Any]] = [
        Column(column.name, table.types[column.name]) for column in columns
    ]
    return Table(table.name, MetaData(), *written, schema=table.schema)


def _unfilled(table: ErpTable, columns: Sequence[ErpColumn]) -> tuple[str, ...]:
    written = {column.name for column in columns}
    return tuple(
        column.name
        for column in table.columns
        if not (column.nullable or column.has_default or column.is_filled)
        and column.name not in written
    )


def _pairs(entity: Entity, mapping: ExportMapping, table: ErpTable) -> dict[str, ErpColumn]:
    """Field -> its column, in the catalogue's order.

    What kimo.yaml names must be there: a misspelt name is not guessed. Raises: NoTargetError.
    """
    named: dict[str, ErpColumn] = {}
    field_of: dict[str, str] = {}
    for name in entity.fields:
        if name not in mapping.fields and name not in mapping.transform:
            continue
        column = _named_column(entity, name, mapping.fields.get(name, name), table)
        if column.name in field_of:
            other = field_of[column.name]
            raise NoTargetError(
                say("export.target.two_fields", first=other, second=name, column=column.name)
            )
        named[name] = column
        field_of[column.name] = name
    pairs: dict[str, ErpColumn] = {}
    for name in entity.fields:
        own = table.find(name)
        if name in named:
            pairs[name] = named[name]
        # A column that kimo.yaml gives to another field is not filled twice.
        elif own and not own.is_filled and own.name not in field_of:
            pairs[name] = own
    return pairs


def _named_column(entity: Entity, name: str, column_name: str, table: ErpTable) -> ErpColumn:
    """The column that kimo.yaml names for a field. Raises: NoTargetError."""
    column = table.find(column_name)
    values: dict[str, Any] = {"table": table.name, "field": f"{entity.name}.{name}"}
    if column is None:
        names = [other.name for other in table.columns]
        alike = [other for other in names if other.casefold() == column_name.casefold()]
        close = alike or nearest(column_name, names)
        if not close:
            raise NoTargetError(say("export.target.no_column", column=column_name, **values))
        raise NoTargetError(
            say("export.target.no_column_but", column=column_name, names=", ".join(close), **values)
        )
    if column.is_filled:
        raise NoTargetError(say("export.target.filled", column=column.name, **values))
    return column


# --- a column's value
# ---------------------------------------------------------------------------------------


class _Making:
    """How the values of one entity are made: by kimo.yaml's formats and transformations."""

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
        """The fields that any of these columns is made from, in the catalogue's order."""
        needed = {field for name in names for field in self._sources_of(name)}
        return tuple(name for name in self.entity.fields if name in needed)

    def _sources_of(self, name: str) -> tuple[str, ...]:
        """The fields from which a column's value is made.

        Raises: NoTargetError for a field that a transformation reads and the entity lacks.
        """
        sources: tuple[str, ...] = (name,)
        step = self.mapping.transform.get(name)
        if step:
            columns = step.columns(name)
            unknown = [column for column in columns if column.casefold() not in self._by_fold]
            if unknown:
                raise NoTargetError(
                    say(
                        "export.target.unknown_source",
                        field=name,
                        names=", ".join(unknown),
                        entity=self.entity.name,
                    )
                )
            sources = tuple(self._by_fold[column.casefold()] for column in columns)
        if self._is_idrolab(name):
            return (*sources, "LineType")
        return sources

    def _is_idrolab(self, name: str) -> bool:
        """Whether lines from the Idrolab catalogue get a code of their own in this field."""
        is_item_of_line = self.entity.name == "DocumentLine" and name == "ItemId"
        return is_item_of_line and self.export.idrolab_item is not None

    def maker(self, source: Field, column: ErpColumn) -> ColumnWriter:
        """What writes a field's column. A value that goes as it is takes the short way."""
        null = self._null(source, column)
        write = writer(column, self.formats)
        name = source.name
        step = self.mapping.transform.get(name)
        adjust = self._adjustment(name)
        if step is None and adjust is None and not self._is_idrolab(name):
            plain = _plain(source, column, write, null)
            return ColumnWriter(name, column.name, plain, self._at[name])
        sources = self._sources_of(name)
        readers = [reader(self.entity.fields[field]) for field in sources]
        make: Callable[[Texts], Any] = partial(_make_value, step, readers, adjust, write, null)
        make = lru_cache(maxsize=_REMEMBERED)(make)
        if self._is_idrolab(name):
            code = self.export.idrolab_item or ""
            make = partial(_make_item, make, self._idrolab_type(), code, write)
        positions = tuple(self._at[field] for field in sources)
        of_row = partial(_make_of_row, make, positions)
        return ColumnWriter(name, column.name, of_row, len(self.fields))

    def _idrolab_type(self) -> str:
        codes = self.entity.fields["LineType"].codes
        return next(code for code, label in codes.items() if label == "Idrolab")

    def _null(self, source: Field, column: ErpColumn) -> Callable[[], Any]:
        """What stands for no value: what the formats say, if the column can hold it, else NULL.

        Where NULL is not allowed either, the call raises DoesNotFitError.
        """
        text = null_of(source, self.export)
        if text is not None:
            try:
                value = writer(column, self.formats)(text)
            except DoesNotFitError:
                self.notes.append(say("export.target.null_text", column=column.name, value=text))
            else:
                if value != "" or column.keeps_empty_texts:
                    return lambda: value
        if column.nullable:
            return lambda: None
        return partial(_raise_missing, column, null_setting(source))

    def _adjustment(self, name: str) -> Make | None:
        """What is done to a value after its transformation. None: nothing."""
        steps = list(self._adjustments(name))
        return partial(_in_turn, steps) if steps else None

    def _adjustments(self, name: str) -> Iterator[Make]:
        formats = self.export
        if self.entity.name in _DOCUMENTS:
            if name in _SITES and formats.shipment_site_split:
                yield partial(after, formats.shipment_site_split)
            if name == "ItemId" and formats.item_split:
                yield partial(after, formats.item_split)
        is_text = self.entity.fields[name].type == "text" or name in self.mapping.transform
        # The ERP's answer names the SyncReference letter by letter.
        if not is_text or name == SYNC_REFERENCE:
            return
        if formats.case == "upper":
            yield upper
        if formats.single_line:
            yield single_line


def _raise_missing(column: ErpColumn, setting: str) -> Any:
    raise DoesNotFitError(
        say("export.value.missing", column=column.name),
        say("export.advice.missing", setting=setting),
    )


def _plain(source: Field, column: ErpColumn, write: Make, null: Callable[[], Any]) -> Make:
    """A value that goes as it is. Texts are only checked, the others are read once."""
    if source.type == "text" and column.kind == "text":
        return _plain_text(column, null)
    read = reader(source)
    holds_texts = column.kind in ("text", "any")

    @lru_cache(maxsize=_REMEMBERED)
    def make(value: str | None) -> Any:
        # No number, day or flag can be read from an empty text, so it stands for no value there.
        if value is None or (value == "" and not holds_texts):
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


def _make_of_row(
    make: Callable[[Texts], Any], positions: Sequence[int], values: Sequence[str | None]
) -> Any:
    return make(tuple([values[position] for position in positions]))


def _make_value(
    step: Transformation | None,
    readers: Sequence[Callable[[str], Any]],
    adjust: Make | None,
    write: Make,
    null: Callable[[], Any],
    texts: Texts,
) -> Any:
    """A value by its steps. What a transformation makes empty is no value."""
    # A constant reads no field. The type of an Idrolab line is read by no step.
    values = [
        None if text is None else read(text) for read, text in zip(readers, texts, strict=False)
    ]
    value = values[0] if values else None
    if step is not None:
        value = _transformed(step, values)
        if value == "":
            value = None
    if value is None:
        return null()
    if adjust is not None:
        value = adjust(value)
        if value == "" and step is not None:
            return null()
    return write(value)


def _transformed(step: Transformation, values: Sequence[Any]) -> Any:
    """Raises: DoesNotFitError for a value of which the transformation makes nothing."""
    inputs = [[value] for value in values[: len(step.columns(""))]]
    outcome = transformed(step, inputs, 1, frozenset())
    if outcome.rejected:
        rejection = outcome.rejected[0]
        raise DoesNotFitError(
            say("export.value.not_transformed", reason=rejection.detail or rejection.rule),
            say("export.advice.transformation"),
        )
    return outcome.values[0]


def _make_item(
    make: Callable[[Texts], Any], line_type: str, code: str, write: Make, texts: Texts
) -> Any:
    """Lines from the Idrolab catalogue name no item of the ERP's: all get one code.

    The line's type is the last text.
    """
    if texts[-1] == line_type:
        return write(code)
    return make(texts[:-1])


def _in_turn(steps: Sequence[Make], value: Any) -> Any:
    for step in steps:
        value = step(value)
    return value
