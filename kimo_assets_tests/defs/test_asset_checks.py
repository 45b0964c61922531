"""The checks of each layer: recorded whichever door did the step, and one of them keeps the next
step from starting.
"""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from psycopg import sql

from kimo_assets.defs.build import build_defs
from kimo_assets.errors import GuardError
from kimo_assets.geocoding.positions import WRITTEN
from kimo_assets.quality import ALL_CHECKS, Check, CheckResult
from kimo_assets.quality.data_checks import (
    ADDRESSES_ARE_FOUND,
    EVERY_PICTURE_IS_THERE,
    NOTHING_REJECTED_ABOVE,
    REFERENCES_RESOLVE,
    ROW_COUNTS_ARE_USUAL,
    TABLETS_DATA_ARE_FRESH,
)
from kimo_assets_tests.defs.conftest import ASSETS, Company

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def zones(good: int, bad: int) -> list[dict[str, Any]]:
    """Rows of which so many have a description that is too long."""
    return [
        {"Id": f"Z{number}", "Description": "x" * 200 if number < bad else "short"}
        for number in range(good + bad)
    ]


def result_of(company: Company, check: Check) -> CheckResult:
    with company.database.connect() as connection:
        return check.evaluate(connection, company.config, None)


def recorded(company: Company, check: Check) -> list[dg.AssetCheckEvaluation]:
    """What Dagster shows of a check, newest first."""
    with company.instance() as instance:
        runs = [run.run_id for run in instance.get_runs()]
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        logs = [entry for run in runs for entry in instance.all_logs(run, of_type=kind)]
    events = [entry.dagster_event.event_specific_data for entry in logs if entry.dagster_event]
    return [
        each
        for each in events
        if isinstance(each, dg.AssetCheckEvaluation) and each.check_name == check.name
    ]


@pytest.fixture(scope="module")
def bad(new_company: Callable[[], Company]) -> Company:
    """A company in which far too many zones are refused, after the full import that this has
    stopped. To be looked at.
    """
    company = new_company()
    company.erp(Zone=zones(10, 60))
    with pytest.raises(GuardError) as raised:
        company.launch()
    assert str(raised.value).startswith(
        "Too many rows were rejected: Zone (60 of 70 rows, 86%). At 50% the next step does"
    )
    return company


def test_a_failed_blocking_check_stops_the_full_import_before_step_2(bad: Company) -> None:
    materialized = bad.materialized()
    assert "Zone" in materialized["erp_staging"]
    assert not materialized["kimo_tables"]
    assert not materialized["sync_payloads"]
    assert bad.value("SELECT count(*) FROM ops.step_result WHERE step > 1") == 0
    assert bad.rows("SELECT success FROM ops.load") == [(False,)]
    assert bad.runs()[0].status is dg.DagsterRunStatus.FAILURE


def test_the_blocking_check_is_recorded_as_an_error_that_says_what_to_do(bad: Company) -> None:
    (evaluation,) = recorded(bad, NOTHING_REJECTED_ABOVE)
    assert (evaluation.passed, evaluation.severity, evaluation.blocking) == (False, ERROR, True)
    assert evaluation.description is not None
    assert evaluation.description.startswith("Zone: 60 of 70 rows rejected. Allowed are 2.0%")
    assert "kimo rejected Zone" in evaluation.description


def test_the_mask_is_stopped_as_well_and_what_is_allowed_goes_on(bad: Company) -> None:
    with pytest.raises(GuardError):
        bad.launch(entities=["Zone"])
    assert bad.value("SELECT count(*) FROM ops.step_result WHERE step > 1") == 0
    assert bad.launch(
        entities=["Item"], only_listed=True
    ).success  # others' rejected rows do not concern it
    assert bad.launch(entities=["Zone"], allow_shrink=True).success
    assert bad.launch(allow_shrink=True).success
    assert recorded(bad, NOTHING_REJECTED_ABOVE)[0].severity is WARN


