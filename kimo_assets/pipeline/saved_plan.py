"""A plan that was saved: its snapshots in schema `plan`, its record in ops.plan, its file.

One is kept at a time, until it is applied or another plan is made. It can be applied as long as
Kimo's tables are as they were when it was compared with them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg import Connection, sql

from kimo_assets.database.names import PLAN, PLANNED
from kimo_assets.errors import ConfigError, PlanMovedError
from kimo_assets.loading.load import loaded_state, staged_identity

FORMAT = "kimo-plan"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SavedPlan:
    """entities: the names, in dependency order."""

    id: str
    made_at: datetime
    entities: list[str]


def save(connection: Connection, plan_id: str, document: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO ops.plan (id, document) VALUES (%s, %s)",
        [plan_id, orjson.dumps(document).decode()],
    )


def forget_snapshots(connection: Connection) -> None:
    """Empties schema plan, and with it every saved plan that was not applied."""
    with connection.transaction():
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {plan} CASCADE; CREATE SCHEMA {plan}").format(
                plan=sql.Identifier(PLAN)
            )
        )
        connection.execute("TRUNCATE ops.planned, ops.planned_rejected_row")
        connection.execute("DELETE FROM ops.plan WHERE applied_load IS NULL")


def snapshot_of(connection: Connection, entity: str) -> str | None:
    """What identifies the snapshot that a plan has seen: its own, or the staged one where that was
    the same.
    """
    return staged_identity(connection, entity, PLANNED) or staged_identity(connection, entity)


def last_change(connection: Connection, entity: str) -> int:
    """The load that last changed kimo.<Entity>; 0 when none ever has."""
    state = loaded_state(connection, entity)
    return state.changed_load if state else 0


def id_in_file(text: bytes, file: str) -> str:
    """The id of the plan that a file of `kimo plan --save` names. Raises: ConfigError when it is no
    such file.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"{file} is no plan: not JSON ({error}). `kimo plan --save FILE` writes one."
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT or not document.get("id"):
        raise ConfigError(f"{file} is no saved plan. `kimo plan --save FILE` writes one.")
    if document.get("version") != FORMAT_VERSION:
        raise ConfigError(
            f"{file} is a plan of version {document.get('version')}, this is {FORMAT_VERSION}. Plan"
            " again."
        )
    return str(document["id"])


def find(connection: Connection, plan_id: str) -> SavedPlan:
    """Raises: PlanMovedError when it is not kept any more, or naming everything that has changed
    since it was made.
    """
    row = connection.execute(
        "SELECT made_at, document -> 'entities', applied_load FROM ops.plan WHERE id = %s",
        [plan_id],
    ).fetchone()
    if row is None:
        raise PlanMovedError(
            "the snapshots of this plan are no longer kept: a newer plan was made, or this is"
            " another database. Plan again."
        )
    made_at, entities, applied_load = row
    if applied_load is not None:
        raise PlanMovedError(f"this plan was applied already, by load {applied_load}. Plan again.")
    moved = [
        _moved(connection, name, seen["snapshot"], seen["compared_with"])
        for name, seen in entities.items()
    ]
    if found := list(filter(None, moved)):
        raise PlanMovedError(
            f"the plan of {made_at:%Y-%m-%d %H:%M} UTC no longer fits: {'; '.join(found)}. Nothing"
            " was changed. Plan again."
        )
    return SavedPlan(plan_id, made_at, list(entities))


def _moved(connection: Connection, entity: str, snapshot: str, compared_with: int) -> str | None:
    """What has happened to the entity since the plan, in words; None when it is as it was."""
    changed = last_change(connection, entity)
    if changed != compared_with:
        row = connection.execute(
            "SELECT title, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM"
            " ops.load WHERE load = %s",
            [changed],
        ).fetchone()
        by_whom = f" by load {changed} ({row[0]}, {row[1]} UTC)" if row else ""
        return f"{entity} was changed{by_whom}"
    if snapshot_of(connection, entity) != snapshot:
        return f"{entity} was read from the ERP again, with another content"
    return None


def mark_applied(connection: Connection, plan_id: str, load: int) -> None:
    connection.execute("UPDATE ops.plan SET applied_load = %s WHERE id = %s", [load, plan_id])
