"""How long work tells of itself while it goes on. A terminal's bars and a run's log derive from it.

Every method does nothing by default, so that each listener writes only what it shows.
"""

from collections.abc import Callable, Sequence

from kimo_assets.reports import EntityReport


class Progress:
    """Told what a run is doing, in the thread that does it.

    In step 1 entities go on side by side: several may have started before the first is done.
    """

    def step_started(self, step: int, entities: Sequence[str]) -> None:
        """A step begins with these entities, in their order."""

    def entity_started(self, step: int, entity: str) -> None:
        """An entity's turn has come."""

    def rows_read(self, entity: str, rows: int) -> None:
        """So many rows more were read from the source."""

    def entity_done(self, step: int, report: EntityReport) -> None:
        """The entity is done with, or has failed."""

    def log(self, line: str) -> None:
        """A line for the run's log, of a source, a semaphore or the custom task."""

    def manifests_started(self, agents: int) -> None:
        """The manifests of so many agents and users are going to be replaced."""

    def manifest_done(self) -> None:
        """One of them was looked at, and replaced if it differed."""

    def task_started(self, title: str, total: int | None) -> None:
        """A side job has so many pieces of work to do. None: it is not known how many."""

    def task_advanced(self, pieces: int) -> None:
        """So many pieces more are done."""


class LoggedProgress(Progress):
    """Passes everything on to another listener, and writes the lines of the log elsewhere too."""

    # A __getattr__ would not do: the base class has every method, so it would never be asked.
    def __init__(self, progress: Progress, write: Callable[[str], None]) -> None:
        self._progress = progress
        self._write = write

    def step_started(self, step: int, entities: Sequence[str]) -> None:
        """Passed on."""
        self._progress.step_started(step, entities)

    def entity_started(self, step: int, entity: str) -> None:
        """Passed on."""
        self._progress.entity_started(step, entity)

    def rows_read(self, entity: str, rows: int) -> None:
        """Passed on."""
        self._progress.rows_read(entity, rows)

    def entity_done(self, step: int, report: EntityReport) -> None:
        """Passed on."""
        self._progress.entity_done(step, report)

    def log(self, line: str) -> None:
        """Passed on, and written to the log."""
        self._progress.log(line)
        self._write(line)

    def manifests_started(self, agents: int) -> None:
        """Passed on."""
        self._progress.manifests_started(agents)

    def manifest_done(self) -> None:
        """Passed on."""
        self._progress.manifest_done()

    def task_started(self, title: str, total: int | None) -> None:
        """Passed on."""
        self._progress.task_started(title, total)

    def task_advanced(self, pieces: int) -> None:
        """Passed on."""
        self._progress.task_advanced(pieces)
