"""Puts one entity's rows, or their private columns, into buckets.

At first all rows, later the changed ones. A row is an event when it changed, or is seen by others
than when it was last published. Each event puts the row into buckets or removes it from them.

A bucket gets a base without the rows that have left it in two cases: an agent sees the bucket for
the first time, or a row that leaves it is still seen by others. So no object that a manifest lists
holds a row that was never its agent's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.sync.publishing.buckets import Bucket, Placement
from kimo_assets.sync.publishing.objects import ObjectRecord, ObjectWriter
from kimo_assets.sync.publishing.publication_ledger import PublicationLedger
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.visibility.audiences import NOBODY_NUMBER
from kimo_assets.sync.visibility.profiles import NOBODY
from kimo_assets.sync.visibility.visibility import Visibility

REMOVED = "_removed"
# Up to this share of a table its rows are fetched one by one.
_FEW_SHARE = 0.1


@dataclass(frozen=True)
class View:
    """The published part of an entity.

    constant: the mask of those who see all its rows. None: the entity's lookup says who sees each.
    """

    entity: Entity
    fields: Sequence[str]
    private: bool
    constant: int | None


@dataclass
class BucketCounts:
    """The rows that a publication adds to a bucket, changes in it, and removes from it.

    leaving: the removed rows that other profiles still see.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    leaving: int = 0

    @property
    def rows(self) -> int:
        return self.added + self.changed + self.removed


@dataclass
class Outcome:
    """put, removed: distinct rows. new_objects: objects that were not in the store."""

    put: int = 0
    removed: int = 0
    new_objects: list[ObjectRecord] = field(default_factory=list)


# (old audience, new audience, whether the row changed, whether it is live, rows)
Event = tuple[int, int, bool, bool, int]
# (old audience, new audience, changed, live, bucket, whether rows are removed from it)
Move = tuple[int, int, bool, bool, int, bool]

_MOVE_COLUMNS: list[tuple[str, LiteralString]] = [
    ("old", "integer"),
    ("new", "integer"),
    ("changed", "boolean"),
    ("live", "boolean"),
    ("bucket", "bigint"),
    ("removed", "boolean"),
]


@dataclass
class _Plan:
    """The buckets to write.

    changed: with one more change. restarted: with a base to which no change leads. rebased: with a
    new base beside their changes.
    """

    changed: list[Bucket] = field(default_factory=list)
    restarted: list[Bucket] = field(default_factory=list)
    rebased: list[Bucket] = field(default_factory=list)


@dataclass(frozen=True)
class Preparation:
    """What all publications of one preparation share. load: its number."""

    connection: Connection[Any]
    store: Store
    zstd_level: int
    load: int
    visibility: Visibility
    ledger: PublicationLedger


