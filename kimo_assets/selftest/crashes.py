"""The crash test: a demo company in a scratch database, imported, taken back and exported by
processes that are killed.

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
    """What was found after a kill. state: old, new, or old and new, of the agents' files; broken:
    what was not whole.
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
        return bool(self.killed) and not any(found.broken for found in self.killed)

    def as_json(self) -> dict[str, Any]:
        return {
            "success": self.success,
            "seconds": round(self.seconds, 3),
            "points": dict(self.points),
            "killed": [vars(found) | {"seconds": round(found.seconds, 3)} for found in self.killed],
        }


@dataclass
class Place:
    """Where a run of the test takes place: a scratch database, and a folder with the company's
    files.
    """

    database: Database
    folder: Path

    @property
    def config(self) -> KimoConfig:
        return load_config(self.folder / CONFIG_FILE)

    @property
    def erp(self) -> Path:
        return self.folder / ERP_FILE

    def rows(self, query: sql.Composable | str) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def at_erp(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.erp)) as connection:
            return connection.execute(query).fetchall()


Fault = Callable[[Place], None]


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

    fault: done to the place after each kill, before it is looked at; for a test of this test.
    Raises: ConfigError when no database can be made on the server.
    """
    started = time.monotonic()
    with TemporaryDirectory(prefix=PREFIX) as folder, _scratch(server) as scratch:
        test = _CrashTest(scratch, Path(folder), listener, fault)
        test.prepare(works)
        killed = [
            found
            for name in works
            for found in test.kill(name, max(1, round(points * _SHARE[name])))
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
        origin = sql.SQL("template0 ENCODING 'UTF8' LOCALE 'C'")
        copied: sql.Composable = sql.Identifier(_name(template)) if template else origin
        with self._server.connect() as connection:
            try:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(full), copied)
                )
            except psycopg.errors.InsufficientPrivilege:
                raise ConfigError(
                    "the selftest makes databases of its own, which the user of `database: url:`"
                    " may not: give it CREATEDB (ALTER ROLE ... CREATEDB), or run the selftest with"
                    " another kimo.yaml"
                ) from None
        self._names.append(full)
        return Database(make_conninfo(self._server.dsn, dbname=full), "")

    def drop(self) -> None:
        with self._server.connect() as connection:
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
    _starts: dict[str, Place] = field(default_factory=dict)

    def prepare(self, works: Sequence[str]) -> None:
        """The state that each work starts from. Import: a company that was imported, and the ERP of
        the next day.
        """
        self.listener.log("Making a small company and importing it ...")
        first = self.folder / "import"
        generate_company(first, "small")
        start = Place(self.scratch.make("import"), first)
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
        self.listener.task_started(
            f"{TITLE}: {name}, {len(chosen)} of {len(passed)} points", len(chosen)
        )
        for point in chosen:
            yield self._killed(name, point, passed[point - 1], old, new, sent)
            self.listener.task_advanced(1)

    def _killed(
        self,
        name: str,
        point: int,
        what: str,
        old: State,
        new: State,
        sent: Mapping[str, Mapping[str, int]],
    ) -> Killed:
        started = time.monotonic()
        place = self._copy("killed", self._starts[name])
        broken: list[str] = []
        try:
            if self._child(name, place, die_at=point):
                broken.append("the process has not reached this point")
            if self.fault:
                self.fault(place)
            if not _is_lock_free(place.database):
                broken.append("the lock was not free")
            found = _state(place, list(old.agents), place.folder)
            broken += _differences(old, new, found, whole=name != "export")
            _finish(name, place)
            broken += _after_all(name, place, new, sent)
            state = _which(old, new, found) if name != "export" else ""
        except (KimoError, psycopg.Error, sqlite3.Error, OSError) as error:
            broken.append(f"{type(error).__name__}: {in_one_line(error)}")
            state = "?"
        return Killed(name, point, what, state, time.monotonic() - started, tuple(broken))

    def _copy(self, name: str, of: Place) -> Place:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(of.folder, folder)
        return Place(self.scratch.make(name, of.database), folder)

    def _child(self, name: str, place: Place, die_at: int = 0) -> list[str]:
        """The points that the process has passed; none when it was killed. Raises: ConfigError when
        it fails otherwise.
        """
        arguments = [name, str(place.folder / CONFIG_FILE), place.database.dsn]
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
        if die_at and done.returncode in (-KILL, int(KILL)):
            return []
        if done.returncode:
            said = done.stderr.strip()[-500:]
            raise ConfigError(
                f"the process that does the {name} has ended with {done.returncode}: {said}"
            )
        passed: list[str] = json.loads(done.stdout)
        return passed


def _finish(name: str, place: Place) -> None:
    """The work to its end, in this process."""
    work(name, place.folder / CONFIG_FILE, place.database, Points(0))


def _chosen(points: int, most: int) -> list[int]:
    """So many of the points from 1, the first and the last among them, evenly."""
    if most >= points:
        return list(range(1, points + 1))
    if most == 1:
        return [max(1, points // 2)]
    return sorted({1 + round(i * (points - 1) / (most - 1)) for i in range(most)})


# --- what is looked at
# ------------------------------------------------------------------------------------------------


def _agents(place: Place) -> list[str]:
    with place.database.connect() as connection:
        found = agents_with_payload(connection)
    return found[:: max(1, len(found) // _AGENTS)][:_AGENTS]


def _state(place: Place, agents: Sequence[str], tablets: Path) -> State:
    """As it is now. tablets: where the agents' files are, which are synced."""
    refuse_foreign(place.database)
    return State(
        _digests(place, KIMO),
        _digests(place, INTEGRATOR_SCHEMA),
        {agent: _tablet(place, agent, tablets) for agent in agents},
    )


