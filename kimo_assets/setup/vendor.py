"""A kimo.yaml from the rows in which the vendor's machine keeps its mapping (fact sheet, section
7).

Every row ends somewhere: in the mapping, or as a comment beside what it belongs to, or at the
file's end; and whatever was decided about it is one sentence of `remarks`. Of rows that contradict
each other the first one counts.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import SYSTEMS
from kimo_assets.config.models import ExportFormats
from kimo_assets.errors import nearest
from kimo_assets.setup.draft import (
    Draft,
    DraftEntity,
    DraftExport,
    DraftMapping,
    DraftSource,
    DraftStep,
    DraftTarget,
)
from kimo_assets.sources.vendor_mapping import VendorRow, VendorTables

_IMPORT_STEPS = {name.casefold(): name for name in ("StringToHash", "QueryAsLong")}
_FORMATS = {"dateformat": "date", "datetimeformat": "datetime"}

# The settings of the export -> the key of `export: formats:`.
_EXPORT_FORMATS = {
    "dateexportformat": "date",
    "datetimeexportformat": "datetime",
    "booleanformat": "boolean",
    "stringcase": "case",
    "singlelinestrings": "single_line",
    "idrolabitemid": "idrolab_item",
    "datenullvalue": "null_date",
    "booleannullvalue": "null_boolean",
    "numericnullvalue": "null_number",
    "stringnullvalue": "null_text",
    "shipmentsiteidsplitchar": "shipment_site_split",
    "itemidsplitchar": "item_split",
}

# Keys that know only some words -> the vendor's word -> ours; None: what holds without the key.
_WORDS_OF: dict[str, dict[str, str | bool | None]] = {
    "boolean": {"zeroone": "zero_one"},
    "case": {"upper": "upper", "invariant": None},
    "single_line": {"1": True, "true": True, "0": None, "false": None},
}

# What a kimo.yaml has no place for, by the words the command counts it with.
EXPORT = "export names"
EXPORT_STEPS = "unknown export transformations"
SETTINGS = "settings"
UNKNOWN = "unknown names"
FUNCTIONS = "unknown import transformations"
CONTRADICTIONS = "contradicting rows"


@dataclass(frozen=True)
class Pulled:
    """formats: source -> what sources.<source>.formats takes. kept: what has no place yet -> how
    many rows say it; all of it stands in the file as comments. remarks: a sentence for each thing
    that was decided.
    """

    draft: Draft
    formats: Mapping[str, Mapping[str, str]]
    kept: Mapping[str, int]
    remarks: tuple[str, ...]


@dataclass
class _Part:
    """What the rows say of one entity from one system. is_named: there is a row for the entity
    itself.
    """

    entity: Entity
    system: str
    draft: DraftMapping
    is_named: bool = False
    target: DraftTarget = field(default_factory=DraftTarget)

    @property
    def is_exported(self) -> bool:
        """Of an entity that is only exported, its row alone is enough."""
        target = self.target
        says_so = bool(target.table or target.fields or target.transform)
        return says_so or (self.is_named and self.entity.direction == "export")

    @property
    def is_imported(self) -> bool:
        draft = self.draft
        return bool(self.is_named or draft.table or draft.query or draft.fields or draft.transform)


class _Reading:
    """The rows as they are read: what they say so far."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str], _Part] = {}
        self.formats: dict[str, dict[str, str]] = {}
        self.export_formats: dict[str, dict[str, str | bool]] = {}
        self.setting_notes: dict[str, list[str]] = {}
        self.kept: Counter[str] = Counter()
        self.remarks: list[str] = []
        self.homeless: list[str] = []

    def remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def part(self, table: str, row: VendorRow) -> _Part | None:
        """Where the row belongs; None when it belongs nowhere, which is then told and kept."""
        name, system = row.get("entity"), (row.get("system") or "erp").casefold()
        if name is None:
            self.remark(f"{table} has a row without KimoEntity: kept at the file's end")
        elif system not in SYSTEMS:
            self.remark(
                f"{table}: SystemId '{row['system']}' of {name} is neither Erp nor Crm: kept at the"
                " file's end"
            )
        elif (entity := _entity(name)) is None:
            hint = _hint(nearest(name, load_catalog().entities))
            self.remark(
                f"{table}: Kimo has no entity '{name}'{hint}: its rows are kept at the file's end"
            )
        else:
            key = (entity.name, system)
            return self.parts.setdefault(key, _Part(entity, system, DraftMapping(system)))
        self.kept[UNKNOWN] += 1
        self.homeless.append(f"{table}: {_row_in_words(row)}")
        return None

    def keep(self, kind: str, part: _Part, note: str, *, in_export: bool = False) -> None:
        self.kept[kind] += 1
        notes = part.target.notes if in_export else part.draft.notes
        if note not in notes:
            notes.append(note)

    def once(
        self, part: _Part, key: str, old: str | None, new: str, *, is_name: bool = True
    ) -> bool:
        """Whether the new value counts: not where the same thing was said before, alike or
        otherwise. is_name: a name of the database's, in which case says nothing.
        """
        if old is None:
            return True
        if (old.casefold() != new.casefold()) if is_name else old != new:
            where = f"{part.entity.name}{f' ({part.system})' if part.system != 'erp' else ''}"
            self.remark(
                f"{where}: {key} is {_cut(old)} in one row and {_cut(new)} in another: the first"
                " counts"
            )
            self.keep(CONTRADICTIONS, part, f"another row says: {key} {new}")
        return False


