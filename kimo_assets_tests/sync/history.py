"""Histories: a company and its tablets, event after event, and the checks after each event.

What an agent gets of an entity is what the oracle says of the rows of schema kimo when step 3 last
ran for that entity.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kimo_assets.catalog import load_catalog
from kimo_assets.database.server import Database
from kimo_assets.errors import ConfigError
from kimo_assets.pipeline.workflows import run_undo
from kimo_assets.reports import ImportReport
from kimo_assets.sync.client.client import sync_agent
from kimo_assets_tests.support.company import World
from kimo_assets_tests.sync import store_reading
from kimo_assets_tests.sync.company import TABLES, WORDY, Company, Edit
from kimo_assets_tests.sync.oracle import Oracle, Viewer
from kimo_assets_tests.sync.published import (
    Published,
    View,
    comparable,
    difference,
    live_rows,
    payload_columns,
    tablet_content,
)
from kimo_assets_tests.sync.spec_client import SpecClient

Keys = frozenset[str]
Content = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Event:
    """Rows of the ERP change, then something runs, then some tablets sync.

    kind: one of the kinds in History.do. entities: of a restricted run, where
    it is killed, or whose columns change.
    """

    kind: str
    entities: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    tablets: frozenset[str] = frozenset()

    def __str__(self) -> str:
        changes = "".join(f"\n       {edit}" for edit in self.edits)
        return (
            f"{self.kind} {' '.join(self.entities)}; tablets"
            f" {' '.join(sorted(self.tablets)) or 'none'} sync{changes}"
        )


@dataclass
class History:
    """A company under events. spare: a second database, for publishing the same from nothing."""

    world: World
    spare: Database
    company: Company
    published: dict[str, Published] = field(default_factory=dict)
    agents: Keys = frozenset()
    # By agent and entity: what it was ever given, and what it lost because the row vanished, not
    # because others got it.
    ever: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    vanished: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    # The entities whose text column the ERP has not, and the clients that go by the letter.
    narrow: set[str] = field(default_factory=set)
    clients: dict[str, SpecClient] = field(default_factory=dict)
    # What the store has held in its time: whether the histories meet all that there is in it.
    met: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in ("data", "tablets", "spare"):
            shutil.rmtree(self.world.folder / folder, ignore_errors=True)
        self.world.settings = {"sync": {"keep_unlisted_hours": 0}}
        self._write_erp(list(TABLES))

    def play(self, event: Event) -> None:
        self.events.append(event)
        for edit in event.edits:
            rows = self.company[edit.entity]
            rows.pop(edit.key, None)
            rows.update({edit.key: edit.row} if edit.row else {})
        self._write_erp(sorted({edit.entity for edit in event.edits}))
        try:
            self.do(event)
            self.check(event.tablets)
        except Exception as error:
            error.add_note(
                "after these events:"
                + "".join(f"\n  {n}. {event}" for n, event in enumerate(self.events))
            )
            raise

    def _write_erp(self, names: Sequence[str]) -> None:
        for name in names:
            dropped = WORDY[name] if name in self.narrow else None
            rows = self.company[name].values()
            self.world.erp(
                **{
                    name: [
                        {column: row[column] for column in row if column != dropped} for row in rows
                    ]
                }
            )

    def do(self, event: Event) -> None:  # noqa: C901 (a table of cases)
        all_or_some = {"entities": event.entities, "only_listed": True, "allow_shrink": True}
        match event.kind:
            case "import":
                self._ran(self.world.done(allow_shrink=True))
            case "import with linked":
                self._ran(self.world.done(entities=event.entities, allow_shrink=True))
            case "import only":
                self._ran(self.world.done(**all_or_some))
            case "load":
                self.world.done(1, 2, **all_or_some)
            case "publish":
                self._ran(self.world.done(3, **all_or_some))
            case "columns change":
                self.narrow.symmetric_difference_update(event.entities)
                self._write_erp(event.entities)
                self._ran(self.world.done(allow_shrink=True))
            case "undo":
                self._undo()
            case "killed in step 3":
                # All is taken back: what was published stays as it was.
                import_and_kill(self.world, event.entities[0])
            case "killed before the manifests":
                self._killed_before_manifests()
            case "killed among the manifests":
                self._killed_among_manifests()
            case "store emptied":
                shutil.rmtree(self.world.store, ignore_errors=True)
                self._ran(self.world.done(3))
            case "objects deleted":
                self._delete_objects()
                self._ran(self.world.done(3))
            case "from scratch":
                self._ran(self.world.done(3))
                self.compare_from_scratch()
            case _:
                raise AssertionError(event.kind)

    def _undo(self) -> None:
        try:
            report = run_undo(self.world.config, self.world.database)
        except ConfigError:
            return
        assert report.success, report.failures
        self._ran(report)

    def _killed_before_manifests(self) -> None:
        """The ledger has the new payloads, the agents still the old manifests."""
        import_and_kill(self.world, "the manifests")
        self.check(frozenset())
        self._note(list(TABLES))
        self._ran(self.world.done(3, entities=["Zone"], only_listed=True))

    def _killed_among_manifests(self) -> None:
        """Each agent has the old manifest or the new. The next run replaces the remaining ones."""
        before, old = store_reading.manifests(self.world.store), dict(self.published)
        import_and_kill(self.world, "the second manifest")
        self._note(list(TABLES))
        for file, manifest in store_reading.manifests(self.world.store).items():
            rows = store_reading.rows_for_a_new_client(self.world.store, manifest)
            valid = old if manifest == before.get(file) else self.published
            self._compare("read after the kill", manifest["agent"], rows, valid)
        self._ran(self.world.done(3, entities=["Zone"], only_listed=True))

    def _delete_objects(self) -> None:
        objects = sorted((self.world.store / "objects").rglob("*.zst"))
        for file in objects[len(self.events) % 3 :: 3]:
            file.unlink()

    # --- what must be given
    # ---------------------------------------------------------------------------------------

    def _ran(self, report: ImportReport) -> None:
        self._note(
            [
                name
                for name, entity in report.steps[3].entities.items()
                if entity.status != "skipped"
            ]
        )

    def _note(self, names: Sequence[str]) -> None:
        tables, columns = live_rows(self.world, list(TABLES)), payload_columns(self.world)
        oracle = Oracle(tables)
        self.agents = frozenset(oracle.rows("SalesAgent"))
        for name in names:
            before, after = self.published.get(name), Published(name, oracle, columns[name])
            self.published[name] = after
            for viewer in oracle.everyone:
                seen, owner = after.view(viewer).keys(), (viewer.agent, name)
                lost = before.view(viewer).keys() - seen if before else set()
                gone = self.vanished.get(owner, set()) - lost - seen
                self.vanished[owner] = gone | (lost - oracle.rows(name).keys())
                self.ever[owner] = self.ever.get(owner, set()) | seen

    def check(self, tablets: Keys) -> None:
        """Checks all objects that an agent can fetch, the named tablets, and new tablets."""
        manifests = store_reading.manifests(self.world.store)
        expected = {store_reading.file_of(agent): agent for agent in self.agents}
        assert manifests.keys() == expected.keys(), (
            "the store has manifests of other agents than Kimo"
        )
        self.met |= store_reading.features(list(manifests.values()))
        for file, agent in expected.items():
            manifest = manifests[file]
            assert manifest["agent"] == agent
            assert manifest["entities"].keys() == self.published.keys(), (
                f"agent {agent}: other entities"
            )
            self._check_objects(agent, manifest)
            self._compare(
                "read anew",
                agent,
                store_reading.rows_for_a_new_client(self.world.store, manifest),
                self.published,
            )
            if agent in tablets:
                for name in ("old", "new"):
                    self._compare(
                        f"{name} tablet", agent, self._synced(agent, name), self.published
                    )
                client = self.clients.setdefault(agent, SpecClient(self.world.store))
                self._compare("client by the letter", agent, client.sync(manifest), self.published)

    def _synced(self, agent: str, name: str) -> dict[str, View]:
        file = self.world.folder / "tablets" / f"{agent} {name}.sqlite"
        file.parent.mkdir(exist_ok=True)
        if name == "new":
            file.unlink(missing_ok=True)
        sync_agent(self.world.config.sync_store, agent, file)
        return tablet_content(
            file, {name: entity.columns for name, entity in self.published.items()}
        )

    def _compare(
        self, how: str, agent: str, content: Content, valid: Mapping[str, Published]
    ) -> None:
        viewer = Viewer(agent)
        for name, published in valid.items():
            tablet = {
                key: {
                    column: comparable(value, published.kinds[column])
                    for column, value in row.items()
                }
                for key, row in content[name].items()
            }
            expected = published.view(viewer)
            if viewer not in published.oracle.everyone:
                # It came after this entity's step 3: it may have what it would have been given, or
                # nothing yet.
                expected = {
                    key: row
                    for key, row in published.of_a_newcomer(viewer).items()
                    if key in tablet
                }
            if tablet != expected:
                raise AssertionError(
                    f"{how}, agent {agent}, {name}: {difference(tablet, expected)}"
                )

    def _check_objects(self, agent: str, manifest: dict[str, Any]) -> None:
        """No object holds a row that the agent does not see, or a key that it never saw.

        A row that vanished may stay in a base as the agent last had it, also when the row comes
        back to others.
        """
        viewer = Viewer(agent)
        for part in store_reading.listed_objects(manifest):
            published = self.published[part.entity]
            content = store_reading.read(self.world.store, part)
            rows, owner = published.oracle.rows(part.entity), (agent, part.entity)
            public = getattr(load_catalog()[part.entity].scope, "everyone_columns", ())
            assert part.is_private or not public or set(content.columns) <= set(public), (
                f"{part} tells {content.columns}"
            )
            if viewer not in published.oracle.everyone:
                seen = set(published.of_a_newcomer(viewer))
            elif part.is_private:
                seen = {key for key in rows if viewer in published.seers(key)}
            else:
                seen = set(published.view(viewer))
            foreign = content.rows.keys() - seen - self.vanished.get(owner, set())
            assert not foreign, (
                f"agent {agent} can fetch the foreign rows {sorted(foreign)} in {part}"
            )
            unknown = content.removed - self.ever.get(owner, set())
            assert not unknown, (
                f"agent {agent} can fetch keys {sorted(unknown)} that it never saw in {part}"
            )

    def compare_from_scratch(self) -> None:
        """New clients get the same from a store that the same database fills from nothing."""
        scratch = from_scratch(self.world, self.spare)
        ours, theirs = (
            store_reading.manifests(self.world.store),
            store_reading.manifests(scratch.store),
        )
        assert ours.keys() == theirs.keys()
        for file, manifest in ours.items():
            mine = store_reading.rows_for_a_new_client(self.world.store, manifest)
            other = store_reading.rows_for_a_new_client(scratch.store, theirs[file])
            for name in {**mine, **other}:
                differences = difference(mine.get(name, {}), other.get(name, {}))
                assert not differences, (
                    f"{file}, {name}, published step by step and from scratch: {differences}"
                )


# What the engine remembers of what it has published; without it, it starts from nothing.
PUBLICATION_STATE = [
    "unlisted_object",
    "payload",
    "covered",
    "bucket",
    "bucket_object",
    "placement",
    "lookup",
    "audience",
    "profile",
    "manifest_file",
]


def from_scratch(world: World, spare: Database) -> World:
    """A copy of the database, in the spare one, published into an empty store."""
    copied, target = (
        conninfo_to_dict(database.dsn)["dbname"] for database in (world.database, spare)
    )
    with Database(make_conninfo(spare.dsn, dbname="postgres"), "").connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [copied],
        )
        connection.execute(f"DROP DATABASE {target} WITH (FORCE)")  # type: ignore[arg-type]
        connection.execute(f"CREATE DATABASE {target} TEMPLATE {copied} STRATEGY file_copy")  # type: ignore[arg-type]
    scratch = World(
        world.folder / "spare",
        spare,
        {name: {} for name in TABLES},
        world.settings,
        world.erp_file.url,
    )
    scratch.folder.mkdir(exist_ok=True)
    shutil.rmtree(scratch.store, ignore_errors=True)
    there = [
        name
        for (name,) in scratch.rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'ops'::regnamespace"
        )
    ]
    scratch.execute(
        f"TRUNCATE {', '.join(f'ops.{name}' for name in PUBLICATION_STATE if name in there)}"
    )
    scratch.execute("DROP SCHEMA IF EXISTS sync CASCADE; CREATE SCHEMA sync")
    scratch.done(3)
    return scratch


_KILLED_IMPORT = """
import os, sys
from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.pipeline.workflows import run_import
from kimo_assets.progress import Progress

config, dsn, moment = sys.argv[1:]

class Killer(Progress):
    manifests = 0

    def reached(self, what):
        if what == moment:
            os.kill(os.getpid(), 9)

    def entity_started(self, step, entity):
        self.reached(entity if step == 3 else "")

    def manifests_started(self, agents):
        self.reached("the manifests")

    def manifest_done(self):
        self.manifests += 1
        self.reached("the second manifest" if self.manifests == 2 else "")

run_import(load_config(config), Database(dsn, ""), allow_shrink=True, progress=Killer())
"""


def import_and_kill(world: World, moment: str) -> None:
    """An import in a process that is killed in step 3.

    moment: an entity, "the manifests", or "the second manifest". With fewer manifests it ends
    normally.
    """
    command = [
        sys.executable,
        "-c",
        _KILLED_IMPORT,
        str(world.config.path),
        world.database.dsn,
        moment,
    ]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == -9 or (done.returncode, moment) == (
        0,
        "the second manifest",
    ), done.stderr
