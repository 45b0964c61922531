"""The resource that a run's steps share: one lock, one load number, one connection."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TypeVar

import dagster as dg

from kimo_assets.catalog.menu import title_of
from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import record_report
from kimo_assets.database.server import Database, open_database
from kimo_assets.defs.naming import of_another_company
from kimo_assets.errors import KimoError, LockedError, reason
from kimo_assets.pipeline.steps import Run, open_run, run_step
from kimo_assets.progress import LoggedProgress, Progress
from kimo_assets.reports import ExportReport, StepReport, TaskReport
from kimo_assets.texts import say

RESOURCE = "kimo"

Result = TypeVar("Result")
Report = TypeVar("Report", StepReport, ExportReport)

Log = Callable[[str], None]
BeforeStep = Mapping[int, Callable[[Run], None]]


def _no_log(line: str) -> None:
    """For a part of a run whose lines only the progress shows."""


class KimoRun:
    """Opened at the first step that needs it, and closed with the Dagster run, whatever happened.

    title: the menu's entry. before_step: what has to be done before a step of the run begins.
    """

    def __init__(
        self,
        config: KimoConfig,
        database: Database | None,
        progress: Progress,
        title: str,
        run_id: str,
        before_step: BeforeStep | None = None,
    ) -> None:
        self.config = config
        self._database = database
        self.progress = progress
        self._title = title
        self._run_id = run_id
        self._before_step = before_step or {}
        self._stack = ExitStack()
        self._run: Run | None = None

    def step(
        self,
        number: int,
        entities: Sequence[str],
        *,
        allow_shrink: bool = False,
        log: Log = _no_log,
    ) -> StepReport:
        """One step, for an asset job: Dagster's graph says which comes next."""
        if number in self._before_step:
            self.do(self._before_step[number], log)
        return self.do(lambda run: run_step(run, number, entities, allow_shrink=allow_shrink), log)

    def follow(
        self, workflow: Callable[[Run], Iterator[Report]], log: Log = _no_log
    ) -> Iterator[Report]:
        """The reports of a workflow, each as soon as its step is done."""
        reports = self.do(workflow, log)
        while True:
            # Each step within `do`, so that its error too ends the load as failed.
            report = self.do(lambda run: next(reports, None), log)
            if report is None:
                return
            yield report

    def do(self, work: Callable[[Run], Result], log: Log = _no_log) -> Result:
        """Does a part of the run. Its error ends the run, with a sentence for operators.

        log: where the Dagster run keeps the lines that the part writes.
        """
        run = self.open()
        # Anew for each part, because each op of Dagster writes to a log of its own.
        run.progress = LoggedProgress(self.progress, log)
        try:
            return work(run)
        except BaseException as error:
            # Closed here, the load ends as failed. When Dagster closes it, it knows of no error.
            self._stack.__exit__(type(error), error, error.__traceback__)
            if isinstance(error, KimoError):
                raise failure_of(error) from None
            if isinstance(error, Exception):
                raise _unexpected(error) from error
            raise

    def open(self) -> Run:
        """The run, with the lock and its load number."""
        if self._run is None:
            self._run = self._take_lock(self.database())
        return self._run

    def task(self, work: Callable[[KimoConfig, Database, Progress, str], TaskReport]) -> TaskReport:
        """Does a side job, which has a lock of its own, and keeps its report in the ledger."""
        try:
            database = self.database()
            report = work(self.config, database, self.progress, self._run_id)
        except KimoError as error:
            raise failure_of(error) from None
        except Exception as error:
            raise _unexpected(error) from error
        if self._run_id:
            with database.connect() as connection:
                record_report(connection, self._run_id, report)
        return report

    def database(self) -> Database:
        """Kimo's database, opened when it is first needed."""
        # The command and tests hand theirs in. A run in a process of its own has none.
        return self._database or open_database(self.config)

    def _take_lock(self, database: Database) -> Run:
        """Raises: dg.Failure while another run has the lock."""
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
            raise failure_of(error, say("defs.not_started", error=error)) from None

    @property
    def run(self) -> Run | None:
        """The run, if a step has opened it."""
        return self._run

    def close(self) -> None:
        """Ends the load and gives the lock back."""
        self._stack.close()


# Under these names a failed run keeps which of our errors ended it, and with which message.
ERROR_KIND = "error"
ERROR_MESSAGE = "message"


def failure_of(error: KimoError, sentence: str | None = None) -> dg.Failure:
    """The end of a Dagster run by an error of ours, which carries it for whoever launched it."""
    return dg.Failure(
        sentence or str(error),
        metadata={ERROR_KIND: type(error).__name__, ERROR_MESSAGE: str(error)},
        allow_retries=False,
    )


def _unexpected(error: Exception) -> dg.Failure:
    """An error that has no sentence for operators gets one. Where it happened stands below it."""
    return dg.Failure(say("defs.unexpected_error", error=reason(error)), allow_retries=False)


def kimo_resource(
    config: KimoConfig,
    database: Database | None,
    progress: Progress,
    before_step: BeforeStep | None = None,
) -> dg.ResourceDefinition:
    """The resource of a company's runs. Without a database, a run opens it when it needs it."""

    def open_kimo(context: dg.InitResourceContext) -> Iterator[KimoRun]:
        dagster_run = context.run
        # A mistake in workspace.yaml would load one company's data into another one's database.
        if other := of_another_company(config, dagster_run):
            raise dg.Failure(
                say(
                    "defs.wrong_company",
                    location=other,
                    company=config.company,
                    path=config.path,
                ),
                allow_retries=False,
            )
        title, run_id = "materialize", ""
        if dagster_run:
            title, run_id = dagster_run.job_name, dagster_run.run_id
        kimo = KimoRun(config, database, progress, title_of(title), run_id, before_step)
        try:
            yield kimo
        finally:
            kimo.close()

    return dg.resource(description=say("defs.resource"))(open_kimo)
