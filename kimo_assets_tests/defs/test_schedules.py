"""What kimo.yaml lets run by itself: at which minutes, also when the clock is changed, what is
asked for, and once.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import is_valid_cron_string, schedule_execution_time_iterator

from kimo_assets.catalog.menu import menu_title
from kimo_assets.config import load_config
from kimo_assets.config.times import check_cron
from kimo_assets.defs.automation.run_requests import MINUTE_TAG
from kimo_assets.defs.build import build_defs
from kimo_assets.errors import ConfigError
from kimo_assets_tests.defs.conftest import Company
from kimo_assets_tests.defs.queueing import submit

ROME = ZoneInfo("Europe/Rome")
SOURCES = (
    "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\nentities: {Item: {}, PriceList: {}, Zone: {}}\n"
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def schedules(folder: Path, text: str) -> dict[str, dg.ScheduleDefinition]:
    file = folder / "kimo.yaml"
    file.write_text(SOURCES + text, encoding="utf-8")
    found = build_defs(load_config(file)).schedules or ()
    return {
        schedule.name: schedule for schedule in found if isinstance(schedule, dg.ScheduleDefinition)
    }


def asked(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, at: datetime
) -> dg.RunRequest | str:
    """What the schedule asks for at a moment, or why it does not."""
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=at) as context:
        data = schedule.evaluate_tick(context)
    return data.run_requests[0] if data.run_requests else str(data.skip_message)


# --- when
# --------------------------------------------------------------------------------------------------


def ticks(cron: str, start: str, count: int) -> list[str]:
    """The first ticks from a local moment on, in local time with its distance from UTC, as
    Dagster's scheduler has them.
    """
    first = datetime.fromisoformat(start).replace(tzinfo=ROME).timestamp()
    found = schedule_execution_time_iterator(first, cron, "Europe/Rome")
    return [f"{next(found).astimezone(ROME):%d %H:%M%z}" for _ in range(count)]


@pytest.mark.parametrize(
    ("cron", "start", "expected"),
    [
        # 2026-03-29: after 01:59 comes 03:00.
        ("30 2 * * *", "2026-03-28T00:00", ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]),
        ("30 1 * * *", "2026-03-28T00:00", ["28 01:30+0100", "29 01:30+0100", "30 01:30+0200"]),
        # 2026-10-25: after 02:59 comes 02:00 once more.
        ("30 2 * * *", "2026-10-24T00:00", ["24 02:30+0200", "25 02:30+0100", "26 02:30+0100"]),
        ("0 4 * * *", "2026-10-24T00:00", ["24 04:00+0200", "25 04:00+0100", "26 04:00+0100"]),
    ],
)
def test_a_nightly_run_is_neither_skipped_nor_doubled_when_the_clock_is_changed(
    cron: str, start: str, expected: list[str]
) -> None:
    assert ticks(cron, start, 3) == expected


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_every_ten_minutes_is_every_ten_minutes_also_when_the_clock_is_changed(
    day: str, hours: int
) -> None:
    first = datetime.fromisoformat(day).replace(tzinfo=ROME)
    found = schedule_execution_time_iterator(first.timestamp(), "*/10 * * * *", "Europe/Rome")
    moments = [next(found).timestamp() for _ in range(hours * 6 + 1)]
    assert {later - earlier for earlier, later in pairwise(moments)} == {600.0}
    last = datetime.fromtimestamp(moments[-1], ROME)
    assert (last.day, last.hour, last.minute) == (first.day + 1, 0, 0)


# --- what
# --------------------------------------------------------------------------------------------------


def test_every_rhythm_of_kimo_yaml_is_a_schedule_that_is_on_in_the_companys_zone(
    tmp_path: Path,
) -> None:
    found = schedules(
        tmp_path,
        "schedules:\n  full_import: 30 2 * * *\n  export: '*/5 * * * *'\n  import_files: 0 5 * *"
        " *\n  download_images: 15 5 * * *\n  geocoding: 0 4 * * *\n  timezone: Europe/Lisbon\n "
        " entities:\n    - {cron: '*/10 6-20 * * 1-6', entities: [Item, PriceList]}\n    - {cron:"
        " '*/3 * * * *', entities: [Item, PriceList], only_listed: false}\n",
    )
    jobs = {name: schedule.job_name for name, schedule in found.items()}
    assert jobs == {
        "full_import_schedule": "full_import_from_erp",
        "export_schedule": "export_to_erp",
        "import_files_schedule": "import_files",
        "download_images_schedule": "download_items_images",
        "geocoding_schedule": "geocode_addresses",
        "import_Item_PriceList_schedule": "import_entities",
        "import_Item_PriceList_2_schedule": "import_entities",
    }
    for schedule in found.values():
        assert schedule.execution_timezone == "Europe/Lisbon"
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert (schedule.description or "").endswith(
            "in Europe/Lisbon, as `schedules:` of kimo.yaml says."
        )
    assert (found["export_schedule"].description or "").startswith(
        f"{menu_title('export_to_erp')}. `*/5 * * * *`"
    )


def test_what_kimo_yaml_is_silent_about_does_not_run(tmp_path: Path) -> None:
    assert schedules(tmp_path, "") == {}


def test_a_rhythm_for_a_job_that_does_not_exist_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "kimo.yaml"
    file.write_text(
        SOURCES + "schedules: {cleaning: 0 3 * * *, morning_report: 0 7 * * *}\n", encoding="utf-8"
    )
    defs = build_defs(load_config(file))
    existing = {job.name for job in defs.resolve_all_job_defs()}
    assert {schedule.job_name for schedule in defs.schedules or ()} == existing & {
        "clean_up",
        "morning_report",
    }  # type: ignore[union-attr]


def test_the_full_import_is_asked_for_with_all_partitions_and_the_mask_with_its_fields(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    found = schedules(
        tmp_path,
        "schedules: {full_import: 30 2 * * *, entities: [{cron: 0 * * * *, entities: [Item,"
        " Zone]}]}\n",
    )
    at = datetime(2026, 5, 4, 0, 30, tzinfo=UTC)
    whole = asked(found["full_import_schedule"], instance, at)
    assert isinstance(whole, dg.RunRequest)
    assert {
        name: whole.tags[f"dagster/asset_partition_range_{name}"] for name in ("start", "end")
    } == {
        "start": "Zone",
        "end": "PriceList",
    }
    named = asked(found["import_Item_Zone_schedule"], instance, at)
    assert isinstance(named, dg.RunRequest)
    assert named.run_config == {
        "ops": {"import_named_entities": {"config": {"entities": "Item,Zone", "only_listed": True}}}
    }
    assert named.tags[MINUTE_TAG] == "2026-05-04T00:30Z"


def test_two_schedules_of_one_minute_do_not_double_a_job(company: Company) -> None:
    one = {"cron": "*/10 * * * *", "entities": ["Zone"]}
    company.settings = {"schedules": {"entities": [one, one | {"cron": "0 * * * *"}]}}
    defs = build_defs(company.config, database=company.database)
    first, second = (
        each for each in defs.schedules or () if isinstance(each, dg.ScheduleDefinition)
    )
    with company.instance() as instance:
        at = datetime(2026, 5, 4, 1, tzinfo=UTC)
        request = asked(first, instance, at)
        assert isinstance(request, dg.RunRequest)
        job = defs.resolve_job_def("import_entities")
        run = instance.create_run_for_job(
            job,
            run_config=request.run_config,
            tags=request.tags,
            status=dg.DagsterRunStatus.STARTED,
        )
        assert (
            asked(second, instance, at)
            == f"another schedule has asked for the same at this minute: run {run.run_id}"
        )
        assert isinstance(asked(second, instance, at.replace(hour=2)), dg.RunRequest)


def test_a_schedule_does_not_ask_for_what_waits_in_the_queue(company: Company) -> None:
    company.settings = {"schedules": {"full_import": "*/10 * * * *"}}
    defs = build_defs(company.config, database=company.database)
    (schedule,) = (each for each in defs.schedules or () if isinstance(each, dg.ScheduleDefinition))
    with company.instance() as instance:
        request = asked(schedule, instance, datetime(2026, 5, 4, 1, tzinfo=UTC))
        assert isinstance(request, dg.RunRequest)
        run = submit(instance, defs, "full_import_from_erp", tags=request.tags)
        later = asked(schedule, instance, datetime(2026, 5, 4, 1, 10, tzinfo=UTC))
        assert later == f"run {run.run_id} waits in the queue already and will do the same"


# --- what is wrong
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "line", "said"),
    [
        (
            "full_import",
            "30 2 * *",
            4,
            "'30 2 * *' has 4 fields. Expected five fields: minute, hour",
        ),
        (
            "export",
            "'*/5 25 * * *'",
            4,
            "'25' is no hour: it goes from 0 to 23. Expected five fields",
        ),
        ("export", "0 0 30 2 *", 4, "'0 0 30 2 *' means a day that no month has."),
        ("export", "every 5 minutes of * hour", 4, "has 6 fields"),
        ("export", "0 x * * *", 4, "'x' is no hour. Expected five fields"),
        ("geocoding", "'*/0 * * * *'", 4, "'*/0' is no minute"),
        (
            "timezone",
            "Europe/Rom",
            4,
            "there is no time zone 'Europe/Rom'. Did you mean Europe/Rome",
        ),
        ("timezone", "../etc", 4, "there is no time zone '../etc'."),
        ("sensors", "[erp]", 4, "expected 'erp_finished', 'records_waiting' or 'new_pictures'"),
    ],
)
def test_a_mistake_names_file_line_and_key(
    tmp_path: Path, key: str, value: str, line: int, said: str
) -> None:
    with pytest.raises(
        ConfigError, match=re.escape(f"kimo.yaml, line {line}: schedules.{key}")
    ) as raised:
        schedules(tmp_path, f"schedules:\n  {key}: {value}\n")
    assert said in str(raised.value)


def test_a_mistake_in_a_rhythm_of_entities_names_its_line(tmp_path: Path) -> None:
    text = (
        "schedules:\n  entities:\n    - cron: 0 0 * * *\n      entities: [Item]\n"
        "    - cron: 0 0 * *\n      entities: [Item]\n"
    )
    with pytest.raises(
        ConfigError, match=r"kimo.yaml, line 7: schedules.entities.1.cron: '0 0 \* \*' has 4 fields"
    ):
        schedules(tmp_path, text)
    with pytest.raises(
        ConfigError, match=r"kimo.yaml, line 6: schedules.entities.0.entities: .*Itm.*Item"
    ):
        schedules(tmp_path, text.replace("[Item]", "[Itm]", 1).replace("0 0 * *\n", "0 0 * * *\n"))


CRONS = (
    "0 0 1 1 *",
    "*/7 * * * *",
    "5-59/5 1,2,3 1-15 jan-mar,DEC mon-fri",
    "0 0 * * 7",
    "0 0 29 2 *",
    "0 0 31 1,2 *",
    "0 0 30 2 1",
    "1/2 * * * *",
    "0 0 * * sun",
)


@pytest.mark.parametrize("cron", CRONS)
def test_what_kimo_takes_for_cron_dagster_takes_as_well(cron: str) -> None:
    check_cron(cron)
    if cron != "0 0 30 2 1":
        assert is_valid_cron_string(cron)
