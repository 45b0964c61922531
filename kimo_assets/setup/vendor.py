"""A kimo.yaml from the rows of the vendor's own mapping (fact sheet, section 7).

Every row ends in the mapping, or as a comment beside its entity or at the file's end. Each decision
about a row is a sentence of `remarks`. Of rows that contradict each other the first one counts.
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
from kimo_assets.texts import say

# The functions of the manual for the import, in small letters.
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

# Keys with only some allowed words -> the vendor's word -> ours; None: the default of the key.
_ALLOWED_WORDS: dict[str, dict[str, str | bool | None]] = {
    "boolean": {"zeroone": "zero_one"},
    "case": {"upper": "upper", "invariant": None},
    "single_line": {"1": True, "true": True, "0": None, "false": None},
}

# Rows that have no place in a kimo.yaml, by the words with which the command counts them.
EXPORT = "export names"
EXPORT_STEPS = "unknown export transformations"
SETTINGS = "settings"
UNKNOWN = "unknown names"
FUNCTIONS = "unknown import transformations"
CONTRADICTIONS = "contradicting rows"


@dataclass(frozen=True)
class Pulled:
    """The draft of the mapping. remarks: a sentence for each decision.

    formats: source -> the pairs of `sources.<source>.formats`. kept: the kind of rows that have no
    place in a kimo.yaml -> how many there are. The file holds them as comments.
    """

    draft: Draft
    formats: Mapping[str, Mapping[str, str]]
    kept: Mapping[str, int]
    remarks: tuple[str, ...]


@dataclass
class _Part:
    """An entity from one system, as its rows map it. is_named: a row maps the entity itself."""

    entity: Entity
    system: str
    draft: DraftMapping
    is_named: bool = False
    target: DraftTarget = field(default_factory=DraftTarget)

    @property
    def is_exported(self) -> bool:
        """Whether a row maps it for the export. For an entity only exported any row does."""
        target = self.target
        if target.table or target.fields or target.transform:
            return True
        return self.is_named and self.entity.direction == "export"

    @property
    def is_imported(self) -> bool:
        """Whether a row maps it for the import. A filter alone maps nothing."""
        draft = self.draft
        return bool(self.is_named or draft.table or draft.query or draft.fields or draft.transform)

    @property
    def subject(self) -> str:
        """The entity in a remark, with its system unless that is the ERP."""
        if self.system == "erp":
            return self.entity.name
        return f"{self.entity.name} ({self.system})"


class _Reading:
    """The result of the rows that were read so far. homeless: rows that belong to no entity."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str], _Part] = {}
        self.formats: dict[str, dict[str, str]] = {}
        self.export_formats: dict[str, dict[str, str | bool]] = {}
        self.setting_notes: dict[str, list[str]] = {}
        # Nothing of the vendor's rows is lost: what has no place is counted and becomes a comment.
        self.kept: Counter[str] = Counter()
        self.remarks: list[str] = []
        self.homeless: list[str] = []

    def remark(self, sentence: str) -> None:
        """Notes a decision, once however many rows need it."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def part(self, table: str, row: VendorRow) -> _Part | None:
        """The entity that the row is about; None for a row that is about none, which is kept."""
        name, system = row.get("entity"), (row.get("system") or "erp").casefold()
        if name is None:
            self.remark(say("setup.row_without_entity", table=table))
        elif system not in SYSTEMS:
            given = row["system"]
            self.remark(say("setup.unknown_system", table=table, system=given, entity=name))
        elif (entity := _entity(name)) is None:
            hint = _hint(nearest(name, load_catalog().entities))
            self.remark(say("setup.unknown_entity", table=table, name=name, hint=hint))
        else:
            key = (entity.name, system)
            return self.parts.setdefault(key, _Part(entity, system, DraftMapping(system)))
        self.keep_homeless(table, row)
        return None

    def keep_homeless(self, table: str, row: VendorRow) -> None:
        """Keeps a row as a comment at the file's end."""
        self.kept[UNKNOWN] += 1
        self.homeless.append(f"{table}: {_row_in_words(row)}")

    def keep(self, kind: str, part: _Part, note: str, *, in_export: bool = False) -> None:
        """Keeps a row as a comment beside its entity."""
        self.kept[kind] += 1
        notes = part.target.notes if in_export else part.draft.notes
        if note not in notes:
            notes.append(note)

    def once(
        self, part: _Part, key: str, old: str | None, new: str, *, is_name: bool = True
    ) -> bool:
        """Whether the new value counts, because no earlier row gave one.

        A different value is remarked and kept. is_name: a database's name, compared without case.
        """
        if old is None:
            return True
        is_equal = old == new or (is_name and old.casefold() == new.casefold())
        if not is_equal:
            old, cut = _cut(old), _cut(new)
            self.remark(say("setup.contradiction", subject=part.subject, key=key, old=old, new=cut))
            self.keep(CONTRADICTIONS, part, f"another row says: {key} {new}")
        return False


