"""Imports as Dagster runs on a real instance: which partitions are recorded, with what, and what a
failure leaves.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from kimo_assets.catalog.menu import MENU
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database
from kimo_assets.defs.build import build_defs
from kimo_assets.errors import ContractError, LockedError, UnknownEntityError
from kimo_assets.reports import ImportReport
from kimo_assets_tests.defs.conftest import ASSETS, ERP, Company
from kimo_assets_tests.support.company import by_entity

EVERY = set(ERP)
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def statuses(report: ImportReport) -> set[str]:
    return {entity.status for step in report.steps.values() for entity in step.entities.values()}


def materialize(
    company: Company, *partitions: str, assets: Sequence[str] = ASSETS
) -> dg.ExecuteInProcessResult:
    """What the UI's dialog starts: one run over a range, of the assets' own hidden job."""
    with company.instance() as instance, warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        defs = build_defs(company.config, database=company.database)
        return dg.materialize(
            [asset for asset in defs.assets or () if asset.key.to_user_string() in assets],
            instance=instance,
            resources=defs.resources,
            selection=list(assets),
            tags=dict(zip(RANGE, (partitions[0], partitions[-1]), strict=True)),
            raise_on_error=False,
        )


# --- All entities
# ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Imported:
    company: Company
    report: ImportReport


@pytest.fixture(scope="module")
def imported(new_company: Callable[[], Company]) -> Imported:
    """A company after its first full import, to be looked at only."""
    company = new_company()
    return Imported(company, company.launch())


def test_a_full_import_materializes_every_entity_in_each_of_the_three_assets(
    imported: Imported,
) -> None:
    company, report = imported.company, imported.report
    assert report.success
    assert list(report.steps) == [1, 2, 3]
    assert company.materialized() == dict.fromkeys(ASSETS, EVERY)
    (run,) = company.runs()
    assert (run.run_id, run.job_name, run.status) == (
        report.run_id,
        "full_import_from_erp",
        dg.DagsterRunStatus.SUCCESS,
    )
    assert company.rows("SELECT load, run_id, title, success FROM ops.load") == [
        (report.load, report.run_id, "Import completo", True)
    ]


def test_a_partition_shows_counts_seconds_a_sample_and_its_refused_rows(imported: Imported) -> None:
    company = imported.company
    zone = company.metadata("erp_staging", "Zone")
    assert (zone["status"], zone["read"], zone["staged"], zone["rejected"]) == ("ok", 2, 1, 1)
    assert zone["rejected: text_too_long"] == 1
    assert zone["dagster/row_count"] == 1
    assert zone["seconds"] >= 0
    assert zone["table"] == 'integrator."Zone"'
    assert zone["read from"] == "erp: Zone"
    assert zone["sample"] == "| Id | Description |\n| --- | --- |\n| N | Nord |"
    assert (
        zone["rejected rows"]
        == "| rule | column | value | row | since |\n| --- | --- | --- | --- | --- |\n"
        f"| text_too_long | Description | {('Sud' * 40)[:59]}… | Id=S | new |"
    )
    assert zone["all rejected rows"] == "`kimo rejected Zone`"
    # What an operator looks for stands first, also where Dagster adds entries of its own.
    assert list(zone)[:4] == ["status", "read", "staged", "rejected"]


def test_a_partition_of_step_2_shows_what_was_loaded_held_refused_and_points_nowhere(
    imported: Imported,
) -> None:
    company = imported.company
    account = company.metadata("kimo_tables", "Account")
    assert {
        name: account[name]
        for name in ("inserted", "updated", "archived", "unchanged", "held", "refused")
    } == {
        "inserted": 2,
        "updated": 0,
        "archived": 0,
        "unchanged": 0,
        "held": 0,
        "refused": 0,
    }
    assert account["dangling: ZoneId"] == 1
    assert "| ZoneId | Zone | 1 | X |" in account["references to nowhere"]
    assert "rejected rows" not in account
    translation = company.metadata("kimo_tables", "ItemTranslation")
    assert (translation["inserted"], translation["refused"]) == (1, 1)
    assert "| missing_owner | ItemId | I9 |" in translation["rejected rows"]


def test_a_partition_of_step_3_shows_rows_agents_and_where_the_payloads_are(
    imported: Imported,
) -> None:
    company = imported.company
    account = company.metadata("sync_payloads", "Account")
    assert (account["status"], account["rows"], account["agents"]) == ("ok", 2, 2)
    assert account["objects_written"] > 0
    assert account["store"] == company.config.sync_store


def test_a_sample_is_a_table_whatever_stands_in_it(company: Company) -> None:
    company.erp(Zone=[{"Id": "N|1", "Description": "a <b>bold</b>\nline \\"}])
    company.launch(entities=["Zone"])
    sample = company.metadata("erp_staging", "Zone")["sample"]
    assert sample.splitlines()[2] == r"| N\|1 | a &lt;b>bold&lt;/b> line \\ |"


def test_a_sample_stays_as_narrow_as_the_page(company: Company) -> None:
    long = {"Name": "n" * 80, "AddressLine": "a" * 90, "AddressCity": "c" * 30, "Notes": "o" * 500}
    company.erp(
        Account=[{"Id": f"C{i}", "ZoneId": "N", "AccountTypeId": 1, **long} for i in range(9)]
    )
    company.launch()
    lines = company.metadata("erp_staging", "Account")["sample"].splitlines()
    assert lines[0].startswith("| Id | ")
    assert "Name" in lines[0]
    assert len(lines) == 2 + 5
    assert max(map(len, lines)) < 90


def test_the_columns_of_an_entity_are_shown_with_types_and_what_they_refer_to(
    company: Company,
) -> None:
    company.entities = {"Zone": {"fields": {"Description": "NOME"}}, "SalesAgent": {}}
    company.erp(Zone=[{"Id": "N", "NOME": "Nord", "SalesAgentId": "AG1"}])
    company.launch()
    columns = company.metadata("erp_staging", "Zone")["dagster/column_schema"].columns
    assert [(column.name, column.type, column.description) for column in columns] == [
        ("Id", "text(50)", None),
        ("Description", "text(100)", "from NOME"),
        ("SalesAgentId", "text(50)", "a row of SalesAgent"),
    ]


def test_a_second_import_of_an_unchanged_erp_says_so_in_every_partition(company: Company) -> None:
    company.launch()
    again = company.launch()
    assert again.success
    assert statuses(again) == {"unchanged"}
    for asset in ASSETS:
        assert company.metadata(asset, "Zone")["status"] == "unchanged"
    # The rejected rows of the snapshot in place are still refused.
    assert "text_too_long" in company.metadata("erp_staging", "Zone")["rejected rows"]


def test_the_runs_log_sums_up_each_step_and_names_who_needs_a_look(imported: Imported) -> None:
    run_id = imported.report.run_id
    assert run_id is not None
    with imported.company.instance() as instance:
        first, *messages = [
            entry.user_message for entry in instance.all_logs(run_id) if not entry.is_dagster_event
        ]
    assert (
        first
        == "source 'erp' has no table ImportFromErpSemaphore: nothing keeps the ERP from writing"
        " meanwhile"
    )
    assert [message.splitlines()[0].split(": ")[0] for message in messages] == [
        "Step 1",
        "Step 2",
        "Step 3",
    ]
    assert "8 entities, 0 unchanged. read 14, staged 13, rejected 1" in messages[0]
    assert messages[0].splitlines()[1:] == ["  Zone: 1 rejected"]
    assert messages[1].splitlines()[1:] == [
        "  ItemTranslation: 1 refused",
        "  Account: 1 dangling ZoneId",
    ]


# --- Failures
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def failed(company: Company) -> Company:
    """One entity's table is gone from the ERP, and is still mapped."""
    company.entities = {name: {} for name in ERP}
    company.without("Zone")
    return company