def draft_from(tables: VendorTables, sources: Mapping[str, DraftSource]) -> Pulled:
    """The mapping that the vendor's tables hold. sources: of the kimo.yaml to be; none makes a file
    for `mapping:`.
    """
    reading = _Reading()
    for name in tables.missing:
        reading.remark(f"there is no table {name}: read without it")
    for row in tables.mapping:
        _take_mapping(reading, row)
    for row in tables.filters:
        _take_filter(reading, row)
    for row in tables.settings:
        _take_setting(reading, row)
    for name, columns in tables.extra.items():
        reading.remark(
            f"{name} has columns that nothing is known of, so they were not read:"
            f" {', '.join(columns)}"
        )
    export = _export(reading, sources)
    entities = _entities(reading, sources)
    head, end = _head(tables, reading, sources), _end(reading, sources)
    draft = Draft(head, _with_settings(reading, sources), entities, end, export)
    return Pulled(draft, reading.formats, dict(reading.kept), tuple(reading.remarks))


# --- IntegratorMapping
# --------------------------------------------------------------------------------------


def _take_mapping(reading: _Reading, row: VendorRow) -> None:
    part = reading.part("IntegratorMapping", row)
    if part is None:
        return
    if row.get("field") is None:
        _take_table(reading, part, row)
        return
    known = _field(part.entity, row["field"] or "")
    if known is None:
        hint = _hint(nearest(row["field"] or "", part.entity.fields))
        reading.remark(
            f"{part.entity.name} has no field '{row['field']}'{hint}: the row is a comment"
        )
        reading.keep(UNKNOWN, part, f"no such field: {_row_in_words(row)}")
        return
    _take_field(reading, part, known, row)


def _take_table(reading: _Reading, part: _Part, row: VendorRow) -> None:
    imported, exported = row.get("import_name"), row.get("export_name")
    if imported and reading.once(part, "the table", part.draft.table, imported):
        part.draft.table = imported
    if imported or not exported:
        part.is_named = True
    if exported and reading.once(part, "the table to export to", part.target.table, exported):
        part.target.table = exported
    for key in ("import_steps", "export_steps"):
        if steps := row.get(key):
            kind = FUNCTIONS if key == "import_steps" else EXPORT_STEPS
            said = f"transformations of the whole entity: {steps}"
            reading.keep(kind, part, said, in_export=key == "export_steps")