def draft_from(tables: VendorTables, sources: Mapping[str, DraftSource]) -> Pulled:
    """The draft of a kimo.yaml with the vendor's mapping.

    sources: the new file's sources; none makes a file for `mapping:`.
    """
    reading = _Reading()
    for name in tables.missing:
        reading.remark(say("setup.missing_table", table=name))
    for row in tables.mapping:
        _take_mapping(reading, row)
    for row in tables.filters:
        _take_filter(reading, row)
    for row in tables.settings:
        _take_setting(reading, row)
    for name, columns in tables.extra.items():
        reading.remark(say("setup.unknown_columns", table=name, columns=", ".join(columns)))
    export = _export(reading, sources)
    entities = _entities(reading, sources)
    head, end = _head(tables, reading, sources), _end(reading, sources)
    draft = Draft(head, _with_settings(reading, sources), entities, end, export)
    return Pulled(draft, reading.formats, dict(reading.kept), tuple(reading.remarks))


# --- IntegratorMapping
# --------------------------------------------------------------------------------------


def _take_mapping(reading: _Reading, row: VendorRow) -> None:
    """A row maps an entity, or with KimoField a field of one."""
    part = reading.part("IntegratorMapping", row)
    if part is None:
        return
    if row.get("field") is None:
        _take_table(reading, part, row)
        return
    name = _field(part.entity, row["field"] or "")
    if name is None:
        given = row["field"] or ""
        hint = _hint(nearest(given, part.entity.fields))
        reading.remark(say("setup.unknown_field", entity=part.entity.name, name=given, hint=hint))
        reading.keep(UNKNOWN, part, f"no such field: {_row_in_words(row)}")
        return
    _take_import_of_field(reading, part, name, row)
    _take_export_of_field(reading, part, name, row)


def _take_table(reading: _Reading, part: _Part, row: VendorRow) -> None:
    """A row for the entity itself. Without names it means the table of the entity's name."""
    imported, exported = row.get("import_name"), row.get("export_name")
    if imported and reading.once(part, say("setup.key.table"), part.draft.table, imported):
        part.draft.table = imported
    if imported or not exported:
        part.is_named = True
    if exported and reading.once(part, say("setup.key.export_table"), part.target.table, exported):
        part.target.table = exported
    # The manual knows transformations of fields only.
    if steps := row.get("import_steps"):
        reading.keep(FUNCTIONS, part, f"transformations of the whole entity: {steps}")
    if steps := row.get("export_steps"):
        note = f"transformations of the whole entity: {steps}"
        reading.keep(EXPORT_STEPS, part, note, in_export=True)


def _take_import_of_field(reading: _Reading, part: _Part, name: str, row: VendorRow) -> None:
    if imported := row.get("import_name"):
        key = say("setup.key.column", field=name)
        if reading.once(part, key, part.draft.fields.get(name), imported):
            part.draft.fields[name] = imported
    elif not any(row.get(key) for key in ("export_name", "import_steps", "export_steps")):
        reading.remark(say("setup.no_column", field=f"{part.entity.name}.{name}"))
    if steps := row.get("import_steps"):
        _take_import_steps(reading, part, name, steps)


