"""The sources of a run: each is waited for once, however many entities it feeds.

connection.py words a source's errors. Their class says whether trying again may help.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from sqlalchemy import Engine, event
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from kimo_assets.config import KimoConfig, SystemId
from kimo_assets.errors import PermanentSourceError, TransientSourceError
from kimo_assets.sources.connection import open_source, source_errors
from kimo_assets.sources.session import interrupt
from kimo_assets.texts import say

_LONGEST_PAUSE_S = 30

Log = Callable[[str], None]
Sleep = Callable[[float], None]


class Sources:
    """Engines by source's name, and which sources are down. Safe to use from several threads."""

    def __init__(
        self, config: KimoConfig, engines: dict[SystemId, Engine], log: Log, sleep: Sleep
    ) -> None:
        self.config = config
        self.engines = engines
        self._log = log
        self._sleep = sleep
        # One thread reconnects to a source, the others wait for its result.
        self._locks = {name: Lock() for name in engines}
        self._down: dict[str, str] = {}
        self._in_use: dict[Any, tuple[Engine, Any]] = {}
        for engine in engines.values():
            self._watch(engine)

    def connect(self) -> None:
        """Reaches every source.

        Raises: TransientSourceError after `connect_attempts`; PermanentSourceError at once.
        """
        for name in self.engines:
            try:
                self._reach(name)
            except PermanentSourceError as error:
                text = str(error).rstrip(".")
                line = self.config.place("sources", name, "url")
                message = say("sources.see_line", error=text, line=line)
                raise PermanentSourceError(message) from None

    def connect_again(self, name: SystemId) -> None:
        """Reaches a source again after its connection was lost. Raises: TransientSourceError.

        Only the first thread tries. The others get its error at once.
        """
        with self._locks[name]:
            if name not in self._down:
                # The pool's other connections were most likely lost with this one.
                self.engines[name].dispose()
                try:
                    self._reach(name)
                except TransientSourceError as error:
                    self._down[name] = str(error)
            if name in self._down:
                raise TransientSourceError(self._down[name])

    def interrupt(self) -> None:
        """Asks every statement that runs on a source to stop."""
        # A copy, because readers take and give back connections meanwhile.
        for engine, driver_connection in list(self._in_use.values()):
            interrupt(engine, driver_connection)

    def _reach(self, name: SystemId) -> None:
        attempts = self.config.sources[name].connect_attempts
        try:
            retrying(attempts, self._sleep, self._log)(self._ping, name)
        except TransientSourceError as error:
            text = str(error).rstrip(".")
            message = say("sources.tried", error=text, count=attempts)
            raise TransientSourceError(message) from None

    def _ping(self, name: SystemId) -> None:
        engine = self.engines[name]
        with source_errors(name, engine), engine.connect():
            pass

    def _watch(self, engine: Engine) -> None:
        """Notes which connections are in use, so that they can be interrupted."""

        def taken(driver_connection: Any, record: Any, _proxy: Any) -> None:
            self._in_use[record] = (engine, driver_connection)

        def given_back(_driver_connection: Any, record: Any) -> None:
            self._in_use.pop(record, None)

        event.listen(engine, "checkout", taken)
        event.listen(engine, "checkin", given_back)


def retrying(attempts: int, sleep: Sleep, log: Log) -> Retrying:
    """Calls a function again after a TransientSourceError, with growing pauses.

    Raises: the error of the last attempt.
    """

    def log_attempt(state: RetryCallState) -> None:
        assert state.outcome is not None, "called after an attempt"  # noqa: S101
        line = say(
            "sources.again",
            error=state.outcome.exception(),
            seconds=state.upcoming_sleep,
            attempt=state.attempt_number,
            attempts=attempts,
        )
        log(line)

    return Retrying(
        retry=retry_if_exception_type(TransientSourceError),
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=1, max=_LONGEST_PAUSE_S),
        sleep=sleep,
        before_sleep=log_attempt,
        reraise=True,
    )


@contextmanager
def open_sources(
    config: KimoConfig, entities: Iterable[str], log: Log, sleep: Sleep
) -> Iterator[Sources]:
    """The sources that feed the entities, not connected yet.

    Raises: PermanentSourceError when a driver is missing.
    """
    mappings = [mapping for name in entities for mapping in config.entities[name]]
    names: set[SystemId] = {mapping.source for mapping in mappings}
    engines: dict[SystemId, Engine] = {}
    try:
        for name in sorted(names):
            engines[name] = open_source(name, config.sources[name])
        yield Sources(config, engines, log, sleep)
    finally:
        for engine in engines.values():
            engine.dispose()