def by_all(company: Company) -> ImportReport:
    return company.launch()


def by_mask(company: Company) -> ImportReport:
    return company.launch(entities=list(ERP), only_listed=True)


ENTRY_POINTS = pytest.mark.parametrize("entry_point", [by_all, by_mask])


@ENTRY_POINTS
def test_a_failing_entity_leaves_exactly_the_good_partitions_and_no_further_step(
    failed: Company, entry_point: Callable[[Company], ImportReport]
) -> None:
    report = entry_point(failed)
    assert not report.success
    assert list(report.steps) == [1]
    assert failed.materialized() == {
        "erp_staging": EVERY - {"Zone"},
        "kimo_tables": set(),
        "sync_payloads": set(),
    }
    (run,) = failed.runs()
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert failed.rows("SELECT success FROM ops.load") == [(False,)]
    # And the run says which entity and why, where the operator looks.
    reason = report.failures[1]["Zone"]
    assert "Zone" in reason
    error, metadata = _failure(failed, report.run_id)
    assert (
        error
        == "Step 1: Import da Erp a KimoIntegrator: 1 of 8 entities failed, the others are done"
        f" and kept. Zone: {reason}"
    )
    assert metadata["failed"].startswith("| entity | why |\n| --- | --- |\n| Zone | ")