def _take_field(reading: _Reading, part: _Part, name: str, row: VendorRow) -> None:
    if imported := row.get("import_name"):
        if reading.once(part, f"the column of {name}", part.draft.fields.get(name), imported):
            part.draft.fields[name] = imported
    elif not any(row.get(key) for key in ("export_name", "import_steps", "export_steps")):
        reading.remark(
            f"{part.entity.name}.{name}: its row names no column, so the one of the same name is"
            " taken"
        )
    if steps := row.get("import_steps"):
        _take_steps(reading, part, name, steps)
    if (exported := row.get("export_name")) and reading.once(
        part, f"the column to export {name} to", part.target.fields.get(name), exported
    ):
        part.target.fields[name] = exported
    if steps := row.get("export_steps"):
        _take_steps_out(reading, part, name, steps)


def _take_steps(reading: _Reading, part: _Part, name: str, text: str) -> None:
    given = [step.strip() for step in re.split(r"[|;,\n]", text) if step.strip()]
    known = [_IMPORT_STEPS.get(step.rstrip(":").casefold()) for step in given]
    if None in known:
        reading.remark(
            f"{part.entity.name}.{name}: the transformation '{text}' is not known here: it is a"
            " comment"
        )
        reading.keep(FUNCTIONS, part, f"{name} went through {text}")
        return
    steps = [step for step in known if step]
    old = part.draft.transform.get(name)
    if reading.once(
        part, f"the transformation of {name}", None if old is None else str(old), str(_one(steps))
    ):
        part.draft.transform[name] = _one(steps)


def _take_steps_out(reading: _Reading, part: _Part, name: str, text: str) -> None:
    """FixedValueAsString:<value>, RemovePrefix:<prefix>, StringToInteger; several with |
    between.
    """
    found = [_step_out(step.strip()) for step in re.split(r"[|\n]", text) if step.strip()]
    steps = [step for step in found if step is not None]
    begins_later = any(step[0] == "constant" for step in steps[1:])
    if None in found or not steps or begins_later or name == "SyncReference":
        why = (
            "goes as it is, by it the answer is bound"
            if name == "SyncReference"
            else f"'{text}' is not known here"
        )
        reading.remark(
            f"{part.entity.name}.{name}: its transformation for the export is a comment: {why}"
        )
        reading.keep(EXPORT_STEPS, part, f"{name} went through {text}", in_export=True)
        return
    old = part.target.transform.get(name)
    if reading.once(
        part,
        f"the export's transformation of {name}",
        None if old is None else str(old),
        str(steps),
    ):
        part.target.transform[name] = steps


def _step_out(text: str) -> DraftStep | None:
    name, _, argument = text.partition(":")
    match name.strip().casefold():
        case "stringtointeger" if not argument.strip():
            return "StringToInteger"
        case "removeprefix" if argument:
            return ("RemovePrefix", argument)
        case "fixedvalueasstring":
            return ("constant", argument)
    return None


def _one(steps: list[str]) -> str | list[str]:
    return steps[0] if len(steps) == 1 else steps


# --- IntegratorImportFilter
# ---------------------------------------------------------------------------------


def _take_filter(reading: _Reading, row: VendorRow) -> None:
    if not row.get("where") and not row.get("query"):
        reading.remark(
            f"IntegratorImportFilter: the row of {row.get('entity')} has neither filter nor query"
        )
        return
    part = reading.part("IntegratorImportFilter", _of_the_only_system(reading, row))
    if part is None:
        return
    if (query := row.get("query")) and reading.once(
        part, "CustomQuery", part.draft.query, query.rstrip("; \n"), is_name=False
    ):
        part.draft.query = query.rstrip("; \n")
    if where := row.get("where"):
        bare = re.sub(r"(?i)^(where|and)\b\s*", "", where)
        if bare != where:
            reading.remark(
                f"{part.entity.name}: '{where.split()[0]}' before its AdditionalFilter is taken off"
            )
        if reading.once(part, "AdditionalFilter", part.draft.where, bare, is_name=False):
            part.draft.where = bare


