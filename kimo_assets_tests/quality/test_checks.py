"""What the data must satisfy, asked without Dagster: the checks, and the rule that stops a run."""

from collections.abc import Sequence
from typing import Any

import pytest

from kimo_assets.errors import GuardError
from kimo_assets.quality import ALL_CHECKS, Check, CheckResult
from kimo_assets.quality.data_checks import (
    NOTHING_REJECTED_ABOVE,
    REFERENCES_RESOLVE,
    ROW_COUNTS_ARE_USUAL,
    stop_if_blocked,
)
from kimo_assets.quality.export_check import NOTHING_IS_STUCK
from kimo_assets.quality.finding import columns_of
from kimo_assets.quality.payload_check import PAYLOADS_ARE_WHOLE
from kimo_assets.texts import Language, use_language
from kimo_assets_tests.support.company import World, agents, ids

TOO_LONG = [{"Id": f"Z{number}", "Description": "x" * 200} for number in range(60)]
GOOD = [{"Id": f"G{number}", "Description": "good"} for number in range(20)]


def result_of(world: World, check: Check, load: int | None = None) -> CheckResult:
    with world.database.connect() as connection:
        return check.evaluate(connection, world.config, load)


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize(("language", "advice"), [("en", "What to do:"), ("it", "Cosa fare:")])
def test_every_check_says_what_to_do_in_both_languages(
    check: Check, language: Language, advice: str
) -> None:
    with use_language(language):
        assert advice in check.description


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.name)
def test_an_empty_company_fails_no_check(world: World, check: Check) -> None:
    world.erp(SalesAgent=agents("1"))
    result = result_of(world, check)
    assert result.passed, result.sentence
    assert (columns_of(result.findings), result.blocking) == ([], None)


# --- rejected rows
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def bad(world: World) -> World:
    """A company after step 1, with sixty of eighty zones rejected, which was allowed."""
    world.erp(SalesAgent=agents("1"), Zone=TOO_LONG + GOOD)
    world.done(1, allow_shrink=True)
    return world


def test_too_many_rejected_rows_stop_the_run_that_has_read_them(bad: World) -> None:
    load = bad.value("SELECT max(load) FROM ops.load")
    with bad.database.connect() as connection:
        with pytest.raises(GuardError, match=r"Zone \(60 of 80 rows, 75%\)\. At 50% the next step"):
            stop_if_blocked(connection, bad.config, load, allowed=False)
        stop_if_blocked(connection, bad.config, load, allowed=True)
        stop_if_blocked(connection, bad.config, load + 1, allowed=False)
        with pytest.raises(GuardError, match="Zone"):
            stop_if_blocked(connection, bad.config, load + 1, allowed=False, retried=["Zone"])


def test_fewer_rows_than_the_limit_never_block(bad: World) -> None:
    bad.settings = {"limits": {"min_blocking_rows": 61}}
    result = result_of(bad, NOTHING_REJECTED_ABOVE)
    assert (result.subjects, result.severity, result.blocking) == (("Zone",), "warning", None)


def test_a_result_reads_in_the_readers_language(bad: World) -> None:
    with use_language("it"):
        result = result_of(bad, NOTHING_REJECTED_ABOVE)
        columns = columns_of(result.findings)
    assert result.sentence.startswith("Zone: 60 righe scartate su 80. È consentito il 2.0%")
    assert columns == ["entità", "scartate", "lette", "quota"]
    assert result.severity == "error"
    assert result.allowed().severity == "warning"


# --- row counts
# --------------------------------------------------------------------------------------------------


def keep_counts(world: World, counts: Sequence[int]) -> None:
    """As if so many loads had read so many zones, one after the other."""
    for count in counts:
        world.execute(f"""
            WITH started AS (INSERT INTO ops.load (title) VALUES ('import') RETURNING load)
            INSERT INTO ops.step_result (load, step, entity, status, seconds, counts)
            SELECT load, 1, 'Zone', 'ok', 0, jsonb_build_object('read', {count}) FROM started
            """)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([200], None),
        ([200, 100], (100, 200)),
        ([200, 300], (300, 200)),
        ([200, 170], None),
        # The median of the five before, the lower one of two in the middle.
        ([999, 200, 200, 900, 900, 200, 100], (100, 200)),
        ([100, 200, 40], (40, 100)),
        # Fewer rows than min_shrink_rows.
        ([40, 1], None),
    ],
)
def test_the_newest_count_is_held_against_the_median_of_five(
    world: World, counts: Sequence[int], expected: tuple[int, int] | None
) -> None:
    world.erp(Zone=ids("N"))
    keep_counts(world, counts)
    findings = result_of(world, ROW_COUNTS_ARE_USUAL).findings
    pairs = [(finding.details["rows_read"], finding.details["usual"]) for finding in findings]
    assert pairs == ([expected] if expected else [])


# --- references, the outbox and the store
# --------------------------------------------------------------------------------------------------


def test_references_that_point_nowhere_are_named_with_examples(world: World) -> None:
    account: dict[str, Any] = {"Id": "A", "AccountTypeId": 1, "ZoneId": "nowhere"}
    world.erp(SalesAgent=agents("1"), Zone=ids("N"), Account=[account])
    world.done(1, 2)
    (finding,) = [
        finding
        for finding in result_of(world, REFERENCES_RESOLVE).findings
        if finding.subject == "Account.ZoneId"
    ]
    assert finding.message == "Account.ZoneId: 1 of 1 rows point to no Zone"
    assert finding.details["samples"] == "nowhere"


def test_a_record_is_stuck_by_the_answer_to_its_newest_export(world: World) -> None:
    world.erp(SalesAgent=agents("1"))
    world.done(1, 2)
    world.execute("""
        INSERT INTO ops.export_batch (load, source, entity, state, ended_at)
        SELECT 1, 'erp', 'Account', 'exported', now() FROM generate_series(1, 2);
        INSERT INTO ops.export_record (entity, id, batch, sync_reference, outcome, problem) VALUES
            ('Account', 'A', 1, 'S1', 'refused', 'no VAT number'),
            ('Account', 'A', 2, 'S1', 'sent', NULL),
            ('Account', 'B', 1, 'S2', 'refused', NULL),
            ('Account', 'C', 1, NULL, 'refused', 'unknown'),
            ('Account', 'D', 1, NULL, 'refused', 'unknown')
        """)
    result = result_of(world, NOTHING_IS_STUCK)
    assert result.sentence == "Account C: unknown. And 2 more."
    assert result.subjects == ("Account C", "Account D", "Account S2")


def test_a_lost_object_is_an_error_that_says_what_to_do(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Zone=ids("N"))
    world.done()
    for file in (world.store / "objects").rglob("*.zst"):
        file.unlink()
    result = result_of(world, PAYLOADS_ARE_WHOLE)
    assert (result.passed, result.severity) == (False, "error")
    assert "Run step 3 again" in result.sentence
    assert columns_of(result.findings) == ["file", "what", "concerns", "what to do"]