def _take_export_of_field(reading: _Reading, part: _Part, name: str, row: VendorRow) -> None:
    if exported := row.get("export_name"):
        key = say("setup.key.export_column", field=name)
        if reading.once(part, key, part.target.fields.get(name), exported):
            part.target.fields[name] = exported
    if steps := row.get("export_steps"):
        _take_export_steps(reading, part, name, steps)


def _take_import_steps(reading: _Reading, part: _Part, name: str, text: str) -> None:
    """StringToHash, QueryAsLong, or several of them. If one is unknown, the row is a comment."""
    # No import function has an argument (fact sheet, section 7) that could hold a separator.
    given = [step.strip() for step in re.split(r"[|;,\n]", text) if step.strip()]
    steps: list[str] = []
    for step in given:
        ours = _IMPORT_STEPS.get(step.rstrip(":").casefold())
        if ours is None:
            field_name = f"{part.entity.name}.{name}"
            reading.remark(say("setup.unknown_steps", field=field_name, steps=text))
            reading.keep(FUNCTIONS, part, f"{name} went through {text}")
            return
        steps.append(ours)
    written = _step_or_list(steps)
    key = say("setup.key.steps", field=name)
    if reading.once(part, key, _as_text(part.draft.transform.get(name)), str(written)):
        part.draft.transform[name] = written


def _take_export_steps(reading: _Reading, part: _Part, name: str, text: str) -> None:
    """FixedValueAsString:<value>, RemovePrefix:<prefix>, StringToInteger, separated by |."""
    # Fewer separators than for the import: an argument may hold a comma.
    given = [_export_step(step.strip()) for step in re.split(r"[|\n]", text) if step.strip()]
    steps = [step for step in given if step is not None]
    # A constant makes a new value, so it can only be the first step.
    has_late_constant = any(step[0] == "constant" for step in steps[1:])
    is_unknown = None in given or not steps or has_late_constant
    if is_unknown or name == "SyncReference":
        key = "setup.unknown_export_steps"
        if name == "SyncReference":
            key = "setup.reference_not_transformed"
        reading.remark(say(key, field=f"{part.entity.name}.{name}", steps=text))
        reading.keep(EXPORT_STEPS, part, f"{name} went through {text}", in_export=True)
        return
    key = say("setup.key.export_steps", field=name)
    if reading.once(part, key, _as_text(part.target.transform.get(name)), str(steps)):
        part.target.transform[name] = steps


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


def _export_step(text: str) -> DraftStep | None:
    name, _, argument = text.partition(":")
    match name.strip().casefold():
        case "stringtointeger" if not argument.strip():
            return "StringToInteger"
        case "removeprefix" if argument:
            return ("RemovePrefix", argument)
        case "fixedvalueasstring":
            return ("constant", argument)
    return None


def _step_or_list(steps: list[str]) -> str | list[str]:
    return steps[0] if len(steps) == 1 else steps


# --- IntegratorImportFilter
# ---------------------------------------------------------------------------------


def _take_filter(reading: _Reading, row: VendorRow) -> None:
    """A row gives an entity a condition, or a query in place of its table, or both."""
    if not row.get("where") and not row.get("query"):
        reading.remark(say("setup.empty_filter", entity=row.get("entity")))
        return
    part = reading.part("IntegratorImportFilter", _of_the_only_system(reading, row))
    if part is None:
        return
    if query := row.get("query"):
        query = query.rstrip("; \n")
        if reading.once(part, "CustomQuery", part.draft.query, query, is_name=False):
            part.draft.query = query
    if where := row.get("where"):
        # The vendor's machine joins the filter to a query, so people begin it with WHERE or AND.
        bare = re.sub(r"(?i)^(where|and)\b\s*", "", where)
        if bare != where:
            word = where.split()[0]
            reading.remark(say("setup.word_taken_off", entity=part.entity.name, word=word))
        if reading.once(part, "AdditionalFilter", part.draft.where, bare, is_name=False):
            part.draft.where = bare


def _of_the_only_system(reading: _Reading, row: VendorRow) -> VendorRow:
    """The row, with the CRM as its system where it names none and only the CRM maps the entity."""
    entity = _entity(row.get("entity") or "")
    if entity is None or row.get("system") or row.get("query"):
        return row
    systems = {system for name, system in reading.parts if name == entity.name}
    if systems != {"crm"}:
        return row
    reading.remark(say("setup.filter_of_crm", entity=entity.name))
    return {**row, "system": "crm"}