def _digests(place: Place, schema: str) -> dict[str, str]:
    """entity -> a digest of its rows, in whatever order; without the numbers of loads."""
    catalog = load_catalog()
    there: dict[str, set[str]] = {}
    listed = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = {}"
    )
    for name, column in place.rows(sql.SQL(listed).format(sql.Literal(schema))):
        if name in catalog.all:
            there.setdefault(name, set()).add(column)
    digest = "count(*) || '/' || coalesce(sum(hash_record_extended(ROW ({}{}), 1)::numeric), 0)"
    queries = [
        sql.SQL(f"SELECT {{}}, {digest} FROM {{}}").format(
            sql.Literal(name),
            columns([field for field in catalog[name].fields if field in known]),
            (
                sql.SQL(", {} IS NULL").format(sql.Identifier(ARCHIVED))
                if ARCHIVED in known
                else sql.SQL("")
            ),
            table(schema, name),
        )
        for name, known in there.items()
    ]
    return dict(place.rows(sql.SQL(" UNION ALL ").join(queries))) if queries else {}


def _tablet(place: Place, agent: str, tablets: Path) -> str:
    """A digest of what the agent has after a sync: the file it had, and a new one, which must be
    equal.
    """
    kept, fresh = tablets / f"{agent}.sqlite", tablets / f"{agent}-fresh.sqlite"
    fresh.unlink(missing_ok=True)
    for file in (kept, fresh):
        sync_agent(place.config.sync_store, agent, file)
    found = [_content(file) for file in (kept, fresh)]
    return found[0] if found[0] == found[1] else f"{found[0]} (a first sync: {found[1]})"


def _content(file: Path) -> str:
    digest = blake2b(digest_size=12)
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
        ).fetchall()
        for name in (name for (name,) in found if not name.startswith("_")):
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


def _differences(old: State, new: State, found: State, *, whole: bool) -> Iterator[str]:
    """What is neither as before nor as after. whole: all of Kimo's tables change at once."""
    if whole and found.kimo not in (old.kimo, new.kimo):
        names = [
            name
            for name in found.kimo
            if found.kimo[name] not in (old.kimo.get(name), new.kimo.get(name))
        ]
        yield (
            "Kimo's tables are neither the old nor the new ones:"
            f" {', '.join(names) or 'some are old, some new'}"
        )
    mixed = [
        n
        for n, digest in found.staged.items()
        if digest not in (old.staged.get(n), new.staged.get(n))
    ]
    mixed += [name for name in old.staged if name not in found.staged]
    if mixed:
        yield f"staged tables are neither the old nor the new ones: {', '.join(mixed)}"
    for agent, digest in found.agents.items():
        if digest not in (old.agents[agent], new.agents[agent]):
            yield f"agent {agent}'s file is neither the old nor the new one"


def _which(old: State, new: State, found: State) -> str:
    named = [("old", old), ("new", new)]
    kimo = next((name for name, state in named if found.kimo == state.kimo), "between")
    agents = {
        next((name for name, s in named if s.agents[a] == digest), "?")
        for a, digest in found.agents.items()
    }
    return f"tables {kimo}, agents {' and '.join(sorted(agents))}"


def _after_all(
    name: str, place: Place, new: State, sent: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    """What is not as it should be when the work was done again, to its end."""
    found = _state(place, list(new.agents), place.folder)
    if name != "export" and (found.kimo, found.agents) != (new.kimo, new.agents):
        names = [entity for entity in found.kimo if found.kimo[entity] != new.kimo.get(entity)]
        yield f"done again, it gives another state: {', '.join(names) or 'of the agents files'}"
    for semaphore in (_IMPORT_SEMAPHORE, EXPORT_SEMAPHORE.name):
        if (status := place.at_erp(f"SELECT Status FROM {semaphore}")) != [(0,)]:
            yield f"{semaphore} of the ERP is {status}, not 0"
    if name == "export":
        yield from _export_differences(place, sent)


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


def _sent(place: Place) -> dict[str, dict[str, int]]:
    """table at the ERP -> what has arrived, and how often."""
    found = {name: place.at_erp(f"SELECT {what} FROM {name}") for name, what in _AT_ERP.items()}
    return {name: dict(Counter(key for (key,) in rows)) for name, rows in found.items()}


def _export_differences(place: Place, sent: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name, found in _sent(place).items():
        if twice := [key for key, count in found.items() if count > 1]:
            yield f"{name}: {len(twice)} arrived more than once"
        missing, more = sent[name].keys() - found.keys(), found.keys() - sent[name].keys()
        if missing or more:
            yield f"{name}: {len(missing)} are missing, {len(more)} too many"
    with place.database.connect() as connection:
        totals = outbox_totals(connection)
    if totals.rows or totals.open_batches:
        yield f"{totals.rows} rows are left in the outbox, {totals.open_batches} batches open"
    arrived = sum(len(keys) for name, keys in sent.items() if name != "KIMO_ORDINI_RIGHE")
    if totals.sent != arrived:
        yield f"Kimo says that {totals.sent} records were sent, {arrived} are at the ERP"
