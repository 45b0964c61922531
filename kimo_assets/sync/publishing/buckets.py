"""Buckets: parts of an entity that go to the same profiles, each a base and the changes since.

The numbers below decide only what is cheaper. A client gets the right rows with any of them.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.visibility.profiles import NOBODY, Profiles, bits

# Rows that few profiles share get a bucket of their own if that saves writing this many rows again,
# profile by profile.
_FEW_PROFILES = 8
_SHARED_ROWS = 2_000

# A bucket of so few rows is written again as a whole: a change would be as big.
_TINY_ROWS = 40
# The base is written again when the changes since hold this share of its rows, or are so many.
_CHANGED_SHARE = 0.5
_MAX_CHANGES = 24
# Changes from before the base are listed while their bytes are less than this share of its bytes. A
# client that is further behind takes the base.
_OLD_CHANGES_SHARE = 1.0


@dataclass(frozen=True)
class Change:
    """One load's change of a bucket: the object that leads from one state to the next."""

    load: int
    from_state: str
    state: str
    record: ObjectRecord


@dataclass
class Bucket:
    """A part of an entity.

    mask: who gets it. rows: in it now. removed: rows that left it, but are still in its base.
    """

    id: int
    mask: int
    state: str = ""
    rows: int = 0
    removed: int = 0
    base_load: int = 0
    base_state: str = ""
    base: list[ObjectRecord] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        return not self.base_load

    @property
    def is_tiny(self) -> bool:
        return max(self.rows, self.base_rows) <= _TINY_ROWS

    @property
    def base_rows(self) -> int:
        return sum(record.rows for record in self.base)

    @property
    def later_changes(self) -> list[Change]:
        """The changes that lead from the base to its current content."""
        return [change for change in self.changes if change.load > self.base_load]

    @property
    def last_load(self) -> int:
        return max([self.base_load, *(change.load for change in self.changes)])

    @property
    def records(self) -> Iterator[ObjectRecord]:
        """The objects of the base and of all changes."""
        yield from self.base
        yield from (change.record for change in self.changes)

    def needs_base(self, changed_rows: int) -> bool:
        """Whether a change of so many rows is a reason for a new base."""
        later = self.later_changes
        changed_rows += sum(change.record.rows for change in later)
        return len(later) >= _MAX_CHANGES or changed_rows > _CHANGED_SHARE * self.base_rows

    def change(self, load: int, record: ObjectRecord) -> None:
        """Appends a change, by which the bucket gets a new state."""
        # By the state before and the object: who has this state has applied just this change.
        state = _digest(f"{self.state}:{record.sha256}")
        self.changes.append(Change(load, self.state, state, record))
        self.state = state

    def rebase(self, load: int, records: list[ObjectRecord]) -> None:
        """A base of its current content: the same state, in other objects."""
        self.base = records
        self.base_load = load
        self.base_state = self.state
        self.removed = 0

    def restart(self, load: int, records: list[ObjectRecord]) -> None:
        """A base to which no change leads. Its state is named after its content."""
        self.changes = []
        # By the content, so that an earlier content brings its state back (docs/sync-format.md).
        self.state = _digest(" ".join(record.sha256 for record in records))
        self.rebase(load, records)

    def prune(self) -> None:
        """Drops old changes, the oldest first. Those above the base stay: a client needs them."""
        bytes_left = _OLD_CHANGES_SHARE * sum(record.bytes for record in self.base)
        kept = self.later_changes
        older = self.changes[: len(self.changes) - len(kept)]
        for change in reversed(older):
            bytes_left -= change.record.bytes
            if bytes_left < 0 or len(kept) >= _MAX_CHANGES:
                # A gap would break the chain, so that older changes are of no use without this one.
                break
            kept.insert(0, change)
        self.changes = kept


def _digest(text: str) -> str:
    # 64 bits tell the states of one bucket apart, and manifests are full of them.
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class Placement:
    """Where the rows of one audience go.

    shared: into a bucket of their own. Otherwise into a bucket of each of its profiles.
    """

    shared: bool
    rows: int


@dataclass
class BucketSet:
    """The buckets of an entity, or of its private columns.

    by_mask: each bucket by who gets it. touched, dropped: ids of buckets that this preparation
    changed. recounted: whether rows went from one audience to another, even within a bucket.
    """

    by_mask: dict[int, Bucket] = field(default_factory=dict)
    placements: dict[int, Placement] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    recounted: bool = False

    def forget(self) -> None:
        """Begins from nothing."""
        self.dropped |= {bucket.id for bucket in self.by_mask.values()}
        self.by_mask, self.placements = {}, {}

    def place(self, audience: int, mask: int, rows: int) -> Placement:
        """The placement of an audience. A new one is decided by how many rows come."""
        if audience not in self.placements:
            self.placements[audience] = Placement(_is_shared(mask, rows), 0)
        return self.placements[audience]

    def targets(
        self, audience: int, mask: int, profiles: Profiles, numbers: Iterator[int]
    ) -> list[Bucket]:
        """The buckets for the rows of a placed audience. Missing ones get the next number."""
        if mask == NOBODY:
            return []
        if self.placements[audience].shared:
            return [self._bucket(mask, numbers)]
        # Profiles that are retired would only leave buckets that nobody gets.
        return [self._bucket(bit, numbers) for bit in bits(mask & profiles.live_mask)]

    def _bucket(self, mask: int, numbers: Iterator[int]) -> Bucket:
        if mask not in self.by_mask:
            self.by_mask[mask] = Bucket(next(numbers), mask)
        return self.by_mask[mask]

    def rename(self, bucket: Bucket, mask: int) -> None:
        """All its rows go to other profiles now: the bucket goes with them."""
        del self.by_mask[bucket.mask]
        bucket.mask = mask
        self.by_mask[mask] = bucket
        self.touch(bucket)

    def touch(self, bucket: Bucket) -> None:
        """Notes that the bucket differs from what is saved."""
        self.touched.add(bucket.id)

    @property
    def is_touched(self) -> bool:
        return bool(self.touched or self.dropped)

    def mark_saved(self) -> None:
        """All differences are in the database."""
        self.touched, self.dropped, self.recounted = set(), set(), False

    def repair(self, is_stored: Callable[[ObjectRecord], bool]) -> list[Bucket]:
        """Drops changes whose objects are lost. Returns: the buckets that need a new base."""
        broken = []
        for bucket in self.by_mask.values():
            if all(map(is_stored, bucket.records)):
                continue
            lost = [change for change in bucket.changes if not is_stored(change.record)]
            if lost:
                # Only the changes after the last lost one still lead to the bucket's state.
                bucket.changes = bucket.changes[bucket.changes.index(lost[-1]) + 1 :]
            lost_base = not all(map(is_stored, bucket.base))
            lost_later_change = any(change.load > bucket.base_load for change in lost)
            if lost_base or lost_later_change:
                broken.append(bucket)
            self.touch(bucket)
        return broken

    def drop(self, bucket: Bucket) -> None:
        """Takes a bucket out: no row is in it any more."""
        self.dropped.add(self.by_mask.pop(bucket.mask).id)


def _is_shared(mask: int, rows: int) -> bool:
    if mask < 0:
        # All profiles but some, later ones included: nobody can count them.
        return True
    count = mask.bit_count()
    # For many profiles or many rows it is cheaper to write the rows once than for each profile.
    return count == 1 or count > _FEW_PROFILES or rows * (count - 1) >= _SHARED_ROWS
