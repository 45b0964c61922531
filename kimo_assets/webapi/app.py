"""The ASGI app: the ten endpoints, their state, and whether it is alive."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Error as PostgresError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import WORK_OF_JOB, Work, title_of
from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import abandoned
from kimo_assets.database.server import Database
from kimo_assets.diagnostics.status import Status, has_database, nothing_yet, read_status
from kimo_assets.errors import KimoError, UnknownEntityError, WebserverError, in_one_line, nearest
from kimo_assets.webapi.access import HEALTH, TOKEN_PARAMETER, Answer, Door, refused, with_door
from kimo_assets.webapi.endpoints import (
    ENDPOINTS,
    PREFIX,
    STATUS,
    Endpoint,
    endpoint_of,
    nearest_endpoints,
)
from kimo_assets.webapi.rates import Rates
from kimo_assets.webapi.webserver import GoingOn, Webserver

_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")


class BadRequestError(KimoError):
    """A parameter that cannot be used."""


def build_app(
    config: KimoConfig,
    open_database: Callable[[], Database],
    *,
    token: str | None,
    graphql_url: str | None = None,
) -> ASGIApp:
    """The web API of one company. open_database: called when a request needs it. token None or
    empty: all is refused.
    """
    webserver = Webserver(
        graphql_url or config.api.graphql_url, code_location=config.api.code_location
    )
    api = WebApi(config, open_database, webserver)
    app = Starlette(
        routes=[Route(HEALTH, api.health), Route("/{path:path}", api.answer)],
        exception_handlers={HTTPException: _not_found, Exception: _broken},
    )
    door = Door(token or None, config.api.token_variable, Rates(config.api.per_minute))
    return with_door(app, door)


class WebApi:
    """What the endpoints do. One launch at a time, so that of two requests at the same moment one
    is discarded.
    """

    def __init__(
        self, config: KimoConfig, open_database: Callable[[], Database], webserver: Webserver
    ) -> None:
        self._config = config
        self._open_database = open_database
        self._webserver = webserver
        self._launching = asyncio.Lock()

    async def health(self, request: Request) -> Answer:
        return Answer({"status": "ok"})

    async def answer(self, request: Request) -> Answer:
        answer = await self._answer(request)
        request.state.said = answer.said
        return answer

    async def _answer(self, request: Request) -> Answer:
        name = _endpoint_name(request.scope["path"])
        if name is not None and name.casefold() == STATUS.casefold():
            return await run_in_threadpool(self._status)
        endpoint = None if name is None else endpoint_of(name)
        if endpoint is None:
            return _no_such(name)
        try:
            asked = _parameters(request, endpoint)
            async with self._launching:
                return await run_in_threadpool(self._launch, endpoint, asked)
        except (BadRequestError, UnknownEntityError) as error:
            return refused(400, "BadRequest", str(error))
        except WebserverError as error:
            return refused(503, "WebserverDown", f"{error}. Nothing was started.")

    def _launch(self, endpoint: Endpoint, asked: "Asked") -> Answer:
        mapped = (
            self._webserver.partitions(menu.FULL_IMPORT.job)
            if endpoint.is_partitioned or asked.tables
            else []
        )
        tables = _mapped_names(asked.tables, mapped)
        if in_the_way := self._in_the_way(endpoint):
            return self._discarded(endpoint, in_the_way[0])
        run_id = self._webserver.launch(
            endpoint.job,
            endpoint.run_config(tables, only_listed=asked.only_listed),
            partitions=mapped if endpoint.is_partitioned else (),
        )
        named = f" of {', '.join(tables)}" if tables else ""
        link = self._link(run_id)
        return Answer(
            {
                "accepted": True,
                "message": (
                    f"'{endpoint.title}'{named} was put into the queue as run {run_id}; follow it"
                    f" at {link}"
                ),
                "endpoint": endpoint.name,
                "job": endpoint.job,
                "run_id": run_id,
                "url": link,
            }
        )

    def _in_the_way(self, endpoint: Endpoint) -> list[GoingOn]:
        """Runs that discard a request for the endpoint."""
        minded = {endpoint.work} if self._config.api.side_jobs_apart else set(Work)
        return [run for run in self._running() if WORK_OF_JOB.get(run.job) in minded]

    def _discarded(self, endpoint: Endpoint, run: GoingOn) -> Answer:
        does = "waits in the queue" if run.is_queued else "is going on"
        return refused(
            409,
            "Discarded",
            f"Discarded: '{title_of(run.job)}' (run {run.run_id}) {does} since"
            f" {run.since:%Y-%m-%d %H:%M:%S} UTC. '{endpoint.title}' was not started and does not"
            " wait; ask again when that one has ended.",
            because_of=self._as_json(run),
        )

    def _running(self) -> list[GoingOn]:
        """Without those that were killed: Dagster calls them started until somebody tells it."""
        runs = self._webserver.going_on()
        started = [run.run_id for run in runs if not run.is_queued]
        if not started or not has_database(self._config):
            return runs
        try:
            dead = set(abandoned(self._open_database(), started))
        except (KimoError, PostgresError):
            return runs
        return [run for run in runs if run.run_id not in dead]

    def _status(self) -> Answer:
        try:
            running, webserver = [self._as_json(run) for run in self._running()], "answers"
        except WebserverError as error:
            running, webserver = [], str(error)
        try:
            found = self._read_status()
        except (KimoError, PostgresError) as error:
            return refused(
                503, "DatabaseDown", f"Kimo's PostgreSQL cannot be asked: {in_one_line(error)}"
            )
        what = ", ".join(f"'{run['title']}' ({run['status']})" for run in running) or "nothing"
        message = f"Running or waiting: {what}." if webserver == "answers" else webserver
        return Answer(
            {"message": message, "webserver": webserver, "running": running, **found.as_json()}
        )

    def _read_status(self) -> Status:
        if not has_database(self._config):
            return nothing_yet(self._config)
        with self._open_database().connect() as connection:
            return read_status(connection, self._config)

    def _as_json(self, run: GoingOn) -> dict[str, Any]:
        return {
            "run_id": run.run_id,
            "job": run.job,
            "title": title_of(run.job),
            "status": run.status,
            "since": run.since,
            "url": self._link(run.run_id),
        }

    def _link(self, run_id: str) -> str:
        ui = self._config.notifications.ui_url or self._webserver.graphql_url.removesuffix(
            "/graphql"
        )
        return f"{ui.rstrip('/')}/runs/{run_id}"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the parameters of a request say."""

    tables: tuple[str, ...] = ()
    only_listed: bool = False