# --- IntegratorSystemSetting
# --------------------------------------------------------------------------------


def _take_setting(reading: _Reading, row: VendorRow) -> None:
    """A row sets a format of the import or the export. Other settings are kept as comments."""
    system, key = _system_and_key(row)
    if not key or system not in SYSTEMS:
        reading.keep_homeless("IntegratorSystemSetting", row)
        return
    value = row.get("value")
    if value and _take_export_format(reading, system, key, value):
        return
    formats = reading.formats.setdefault(system, {})
    if not value:
        _keep_setting(reading, system, SETTINGS, f"{key} is empty")
        return
    note = f"{key} = {value}"
    format_key = _FORMATS.get(key.casefold())
    if format_key is None:
        _keep_setting(reading, system, SETTINGS, note)
        return
    first = formats.setdefault(format_key, value)
    if first != value:
        reading.remark(say("setup.setting_twice", key=key, system=system, old=first, new=value))
        _keep_setting(reading, system, CONTRADICTIONS, note)


def _system_and_key(row: VendorRow) -> tuple[str, str]:
    r"""The key is `DateFormat`, `Crm\DateFormat` or `DataFormat\DateFormat`, the ERP's if bare."""
    texts = [text for text in (row.get("section"), row.get("key")) if text]
    words = [word for text in texts for word in text.split("\\")]
    systems = [word.casefold() for word in words if word.casefold() in SYSTEMS]
    system = systems[0] if systems else (row.get("system") or "erp").casefold()
    key = "\\".join(word for word in words if word.casefold() not in (*SYSTEMS, "dataformat"))
    return system, key


def _keep_setting(reading: _Reading, system: str, kind: str, note: str) -> None:
    """Keeps a setting as a comment beside its source."""
    reading.kept[kind] += 1
    reading.setting_notes.setdefault(system, []).append(note)


def _take_export_format(reading: _Reading, system: str, key: str, value: str) -> bool:
    """Whether the setting is a format of the export that kimo.yaml can hold."""
    format_key = _EXPORT_FORMATS.get(key.casefold())
    if format_key is None:
        return False
    words = _ALLOWED_WORDS.get(format_key)
    if not _is_allowed(format_key, value):
        shown = _cut(value)
        reading.remark(say("setup.unknown_setting", key=key, system=system, value=shown))
        return False
    ours = words[value.casefold()] if words else value
    if ours is None:
        return True
    first = reading.export_formats.setdefault(system, {}).setdefault(format_key, ours)
    if first != ours:
        reading.remark(say("setup.setting_twice", key=key, system=system, old=first, new=value))
        _keep_setting(reading, system, CONTRADICTIONS, f"{key} = {value}")
    return True


def _is_allowed(format_key: str, value: str) -> bool:
    """Whether it is one of the vendor's words, or else a value that kimo.yaml takes unchanged."""
    if format_key in _ALLOWED_WORDS:
        return value.casefold() in _ALLOWED_WORDS[format_key]
    try:
        ExportFormats.model_validate({format_key: value})
    except ValidationError:
        return False
    return "${" not in value


# --- the draft
# -------------------------------------------------------------------------------------


def _export(reading: _Reading, sources: Mapping[str, DraftSource]) -> DraftExport:
    """The export: the ERP's, or the CRM's where only that is exported to.

    There is only one, so the rows of the other system become comments.
    """
    catalog = load_catalog()
    # The order in which Kimo sends them: each head before its parts.
    order = [name for head in catalog.sent_to_erp for name in (head, *catalog.sent_with(head))]
    exported = [part for part in reading.parts.values() if part.is_exported]
    systems = {part.system for part in exported}
    system = next((name for name in SYSTEMS if name in systems), SYSTEMS[0])
    is_named = not sources or system in sources
    targets: dict[str, DraftTarget] = {}
    for part in sorted(exported, key=lambda part: part.entity.name):
        name = part.entity.name
        if name not in order:
            _keep_export(reading, part, say("setup.never_sent", entity=name))
        elif part.system != system or not is_named:
            other = part.system.upper()
            _keep_export(reading, part, say("setup.other_source", entity=name, system=other))
        else:
            targets[name] = _simplified_target(part)
    _add_heads(reading, targets)
    export = DraftExport(system)
    export.entities = {name: targets[name] for name in order if name in targets}
    export.formats = _formats_of_export(reading, system if is_named else None)
    return export


