"""Profiles: the different views on the data. A set of profiles is one integer, its mask.

A profile is an agent plus the setting of a user that changes the agent's view: the warehouse.
Every agent has one without a warehouse, for users without settings of their own. Users with the
same agent and warehouse share one. Each profile has a bit that is never given to another, so a mask
keeps its meaning from one preparation to the next.

Masks may be *cofinite*: "everyone" is -1, all bits there will ever be, and "all but the restricted
ones" is the complement of a set. A later profile belongs to them without a row being touched.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from psycopg import Connection, sql

# Between codes in texts that PostgreSQL aggregates. No code contains it.
SEPARATOR = "\x1f"
EVERYONE = -1
NOBODY = 0

# User.UserTypeId of the users whose tablets are prepared (fact sheet, section 11).
_SALES_AGENT = 1

# An agent and a warehouse.
_View = tuple[str, str | None]


@dataclass(frozen=True)
class Profile:
    """position: its bit. since: the load with which it appeared."""

    position: int
    agent: str
    warehouse: str | None
    since: int

    @property
    def bit(self) -> int:
        return 1 << self.position

    @property
    def view(self) -> _View:
        return self.agent, self.warehouse


@dataclass(frozen=True)
class Profiles:
    """The profiles in use.

    users: user -> position of the user's profile. changed_load: the last load in which a profile
    came or went.
    """

    live: tuple[Profile, ...]
    users: dict[str, int] = field(default_factory=dict)
    changed_load: int = 0
    _masks: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, connection: Connection[Any], load: int | None = None) -> "Profiles":
        """The profiles of the live agents and users.

        load: new profiles get their bits in the ledger, for good. None: for this reading only.
        """
        agents = _agents(connection)
        # Users of an agent that is not live see nothing.
        users = _users(connection, set(agents))
        # Agents first: users without a warehouse of their own then share the agent's profile.
        views: list[_View] = [(agent, None) for agent in agents]
        views = list(dict.fromkeys([*views, *users.values()]))
        if load is None:
            live = [Profile(n, agent, warehouse, 0) for n, (agent, warehouse) in enumerate(views)]
        else:
            live = _update_ledger(connection, views, load)
        positions = {profile.view: profile.position for profile in live}
        return cls(
            tuple(live),
            {user: positions[view] for user, view in users.items()},
            _changed_load(connection),
        )

    @cached_property
    def live_mask(self) -> int:
        return sum(profile.bit for profile in self.live)

    @cached_property
    def _mask_of_agent(self) -> dict[str, int]:
        masks: dict[str, int] = {}
        for profile in self.live:
            masks[profile.agent] = masks.get(profile.agent, NOBODY) | profile.bit
        return masks

    @cached_property
    def agents(self) -> dict[str, Profile]:
        """agent -> the profile without settings of a user's own."""
        return {profile.agent: profile for profile in self.live if profile.warehouse is None}

    def of_users(self) -> dict[str, Profile]:
        """user -> the profile of those who have a warehouse of their own."""
        by_position = {profile.position: profile for profile in self.live}
        return {user: by_position[position] for user, position in self.users.items()}

    @cached_property
    def with_own_warehouse(self) -> int:
        """The set of profiles of such users."""
        return sum(profile.bit for profile in self.live if profile.warehouse is not None)

    def of_warehouse(self, warehouse: str) -> int:
        """The set of profiles with this warehouse."""
        return sum(profile.bit for profile in self.live if profile.warehouse == warehouse)

    def mask(self, codes: Iterable[str]) -> int:
        """All profiles of the agents. A code that belongs to no agent adds nothing."""
        result = NOBODY
        for code in codes:
            result |= self._mask_of_agent.get(code, NOBODY)
        return result

    def mask_of_text(self, text: str) -> int:
        """The mask of codes that PostgreSQL aggregated. The same texts come again and again."""
        if text not in self._masks:
            self._masks[text] = self.mask(text.split(SEPARATOR)) if text else NOBODY
        return self._masks[text]

    def among(self, mask: int) -> Iterator[Profile]:
        """The live profiles in a set."""
        return (self._by_bit[bit] for bit in bits(mask & self.live_mask))

    @cached_property
    def _by_bit(self) -> dict[int, Profile]:
        return {profile.bit: profile for profile in self.live}

    def described(self) -> list[Sequence[int | str | None]]:
        """The meaning of masks, for digests."""
        return [(profile.position, profile.agent, profile.warehouse) for profile in self.live]


