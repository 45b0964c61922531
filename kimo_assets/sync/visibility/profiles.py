"""Profiles: the different views there are on the data. A set of profiles is one integer, its mask.

A profile is an agent and what a user's own settings change of the agent's view: the warehouse.
Every agent has one, as any user without settings of their own sees the data; users with the same
agent and warehouse share one. Each has a bit, given once and never to another, so that a mask keeps
its meaning from one preparation to the next.

Masks may be *cofinite*: "everyone" is -1, all bits there ever will be, and "all but those who are
restricted" is the complement of some. A profile that comes later is in them without any row being
touched.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from psycopg import Connection, sql

# Between codes in texts that PostgreSQL aggregates; no code holds it.
SEPARATOR = "\x1f"
EVERYONE = -1
NOBODY = 0

# User.UserTypeId of the users whose tablets are prepared (fact sheet, section 11).
_SALES_AGENT = 1


@dataclass(frozen=True)
class Profile:
    """position: its bit. since: the load that it appeared with."""

    position: int
    agent: str
    warehouse: str | None
    since: int

    @property
    def bit(self) -> int:
        return 1 << self.position


@dataclass(frozen=True)
class Profiles:
    """The profiles in use. users: user -> the position of its profile. changed_load: the last that
    brought or took one.
    """

    live: tuple[Profile, ...]
    users: dict[str, int] = field(default_factory=dict)
    changed_load: int = 0
    _masks: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, connection: Connection, load: int | None = None) -> "Profiles":
        """Those of the live agents and users. load: gives new ones their bits for good; None: for
        this reading only.
        """
        agents = [
            code
            for (code,) in connection.execute(
                'SELECT "Id" FROM kimo."SalesAgent" WHERE _archived_load IS NULL ORDER BY "Id"'
            )
        ]
        users = _users(connection, set(agents))
        wanted = list(dict.fromkeys([*((agent, None) for agent in agents), *users.values()]))
        if load is None:
            live = [Profile(n, agent, warehouse, 0) for n, (agent, warehouse) in enumerate(wanted)]
        else:
            live = _remembered(connection, wanted, load)
        positions = {(profile.agent, profile.warehouse): profile.position for profile in live}
        return cls(
            tuple(live),
            {user: positions[profile] for user, profile in users.items()},
            _changed_load(connection),
        )

    @cached_property
    def live_mask(self) -> int:
        return sum(profile.bit for profile in self.live)

    @cached_property
    def _of_agent(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for profile in self.live:
            found[profile.agent] = found.get(profile.agent, 0) | profile.bit
        return found

    @cached_property
    def agents(self) -> dict[str, Profile]:
        """agent -> the profile without settings of a user's own."""
        return {profile.agent: profile for profile in self.live if profile.warehouse is None}

    def of_users(self) -> dict[str, Profile]:
        by_position = {profile.position: profile for profile in self.live}
        return {user: by_position[position] for user, position in self.users.items()}

    @cached_property
    def with_own_warehouse(self) -> int:
        return sum(profile.bit for profile in self.live if profile.warehouse is not None)

    def of_warehouse(self, warehouse: str) -> int:
        return sum(profile.bit for profile in self.live if profile.warehouse == warehouse)

    def mask(self, codes: Iterable[str]) -> int:
        """All profiles of the agents; a code that is no agent's adds nothing."""
        result = NOBODY
        for code in codes:
            result |= self._of_agent.get(code, NOBODY)
        return result

    def mask_of_text(self, text: str) -> int:
        if text not in self._masks:
            self._masks[text] = self.mask(text.split(SEPARATOR)) if text else NOBODY
        return self._masks[text]

    def among(self, mask: int) -> Iterator[Profile]:
        return (self._by_bit[bit] for bit in bits(mask & self.live_mask))

    @cached_property
    def _by_bit(self) -> dict[int, Profile]:
        return {profile.bit: profile for profile in self.live}

    def described(self) -> list[Sequence[int | str | None]]:
        """What masks mean."""
        return [(profile.position, profile.agent, profile.warehouse) for profile in self.live]


def bits(mask: int) -> Iterator[int]:
    """The single bits of a set that is not cofinite."""
    while mask:
        lowest = mask & -mask
        yield lowest
        mask ^= lowest


def _changed_load(connection: Connection) -> int:
    row = connection.execute(
        "SELECT coalesce(max(greatest(since, retired)), 0) FROM ops.profile"
    ).fetchone()
    return row[0] if row else 0


def changed_agents(since: int) -> sql.Composed:
    """The agents of whom a profile came or went after that load: what names them means other
    profiles now.
    """
    return sql.SQL("SELECT agent FROM ops.profile WHERE since > {0} OR retired > {0}").format(
        sql.Literal(since)
    )


def _users(connection: Connection, agents: set[str]) -> dict[str, tuple[str, str | None]]:
    rows = connection.execute(
        'SELECT "Id", "SalesAgentId", "WarehouseId" FROM kimo."User" '
        'WHERE "UserTypeId" = %s AND NOT "Archived" ORDER BY "Id"',
        [_SALES_AGENT],
    )
    return {user: (agent, warehouse or None) for user, agent, warehouse in rows if agent in agents}


def _remembered(
    connection: Connection, wanted: Sequence[tuple[str, str | None]], load: int
) -> list[Profile]:
    """The profiles' bits from the ledger; new ones get the next, those no longer wanted lose theirs
    for good.
    """
    rows = connection.execute(
        "SELECT position, agent, warehouse, since FROM ops.profile WHERE retired IS NULL ORDER BY"
        " position"
    ).fetchall()
    known = {
        (profile.agent, profile.warehouse): profile for profile in (Profile(*row) for row in rows)
    }
    gone = [profile.position for key, profile in known.items() if key not in set(wanted)]
    if gone:
        connection.execute("DELETE FROM ops.covered WHERE position = ANY(%s)", [gone])
        connection.execute(
            "UPDATE ops.profile SET retired = %s WHERE position = ANY(%s)", [load, gone]
        )
    first = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM ops.profile").fetchone()
    assert first is not None, "an aggregate gives a row"  # noqa: S101
    new = [key for key in wanted if key not in known]
    fresh = [
        Profile(first[0] + n, agent, warehouse, load) for n, (agent, warehouse) in enumerate(new)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.profile (position, agent, warehouse, since) VALUES (%s, %s, %s, %s)",
            [
                (profile.position, profile.agent, profile.warehouse, profile.since)
                for profile in fresh
            ],
        )
    return sorted(
        [*(known[key] for key in wanted if key in known), *fresh],
        key=lambda profile: profile.position,
    )
