"""Why an agent sees a row, or does not: the answer an operator needs on the phone. Only reads."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection, IsolationLevel, sql

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.database.queries import load_record
from kimo_assets.database.rules import business_rules
from kimo_assets.database.server import Database
from kimo_assets.errors import ConfigError, StoreError, nearest
from kimo_assets.staging.queries import last_rejection
from kimo_assets.sync.client.client import read_manifest, read_rows
from kimo_assets.sync.publishing.entity_publication import REMOVED
from kimo_assets.sync.queries import earlier_audience, position_of_profile
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.visibility.profiles import Profile, Profiles
from kimo_assets.sync.visibility.trace import Link, Tracer
from kimo_assets.sync.visibility.visibility import Visibility
from kimo_assets.texts import say


@dataclass(frozen=True)
class LastChange:
    """The load that last changed the row, or archived it."""

    load: int
    title: str | None
    started_at: datetime | None


@dataclass(frozen=True)
class Before:
    """saw: whether the agent saw the row until load `by.load`, whose step 3 found that changed."""

    by: LastChange
    saw: bool

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {"saw": self.saw, "until": vars(self.by)}


@dataclass(frozen=True)
class Answer:
    """sees: by the tables as they are now; None when there is no such row.

    sentence: the answer in words. published: whether the agent's payload as last prepared holds the
    row; None when nothing was prepared. before: how it was before that last changed; None when it
    never did. chain: link by link, for a row that is there.
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
        """The document of `kimo why --json`."""
        return {
            "agent": self.agent,
            "user": self.user,
            "entity": self.entity,
            "key": self.key,
            "sees": self.sees,
            "sentence": self.sentence,
            "published": self.published,
            "change": vars(self.change) if self.change else None,
            "before": self.before.as_json() if self.before else None,
            "chain": self.chain.as_json() if self.chain else None,
        }


def explain_visibility(
    config: KimoConfig,
    database: Database,
    agent: str,
    entity: Entity,
    key: str,
    *,
    user: str | None = None,
) -> Answer:
    """The answer by the tables as they are now.

    Raises: ConfigError when there is no such agent, or the agent has no such user.
    """
    with database.connect() as connection:
        # Many statements make one answer. An import that commits meanwhile must not split it.
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        # Looking prepares the lookups of step 3 anew, and none of that may stay.
        with connection.transaction(force_rollback=True):
            profiles = Profiles.read(connection)
            profile = _profile(profiles, agent, user)
            question = Answer(agent, user, entity.name, key, None, "")
            answer = _answer(connection, config, profiles, profile, entity, question)
            answer = replace(answer, before=_before(connection, profile, entity.name, key))
    # Outside the transaction: a slow store must not hold it open.
    return replace(answer, published=_is_published(config, answer))


def _is_published(config: KimoConfig, answer: Answer) -> bool | None:
    """Whether the agent's next sync brings (or leaves) the row, by the payloads in the store."""
    store = Store(config.sync_store)
    try:
        manifest = read_manifest(store, answer.agent, answer.user)
    # Nothing was prepared for the agent yet, which is an answer too.
    except StoreError:
        return None
    description = manifest["entities"].get(answer.entity)
    if description is None:
        return None
    key_column = description["key"]
    return any(_holds(store, bucket, key_column, answer.key) for bucket in description["buckets"])


def _holds(store: Store, bucket: dict[str, Any], key_column: str, key: str) -> bool:
    """The base says whether the row is there, each later change says it anew."""
    is_there = False
    base = bucket["base"]
    # Older changes are in the base already (docs/sync-format.md).
    later = [change for change in bucket["changes"] if change["load"] > base["load"]]
    for part in (*base["objects"], *later):
        rows = read_rows(store.read_object(part["sha256"]))
        header = next(rows)
        position = header.index(key_column)
        for row in rows:
            if row[position] == key:
                # Only objects of changes have that column. Rows of a base are there.
                is_there = header[0] != REMOVED or row[0] == "0"
    return is_there


