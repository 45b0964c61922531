"""Checks of each layer's data: what is found, in a sentence, with what to do; and whether the next
layer may start.

They run with the assets' own jobs, and are recorded by the op jobs too (`record`): whichever door
did the step. All but one only warn; the one that blocks is asked by op jobs through
`stop_if_blocked`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import dagster as dg
from psycopg import Connection

from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import last_results
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.errors import GuardError
from kimo_assets.geocoding.report import corrections, totals
from kimo_assets.images.files import problems_of_rows
from kimo_assets.pipeline.steps import Run

_ROWS_SHOWN = 30
_NAMED = 3

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True)
class CheckResult:
    """What a check found. concerns: what it is about, the worst first; blocking: why the next layer
    must not start.
    """

    check: "Check"
    sentence: str
    concerns: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: Sequence[Sequence[Any]] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    blocking: str | None = None

    @property
    def passed(self) -> bool:
        return not self.concerns

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        return ERROR if self.blocking else WARN

    def metadata(self) -> MetadataValues:
        values: MetadataValues = {"found": len(self.concerns), **self.figures}
        if self.rows:
            values["what"] = dg.MetadataValue.md(
                markdown_table(self.header, self.rows[:_ROWS_SHOWN])
            )
        return values

    def result(self) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=self.passed,
            severity=self.severity,
            description=self.sentence,
            metadata=self.metadata(),
        )

    def evaluation(self, config: KimoConfig) -> dg.AssetCheckEvaluation:
        return dg.AssetCheckEvaluation(
            asset_key=asset_key(config, self.check.asset),
            check_name=self.check.name,
            passed=self.passed,
            severity=self.severity,
            description=self.sentence,
            metadata=self.metadata(),
            blocking=self.check.is_blocking,
        )


# load: of the run that asks; None when the check is asked for by itself.
CheckFunction = Callable[[Connection, KimoConfig, int | None], CheckResult]


@dataclass(frozen=True)
class Check:
    name: str
    asset: str
    description: str
    judge: CheckFunction
    is_blocking: bool = False


# --- the checks
# --------------------------------------------------------------------------------------------------


def _rejected(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    limits = config.limits
    found = connection.execute(
        """
        SELECT entity, rows_rejected, rows_read, rows_rejected::float / rows_read AS share, load
        FROM ops.staged WHERE entity = ANY(%s) AND rows_rejected > 0
            AND rows_rejected > %s * rows_read ORDER BY 4 DESC, 1
        """,
        [list(config.entities), limits.max_rejected],
    ).fetchall()
    rows = [(entity, rejected, read, f"{share:.1%}") for entity, rejected, read, share, _ in found]
    blocking = [
        f"{entity} ({rejected:,} of {read:,} rows, {share:.0%})"
        for entity, rejected, read, share, staged in found
        if share >= limits.blocking_rejected
        and rejected >= limits.min_blocking_rows
        and load in (None, staged)
    ]
    return CheckResult(
        NOTHING_REJECTED_ABOVE,
        (
            f"No entity has more than {limits.max_rejected:.1%} of its rows refused."
            if not rows
            else (
                f"{_named(f'{name}: {rejected:,} of {read:,} rows refused' for name, rejected, read, _ in rows)}."
                f" Allowed are {limits.max_rejected:.1%} (limits: max_rejected). Look at them with"
                f" `kimo rejected {rows[0][0]}`, mend them in the ERP or the mapping, then run"
                " `retry_rejected`."
            )
        ),
        tuple(row[0] for row in rows),
        ("entity", "refused", "read", "share"),
        rows,
        blocking=", ".join(blocking) or None,
    )


NOTHING_REJECTED_ABOVE = Check(
    "nothing_rejected_above",
    "erp_staging",
    "Of no entity are more rows refused than limits: max_rejected of kimo.yaml allows (2 %). At"
    " limits: blocking_rejected (50 %, from 50 rows on) the next step does not start and the"
    " tablets keep what they have. What to do: `kimo rejected ENTITY` shows the rows and why; mend"
    " the ERP or the mapping and import again; if it is right so, run with `allow_shrink`.",
    _rejected,
    is_blocking=True,
)

_USUAL = """
    WITH recent AS (SELECT load FROM ops.load ORDER BY load DESC LIMIT 200), counted AS (
        SELECT entity, (counts->>'read')::bigint AS read, row_number() OVER
            (PARTITION BY entity ORDER BY load DESC) AS n
        FROM ops.step_result JOIN recent USING (load)
        WHERE step = 1 AND status IN ('ok', 'unchanged') AND entity = ANY(%(entities)s)
            AND counts->>'read' IS NOT NULL
    ), compared AS (
        SELECT entity, max(read) FILTER (WHERE n = 1) AS read,
            percentile_disc(0.5) WITHIN GROUP (ORDER BY read) FILTER (WHERE n BETWEEN 2 AND 6)
                AS usual
        FROM counted GROUP BY entity
    )
    SELECT entity, read, usual FROM compared
    WHERE usual IS NOT NULL AND abs(read - usual) >= greatest(%(rows)s, 1)
        AND abs(read - usual) > %(share)s * usual
    ORDER BY abs(read - usual) DESC, entity
