"""One entity of step 2: kimo.<Entity> becomes the snapshot, touching only the rows that differ.

The caller opens the one transaction of a load, and calls in dependency order, so that owners are
there before their parts.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity
from kimo_assets.database.names import ID, KIMO, STAGED_AREA, StagingArea, table
from kimo_assets.database.rejection_history import since_kept
from kimo_assets.errors import ContractError, GuardError
from kimo_assets.loading import guard, history
from kimo_assets.loading.diff import Diff, staged_fields
from kimo_assets.loading.held_rows import is_held
from kimo_assets.loading.rejections import refuse_rows
from kimo_assets.loading.rules import LoadRules
from kimo_assets.reports import LoadedEntity

# How much of a table has to change before the planner's picture of it is refreshed.
_ANALYZE_SHARE = 0.1
# A fifth of PostgreSQL's usual sample: the picture serves joins over whole tables, and drawing it
# was a fifth of a load.
_STATISTICS_TARGET = 20


@dataclass(frozen=True)
class LoadedState:
    """What the last load left in kimo.<entity>, from ops.loaded."""

    checksum: str
    held: int
    rows_live: int
    changed_load: int
    owner_changed_load: int | None


@dataclass(frozen=True)
class Comparison:
    """What a load is about to do with an entity, for whoever wants to look before it is done.

    is_first: nothing was there, every row of `incoming` is new, and pg_temp.difference does not
    exist.
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
    on_comparison: OnComparison = lambda comparison: None,
) -> LoadedEntity:
    """Applies the staged snapshot of one entity, inside the caller's transaction.

    An entity whose snapshot, rules, owner and pending edits are as at the last load is not compared
    at all.
    Raises: ContractError when nothing is staged, GuardError when the load looks like a mass
    deletion.
    """
    started = time.monotonic()
    schema, checksum = _staged(connection, entity, rules)
    before = loaded_state(connection, entity.name)
    owner_changed = _owner_changed_load(connection, entity)
    if (
        before
        and before.checksum == checksum
        and not before.held
        and before.owner_changed_load == owner_changed
    ):
        return LoadedEntity(
            entity.name,
            time.monotonic() - started,
            "unchanged",
            unchanged=before.rows_live,
            refused=_refused_before(connection, entity),
        )
    staging, mapped = table(schema, entity.name), staged_fields(connection, entity, schema)
    with since_kept(connection, entity.name, step=2):
        refused = refuse_rows(
            connection, entity, staging, mapped, load, rules, check_owner=owner_changed is not None
        )
    held = is_held(
        catalog,
        entity,
        of="k",
        is_gone=sql.SQL("s.{} IS NULL").format(sql.Identifier(ID)),
        is_answered=not rules.answered.isdisjoint((entity.name, entity.owner)),
    )
    diff = Diff(connection, entity, staging, mapped, load, refused=refused > 0, held=held)
    look = Comparison(
        entity, staging, diff.incoming, mapped, is_first=before is None and diff.is_empty()
    )
    report = _apply(connection, diff, look, load, rules, on_comparison)
    changed = report.inserted + report.updated + report.archived > 0
    live = report.inserted + report.updated + report.unchanged + report.held
    changed_load = load if changed or before is None else before.changed_load
    record_state(
        connection,
        entity.name,
        load,
        LoadedState(checksum, report.held, live, changed_load, owner_changed),
    )
    if report.inserted + report.updated > _ANALYZE_SHARE * live:
        connection.execute(
            sql.SQL("SET LOCAL default_statistics_target = {}").format(_STATISTICS_TARGET)
        )
        connection.execute(sql.SQL("ANALYZE {}").format(table(KIMO, entity.name)))
    return replace(report, refused=refused, seconds=time.monotonic() - started)


def _apply(
    connection: Connection,
    diff: Diff,
    look: Comparison,
    load: int,
    rules: LoadRules,
    on_comparison: OnComparison,
) -> LoadedEntity:
    entity = look.entity
    if look.is_first:
        on_comparison(look)
        report = diff.insert_all()
        history.record(connection, entity.name, load, report)
        return report
    found = diff.compare()
    on_comparison(look)
    suspicion = guard.suspicion(
        connection, entity, diff.incoming, look.mapped, found["archived"], rules.guards
    )
    if suspicion and not rules.allow_shrink:
        raise GuardError(suspicion)
    if rules.keep_history:
        history.remember(connection, entity, load)
    report = diff.apply(found)
    history.record(connection, entity.name, load, report)
    return replace(report, guard=suspicion)


def _staged(connection: Connection, entity: Entity, rules: LoadRules) -> tuple[str, str]:
    """Schema of the staged table, and what identifies the snapshot together with the rules it is
    loaded by.

    A plan stages only what differs from what is staged already. Raises: ContractError when nothing
    is staged at all.
    """
    for area in (rules.area, STAGED_AREA):
        if identity := staged_identity(connection, entity.name, area):
            decoded = set(rules.codes(entity)) and set(
                staged_fields(connection, entity, area.schema)
            )
            return area.schema, "/".join(filter(None, (identity, rules.digest(entity, decoded))))
    raise ContractError(f"{entity.name} has never been staged: run step 1 for it first")


def staged_identity(
    connection: Connection, entity: str, area: StagingArea = STAGED_AREA
) -> str | None:
    """What identifies a staged snapshot: how it was read and what it holds. None when there is
    none.
    """
    row = connection.execute(
        sql.SQL("SELECT definition || '/' || checksum FROM {} WHERE entity = %s").format(
            area.staged
        ),
        [entity],
    ).fetchone()
    return row[0] if row else None


def loaded_state(connection: Connection, entity: str) -> LoadedState | None:
    row = connection.execute(
        "SELECT checksum, held, rows_live, changed_load, owner_changed_load FROM ops.loaded WHERE"
        " entity = %s",
        [entity],
    ).fetchone()
    return LoadedState(*row) if row else None


def _owner_changed_load(connection: Connection, entity: Entity) -> int | None:
    """The load that last changed the owner's rows; None when there is no owner, or it is not
    imported.
    """
    state = loaded_state(connection, entity.owner) if entity.owner else None
    return state.changed_load if state else None


def _refused_before(connection: Connection, entity: Entity) -> int:
    row = connection.execute(
        "SELECT count(*) FROM ops.rejected_row WHERE entity = %s AND step = 2", [entity.name]
    ).fetchone()
    return row[0] if row else 0


def record_state(connection: Connection, entity: str, load: int, state: LoadedState) -> None:
    connection.execute(
        """
        INSERT INTO ops.loaded (entity, load, checksum, held, rows_live, changed_load,
            owner_changed_load)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (entity) DO UPDATE SET (load, checksum, held, rows_live, changed_load,
            owner_changed_load,
            loaded_at) = (excluded.load, excluded.checksum, excluded.held, excluded.rows_live,
                excluded.changed_load,
            excluded.owner_changed_load, now())
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