def _failure(company: Company, run_id: str | None) -> tuple[str, dict[str, Any]]:
    assert run_id is not None
    with company.instance() as instance:
        failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    (entry,) = failures
    data = entry.get_dagster_event().step_failure_data
    assert data.user_failure_data is not None
    description = data.user_failure_data.description or ""
    return description, {
        name: value.value for name, value in data.user_failure_data.metadata.items()
    }


def test_what_failed_is_mended_by_running_it_alone(failed: Company) -> None:
    failed.launch()
    failed.erp(Zone=ERP["Zone"])
    assert failed.launch().success
    assert failed.materialized() == dict.fromkeys(ASSETS, EVERY)


def test_a_step_whose_every_entity_fails_records_nothing(company: Company) -> None:
    report = company.launch(steps=[2])
    assert set(report.failures[2]) == EVERY
    assert all("run step 1 for it first" in reason for reason in report.failures[2].values())
    assert company.materialized() == {asset: set() for asset in ASSETS}


def test_a_run_that_breaks_outside_any_entity_is_one_sentence(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("kimo_assets.pipeline.steps._stage", break_down)
    with pytest.raises(ContractError, match=r"run [0-9a-f-]{36} broke: OSError: disk full"):
        company.launch()
    # The lock and the load were given back all the same.
    monkeypatch.undo()
    assert company.launch().success
    assert company.rows("SELECT success FROM ops.load ORDER BY load") == [(False,), (True,)]


# --- A choice of steps
# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "steps"), [(entry.job, entry.steps) for entry in MENU if entry.steps]
)
def test_each_job_does_its_steps_and_no_other(
    company: Company, job: str, steps: tuple[int, ...]
) -> None:
    for before in range(1, steps[0]):
        company.done(before)
    report = company.launch(steps=steps)
    assert report.success
    assert tuple(report.steps) == steps
    assert company.runs()[0].job_name == job
    done = {ASSETS[step - 1] for step in steps}
    assert company.materialized() == {asset: EVERY if asset in done else set() for asset in ASSETS}


def test_steps_that_are_no_menu_entry_go_through_the_masks_job(company: Company) -> None:
    report = company.launch(steps=[1, 2])
    assert tuple(report.steps) == (1, 2)
    assert company.runs()[0].job_name == "import_entities"
    assert company.materialized() == {
        "erp_staging": EVERY,
        "kimo_tables": EVERY,
        "sync_payloads": set(),
    }


# --- A choice of entities
# ----------------------------------------------------------------------------------------


def test_one_partition_is_materialized_alone(company: Company) -> None:
    assert materialize(company, "Zone").success
    assert company.materialized() == {asset: {"Zone"} for asset in ASSETS}


def test_a_range_of_partitions_is_one_run_and_one_load(company: Company) -> None:
    names = company.config.entity_names
    assert materialize(company, *names[2:5]).success
    assert company.materialized() == {asset: set(names[2:5]) for asset in ASSETS}
    assert company.value("SELECT count(*) FROM ops.load") == 1


