"""Step 1 as a whole: entities side by side, sources that fail on the way, and what is left of a run
that is stopped.
"""

import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from kimo_assets.database.names import PLANNED
from kimo_assets.database.server import Database
from kimo_assets.pipeline.steps import open_run
from kimo_assets.progress import Progress
from kimo_assets.reports import EntityReport, StagedEntity
from kimo_assets.staging.step import StagingRun, stage_entities
from kimo_assets_tests.support.company import Row, World, ids, run_and_kill, url_of
from kimo_assets_tests.support.network import Line, asking_for_password


class Listener(Progress):
    """Keeps what it is told; `then` happens whenever rows were read."""

    def __init__(self, then: Callable[[str], None] = lambda entity: None) -> None:
        self.said_lines: list[str] = []
        self.started: list[str] = []
        self.then = then

    def entity_started(self, step: int, entity: str) -> None:
        self.started.append(entity)

    def rows_read(self, entity: str, rows: int) -> None:
        self.then(entity)

    def log(self, line: str) -> None:
        self.said_lines.append(line)


def stage(
    world: World,
    listener: Listener,
    *,
    sleep: Callable[[float], None] = lambda seconds: None,
    **options: Any,
) -> dict[str, StagedEntity]:
    """Step 1 over all entities, with a sleep of one's own."""
    with open_run(world.config, world.database, title="step 1") as run:
        names = run.catalog.in_load_order(world.config.entity_names)
        staging = StagingRun(world.config, run.connect, run.load, sleep=sleep, **options)
        return {
            r.entity: r
            for r in stage_entities(staging, names, listener, lambda report: run.done(1, report))
        }


def zones(count: int) -> list[Row]:
    return [{"Id": f"Z{n:05}", "Description": f"zone {n}"} for n in range(count)]


def staged(world: World, entity: str = "Zone") -> int:
    return int(world.value(f'SELECT count(*) FROM integrator."{entity}"'))


def fill(source: Database, script: str) -> None:
    with source.connect() as connection:
        connection.execute(script)


# --- side by side
# --------------------------------------------------------------------------------------------------

MANY = (
    "Zone",
    "Carrier",
    "Currency",
    "PaymentMethod",
    "CustomerGroup",
    "SalesAgent",
    "Warehouse",
    "Language",
)


@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_the_same_is_staged_however_many_at_once(parallel: int, world: World) -> None:
    world.erp(
        **{name: ids(*(f"{name[:3]}{n}" for n in range(50 + i))) for i, name in enumerate(MANY)}
    )
    world.erp(Zone=[*ids("N", "N"), {"Id": "S", "Description": "x" * 500}])
    world.settings = {"import": {"parallel": parallel}}
    report = world.done(1)
    assert {name: found.counts()["read"] for name, found in report.steps[1].entities.items()} == {
        name: 3 if name == "Zone" else 50 + i for i, name in enumerate(MANY)
    }
    assert {rule for rule, *_ in world.rejected("Zone")} == {"duplicate_key", "text_too_long"}
    assert list(report.steps[1].entities) == open_order(world)
    assert {entity for (entity,) in world.rows("SELECT entity FROM ops.step_result")} == set(MANY)
    again = world.done(1).steps[1].entities.values()
    assert {found.status for found in again} == {"unchanged"}


def open_order(world: World) -> list[str]:
    with open_run(world.config, world.database, title="look") as run:
        return run.catalog.in_load_order(world.config.entity_names)


def test_no_more_entities_are_read_at_once_than_is_allowed(world: World) -> None:
    world.erp(**{name: zones(3000) for name in MANY})
    world.settings = {"import": {"parallel": 3}}
    at_work: list[int] = []
    most = 0

    class Counter(Listener):
        def entity_started(self, step: int, entity: str) -> None:
            nonlocal most
            at_work.append(1)
            most = max(most, len(at_work))

        def entity_done(self, step: int, report: EntityReport) -> None:
            at_work.pop()

    with open_run(world.config, world.database, title="x", progress=Counter()) as run:
        staging = StagingRun(world.config, run.connect, run.load)
        names = run.catalog.in_load_order(world.config.entity_names)
        reports = stage_entities(staging, names, run.progress, lambda report: run.done(1, report))
    assert {report.status for report in reports} == {"ok"}
    assert 1 < most <= 4  # one that is done may be told of after the next has started


def test_a_snapshot_staged_for_a_plan_goes_to_the_plans_area(world: World) -> None:
    world.erp(Zone=ids("N"), Carrier=ids("C"))
    assert {report.status for report in stage(world, Listener(), area=PLANNED).values()} == {"ok"}
    assert world.rows('SELECT "Id" FROM plan."Zone"') == [("N",)]
    assert world.value("SELECT to_regclass('integrator.\"Zone\"')") is None
    assert {entity for (entity,) in world.rows("SELECT entity FROM ops.planned")} == {
        "Zone",
        "Carrier",
    }


