"""One of each: a request is dropped while an equal run waits in the queue.

dagster.yaml names this coordinator, so every entry point passes it: the UI's buttons, GraphQL and
the web API, schedules, sensors. Which runs may go on side by side is decided by pools.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from kimo_assets.defs.dagster_internals import (
    TAGS_OF_WORK,
    RunQueue,
    SubmitRunContext,
    T_DagsterInstance,
)
from kimo_assets.texts import say

# Two clicks may be handled at the same moment, by two threads of the webserver.
_ONE_AT_A_TIME = threading.Lock()


class OneOfEachCoordinator(RunQueue[T_DagsterInstance]):
    """Dagster's run queue, in which no run waits twice. The later one is canceled with the reason.

    A run that has begun already cancels no other: a request made meanwhile may be about newer data.
    """

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Queues the run, or cancels it because of an equal one."""
        run = context.dagster_run
        with _ONE_AT_A_TIME:
            waiting = None
            # Dagster may submit a run that is queued already. Only a new one can be superfluous.
            if run.status is dg.DagsterRunStatus.NOT_STARTED:
                waiting = _equal(run, queued(self.instance, run.job_name))
            if waiting is None:
                return super().submit_run(context)
        # Canceled, not refused: GraphQL has to answer with a run, and its page can tell the reason.
        self.instance.report_run_canceled(
            run,
            say("defs.dropped", run_id=waiting.run_id),
        )
        return self.instance.get_run_by_id(run.run_id) or run


def queued(instance: Any, job: str) -> list[dg.DagsterRun]:
    """The runs of a job that wait in the queue, the oldest last."""
    return list(
        instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED]))
    )


def _equal(run: dg.DagsterRun, others: Iterable[dg.DagsterRun]) -> dg.DagsterRun | None:
    return next(
        (other for other in others if other.run_id != run.run_id and _work(other) == _work(run)),
        None,
    )


def _work(run: dg.DagsterRun) -> tuple[Any, ...]:
    """All that decides what a run does, and for which code location."""
    origin = run.remote_job_origin
    return (
        origin and origin.repository_origin.get_label(),
        run.asset_selection,
        run.asset_check_selection,
        run.resolved_op_selection,
        run.step_keys_to_execute,
        *_request(run.run_config, run.tags),
    )


def _request(run_config: Mapping[str, Any], tags: Mapping[str, str]) -> tuple[Any, ...]:
    # The other tags only tell who asked: a user, a schedule, a sensor.
    return (dict(run_config), *map(tags.get, TAGS_OF_WORK))


def asks_the_same(
    run: dg.DagsterRun, run_config: Mapping[str, Any], tags: Mapping[str, str]
) -> bool:
    """Whether a run does what a request with this configuration and these tags would do."""
    return _request(run.run_config, run.tags) == _request(run_config, tags)
