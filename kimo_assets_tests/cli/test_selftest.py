"""kimo selftest --crash: what it proves, that it can fail, and that it touches nothing else."""

import json
from importlib import import_module
from typing import Any

import pytest

from kimo_assets.database.server import Database
from kimo_assets.errors import ConfigError
from kimo_assets.progress import Progress
from kimo_assets.selftest import CrashReport, Killed, crash_test
from kimo_assets.selftest.child import PREFIX, Points, refuse_foreign, work
from kimo_assets.selftest.crashes import Site, _chosen
from kimo_assets_tests.cli.conftest import NewCompany


def scratch_databases(database: Database) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]
        ).fetchall()


def test_kills_find_all_whole_and_a_row_that_is_lost_is_noticed(database: Database) -> None:
    """An undo, killed at its first and its last point; before the last is looked at, a row
    is lost.
    """
    seen: list[Site] = []

    def lose(site: Site) -> None:
        seen.append(site)
        if len(seen) == 2:
            with site.database.connect() as connection:
                connection.execute(
                    'DELETE FROM kimo."Account" WHERE "Id" = (SELECT min("Id") FROM kimo."Account")'
                )

    report = crash_test(database, Progress(), works=("undo",), points=8, fault=lose)
    first, last = report.killed
    assert (first.broken, first.state) == ((), "tables old, agents old")
    assert last.broken[0] == "Kimo's tables are neither the old nor the new ones: Account"
    assert not report.success
    assert report.points["undo"] > 20
    assert scratch_databases(database) == []


@pytest.mark.stress
def test_every_work_killed_at_many_points_is_whole(database: Database) -> None:
    report = crash_test(database, Progress(), points=60)
    assert report.success, [found for found in report.killed if found.broken]
    assert {found.work for found in report.killed} == {"import", "undo", "export"}


def test_a_database_of_somebody_elses_is_refused(
    own_database: Database, new_company: NewCompany
) -> None:
    company = new_company()
    with pytest.raises(
        ConfigError,
        match=r"only works in databases of its own \(kimo_selftest_\.\.\.\), not in own_",
    ):
        refuse_foreign(own_database)
    with pytest.raises(ConfigError, match="nothing was done"):
        work("import", company.config, own_database, Points(0))
    with own_database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM ops.load").fetchone() == (0,)


@pytest.mark.parametrize(
    ("points", "most", "chosen"),
    [(3, 9, [1, 2, 3]), (100, 3, [1, 51, 100]), (9, 1, [4]), (1, 1, [1])],
)
def test_points_are_spread_evenly_with_the_first_and_the_last(
    points: int, most: int, chosen: list[int]
) -> None:
    assert _chosen(points, most) == chosen


@pytest.mark.parametrize(("broken", "code"), [((), 0), (("the lock was not free",), 1)])
def test_the_verdict_is_a_sentence_a_document_and_an_exit_code(
    new_company: NewCompany, monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...], code: int
) -> None:
    company = new_company()
    killed = Killed("undo", 7, "step 3: committed", "tables new, agents old", 1.5, broken)
    # The package's attribute of this name is the command itself.
    module = import_module("kimo_assets.cli.selftest")
    monkeypatch.setattr(
        module, "crash_test", lambda *_, **__: CrashReport(12.0, {"undo": 40}, [killed])
    )
    result = company.kimo("selftest", "--crash")
    assert result.exit_code == code
    assert ("each time the old or the new state was whole" in result.stdout) is not bool(broken)
    assert ("the lock was not free" in result.stdout) is bool(broken)
    document = company.kimo("selftest", "--crash", "--json")
    assert document.exit_code == code
    assert json.loads(document.stdout)["killed"][0]["name"] == "step 3: committed"


def test_it_asks_what_is_to_be_tested(new_company: NewCompany) -> None:
    result = new_company().kimo("selftest")
    assert result.exit_code == 2
    assert "--crash" in result.stderr
