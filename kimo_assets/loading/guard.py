"""Mass deletions that are likelier a broken export of the ERP's than a clean-out: of an entity's
rows, of one agent's.
"""

from collections.abc import Sequence

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.config import GuardsConfig
from kimo_assets.database.names import ARCHIVED, HASH, ID, KIMO, table

_AGENTS_NAMED = 5


def suspicion(
    connection: Connection,
    entity: Entity,
    incoming: sql.Composable,
    mapped: Sequence[str],
    archived: int,
    guards: GuardsConfig,
) -> str | None:
    """Why the load should not go on, before anything of it is applied; None when there is no
    reason.
    """
    reasons = [_too_many_archived(connection, entity, archived, guards)]
    if archived and entity.agent_field:
        agents = _agents_of(entity.agent_field, incoming, is_mapped=entity.agent_field in mapped)
        reasons.append(_agents_emptied(connection, entity, entity.agent_field, agents, guards))
    found = " ".join(filter(None, reasons))
    if not found:
        return None
    return (
        f"{found} Yesterday's data stay. If it is right so, run again with --allow-shrink, or apply"
        " a plan."
    )


def _too_many_archived(
    connection: Connection, entity: Entity, archived: int, guards: GuardsConfig
) -> str | None:
    """As many rows may be there as before, and yet none of them: with keys that were all given
    anew.

    Rows that Kimo made, and which the ERP's own take the place of, are no loss: no snapshot ever
    had them.
    """
    if archived < max(1, guards.min_shrink_rows):
        return None
    row = connection.execute(
        sql.SQL("""
            SELECT count(*), count(*) FILTER (WHERE {id} IN (SELECT id FROM pg_temp.difference
                WHERE kind = 'archived'))
            FROM {kimo} WHERE {archived} IS NULL AND {hash} <> 0
            """).format(
            id=sql.Identifier(ID),
            kimo=table(KIMO, entity.name),
            archived=sql.Identifier(ARCHIVED),
            hash=sql.Identifier(HASH),
        )
    ).fetchone()
    live, archived = row or (0, 0)
    if archived < max(1, guards.min_shrink_rows) or archived <= guards.max_shrink * live:
        return None
    return (
        f"{archived:,} of {live:,} rows would be archived ({archived / live:.0%}; allowed are"
        f" {guards.max_shrink:.0%})."
    )


def _agents_of(field: str, incoming: sql.Composable, *, is_mapped: bool) -> sql.Composed:
    """(agent, rows) of the snapshot. A column that left the mapping names no agent any more."""
    agent = sql.Identifier(field) if is_mapped else sql.SQL("NULL::text")
    return sql.SQL("(SELECT {} AS agent, count(*) AS rows FROM {} AS i GROUP BY 1)").format(
        agent, incoming
    )


def _agents_emptied(
    connection: Connection,
    entity: Entity,
    field: str,
    incoming: sql.Composable,
    guards: GuardsConfig,
) -> str | None:
    """Agents who are still there and would lose most of the rows that name them, though the entity
    hardly shrinks.
    """
    rows = connection.execute(
        sql.SQL("""
            SELECT b.agent, b.rows, coalesce(a.rows, 0)
            FROM (SELECT {field} AS agent, count(*) AS rows FROM {kimo} WHERE {archived} IS NULL
                GROUP BY 1) AS b
            LEFT JOIN {incoming} AS a USING (agent)
            WHERE b.rows - coalesce(a.rows, 0) >= {min_rows}
              AND b.rows - coalesce(a.rows, 0) > {max_shrink} * b.rows
              AND (b.agent IN (SELECT "Id" FROM kimo."SalesAgent" WHERE {archived} IS NULL)
                   OR NOT EXISTS (SELECT FROM ops.loaded WHERE entity = 'SalesAgent'))
            ORDER BY b.rows - coalesce(a.rows, 0) DESC, 1
            """).format(
            field=sql.Identifier(field),
            kimo=table(KIMO, entity.name),
            archived=sql.Identifier(ARCHIVED),
            incoming=incoming,
            min_rows=sql.Literal(max(1, guards.min_agent_rows)),
            max_shrink=sql.Literal(guards.max_agent_shrink),
        )
    ).fetchall()
    if not rows:
        return None
    named = "; ".join(
        f"agent {agent} {before:,} -> {after:,}" for agent, before, after in rows[:_AGENTS_NAMED]
    )
    more = f" and {len(rows) - _AGENTS_NAMED} more agents" if len(rows) > _AGENTS_NAMED else ""
    return (
        f"Agents would lose more than {guards.max_agent_shrink:.0%} of their {entity.name} rows:"
        f" {named}{more}."
    )