def _answer(
    connection: Connection[Any],
    config: KimoConfig,
    profiles: Profiles,
    profile: Profile,
    entity: Entity,
    question: Answer,
) -> Answer:
    """The question with its answer by the tables; what the payloads hold is asked later."""
    row = connection.execute(
        sql.SQL("SELECT {}, {} FROM {} WHERE {} = %s").format(
            sql.Identifier(CHANGED),
            sql.Identifier(ARCHIVED),
            table(KIMO, entity.name),
            sql.Identifier(ID),
        ),
        [question.key],
    ).fetchone()
    if row is None:
        return replace(question, sentence=_not_there(connection, entity, question.key))
    changed, archived = row
    # Archiving is the later of the two.
    change = _change(connection, archived or changed)
    # An archived row is never sent, whatever its scope says.
    if archived is not None:
        sentence = say("diagnostics.visibility.archived", load=archived)
        return replace(question, sees=False, sentence=sentence, change=change)
    chain = _trace(connection, config, profiles, profile, entity, question.key)
    sees = chain is not None and chain.passes
    sentence = _verdict(sees=sees, is_user=question.user is not None)
    return replace(question, sees=sees, sentence=sentence, change=change, chain=chain)


def _trace(
    connection: Connection[Any],
    config: KimoConfig,
    profiles: Profiles,
    profile: Profile,
    entity: Entity,
    key: str,
) -> Link | None:
    """Link by link, by the same rules that prepare the payloads. None: the row is not there."""
    catalog = load_catalog()
    visibility = Visibility(
        connection,
        catalog,
        profiles,
        rules=business_rules(connection),
        channel_codes=config.sync.channel_codes,
    )
    return Tracer(connection, catalog, visibility, profile).trace(entity, key)


def _verdict(*, sees: bool, is_user: bool) -> str:
    match sees, is_user:
        case True, True:
            return say("diagnostics.visibility.user_sees")
        case True, False:
            return say("diagnostics.visibility.agent_sees")
        case False, True:
            return say("diagnostics.visibility.user_does_not_see")
        case _:
            return say("diagnostics.visibility.agent_does_not_see")


def _profile(profiles: Profiles, agent: str, user: str | None) -> Profile:
    """Raises: ConfigError when there is no such agent or user, with the nearest name."""
    if agent not in profiles.agents:
        hint = _hint(agent, profiles.agents)
        raise ConfigError(say("diagnostics.visibility.no_agent", agent=agent, hint=hint))
    # Several users may share an agent, each with a warehouse of their own (fact sheet, section 11).
    if user is None:
        return profiles.agents[agent]
    users = {
        name: profile for name, profile in profiles.of_users().items() if profile.agent == agent
    }
    if user not in users:
        hint = _hint(user, users)
        message = say("diagnostics.visibility.no_user", agent=agent, user=user, hint=hint)
        raise ConfigError(message)
    return users[user]


def _hint(name: str, candidates: Iterable[str]) -> str:
    suggestions = nearest(name, candidates)
    if not suggestions:
        return ""
    return say("errors.did_you_mean", names=say("errors.or").join(suggestions))


def _before(connection: Connection[Any], profile: Profile, entity: str, key: str) -> Before | None:
    """From what step 3 keeps of who sees each row. Nothing is kept where everybody sees all."""
    audience = earlier_audience(connection, entity, key)
    if audience is None:
        return None
    # The position that step 3 has given. Those of `profile` were counted for this answer alone.
    position = position_of_profile(connection, profile.agent, profile.warehouse)
    change = _change(connection, audience.until_load)
    if position is None or change is None:
        return None
    return Before(change, audience.includes(position))


def _not_there(connection: Connection[Any], entity: Entity, key: str) -> str:
    """Why Kimo has no such row: it was rejected, or never sent."""
    # The operator's next question: was it never sent, or did we not take it?
    rejection = last_rejection(connection, entity.name, key)
    if rejection is None:
        return say("diagnostics.visibility.never_sent")
    step, rule, field = rejection
    return say(
        "diagnostics.visibility.rejected", step=step, rule=rule, field=field, entity=entity.name
    )


def _change(connection: Connection[Any], load: int) -> LastChange | None:
    """The title and time are unknown once retention has removed the load."""
    if not load:
        return None
    record = load_record(connection, load)
    if record is None:
        return LastChange(load, None, None)
    return LastChange(load, record.title, record.started_at)
