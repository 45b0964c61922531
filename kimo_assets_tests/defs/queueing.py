"""Runs that are submitted as the UI, GraphQL, schedules and sensors do it: to the instance's own
run queue.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin


def submit(
    instance: dg.DagsterInstance,
    defs: dg.Definitions,
    job: str,
    *,
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    location: str = "kimo_assets.definitions",
) -> dg.DagsterRun:
    """The run as it stands after it was submitted; no daemon takes it out of the queue."""
    target = LoadableTargetOrigin(module_name="kimo_assets.definitions")
    repository = RemoteRepositoryOrigin(
        ManagedGrpcPythonEnvCodeLocationOrigin(target, location), "__repository__"
    )
    run = instance.create_run_for_job(
        defs.resolve_job_def(job),
        run_config=config or {},
        tags=tags or {},
        status=dg.DagsterRunStatus.NOT_STARTED,
        remote_job_origin=RemoteJobOrigin(repository, job),
    )
    return instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]