def test_a_listener_that_raises_stops_the_step_and_nothing_is_half_done(world: World) -> None:
    world.erp(Zone=zones(3000), Carrier=zones(3000), ImportFromErpSemaphore=[{"Status": 0}])
    world.entities = {"Zone": {}, "Carrier": {}}

    def refuse(entity: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage(world, Listener(refuse))
    assert world.value("SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_\\_next'") == 0
    assert world.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(0,)]
    assert set(world.done(1).steps[1].entities) == {"Zone", "Carrier"}


SLOW = """
    CREATE TABLE public."Zone" AS SELECT 'Z' || n AS "Id" FROM generate_series(1, 200000) AS n;
    CREATE VIEW public."Carrier" AS SELECT 'C' || n AS "Id", pg_sleep(0.01)::text AS "Description"
        FROM generate_series(1, 100000) AS n;
    CREATE TABLE public.importfromerpsemaphore AS SELECT 0 AS status;
"""


@pytest.mark.parametrize("parallel", [1, 2])
def test_ctrl_c_ends_what_is_being_read_soon_and_gives_the_semaphore_back(
    parallel: int, world: World, new_database: Callable[[], Database]
) -> None:
    """Carrier is a view that takes many minutes; the signal comes when Zone's first rows
    were read.
    """
    source = new_database()
    fill(source, SLOW)
    world.source_url, world.entities = url_of(source), {"Zone": {}, "Carrier": {}}
    world.settings = {"import": {"parallel": parallel}}
    began = time.monotonic()
    done = run_and_kill(world, 1, at_step=1, at_entity="Zone", number=signal.SIGINT, reading=True)
    assert time.monotonic() - began < 30
    assert "KeyboardInterrupt" in done.stderr
    with source.connect() as connection:
        assert connection.execute("SELECT status FROM importfromerpsemaphore").fetchall() == [(0,)]
    assert world.rows("SELECT title, success FROM ops.load") == [("the killed run", False)]
    assert world.value("SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_\\_next'") == 0


def test_a_run_killed_while_it_reads_leaves_the_semaphore_on_record_and_the_next_run_goes_on(
    world: World,
) -> None:
    world.erp(Zone=ids("N"), Carrier=ids("C"), ImportFromErpSemaphore=[{"Status": 0}])
    world.entities = {"Zone": {}, "Carrier": {}}
    run_and_kill(world, 1, at_step=1, at_entity="Zone")
    assert world.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(2,)]
    listener = Listener()
    world.done(progress=listener)
    assert any(
        "left behind by a run of ours that was killed" in line for line in listener.said_lines
    )
    assert world.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(0,)]


# --- semaphores around the step
# --------------------------------------------------------------------------------------


def test_a_semaphore_that_is_not_to_be_had_fails_every_entity_alike_and_nothing_is_read(
    world: World,
) -> None:
    world.erp(Zone=ids("N"), Carrier=ids("C"), ImportFromErpSemaphore=[{"Status": 1}])
    world.entities, world.settings = (
        {"Zone": {}, "Carrier": {}},
        {"import": {"semaphore_wait_s": 0}},
    )
    report = world.run()
    assert list(report.steps) == [1]
    (reason,) = set(report.failures[1].values())
    assert set(report.failures[1]) == {"Zone", "Carrier"}
    assert reason.startswith("ImportFromErpSemaphore of source 'erp' is 1 (the ERP is writing")
    assert world.rows("SELECT entity FROM ops.staged") == []
    assert world.rows("SELECT DISTINCT status, error FROM ops.step_result") == [("failed", reason)]


def test_only_the_sources_of_the_chosen_entities_are_taken_and_step_2_needs_none(
    world: World,
) -> None:
    crm = World(world.folder / "crm", world.database)
    crm.folder.mkdir()
    crm.erp(Carrier=ids("C"), ImportFromErpSemaphore=[{"Status": 1}])
    world.erp(Zone=ids("N"), ImportFromErpSemaphore=[{"Status": 0}])
    world.settings = {
        "sources": {"erp": {"url": world.erp_file.url}, "crm": {"url": crm.erp_file.url}},
        "import": {"semaphore_wait_s": 0},
    }
    world.entities = {"Zone": {}, "Carrier": {"source": "crm"}}
    world.done(1, entities=["Zone"], only_listed=True)
    assert "of source 'crm' is 1" in world.run(1).failures[1]["Zone"]
    assert world.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(0,)]
    world.erp(ImportFromErpSemaphore=[{"Status": 1}])
    world.done(2, 3, entities=["Zone"], only_listed=True)