def bits(mask: int) -> Iterator[int]:
    """The single bits of a set that is not cofinite."""
    while mask:
        lowest = mask & -mask
        yield lowest
        mask ^= lowest


def _changed_load(connection: Connection[Any]) -> int:
    row = connection.execute(
        "SELECT coalesce(max(greatest(since, retired)), 0) FROM ops.profile"
    ).fetchone()
    return int(row[0]) if row else 0


def changed_agents(since: int) -> sql.Composed:
    """A query of the agents who gained or lost a profile after that load.

    A row that names such an agent means other profiles now.
    """
    return sql.SQL("SELECT agent FROM ops.profile WHERE since > {0} OR retired > {0}").format(
        sql.Literal(since)
    )


def _agents(connection: Connection[Any]) -> list[str]:
    rows = connection.execute(
        'SELECT "Id" FROM kimo."SalesAgent" WHERE _archived_load IS NULL ORDER BY "Id"'
    )
    return [code for (code,) in rows]


def _users(connection: Connection[Any], agents: set[str]) -> dict[str, _View]:
    rows = connection.execute(
        'SELECT "Id", "SalesAgentId", "WarehouseId" FROM kimo."User" '
        'WHERE "UserTypeId" = %s AND NOT "Archived" ORDER BY "Id"',
        [_SALES_AGENT],
    )
    # The console may hold an empty text for no warehouse.
    return {user: (agent, warehouse or None) for user, agent, warehouse in rows if agent in agents}


def _update_ledger(connection: Connection[Any], views: Sequence[_View], load: int) -> list[Profile]:
    """The profiles of these views, with their bits from the ledger.

    New views get the next bits. Views that are gone lose theirs for good.
    """
    recorded = {profile.view: profile for profile in _recorded(connection)}
    retired = [profile.position for view, profile in recorded.items() if view not in set(views)]
    if retired:
        # Their bits are never used again, so what they got does not matter any more.
        connection.execute("DELETE FROM ops.covered WHERE position = ANY(%s)", [retired])
        connection.execute(
            "UPDATE ops.profile SET retired = %s WHERE position = ANY(%s)", [load, retired]
        )
    new = [view for view in views if view not in recorded]
    added = _add_to_ledger(connection, new, load)
    kept = [recorded[view] for view in views if view in recorded]
    return sorted([*kept, *added], key=lambda profile: profile.position)


def _recorded(connection: Connection[Any]) -> list[Profile]:
    rows = connection.execute(
        "SELECT position, agent, warehouse, since FROM ops.profile"
        " WHERE retired IS NULL ORDER BY position"
    )
    return [Profile(*row) for row in rows]


def _add_to_ledger(connection: Connection[Any], views: Sequence[_View], load: int) -> list[Profile]:
    """Also the bits of retired profiles are taken: old masks still mean them."""
    row = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM ops.profile").fetchone()
    assert row is not None, "an aggregate gives a row"  # noqa: S101
    (next_position,) = row
    added = [
        Profile(position, agent, warehouse, load)
        for position, (agent, warehouse) in enumerate(views, next_position)
    ]
    values = [(each.position, each.agent, each.warehouse, each.since) for each in added]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.profile (position, agent, warehouse, since) VALUES (%s, %s, %s, %s)",
            values,
        )
    return added
