"""Step 2 over a choice of entities: one that fails is taken back to its savepoint, the others are
kept.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace

import psycopg
from psycopg import Connection

from kimo_assets.catalog import Catalog
from kimo_assets.database.names import STAGED_AREA
from kimo_assets.database.rejection_history import count_new
from kimo_assets.errors import KimoError, in_one_line
from kimo_assets.loading import history
from kimo_assets.loading.acknowledgements import Acknowledged, acknowledge, to_acknowledge
from kimo_assets.loading.load import OnComparison, load_entity
from kimo_assets.loading.references import check_references
from kimo_assets.loading.rules import LoadRules
from kimo_assets.reports import AnswersEntity, LoadedEntity


def load_entities(
    connection: Connection,
    catalog: Catalog,
    names: Sequence[str],
    load: int,
    rules: LoadRules,
    *,
    on_start: Callable[[str], None] = lambda name: None,
    on_comparison: OnComparison = lambda comparison: None,
    say: Callable[[str], None] = lambda line: None,
) -> list[LoadedEntity]:
    """Loads the named entities, in the given order, inside the caller's transaction; then recounts
    what points nowhere.

    But the ERP's answers come first: the records that they bind are then compared with the snapshot
    under the ERP's Ids. say: told what an operator should know of the answers.
    """
    rules = rules.with_console(connection)
    answers = [name for name in names if name in catalog.answers.values()]
    others = [name for name in names if name not in answers]
    reports: dict[str, LoadedEntity] = {}
    for name in answers:
        on_start(name)
        reports[name] = _load_one(connection, catalog, name, load, rules, on_comparison)
    acknowledged = _acknowledge_all(connection, catalog, load, rules, say)
    reports |= _with_answers(catalog, reports, acknowledged)
    for name in others:
        on_start(name)
        reports[name] = _load_one(connection, catalog, name, load, rules, on_comparison)
    if any(found.cannot_be_undone for found in acknowledged.values()):
        history.give_up(connection, load, _CANNOT_BE_UNDONE.format(load=load))
    dangling = check_references(connection, catalog, names, load, rules.area)
    new = count_new(connection, STAGED_AREA.rejected, names, 2, load)
    return [
        replace(reports[name], dangling=dangling.get(name, {}), refused_new=new.get(name, 0))
        for name in names
    ]


_CANNOT_BE_UNDONE = (
    "Load {load} gave records of Kimo's the Ids by which the ERP knows them, wherever they are"
    " named: that cannot be taken back."
)


def _acknowledge_all(
    connection: Connection,
    catalog: Catalog,
    load: int,
    rules: LoadRules,
    say: Callable[[str], None],
) -> dict[str, Acknowledged]:
    """Applies all answers that are there, whichever entities are loaded: head -> what came
    of it.
    """
    applied = {}
    for head in to_acknowledge(connection, catalog):
        applied[head] = _acknowledge_one(connection, catalog, head, load, rules)
        for note in applied[head].notes:
            say(note)
    return applied


def _acknowledge_one(
    connection: Connection, catalog: Catalog, head: str, load: int, rules: LoadRules
) -> Acknowledged:
    started = time.monotonic()
    try:
        with connection.transaction():
            found = acknowledge(connection, catalog, head, load, keep_history=rules.keep_history)
    except (KimoError, psycopg.Error) as error:
        if connection.broken:
            raise
        why = (
            f"the ERP's answers to {head} could not be applied, the next load tries again:"
            f" {in_one_line(error)}"
        )
        found = Acknowledged(failure=why, notes=(why,))
    return replace(found, seconds=time.monotonic() - started)


def _with_answers(
    catalog: Catalog, loaded: Mapping[str, LoadedEntity], acknowledged: Mapping[str, Acknowledged]
) -> dict[str, AnswersEntity]:
    """The reports of the entities that hold the answers, with what these brought about."""
    return {
        answers: _with_acknowledged(loaded[answers], acknowledged.get(head, Acknowledged()))
        for head, answers in catalog.answers.items()
        if answers in loaded
    }


def _with_acknowledged(report: LoadedEntity, found: Acknowledged) -> AnswersEntity:
    values = {field.name: getattr(report, field.name) for field in fields(LoadedEntity)}
    values["seconds"] += found.seconds
    if found.failure and report.status != "failed":
        values |= {"status": "failed", "error": found.failure}
    return AnswersEntity(
        **values,
        acknowledged=found.acknowledged,
        bound=found.bound,
        refused_by_erp=found.refused_by_erp,
        not_bound=found.not_bound,
        unknown=found.unknown,
        notes=found.notes,
    )


def _load_one(
    connection: Connection,
    catalog: Catalog,
    name: str,
    load: int,
    rules: LoadRules,
    on_comparison: OnComparison,
) -> LoadedEntity:
    started = time.monotonic()
    try:
        with connection.transaction():
            return load_entity(connection, catalog, catalog[name], load, rules, on_comparison)
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
    """Brings the named entities back to the state after load `target`, inside the caller's
    transaction.
    """
    reports = []
    for name in names:
        on_start(name)
        started = time.monotonic()
        report = history.undo_entity(connection, catalog, catalog[name], load, target)
        reports.append(replace(report, seconds=time.monotonic() - started))
    history.mark_undone(connection, load, target)
    check_references(connection, catalog, names, load)
    return reports