def test_two_sources_in_one_database_share_its_semaphore(world: World) -> None:
    world.erp(Zone=ids("N"), Carrier=ids("C"), ImportFromErpSemaphore=[{"Status": 0}])
    url = {"url": world.erp_file.url}
    world.settings = {"sources": {"erp": url, "crm": url}, "import": {"semaphore_wait_s": 0}}
    world.entities = {"Zone": {}, "Carrier": {"source": "crm"}}
    world.done(1)
    assert world.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(0,)]


def test_no_table_means_no_semaphore_which_is_said_once(world: World) -> None:
    world.erp(Zone=ids("N"), Carrier=ids("C"))
    listener = Listener()
    world.done(progress=listener)
    assert listener.said_lines == [
        "source 'erp' has no table ImportFromErpSemaphore: nothing keeps the ERP from writing"
        " meanwhile"
    ]


# --- a source that fails on the way
# ----------------------------------------------------------------------------------


@pytest.fixture
def source(new_database: Callable[[], Database]) -> Database:
    return new_database()


def test_a_source_that_is_down_is_waited_for_once_and_then_said_in_one_line(
    world: World, source: Database
) -> None:
    world.source_url = Line(source).url()
    world.entities = {"Zone": {}, "Carrier": {}, "Currency": {}}
    pauses: list[float] = []
    listener = Listener()
    reports = stage(world, listener, sleep=pauses.append)
    (reason,) = {report.error for report in reports.values()}
    assert re.match(
        r"source 'erp' \(postgresql\+psycopg://postgres.*refused.*\(tried 4 times\)$", str(reason)
    )
    assert pauses == [1, 2, 4]
    assert [line.rpartition("again in ")[2] for line in listener.said_lines] == [
        "1 s (1 of 4)",
        "2 s (2 of 4)",
        "4 s (3 of 4)",
    ]


def test_a_source_that_comes_back_in_time_is_read(world: World, source: Database) -> None:
    fill(source, 'CREATE TABLE public."Zone" AS SELECT \'N\' AS "Id"')
    line = Line(source)
    world.source_url, world.entities = line.url(), {"Zone": {}}
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            line.open()

    assert stage(world, Listener(), sleep=sleep)["Zone"].staged == 1
    assert len(pauses) == 2
    line.close()


def test_an_entity_whose_connection_is_lost_is_read_again_from_its_start(
    world: World, source: Database
) -> None:
    fill(
        source,
        """CREATE TABLE public."Zone" AS SELECT 'Z' || n AS "Id", repeat('x', 90) AS "Description"
                    FROM generate_series(1, 250000) AS n""",
    )
    line = Line(source)
    line.open()
    world.source_url, world.entities = line.url(), {"Zone": {}}
    cuts: list[str] = []

    def restarts() -> int:
        return sum("is read from its start" in said for said in listener.said_lines)

    def cut(entity: str) -> None:
        """Once in the first try and once in the second."""
        if len(cuts) == restarts() < 2:
            cuts.append(entity)
            line.close()

    listener = Listener(cut)
    report = stage(world, listener, sleep=lambda seconds: line.open())["Zone"]
    assert (report.status, report.read, staged(world)) == ("ok", 250000, 250000)
    assert restarts() == 2
    line.close()


def test_a_source_that_goes_down_on_the_way_keeps_nobody_waiting_twice(
    world: World, source: Database
) -> None:
    names = ("Zone", "Carrier", "Currency", "Language")
    rows = (
        "SELECT 'Z' || n AS \"Id\", repeat('x', 90) AS \"Description\" FROM generate_series(1,"
        " 250000) AS n"
    )
    fill(source, ";".join(f'CREATE VIEW public."{name}" AS {rows}' for name in names))
    line = Line(source)
    line.open()
    world.source_url, world.entities = line.url(), {name: {} for name in names}
    pauses: list[float] = []
    reports = stage(world, Listener(lambda entity: line.close()), sleep=pauses.append)
    assert {report.status for report in reports.values()} == {"failed"}
    assert sorted(pauses) == [1, 2, 4]
    assert len({report.error for report in reports.values()}) == 1


