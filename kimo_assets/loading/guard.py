"""Mass deletions that look like a broken export of the ERP's.

They stop a load: of an entity's rows, or of one agent's.
"""

from collections.abc import Sequence

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.config import GuardsConfig
from kimo_assets.database.names import ARCHIVED, HASH, ID, KIMO, table
from kimo_assets.texts import say

_AGENTS_NAMED = 5


def suspicion(
    connection: Connection,
    entity: Entity,
    incoming: sql.Composable,
    mapped: Sequence[str],
    archived: int,
    guards: GuardsConfig,
) -> str | None:
    """Why the load should not go on, before anything of it is applied. None: it may."""
    reasons = [_too_many_archived(connection, entity, archived, guards)]
    if archived and entity.agent_field:
        agents = _agents_of(entity.agent_field, incoming, is_mapped=entity.agent_field in mapped)
        reasons.append(_agents_emptied(connection, entity, entity.agent_field, agents, guards))
    reason = " ".join(filter(None, reasons))
    if not reason:
        return None
    return say("loading.guard.stop", reason=reason)


def _too_many_archived(
    connection: Connection, entity: Entity, archived: int, guards: GuardsConfig
) -> str | None:
    """Also where as many rows come as go: the keys may all be new ones.

    Rows of Kimo's own that give way to the ERP's are not counted: no snapshot ever had them.
    """
    min_rows = max(1, guards.min_shrink_rows)
    if archived < min_rows:
        return None
    row = connection.execute(
        sql.SQL("""
            SELECT count(*), count(*) FILTER (WHERE {id} IN
                (SELECT id FROM pg_temp.difference WHERE kind = 'archived'))
            FROM {kimo} WHERE {archived} IS NULL AND {hash} <> 0
            """).format(
            id=sql.Identifier(ID),
            kimo=table(KIMO, entity.name),
            archived=sql.Identifier(ARCHIVED),
            hash=sql.Identifier(HASH),
        )
    ).fetchone()
    live, archived = row or (0, 0)
    if archived < min_rows or archived <= guards.max_shrink * live:
        return None
    return say(
        "loading.guard.archived",
        archived=archived,
        live=live,
        share=archived / live,
        allowed=guards.max_shrink,
    )


def _agents_of(field: str, incoming: sql.Composable, *, is_mapped: bool) -> sql.Composed:
    """A subquery (agent, rows) of the snapshot. A column that left the mapping names no agent."""
    agent: sql.Composable = sql.SQL("NULL::text")
    if is_mapped:
        agent = sql.Identifier(field)
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
    """Agents who are still there and would lose most of their rows.

    The entity as a whole may hardly shrink by that.
    """
    rows = connection.execute(
        _EMPTIED.format(
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
    agents = [
        say("loading.guard.agent", agent=agent, before=before, after=after)
        for agent, before, after in rows[:_AGENTS_NAMED]
    ]
    names = ", ".join(agents)
    more = len(rows) - len(agents)
    if more:
        names = say("loading.guard.more_agents", agents=names, count=more)
    return say(
        "loading.guard.agents_emptied",
        share=guards.max_agent_shrink,
        entity=entity.name,
        agents=names,
    )


# Where no agents are imported, every agent counts as still there.
_EMPTIED = sql.SQL("""
    SELECT b.agent, b.rows, coalesce(a.rows, 0)
    FROM (SELECT {field} AS agent, count(*) AS rows FROM {kimo}
          WHERE {archived} IS NULL GROUP BY 1) AS b
    LEFT JOIN {incoming} AS a USING (agent)
    WHERE b.rows - coalesce(a.rows, 0) >= {min_rows}
      AND b.rows - coalesce(a.rows, 0) > {max_shrink} * b.rows
      AND (b.agent IN (SELECT "Id" FROM kimo."SalesAgent" WHERE {archived} IS NULL)
           OR NOT EXISTS (SELECT FROM ops.loaded WHERE entity = 'SalesAgent'))
    ORDER BY b.rows - coalesce(a.rows, 0) DESC, 1
    """)
