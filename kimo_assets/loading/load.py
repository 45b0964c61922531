"""One entity of step 2: kimo.<Entity> becomes the snapshot, touching only the rows that differ.

The caller opens the one transaction of a load. It calls in dependency order, so that owners are
there before their parts.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity
from kimo_assets.database.names import ID, KIMO, STAGED_AREA, StagingArea, table
from kimo_assets.database.rejection_history import since_kept
from kimo_assets.errors import GuardError, NotStagedError
from kimo_assets.loading import guard, history
from kimo_assets.loading.diff import Diff, staged_fields
from kimo_assets.loading.held_rows import is_held
from kimo_assets.loading.rejections import reject_rows
from kimo_assets.loading.rules import LoadRules
from kimo_assets.reports import LoadedEntity
from kimo_assets.texts import say

# The share of a table that has to change before the planner's statistics are refreshed.
_ANALYZE_SHARE = 0.1
# A fifth of PostgreSQL's usual sample. The statistics serve joins over whole tables, and taking the
# usual sample was a fifth of a load's time.
_STATISTICS_TARGET = 20


@dataclass(frozen=True)
class LoadedState:
    """What the last load left in kimo.<entity>, from ops.loaded."""

    checksum: str
    held: int
    rows_live: int
    changed_load: int
    owner_changed_load: int | None

    def is_current(self, checksum: str, owner_changed_load: int | None) -> bool:
        """Whether loading this snapshot again would change nothing."""
        has_same_owner = self.owner_changed_load == owner_changed_load
        # Held rows may have been released since.
        return self.checksum == checksum and has_same_owner and not self.held


@dataclass(frozen=True)
class Comparison:
    """What a load is about to do with an entity, to be looked at before it is done.

    is_first: Kimo has no rows yet. Every row of `incoming` is new, and there is no
    pg_temp.difference.
    """

    entity: Entity
    staging: sql.Identifier
    incoming: sql.Composable
    mapped: list[str]
    is_first: bool


OnComparison = Callable[[Comparison], None]


def load_entity(
    connection: Connection,
    catalog: Catalog,
    entity: Entity,
    load: int,
    rules: LoadRules,
    on_comparison: OnComparison = lambda _comparison: None,
) -> LoadedEntity:
    """Applies the staged snapshot of one entity, inside the caller's transaction.

    An entity is not even compared if its snapshot, rules and owner are as at the last load, and no
    edits were pending then. Raises: NotStagedError when nothing is staged. GuardError when the load
    looks like a mass deletion.
    """
    started = time.monotonic()
    schema, checksum = _staged(connection, entity, rules)
    before = loaded_state(connection, entity.name)
    owner_changed = _owner_changed_load(connection, entity)
    if before and before.is_current(checksum, owner_changed):
        report = LoadedEntity(entity.name, status="unchanged", unchanged=before.rows_live)
        rejected = _count_rejected(connection, entity)
        return replace(report, refused=rejected, seconds=time.monotonic() - started)
    staging, mapped = table(schema, entity.name), staged_fields(connection, entity, schema)
    # An owner that is not imported cannot be missing.
    check_owner = owner_changed is not None
    # A row that is rejected again keeps the time since when it is.
    with since_kept(connection, entity.name, step=2):
        rejected = reject_rows(
            connection, entity, staging, mapped, load, rules, check_owner=check_owner
        )
    held = is_held(
        catalog,
        entity,
        of="k",
        is_gone=sql.SQL("s.{} IS NULL").format(sql.Identifier(ID)),
        is_answered=not rules.answered.isdisjoint((entity.name, entity.owner)),
    )
    diff = Diff(connection, entity, staging, mapped, load, has_rejected=rejected > 0, held=held)
    # An agent may have made records of an entity before its first snapshot comes.
    is_first = before is None and diff.is_empty()
    comparison = Comparison(entity, staging, diff.incoming, mapped, is_first)
    report = _apply(connection, diff, comparison, load, rules, on_comparison)
    live = report.inserted + report.updated + report.unchanged + report.held
    has_changed = report.inserted + report.updated + report.archived > 0
    changed_load = load if before is None or has_changed else before.changed_load
    state = LoadedState(checksum, report.held, live, changed_load, owner_changed)
    record_state(connection, entity.name, load, state)
    if report.inserted + report.updated > _ANALYZE_SHARE * live:
        _analyze(connection, entity)
    return replace(report, refused=rejected, seconds=time.monotonic() - started)


def _analyze(connection: Connection, entity: Entity) -> None:
    connection.execute(
        sql.SQL("SET LOCAL default_statistics_target = {}").format(_STATISTICS_TARGET)
    )
    connection.execute(sql.SQL("ANALYZE {}").format(table(KIMO, entity.name)))


def _apply(
    connection: Connection,
    diff: Diff,
    comparison: Comparison,
    load: int,
    rules: LoadRules,
    on_comparison: OnComparison,
) -> LoadedEntity:
    """Compares, shows the comparison, and applies it unless a guard stops it.

    Raises: GuardError.
    """
    entity = comparison.entity
    if comparison.is_first:
        on_comparison(comparison)
        report = diff.insert_all()
        history.record(connection, entity.name, load, report)
        return report
    counts = diff.compare()
    # A preview is taken here, before anything changes.
    on_comparison(comparison)
    suspicion = guard.suspicion(
        connection, entity, diff.incoming, comparison.mapped, counts["archived"], rules.guards
    )
    if suspicion and not rules.allow_shrink:
        raise GuardError(suspicion)
    if rules.keep_history:
        history.remember(connection, entity, load)
    report = diff.apply(counts)
    history.record(connection, entity.name, load, report)
    return replace(report, guard=suspicion)


def _staged(connection: Connection, entity: Entity, rules: LoadRules) -> tuple[str, str]:
    """Schema of the staged table, and what identifies the snapshot and the rules it is loaded by.

    A plan stages only what differs from what is staged already. Raises: NotStagedError when nothing
    is staged at all.
    """
    for area in (rules.area, STAGED_AREA):
        identity = staged_identity(connection, entity.name, area)
        if identity is None:
            continue
        digest = ""
        if rules.codes(entity):
            digest = rules.digest(entity, staged_fields(connection, entity, area.schema))
        return area.schema, "/".join(filter(None, (identity, digest)))
    raise NotStagedError(say("loading.never_staged", entity=entity.name))


def staged_identity(
    connection: Connection, entity: str, area: StagingArea = STAGED_AREA
) -> str | None:
    """What identifies a staged snapshot: how it was read and what it holds. None: there is none."""
    statement = sql.SQL("SELECT definition || '/' || checksum FROM {} WHERE entity = %s")
    row = connection.execute(statement.format(area.staged), [entity]).fetchone()
    return row[0] if row else None


def loaded_state(connection: Connection, entity: str) -> LoadedState | None:
    """None: the entity was never loaded."""
    row = connection.execute(
        """
        SELECT checksum, held, rows_live, changed_load, owner_changed_load
        FROM ops.loaded WHERE entity = %s
        """,
        [entity],
    ).fetchone()
    return LoadedState(*row) if row else None


def _owner_changed_load(connection: Connection, entity: Entity) -> int | None:
    """The load that last changed the owner's rows. None: it has no owner that is imported."""
    state = loaded_state(connection, entity.owner) if entity.owner else None
    return state.changed_load if state else None


def _count_rejected(connection: Connection, entity: Entity) -> int:
    row = connection.execute(
        "SELECT count(*) FROM ops.rejected_row WHERE entity = %s AND step = 2", [entity.name]
    ).fetchone()
    return row[0] if row else 0


def record_state(connection: Connection, entity: str, load: int, state: LoadedState) -> None:
    """What this load leaves, for the next one to go by."""
    connection.execute(
        """
        INSERT INTO ops.loaded
            (entity, load, checksum, held, rows_live, changed_load, owner_changed_load)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (entity) DO UPDATE SET
            (load, checksum, held, rows_live, changed_load, owner_changed_load, loaded_at) =
            (excluded.load, excluded.checksum, excluded.held, excluded.rows_live,
             excluded.changed_load, excluded.owner_changed_load, now())
        """,
        [
            entity,
            load,
            state.checksum,
            state.held,
            state.rows_live,
            state.changed_load,
            state.owner_changed_load,
        ],
    )