def test_a_view_that_raises_in_the_middle_fails_its_entity_alone(
    world: World, source: Database
) -> None:
    fill(
        source,
        """
        CREATE TABLE limits AS SELECT 100 AS last;
        CREATE VIEW public."Zone" AS SELECT 'Z' || n AS "Id", (1 / (n - 5000))::text
            AS "Description"
            FROM generate_series(1, (SELECT last FROM limits)) AS n;
        CREATE TABLE public."Carrier" AS SELECT 'C' || n AS "Id" FROM generate_series(1, 10) AS n;
        """,
    )
    world.source_url, world.entities = (
        url_of(source),
        {"Zone": {"where": "\"Id\" > ''"}, "Carrier": {}},
    )
    world.done(1)
    fill(source, "UPDATE limits SET last = 9000; INSERT INTO public.\"Carrier\" VALUES ('C11')")
    report = world.run(1)
    assert set(report.failures[1]) == {"Zone"}
    line = world.config.place("entities", "Zone", "where")
    assert report.failures[1]["Zone"].endswith(f"division by zero. See {line}.")
    assert re.search(r"kimo\.yaml, line \d+: entities\.Zone\.where", line)
    assert (staged(world), staged(world, "Carrier")) == (100, 11)


@pytest.mark.parametrize(
    ("mapping", "key", "said"),
    [
        ({"query": "SELEC 1"}, "query", "syntax error"),
        ({"query": 'SELECT "Id" FROM nowhere'}, "query", "no such table: nowhere"),
        ({"where": "NOT A COLUMN"}, "where", "syntax error"),
        ({"table": "Zonez"}, "table", "there is no table or view Zonez"),
    ],
)
def test_a_complaint_about_a_mapping_ends_with_its_line_of_kimo_yaml(
    mapping: Row, key: str, said: str, world: World
) -> None:
    world.erp(Zone=ids("N"), Carrier=ids("C"))
    world.entities = {"Zone": mapping, "Carrier": {}}
    report = world.run(1)
    assert set(report.failures[1]) == {"Zone"}
    reason = report.failures[1]["Zone"]
    assert said in reason
    assert reason.endswith(f"See {world.config.place('entities', 'Zone', key)}.")
    assert re.search(rf"kimo\.yaml, line \d+: entities\.Zone\.{key}\.$", reason)


def test_a_complaint_about_one_of_two_sources_names_that_ones_line(world: World) -> None:
    world.erp(Zone=ids("N"))
    world.settings = {
        "sources": {"erp": {"url": world.erp_file.url}, "crm": {"url": world.erp_file.url}}
    }
    world.entities = {"Zone": [{}, {"source": "crm", "table": "Zonez"}]}
    assert "entities.Zone.1.table" in world.run(1).failures[1]["Zone"]


def test_a_text_of_ten_megabytes_arrives_whole_by_every_reader(
    world: World, source: Database
) -> None:
    def notes(select: str) -> None:
        fill(
            source,
            f'DROP TABLE IF EXISTS public."Account"; CREATE TABLE public."Account" AS {select}',
        )

    def found() -> list[tuple[Any, ...]]:
        return world.rows(
            'SELECT "Id", length("Notes"), md5("Notes") FROM integrator."Account" ORDER BY 1'
        )

    text = 'è 🚚,"\n' * (1024 * 1024)  # of ten bytes
    world.erp(Account=[{"Id": "A", "Notes": text}, {"Id": "B", "Notes": "short"}])
    world.entities = {"Account": {}}
    world.done(1)
    by_cursor = found()
    assert by_cursor[0][1] == len(text)
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        for kind in ("text", "bytea"):  # COPY; a bytea is read by the cursor
            connection.execute('DROP TABLE IF EXISTS public."Account"')
            connection.execute(f'CREATE TABLE public."Account" ("Id" text, "Notes" {kind})')
            value = text if kind == "text" else text.encode()
            connection.execute(
                "INSERT INTO public.\"Account\" VALUES ('A', %s), ('B', 'short')", [value]
            )
            world.source_url = url_of(source)
            world.done(1)
            assert found() == by_cursor
    if url := os.environ.get("KIMO_TEST_MYSQL_URL"):
        _mariadb(
            url,
            "DROP TABLE IF EXISTS Account",
            "CREATE TABLE Account (Id varchar(9), Notes longtext) CHARSET utf8mb4",
        )
        engine = create_engine(url)
        with engine.begin() as erp:
            erp.exec_driver_sql("INSERT INTO Account VALUES ('A', %s), ('B', 'short')", (text,))
        engine.dispose()
        world.source_url = url
        world.done(1)
        assert found() == by_cursor


