"""Killed at any point, and started again: every order is at the ERP once, and nothing is lost."""

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import IntegrityError

from kimo_assets.errors import ExportError
from kimo_assets.export.run import resolve
from kimo_assets_tests.export.crash_process import DONE, LOCKED, export_and_die, forkserver, killed
from kimo_assets_tests.support.export_company import ExportWorld

Make = Callable[..., ExportWorld]

CUSTOMERS, DOCUMENTS, LINES = 1, 4, 2


class Round:
    """A new lot of orders, and what has become of them at both ends. The ERP may take rows away
    between exports.
    """

    def __init__(self, world: ExportWorld, name: str) -> None:
        self.world = world
        self.name = name
        self.taken: Counter[str] = Counter()
        self.taken_lines: Counter[str] = Counter()
        world.account(f"{name}C")
        for number in range(DOCUMENTS):
            world.document(f"{name}D{number}", LINES, AccountId=f"{name}C")

    def erp_takes(self, draw: random.Random) -> None:
        """Some of the orders, with their lines: picked up and deleted."""
        for (key,) in self.world.at_erp('SELECT "Id" FROM "ORDERS" ORDER BY "Id"'):
            if draw.random() < 0.5:
                self._count(f"WHERE \"Id\" = '{key}'", f"WHERE \"DocumentId\" = '{key}'")
                self.world.at_erp(f'DELETE FROM "ORDERS" WHERE "Id" = \'{key}\'')
                self.world.at_erp(f'DELETE FROM "ORDER_LINES" WHERE "DocumentId" = \'{key}\'')

    def _count(self, orders: str, lines: str) -> None:
        self.taken.update(
            key for (key,) in self.world.at_erp(f'SELECT "Id" FROM "ORDERS" {orders}')
        )
        self.taken_lines.update(
            key for (key,) in self.world.at_erp(f'SELECT "DocumentId" FROM "ORDER_LINES" {lines}')
        )

    def assert_exactly_once(self) -> None:
        self._count("", "")
        expected = {f"{self.name}D{number}" for number in range(DOCUMENTS)}
        mine = {key: count for key, count in self.taken.items() if key.startswith(self.name)}
        assert mine == dict.fromkeys(expected, 1)
        lines = {key: count for key, count in self.taken_lines.items() if key.startswith(self.name)}
        assert lines == dict.fromkeys(expected, LINES)
        assert self.world.customers()[f"S-{self.name}C"] == 1
        self.world.assert_all_is_done()


def points(world: ExportWorld) -> list[str]:
    """The points of an export of one lot, in their order."""
    lot, passed = Round(world, "first"), list[str]()
    world.export(passed.append)
    lot.assert_exactly_once()
    return passed


def distinct(passed: list[str]) -> Iterator[int]:
    """The position of each point once, from 1: of those that come again, the second time, in the
    middle of the run.
    """
    for name in dict.fromkeys(passed):
        found = [position for position, other in enumerate(passed, 1) if other == name]
        yield found[1] if len(found) > 1 else found[0]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_killed_at_any_point_every_order_arrives_once(export_world: Make, dialect: str) -> None:
    world = export_world(dialect)
    world.settings = {"export": {"batch": 2}}
    passed = points(world)
    assert len(set(passed)) > 15
    # Both dialects go through the same points: each kills at every second one.
    for turn, kill_at in enumerate(list(distinct(passed))[dialect == "sqlite" :: 2]):
        lot = Round(world, f"{turn}-")
        assert killed(world, kill_at), passed[kill_at - 1]
        world.export()
        lot.assert_exactly_once()


def test_of_two_exports_at_once_one_is_refused_and_nothing_arrives_twice(
    export_world: Make,
) -> None:
    world = export_world("postgresql")
    lot = Round(world, "both")
    context = forkserver()
    racers = [
        context.Process(target=export_and_die, args=(str(world.config.path), world.database.dsn, 0))
        for _ in range(2)
    ]
    with world.run() as held:
        assert held.load
        racers[0].start()
        racers[0].join()
        assert racers[0].exitcode == LOCKED
        assert world.orders() == {}
    racers[1].start()
    racers[1].join()
    assert racers[1].exitcode == DONE
    lot.assert_exactly_once()


def without_marker(world: ExportWorld) -> None:
    """A table of that name that is somebody else's: none of ours can be made."""
    world.at_erp('DROP TABLE IF EXISTS "KimoExportBatch"')
    world.at_erp('CREATE TABLE "KimoExportBatch" ("Id" int)')


def test_without_a_marker_table_the_rows_themselves_tell(export_world: Make) -> None:
    """The semaphore stays ours from the kill on: rows that are not there were never there."""
    world = export_world("sqlite")
    world.settings = {"export": {"batch": 2}}
    without_marker(world)
    passed = points(world)
    for turn, name in enumerate(
        ("announce.committed", "commit.before", "commit.committed", "settle.before_commit")
    ):
        lot = Round(world, f"{turn}-")
        assert killed(
            world, 1 + next(i for i, found in list(enumerate(passed))[::-1] if found == name)
        )
        assert world.semaphore() == 3
        report = world.export()
        assert any("no marker table" in note for note in report.notes)
        lot.assert_exactly_once()


