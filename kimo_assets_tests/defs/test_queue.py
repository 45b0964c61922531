"""The queue of a real instance: a request is dropped while an equal run waits in it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest

from kimo_assets.defs.build import build_defs
from kimo_assets.defs.queue import OneOfEachCoordinator
from kimo_assets_tests.defs.conftest import Company
from kimo_assets_tests.defs.queueing import submit

QUEUED, CANCELED, STARTED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.CANCELED,
    dg.DagsterRunStatus.STARTED,
)


def mask(entities: str) -> dict[str, object]:
    return {"ops": {"import_named_entities": {"config": {"entities": entities}}}}


def whole(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


@pytest.fixture(scope="module")
def defs(new_company: Callable[[], Company]) -> dg.Definitions:
    return build_defs(new_company().config)


@pytest.fixture
def instance(company: Company) -> Iterator[dg.DagsterInstance]:
    with company.instance() as instance:
        yield instance


def test_the_instance_has_a_queue_of_one_of_each_in_which_a_pool_takes_one_run(
    instance: dg.DagsterInstance,
) -> None:
    assert isinstance(instance.run_coordinator, OneOfEachCoordinator)
    pools = instance.get_concurrency_config().pool_config
    assert (str(pools.pool_granularity), pools.default_pool_limit) == ("PoolGranularity.RUN", 1)


def test_imports_and_exports_share_a_pool_and_side_jobs_have_others(defs: dg.Definitions) -> None:
    pools = {
        job.name: {node.definition.pool for node in job.nodes} - {None}
        for job in defs.resolve_all_job_defs()
    }
    moving = {name for name, of in pools.items() if of == {"kimo_data"}}
    assert moving >= {
        "full_import_from_erp",
        "import_entities",
        "export_to_erp",
        "undo_load",
        "settings_sync_data_creation",
    }
    assert pools["import_files"] == pools["download_items_images"] == {"kimo_public_images"}
    assert pools["geocode_addresses"] == {"kimo_geopositions"}


def test_a_double_click_leaves_one_run_and_the_other_says_why(
    instance: dg.DagsterInstance, defs: dg.Definitions
) -> None:
    first = submit(instance, defs, "import_entities", config=mask("Zone"))
    second = submit(
        instance,
        defs,
        "import_entities",
        config=mask("Zone"),
        tags={"dagster/schedule_name": "nightly"},
    )
    assert (first.status, second.status) == (QUEUED, CANCELED)
    (event,) = instance.all_logs(second.run_id, of_type=dg.DagsterEventType.RUN_CANCELED)
    assert (
        f"Dropped: run {first.run_id} of the same job, with the same configuration, waits"
        in str(event.dagster_event)
    )


def test_two_clicks_at_the_same_moment_leave_one_run(
    instance: dg.DagsterInstance, defs: dg.Definitions
) -> None:
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: submit(instance, defs, "export_to_erp").status, range(4)))
    assert sorted(map(str, runs)) == sorted(map(str, [QUEUED, CANCELED, CANCELED, CANCELED]))


def test_what_differs_in_anything_waits_beside_it(
    instance: dg.DagsterInstance, defs: dg.Definitions
) -> None:
    runs = [
        submit(instance, defs, "import_entities", config=mask("Zone")),
        submit(instance, defs, "import_entities", config=mask("Item")),
        submit(instance, defs, "import_entities", config=mask("Zone"), location="another company"),
        submit(instance, defs, "export_to_erp"),
        submit(instance, defs, "full_import_from_erp", tags=whole("Zone", "PriceList")),
        submit(instance, defs, "full_import_from_erp", tags=whole("Zone", "Zone")),
    ]
    assert {run.status for run in runs} == {QUEUED}


def test_what_has_begun_already_keeps_nobody_from_waiting(
    instance: dg.DagsterInstance, defs: dg.Definitions
) -> None:
    """The data it reads may be older than those of which the second asks."""
    first = submit(instance, defs, "export_to_erp")
    instance.handle_run_event(first.run_id, _started(first))
    run = instance.get_run_by_id(first.run_id)
    assert run is not None
    assert run.status is STARTED
    assert submit(instance, defs, "export_to_erp").status is QUEUED


def _started(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.RUN_START.value, job_name=run.job_name
    )
