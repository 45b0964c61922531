"""What `kimo check` concludes from a mapping: rows that nobody would see, references to nowhere."""

from collections.abc import Iterator
from typing import Any

from kimo_assets.config import KimoConfig
from kimo_assets.reports import Finding
from kimo_assets.sources.profiling import Measured
from kimo_assets.sources.selection import Selection
from kimo_assets.texts import say


def mapping_findings(
    subject: str, selection: Selection, measured: Measured | None, config: KimoConfig
) -> Iterator[Finding]:
    """measured: None when the rows could not be measured."""
    if missing := _missing_for_scope(selection):
        columns = say("errors.or").join(missing)
        message = say("diagnostics.nobody_sees", columns=columns)
        yield Finding("warning", subject, message, {"rule": "nobody_sees", "fields": missing})
    if targets := _used_targets(selection, measured, config):
        named = ", ".join(
            say("diagnostics.target", target=target, fields=", ".join(fields))
            for target, fields in targets.items()
        )
        message = say("diagnostics.unmapped_targets", targets=named)
        details = {"rule": "unmapped_target", "targets": list(targets)}
        yield Finding("warning", subject, message, details)


def _used_targets(
    selection: Selection, measured: Measured | None, config: KimoConfig
) -> dict[str, list[str]]:
    """Unmapped target -> the fields with values that point to it, in words.

    Every filled field counts where the values were not measured.
    """
    targets: dict[str, list[str]] = {}
    for target, fields in unmapped_targets(selection, config).items():
        for name in fields:
            rows = measured.used.get(name) if measured else None
            if rows is None:
                targets.setdefault(target, []).append(name)
            elif rows > 0:
                used = say("diagnostics.field_in_rows", field=name, count=rows)
                targets.setdefault(target, []).append(used)
    return targets


def _missing_for_scope(selection: Selection) -> list[str]:
    """The columns that decide who sees a row, when the source fills none of them."""
    needed = sorted(set(_scope_columns(selection.entity.scope)))
    # Any of them is enough, because a scope may have alternatives. Id is always there, given or
    # derived.
    if {*selection.fields, "Id"} & set(needed):
        return []
    return needed


def _scope_columns(scope: Any) -> Iterator[str]:
    # By attribute, because the kinds of scope have different ones (fact sheet, section 14).
    for name in ("column", "key_column"):
        if value := getattr(scope, name, None):
            yield value
    for rule in [*getattr(scope, "rules", ()), *getattr(scope, "modes", {}).values()]:
        yield from _scope_columns(rule)


def unmapped_targets(selection: Selection, config: KimoConfig) -> dict[str, list[str]]:
    """Target -> the filled fields that point to it, where no mapping brings its rows."""
    targets: dict[str, list[str]] = {}
    # Soft references are not enforced (fact sheet, section 14).
    for name, reference in selection.entity.hard_references.items():
        if name in selection.fields and reference.target not in config.entities:
            targets.setdefault(reference.target, []).append(name)
    return targets
