"""The crash test: processes that import, take back and export a demo company, and are killed.

After each kill: Kimo's tables hold the old or the new content, every staged table is an old or a
new one, the agents' files are the old or the new ones, the lock is free; then the same work again,
to its end, gives exactly the new state, and the ERP's semaphores are free. Of an export, every
record is at the ERP exactly once.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database.ddl import ensure_schema
from kimo_assets.database.locks import exclusive
from kimo_assets.database.names import (
    ARCHIVED,
    INTEGRATOR_SCHEMA,
    KIMO,
    columns,
    table,
)
from kimo_assets.database.server import Database
from kimo_assets.demo import change_company, generate_company
from kimo_assets.demo.company import CONFIG_FILE, ERP_FILE, SETTINGS_FILE
from kimo_assets.demo.erp_tables import EXPORT_SEMAPHORE
from kimo_assets.demo.orders import make_orders
from kimo_assets.errors import ConfigError, KimoError, LockedError, in_one_line
from kimo_assets.export.queries import outbox_totals
from kimo_assets.progress import Progress
from kimo_assets.selftest.child import DIE_AT, KILL, PREFIX, Points, refuse_foreign, work
from kimo_assets.settings import load_settings, read_settings
from kimo_assets.sources.semaphore import IMPORT
from kimo_assets.sync.client.client import sync_agent
from kimo_assets.sync.queries import agents_with_payload
from kimo_assets.texts import say

TITLE = "Selftest"
WORKS = ("import", "undo", "export")

# How many kills, of all works together, unless told otherwise: one to two minutes.
POINTS = 20
_SHARE = {"import": 0.5, "undo": 0.25, "export": 0.25}
_ORDERS = 20
_AGENTS = 2
# PostgreSQL notices within a moment that a session's process is gone.
_LOCK_PATIENCE_S = 20.0
_CHILD_TIMEOUT_S = 600.0
# The demo's ERP has none, as it is never in the middle of writing.
_IMPORT_SEMAPHORE = IMPORT.table


@dataclass(frozen=True)
class Killed:
    """What a kill left behind.

    state: old, new, or old and new, of the agents' files. broken: what was not whole.
    """

    work: str
    point: int
    name: str
    state: str
    seconds: float
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class CrashReport:
    """passed: all points of each work, of which those in `killed` were tried."""

    seconds: float
    points: Mapping[str, int]
    killed: Sequence[Killed]

    @property
    def success(self) -> bool:
        return bool(self.killed) and not any(kill.broken for kill in self.killed)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "success": self.success,
            "seconds": round(self.seconds, 3),
            "points": dict(self.points),
            "killed": [vars(kill) | {"seconds": round(kill.seconds, 3)} for kill in self.killed],
        }


@dataclass
class Site:
    """Where a run of the test happens: a scratch database, a folder with the company's files."""

    database: Database
    folder: Path

    @property
    def config(self) -> KimoConfig:
        return load_config(self.folder / CONFIG_FILE)

    @property
    def erp(self) -> Path:
        return self.folder / ERP_FILE

    def rows(self, query: sql.Composable | str) -> list[tuple[Any, ...]]:
        """What Kimo's database answers."""
        with self.database.connect() as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def at_erp(self, query: str) -> list[tuple[Any, ...]]:
        """What the ERP's file answers."""
        with closing(sqlite3.connect(self.erp)) as connection:
            return connection.execute(query).fetchall()


Fault = Callable[[Site], None]


@dataclass(frozen=True)
class State:
    """Digests of what Kimo holds (by entity), what is staged (by entity), and what agents have (by
    agent).
    """

    kimo: dict[str, str]
    staged: dict[str, str]
    agents: dict[str, str]


def crash_test(
    server: Database,
    listener: Progress,
    *,
    points: int = POINTS,
    works: Sequence[str] = WORKS,
    fault: Fault | None = None,
) -> CrashReport:
    """Kills the pipeline at so many points, on this server; all of them if there are fewer.

    fault: done to the site after each kill, before it is looked at; for a test of this test.
    Raises: ConfigError when no database can be made on the server.
    """
    started = time.monotonic()
    with TemporaryDirectory(prefix=PREFIX) as folder, _scratch(server) as scratch:
        test = _CrashTest(scratch, Path(folder), listener, fault)
        test.prepare(works)
        killed = [
            kill for name in works for kill in test.kill(name, max(1, round(points * _SHARE[name])))
        ]
    return CrashReport(time.monotonic() - started, test.points, killed)


