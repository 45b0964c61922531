"""The ERP's semaphores: taken by one, waited for, always given back, never taken from somebody
else.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import create_engine

from kimo_assets.database.semaphore_ledger import SemaphoreLedger
from kimo_assets.database.server import Database
from kimo_assets.errors import SemaphoreError
from kimo_assets.sources.semaphore import Semaphore, WaitPolicy, taken
from kimo_assets_tests.support.company import World, url_of
from kimo_assets_tests.support.crash_semaphore import (
    LOST,
    WON,
    forkserver,
    race,
    semaphore_of,
    take_and_die,
)
from kimo_assets_tests.support.network import Line

IDLE, ERP_WRITES, KIMO_READS, ERP_READS = 0, 1, 2, 4

DIALECTS = pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])


class ErpSemaphore:
    """The table as the ERP sees it."""

    def __init__(
        self, url: str, definition: str = "Status int", rows: tuple[Any, ...] = (0,)
    ) -> None:
        self.url = url
        self.execute("DROP TABLE IF EXISTS ImportFromErpSemaphore")
        self.execute(f"CREATE TABLE ImportFromErpSemaphore ({definition})")
        for row in rows:
            self.execute(f"INSERT INTO ImportFromErpSemaphore (Status) VALUES ({row})")

    def execute(self, statement: str) -> list[Any]:
        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            result = connection.exec_driver_sql(statement)
            rows = [value for (value,) in result] if result.returns_rows else []
        engine.dispose()
        return rows

    def set(self, status: int) -> None:
        self.execute(f"UPDATE ImportFromErpSemaphore SET Status = {status}")

    @property
    def rows(self) -> list[Any]:
        return self.execute("SELECT Status FROM ImportFromErpSemaphore")

    @property
    def status(self) -> Any:
        (status,) = self.rows
        return status


@pytest.fixture
def new_url(world: World, new_database: Callable[[], Database]) -> Callable[[str], str]:
    def make(dialect: str) -> str:
        if dialect == "sqlite":
            world.erp()
            return world.erp_file.url
        if dialect == "postgresql":
            return url_of(new_database())
        url = os.environ.get("KIMO_TEST_MYSQL_URL")
        if not url:
            pytest.skip(
                "KIMO_TEST_MYSQL_URL names no MariaDB whose table ImportFromErpSemaphore may be"
                " replaced"
            )
        pytest.importorskip("pymysql", reason="the driver pymysql is not installed")
        return url

    return make


@pytest.fixture
def erp(new_url: Callable[[str], str]) -> ErpSemaphore:
    return ErpSemaphore(new_url("sqlite"))


@pytest.fixture
def ledger(own_database: Database) -> SemaphoreLedger:
    return SemaphoreLedger(own_database.connect, load=7, run_id="abc")


class Clock:
    """Time that passes only while somebody sleeps, so many times faster; `then` happens
    meanwhile.
    """

    def __init__(
        self, then: Callable[[float], None] = lambda now: None, *, speed: float = 1
    ) -> None:
        self.now = 0.0
        self.then = then
        self.speed = speed
        self.said: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds * self.speed
        self.then(self.now)

    def patience(self, wait_s: float = 60) -> WaitPolicy:
        return WaitPolicy(wait_s, 3, self.said.append, self.sleep, lambda: self.now)


@contextmanager
def held(
    erp: ErpSemaphore, ledger: SemaphoreLedger, clock: Clock, wait_s: float = 60
) -> Iterator[Semaphore]:
    with semaphore_of(erp.url) as semaphore, taken([semaphore], ledger, clock.patience(wait_s)):
        yield semaphore


def take(erp: ErpSemaphore, ledger: SemaphoreLedger, clock: Clock, wait_s: float = 60) -> None:
    """Takes it, sees that it is ours, and gives it back."""
    with held(erp, ledger, clock, wait_s):
        assert set(erp.rows) <= {KIMO_READS, str(KIMO_READS)}
        assert ledger.owner("erp", "ImportFromErpSemaphore") is not None


# --- taking and giving back
# ------------------------------------------------------------------------------------------


@DIALECTS
def test_an_idle_semaphore_is_ours_while_we_read_and_idle_again_afterwards(
    dialect: str, new_url: Callable[[str], str], ledger: SemaphoreLedger
) -> None:
    erp = ErpSemaphore(new_url(dialect))
    with held(erp, ledger, Clock()):
        assert erp.status == KIMO_READS
        (owner,) = ledger.owners()
        assert (owner.source, owner.semaphore, owner.status, owner.load, owner.run_id) == (
            "erp",
            "ImportFromErpSemaphore",
            2,
            7,
            "abc",
        )
        assert isinstance(owner.since, datetime)
    assert erp.status == IDLE
    assert ledger.owners() == []


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_it_is_given_back_whatever_ends_the_run(
    error: type[BaseException], erp: ErpSemaphore, ledger: SemaphoreLedger
) -> None:
    with pytest.raises(error), held(erp, ledger, Clock()):
        raise error
    assert (erp.status, ledger.owners()) == (IDLE, [])


def test_what_somebody_set_meanwhile_is_left_as_it_is(
    erp: ErpSemaphore, ledger: SemaphoreLedger
) -> None:
    with held(erp, ledger, Clock()):
        erp.set(ERP_WRITES)
    assert (erp.status, ledger.owners()) == (ERP_WRITES, [])


@pytest.mark.parametrize(
    ("definition", "rows"),
    [
        ("Status int", ("NULL",)),
        ("status varchar(3)", ("'0'",)),
        ("STATUS int, Note text", (0,)),
        ("Status int", (0, 0, 0)),
    ],
)
def test_a_table_that_is_a_little_odd_works(
    definition: str, rows: tuple[Any, ...], new_url: Callable[[str], str], ledger: SemaphoreLedger
) -> None:
    for dialect in ("sqlite", "postgresql"):
        erp = ErpSemaphore(new_url(dialect), definition, rows)
        take(erp, ledger, Clock())
        assert [int(status) for status in erp.rows] == [0] * len(rows)


@DIALECTS
def test_a_table_without_a_row_gets_one(
    dialect: str, new_url: Callable[[str], str], ledger: SemaphoreLedger
) -> None:
    erp = ErpSemaphore(new_url(dialect), rows=())
    take(erp, ledger, Clock())
    assert erp.rows == [IDLE]


def test_of_several_rows_one_that_is_not_idle_keeps_us_waiting(
    erp: ErpSemaphore, ledger: SemaphoreLedger
) -> None:
    erp.execute("INSERT INTO ImportFromErpSemaphore VALUES (1)")
    with pytest.raises(SemaphoreError):
        take(erp, ledger, Clock(), wait_s=0)
    assert erp.rows == [IDLE, ERP_WRITES]


# --- waiting
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [ERP_WRITES, ERP_READS, KIMO_READS, 3, 17])
def test_it_is_waited_for_while_somebody_else_has_it(
    busy: int, erp: ErpSemaphore, ledger: SemaphoreLedger
) -> None:
    erp.set(busy)
    clock = Clock(lambda now: erp.set(IDLE) if now >= 20 else None)
    take(erp, ledger, clock)
    assert 20 <= clock.now < 30
    (told,) = clock.said
    assert told.startswith(f"ImportFromErpSemaphore of source 'erp' is {busy} (")
    assert "waiting up to 60 s" in told


def test_a_long_wait_is_told_of_once_a_minute(erp: ErpSemaphore, ledger: SemaphoreLedger) -> None:
    erp.set(ERP_WRITES)
    clock = Clock()
    with pytest.raises(SemaphoreError):
        take(erp, ledger, clock, wait_s=300)
    assert 5 <= len(clock.said) <= 6


def test_when_the_limit_is_reached_one_sentence_says_what_since_when_and_what_to_do(
    erp: ErpSemaphore, ledger: SemaphoreLedger
) -> None:
    erp.set(ERP_WRITES)
    with pytest.raises(SemaphoreError) as raised:
        take(erp, ledger, Clock(speed=100), wait_s=1800)
    message = str(raised.value)
    assert re.fullmatch(
        r"ImportFromErpSemaphore of source 'erp' is 1 \(the ERP is writing to the integration"
        r" database\), at every look "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\. Kimo waited 30 min"
        r" \(import\.semaphore_wait_s\)\. Nothing was read\. "
        r"Wait until it is idle and import again\. If the program that set it is gone,"
        r" `kimo semaphore reset` sets it to 0\.",
        message,
    )
    assert erp.status == ERP_WRITES


def test_since_when_is_remembered_from_run_to_run_until_it_was_something_else(
    erp: ErpSemaphore, ledger: SemaphoreLedger
) -> None:
    def since() -> str:
        with pytest.raises(SemaphoreError) as raised:
            take(erp, ledger, Clock(), wait_s=0)
        return str(raised.value).partition("since ")[2]

    with ledger.connect() as connection:
        erp.set(ERP_WRITES)
        since()
        connection.execute("UPDATE ops.semaphore SET seen_since = '2026-01-02 03:04:05+00'")
        assert since().startswith("2026-01-02 03:04:05 UTC")
        erp.set(ERP_READS)
        assert not since().startswith("2026-01-02")
        connection.execute("UPDATE ops.semaphore SET seen_since = '2026-01-02 03:04:05+00'")
        erp.set(IDLE)
        take(erp, ledger, Clock())
        erp.set(ERP_READS)
        assert not since().startswith("2026-01-02")


def test_two_with_our_status_but_not_on_record_is_somebody_elses_and_never_touched(
    erp: ErpSemaphore, ledger: SemaphoreLedger
) -> None:
    erp.set(KIMO_READS)
    with pytest.raises(
        SemaphoreError, match=r"is 2 \(Kimo is reading the integration database\), but not by us"
    ):
        take(erp, ledger, Clock())
    assert (erp.status, ledger.owners()) == (KIMO_READS, [])


def test_the_erps_own_open_transaction_on_the_row_is_waited_for(
    new_url: Callable[[str], str], ledger: SemaphoreLedger
) -> None:
    erp = ErpSemaphore(new_url("postgresql"))
    clock = Clock()
    engine = create_engine(erp.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE ImportFromErpSemaphore SET Status = 1")
        clock.then = lambda now: connection.rollback()
        with (
            semaphore_of(erp.url, lock_timeout_s=0.1) as semaphore,
            taken([semaphore], ledger, clock.patience()),
        ):
            assert erp.status == KIMO_READS
    engine.dispose()
    assert clock.said[0].startswith(
        "ImportFromErpSemaphore of source 'erp' is held by a transaction that has not ended"
    )


# --- an ERP that fails us
# --------------------------------------------------------------------------------------------


def test_what_cannot_be_given_back_is_tried_again_and_then_kept_on_record_and_said(
    erp: ErpSemaphore, ledger: SemaphoreLedger, world: World
) -> None:
    clock = Clock()
    aside = world.erp_file.file.with_suffix(".aside")
    with held(erp, ledger, clock):
        world.erp_file.file.rename(aside)
    assert "could not be given back and stays 2" in clock.said[-1]
    assert "on record as ours" in clock.said[-1]
    aside.rename(world.erp_file.file)
    assert (erp.status, len(ledger.owners())) == (KIMO_READS, 1)
    take(erp, ledger, clock)
    assert "left behind by a run of ours" in clock.said[-1]
    assert (erp.status, ledger.owners()) == (IDLE, [])


def test_an_erp_that_is_back_in_time_gets_its_semaphore_back(
    new_database: Callable[[], Database], ledger: SemaphoreLedger
) -> None:
    source = new_database()
    erp, line = ErpSemaphore(url_of(source)), Line(source)
    line.open()
    clock = Clock(lambda now: line.open())
    with semaphore_of(line.url()) as semaphore, taken([semaphore], ledger, clock.patience()):
        line.close()
        assert erp.status == KIMO_READS
    line.close()
    assert "again in 1 s" in clock.said[0]
    assert (erp.status, ledger.owners()) == (IDLE, [])


def test_a_moment_without_an_answer_does_not_end_the_wait(
    new_database: Callable[[], Database], ledger: SemaphoreLedger
) -> None:
    source = new_database()
    erp, line = ErpSemaphore(url_of(source), rows=(1,)), Line(source)
    line.open()

    def meanwhile(now: float) -> None:
        if now < 5:
            line.close()
        else:
            line.open()
            erp.set(IDLE)

    clock = Clock(meanwhile)
    with semaphore_of(line.url()) as semaphore, taken([semaphore], ledger, clock.patience()):
        assert erp.status == KIMO_READS
    line.close()
    assert any("again in" in told for told in clock.said)


def test_a_semaphore_that_may_not_be_updated_is_said_so(
    new_url: Callable[[str], str], ledger: SemaphoreLedger
) -> None:
    erp = ErpSemaphore(new_url("postgresql"))
    (
        erp.execute("CREATE ROLE looker LOGIN")
        if not erp.execute("SELECT 1 FROM pg_roles WHERE rolname = 'looker'")
        else None
    )
    erp.execute("GRANT SELECT ON ImportFromErpSemaphore TO looker")
    erp.url = erp.url.replace("postgres@", "looker@")
    with pytest.raises(
        Exception,
        match=r"cannot be set: .*permission denied.* Kimo has to be allowed to read and update",
    ):
        take(erp, ledger, Clock())


# --- crashes and races
# -----------------------------------------------------------------------------------------------


@DIALECTS
@pytest.mark.parametrize("rows", [(0,), ()], ids=["one row", "no row"])
def test_a_kill_at_any_point_leaves_it_idle_or_provably_ours(
    dialect: str, rows: tuple[int, ...], new_url: Callable[[str], str], own_database: Database
) -> None:
    erp = ErpSemaphore(new_url(dialect), rows=rows)
    ledger = SemaphoreLedger(own_database.connect)
    left: set[tuple[bool, bool]] = set()
    context = forkserver()
    for point in count(1):
        process = context.Process(target=take_and_die, args=(erp.url, own_database.dsn, point))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -9
        is_taken, is_on_record = erp.rows not in ([], [IDLE]), bool(ledger.owners())
        assert not is_taken or (erp.rows == [KIMO_READS] and is_on_record), f"point {point}"
        left.add((is_taken, is_on_record))
        take(erp, ledger, Clock(), wait_s=0)
        assert (erp.status, ledger.owners()) == (IDLE, [])
        if not rows:
            erp.execute("DELETE FROM ImportFromErpSemaphore")
    # Before the record, between record and commit (or after the giving back), while it was held.
    assert left == {(False, False), (False, True), (True, True)}
    assert point > 15


@DIALECTS
@pytest.mark.parametrize("rows", [(0,), (0, 0)], ids=["one row", "two rows"])
def test_of_two_processes_that_race_for_it_exactly_one_wins(
    dialect: str,
    rows: tuple[int, ...],
    new_url: Callable[[str], str],
    own_database: Database,
    new_database: Callable[[], Database],
) -> None:
    """Two Kimos that share an ERP; each has a database, and so a lock and a ledger, of its own."""
    erp = ErpSemaphore(new_url(dialect), rows=rows)
    other = new_database()
    context = forkserver()
    for _ in range(8):
        lines = context.Pipe()
        racers = [
            context.Process(target=race, args=(erp.url, own.dsn, line))
            for own, line in zip((own_database, other), lines, strict=True)
        ]
        for racer in racers:
            racer.start()
        for racer, line in zip(racers, lines, strict=True):
            racer.join()
            line.close()
        assert sorted(racer.exitcode or 0 for racer in racers) == [WON, LOST]
        assert erp.rows == [IDLE] * len(rows)