def _of_the_only_system(reading: _Reading, row: VendorRow) -> VendorRow:
    """A filter without a system goes to the CRM where only the CRM maps the entity."""
    entity = _entity(row.get("entity") or "")
    systems = {system for name, system in reading.parts if entity and name == entity.name}
    if row.get("system") or entity is None or systems != {"crm"} or row.get("query"):
        return row
    reading.remark(
        f"{entity.name}: its filter names no system; only the CRM maps the entity, so it is the"
        " CRM's"
    )
    return {**row, "system": "crm"}


# --- IntegratorSystemSetting
# --------------------------------------------------------------------------------


def _take_setting(reading: _Reading, row: VendorRow) -> None:
    r"""A key is `DateFormat`, `Crm\DateFormat`, `DataFormat\DateFormat`; without Crm\ it is the
    ERP's.
    """
    words = [
        word for text in (row.get("section"), row.get("key")) if text for word in text.split("\\")
    ]
    systems = [word.casefold() for word in words if word.casefold() in SYSTEMS]
    system = systems[0] if systems else (row.get("system") or "erp").casefold()
    key = "\\".join(word for word in words if word.casefold() not in (*SYSTEMS, "dataformat"))
    if not key or system not in SYSTEMS:
        reading.kept[UNKNOWN] += 1
        reading.homeless.append(f"IntegratorSystemSetting: {_row_in_words(row)}")
        return
    value, place = row.get("value"), _FORMATS.get(key.casefold())
    if value and _take_export_format(reading, system, key, value):
        return
    known = reading.formats.setdefault(system, {})
    if place and value and known.setdefault(place, value) == value:
        return
    if place and value:
        reading.remark(
            f"{key} of {system} is {known[place]} in one row and {value} in another: the first"
            " counts"
        )
    reading.kept[CONTRADICTIONS if place and value else SETTINGS] += 1
    said = f"= {value}" if value else "is empty"
    reading.setting_notes.setdefault(system, []).append(f"{key} {said}")


def _take_export_format(reading: _Reading, system: str, key: str, value: str) -> bool:
    """Whether the setting has its place in the export's formats."""
    place = _EXPORT_FORMATS.get(key.casefold())
    if place is None:
        return False
    known = _WORDS_OF.get(place)
    fits = _is_fitting(place, value) if known is None else value.casefold() in known
    if not fits:
        reading.remark(
            f"{key} of {system} is {_cut(value)}, which is not known here: it is a comment"
        )
        return False
    meant = value if known is None else known[value.casefold()]
    formats = reading.export_formats.setdefault(system, {})
    if meant is not None and formats.setdefault(place, meant) != meant:
        reading.remark(
            f"{key} of {system} is {formats[place]} in one row and {value} in another: the first"
            " counts"
        )
        reading.kept[CONTRADICTIONS] += 1
        reading.setting_notes.setdefault(system, []).append(f"{key} = {value}")
    return True


def _is_fitting(place: str, value: str) -> bool:
    """Whether kimo.yaml would take it."""
    try:
        ExportFormats.model_validate({place: value})
    except ValidationError:
        return False
    return "${" not in value


# --- what becomes of it
# -------------------------------------------------------------------------------------


