"""What is kept of the past goes after a while, and nothing that anything still rests on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from kimo_assets.catalog import load_catalog
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database
from kimo_assets.defs.in_process import launch_cleaning, launch_import
from kimo_assets.defs.instance import dagster_home
from kimo_assets.defs.jobs.cleaning import clean_instance
from kimo_assets.diagnostics.explain_visibility import explain_visibility
from kimo_assets.diagnostics.status import read_status
from kimo_assets.errors import LockedError
from kimo_assets.maintenance import retention
from kimo_assets.maintenance.retention import clean_ledger
from kimo_assets.pipeline.plan import make_plan
from kimo_assets.pipeline.workflows import run_undo
from kimo_assets.reports import TaskReport
from kimo_assets.staging.rejected import rejected_rows
from kimo_assets_tests.support.company import World, agents, ids
from kimo_assets_tests.support.export_company import Silent

KINDS = {
    "results of steps",
    "weights of manifests",
    "answered records of exports",
    "batches of exports",
    "rows left in the outbox",
    "rejected rows of entities that are not mapped",
    "loads",
    "reports of runs",
    "snapshots of a plan",
}


def clean(world: World, *, in_days: float = 0, **options: Any) -> dict[str, int]:
    """What a cleaning finds that comes so many days later."""
    later = datetime.now(UTC) + timedelta(days=in_days)
    report: TaskReport = clean_ledger(
        world.config, world.database, Silent(), now=lambda: later, **options
    )
    assert set(report.counts) == KINDS
    return {name: rows for name, rows in report.counts.items() if rows}


def age(world: World, days: int, up_to: int) -> None:
    """Loads up to this one were so many days earlier."""
    moved = f"interval '{days} days'"
    world.execute(
        f"UPDATE ops.load SET started_at = started_at - {moved}, finished_at = finished_at -"
        f" {moved} WHERE load <= {up_to}; UPDATE ops.step_result SET at = at - {moved} WHERE load"
        f" <= {up_to}"
    )


@pytest.fixture
def company(world: World) -> World:
    """Six imports, each with another Zone; one row is refused since the first."""
    for number in range(6):
        world.erp(
            SalesAgent=agents("1"),
            Zone=[
                {"Id": "N", "Description": f"North {number}"},
                {"Id": "Z", "Description": "x" * 101},
                *ids("S"),
            ],
        )
        world.done()
    return world


def picture(world: World) -> Any:
    """What people see of the present and of the way to it."""
    with world.database.connect() as connection:
        document = read_status(connection, world.config).as_json()
        refused = [(row.entity, row.rule) for row in rejected_rows(connection, world.config)]
    seen = explain_visibility(world.config, world.database, "1", load_catalog()["Zone"], "S")
    return (
        document,
        seen,
        refused,
        world.received("1", "SELECT Id, Description FROM Zone ORDER BY 1"),
    )


def test_nothing_goes_that_is_young(company: World) -> None:
    assert clean(company) == {}


def test_old_results_go_and_status_why_and_quarantine_tell_the_same(company: World) -> None:
    company.settings = {"history": {"keep_loads": 1}}
    company.done()
    age(company, 400, 5)
    before = picture(company)
    tried = clean(company, dry_run=True)
    assert picture(company) == before
    counts = clean(company)
    assert counts == tried
    assert counts["results of steps"] >= 20
    # Row S of Zone is of load 1, which also refused Z first; an undo could go back to load 5;
    # nothing names the others.
    assert counts["loads"] == 3
    assert company.rows("SELECT load FROM ops.load ORDER BY 1") == [(1,), (5,), (6,), (7,)]
    assert picture(company) == before
    assert clean(company) == {}
    assert company.done().load == 8


def test_what_an_undo_can_go_back_to_stays(company: World) -> None:
    age(company, 400, 6)
    clean(company)
    run_undo(company.config, company.database, to=2)
    assert company.value('SELECT "Description" FROM kimo."Zone" WHERE "Id" = \'N\'') == "North 1"


def test_the_last_result_of_a_step_stays_however_old(company: World) -> None:
    before = picture(company)[0]["entities"]
    clean(company, in_days=1000)
    assert picture(company)[0]["entities"] == before


def test_many_rows_go_in_pieces_and_no_more_than_a_run_may_take(
    company: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    monkeypatch.setattr(retention, "_MOST", 6)
    company.settings = {"history": {"keep_loads": 0}}
    company.done()
    later = datetime.now(UTC) + timedelta(days=1000)
    report = clean_ledger(company.config, company.database, Silent(), now=lambda: later)
    assert report.counts["results of steps"] == 6
    assert "results of steps: only the first 6, the rest is the next run's" in report.notes
    while clean(company, in_days=1000):
        pass
    assert company.value("SELECT count(*) FROM ops.step_result") < 10


def test_of_exports_what_was_answered_goes_and_what_waits_stays(world: World) -> None:
    world.erp(SalesAgent=agents("1"))
    world.done(1, 2)
    world.execute("""
        INSERT INTO ops.export_batch (load, source, entity, state, ended_at) SELECT 1, 'erp',
            'Account', state, now()
        FROM unnest(ARRAY['exported', 'exported', 'exported', 'exported', 'committing',
            'taken back']) AS state;
        INSERT INTO ops.export_record (entity, id, batch, sync_reference, outcome, answered_at)
            VALUES
            ('Account', 'answered', 1, 'S1', 'acknowledged', now()),
            ('Account', 'refused', 2, 'S2', 'refused', now()),
            ('Account', 'amended', 2, 'S3', 'refused', now()),
                ('Account', 'amended', 3, 'S3', 'acknowledged', now()),
            ('Account', 'sent', 4, 'S4', 'sent', NULL),
            ('Account', 'again', 2, 'S5', 'refused', now()),
                ('Account', 'again', 4, 'S5', 'sent', NULL),
            ('Account', 'unknown', 5, 'S6', NULL, NULL);
        INSERT INTO integrator.outbox VALUES (1, 1, 'Account', 'answered', 'answered', '{}'),
            (5, 1, 'Account', 'unknown', 'unknown', '{}');
        """)
    assert clean(world) == {"rows left in the outbox": 1}
    counts = clean(world, in_days=400)
    assert (counts["answered records of exports"], counts["batches of exports"]) == (4, 3)
    assert world.rows("SELECT id, batch FROM ops.export_record ORDER BY 1, 2") == [
        ("again", 4),
        ("refused", 2),
        ("sent", 4),
        ("unknown", 5),
    ]
    assert world.rows("SELECT batch FROM ops.export_batch ORDER BY 1") == [(2,), (4,), (5,)]
    assert world.rows("SELECT id FROM integrator.outbox") == [("unknown",)]


def test_refused_rows_go_only_with_their_entity_and_a_plan_that_nobody_applies_goes(
    company: World,
) -> None:
    company.erp(Zone=ids("new"))
    make_plan(company.config, company.database, company.config.entity_names, save=True)
    staged = company.value("SELECT count(*) FROM ops.planned")
    assert clean(company, in_days=50) == {}
    assert clean(company, in_days=100)["snapshots of a plan"] == staged
    assert "rejected rows of entities that are not mapped" not in clean(company, in_days=400)
    company.entities = {"SalesAgent": {}}
    assert clean(company) == {}
    assert clean(company, in_days=400)["rejected rows of entities that are not mapped"] == 1


def test_no_cleaning_while_a_run_is_going_on(company: World) -> None:
    with exclusive(company.database), pytest.raises(LockedError):
        clean(company)


# --- Dagster
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def imported(tmp_path: Path, database: Database, new_database: Callable[[], Database]) -> World:
    """A company with a Dagster instance of its own; three imports of all, one more of Zone
    alone.
    """
    own, dagster = new_database(), f"dagster_of_upkeep_{next(_NUMBERS)}"
    with database.connect() as connection:
        connection.execute(f"CREATE DATABASE {dagster}")  # type: ignore[arg-type]
    url = database.dagster_url.replace("/dagster?", f"/{dagster}?")
    world = World(tmp_path, Database(own.dsn, url))
    world.erp(SalesAgent=agents("1"), Zone=ids("N"))
    for entities in ((), (), ("Zone",)):
        launch_import(world.config, world.database, entities=entities, only_listed=bool(entities))
    return world


_NUMBERS = count()


def test_runs_go_with_their_events_and_the_partitions_stay_what_they_were(imported: World) -> None:
    world = imported
    with dg.DagsterInstance.from_config(
        str(dagster_home(world.config, world.database))
    ) as instance:
        first, second, third = sorted(
            instance.get_run_records(), key=lambda record: record.storage_id
        )
        logs = dagster_home(world.config, world.database) / "logs"
        assert (logs / first.dagster_run.run_id).exists()
        shown = {
            asset: instance.get_materialized_partitions(asset)
            for asset in instance.all_asset_keys()
        }
        assert {len(partitions) for partitions in shown.values() if partitions} == {2}
        later = datetime.now(UTC) + timedelta(seconds=5)
        tried = clean_instance(instance, later, dry_run=True)
        assert len(instance.get_run_records()) == 3
        counts = clean_instance(instance, later)
        assert (
            counts
            == tried
            == {
                "runs": 1,
                "old runs that partitions rest on": 2,
                "ticks of sensors and schedules": 0,
            }
        )
        left = {record.dagster_run.run_id for record in instance.get_run_records()}
        assert left == {second.dagster_run.run_id, third.dagster_run.run_id}
        assert not instance.all_logs(first.dagster_run.run_id)
        assert {folder.name for folder in logs.iterdir()} == left
        assert {
            asset: instance.get_materialized_partitions(asset)
            for asset in instance.all_asset_keys()
        } == shown
        assert clean_instance(instance, datetime.now(UTC) - timedelta(days=1))["runs"] == 0


def test_the_job_cleans_both_and_says_so(imported: World) -> None:
    world = imported
    world.settings = {
        "retention": {"runs_days": 1e-9, "ledger_days": 1e-9},
        "history": {"keep_loads": 0},
    }
    launch_import(world.config, world.database)
    tried = launch_cleaning(world.config, world.database, dry_run=True)
    assert "Nothing was deleted" in tried.notes[-1]
    report = launch_cleaning(world.config, world.database)
    assert report.counts["runs"] >= 3
    assert report.counts["results of steps"] > 0
    assert report.run_id
    assert launch_import(world.config, world.database).success
