"""A plan that was saved: its snapshots in schema `plan`, its record in ops.plan, its file.

One is kept at a time, until it is applied or another plan is made. It can be applied as long as
Kimo's tables are as they were when it was compared with them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from psycopg import Connection, sql

from kimo_assets.database.names import PLAN, PLANNED
from kimo_assets.database.queries import load_record
from kimo_assets.errors import ConfigError, PlanMovedError
from kimo_assets.loading.load import loaded_state, staged_identity
from kimo_assets.texts import say

FORMAT = "kimo-plan"
# A file of another version is refused, not guessed at: a plan is applied without guards.
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SavedPlan:
    """entities: the names, in dependency order."""

    id: str
    made_at: datetime
    entities: list[str]


def save(connection: Connection[Any], plan_id: str, document: dict[str, Any]) -> None:
    """Keeps a plan's document. Its snapshots are in schema plan already."""
    connection.execute(
        "INSERT INTO ops.plan (id, document) VALUES (%s, %s)",
        # As text: psycopg sends bytes as bytea, which no jsonb column takes.
        [plan_id, orjson.dumps(document).decode()],
    )


def forget_snapshots(connection: Connection[Any]) -> None:
    """Empties schema plan, and with it every saved plan that was not applied."""
    # Together, so that a kill leaves no plan on record without its snapshots.
    with connection.transaction():
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {plan} CASCADE; CREATE SCHEMA {plan}").format(
                plan=sql.Identifier(PLAN)
            )
        )
        connection.execute("TRUNCATE ops.planned, ops.planned_rejected_row")
        # Applied plans stay, so that their file is answered with the load that applied it.
        connection.execute("DELETE FROM ops.plan WHERE applied_load IS NULL")


def snapshot_of(connection: Connection[Any], entity: str) -> str | None:
    """What identifies the snapshot of a plan: its own, or the staged one where both are equal."""
    return staged_identity(connection, entity, PLANNED) or staged_identity(connection, entity)


def last_change(connection: Connection[Any], entity: str) -> int:
    """The load that last changed kimo.<Entity>; 0 when none ever has."""
    state = loaded_state(connection, entity)
    if state is None:
        return 0
    return state.changed_load


def id_in_file(text: bytes, file: str) -> str:
    """The id of the plan that a file of `kimo plan --save` names.

    Raises: ConfigError when it is no such file.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(say("pipeline.plan.not_json", file=file, error=error)) from None
    # A person gives the file, so it may hold any JSON.
    if not isinstance(document, dict) or document.get("format") != FORMAT or not document.get("id"):
        raise ConfigError(say("pipeline.plan.not_a_plan", file=file))
    version = document.get("version")
    if version != FORMAT_VERSION:
        message = say(
            "pipeline.plan.other_version", file=file, version=version, expected=FORMAT_VERSION
        )
        raise ConfigError(message)
    return str(document["id"])


def find(connection: Connection[Any], plan_id: str) -> SavedPlan:
    """The plan, if it can be applied.

    Raises: PlanMovedError when it is not kept any more, or naming all that has changed since.
    """
    row = connection.execute(
        "SELECT made_at, document -> 'entities', applied_load FROM ops.plan WHERE id = %s",
        [plan_id],
    ).fetchone()
    if row is None:
        raise PlanMovedError(say("pipeline.plan.not_kept"))
    made_at, entities, applied_load = row
    if applied_load is not None:
        raise PlanMovedError(say("pipeline.plan.applied_already", load=applied_load))
    # All changes at once. Otherwise the operator meets the next one only after a new plan.
    changes = [
        change
        for name, planned in entities.items()
        if (change := _change(connection, name, planned["snapshot"], planned["compared_with"]))
    ]
    if changes:
        message = say("pipeline.plan.no_longer_fits", made_at=made_at, changes="; ".join(changes))
        raise PlanMovedError(message)
    return SavedPlan(plan_id, made_at, list(entities))


def _change(
    connection: Connection[Any], entity: str, snapshot: str, compared_with: int
) -> str | None:
    """What has happened to the entity since the plan, in words; None when it is as it was."""
    # Asked first, because it names the load that came between.
    changed = last_change(connection, entity)
    if changed != compared_with:
        return _changed_by(connection, entity, changed)
    if snapshot_of(connection, entity) != snapshot:
        return say("pipeline.plan.read_again", entity=entity)
    return None


def _changed_by(connection: Connection[Any], entity: str, load: int) -> str:
    record = load_record(connection, load)
    if record is None:
        # The load was cleaned away, or an undo went back to before the first one.
        return say("pipeline.plan.changed", entity=entity)
    at = f"{record.started_at.astimezone(UTC):%Y-%m-%d %H:%M}"
    return say("pipeline.plan.changed_by_load", entity=entity, load=load, title=record.title, at=at)


def mark_applied(connection: Connection[Any], plan_id: str, load: int) -> None:
    """Notes the load that has applied the plan, so that no other does."""
    connection.execute("UPDATE ops.plan SET applied_load = %s WHERE id = %s", [load, plan_id])