def _mariadb(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_missing_driver_fails_every_entity_alike(world: World) -> None:
    world.erp(Zone=ids("N"), Carrier=ids("C"), ImportFromErpSemaphore=[{"Status": 0}])
    world.settings = {
        "sources": {"erp": {"url": world.erp_file.url}, "crm": {"url": "nosuch://kimo@host/crm"}}
    }
    world.entities = {"Zone": {}, "Carrier": {"source": "crm"}}
    report = world.run()
    assert set(report.failures[1]) == {"Zone", "Carrier"}
    (reason,) = set(report.failures[1].values())
    assert "source 'crm': no driver for nosuch" in reason
    assert list(report.steps) == [1]


# --- locked tables
# --------------------------------------------------------------------------------------------------


def limited(url: str, lock_timeout_s: float) -> Row:
    return {"sources": {"erp": {"url": url, "lock_timeout_s": lock_timeout_s}}}


def test_a_table_locked_on_postgresql_fails_its_entity_and_names_who_holds_it(
    world: World, source: Database
) -> None:
    fill(
        source,
        'CREATE TABLE public."Zone" AS SELECT \'N\' AS "Id"; CREATE TABLE public."Carrier" AS TABLE'
        ' "Zone"',
    )
    world.settings, world.entities = limited(url_of(source), 0.2), {"Zone": {}, "Carrier": {}}
    with psycopg.connect(source.dsn, application_name="their batch") as other:
        other.execute('LOCK TABLE public."Zone"')
        report = world.run(1)
        pid = other.info.backend_pid
    assert set(report.failures[1]) == {"Zone"}
    assert re.match(
        rf"table Zone is locked by another session: \"Zone\" by session {pid} \(postgres, their"
        r" batch\) since "
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\. End that session, .*; waited 0\.2 s"
        r" \(sources\.erp\.lock_timeout_s\)$",
        report.failures[1]["Zone"],
    )
    world.done(1)


def test_a_locked_sqlite_file_fails_its_entities_within_the_limit(world: World) -> None:
    world.erp(Zone=ids("N"))
    world.settings, world.entities = limited(world.erp_file.url, 0.2), {"Zone": {}}
    with closing(sqlite3.connect(world.erp_file.file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        reason = world.run(1).failures[1]["Zone"]
    assert "locked" in reason
    assert "waited 0.2 s (sources.erp.lock_timeout_s)" in reason
    world.done(1)


def test_a_table_locked_on_mariadb_fails_its_entity(world: World) -> None:
    url = mariadb_url()
    _mariadb(
        url,
        "DROP TABLE IF EXISTS Zone",
        "CREATE TABLE Zone (Id varchar(9))",
        "INSERT INTO Zone VALUES ('N')",
    )
    world.settings, world.entities = limited(url, 1), {"Zone": {}}
    engine = create_engine(url)
    with engine.connect() as other:
        other.exec_driver_sql("LOCK TABLES Zone WRITE")
        reason = world.run(1).failures[1]["Zone"]
        other.exec_driver_sql("UNLOCK TABLES")
    engine.dispose()
    assert reason.startswith("table Zone is locked by another session. End that session, ")
    assert reason.endswith("; waited 1 s (sources.erp.lock_timeout_s)")
    world.done(1)


def mariadb_url() -> str:
    url = os.environ.get("KIMO_TEST_MYSQL_URL")
    if not url:
        pytest.skip(
            "KIMO_TEST_MYSQL_URL names no MariaDB whose tables Zone and Account may be replaced"
        )
    pytest.importorskip("pymysql", reason="the driver pymysql is not installed")
    return url


# --- wrong passwords
# -------------------------------------------------------------------------------------------------


def refused(world: World, url: str, secrets: Sequence[str]) -> str:
    pauses: list[float] = []
    world.settings, world.entities = {"sources": {"erp": {"url": url}}}, {"Zone": {}, "Carrier": {}}
    (reason,) = {report.error for report in stage(world, Listener(), sleep=pauses.append).values()}
    assert reason is not None
    assert pauses == []  # asking again would lock the user out
    assert not any(secret in reason for secret in secrets)
    assert re.search(r"See .*kimo\.yaml, line \d+: sources\.erp\.url\.$", reason)
    return reason


def test_a_wrong_password_on_mariadb_is_one_line_without_it(world: World) -> None:
    host = mariadb_url().rpartition("@")[2]
    reason = refused(world, f"mysql+pymysql://nobody_known:s3cret%2Fword@{host}", ["s3cret"])
    assert "Access denied for user 'nobody_known'" in reason


def test_a_wrong_password_on_postgresql_is_one_line_without_it(
    world: World, source: Database
) -> None:
    """The embedded server asks nobody for a password, so one of its databases is made to."""
    with asking_for_password(source, "right") as line:
        reason = refused(world, line.url("asked", "s3cret/word"), ["s3cret"])
    assert 'password authentication failed for user "asked"' in reason