# --- scratch databases
# ----------------------------------------------------------------------------------------------


class _Scratch:
    """Makes databases on the server, and drops them."""

    def __init__(self, server: Database) -> None:
        self._server = server
        self._names: list[str] = []
        self._prefix = f"{PREFIX}{uuid4().hex[:8]}_"

    def make(self, name: str, template: Database | None = None) -> Database:
        """Empty, or a copy. Raises: ConfigError."""
        # A name of its own for each: to drop a database the server writes out all it has in memory,
        # seconds each time.
        full = f"{self._prefix}{name}_{len(self._names)}"
        # Not template1, which a server's owner may have filled, or made with another encoding.
        origin = sql.SQL("template0 ENCODING 'UTF8' LOCALE 'C'")
        copied: sql.Composable = sql.Identifier(_name(template)) if template else origin
        with self._server.connect() as connection:
            try:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(full), copied)
                )
            except psycopg.errors.InsufficientPrivilege:
                raise ConfigError(say("selftest.no_createdb")) from None
        self._names.append(full)
        return Database(make_conninfo(self._server.dsn, dbname=full), "")

    def drop(self) -> None:
        with self._server.connect() as connection:
            # FORCE, because the session of a killed process may last a moment longer.
            for name in self._names:
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )


def _name(database: Database) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(database.dsn)["dbname"])


@contextmanager
def _scratch(server: Database) -> Iterator[_Scratch]:
    scratch = _Scratch(server)
    try:
        yield scratch
    finally:
        scratch.drop()


# --- the test
# --------------------------------------------------------------------------------------------------


