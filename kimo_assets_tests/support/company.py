"""Small companies for the tests: an ERP from a dict of tables, a kimo.yaml for it, the steps, and
what came of them.

    world.erp(Zone=[{"Id": "N", "Description": "North"}])
    world.run(1, 2)
    assert world.rows('SELECT "Id" FROM kimo."Zone"') == [("N",)]

Every table of the ERP that carries an entity's name is mapped; `entities` overrides. An ERP is a
whole snapshot: the tables not given anew stay as they were, `without` takes one away.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.engine import make_url

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database.server import Database
from kimo_assets.pipeline.workflows import run_import, run_retry
from kimo_assets.progress import Progress
from kimo_assets.reports import EntityReport, ImportReport
from kimo_assets.sync.client.client import sync_agent

Row = dict[str, Any]


@dataclass(frozen=True)
class RawText:
    """A text value of exactly these bytes, UTF-8 or not."""

    content: bytes


class Erp:
    """A SQLite file with untyped columns: a value stays what it is."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file.as_posix()}"

    def write(self, tables: Mapping[str, Sequence[Row]]) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for name, rows in tables.items():
                columns = list(dict.fromkeys(column for row in rows for column in row))
                connection.execute(f'DROP TABLE IF EXISTS "{name}"')
                self._create(connection, name, columns or ["Id"])
                self._insert(connection, name, columns, rows)

    def execute(self, script: str) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            connection.executescript(script)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(query).fetchall()

    def tables(self) -> list[str]:
        with closing(sqlite3.connect(self.file)) as connection:
            return [
                name
                for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")
            ]

    @staticmethod
    def _create(connection: sqlite3.Connection, name: str, columns: Sequence[str]) -> None:
        quoted = ", ".join(f'"{column}"' for column in columns)
        connection.execute(f'CREATE TABLE "{name}" ({quoted})')

    @staticmethod
    def _insert(
        connection: sqlite3.Connection, name: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        by_marks: dict[str, list[list[Any]]] = {}
        for row in rows:
            values = [row.get(column) for column in columns]
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(v, RawText) else "?" for v in values)
            bare = [v.content if isinstance(v, RawText) else v for v in values]
            if by_marks and marks not in by_marks:
                Erp._write(connection, name, by_marks)
            by_marks.setdefault(marks, []).append(bare)
        Erp._write(connection, name, by_marks)

    @staticmethod
    def _write(
        connection: sqlite3.Connection, name: str, by_marks: dict[str, list[list[Any]]]
    ) -> None:
        """Rows in their order: written as soon as the way they are written changes."""
        for marks, found in by_marks.items():
            connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', found)
        by_marks.clear()


@dataclass
class World:
    """A company: `folder` holds its ERP, its kimo.yaml, its sync store and its agents' files."""

    folder: Path
    database: Database
    entities: dict[str, Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    source_url: str | None = None

    @property
    def erp_file(self) -> Erp:
        return Erp(self.folder / "erp.sqlite")

    @property
    def store(self) -> Path:
        return self.folder / "data" / "sync"

    def erp(self, **tables: Sequence[Row]) -> None:
        """Fills the named tables anew."""
        self.erp_file.write(tables)

    def without(self, table: str) -> None:
        self.erp_file.execute(f'DROP TABLE "{table}"')

    @property
    def config(self) -> KimoConfig:
        entities = self.entities
        if entities is None:
            known = load_catalog().entities
            entities = {name: {} for name in self.erp_file.tables() if name in known}
        document = {
            "sources": {"erp": {"url": self.source_url or self.erp_file.url}},
            "entities": entities,
            **self.settings,
        }
        file = self.folder / "kimo.yaml"
        file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return load_config(file)

    def run(self, *steps: int, **options: Any) -> ImportReport:
        """Runs the steps (all three when none is named), whatever becomes of them."""
        return run_import(self.config, self.database, steps=steps or (1, 2, 3), **options)

    def done(self, *steps: int, **options: Any) -> ImportReport:
        """Runs the steps, which must succeed."""
        report = self.run(*steps, **options)
        assert report.success, report.failures
        return report

    def retry(self, *entities: str) -> ImportReport:
        """Retries the rejected rows of the entities, or of all, in all three steps."""
        return run_retry(self.config, self.database, entities=entities)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query, values or None).fetchall()  # type: ignore[arg-type]

    def value(self, query: str, *values: Any) -> Any:
        return self.rows(query, *values)[0][0]

    def execute(self, statement: str) -> None:
        with self.database.connect() as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def rejected(self, entity: str) -> list[tuple[Any, ...]]:
        """(rule, source column, source key, value) of the entity's rejected rows, in the order of
        the stream.
        """
        return self.rows(
            "SELECT rule, source_column, source_key, value FROM ops.rejected_row WHERE entity = %s"
            " ORDER BY id",
            entity,
        )

    # --- what agents get
    # -------------------------------------------------------------------------------------------

    def agents(self) -> list[str]:
        rows = self.rows(
            'SELECT "Id" FROM kimo."SalesAgent" WHERE _archived_load IS NULL ORDER BY 1'
        )
        return [code for (code,) in rows]

    def client_file(self, agent: str) -> Path:
        folder = self.folder / "tablets"
        folder.mkdir(exist_ok=True)
        return folder / f"{agent.encode().hex()}.sqlite"

    def sync(self, agent: str) -> sqlite3.Connection:
        """The agent's file after a sync: the first one, or one more."""
        sync_agent(self.config.sync_store, agent, self.client_file(agent))
        return sqlite3.connect(self.client_file(agent))

    def received(self, agent: str, query: str) -> list[tuple[Any, ...]]:
        """What the agent's file answers after a sync."""
        with closing(self.sync(agent)) as file:
            return file.execute(query).fetchall()

    def seen(self, entity: str) -> dict[str, str]:
        """agent -> the Ids it sees, sorted, with blanks between."""
        return {
            agent: " ".join(
                sorted(key for (key,) in self.received(agent, f'SELECT Id FROM "{entity}"'))
            )
            for agent in self.agents()
        }


