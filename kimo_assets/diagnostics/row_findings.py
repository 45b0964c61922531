"""What `kimo check` says of the values in a source's rows, and which would be rejected."""

from collections.abc import Iterator
from typing import Any

from kimo_assets.catalog import Entity
from kimo_assets.config import EntityMapping, KimoConfig
from kimo_assets.diagnostics.scope_findings import unmapped_targets
from kimo_assets.reports import Finding, Level
from kimo_assets.sources.profiling import Measured, Misfit, Questions
from kimo_assets.sources.selection import Selection
from kimo_assets.texts import say


def questions_for(selection: Selection, config: KimoConfig) -> Questions:
    """What is to be measured beside the types: unmapped references, and the ERP's statuses."""
    # The other references are counted by step 2, which has the targets at hand.
    references = [
        name for fields in unmapped_targets(selection, config).values() for name in fields
    ]
    decoded = {
        name: tuple(config.erp_statuses.get(_status_kind(selection, name), ()))
        for name in selection.fields
        # A status without an entry stops the vendor's load (fact sheet, section 8). Ours rejects
        # the row.
        if name.startswith("ErpStatusId")
    }
    return Questions(references=references, statuses=decoded)


def _status_kind(selection: Selection, field_name: str) -> str:
    """The key of erp_statuses: Account1 for ErpStatusId1 of Account."""
    return f"{selection.entity.name}{field_name.removeprefix('ErpStatusId')}"


def origin_in_words(mapping: EntityMapping, entity: Entity) -> str:
    """Where an entity's rows come from, for a person."""
    if mapping.query:
        return say("diagnostics.from_query")
    return say("diagnostics.from_table", table=mapping.table or entity.name)


def rows_in_words(count: int) -> str:
    """A count of rows, for a person."""
    return say("diagnostics.rows", count=count)


def value_findings(
    subject: str,
    selection: Selection,
    mapping: EntityMapping,
    measured: Measured,
    config: KimoConfig,
) -> Iterator[Finding]:
    """Which of the rows that are there would be rejected, and why."""
    # The ERP's answers are often none.
    if measured.rows == 0 and selection.entity.category != "sync_references":
        origin = origin_in_words(mapping, selection.entity)
        yield Finding("warning", subject, say("diagnostics.no_rows", origin=origin))
    yield from _key_findings(subject, selection, measured)
    for misfit in measured.misfits:
        message = _misfit_in_words(misfit, selection, mapping)
        # Without a count the column's type alone says it, of every value.
        level: Level = "error" if misfit.rows is None else "warning"
        yield Finding(level, subject, message, _details(misfit))
    for misfit in measured.unknown_statuses:
        message = _status_in_words(misfit, selection, config)
        yield Finding("warning", subject, message, _details(misfit))


def _details(misfit: Misfit) -> dict[str, Any]:
    return {
        "rule": misfit.rule,
        "field": misfit.field,
        "column": misfit.column,
        "rows": misfit.rows,
        "example": misfit.example,
        "certain_from": "type" if misfit.rows is None else "data",
    }


def _key_findings(subject: str, selection: Selection, measured: Measured) -> Iterator[Finding]:
    """Rows without a key, and rows that repeat one."""
    key = "Id"
    # The ERP has no Id to look for then, only the columns from which it is made.
    if selection.derived_id_from:
        key = say("diagnostics.and").join(selection.derived_id_from)
    if measured.without_key:
        rows = measured.without_key
        message = say("diagnostics.key_missing", key=key, count=rows)
        yield Finding("warning", subject, message, {"rule": "missing_key", "rows": rows})
    if measured.duplicates:
        rows, example = measured.duplicates, measured.duplicate_example
        message = say("diagnostics.key_repeated", key=key, count=rows, example=example)
        details = {"rule": "duplicate_key", "rows": rows, "example": example}
        yield Finding("warning", subject, message, details)


def _misfit_in_words(misfit: Misfit, selection: Selection, mapping: EntityMapping) -> str:
    # The column with the field that it fills, where their names differ.
    column = misfit.column
    if misfit.column.casefold() != misfit.field.casefold():
        column = say("diagnostics.column_of_field", column=misfit.column, field=misfit.field)
    if misfit.rows is None:
        return say(f"diagnostics.never.{misfit.rule}", column=column, type=misfit.type)
    field = selection.entity.fields[misfit.field]
    if misfit.rule == "text_too_long":
        return say(
            "diagnostics.text_too_long",
            column=column,
            count=misfit.rows,
            # Kimo's limit for ids (fact sheet, section 7), also where the catalogue gives no size.
            size=field.size or 50,
            longest=misfit.longest,
        )
    rule = misfit.rule
    # Ten enums of the manual have no list of values (fact sheet, section 15).
    if rule == "unknown_enum_code" and not field.codes:
        rule = "enum_without_codes"
    return say(
        f"diagnostics.misfit.{rule}",
        column=column,
        count=misfit.rows,
        example=repr(misfit.example),
        source=mapping.source,
        codes=", ".join(field.codes),
    )


def _status_in_words(misfit: Misfit, selection: Selection, config: KimoConfig) -> str:
    kind = _status_kind(selection, misfit.field)
    key = "diagnostics.status_not_decoded"
    if kind in config.erp_statuses:
        key = "diagnostics.status_unknown"
    example = repr(misfit.example)
    return say(key, column=misfit.column, count=misfit.rows or 0, example=example, kind=kind)
