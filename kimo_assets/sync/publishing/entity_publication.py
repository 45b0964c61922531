"""One entity's rows (or their private columns) into buckets: all of them at first, then what
changed, row by row.

A row is an event when it changed or is seen by others than when it was last published. Each event
puts the row into buckets or removes it from them. An agent who sees a bucket for the first time, or
is the first to see it without a row that left it, gets a base without that row: no object that a
manifest lists holds a row that was never its agent's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.sync.publishing.buckets import Bucket, Placement
from kimo_assets.sync.publishing.objects import ObjectRecord, ObjectWriter
from kimo_assets.sync.publishing.publication_ledger import Record
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.visibility.audiences import NOBODY_NUMBER
from kimo_assets.sync.visibility.profiles import NOBODY
from kimo_assets.sync.visibility.visibility import Visibility

REMOVED = "_removed"
# Of so small a part of a table rows are fetched one by one.
_FEW = 0.1


@dataclass(frozen=True)
class View:
    """What is published of an entity. constant: who sees all its rows; None: the entity's lookup
    says who sees each.
    """

    entity: Entity
    fields: Sequence[str]
    private: bool
    constant: int | None


@dataclass
class Tally:
    """What a publication does with one bucket: rows new in it, changed, and gone; of these, which
    others still see.
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
    """put, removed: distinct rows. fresh: objects that were not in the store."""

    put: int = 0
    removed: int = 0
    fresh: list[ObjectRecord] = field(default_factory=list)


# (old audience, new audience, whether the row changed, whether it is still there, rows)
Event = tuple[int, int, bool, bool, int]


@dataclass
class _Plan:
    """Which buckets get what: their change listed, a base that no change leads to, a base beside
    the changes.
    """

    changed: list[Bucket] = field(default_factory=list)
    anew: list[Bucket] = field(default_factory=list)
    rebased: list[Bucket] = field(default_factory=list)


@dataclass(frozen=True)
class Preparation:
    """What all publications of one preparation share. load: its number."""

    connection: Connection
    store: Store
    zstd_level: int
    load: int
    visibility: Visibility
    record: Record


