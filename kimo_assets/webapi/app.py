"""The ASGI app: the ten endpoints, the status, and the health check."""

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
from kimo_assets.texts import say
from kimo_assets.webapi.access import (
    HEALTH,
    TOKEN_PARAMETER,
    AccessRules,
    Answer,
    refused,
    with_access_rules,
)
from kimo_assets.webapi.endpoints import (
    ENDPOINTS,
    PREFIX,
    STATUS,
    Endpoint,
    endpoint_of,
    nearest_endpoints,
)
from kimo_assets.webapi.rates import Rates
from kimo_assets.webapi.webserver import ActiveRun, Webserver

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
    """The web API of one company.

    open_database: called when a request needs it. token: None or empty refuses every request.
    """
    webserver = Webserver(
        graphql_url or config.api.graphql_url, code_location=config.api.code_location
    )
    api = WebApi(config, open_database, webserver)
    app = Starlette(
        routes=[Route(HEALTH, api.health), Route("/{path:path}", api.answer)],
        exception_handlers={HTTPException: _not_found, Exception: _broken},
    )
    rates = Rates(config.api.per_minute)
    return with_access_rules(app, AccessRules(token or None, config.api.token_variable, rates))


class WebApi:
    """What the endpoints do.

    Only one launch goes on at a time, so that one of two simultaneous requests is discarded.
    """

    def __init__(
        self, config: KimoConfig, open_database: Callable[[], Database], webserver: Webserver
    ) -> None:
        self._config = config
        self._open_database = open_database
        self._webserver = webserver
        # Between the look at the active runs and the launch a second request would see no run.
        self._launching = asyncio.Lock()

    async def health(self, request: Request) -> Answer:
        """For a proxy or a monitor. It needs no token."""
        return Answer({"status": "ok"})

    async def answer(self, request: Request) -> Answer:
        """Answers a request of the vendor's API, and notes a line for the log."""
        answer = await self._answer(request)
        request.state.log_message = answer.log_message
        return answer

    async def _answer(self, request: Request) -> Answer:
        """The status, or a launch, or the reason why nothing was started."""
        name = _endpoint_name(request.scope["path"])
        # Outside the lock of launches, so that the status is answered while a launch hangs.
        if name is not None and name.casefold() == STATUS.casefold():
            # requests and psycopg block. In the event loop they would stop every other answer.
            return await run_in_threadpool(self._status)
        endpoint = None if name is None else endpoint_of(name)
        if endpoint is None:
            return _not_an_endpoint(name)
        try:
            parameters = _parameters(request, endpoint)
            async with self._launching:
                return await run_in_threadpool(self._launch, endpoint, parameters)
        except (BadRequestError, UnknownEntityError) as error:
            return refused(400, "BadRequest", str(error))
        # 503 tells a script that it may try again. Nothing was started.
        except WebserverError as error:
            return refused(503, "WebserverDown", say("webapi.nothing_started", error=error))

    def _launch(self, endpoint: Endpoint, parameters: "Parameters") -> Answer:
        """Queues a run, or discards the request because of another run."""
        mapped: list[str] = []
        if endpoint.is_partitioned or parameters.tables:
            mapped = self._webserver.partitions(menu.FULL_IMPORT.job)
        # Before anything is discarded: a misspelt name is wrong at any time.
        tables = _mapped_names(parameters.tables, mapped)
        if others := self._conflicting_runs(endpoint):
            return self._discarded(endpoint, others[0])
        run_id = self._webserver.launch(
            endpoint.job,
            endpoint.run_config(tables, only_listed=parameters.only_listed),
            partitions=mapped if endpoint.is_partitioned else (),
        )
        return self._queued(endpoint, tables, run_id)

    def _queued(self, endpoint: Endpoint, tables: Sequence[str], run_id: str) -> Answer:
        """The answer to a request that was accepted."""
        link = self._link(run_id)
        message = say("webapi.queued", title=endpoint.title, run_id=run_id, link=link)
        if tables:
            names = ", ".join(tables)
            message = say(
                "webapi.queued_entities",
                title=endpoint.title,
                names=names,
                run_id=run_id,
                link=link,
            )
        return Answer(
            {
                "accepted": True,
                "message": message,
                "endpoint": endpoint.name,
                "job": endpoint.job,
                "run_id": run_id,
                "url": link,
            }
        )

    def _conflicting_runs(self, endpoint: Endpoint) -> list[ActiveRun]:
        """The runs because of which a request for the endpoint is discarded."""
        kinds = {endpoint.work} if self._config.api.side_jobs_apart else set(Work)
        return [run for run in self._running() if WORK_OF_JOB.get(run.job) in kinds]

    def _discarded(self, endpoint: Endpoint, run: ActiveRun) -> Answer:
        state = "waiting" if run.is_queued else "running"
        message = say(
            f"webapi.discarded.{state}",
            title=endpoint.title,
            other=title_of(run.job),
            run_id=run.run_id,
            since=f"{run.since:%Y-%m-%d %H:%M:%S}",
        )
        # The vendor answers 200 here. A nightly script should notice that its import did not start.
        return refused(409, "Discarded", message, because_of=self._as_json(run))

    def _running(self) -> list[ActiveRun]:
        """Without killed runs: Dagster calls them started until they are marked as failed."""
        runs = self._webserver.active_runs()
        started = [run.run_id for run in runs if not run.is_queued]
        # Asking would start the embedded server, and no run of ours can have been killed.
        if not started or not has_database(self._config):
            return runs
        try:
            dead = set(abandoned(self._open_database(), started))
        # When in doubt a run counts as alive. A discarded request does less harm than two imports.
        except (KimoError, PostgresError):
            return runs
        return [run for run in runs if run.run_id not in dead]

    def _status(self) -> Answer:
        """What runs, and how fresh the data are. It answers without the webserver, too."""
        running: list[dict[str, Any]] = []
        webserver = "answers"
        try:
            running = [self._as_json(run) for run in self._running()]
        except WebserverError as error:
            webserver = str(error)
        try:
            status = self._read_status()
        except (KimoError, PostgresError) as error:
            message = say("webapi.database_down", error=in_one_line(error))
            return refused(503, "DatabaseDown", message)
        message = webserver
        if webserver == "answers":
            message = _running_message(running)
        return Answer(
            {"message": message, "webserver": webserver, "running": running, **status.as_json()}
        )

    def _read_status(self) -> Status:
        if not has_database(self._config):
            return nothing_yet(self._config)
        with self._open_database().connect() as connection:
            return read_status(connection, self._config)

    def _as_json(self, run: ActiveRun) -> dict[str, Any]:
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