def test_partitions_that_are_no_neighbours_are_named_to_the_mask(company: Company) -> None:
    names = company.config.entity_names
    chosen = [names[0], names[-1]]
    report = company.launch(entities=chosen, only_listed=True)
    assert set(by_entity(report, 1)) == set(chosen)
    assert company.materialized() == {asset: set(chosen) for asset in ASSETS}
    assert company.value("SELECT count(*) FROM ops.load") == 1


def test_an_asset_of_the_ui_fails_like_the_job(failed: Company) -> None:
    names = failed.config.entity_names
    assert not materialize(failed, names[0], names[-1]).success
    assert failed.materialized()["erp_staging"] == EVERY - {"Zone"}
    assert failed.materialized()["kimo_tables"] == set()


def test_the_mask_brings_in_the_linked_entities(company: Company) -> None:
    report = company.launch(entities=["account"])
    linked = {"Account", "Zone", "SalesAgent", "SalesAgentPerAccount", "Language", "PriceList"}
    assert set(by_entity(report, 1)) == linked
    assert company.materialized() == dict.fromkeys(ASSETS, linked)


def test_the_mask_takes_only_the_listed_ones_when_told(company: Company) -> None:
    report = company.launch(entities=["Item", " ZONE "], only_listed=True)
    assert set(by_entity(report, 1)) == {"Item", "Zone"}
    assert company.materialized() == {asset: {"Item", "Zone"} for asset in ASSETS}


def test_the_mask_does_the_chosen_steps_alone(company: Company) -> None:
    company.launch(entities=["Zone"], steps=[1])
    assert company.materialized() == {
        "erp_staging": {"SalesAgent", "Zone"},
        "kimo_tables": set(),
        "sync_payloads": set(),
    }


def test_an_unknown_name_is_refused_with_a_suggestion_before_any_run(company: Company) -> None:
    with pytest.raises(
        UnknownEntityError,
        match=r"'Acount' is not an entity of this mapping.*Did you mean Account\?",
    ):
        company.launch(entities=["Acount"])
    assert company.runs() == []


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            {"entities": "Zone, Itm"},
            r"entities: 'Itm' is not an entity of this mapping.*Did you mean Item\?",
        ),
        ({"steps": [1, 4]}, "steps: 4 is no step; expected 1, 2 or 3"),
    ],
)
def test_a_mask_filled_in_wrongly_in_the_launchpad_is_explained_and_does_nothing(
    company: Company, mask: dict[str, Any], message: str
) -> None:
    with company.instance() as instance:
        result = _launchpad(company, instance, mask)
    assert not result.success
    assert re.match(message, _failure(company, result.run_id)[0])
    assert company.rows("SELECT 1 FROM ops.load") == []


