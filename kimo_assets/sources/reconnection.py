"""The sources of a run: each is waited for once, however many entities it feeds.

What is wrong with one is said by connection.py; whether trying again may help is in the error's
class.
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

_LONGEST_PAUSE_S = 30

Say = Callable[[str], None]
Sleep = Callable[[float], None]


class Sources:
    """Engines by source's name, and which of them were found down. Safe to use from several
    threads.
    """

    def __init__(
        self, config: KimoConfig, engines: dict[SystemId, Engine], say: Say, sleep: Sleep
    ) -> None:
        self.config = config
        self.engines = engines
        self._say = say
        self._sleep = sleep
        self._locks = {name: Lock() for name in engines}
        self._down: dict[str, str] = {}
        self._in_use: dict[Any, tuple[Engine, Any]] = {}
        for engine in engines.values():
            self._watch(engine)

    def connect(self) -> None:
        """Reaches every source. Raises: TransientSourceError after as many attempts as the source
        is worth; PermanentSourceError at once.
        """
        for name in self.engines:
            try:
                self._reach(name)
            except PermanentSourceError as error:
                text = str(error).rstrip(".")
                raise PermanentSourceError(
                    f"{text}. See {self.config.place('sources', name, 'url')}."
                ) from None

    def connect_again(self, name: SystemId) -> None:
        """After a connection was lost. Raises: TransientSourceError; at once for all who ask after
        the first.
        """
        with self._locks[name]:
            if name not in self._down:
                self.engines[name].dispose()
                try:
                    self._reach(name)
                except TransientSourceError as error:
                    self._down[name] = str(error)
            if name in self._down:
                raise TransientSourceError(self._down[name])

    def interrupt(self) -> None:
        """Asks every statement that runs on a source to stop."""
        for engine, driver_connection in list(self._in_use.values()):
            interrupt(engine, driver_connection)

    def _reach(self, name: SystemId) -> None:
        attempts = self.config.sources[name].connect_attempts
        try:
            persistently(attempts, self._sleep, self._say)(self._ping, name)
        except TransientSourceError as error:
            tried = f"tried {attempts} times" if attempts > 1 else "tried once"
            raise TransientSourceError(f"{str(error).rstrip('.')} ({tried})") from None

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


def persistently(attempts: int, sleep: Sleep, say: Say) -> Retrying:
    """Calls again what ended with a TransientSourceError, with growing pauses; the last one's error
    is raised.
    """

    def tell(state: RetryCallState) -> None:
        assert state.outcome is not None, "called after an attempt"  # noqa: S101
        say(
            f"{state.outcome.exception()}; again in {state.upcoming_sleep:.0f} s"
            f" ({state.attempt_number} of {attempts})"
        )

    return Retrying(
        retry=retry_if_exception_type(TransientSourceError),
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=1, max=_LONGEST_PAUSE_S),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )


@contextmanager
def open_sources(
    config: KimoConfig, entities: Iterable[str], say: Say, sleep: Sleep
) -> Iterator[Sources]:
    """The sources that feed the entities; nothing is connected yet.

    Raises: PermanentSourceError when a driver is missing.
    """
    wanted: set[SystemId] = {
        mapping.source for name in entities for mapping in config.entities[name]
    }
    engines: dict[SystemId, Engine] = {}
    try:
        for name in sorted(wanted):
            engines[name] = open_source(name, config.sources[name])
        yield Sources(config, engines, say, sleep)
    finally:
        for engine in engines.values():
            engine.dispose()