def _running_message(running: Sequence[dict[str, Any]]) -> str:
    names = ", ".join(f"'{run['title']}' ({run['status']})" for run in running)
    return say("webapi.running", names=names) if names else say("webapi.nothing_running")


@dataclasses.dataclass(frozen=True)
class Parameters:
    """The parameters of a request: the vendor's mask."""

    tables: tuple[str, ...] = ()
    only_listed: bool = False


def _parameters(request: Request, endpoint: Endpoint) -> Parameters:
    """Raises: BadRequestError for an unknown parameter, a wrong value, or no entities."""
    given = {
        name.casefold(): value
        for name, value in request.query_params.items()
        if name.casefold() != TOKEN_PARAMETER
    }
    allowed = {name.casefold() for name in endpoint.parameters}
    # A misspelt onlyListed, passed over, would import the linked entities too.
    for name in given:
        if name not in allowed:
            raise BadRequestError(_unknown_parameter(name, endpoint))
    names = [name.strip() for name in given.get("tables", "").split(",")]
    tables = tuple(name for name in names if name)
    if endpoint.has_mask and not tables:
        raise BadRequestError(say("webapi.no_entities"))
    return Parameters(tables, _boolean("onlyListed", given.get("onlylisted", "")))


def _unknown_parameter(name: str, endpoint: Endpoint) -> str:
    if endpoint.parameters:
        allowed = ", ".join(endpoint.parameters)
        return say("webapi.unknown_parameter", name=name, known=allowed)
    if name == "tables":
        return say("webapi.tables_elsewhere", endpoint=endpoint.name)
    return say("webapi.no_parameters", name=name, endpoint=endpoint.name)


def _boolean(name: str, value: str) -> bool:
    if value.casefold() not in (*_YES, *_NO):
        raise BadRequestError(say("webapi.no_boolean", name=name, value=value))
    return value.casefold() in _YES


def _mapped_names(names: Sequence[str], mapped: Sequence[str]) -> list[str]:
    """As the mapping spells them. Raises: UnknownEntityError."""
    by_fold = {name.casefold(): name for name in mapped}
    for name in names:
        if name.casefold() not in by_fold:
            raise UnknownEntityError(name, mapped, where=say("webapi.mapping"))
    return list(dict.fromkeys(by_fold[name.casefold()] for name in names))


def _endpoint_name(path: str) -> str | None:
    """The path after the prefix, whose case does not matter. None: the path is another."""
    path = path.rstrip("/")
    start, _, name = path.rpartition("/")
    if start.casefold() == PREFIX.casefold():
        return name
    return None


def _not_an_endpoint(name: str | None) -> Answer:
    """Suggests the nearest endpoints, or lists all."""
    similar = [] if name is None else [*nearest(name, [STATUS]), *nearest_endpoints(name)]
    if similar:
        names = say("webapi.or").join(similar)
        message = say("webapi.similar_endpoint", prefix=PREFIX, names=names)
    else:
        names = ", ".join([*ENDPOINTS, STATUS])
        message = say("webapi.no_endpoint", prefix=PREFIX, names=names)
    return refused(404, "NotFound", message)


async def _not_found(request: Request, error: Exception) -> Answer:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return refused(status, "NotFound", say("webapi.nothing_here", prefix=PREFIX))


async def _broken(request: Request, error: Exception) -> Answer:
    # Without the error's text, which may quote an address with its password.
    return refused(500, "Broken", say("webapi.broken"))