def _parameters(request: Request, endpoint: Endpoint) -> Asked:
    """Raises: BadRequestError for a parameter that is none, or says nothing."""
    given = {
        name.casefold(): value
        for name, value in request.query_params.items()
        if name.casefold() != TOKEN_PARAMETER
    }
    known = {name.casefold() for name in endpoint.parameters}
    if unknown := [name for name in given if name not in known]:
        those = (
            f"Known here: {', '.join(endpoint.parameters)}."
            if known
            else f"{endpoint.name} takes none."
        )
        hint = " ImportFromErp?tables=A,B imports named entities." if unknown[0] == "tables" else ""
        raise BadRequestError(
            f"There is no parameter '{unknown[0]}'. {those}{hint} Nothing was started."
        )
    tables = tuple(name.strip() for name in given.get("tables", "").split(",") if name.strip())
    if endpoint.has_mask and not tables:
        raise BadRequestError(
            "Say which entities: ImportFromErp?tables=Item,PriceList. FullImportFromErp imports"
            " all. Nothing was started."
        )
    return Asked(tables, _yes_or_no("onlyListed", given.get("onlylisted", "")))


def _yes_or_no(name: str, value: str) -> bool:
    if value.casefold() not in (*_YES, *_NO):
        raise BadRequestError(
            f"{name}: expected true or false, got '{value}'. Nothing was started."
        )
    return value.casefold() in _YES


def _mapped_names(names: Sequence[str], mapped: Sequence[str]) -> list[str]:
    """As the mapping spells them. Raises: UnknownEntityError."""
    by_fold = {name.casefold(): name for name in mapped}
    for name in names:
        if name.casefold() not in by_fold:
            raise UnknownEntityError(name, mapped, where="this mapping (kimo.yaml, entities)")
    return list(dict.fromkeys(by_fold[name.casefold()] for name in names))


def _endpoint_name(path: str) -> str | None:
    """What stands after the prefix, in any case; None elsewhere."""
    path = path.rstrip("/")
    start, _, name = path.rpartition("/")
    return name if start.casefold() == PREFIX.casefold() else None


def _no_such(name: str | None) -> Answer:
    close = [] if name is None else [*nearest(name, [STATUS]), *nearest_endpoints(name)]
    hint = (
        f"Did you mean {' or '.join(close)}?"
        if close
        else f"There are: {', '.join([*ENDPOINTS, STATUS])}."
    )
    return refused(404, "NotFound", f"There is no such endpoint under {PREFIX}. {hint}")


async def _not_found(request: Request, error: Exception) -> Answer:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return refused(status, "NotFound", f"There is nothing here. The endpoints are under {PREFIX}.")


async def _broken(request: Request, error: Exception) -> Answer:
    return refused(500, "Broken", "This request broke something; the log of kimo serve says what.")