def _launchpad(
    company: Company, instance: dg.DagsterInstance, mask: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    return (
        build_defs(company.config, database=company.database)
        .resolve_job_def("import_entities")
        .execute_in_process(
            instance=instance,
            run_config={"ops": {"import_named_entities": {"config": mask}}},
            raise_on_error=False,
        )
    )


def test_both_entry_points_leave_the_same_partitions_with_the_same_metadata(
    company: Company,
) -> None:
    company.launch()
    company.launch()
    through_assets = [_without_time(company.metadata(asset, "Zone")) for asset in ASSETS]
    partitions = company.materialized()
    company.launch(entities=list(ERP), only_listed=True)
    assert company.runs()[0].job_name == "import_entities"
    assert [_without_time(company.metadata(asset, "Zone")) for asset in ASSETS] == through_assets
    assert company.materialized() == partitions


def _without_time(metadata: dict[str, Any]) -> dict[str, Any]:
    """Without seconds, nor in how many loads a row was refused."""
    timeless = {name: value for name, value in metadata.items() if name != "seconds"}
    if "rejected rows" in timeless:
        timeless["rejected rows"] = re.sub(r"\(\d+ loads\)", "", timeless["rejected rows"])
    return timeless


def test_a_run_of_the_mask_shows_a_table_per_step(company: Company) -> None:
    run_id = company.launch(entities=["Zone"]).run_id
    assert run_id is not None
    with company.instance() as instance:
        (entry,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT)
    tables = entry.get_dagster_event().step_output_data.metadata
    assert list(tables) == ["step 1", "step 2", "step 3"]
    assert (
        str(tables["step 1"].value).splitlines()[0]
        == "| entity | status | read | staged | rejected | rejected_new | seconds |"
    )


def test_allow_shrink_reaches_step_1_through_both_entry_points(company: Company) -> None:
    company.settings = {"guards": {"min_shrink_rows": 0}}
    company.launch()
    company.erp(Item=ERP["Item"][:1])
    assert "--allow-shrink" in company.launch().failures[1]["Item"]
    assert company.launch(entities=["Item"], only_listed=True, allow_shrink=True).success
    company.erp(PriceList=[])
    assert company.launch(allow_shrink=True).success


# --- One at a time
# -----------------------------------------------------------------------------------------------


@pytest.fixture
def held(company: Company) -> Iterator[Company]:
    """Another import is running."""
    with exclusive(company.database) as connection:
        connection.execute("INSERT INTO ops.load (title, run_id) VALUES ('Import completo', 'r1')")
        yield company


def test_an_import_while_another_runs_is_refused_and_leaves_no_run(held: Company) -> None:
    with pytest.raises(
        LockedError, match=r"'Import completo' \(load 1, run r1\) is running since .* UTC"
    ):
        held.launch()
    assert held.runs() == []
    assert held.value("SELECT count(*) FROM ops.load") == 1


def test_a_run_that_meets_the_lock_in_its_first_step_says_who_holds_it(held: Company) -> None:
    result = materialize(held, "Zone")
    assert not result.success
    message, _ = _failure(held, result.run_id)
    assert message.startswith("Not started: 'Import completo' (load 1, run r1) is running since ")
    assert message.endswith("Wait until it has ended, then run this again.")
    assert held.materialized() == {asset: set() for asset in ASSETS}


def test_an_import_that_loses_the_race_for_the_lock_is_refused_as_locked(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the lock and the run's first step another run takes it."""

    def lose(database: Database) -> Any:
        raise LockedError("'Import completo' (load 7) is running")

    monkeypatch.setattr("kimo_assets.pipeline.steps.exclusive", lose)
    with pytest.raises(LockedError, match="load 7"):
        company.launch()


def test_the_commands_runs_are_listed_under_their_job_in_the_ui(company: Company) -> None:
    company.launch(entities=["Zone"])
    company.launch(steps=[3], entities=["Zone"])
    labels = {run.tags[".dagster/repository"] for run in company.runs()}
    assert labels == {"__repository__@kimo_assets.definitions"}


def test_the_instances_folder_leaves_the_environment_as_it_was(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "/somewhere/else")
    company.launch(entities=["Zone"], only_listed=True, steps=[1])
    assert os.environ["DAGSTER_HOME"] == "/somewhere/else"


def test_what_the_custom_task_says_stands_in_the_runs_log(company: Company) -> None:
    task = company.folder / "prepare.sh"
    task.write_text("#!/bin/sh\necho rebuilding prices\n", encoding="utf-8")
    task.chmod(0o755)
    company.settings = {"import": {"custom_task": "prepare.sh"}}
    for report in (by_all(company), by_mask(company)):
        assert report.run_id is not None
        with company.instance() as instance:
            entries = [
                entry for entry in instance.all_logs(report.run_id) if not entry.is_dagster_event
            ]
        said = {entry.user_message: entry.step_key for entry in entries}
        assert said["  rebuilding prices"] in ("erp_staging", "import_named_entities")
        assert f"custom task {task} starts" in said


def test_a_failure_that_all_entities_share_is_said_once(company: Company) -> None:
    task = company.folder / "prepare.sh"
    task.write_text("#!/bin/sh\nexit 4\n", encoding="utf-8")
    task.chmod(0o755)
    company.settings = {"import": {"custom_task": "prepare.sh"}}
    report = by_all(company)
    assert set(report.failures[1]) == EVERY
    error, _ = _failure(company, report.run_id)
    assert error.count("exit code 4") == 1