def test_few_refused_rows_are_a_warning_whatever_their_share(company: Company) -> None:
    """One of two zones is refused."""
    assert company.launch().success
    (evaluation,) = recorded(company, NOTHING_REJECTED_ABOVE)
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    for check in (ROW_COUNTS_ARE_USUAL, TABLETS_DATA_ARE_FRESH):
        assert [each.passed for each in recorded(company, check)] == [True]
    (dangling,) = recorded(company, REFERENCES_RESOLVE)
    assert dangling.passed is False
    assert (
        dangling.description
        == "Account.ZoneId: 1 of 2 rows point to no Zone. Import Zone too, or correct the rows in"
        " the ERP."
    )
    company.launch(entities=["Zone"])
    assert len(recorded(company, NOTHING_REJECTED_ABOVE)) == 2
    assert len(recorded(company, REFERENCES_RESOLVE)) == 2
    # Too much is refused only of the snapshot that stands: once it is mended, all is well.
    company.erp(Zone=zones(2, 0))
    company.launch(entities=["Zone"], only_listed=True)
    assert result_of(company, NOTHING_REJECTED_ABOVE).passed


def test_a_check_asked_for_by_itself_takes_no_load_number(company: Company) -> None:
    company.erp(Zone=zones(10, 60))
    with pytest.raises(GuardError):
        company.launch(steps=[1])
    loads = company.value("SELECT max(load) FROM ops.load")
    with company.instance() as instance:
        defs = build_defs(company.config, database=company.database)
        checks = [
            each
            for each in defs.asset_checks or ()
            if NOTHING_REJECTED_ABOVE.name in str(each.check_keys)
        ]
        result = dg.materialize(
            checks,
            instance=instance,
            resources=defs.resources,
            selection=dg.AssetSelection.checks(*checks),
            raise_on_error=False,
        )
    assert [each.severity for each in result.get_asset_check_evaluations()] == [ERROR]
    assert company.value("SELECT max(load) FROM ops.load") == loads


def test_row_counts_that_differ_much_from_the_last_loads_are_told(company: Company) -> None:
    for _ in range(2):
        company.erp(Zone=zones(200, 0))
        company.launch(entities=["Zone"])
    assert result_of(company, ROW_COUNTS_ARE_USUAL).passed
    company.erp(Zone=zones(100, 0))
    company.launch(entities=["Zone"], allow_shrink=True)
    assert result_of(company, ROW_COUNTS_ARE_USUAL).sentence.startswith(
        "Zone: 100 rows, usual are 200. Ask at the ERP"
    )


def test_data_that_were_not_read_for_too_long_are_told_by_name(company: Company) -> None:
    assert result_of(company, TABLETS_DATA_ARE_FRESH).sentence == "Nothing was imported yet."
    company.launch()
    assert result_of(company, TABLETS_DATA_ARE_FRESH).passed
    company.execute(
        "UPDATE ops.staged SET staged_at = now() - interval '27 hours' WHERE entity = 'Item'"
    )
    stale = result_of(company, TABLETS_DATA_ARE_FRESH)
    assert stale.subjects == ("Item",)
    assert (
        "1 of 8 entities are older than 26 hours (limits: fresh_hours): Item of " in stale.sentence
    )


def test_missing_pictures_and_unknown_addresses_are_warnings(company: Company) -> None:
    for check in (EVERY_PICTURE_IS_THERE, ADDRESSES_ARE_FOUND):
        assert result_of(company, check).passed
    company.execute(
        'INSERT INTO kimo."ItemImage" ("Id", "ItemId", "FilePath") VALUES (\'1\', \'I1\','
        " 'a.jpg')"
    )
    company.execute(
        "INSERT INTO ops.picture_name VALUES ('ItemImage', 'a.jpg', NULL, 'no such file')"
    )
    missing = result_of(company, EVERY_PICTURE_IS_THERE)
    assert missing.sentence.startswith(
        "Missing pictures: 1. ItemImage I1: a.jpg: no such file. Put"
    )
    assert missing.severity == "warning"
    company.execute("""INSERT INTO kimo."Account" ("Id", "AccountTypeId") VALUES ('C1', 1)""")
    address = sql.SQL(
        """INSERT INTO ops.address (written, query) SELECT {}, 'Via X' FROM kimo."Account" AS a"""
    )
    with company.database.connect() as connection:
        connection.execute(address.format(WRITTEN))
    company.execute("INSERT INTO ops.geocode (query, status) VALUES ('Via X', 'ZERO_RESULTS')")
    unknown = result_of(company, ADDRESSES_ARE_FOUND)
    assert unknown.sentence.startswith("Addresses that are not found: 1 of 1. C1 (Via X): ")
    assert unknown.severity == "warning"


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.name)
def test_every_check_says_what_to_do(check: Check) -> None:
    assert "What to do: " in check.description
    assert check.asset in (*ASSETS, "public_images", "geopositions", "erp_outbox")