def _export(reading: _Reading, sources: Mapping[str, DraftSource]) -> DraftExport:
    """There is one export: the ERP's, or the CRM's where only that is written to. What else is said
    becomes comments.
    """
    catalog = load_catalog()
    order = [name for head in catalog.sent_to_erp for name in (head, *catalog.sent_with(head))]
    exported = {key: part for key, part in reading.parts.items() if part.is_exported}
    system = next((one for one in SYSTEMS if any(of == one for _, of in exported)), SYSTEMS[0])
    export = DraftExport(system)
    is_named = not sources or system in sources
    for (name, of), part in sorted(exported.items(), key=lambda item: item[0][0]):
        if name not in order:
            _keep_export(reading, part, f"{name} is never sent to the ERP by Kimo")
        elif of != system or not is_named:
            _keep_export(
                reading,
                part,
                f"{name} would go to the {of.upper()}, and the export goes to one source",
            )
        else:
            export.entities[name] = _settled(part)
    for head in catalog.sent_to_erp:
        parts = [part for part in catalog.sent_with(head) if part in export.entities]
        if parts and head not in export.entities:
            alone = " and ".join(parts)
            reading.remark(
                f"{head} is exported as well, into the table of its name: {alone} would not go"
                " alone"
            )
            export.entities[head] = DraftTarget()
    export.entities = {name: export.entities[name] for name in order if name in export.entities}
    export.formats = _formats_of_export(reading, system if is_named else None)
    return export


def _formats_of_export(reading: _Reading, system: str | None) -> dict[str, str | bool]:
    """The system's; those of another one are kept as comments."""
    for other, formats in reading.export_formats.items():
        if other != system:
            reading.kept[SETTINGS] += len(formats)
            reading.setting_notes.setdefault(other, []).extend(
                f"export.formats.{key} = {v}" for key, v in formats.items()
            )
    return reading.export_formats.get(system or "", {})


def _settled(part: _Part) -> DraftTarget:
    target, entity = part.target, part.entity
    target.table = None if target.table == entity.name else target.table
    in_order = {one: target.fields[one] for one in entity.fields if one in target.fields}
    target.fields = {
        one: column for one, column in in_order.items() if column.casefold() != one.casefold()
    }
    return target


def _keep_export(reading: _Reading, part: _Part, why: str) -> None:
    reading.remark(f"{why}: what its rows say of an export is kept as a comment")
    target = part.target
    said = [f"to {target.table}"] if target.table else []
    said += [f"{one} as {column}" for one, column in target.fields.items()]
    said += [f"{one} through {steps}" for one, steps in target.transform.items()]
    reading.kept[EXPORT] += len(said)
    part.draft.notes += [f"export: {', '.join(said)}", *target.notes]


def _entities(reading: _Reading, sources: Mapping[str, DraftSource]) -> list[DraftEntity]:
    found: dict[str, DraftEntity] = {}
    apart: list[DraftEntity] = []
    for (name, system), part in sorted(
        reading.parts.items(), key=lambda item: SYSTEMS.index(item[0][1])
    ):
        if part.entity.direction == "export" or not part.is_imported:
            _send_home(reading, part)
            continue
        _settle(reading, part)
        if sources and system not in sources:
            reading.remark(
                f"{name} comes from the {system.upper()}, which no --{system}-url names: it is a"
                " comment"
            )
            doubt = f"it comes from the {system.upper()}, which is not among `sources`"
            apart.append(DraftEntity(name, [part.draft], doubt=doubt))
        elif name in found:
            found[name].mappings.append(part.draft)
        else:
            found[name] = DraftEntity(name, [part.draft])
    return [*found.values(), *apart]


def _send_home(reading: _Reading, part: _Part) -> None:
    """What is not imported goes to the file's end: entities that are exported only, filters of
    entities nobody maps.
    """
    draft, name = part.draft, part.entity.name
    said = [f"table {draft.table}"] if draft.table else []
    said += [f"{one} from {column}" for one, column in draft.fields.items()]
    said += [f"{one} through {steps}" for one, steps in draft.transform.items()]
    said += [f"CustomQuery {draft.query}"] if draft.query else []
    said += [f"AdditionalFilter {draft.where}"] if draft.where else []
    if said or draft.notes or not part.is_exported:
        reading.homeless.append(
            f"{name} ({part.system}): {'; '.join([*said, *draft.notes]) or 'nothing'}"
        )
    if part.entity.direction == "export" and said:
        reading.remark(
            f"{name} is only exported to the ERP: what its rows say of an import is kept at the"
            " file's end"
        )
    elif draft.where:
        reading.kept[UNKNOWN] += 1
        reading.remark(
            f"IntegratorImportFilter has a filter for {name}, which nothing maps: kept at the"
            " file's end"
        )


