"""Any order of events: agents write and edit, exports run or die, the ERP takes rows away; every
version arrives once.
"""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kimo_assets.catalog.lifecycle import Actor, EntityStatus
from kimo_assets.database.server import Database
from kimo_assets.export.run import export_to_erp
from kimo_assets_tests.conftest import EMPTY_AGAIN
from kimo_assets_tests.support.export_company import ExportWorld
from kimo_assets_tests.support.status_changes import Change, undeclared, watched

# An export of this lot passes fewer points.
MANY = 45


class PowerCutError(BaseException):
    """The process is gone, and so are its connections."""


@dataclass
class Model:
    """What agents have written. latest: document -> its version; superseded: edited on the way, and
    so sent or not. exporters: the processes of the database that worked for exports.
    """

    world: ExportWorld
    latest: dict[str, int] = field(default_factory=dict)
    versions: set[tuple[str, int]] = field(default_factory=set)
    superseded: set[tuple[str, int]] = field(default_factory=set)
    taken: Counter[tuple[str, int]] = field(default_factory=Counter)
    exporters: set[int] = field(default_factory=set)

    def write(self) -> None:
        """An order, with two lines."""
        key = f"D{len(self.latest):02}"
        self.world.document(key, 2, Notes="1")
        self._is_written(key, 1)

    def edit(self, number: int, status: int = 6, *expected: int) -> None:
        """Another version of an order that is in one of the expected statuses."""
        if not self.latest:
            return
        key = sorted(self.latest)[number % len(self.latest)]
        version = self.latest[key] + 1
        edited = self.world.rows(
            'UPDATE kimo."Document" SET "Notes" = %s, "EntityStatus" = %s WHERE "Id" = %s AND'
            ' "EntityStatus" = ANY(%s) RETURNING "Id"',
            str(version),
            status,
            key,
            list(expected or (1,)),
        )
        if edited:
            if expected:
                self.superseded.add((key, version - 1))
            self._is_written(key, version)

    def _is_written(self, key: str, version: int) -> None:
        self.latest[key] = version
        self.versions.add((key, version))

    def take(self) -> None:
        """The ERP picks up what is there, and deletes it."""
        for key, notes, lines in self.world.at_erp(
            'SELECT "Id", "Notes", (SELECT count(*) FROM "ORDER_LINES" WHERE "DocumentId" = o."Id")'
            ' FROM "ORDERS" AS o'
        ):
            versions = sum(
                1 for (k, _) in self.world.at_erp('SELECT "Id", "Notes" FROM "ORDERS"') if k == key
            )
            assert lines == 2 * versions
            self.taken[key, int(notes)] += 1
        self.world.at_erp('DELETE FROM "ORDERS"')
        self.world.at_erp('DELETE FROM "ORDER_LINES"')

    def export(self, cut_at: int | None = None, edited: tuple[int, int] | None = None) -> None:
        """cut_at: the point at which the power fails; edited: number of an order, and the status it
        gets on the way.
        """
        points = itertools.count(1)
        with self.world.run() as held:
            self.exporters.add(held.connection.info.backend_pid)

            def reached(point: str) -> None:
                if edited and point in ("write.before_marker", "commit.before"):
                    self.edit(*edited, 3, 5)
                if next(points) == cut_at:
                    held.connection.close()
                    raise PowerCutError

            run = type(held)(**{**held.__dict__, "reached": reached})
            try:
                export_to_erp(run)
            except PowerCutError:
                held.connection.close()


Event = tuple[Any, ...]

EVENTS: st.SearchStrategy[list[Event]] = st.lists(
    st.one_of(
        st.just(("write",)),
        st.tuples(st.just("edit"), st.integers(0, 5)),
        st.just(("take",)),
        st.tuples(
            st.just("export"),
            st.one_of(st.none(), st.integers(1, MANY)),
            st.one_of(st.none(), st.tuples(st.integers(0, 5), st.sampled_from([6, 10]))),
        ),
    ),
    min_size=3,
    max_size=12,
)


@pytest.fixture(scope="module")
def own(new_database: Callable[[], Database]) -> Database:
    return new_database()


def checked(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@checked(8)
@given(events=EVENTS)
@example(events=[("write",), ("export", 12, (0, 10)), ("take",)])
@example(events=[("write",), ("write",), ("export", 17, None), ("take",), ("export", 5, None)])
@example(events=[("write",), ("write",), ("export", 18, None)])
def test_every_version_arrives_once_whatever_happens(
    tmp_path: Path, own: Database, events: list[Event]
) -> None:
    play(tmp_path, own, events)


@pytest.mark.stress
@checked(300)
@given(events=EVENTS)
def test_every_version_arrives_once_in_many_histories(
    tmp_path: Path, own: Database, events: list[Event]
) -> None:
    play(tmp_path, own, events)


def play(folder: Path, own: Database, events: list[Event]) -> None:
    with own.connect() as connection:
        connection.execute(EMPTY_AGAIN)
    world = ExportWorld(folder, own, f"sqlite:///{folder / 'erp.sqlite'}", {"export": {"batch": 2}})
    world.erp_tables()
    world.types()
    model = Model(world)
    with watched(own, "Document") as changes:
        for name, *arguments in events:
            getattr(model, name)(*arguments)
        model.export()
        assert_declared(model, changes())
    # The ERP has answered for what it has got: edits that waited for that go out (step 2 sees to
    # it).
    world.execute('UPDATE kimo."Document" SET "EntityStatus" = 6 WHERE "EntityStatus" = 10')
    model.export()
    model.take()
    assert set(world.statuses().values()) <= {1}
    assert {version: count for version, count in model.taken.items() if count > 1} == {}
    assert model.versions - model.superseded <= set(model.taken)
    assert set(model.taken) <= model.versions
    assert (world.open_batches(), world.semaphore(), world.held()) == ([], 0, {})


def assert_declared(model: Model, changes: set[Change]) -> None:
    """Whatever the exports and the agents did to a status is a transition of theirs."""
    by_export = {change for change in changes if change.pid in model.exporters}
    assert undeclared(by_export, Actor.EXPORT) == set()
    assert undeclared(changes - by_export, Actor.KIMO) == set()


def test_an_export_goes_along_three_transitions(tmp_path: Path, own: Database) -> None:
    """So the histories do watch something."""
    with own.connect() as connection:
        connection.execute(EMPTY_AGAIN)
    world = ExportWorld(tmp_path, own, f"sqlite:///{tmp_path / 'erp.sqlite'}")
    world.erp_tables()
    world.types()
    world.document("D1")
    with watched(own, "Document") as changes:
        world.export()
        steps = {(change.before, change.after) for change in changes()}
    assert steps == {
        (EntityStatus.TO_EXPORT_TO_ERP, EntityStatus.EXPORTING_TO_ERP),
        (EntityStatus.EXPORTING_TO_ERP, EntityStatus.COMMITTING_EXPORT_TO_ERP),
        (EntityStatus.COMMITTING_EXPORT_TO_ERP, EntityStatus.EXPORTED_TO_ERP),
    }
