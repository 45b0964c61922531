"""Why an agent does (not) see a row: what an operator needs on the phone. Only reads."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection, IsolationLevel, sql

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.database.rules import business_rules
from kimo_assets.database.server import Database
from kimo_assets.errors import ConfigError, StoreError, nearest
from kimo_assets.sync.client.client import read_manifest, read_rows
from kimo_assets.sync.publishing.entity_publication import REMOVED
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.visibility.lookups import SYNC
from kimo_assets.sync.visibility.profiles import Profile, Profiles
from kimo_assets.sync.visibility.trace import Link, Tracer
from kimo_assets.sync.visibility.visibility import Visibility


@dataclass(frozen=True)
class LastChange:
    """The load that last changed the row, or archived it."""

    load: int
    title: str | None
    started_at: datetime | None


@dataclass(frozen=True)
class Before:
    """saw: whether the agent saw the row until the preparation of load `by.load`, which found who
    sees it changed.
    """

    by: LastChange
    saw: bool

    def as_json(self) -> dict[str, Any]:
        return {"saw": self.saw, "until": vars(self.by)}


@dataclass(frozen=True)
class Answer:
    """sees: by the tables as they are now; None when there is no such row to see. sentence: the
    answer in words.

    published: whether what step 3 last prepared for the agent holds the row; None when nothing was
    prepared. before: how it was before that last changed; None when it never did. chain: link by
    link, for a row that is there.
    """

    agent: str
    user: str | None
    entity: str
    key: str
    sees: bool | None
    sentence: str
    published: bool | None = None
    change: LastChange | None = None
    before: Before | None = None
    chain: Link | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            **{
                name: getattr(self, name)
                for name in ("agent", "user", "entity", "key", "sees", "sentence", "published")
            },
            "change": vars(self.change) if self.change else None,
            "before": self.before.as_json() if self.before else None,
            "chain": self.chain.as_json() if self.chain else None,
        }


def why(
    config: KimoConfig,
    database: Database,
    agent: str,
    entity: Entity,
    key: str,
    *,
    user: str | None = None,
) -> Answer:
    """The answer by the tables as they are now. Raises: ConfigError for an agent who is none, or a
    user not of theirs.
    """
    with database.connect() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction(force_rollback=True):
            profiles = Profiles.read(connection)
            profile = _profile(profiles, agent, user)
            answer = _answer(connection, config, profiles, profile, user, entity, key)
            answer = replace(answer, before=_before(connection, profile, entity.name, key))
    return replace(answer, published=_is_published(config, agent, user, entity.name, key))


def _is_published(
    config: KimoConfig, agent: str, user: str | None, entity: str, key: str
) -> bool | None:
    """Whether the agent's next sync brings (or leaves) the row, by the payloads as they are in the
    store.
    """
    store = Store(config.sync_store)
    try:
        description = read_manifest(store, agent, user)["entities"].get(entity)
    except StoreError:
        return None
    if description is None:
        return None
    return any(_holds(store, bucket, description["key"], key) for bucket in description["buckets"])


def _holds(store: Store, bucket: dict[str, Any], key_column: str, key: str) -> bool:
    found = False
    base = bucket["base"]
    later = [change for change in bucket["changes"] if change["load"] > base["load"]]
    for listed in (*base["objects"], *later):
        rows = read_rows(store.read_object(listed["sha256"]))
        header = next(rows)
        place = header.index(key_column)
        for row in rows:
            if row[place] == key:
                found = header[0] != REMOVED or row[0] == "0"
    return found


def _answer(
    connection: Connection,
    config: KimoConfig,
    profiles: Profiles,
    profile: Profile,
    user: str | None,
    entity: Entity,
    key: str,
) -> Answer:
    agent = profile.agent
    row = connection.execute(
        sql.SQL("SELECT {}, {} FROM {} WHERE {} = %s").format(
            sql.Identifier(CHANGED),
            sql.Identifier(ARCHIVED),
            table(KIMO, entity.name),
            sql.Identifier(ID),
        ),
        [key],
    ).fetchone()
    if row is None:
        return Answer(agent, user, entity.name, key, None, _not_there(connection, entity, key))
    changed, archived = row
    change = _load(connection, archived or changed)
    if archived is not None:
        sentence = f"nobody sees it: load {archived} archived it, because the ERP no longer sent it"
        return Answer(agent, user, entity.name, key, False, sentence, change=change)
    catalog = load_catalog()
    visibility = Visibility(
        connection,
        catalog,
        profiles,
        rules=business_rules(connection),
        channel_codes=config.sync.channel_codes,
    )
    chain = Tracer(connection, catalog, visibility, profile).trace(entity, key)
    sees = chain is not None and chain.passes
    sentence = f"the {'user' if user else 'agent'} {'sees' if sees else 'does not see'} it"
    return Answer(agent, user, entity.name, key, sees, sentence, change=change, chain=chain)


def _profile(profiles: Profiles, agent: str, user: str | None) -> Profile:
    if agent not in profiles.agents:
        raise ConfigError(
            f"'{agent}' is no agent here.{_hint(agent, profiles.agents)} Agents are the live rows"
            " of SalesAgent."
        )
    if user is None:
        return profiles.agents[agent]
    of_agent = {
        name: profile for name, profile in profiles.of_users().items() if profile.agent == agent
    }
    if user not in of_agent:
        raise ConfigError(
            f"agent '{agent}' has no user '{user}'.{_hint(user, of_agent)} `kimo settings show"
            " User` lists the users; archived ones, and those of another type than SalesAgent,"
            " have no tablet."
        )
    return of_agent[user]


def _hint(name: str, known: Iterable[str]) -> str:
    found = nearest(name, list(known))
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _before(connection: Connection, profile: Profile, entity: str, key: str) -> Before | None:
    """From what step 3 keeps of who sees each row; an entity that all see alike has nothing
    kept.
    """
    target = sql.Identifier(SYNC, entity)
    if connection.execute("SELECT to_regclass(%s)", [target.as_string(connection)]).fetchone() == (
        None,
    ):
        return None
    row = connection.execute(
        sql.SQL(
            "SELECT s.since, a.mask FROM {} AS s LEFT JOIN ops.audience AS a ON a.number = s.before"
            " WHERE s.key = %s AND s.before IS NOT NULL"
        ).format(target),
        [key],
    ).fetchone()
    # The bit that step 3 has given it: those of this answer are the answer's own.
    kept = connection.execute(
        "SELECT position FROM ops.profile WHERE agent = %s AND warehouse IS NOT DISTINCT FROM %s"
        " AND retired IS NULL",
        [profile.agent, profile.warehouse],
    ).fetchone()
    by = _load(connection, row[0]) if row else None
    if row is None or kept is None or by is None:
        return None
    return Before(by, bool(int(row[1] or "0", 16) >> kept[0] & 1))


def _not_there(connection: Connection, entity: Entity, key: str) -> str:
    """Where the row is instead, if anywhere."""
    refused = connection.execute(
        "SELECT step, rule, field FROM ops.rejected_row WHERE entity = %s "
        "AND (source_key = %s OR source_key LIKE %s) ORDER BY id DESC LIMIT 1",
        [entity.name, key, f"%={key}"],
    ).fetchone()
    if refused:
        step, rule, field = refused
        return (
            f"it is not in Kimo: step {step} refused it ({rule}, {field}); `kimo rejected"
            f" {entity.name}` shows it"
        )
    return (
        "there is no such row in Kimo: the ERP has never sent one with this Id, or its entity was"
        " never imported"
    )


def _load(connection: Connection, load: int) -> LastChange | None:
    if not load:
        return None
    row: tuple[str, datetime] | None = connection.execute(
        "SELECT title, started_at FROM ops.load WHERE load = %s", [load]
    ).fetchone()
    return LastChange(load, *(row or (None, None)))
