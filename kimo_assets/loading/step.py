"""Step 2 over a choice of entities: one that fails is taken back to its savepoint, the others are kept."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg
from psycopg import Connection

from kimo_assets.catalog import Catalog
from kimo_assets.database.names import INTEGRATOR
from kimo_assets.database.rejections import count_new
from kimo_assets.errors import KimoError, in_one_line
from kimo_assets.loading import history
from kimo_assets.loading.load import OnComparison, load_entity
from kimo_assets.loading.references import check_references
from kimo_assets.loading.rules import LoadRules
from kimo_assets.reports import LoadedEntity


def load_entities(
    connection: Connection,
    catalog: Catalog,
    names: Sequence[str],
    load: int,
    rules: LoadRules,
    *,
    on_start: Callable[[str], None] = lambda name: None,
    on_comparison: OnComparison = lambda comparison: None,
) -> list[LoadedEntity]:
    """Loads the named entities, in the given order, inside the caller's transaction; then recounts what points nowhere."""
    rules = rules.with_console(connection)
    reports = []
    for name in names:
        on_start(name)
        reports.append(_load_one(connection, catalog, name, load, rules, on_comparison))
    dangling = check_references(connection, catalog, names, load, rules.area)
    new = count_new(connection, INTEGRATOR.rejected, names, 2, load)
    return [
        replace(report, dangling=dangling.get(report.entity, {}), refused_new=new.get(report.entity, 0))
        for report in reports
    ]


def _load_one(
    connection: Connection, catalog: Catalog, name: str, load: int, rules: LoadRules, on_comparison: OnComparison
) -> LoadedEntity:
    started = time.monotonic()
    try:
        with connection.transaction():
            return load_entity(connection, catalog[name], load, rules, on_comparison)
    except (KimoError, psycopg.Error) as error:
        if connection.broken:
            raise
        return LoadedEntity(name, time.monotonic() - started, "failed", in_one_line(error))


def undo_loads(
    connection: Connection,
    catalog: Catalog,
    names: Sequence[str],
    load: int,
    target: int,
    *,
    on_start: Callable[[str], None] = lambda name: None,
) -> list[LoadedEntity]:
    """Brings the named entities back to the state after load `target`, inside the caller's transaction."""
    reports = []
    for name in names:
        on_start(name)
        started = time.monotonic()
        report = history.undo_entity(connection, catalog[name], load, target)
        reports.append(replace(report, seconds=time.monotonic() - started))
    history.mark_undone(connection, load, target)
    check_references(connection, catalog, names, load)
    return reports