"""


def _counts(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    guards = config.guards
    found = connection.execute(
        _USUAL,
        {
            "entities": list(config.entities),
            "rows": guards.min_shrink_rows,
            "share": guards.max_shrink,
        },
    ).fetchall()
    return CheckResult(
        ROW_COUNTS_ARE_USUAL,
        (
            "Every entity has about as many rows as in its last loads."
            if not found
            else (
                f"{_named(f'{name}: {read:,} rows, usual are {usual:,}' for name, read, usual in found)}."
                " Ask at the ERP whether that is right; if not, `kimo undo` takes the load back."
            )
        ),
        tuple(row[0] for row in found),
        ("entity", "rows read", "usual"),
        found,
    )


ROW_COUNTS_ARE_USUAL = Check(
    "row_counts_are_usual",
    "erp_staging",
    "The ERP gave about as many rows of each entity as in its five loads before (their median): not"
    " more and not fewer by the share and the rows of guards: max_shrink and min_shrink_rows. What"
    " fell so far was stopped, or was allowed. What to do: ask at the ERP; `kimo undo` takes a bad"
    " load back.",
    _counts,
)


def _references(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    found = connection.execute(
        """
        SELECT entity, field, target, dangling, rows_live, array_to_string(samples[:3], ', ')
        FROM ops.reference_check JOIN ops.loaded USING (entity)
        WHERE entity = ANY(%s) AND dangling > 0 AND dangling > %s * rows_live
            ORDER BY dangling DESC, entity, field
        """,
        [list(config.entities), config.limits.max_dangling],
    ).fetchall()
    named = (
        f"{entity}.{name}: {n:,} of {rows:,} rows point to no {target}"
        for entity, name, target, n, rows, _ in found
    )
    return CheckResult(
        REFERENCES_RESOLVE,
        (
            f"No more than {config.limits.max_dangling:.0%} of an entity's rows point nowhere."
            if not found
            else f"{_named(named)}. Import {found[0][2]} too, or mend the rows in the ERP."
        ),
        tuple(f"{row[0]}.{row[1]}" for row in found),
        ("entity", "field", "should be in", "rows that point nowhere", "rows", "e.g."),
        found,
    )


REFERENCES_RESOLVE = Check(
    "references_resolve",
    "kimo_tables",
    "References that point nowhere are no more than limits: max_dangling of an entity's rows (5 %)."
    " What to do: map and import the entity that they should be in, import without `only_listed`,"
    " or mend the rows in the ERP.",
    _references,
)


def _pictures(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    problems = problems_of_rows(connection)
    (urls,) = connection.execute("""
        SELECT array_agg(DISTINCT n.written || ': ' || coalesce(n.problem, p.problem))
            FROM ops.picture_name AS n
        LEFT JOIN ops.picture AS p ON p.source = n.source AND p.status <> 'ok'
        WHERE n.entity = 'ItemUrl' AND coalesce(n.problem, p.problem) IS NOT NULL
        """).fetchone() or (None,)
    rows = [(one.what, one.why) for one in problems] + [
        tuple(text.rsplit(": ", 1)) for text in urls or ()
    ]
    return CheckResult(
        EVERY_PICTURE_IS_THERE,
        (
            "Every picture that a row names is there."
            if not rows
            else (
                f"Pictures that are not to be had: {len(rows):,}."
                f" {_named(': '.join(row) for row in rows)}. Put the file there, or correct the"
                " name at the ERP, then run `import_files`."
            )
        ),
        tuple(row[0] for row in rows),
        ("what", "why"),
        rows,
    )


EVERY_PICTURE_IS_THERE = Check(
    "every_picture_is_there",
    "public_images",
    "Every picture that a row names could be read, and is public. What to do: put the missing file"
    " into the source folder, or correct the name at the ERP; `kimo images audit` lists all of"
    " them.",
    _pictures,
)


def _addresses(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    known, wrong = (
        totals(connection),
        [one for one in corrections(connection) if one.kind in _NOT_FOUND],
    )
    return CheckResult(
        ADDRESSES_ARE_FOUND,
        (
            f"Of {known.addresses:,} addresses none is unknown to Google."
            if not wrong
            else (
                f"Addresses that are not found: {len(wrong):,} of {known.addresses:,}. "
                f"{_named(f'{one.what}: {one.why}' for one in wrong)}. Correct them at "
                "the ERP; the next geocoding asks again."
            )
        ),
        tuple(one.what for one in wrong),
        ("whose", "why", "accounts"),
        [(one.what, one.why, one.accounts) for one in wrong],
        figures={"addresses": known.addresses, "waiting": known.waiting},
    )


_NOT_FOUND = ("not askable", "INVALID_REQUEST", "ZERO_RESULTS")

ADDRESSES_ARE_FOUND = Check(
    "addresses_are_found",
    "geopositions",
    "Google knows the address of every customer and ship-to site. What to do: correct those in the"
    " table at the ERP; the import after that and the next geocoding ask again. `kimo geocode"
    " --list` has all of them.",
    _addresses,
)


def freshness(connection: Connection, config: KimoConfig, load: int | None = None) -> CheckResult:
    hours = config.limits.fresh_hours
    found: dict[str, datetime] = dict(
        connection.execute(
            "SELECT entity, staged_at FROM ops.staged WHERE staged_at < now() - make_interval(secs"
            " => %s)",
            [hours * 3600],
        ).fetchall()
    )
    never = set(config.entities) - {
        result.entity for result in last_results(connection) if result.step == 1
    }
    old = sorted((found[name], name) for name in found.keys() & config.entities.keys())
    return CheckResult(
        TABLETS_DATA_ARE_FRESH,
        (
            "Nothing was imported yet."
            if never == set(config.entities)
            else (
                f"All was read from the ERP within the last {hours:g} hours."
                if not old
                else (
                    f"{len(old)} of {len(config.entities)} entities are older than {hours:g} hours"
                    " (limits: fresh_hours):"
                    f" {_named(f'{name} of {at:%Y-%m-%d %H:%M} UTC' for at, name in old)}. Look at"
                    " the last import's run and its mail; `kimo import` reads them now."
                )
            )
        ),
        tuple(name for _, name in old),
        ("entity", "last read from the ERP (UTC)"),
        [(name, f"{at:%Y-%m-%d %H:%M}") for at, name in old],
    )


TABLETS_DATA_ARE_FRESH = Check(
    "tablets_data_are_fresh",
    "sync_payloads",
    "What the tablets get was read from the ERP within the last limits: fresh_hours (26). Recorded"
    " also while nothing runs, by the sensor data_are_fresh. What to do: look why the last import"
    " failed or did not start; `kimo import`.",
    freshness,
)

CHECKS = (
    NOTHING_REJECTED_ABOVE,
    ROW_COUNTS_ARE_USUAL,
    REFERENCES_RESOLVE,
    EVERY_PICTURE_IS_THERE,
    ADDRESSES_ARE_FOUND,
    TABLETS_DATA_ARE_FRESH,
)


def _named(found: Iterator[str]) -> str:
    """The first of them, and how many more there are."""
    every = list(found)
    more = f"; and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return "; ".join(every[:_NAMED]) + more


# --- the two doors
# --------------------------------------------------------------------------------------------------


def build_trust_checks() -> list[dg.AssetChecksDefinition]:
    return [_definition(check) for check in CHECKS]


def _definition(check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=check.asset,
        name=check.name,
        description=check.description,
        blocking=check.is_blocking,
        required_resource_keys={RESOURCE},
    )
    def judged(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        kimo: KimoRun = getattr(context.resources, RESOURCE)
        opinion = _opinion(kimo, check)
        if _is_allowed(context.run.run_config, check.asset):
            opinion = replace(opinion, blocking=None)
        if opinion.blocking and kimo.run is not None:
            context.op_execution_context.log_event(opinion.evaluation(kimo.config))  # type: ignore[arg-type]  # it takes evaluations too
            _stop(kimo, opinion.blocking)
        return opinion.result()

    return judged


def _is_allowed(run_config: Mapping[str, Any], asset: str) -> bool:
    return bool(run_config.get("ops", {}).get(asset, {}).get("config", {}).get("allow_shrink"))


def _opinion(kimo: KimoRun, check: Check) -> CheckResult:
    # Not the run's connection: asked for by itself, a check takes no lock and no load number.
    with kimo.database().connect() as connection:
        return check.judge(connection, kimo.config, kimo.run.load if kimo.run else None)


def record(context: dg.OpExecutionContext, kimo: KimoRun, asset: str) -> None:
    """The asset's checks from an op that has brought it up to date."""
    for check in CHECKS:
        if check.asset == asset:
            context.log_event(_opinion(kimo, check).evaluation(kimo.config))  # type: ignore[arg-type]  # it takes evaluations too


def stop_if_blocked(kimo: KimoRun, *, allowed: bool) -> None:
    """Between step 1 and step 2 of an op job. Raises: dg.Failure when what this run has staged is
    not to go on.
    """
    blocking = _opinion(kimo, NOTHING_REJECTED_ABOVE).blocking
    if blocking and not allowed:
        _stop(kimo, blocking)


def _stop(kimo: KimoRun, blocking: str) -> None:
    def stop(run: Run) -> None:
        raise GuardError(
            f"Too many rows were refused: {blocking}; at {run.config.limits.blocking_rejected:.0%}"
            " the next step does not start (limits: blocking_rejected). Yesterday's data stay."
            " `kimo rejected` shows why: mend the ERP or the mapping and import again; if it is"
            " right so, run again with --allow-shrink (allow_shrink)."
        )

    kimo.do(stop)