def agents(*codes: str) -> list[Row]:
    return [{"Id": code} for code in codes]


def ids(*codes: str, **values: Any) -> list[Row]:
    """Rows that hold nothing but their Id and, all of them, the values."""
    return [{"Id": code, **values} for code in codes]


def links(first: str, second: str, *pairs: tuple[str, str] | str) -> list[Row]:
    """Rows of a link table: "A 1" links A to 1."""
    return [
        {first: one, second: other}
        for one, other in (pair.split() if isinstance(pair, str) else pair for pair in pairs)
    ]


def rules(**values: Any) -> list[Row]:
    """Rows of BusinessRuleFromErp: ErpDocument__FilterPerUser="1" is the rule
    ErpDocument\\FilterPerUser.
    """
    return [{"Key": key.replace("__", "\\"), "Value": value} for key, value in values.items()]


class Killer(Progress):
    """Kills its own process, as a power cut would, the moment an entity of a step starts (or the
    manifests do).

    number: another signal than SIGKILL. reading: not when the entity starts, but when its first
    rows were read.
    """

    def __init__(
        self, step: int, entity: str | None, number: int = 9, *, reading: bool = False
    ) -> None:
        self._step = step
        self._entity = entity
        self._number = number
        self._reading = reading

    def entity_started(self, step: int, entity: str) -> None:
        if (step, entity) == (self._step, self._entity) and not self._reading:
            os.kill(os.getpid(), self._number)

    def rows_read(self, entity: str, rows: int) -> None:
        if entity == self._entity and self._reading:
            os.kill(os.getpid(), self._number)

    def manifests_started(self, agents: int) -> None:
        if self._step == 3 and self._entity is None:
            os.kill(os.getpid(), self._number)


_KILLED_RUN = """
import signal
import sys
from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.pipeline.workflows import run_import, run_undo
from kimo_assets_tests.support.company import Killer
# What a shell runs in the background ignores Ctrl-C, and so do all its children. Python then
# raises nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)
config, dsn, steps, step, entity, number, reading = sys.argv[1:]
told = {
    "title": "the killed run",
    "progress": Killer(int(step), entity or None, int(number), reading=reading == "True"),
}
if steps == "undo":
    run_undo(load_config(config), Database(dsn, ""), **told)
else:
    numbers = [int(step) for step in steps.split()]
    run_import(load_config(config), Database(dsn, ""), steps=numbers, **told)
"""


def run_and_kill(
    world: World,
    *steps: int,
    at_step: int,
    at_entity: str | None,
    number: int = 9,
    reading: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Runs the steps in a process of their own that gets a signal (SIGKILL) on its way, and ends by
    it.
    """
    return _run_killed(world, " ".join(map(str, steps)), at_step, at_entity, number, reading)


def undo_and_kill(world: World, *, at_step: int, at_entity: str | None) -> None:
    """The same with an undo of the last load."""
    _run_killed(world, "undo", at_step, at_entity, 9, False)


def _run_killed(
    world: World, what: str, at_step: int, at_entity: str | None, number: int, reading: bool
) -> subprocess.CompletedProcess[str]:
    arguments = [
        world.config.path,
        world.database.dsn,
        what,
        at_step,
        at_entity or "",
        number,
        reading,
    ]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_RUN, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == -number, done.stderr
    return done


def url_of(database: Database) -> str:
    """The address of a database of the embedded server, as a source's URL."""
    return (
        make_url(database.dsn).render_as_string(hide_password=False)
        if "://" in database.dsn
        else _url(database.dsn)
    )


def _url(dsn: str) -> str:
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy.engine import URL

    parts = conninfo_to_dict(dsn)
    query = {"host": str(parts["host"])} | ({"port": str(parts["port"])} if "port" in parts else {})
    url = URL.create(
        "postgresql",
        username=str(parts.get("user", "postgres")),
        database=str(parts["dbname"]),
        query=query,
    )
    return url.render_as_string(hide_password=False)


def by_entity(report: ImportReport, step: int) -> Mapping[str, EntityReport]:
    return report.steps[step].entities