@pytest.mark.parametrize("arrived", [True, False])
def test_a_batch_in_doubt_is_neither_sent_nor_lost_until_somebody_settles_it(
    export_world: Make, arrived: bool
) -> None:
    """No marker table, no semaphore, and the rows are not there (any more)."""
    world = export_world("sqlite", semaphore=False)
    without_marker(world)
    world.documents(2)
    # The last points are those of the documents' only batch.
    passed: list[str] = []
    world.export(passed.append)
    world.at_erp('DELETE FROM "ORDERS"')
    world.at_erp('DELETE FROM "ORDER_LINES"')
    world.documents(2, prefix="N")
    kill_at = 1 + passed.index("commit.committed" if arrived else "commit.before")
    assert killed(world, kill_at)
    if arrived:
        assert world.orders() == {"S-N1": 1, "S-N2": 1}
        world.at_erp('DELETE FROM "ORDERS"')
        world.at_erp('DELETE FROM "ORDER_LINES"')
    world.document("X")
    for _ in range(2):
        report = world.export()
        assert world.statuses() == {"D1": 1, "D2": 1, "N1": 5, "N2": 5, "X": 1}
        assert world.orders() == {"S-X": 1}
        assert {record.id for record in report.held} == {"N1", "N2"}
        assert "`kimo export resolve 2 --arrived` or `--again`" in world.held()["N1"]
    with world.run() as run:
        assert resolve(run, 2, arrived=arrived) == 2
        with pytest.raises(ExportError, match="batch 2 is not in doubt"):
            resolve(run, 2, arrived=arrived)
    world.export()
    assert set(world.statuses().values()) == {1}
    assert world.orders() == ({"S-X": 1} if arrived else {"S-X": 1, "S-N1": 1, "S-N2": 1})
    assert (world.held(), world.open_batches()) == ({}, [])


def test_a_batch_of_an_earlier_run_is_not_taken_for_lost_because_a_later_one_was_killed(
    export_world: Make,
) -> None:
    """Its rows may have been taken away in between, while the semaphore was free; the later run's
    own may not.
    """
    world = export_world("sqlite")
    without_marker(world)
    world.document("D1")
    passed: list[str] = []
    world.export(passed.append)
    world.document("N1")
    assert killed(world, 1 + passed.index("commit.committed"))
    # The ERP sets its semaphore free by itself and takes the order away.
    world.at_erp('UPDATE "ExportToErpSemaphore" SET "Status" = 0')
    world.at_erp('DELETE FROM "ORDERS"')
    assert killed(world, 1)
    assert world.semaphore() == 3
    world.export()
    assert world.statuses()["N1"] == 5
    assert world.orders() == {}


def test_a_batch_that_was_found_not_to_have_arrived_can_not_arrive_any_more(
    export_world: Make,
) -> None:
    """Its own transaction may still be open at the ERP when we look."""
    world = export_world("postgresql")
    world.documents(1)
    passed: list[str] = []
    world.export(passed.append)
    world.document("N1")
    assert killed(world, 1 + passed.index("commit.before"))
    (number,) = world.open_batches()
    world.export()
    ((prefix,),) = world.rows("SELECT id FROM ops.installation")
    late = f"INSERT INTO \"KimoExportBatch\" VALUES ('{prefix}-{number}', 1, now())"
    with pytest.raises(IntegrityError):
        world.at_erp(late)
    assert world.orders() == {"S-D1": 1, "S-N1": 1}


# --- at length
# --------------------------------------------------------------------------------------------------


@pytest.mark.stress
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])
def test_every_point_with_an_erp_that_takes_rows_away(export_world: Make, dialect: str) -> None:
    world = export_world(dialect)
    world.settings = {"export": {"batch": 2}}
    for kill_at in range(1, len(points(world)) + 1):
        lot, draw = Round(world, f"{kill_at}-"), random.Random(kill_at)
        assert killed(world, kill_at)
        lot.erp_takes(draw)
        world.export()
        lot.assert_exactly_once()


@pytest.mark.stress
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])
@pytest.mark.parametrize("seed", range(5))
def test_kills_of_the_recovery_too(export_world: Make, dialect: str, seed: int) -> None:
    world = export_world(dialect)
    world.settings = {"export": {"batch": 2}}
    many = len(points(world))
    draw = random.Random(seed)
    for turn in range(40):
        lot = Round(world, f"{turn}-")
        for _ in range(draw.randint(2, 4)):
            killed(world, draw.randint(1, many))
            lot.erp_takes(draw)
        world.export()
        lot.assert_exactly_once()