def _add_heads(reading: _Reading, targets: dict[str, DraftTarget]) -> None:
    """Adds the head of each part that is exported: Kimo sends a part only with its head."""
    catalog = load_catalog()
    for head in catalog.sent_to_erp:
        parts = [name for name in catalog.sent_with(head) if name in targets]
        if parts and head not in targets:
            names = say("setup.and").join(parts)
            reading.remark(say("setup.head_exported", entity=head, parts=names))
            targets[head] = DraftTarget()


def _formats_of_export(reading: _Reading, system: str | None) -> dict[str, str | bool]:
    """The formats of the system; those of the other one are kept as comments."""
    for other, formats in reading.export_formats.items():
        if other == system:
            continue
        for key, value in formats.items():
            _keep_setting(reading, other, SETTINGS, f"export.formats.{key} = {value}")
    return reading.export_formats.get(system or "", {})


def _simplified_target(part: _Part) -> DraftTarget:
    """The target without names that are the entity's own."""
    target = part.target
    if target.table == part.entity.name:
        target.table = None
    target.fields = _renamed_fields(part.entity, target.fields)
    return target


def _renamed_fields(entity: Entity, fields: Mapping[str, str]) -> dict[str, str]:
    """The fields whose column has another name, in the catalogue's order."""
    renamed = {}
    for name in entity.fields:
        if name in fields and fields[name].casefold() != name.casefold():
            renamed[name] = fields[name]
    return renamed


def _keep_export(reading: _Reading, part: _Part, remark: str) -> None:
    """Keeps the rows for the export as a comment beside the entity."""
    reading.remark(remark)
    target = part.target
    notes = []
    if target.table:
        notes.append(f"to {target.table}")
    notes += [f"{name} as {column}" for name, column in target.fields.items()]
    notes += [f"{name} through {steps}" for name, steps in target.transform.items()]
    reading.kept[EXPORT] += len(notes)
    part.draft.notes += [f"export: {', '.join(notes)}", *target.notes]


def _entities(reading: _Reading, sources: Mapping[str, DraftSource]) -> list[DraftEntity]:
    """The imported entities, each with a mapping per system; at the end those without a source."""
    mapped: dict[str, DraftEntity] = {}
    without_source: list[DraftEntity] = []
    for part in sorted(reading.parts.values(), key=lambda part: SYSTEMS.index(part.system)):
        name, system = part.entity.name, part.system
        if part.entity.direction == "export" or not part.is_imported:
            _keep_at_end(reading, part)
            continue
        _simplify_mapping(reading, part)
        if sources and system not in sources:
            reading.remark(
                say("setup.source_not_named", entity=name, system=system.upper(), option=system)
            )
            doubt = f"it comes from the {system.upper()}, which is not among `sources`"
            without_source.append(DraftEntity(name, [part.draft], doubt=doubt))
        elif name in mapped:
            mapped[name].mappings.append(part.draft)
        else:
            mapped[name] = DraftEntity(name, [part.draft])
    return [*mapped.values(), *without_source]


def _keep_at_end(reading: _Reading, part: _Part) -> None:
    """Keeps the rows of an entity that is not imported as a comment at the file's end.

    Those are entities that are only exported, and filters of entities that no row maps.
    """
    name, notes = part.entity.name, _import_notes(part.draft)
    if notes or part.draft.notes or not part.is_exported:
        text = "; ".join([*notes, *part.draft.notes]) or "nothing"
        reading.homeless.append(f"{name} ({part.system}): {text}")
    if part.entity.direction == "export" and notes:
        reading.remark(say("setup.only_exported", entity=name))
    elif part.draft.where:
        reading.kept[UNKNOWN] += 1
        reading.remark(say("setup.filter_without_mapping", entity=name))


