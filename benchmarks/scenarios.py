"""What is measured. Each scenario yields results: flat facts of one measured piece of work, in the
order they were run.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import companies
from benchmarks.bench import CHANGED_SHARE, Bench, Result
from benchmarks.child import WorkError, run
from benchmarks.downloads import downloads
from benchmarks.export import exports
from benchmarks.geocoding import geocoding
from benchmarks.images import images
from benchmarks.payloads import payloads
from benchmarks.servers import postmaster_of, server_of
from kimo_assets.config import load_config
from kimo_assets.database.server import open_database
from kimo_assets.demo import change_company

MYSQL_VARIABLE = "KIMO_BENCH_MYSQL_URL"

# The entities whose tables the general loaders get, and these tables.
LARGEST = {"ItemListPrice": "LISTINI_RIGHE", "ErpDocumentLine": "ORDINI_RIGHE"}
_BY_INSERT = ("multi", "default")


@contextmanager
def _source(bench: Bench, kind: str, erp: Path) -> Iterator[tuple[str | None, list[int]]]:
    """The URL of a source of this kind filled from the demo's ERP, and the postmasters
    behind it.
    """
    if kind == "sqlite":
        yield None, []
    elif kind == "mysql":
        url = os.environ[MYSQL_VARIABLE]
        companies.put_into_mysql(erp, url)
        yield url, []
    else:
        folder = bench.folder / "source"
        server = server_of(folder)
        companies.put_into_postgresql(erp, server.get_uri())
        yield server.get_uri(), [postmaster_of(folder)]


def imports(bench: Bench, scale: str) -> Iterator[Result]:
    """The whole import from SQLite, then the unchanged one, then one after 2 % of the rows changed;
    with the floors.
    """
    for kind in ("sqlite", "postgresql"):
        for repetition in bench.times(scale):
            yield from _three_imports(bench, scale, kind, repetition)


def _three_imports(bench: Bench, scale: str, kind: str, repetition: int) -> Iterator[Result]:
    directory = bench.folder / "import"
    pristine = bench.pristine(scale)
    about = {"scenario": "imports", "scale": scale, "source": kind, "repetition": repetition}
    with _source(bench, kind, pristine / "erp.sqlite") as (url, postmasters):
        config = companies.fresh_copy(pristine, directory, source_url=url)
        work: dict[str, Any] = {"config": str(config), "postmasters": postmasters}
        yield about | {"run": "first"} | run("imports", **work, with_floors=True)
        yield about | {"run": "unchanged"} | run("imports", **work)
        change_company(directory, CHANGED_SHARE)
        if url:
            companies.put_into_postgresql(directory / "erp.sqlite", url)
        yield about | {"run": "changed"} | run("imports", **work)


def loaders(bench: Bench, scale: str) -> Iterator[Result]:
    """Step 1 of the two largest tables, reading them alone, and general loaders that move the same
    tables; beside COPY.
    """
    for kind in ("sqlite", "postgresql", "mysql"):
        if kind == "mysql" and MYSQL_VARIABLE not in os.environ:
            bench.say(f"skipped: MySQL, because {MYSQL_VARIABLE} is not set")
            continue
        with _source(bench, kind, bench.pristine(scale) / "erp.sqlite") as (url, postmasters):
            for repetition in bench.times(scale):
                about = {
                    "scenario": "loaders",
                    "scale": scale,
                    "source": kind,
                    "repetition": repetition,
                }
                with_slow = scale == "small" and repetition == 0
                for result in _loaders_once(bench, scale, url, postmasters, with_slow=with_slow):
                    yield about | result


def _loaders_once(
    bench: Bench, scale: str, url: str | None, postmasters: list[int], *, with_slow: bool
) -> Iterator[Result]:
    """with_slow: also the ways by INSERT, which take minutes for more than the small company."""
    directory = bench.folder / "loaders"
    config = companies.fresh_copy(bench.pristine(scale), directory, source_url=url)
    companies.without_wrong_rows(directory / "erp.sqlite", list(LARGEST.values()))
    entities = list(LARGEST)
    ours = run(
        "imports",
        config=str(config),
        steps=[1],
        entities=entities,
        postmasters=postmasters,
        with_floors=True,
    )
    yield {"loader": "COPY"} | ours["floors"]["copy"]
    yield {"loader": "ours"} | ours["steps"]["1"]
    source_url = url or f"sqlite:///{directory / 'erp.sqlite'}"
    for reader in ("auto", "cursor"):
        work: dict[str, Any] = {
            "source_url": source_url,
            "entities": entities,
            "postmasters": postmasters,
        }
        yield {"loader": f"reading only, {reader}"} | run(
            "extraction", config=str(config), reader=reader, **work
        )
    with _target(directory) as (target, postmaster):
        for loader, method, python in _others(bench):
            if method in _BY_INSERT and not with_slow:
                continue
            work = {
                "source_url": source_url,
                "target_url": target,
                "tables": [_spelled(name, url) for name in LARGEST.values()],
                "method": method,
                "postmasters": [postmaster, *postmasters],
            }
            try:
                yield {"loader": f"{loader} {method}"} | run(
                    f"{loader}_loader", python=python, **work
                )
            except WorkError as error:
                yield {"loader": f"{loader} {method}", "error": str(error)}


@contextmanager
def _target(directory: Path) -> Iterator[tuple[str, int]]:
    """Another database of the same server that the import went to."""
    config = load_config(directory / "kimo.yaml")
    with open_database(config).connect() as connection:
        connection.execute("CREATE DATABASE target TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    folder = Path(config.data_dir) / "postgres"
    server = server_of(folder)
    yield server.get_uri("target"), postmaster_of(folder)
    server.cleanup()


def _others(bench: Bench) -> Iterator[tuple[str, str, str]]:
    for method in ("multi", "copy"):
        yield "pandas", method, sys.executable
    python = bench.loaders_python or sys.executable
    if bench.loaders_python or importlib.util.find_spec("dlt"):
        for method in ("default", "arrow", "connectorx"):
            yield "dlt", method, python
    else:
        bench.say("skipped: dlt, which is not installed here (pip install 'kimo_assets[bench]')")


def _spelled(table: str, url: str | None) -> str:
    return table.lower() if url and url.startswith("postgresql") else table


def dagster(bench: Bench, scale: str) -> Iterator[Result]:
    """Dagster's own share, on the small company: the import through it less the same import without
    it.
    """
    for repetition in bench.times("small"):
        for through in (False, True):
            directory = bench.folder / "dagster"
            config = companies.fresh_copy(bench.pristine("small"), directory)
            for name in ("first", "unchanged"):
                about = {
                    "scenario": "dagster",
                    "scale": "small",
                    "repetition": repetition,
                    "run": name,
                }
                about["through"] = "dagster" if through else "pipeline"
                yield about | run("launch", config=str(config), through_dagster=through)


def plans(bench: Bench, scale: str) -> Iterator[Result]:
    """A plan of a change of 2 %, the steps that it foretells, what keeping the rows for an undo
    costs, and the undo.
    """
    for repetition in bench.times(scale):
        directory = bench.folder / "plans"
        config = companies.fresh_copy(bench.pristine(scale), directory)
        run("plans", config=str(config), what="import", keep_loads=5, steps=[1, 2, 3])
        for keep_loads in (0, 5):
            change_company(directory, CHANGED_SHARE, seed=10 * repetition + keep_loads)
            for name, steps in (("plan", []), ("step 1", [1]), ("step 2", [2]), ("step 3", [3])):
                about = {
                    "scenario": "plans",
                    "scale": scale,
                    "repetition": repetition,
                    "run": f"{name}, keep {keep_loads}",
                }
                what = "plan" if name == "plan" else "import"
                yield about | run(
                    "plans", config=str(config), what=what, keep_loads=keep_loads, steps=steps
                )
        about = {"scenario": "plans", "scale": scale, "repetition": repetition, "run": "undo"}
        yield about | run("plans", config=str(config), what="undo", keep_loads=5, steps=[])


SCENARIOS: dict[str, Callable[[Bench, str], Iterator[Result]]] = {
    "imports": imports,
    "loaders": loaders,
    "dagster": dagster,
    "plans": plans,
    "payloads": payloads,
    "geocoding": geocoding,
    "downloads": downloads,
    "images": images,
    "export": exports,
}
