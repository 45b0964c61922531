"""All that this project takes from Dagster without a promise that the next version still has it.

Checked with Dagster 1.13. pyproject.toml pins that minor version, and kimo_assets_tests/defs/
test_dagster_internals.py fails where a new one lacks a name. No other module imports `dagster._`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg
from dagster._core.instance import T_DagsterInstance
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARENT_RUN_ID_TAG,
    PARTITION_NAME_TAG,
)

__all__ = [
    "LOCAL_ARTIFACTS",
    "LOCAL_COMPUTE_LOGS",
    "NO_COMPUTE_LOGS",
    "TAGS_OF_WORK",
    "RunQueue",
    "SubmitRunContext",
    "T_DagsterInstance",
    "chooses_partitions",
    "clean_ticks",
    "keep_connections",
    "newest_materializations",
    "range_tags",
]

# The documentation tells how to run a range of partitions at once by tags, and names no constants.
TAGS_OF_WORK = (
    ASSET_PARTITION_RANGE_START_TAG,
    ASSET_PARTITION_RANGE_END_TAG,
    PARTITION_NAME_TAG,
    PARENT_RUN_ID_TAG,
)

# Classes that dagster.yaml names by their modules. The documentation of dagster.yaml does the same.
LOCAL_ARTIFACTS = {"module": "dagster._core.storage.root", "class": "LocalArtifactStorage"}
LOCAL_COMPUTE_LOGS = {
    "module": "dagster._core.storage.local_compute_log_manager",
    "class": "LocalComputeLogManager",
}
NO_COMPUTE_LOGS = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
}

# Ticks of one sensor or schedule that one cleaning counts at most.
_TICKS_COUNTED = 10_000


class RunQueue(QueuedRunCoordinator[T_DagsterInstance]):
    """Dagster's run queue, to derive from. Another coordinator is the only way to see a request
    before it waits: dagster.yaml takes a class for it.
    """

    @property
    def instance(self) -> T_DagsterInstance:
        return self._instance


def range_tags(partitions: Sequence[str]) -> dict[str, str]:
    """The tags by which one run is about all partitions from the first to the last."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: partitions[0],
        ASSET_PARTITION_RANGE_END_TAG: partitions[-1],
    }


def chooses_partitions(tags: Mapping[str, str]) -> bool:
    """Whether a run was launched for partitions at all. Dagster launches it without any, too."""
    return PARTITION_NAME_TAG in tags or ASSET_PARTITION_RANGE_START_TAG in tags


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Lets the storage keep its connections, as the webserver does.

    Otherwise it connects for every statement: a third of a small import's time.
    """
    instance.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=4)


def newest_materializations(instance: dg.DagsterInstance, asset: dg.AssetKey) -> list[int]:
    """The events on which the state of the asset's partitions rests, by their ids.

    The public API has them one partition at a time.
    """
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    return list(instance.get_latest_storage_id_by_partition(asset, kind).values())


def clean_ticks(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool) -> int:
    """Deletes the ticks of sensors and schedules before a time. Returns how many there were.

    dagster.yaml's own `retention:` only works while the daemon runs.
    """
    moment = before.timestamp()
    count = 0
    for state in instance.all_instigator_state():
        ids = (state.instigator_origin_id, state.selector_id)
        ticks = instance.get_ticks(*ids, before=moment, limit=_TICKS_COUNTED)
        count += len(ticks)
        if ticks and not dry_run:
            instance.purge_ticks(*ids, moment)
    return count
