"""The resource that a Dagster run shares among its steps: one lock, one load number, one
connection.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TypeVar

import dagster as dg

from kimo_assets.config import KimoConfig
from kimo_assets.database.server import Database, open_database
from kimo_assets.defs.naming import of_another_company
from kimo_assets.errors import KimoError, LockedError, reason
from kimo_assets.pipeline.steps import Progress, Run, open_run, run_step
from kimo_assets.reports import ExportReport, StepReport, TaskReport, title_of

RESOURCE = "kimo"

# What takes the lock of imports and exports: in Dagster's queue one run at a time. Side jobs have
# pools of their own.
DATA_POOL = "kimo_data"

Result = TypeVar("Result")


class KimoRun:
    """Opened at the first step that needs it, and closed with the Dagster run, whatever happened.

    before_step: what has to be done before a step of the run begins.
    """

    def __init__(
        self,
        config: KimoConfig,
        database: Database | None,
        progress: Progress,
        title: str,
        run_id: str,
        before_step: Mapping[int, Callable[[Run], None]] | None = None,
    ) -> None:
        self.config = config
        self._database = database
        self.progress = progress
        self._title = title
        self._run_id = run_id
        self._before_step = before_step or {}
        self._stack = ExitStack()
        self._run: Run | None = None
        self.refused: KimoError | None = None
        self.task_report: TaskReport | None = None
        self.export_report: ExportReport | None = None

    def step(
        self,
        number: int,
        entities: Sequence[str],
        *,
        allow_shrink: bool = False,
        log: Callable[[str], None] = lambda line: None,
    ) -> StepReport:
        if number in self._before_step:
            self.do(self._before_step[number], log)
        return self.do(lambda run: run_step(run, number, entities, allow_shrink=allow_shrink), log)

    def do(
        self, work: Callable[[Run], Result], log: Callable[[str], None] = lambda line: None
    ) -> Result:
        """Does a part of the run. An error that has a sentence of its own ends it with that one.

        log: where the Dagster run keeps what the part has to say while it goes.
        """
        run = self.open()
        run.log = log
        try:
            return work(run)
        except BaseException as error:
            # Told of it, the load ends as failed; closed by the Dagster run it would not know.
            self._stack.__exit__(type(error), error, error.__traceback__)
            if isinstance(error, KimoError):
                self.refused = error
                raise dg.Failure(str(error), allow_retries=False) from None
            if isinstance(error, Exception):
                raise _unexpected(error) from error
            raise

    def open(self) -> Run:
        if self._run is None:
            self._run = self._take_lock(self.database())
        return self._run

    def task(self, work: Callable[[KimoConfig, Database, Progress, str], TaskReport]) -> TaskReport:
        """Does a side job, which takes no part in the run's lock. An error that has a sentence of
        its own ends it so.
        """
        try:
            self.task_report = work(self.config, self.database(), self.progress, self._run_id)
        except KimoError as error:
            self.refused = error
            raise dg.Failure(str(error), allow_retries=False) from None
        except Exception as error:
            raise _unexpected(error) from error
        return self.task_report

    def database(self) -> Database:
        return self._database or open_database(self.config)

    def _take_lock(self, database: Database) -> Run:
        try:
            return self._stack.enter_context(
                open_run(
                    self.config,
                    database,
                    title=self._title,
                    run_id=self._run_id,
                    progress=self.progress,
                )
            )
        except LockedError as error:
            self.refused = error
            raise dg.Failure(
                f"Not started: {error}, then run this again.", allow_retries=False
            ) from None

    @property
    def run(self) -> Run | None:
        """The run, if a step has opened it."""
        return self._run

    def close(self) -> None:
        self._stack.close()


def _unexpected(error: Exception) -> dg.Failure:
    """Of an error that has no sentence for operators: theirs first, where it happened below."""
    return dg.Failure(
        f"{reason(error)}. Nobody foresaw this. What was done before is kept, the rest is as it"
        " was: run it again. If it comes back, show the stack trace below to whoever looks after"
        " kimo_assets.",
        allow_retries=False,
    )


def kimo_resource(
    config: KimoConfig,
    database: Database | None,
    progress: Progress,
    opened: list[KimoRun] | None = None,
    before_step: Mapping[int, Callable[[Run], None]] | None = None,
) -> dg.ResourceDefinition:
    """`opened`: where whoever executes in this process finds the run afterwards."""

    def open_kimo(context: dg.InitResourceContext) -> Iterator[KimoRun]:
        dagster_run = context.run
        if other := of_another_company(config, dagster_run):
            raise dg.Failure(
                f"Not started: the run is of the code location '{other}', and this process has the"
                f" kimo.yaml of '{config.company}' ({config.path}). Give it the right KIMO_CONFIG,"
                " or the location its company's name.",
                allow_retries=False,
            )
        title = dagster_run.job_name if dagster_run else "materialize"
        run_id = dagster_run.run_id if dagster_run else ""
        kimo = KimoRun(config, database, progress, title_of(title), run_id, before_step)
        if opened is not None:
            opened.append(kimo)
        try:
            yield kimo
        finally:
            kimo.close()

    return dg.resource(description="Kimo's database, the import's lock and its load number.")(
        open_kimo
    )