class Publication:
    """Publishes one view. since: the load up to which it is published. None: nothing is."""

    def __init__(self, preparation: Preparation, view: View, since: int | None) -> None:
        self._connection = preparation.connection
        self._store = preparation.store
        self._level = preparation.zstd_level
        self._load = preparation.load
        self._visibility = preparation.visibility
        self._view = view
        self._since = since
        self._rows = table(KIMO, view.entity.name)
        self._lookup = self._visibility.lookups.table(view.entity.name)
        # Old audience -> the bucket that went along with its rows.
        self._renamed: dict[int, Bucket] = {}
        # Renamed buckets that some profile gets for the first time.
        self._joined: list[Bucket] = []
        self._numbers = preparation.ledger.numbers
        self.buckets = preparation.ledger.bucket_set(view.entity.name, private=view.private)
        self.outcome = Outcome()

    def run(self, newcomers: int, is_stored: Callable[[ObjectRecord], bool]) -> bool:
        """Publishes what changed. Returns: whether anything did.

        newcomers: the mask of the profiles that never got this entity.
        """
        name = self._view.entity.name
        visibility_load = 0
        if self._view.constant is None:
            lookup = self._visibility.entity(name, as_published=self._since is None)
            visibility_load = lookup.changed_load
        if self._since is None:
            # Everything gets new buckets: the old ones may be wrong in any way.
            self.buckets.forget()
            self._publish_all()
            return True
        if self._view.constant == NOBODY:
            return False
        plan = _Plan(rebased=self.buckets.repair(is_stored))
        loaded = self._visibility.lookups.loaded.get(name, 0)
        # Otherwise neither rows nor audiences have changed, and the entity's table is not even
        # read.
        if max(visibility_load, loaded) > self._since:
            self._publish_events(plan)
        # Only now: a newcomer must not see what this load removes either.
        for bucket in self.buckets.by_mask.values():
            if bucket.mask & newcomers and bucket.removed:
                plan.rebased.append(bucket)
        self._write(plan)
        return self.buckets.is_touched

    @property
    def rows(self) -> int:
        return sum(placement.rows for placement in self.buckets.placements.values())

    # --- all rows

    def _publish_all(self) -> None:
        """Puts every row into the buckets of its audience, all of them new."""
        for audience, rows in self._audiences():
            self.buckets.place(audience, self._mask(audience), rows).rows = rows
            for bucket in self._targets(audience):
                bucket.rows += rows
        self.outcome.put = self.rows
        if self._view.constant is None:
            self._connection.execute(
                sql.SQL("UPDATE {} SET published = audience WHERE published <> audience").format(
                    self._lookup
                )
            )
        self._write(_Plan(restarted=list(self.buckets.by_mask.values())))

    def _audiences(self) -> list[tuple[int, int]]:
        """(audience, rows) of all audiences but nobody."""
        if self._view.constant is None:
            return self._connection.execute(
                sql.SQL("SELECT audience, count(*) FROM {} WHERE audience <> {} GROUP BY 1").format(
                    self._lookup, sql.Literal(NOBODY_NUMBER)
                )
            ).fetchall()
        rows = self._count_live()
        if not rows or self._view.constant == NOBODY:
            return []
        return [(self._constant, rows)]

    @property
    def _constant(self) -> int:
        return self._visibility.audiences.number(self._view.constant or NOBODY)

    def _count_live(self) -> int:
        row = self._connection.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE {} IS NULL").format(
                self._rows, sql.Identifier(ARCHIVED)
            )
        ).fetchone()
        return int(row[0]) if row else 0

    # --- changed rows

    def _publish_events(self, plan: _Plan) -> None:
        """Makes two temporary tables: `events` (the changed rows) and the moves between buckets."""
        self._find_events()
        # Grouped in PostgreSQL: a million rows have few combinations.
        events: list[Event] = self._connection.execute(
            "SELECT old, new, changed, live, count(*) FROM events GROUP BY 1, 2, 3, 4"
        ).fetchall()
        if self._view.constant is None:
            self._rename(events)
        else:
            self.buckets.place(self._constant, self._view.constant, 0)
        for old, new, _, _, rows in events:
            self._count(old, new, rows)
        counted, moves = self._moves_of(events)
        for bucket, counts in counted:
            bucket.rows += counts.added - counts.removed
            bucket.removed += counts.removed
            self._plan(plan, bucket, counts)
        if self._view.constant is not None:
            self._recount()
        self._moves = self._visibility.lookups.filled(_MOVE_COLUMNS, moves)
        if self._view.constant is None and any(old != new for old, new, *_ in events):
            self._connection.execute(
                sql.SQL("""
                    UPDATE {} AS s SET published = s.audience
                    FROM events AS e WHERE e.key = s.key AND s.published <> s.audience
                    """).format(self._lookup)
            )

    def _find_events(self) -> None:
        """Fills pg_temp.events: (key, old audience, new audience, changed, live)."""
        self._connection.execute("DROP TABLE IF EXISTS pg_temp.events, pg_temp.changed_keys")
        parts: dict[str, sql.Composable] = {
            "rows": self._rows,
            "lookup": self._lookup,
            "id": sql.Identifier(ID),
            "changed": sql.Identifier(CHANGED),
            "archived": sql.Identifier(ARCHIVED),
            "since": sql.Literal(self._since),
            "nobody": sql.Literal(NOBODY_NUMBER),
        }
        compared = self._visibility.compared(self._view.entity.name, self._since or 0)
        if self._view.constant is not None:
            statement = _EVENTS_OF_CONSTANT.format(**parts, audience=sql.Literal(self._constant))
        elif compared:
            statement = _EVENTS_OF_COMPARISON.format(**parts, compared=compared)
        else:
            statement = _EVENTS_OF_LOOKUP.format(**parts)
        self._connection.execute(statement)

    def _rename(self, events: Iterable[Event]) -> None:
        """Lets buckets go along with their rows, instead of writing the rows again.

        That is possible where all rows of an audience get other audiences, and more than half of
        the bucket gets the same one.
        """
        moved: dict[int, dict[int, int]] = {}
        for old, new, _, _, rows in events:
            # Nobody has no bucket that could go along.
            if old != new and NOBODY_NUMBER not in (old, new):
                goals = moved.setdefault(old, {})
                goals[new] = goals.get(new, 0) + rows
        for old, goals in moved.items():
            # A bucket can follow one audience only, so that it follows most of its rows.
            new = max(goals, key=lambda number: goals[number])
            bucket = self.buckets.by_mask.get(self._mask(old))
            if bucket and self._can_rename(bucket, old, new, rows=goals[new]):
                self._rename_bucket(bucket, old, new)

    def _can_rename(self, bucket: Bucket, old: int, new: int, *, rows: int) -> bool:
        before, after = self._mask(old), self._mask(new)
        is_free = after not in self.buckets.by_mask
        is_most = 2 * rows > bucket.rows
        holds_one_audience = _is_of_many(before) and _is_of_many(after)
        return is_free and is_most and holds_one_audience and not self._is_seen_by(old)

    def _rename_bucket(self, bucket: Bucket, old: int, new: int) -> None:
        before, after = self._mask(old), self._mask(new)
        self.buckets.rename(bucket, after)
        self.buckets.placements[new] = Placement(shared=True, rows=0)
        self._renamed[old] = bucket
        if after & ~before & self._visibility.profiles.live_mask:
            self._joined.append(bucket)

    def _is_seen_by(self, audience: int) -> bool:
        row = self._connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE audience = {})").format(
                self._lookup, sql.Literal(audience)
            )
        ).fetchone()
        return row is not None and bool(row[0])

    def _count(self, old: int, new: int, rows: int) -> None:
        self.buckets.recounted = self.buckets.recounted or old != new
        if old != NOBODY_NUMBER:
            self.buckets.placements[old].rows -= rows
        if new != NOBODY_NUMBER:
            self.buckets.place(new, self._mask(new), rows).rows += rows
            self.outcome.put += rows
        else:
            self.outcome.removed += rows

    def _recount(self) -> None:
        """Where one audience sees all rows, events do not tell new rows from changed ones."""
        rows = self._count_live()
        self.buckets.placements[self._constant].rows = rows
        for bucket in self._targets(self._constant):
            bucket.rows = rows

    def _moves_of(
        self, events: Iterable[Event]
    ) -> tuple[list[tuple[Bucket, BucketCounts]], list[Move]]:
        """What happens to each bucket, in numbers, and the moves that lead to it."""
        counted: dict[int, tuple[Bucket, BucketCounts]] = {}
        moves: list[Move] = []
        for old, new, changed, live, rows in events:
            before = {bucket.id: bucket for bucket in self._targets(old)}
            after = {bucket.id: bucket for bucket in self._targets(new)}
            for number, bucket in (before | after).items():
                stays = number in before and number in after
                if stays and not changed:
                    continue
                _, counts = counted.setdefault(number, (bucket, BucketCounts()))
                is_removed = number not in after
                if stays:
                    counts.changed += rows
                elif is_removed:
                    counts.removed += rows
                    counts.leaving += rows if live else 0
                else:
                    counts.added += rows
                moves.append((old, new, changed, live, number, is_removed))
        return list(counted.values()), moves

    def _plan(self, plan: _Plan, bucket: Bucket, counts: BucketCounts) -> None:
        """How the bucket is written: dropped, restarted, changed, or changed with a new base."""
        # Where one audience sees all, the rows are counted only afterwards (_recount).
        if not bucket.rows and self._view.constant is None:
            self.buckets.drop(bucket)
            return
        if bucket.is_new or bucket.is_tiny or bucket in self._joined:
            plan.restarted.append(bucket)
            return
        plan.changed.append(bucket)
        if counts.leaving:
            # Earlier changes may hold the rows that leave.
            bucket.changes = []
        if counts.leaving or bucket.needs_base(counts.rows):
            plan.rebased.append(bucket)

    # --- objects

    def _write(self, plan: _Plan) -> None:
        """Writes changes first: a base that follows them has their state."""
        if plan.changed:
            written = self._write_changes(plan.changed)
            for bucket in plan.changed:
                (record,) = written[bucket.id]
                bucket.change(self._load, record)
        restarted = {bucket.id for bucket in (*plan.restarted, *self._joined)}
        # Keyed by id, because a bucket may be in several of these lists.
        bases = {}
        for bucket in (*plan.restarted, *plan.rebased, *self._joined):
            is_dropped = self.buckets.by_mask.get(bucket.mask) is not bucket
            if not is_dropped:
                bases[bucket.id] = bucket
        written = self._write_bases(list(bases.values()))
        for number, bucket in bases.items():
            records = written.get(number, [])
            bucket.rows = sum(record.rows for record in records)
            if number in restarted:
                bucket.restart(self._load, records)
            else:
                bucket.rebase(self._load, records)
        for bucket in (*plan.changed, *bases.values()):
            # Only now is the size of the base known.
            bucket.prune()
            self.buckets.touch(bucket)

    def _write_changes(self, buckets: Sequence[Bucket]) -> dict[int, list[ObjectRecord]]:
        """bucket -> its change as one object. Of a removed row only the key is written."""
        values = []
        for name in self._view.fields:
            value = _value(self._view.entity, name)
            if name != ID:
                value = sql.SQL("CASE WHEN m.removed THEN NULL ELSE {} END").format(value)
            values.append(value)
        select = sql.SQL("""
            SELECT m.bucket, m.removed::integer, {values}
            FROM events AS e
            JOIN {rows} AS x ON x.{id} = e.key
            JOIN {moves} AS m ON m.old = e.old AND m.new = e.new
                AND m.changed = e.changed AND m.live = e.live
            WHERE m.bucket = ANY({buckets})
            """).format(
            values=sql.SQL(", ").join(values),
            rows=self._rows,
            id=sql.Identifier(ID),
            moves=self._moves,
            buckets=sql.Literal([bucket.id for bucket in buckets]),
        )
        # Whole, because a change is one object (docs/sync-format.md, "Manifest").
        return self._write_objects(select, [REMOVED, *self._view.fields], few=True, whole=True)

    def _write_bases(self, buckets: Sequence[Bucket]) -> dict[int, list[ObjectRecord]]:
        """bucket -> the objects of its base."""
        if not buckets:
            return {}
        fields = self._view.fields
        values = sql.SQL(", ").join(_value(self._view.entity, name) for name in fields)
        if self._view.constant is not None:
            select = sql.SQL("SELECT {} FROM {} AS x WHERE x.{} IS NULL").format(
                values, self._rows, sql.Identifier(ARCHIVED)
            )
            return self._write_objects(select, fields, only=buckets[0].id)
        only = buckets[0].id if len(buckets) == 1 else None
        origin, audience = self._visibility.rows(self._view.entity)
        select = sql.SQL("SELECT {} {} FROM {} JOIN {} AS p ON p.audience = {}").format(
            sql.SQL("" if only is not None else "p.bucket,"),
            values,
            origin,
            self._placed(buckets),
            audience,
        )
        few = sum(bucket.rows for bucket in buckets) < _FEW_SHARE * self.rows
        return self._write_objects(select, fields, only=only, few=few)

    def _placed(self, buckets: Sequence[Bucket]) -> sql.Identifier:
        """A temporary table of the audiences whose rows go into the buckets."""
        numbers = {bucket.id for bucket in buckets}
        rows = [
            (audience, bucket.id)
            for audience, placement in self.buckets.placements.items()
            if placement.rows
            for bucket in self._targets(audience)
            if bucket.id in numbers
        ]
        columns: list[tuple[str, LiteralString]] = [("audience", "integer"), ("bucket", "bigint")]
        return self._visibility.lookups.filled(columns, rows)

    def _write_objects(
        self,
        select: sql.Composable,
        fields: Sequence[str],
        *,
        only: int | None = None,
        few: bool = False,
        whole: bool = False,
    ) -> dict[int, list[ObjectRecord]]:
        """bucket -> its objects. few: PostgreSQL may fetch the rows one by one."""
        header = ",".join(fields).encode() + b"\n"
        writer = ObjectWriter(self._store, header, self._level, whole=whole)
        # PostgreSQL takes the rows of temporary tables for few, and would join whole tables one by
        # one.
        self._connection.execute(f"SET LOCAL enable_nestloop = {'on' if few else 'off'}")
        written = writer.write(self._connection, select, only=only)
        self._connection.execute("SET LOCAL enable_nestloop = off")
        for records in written.values():
            self.outcome.new_objects += [record for record in records if record.is_new]
        return written

    def _mask(self, audience: int) -> int:
        return self._visibility.audiences.mask(audience)

    def _targets(self, audience: int) -> list[Bucket]:
        if audience in self._renamed:
            return [self._renamed[audience]]
        return self.buckets.targets(
            audience, self._mask(audience), self._visibility.profiles, self._numbers
        )