class Publication:
    """since: the load up to which everything is published; None: nothing is."""

    def __init__(self, preparation: Preparation, view: View, since: int | None) -> None:
        self._connection = preparation.connection
        self._store = preparation.store
        self._level = preparation.zstd_level
        self._load = preparation.load
        self._visibility = visibility = preparation.visibility
        self._view = view
        self._since = since
        self._rows = table(KIMO, view.entity.name)
        self._seen = visibility.lookups.table(view.entity.name)
        self._renamed: dict[int, Bucket] = {}
        self._joined: list[Bucket] = []
        self._numbers = preparation.record.numbers
        self.part = preparation.record.part(view.entity.name, private=view.private)
        self.outcome = Outcome()

    def run(self, newcomers: int, is_stored: Callable[[ObjectRecord], bool]) -> bool:
        """Whether anything is published otherwise than before. newcomers: the profiles that never
        got this entity.
        """
        seen_load = 0
        if self._view.constant is None:
            anew = self._since is None
            seen_load = self._visibility.entity(
                self._view.entity.name, as_published=anew
            ).changed_load
        if self._since is None:
            self.part.forget()
            self._publish_all()
            return True
        if self._view.constant == NOBODY:
            return False
        plan = _Plan(rebased=self.part.repair(is_stored))
        loaded = self._visibility.lookups.loaded.get(self._view.entity.name, 0)
        if max(seen_load, loaded) > self._since:
            self._publish_events(plan)
        # Only now: what this load removes a newcomer must not see either.
        plan.rebased += [
            bucket
            for bucket in self.part.by_mask.values()
            if bucket.mask & newcomers and bucket.removed
        ]
        self._write(plan)
        return self.part.is_touched

    @property
    def rows(self) -> int:
        return sum(placement.rows for placement in self.part.placements.values())

    # --- all rows
    # ----------------------------------------------------------------------------------------------

    def _publish_all(self) -> None:
        for audience, rows in self._audiences():
            self.part.place(audience, self._mask(audience), rows).rows = rows
            for bucket in self._targets(audience):
                bucket.rows += rows
        self.outcome.put = self.rows
        if self._view.constant is None:
            self._connection.execute(
                sql.SQL("UPDATE {} SET published = audience WHERE published <> audience").format(
                    self._seen
                )
            )
        self._write(_Plan(anew=list(self.part.by_mask.values())))

    def _audiences(self) -> list[tuple[int, int]]:
        """(audience, rows) of what anybody sees."""
        if self._view.constant is None:
            return self._connection.execute(
                sql.SQL("SELECT audience, count(*) FROM {} WHERE audience <> {} GROUP BY 1").format(
                    self._seen, sql.Literal(NOBODY_NUMBER)
                )
            ).fetchall()
        rows = self._count_live()
        return [(self._constant, rows)] if rows and self._view.constant != NOBODY else []

    @property
    def _constant(self) -> int:
        return self._visibility.audiences.number(self._view.constant or NOBODY)

    def _count_live(self) -> int:
        row = self._connection.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE {} IS NULL").format(
                self._rows, sql.Identifier(ARCHIVED)
            )
        ).fetchone()
        return row[0] if row else 0

    # --- what changed
    # ----------------------------------------------------------------------------------------------

    def _publish_events(self, plan: _Plan) -> None:
        """pg_temp.events: the rows that changed; _moves: a table of into and out of which buckets
        they go.
        """
        self._find_events()
        events: list[Event] = self._connection.execute(
            "SELECT old, new, changed, live, count(*) FROM events GROUP BY 1, 2, 3, 4"
        ).fetchall()
        if self._view.constant is None:
            self._rename(events)
        else:
            self.part.place(self._constant, self._view.constant, 0)
        for old, new, _, _, rows in events:
            self._count(old, new, rows)
        tallies, moves = self._tallies(events)
        for bucket, tally in tallies:
            bucket.rows += tally.added - tally.removed
            bucket.removed += tally.removed
            self._plan(plan, bucket, tally)
        if self._view.constant is not None:
            self._recount()
        columns = [
            ("old", "integer"),
            ("new", "integer"),
            ("changed", "boolean"),
            ("live", "boolean"),
        ]
        self._moves = self._visibility.lookups.filled(
            [*columns, ("bucket", "bigint"), ("removed", "boolean")], moves
        )
        if any(old != new for old, new, *_ in events) and self._view.constant is None:
            self._connection.execute(
                sql.SQL(
                    "UPDATE {} AS s SET published = s.audience FROM events AS e "
                    "WHERE e.key = s.key AND s.published <> s.audience"
                ).format(self._seen)
            )

    def _find_events(self) -> None:
        parts = {
            "rows": self._rows,
            "seen": self._seen,
            "id": sql.Identifier(ID),
            "changed": sql.Identifier(CHANGED),
            "archived": sql.Identifier(ARCHIVED),
            "since": sql.Literal(self._since),
            "nobody": sql.Literal(NOBODY_NUMBER),
        }
        self._connection.execute("DROP TABLE IF EXISTS pg_temp.events, pg_temp.changed_keys")
        if self._view.constant is not None:
            self._connection.execute(
                sql.SQL(
                    "CREATE TEMPORARY TABLE events AS SELECT x.{id}::text AS key, {audience} AS"
                    " old, CASE WHEN x.{archived} IS NULL THEN {audience} ELSE {nobody} END AS new,"
                    " true AS changed, x.{archived} IS NULL AS live FROM {rows} AS x WHERE"
                    " x.{changed} > {since}; ANALYZE events"
                ).format(**parts, audience=sql.Literal(self._constant))
            )
            return
        if compared := self._visibility.compared(self._view.entity.name, self._since or 0):
            self._connection.execute(
                sql.SQL(
                    "CREATE TEMPORARY TABLE events AS SELECT key, published AS old, audience AS"
                    " new, changed, live FROM {compared} WHERE published <> {nobody} OR audience <>"
                    " {nobody}; ANALYZE events"
                ).format(**parts, compared=compared)
            )
            return
        self._connection.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE changed_keys AS SELECT x.{id}::text AS key FROM {rows} AS x"
                " WHERE x.{changed} > {since} UNION SELECT key FROM {seen} WHERE audience <>"
                " published; ANALYZE changed_keys; SET LOCAL enable_nestloop = on"
            ).format(**parts)
        )
        self._connection.execute(
            sql.SQL("""
                CREATE TEMPORARY TABLE events AS
                SELECT key, old, new, changed, live FROM (
                    SELECT k.key, coalesce(s.published, {nobody}) AS old,
                        coalesce(s.audience, {nobody}) AS new,
                           x.{changed} > {since} AS changed, x.{archived} IS NULL AS live
                    FROM changed_keys AS k JOIN {rows} AS x ON x.{id} = k.key LEFT JOIN {seen} AS s
                        ON s.key = k.key
                ) AS found WHERE old <> {nobody} OR new <> {nobody};
                ANALYZE events; SET LOCAL enable_nestloop = off
                """).format(**parts)
        )

    def _rename(self, events: Iterable[Event]) -> None:
        """Where all rows of an audience go on, most of them to the same others, their bucket goes
        along.
        """
        moved: dict[int, dict[int, int]] = {}
        for old, new, _, _, rows in events:
            if old != new and NOBODY_NUMBER not in (old, new):
                goals = moved.setdefault(old, {})
                goals[new] = goals.get(new, 0) + rows
        for old, goals in moved.items():
            new = max(goals, key=lambda number: goals[number])
            before, after = self._mask(old), self._mask(new)
            bucket = self.part.by_mask.get(before)
            if (
                bucket is None
                or after in self.part.by_mask
                or 2 * goals[new] <= bucket.rows
                or not (_is_of_many(before) and _is_of_many(after))
                or self._is_seen_by(old)
            ):
                continue
            self.part.rename(bucket, after)
            self.part.placements[new] = Placement(shared=True, rows=0)
            self._renamed[old] = bucket
            if after & ~before & self._visibility.profiles.live_mask:
                self._joined.append(bucket)

    def _is_seen_by(self, audience: int) -> bool:
        row = self._connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE audience = {})").format(
                self._seen, sql.Literal(audience)
            )
        ).fetchone()
        return row is not None and bool(row[0])

    def _count(self, old: int, new: int, rows: int) -> None:
        self.part.recounted = self.part.recounted or old != new
        if old != NOBODY_NUMBER:
            self.part.placements[old].rows -= rows
        if new != NOBODY_NUMBER:
            self.part.place(new, self._mask(new), rows).rows += rows
        self.outcome.put += rows if new != NOBODY_NUMBER else 0
        self.outcome.removed += rows if new == NOBODY_NUMBER else 0

    def _recount(self) -> None:
        """Of rows that all see it is not known which of the changed ones are new."""
        rows = self._count_live()
        self.part.placements[self._constant].rows = rows
        for bucket in self._targets(self._constant):
            bucket.rows = rows

    def _tallies(
        self, events: Iterable[Event]
    ) -> tuple[list[tuple[Bucket, Tally]], list[tuple[Any, ...]]]:
        """What happens to each bucket; and the moves (old, new, changed, live, bucket, removed)."""
        tallies: dict[int, tuple[Bucket, Tally]] = {}
        moves = []
        for old, new, changed, live, rows in events:
            before = {bucket.id: bucket for bucket in self._targets(old)}
            after = {bucket.id: bucket for bucket in self._targets(new)}
            for number, bucket in (before | after).items():
                if number in before and number in after and not changed:
                    continue
                _, tally = tallies.setdefault(number, (bucket, Tally()))
                if number not in after:
                    tally.removed += rows
                    tally.leaving += rows if live else 0
                elif number not in before:
                    tally.added += rows
                else:
                    tally.changed += rows
                moves.append((old, new, changed, live, number, number not in after))
        return list(tallies.values()), moves

    def _plan(self, plan: _Plan, bucket: Bucket, tally: Tally) -> None:
        if not bucket.rows and self._view.constant is None:
            self.part.drop(bucket)
            return
        if bucket.is_new or bucket.is_tiny or bucket in self._joined:
            plan.anew.append(bucket)
            return
        plan.changed.append(bucket)
        if tally.leaving:
            # Earlier changes may hold the rows that leave.
            bucket.changes = []
        if tally.leaving or bucket.wants_base(tally.rows):
            plan.rebased.append(bucket)

    # --- objects
    # ----------------------------------------------------------------------------------------------

    def _write(self, plan: _Plan) -> None:
        if plan.changed:
            written = self._write_changes(plan.changed)
            for bucket in plan.changed:
                (record,) = written[bucket.id]
                bucket.change(self._load, record)
        anew = {bucket.id for bucket in (*plan.anew, *self._joined)}
        bases = {
            b.id: b
            for b in (*plan.anew, *plan.rebased, *self._joined)
            if self.part.by_mask.get(b.mask) is b
        }
        written = self._write_bases(list(bases.values()))
        for number, bucket in bases.items():
            records = written.get(number, [])
            bucket.rows = sum(record.rows for record in records)
            if number in anew:
                bucket.begin_anew(self._load, records)
            else:
                bucket.rebase(self._load, records)
        for bucket in (*plan.changed, *bases.values()):
            bucket.prune()
            self.part.touch(bucket)

    def _write_changes(self, buckets: Sequence[Bucket]) -> dict[int, list[ObjectRecord]]:
        values = sql.SQL(", ").join(
            (
                _value(self._view.entity, name)
                if name == ID
                else sql.SQL("CASE WHEN m.removed THEN NULL ELSE {} END").format(
                    _value(self._view.entity, name)
                )
            )
            for name in self._view.fields
        )
        select = sql.SQL(
            "SELECT m.bucket, m.removed::integer, {} FROM events AS e JOIN {} AS x ON x.{} = e.key"
            " JOIN {} AS m ON m.old = e.old AND m.new = e.new AND m.changed = e.changed AND m.live"
            " = e.live WHERE m.bucket = ANY({})"
        ).format(
            values,
            self._rows,
            sql.Identifier(ID),
            self._moves,
            sql.Literal([bucket.id for bucket in buckets]),
        )
        return self._written(select, [REMOVED, *self._view.fields], few=True, whole=True)

    def _write_bases(self, buckets: Sequence[Bucket]) -> dict[int, list[ObjectRecord]]:
        if not buckets:
            return {}
        values = sql.SQL(", ").join(_value(self._view.entity, name) for name in self._view.fields)
        only = buckets[0].id if len(buckets) == 1 else None
        if self._view.constant is not None:
            select = sql.SQL("SELECT {} FROM {} AS x WHERE x.{} IS NULL").format(
                values, self._rows, sql.Identifier(ARCHIVED)
            )
            return self._written(select, self._view.fields, only=buckets[0].id)
        numbers = {bucket.id for bucket in buckets}
        placed = self._visibility.lookups.filled(
            [("audience", "integer"), ("bucket", "bigint")],
            (
                (audience, bucket.id)
                for audience, placement in self.part.placements.items()
                if placement.rows
                for bucket in self._targets(audience)
                if bucket.id in numbers
            ),
        )
        origin, audience = self._visibility.rows(self._view.entity)
        select = sql.SQL("SELECT {} {} FROM {} JOIN {} AS p ON p.audience = {}").format(
            sql.SQL("" if only is not None else "p.bucket,"),
            values,
            origin,
            placed,
            audience,
        )
        few = sum(bucket.rows for bucket in buckets) < _FEW * self.rows
        return self._written(select, self._view.fields, only=only, few=few)

    def _written(
        self,
        select: sql.Composable,
        fields: Sequence[str],
        *,
        only: int | None = None,
        few: bool = False,
        whole: bool = False,
    ) -> dict[int, list[ObjectRecord]]:
        header = ",".join(fields).encode() + b"\n"
        writer = ObjectWriter(self._store, header, self._level, whole=whole)
        self._connection.execute(f"SET LOCAL enable_nestloop = {'on' if few else 'off'}")
        written = writer.write(self._connection, select, only=only)
        self._connection.execute("SET LOCAL enable_nestloop = off")
        self.outcome.fresh += [
            record for records in written.values() for record in records if record.is_new
        ]
        return written

    def _mask(self, audience: int) -> int:
        return self._visibility.audiences.mask(audience)

    def _targets(self, audience: int) -> list[Bucket]:
        if audience in self._renamed:
            return [self._renamed[audience]]
        return self.part.targets(
            audience, self._mask(audience), self._visibility.profiles, self._numbers
        )


def _is_of_many(mask: int) -> bool:
    """Whether a bucket of this mask can hold nothing but the rows of its own audience."""
    return mask < 0 or mask.bit_count() > 1


def _value(entity: Entity, name: str) -> sql.Composed:
    value = sql.SQL("x.{}").format(sql.Identifier(name))
    # Flags travel as 0 and 1, as they came.
    return sql.SQL("{}::integer").format(value) if entity.fields[name].type == "bool" else value
