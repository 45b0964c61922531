"""Killed at any point, and started again: every order is at the ERP once, and nothing is lost."""

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from kimo_assets_tests.export.dying import DONE, LOCKED, export_and_die, forkserver, killed
from kimo_assets_tests.export.worlds_of_export import ExportWorld

Make = Callable[..., ExportWorld]

CUSTOMERS, DOCUMENTS, LINES = 1, 4, 2


class Round:
    """A new lot of orders, and what has become of them at both ends. The ERP may take rows away between exports."""

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
                self.world.at_erp(f"DELETE FROM \"ORDERS\" WHERE \"Id\" = '{key}'")
                self.world.at_erp(f"DELETE FROM \"ORDER_LINES\" WHERE \"DocumentId\" = '{key}'")

    def _count(self, orders: str, lines: str) -> None:
        self.taken.update(key for (key,) in self.world.at_erp(f'SELECT "Id" FROM "ORDERS" {orders}'))
        self.taken_lines.update(key for (key,) in self.world.at_erp(f'SELECT "DocumentId" FROM "ORDER_LINES" {lines}'))

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
    """The position of each point once, from 1: of those that come again, the second time, in the middle of the run."""
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