@dataclass
class _CrashTest:
    scratch: _Scratch
    folder: Path
    listener: Progress
    fault: Fault | None
    points: dict[str, int] = field(default_factory=dict)
    _starts: dict[str, Site] = field(default_factory=dict)

    def prepare(self, works: Sequence[str]) -> None:
        """The state that each work starts from. Import: a company that was imported, and the ERP of
        the next day.
        """
        self.listener.log(say("selftest.preparing"))
        first = self.folder / "import"
        generate_company(first, "small")
        start = Site(self.scratch.make("import"), first)
        with closing(sqlite3.connect(start.erp)) as erp, erp:
            erp.execute(f"CREATE TABLE {_IMPORT_SEMAPHORE} (Status INTEGER)")
            erp.execute(f"INSERT INTO {_IMPORT_SEMAPHORE} VALUES (0)")
        with start.database.connect() as connection:
            ensure_schema(connection, load_catalog())
        _finish("import", start)
        with start.database.connect() as connection:
            load_settings(connection, read_settings(first / SETTINGS_FILE))
        _finish("import", start)
        _state(start, _agents(start), start.folder)
        self._starts["import"] = start
        change_company(start.folder)
        if {*works} <= {"import"}:
            return
        undo = self._copy("undo", start)
        _finish("import", undo)
        _state(undo, _agents(undo), undo.folder)
        self._starts["undo"] = undo
        if "export" not in works:
            return
        export = self._copy("export", undo)
        with exclusive(export.database) as connection:
            make_orders(connection, _ORDERS)
        self._starts["export"] = export

    def kill(self, name: str, most: int) -> Iterator[Killed]:
        """The work, killed at one point after another."""
        start = self._starts[name]
        agents = _agents(start)
        old = _state(start, agents, start.folder)
        done = self._copy("done", start)
        passed = self._child(name, done)
        new = _state(done, agents, done.folder)
        sent = _sent(done) if name == "export" else {}
        self.points[name] = len(passed)
        chosen = _chosen(len(passed), most)
        title = say(
            "selftest.points", title=TITLE, work=name, chosen=len(chosen), number=len(passed)
        )
        self.listener.task_started(title, len(chosen))
        for point in chosen:
            yield self._killed(name, point, passed[point - 1], old, new, sent)
            self.listener.task_advanced(1)

    def _killed(
        self,
        name: str,
        point: int,
        point_name: str,
        old: State,
        new: State,
        sent: Mapping[str, Mapping[str, int]],
    ) -> Killed:
        """Kills the work at one point, looks at what is left, and does it again to its end."""
        started = time.monotonic()
        site = self._copy("killed", self._starts[name])
        broken: list[str] = []
        try:
            if self._child(name, site, die_at=point):
                broken.append(say("selftest.not_reached"))
            if self.fault:
                self.fault(site)
            if not _is_lock_free(site.database):
                broken.append(say("selftest.lock_taken"))
            state_now = _state(site, list(old.agents), site.folder)
            broken += _differences(old, new, state_now, whole=name != "export")
            _finish(name, site)
            broken += _after_all(name, site, new, sent)
            state = ""
            if name != "export":
                state = _which(old, new, state_now)
        except (KimoError, psycopg.Error, sqlite3.Error, OSError) as error:
            broken.append(f"{type(error).__name__}: {in_one_line(error)}")
            state = "?"
        return Killed(name, point, point_name, state, time.monotonic() - started, tuple(broken))

    def _copy(self, name: str, of: Site) -> Site:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(of.folder, folder)
        return Site(self.scratch.make(name, of.database), folder)

    def _child(self, name: str, site: Site, die_at: int = 0) -> list[str]:
        """The points that the process has passed; none when it was killed. Raises: ConfigError when
        it fails otherwise.
        """
        arguments = [name, str(site.folder / CONFIG_FILE), site.database.dsn]
        command = [sys.executable, "-m", "kimo_assets.selftest.child", *arguments]
        done = subprocess.run(  # noqa: S603 (our own program)
            command,
            env={**os.environ, DIE_AT: str(die_at)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CHILD_TIMEOUT_S,
            check=False,
        )
        # POSIX gives the signal as a negative code, Windows gives its number.
        if die_at and done.returncode in (-KILL, int(KILL)):
            return []
        if done.returncode:
            message = done.stderr.strip()[-500:]
            raise ConfigError(
                say("selftest.child_failed", work=name, code=done.returncode, message=message)
            )
        passed: list[str] = json.loads(done.stdout)
        return passed


def _finish(name: str, site: Site) -> None:
    """The work to its end, in this process."""
    work(name, site.folder / CONFIG_FILE, site.database, Points(0))


def _chosen(points: int, most: int) -> list[int]:
    """So many of the points from 1, the first and the last among them, evenly."""
    if most >= points:
        return list(range(1, points + 1))
    if most == 1:
        return [max(1, points // 2)]
    return sorted({1 + round(i * (points - 1) / (most - 1)) for i in range(most)})


# --- what is looked at
# ------------------------------------------------------------------------------------------------


def _agents(site: Site) -> list[str]:
    with site.database.connect() as connection:
        agents = agents_with_payload(connection)
    return agents[:: max(1, len(agents) // _AGENTS)][:_AGENTS]


def _state(site: Site, agents: Sequence[str], tablets: Path) -> State:
    """As it is now. tablets: where the agents' files are, which are synced."""
    refuse_foreign(site.database)
    return State(
        _digests(site, KIMO),
        _digests(site, INTEGRATOR_SCHEMA),
        {agent: _tablet(site, agent, tablets) for agent in agents},
    )


def _digests(site: Site, schema: str) -> dict[str, str]:
    """entity -> a digest of its rows, in whatever order; without the numbers of loads."""
    catalog = load_catalog()
    columns_of: dict[str, set[str]] = {}
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = {}"
    for name, column in site.rows(sql.SQL(query).format(sql.Literal(schema))):
        if name in catalog.all:
            columns_of.setdefault(name, set()).add(column)
    digest = "count(*) || '/' || coalesce(sum(hash_record_extended(ROW ({}{}), 1)::numeric), 0)"
    queries = []
    for name, present in columns_of.items():
        is_archived = sql.SQL("")
        if ARCHIVED in present:
            is_archived = sql.SQL(f', "{ARCHIVED}" IS NULL')
        fields = columns([field for field in catalog[name].fields if field in present])
        queries.append(
            sql.SQL(f"SELECT {{}}, {digest} FROM {{}}").format(
                sql.Literal(name), fields, is_archived, table(schema, name)
            )
        )
    if not queries:
        return {}
    return dict(site.rows(sql.SQL(" UNION ALL ").join(queries)))


def _tablet(site: Site, agent: str, tablets: Path) -> str:
    """A digest of the agent's file after a sync, and of a first sync's where that differs."""
    kept, fresh = tablets / f"{agent}.sqlite", tablets / f"{agent}-fresh.sqlite"
    fresh.unlink(missing_ok=True)
    for file in (kept, fresh):
        sync_agent(site.config.sync_store, agent, file)
    of_kept, of_fresh = _content(kept), _content(fresh)
    if of_kept == of_fresh:
        return of_kept
    return f"{of_kept} (a first sync: {of_fresh})"


def _content(file: Path) -> str:
    """A digest of the rows of all tables, but for the client's own bookkeeping (`_...`)."""
    digest = blake2b(digest_size=12)
    with closing(sqlite3.connect(file)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
        ).fetchall()
        for name in (name for (name,) in tables if not name.startswith("_")):
            described = connection.execute(
                f'SELECT name FROM pragma_table_info("{name}")'
            ).fetchall()
            names = ", ".join(
                f'"{column}"' for (column,) in described if not column.startswith("_")
            )
            digest.update(name.encode())
            for row in connection.execute(f'SELECT {names} FROM "{name}" ORDER BY {names}'):
                digest.update(repr(row).encode())
    return digest.hexdigest()


def _is_lock_free(database: Database) -> bool:
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            with exclusive(database):
                return True
        except LockedError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def _differences(old: State, new: State, now: State, *, whole: bool) -> Iterator[str]:
    """What is neither as before nor as after. whole: all of Kimo's tables change at once."""
    if whole and now.kimo not in (old.kimo, new.kimo):
        names = [
            name
            for name in now.kimo
            if now.kimo[name] not in (old.kimo.get(name), new.kimo.get(name))
        ]
        shown = ", ".join(names) or say("selftest.some_old_some_new")
        yield say("selftest.tables_between", names=shown)
    mixed = [
        n
        for n, digest in now.staged.items()
        if digest not in (old.staged.get(n), new.staged.get(n))
    ]
    mixed += [name for name in old.staged if name not in now.staged]
    if mixed:
        yield say("selftest.staged_between", names=", ".join(mixed))
    for agent, digest in now.agents.items():
        if digest not in (old.agents[agent], new.agents[agent]):
            yield say("selftest.agent_between", agent=agent)


def _which(old: State, new: State, now: State) -> str:
    named = [("old", old), ("new", new)]
    kimo = next((name for name, state in named if now.kimo == state.kimo), "between")
    agents = {
        next((name for name, s in named if s.agents[a] == digest), "?")
        for a, digest in now.agents.items()
    }
    return f"tables {kimo}, agents {' and '.join(sorted(agents))}"


def _after_all(
    name: str, site: Site, new: State, sent: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    """What is not as it should be when the work was done again, to its end."""
    now = _state(site, list(new.agents), site.folder)
    if name != "export" and (now.kimo, now.agents) != (new.kimo, new.agents):
        names = [entity for entity in now.kimo if now.kimo[entity] != new.kimo.get(entity)]
        shown = ", ".join(names) or say("selftest.agents_files")
        yield say("selftest.other_state", names=shown)
    for semaphore in (_IMPORT_SEMAPHORE, EXPORT_SEMAPHORE.name):
        if (status := site.at_erp(f"SELECT Status FROM {semaphore}")) != [(0,)]:
            yield say("selftest.semaphore", semaphore=semaphore, status=status)
    if name == "export":
        yield from _export_differences(site, sent)


# --- exports
# --------------------------------------------------------------------------------------------------

# Tables of the demo's ERP that exports write -> what tells their rows apart at both ends.
_AT_ERP = {
    "KIMO_ORDINI": "SYNCREF",
    "KIMO_ORDINI_RIGHE": "IDORD_KIMO || '/' || RIGA",
    "KIMO_CLIENTI": "SYNCREF",
    "KIMO_VISITE": "SYNCREF",
    "KIMO_INCASSI": "SYNCREF",
}


def _sent(site: Site) -> dict[str, dict[str, int]]:
    """table at the ERP -> what has arrived, and how often."""
    rows_of = {name: site.at_erp(f"SELECT {key} FROM {name}") for name, key in _AT_ERP.items()}
    return {name: dict(Counter(key for (key,) in rows)) for name, rows in rows_of.items()}


def _export_differences(site: Site, sent: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """What differs between the ERP and what a run without a kill has sent."""
    for name, arrivals in _sent(site).items():
        if twice := [key for key, count in arrivals.items() if count > 1]:
            yield say("selftest.arrived_twice", table=name, count=len(twice))
        missing = len(sent[name].keys() - arrivals.keys())
        more = len(arrivals.keys() - sent[name].keys())
        if missing or more:
            yield say("selftest.missing_or_too_many", table=name, missing=missing, more=more)
    with site.database.connect() as connection:
        totals = outbox_totals(connection)
    if totals.rows or totals.open_batches:
        yield say("selftest.left_open", rows=totals.rows, batches=totals.open_batches)
    arrived = sum(len(keys) for name, keys in sent.items() if name != "KIMO_ORDINI_RIGHE")
    if totals.sent != arrived:
        yield say("selftest.counts_differ", sent=totals.sent, arrived=arrived)