# Where one audience sees all rows.
_EVENTS_OF_CONSTANT = sql.SQL("""
    CREATE TEMPORARY TABLE events AS
    SELECT x.{id}::text AS key, {audience} AS old,
        CASE WHEN x.{archived} IS NULL THEN {audience} ELSE {nobody} END AS new,
        true AS changed, x.{archived} IS NULL AS live
    FROM {rows} AS x WHERE x.{changed} > {since};
    ANALYZE events
    """)
# Where the lookup was compared with its previous state for just this load.
_EVENTS_OF_COMPARISON = sql.SQL("""
    CREATE TEMPORARY TABLE events AS
    SELECT key, published AS old, audience AS new, changed, live
    FROM {compared} WHERE published <> {nobody} OR audience <> {nobody};
    ANALYZE events
    """)
# Where only the lookup is known. The changed rows are few, so they are fetched one by one.
_EVENTS_OF_LOOKUP = sql.SQL("""
    CREATE TEMPORARY TABLE changed_keys AS
    SELECT x.{id}::text AS key FROM {rows} AS x WHERE x.{changed} > {since}
    UNION SELECT key FROM {lookup} WHERE audience <> published;
    ANALYZE changed_keys;
    SET LOCAL enable_nestloop = on;
    CREATE TEMPORARY TABLE events AS
    SELECT key, old, new, changed, live FROM (
        SELECT k.key, coalesce(s.published, {nobody}) AS old,
            coalesce(s.audience, {nobody}) AS new,
            x.{changed} > {since} AS changed, x.{archived} IS NULL AS live
        FROM changed_keys AS k
        JOIN {rows} AS x ON x.{id} = k.key
        LEFT JOIN {lookup} AS s ON s.key = k.key
    ) AS candidates WHERE old <> {nobody} OR new <> {nobody};
    ANALYZE events;
    SET LOCAL enable_nestloop = off
    """)


def _is_of_many(mask: int) -> bool:
    """Whether a bucket of this mask can hold nothing but the rows of its own audience."""
    return mask < 0 or mask.bit_count() > 1


def _value(entity: Entity, name: str) -> sql.Composed:
    value = sql.SQL("x.{}").format(sql.Identifier(name))
    if entity.fields[name].type == "bool":
        # Flags are published as 0 and 1, as the ERP sent them.
        return sql.SQL("{}::integer").format(value)
    return value