def _import_notes(draft: DraftMapping) -> list[str]:
    """The rows for the import in the words of a comment."""
    notes = []
    if draft.table:
        notes.append(f"table {draft.table}")
    notes += [f"{name} from {column}" for name, column in draft.fields.items()]
    notes += [f"{name} through {steps}" for name, steps in draft.transform.items()]
    if draft.query:
        notes.append(f"CustomQuery {draft.query}")
    if draft.where:
        notes.append(f"AdditionalFilter {draft.where}")
    return notes


def _simplify_mapping(reading: _Reading, part: _Part) -> None:
    """Leaves out names that are the entity's own, and joins query and filter to one query."""
    draft = part.draft
    if not part.is_named and not draft.query:
        reading.remark(say("setup.no_table_named", subject=part.subject))
    if draft.query and draft.table:
        draft.notes.append(f"CustomQuery takes the place of table {draft.table}")
        draft.table = None
    if draft.query and draft.where:
        # In kimo.yaml `where` goes with a table only.
        reading.remark(say("setup.filter_around_query", subject=part.subject))
        draft.query = f"SELECT * FROM (\n{draft.query}\n) kimo_filtered WHERE {draft.where}"
        draft.where = None
    if draft.table == part.entity.name:
        draft.table = None
    draft.fields = _renamed_fields(part.entity, draft.fields)


def _with_settings(reading: _Reading, sources: Mapping[str, DraftSource]) -> dict[str, DraftSource]:
    """The sources with the formats and the comments of the vendor's settings."""
    drafts = {}
    for name, source in sources.items():
        formats = reading.formats.get(name, {})
        drafts[name] = DraftSource(source.url, formats, _setting_notes(reading, name))
    return drafts


def _setting_notes(reading: _Reading, system: str) -> list[str]:
    return [f"IntegratorSystemSetting {note}" for note in reading.setting_notes.get(system, ())]


# The lines that open the file.
_HEAD = """\
Written by `kimo mapping pull` from {address}.
Yours to change: docs/mapping.md explains every key, `kimo check` holds it against the live\
 source."""


def _head(tables: VendorTables, reading: _Reading, sources: Mapping[str, DraftSource]) -> list[str]:
    """The comments that open the file. Formats of sources it does not hold are named here."""
    head = _HEAD.format(address=tables.address).split("\n")
    if not sources:
        head += ["", "kimo.yaml names this file:  mapping: <this file>"]
    for system, formats in reading.formats.items():
        if system not in sources and formats:
            head += [f"... and says of sources.{system}:  {formats_in_words(formats)}"]
    return head


def formats_in_words(formats: Mapping[str, str]) -> str:
    """The formats as a line of kimo.yaml."""
    pairs = ", ".join(f"{key}: {value!r}" for key, value in formats.items())
    return f"formats: {{{pairs}}}"


def _end(reading: _Reading, sources: Mapping[str, DraftSource]) -> list[str]:
    """The comments that close the file: rows of no entity, settings of sources it does not hold."""
    kept = list(reading.homeless)
    for system in reading.setting_notes:
        if system not in sources:
            kept += [f"{system}: {note}" for note in _setting_notes(reading, system)]
    if not kept:
        return []
    return ["What has no place here (yet):", *kept]


def _entity(name: str) -> Entity | None:
    """The entity of a name in any case."""
    entities = load_catalog().entities.values()
    by_fold = {entity.name.casefold(): entity for entity in entities}
    return by_fold.get(name.casefold())


def _field(entity: Entity, name: str) -> str | None:
    """The name of a field, in the catalogue's spelling."""
    by_fold = {field.casefold(): field for field in entity.fields}
    return by_fold.get(name.casefold())


# Our names of the vendor's columns -> the vendor's.
_COLUMN_NAMES = {
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
    parts = [f"{_COLUMN_NAMES[key]} {value}" for key, value in row.items() if value is not None]
    return ", ".join(parts) or "an empty row"


def _hint(close: list[str]) -> str:
    if not close:
        return ""
    return say("setup.nearest", names=", ".join(close))


def _cut(text: str) -> str:
    """The text in one short line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