def _settle(reading: _Reading, part: _Part) -> None:
    draft, name = part.draft, part.entity.name
    where = f"{name} ({part.system})" if part.system != "erp" else name
    if not part.is_named and not draft.query:
        reading.remark(
            f"{where}: no row names its table, only fields: the table of the entity's name is taken"
        )
    if draft.query and draft.table:
        draft.notes.append(f"CustomQuery takes the place of table {draft.table}")
        draft.table = None
    if draft.query and draft.where:
        reading.remark(
            f"{where}: has CustomQuery and AdditionalFilter: the filter is put around the query"
        )
        draft.query = f"SELECT * FROM (\n{draft.query}\n) kimo_filtered WHERE {draft.where}"
        draft.where = None
    if draft.table == name:
        draft.table = None
    in_order = {one: draft.fields[one] for one in part.entity.fields if one in draft.fields}
    draft.fields = {
        one: column for one, column in in_order.items() if column.casefold() != one.casefold()
    }


def _with_settings(reading: _Reading, sources: Mapping[str, DraftSource]) -> dict[str, DraftSource]:
    return {
        name: DraftSource(source.url, reading.formats.get(name, {}), _setting_notes(reading, name))
        for name, source in sources.items()
    }


def _setting_notes(reading: _Reading, system: str) -> list[str]:
    return [f"IntegratorSystemSetting {note}" for note in reading.setting_notes.get(system, ())]


def _head(tables: VendorTables, reading: _Reading, sources: Mapping[str, DraftSource]) -> list[str]:
    head = [
        f"Written by `kimo mapping pull` from {tables.place}.",
        (
            "Yours to change: docs/mapping.md explains every key, `kimo check` holds it against the"
            " live source."
        ),
    ]
    if not sources:
        head += ["", "kimo.yaml names this file:  mapping: <this file>"]
    for system, formats in reading.formats.items():
        if system not in sources and formats:
            head += [f"... and says of sources.{system}:  {formats_in_words(formats)}"]
    return head


def formats_in_words(formats: Mapping[str, str]) -> str:
    return f"formats: {{{', '.join(f'{key}: {value!r}' for key, value in formats.items())}}}"


def _end(reading: _Reading, sources: Mapping[str, DraftSource]) -> list[str]:
    elsewhere = [system for system in reading.setting_notes if system not in sources]
    settings = [
        f"{system}: {note}" for system in elsewhere for note in _setting_notes(reading, system)
    ]
    kept = [*reading.homeless, *settings]
    return ["What has no place here (yet):", *kept] if kept else []


def _entity(name: str) -> Entity | None:
    by_fold = {known.casefold(): entity for known, entity in load_catalog().entities.items()}
    return by_fold.get(name.casefold())


def _field(entity: Entity, name: str) -> str | None:
    return next((known for known in entity.fields if known.casefold() == name.casefold()), None)


_WORDS = {
    "entity": "KimoEntity",
    "field": "KimoField",
    "import_name": "ErpImportName",
    "export_name": "ErpExportName",
    "system": "SystemId",
    "import_steps": "ImportTransformations",
    "export_steps": "ExportTransformations",
    "where": "AdditionalFilter",
    "query": "CustomQuery",
    "key": "Key",
    "value": "Value",
    "section": "Section",
}


def _row_in_words(row: VendorRow) -> str:
    return (
        ", ".join(f"{_WORDS[key]} {value}" for key, value in row.items() if value is not None)
        or "an empty row"
    )


def _hint(close: list[str]) -> str:
    return f" (nearest: {', '.join(close)})" if close else ""


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
