"""Step 2 over a choice of entities. One that fails goes back to its savepoint, the others stay."""

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
from kimo_assets.progress import Progress
from kimo_assets.reports import AnswersEntity, LoadedEntity, failed_report
from kimo_assets.texts import say

_SILENT = Progress()


def load_entities(
    connection: Connection,
    catalog: Catalog,
    names: Sequence[str],
    load: int,
    rules: LoadRules,
    *,
    progress: Progress = _SILENT,
    on_comparison: OnComparison = lambda _comparison: None,
) -> list[LoadedEntity]:
    """Loads the named entities, in the given order, inside the caller's transaction.

    The ERP's answers come first: the records that they bind are then compared with the snapshot
    under the ERP's Ids. At the end the references that point nowhere are counted again. progress:
    its log takes what an operator should know about the answers.
    """
    rules = rules.with_console(connection)
    # Reports are returned in the caller's order all the same.
    answers = [name for name in names if name in catalog.answers.values()]
    others = [name for name in names if name not in answers]
    reports: dict[str, LoadedEntity] = {}
    for name in answers:
        progress.entity_started(2, name)
        reports[name] = _load_or_report(connection, catalog, name, load, rules, on_comparison)
    acknowledged = _acknowledge_all(connection, catalog, load, rules, progress.log)
    reports |= _with_answers(catalog, reports, acknowledged)
    for name in others:
        progress.entity_started(2, name)
        reports[name] = _load_or_report(connection, catalog, name, load, rules, on_comparison)
    if any(result.cannot_be_undone for result in acknowledged.values()):
        history.give_up(connection, load, say("loading.undo.bound", load=load))
    dangling = check_references(connection, catalog, names, load, rules.area)
    new = count_new(connection, STAGED_AREA.rejected, names, 2, load)
    return [
        replace(reports[name], dangling=dangling.get(name, {}), refused_new=new.get(name, 0))
        for name in names
    ]


def _acknowledge_all(
    connection: Connection,
    catalog: Catalog,
    load: int,
    rules: LoadRules,
    log: Callable[[str], None],
) -> dict[str, Acknowledged]:
    """Applies all answers that are there, whichever entities are loaded.

    Returns head -> what the answers brought about.
    """
    acknowledged = {}
    for head in to_acknowledge(connection, catalog):
        acknowledged[head] = _acknowledge_head(connection, catalog, head, load, rules)
        for note in acknowledged[head].notes:
            log(note)
    return acknowledged


def _acknowledge_head(
    connection: Connection, catalog: Catalog, head: str, load: int, rules: LoadRules
) -> Acknowledged:
    """One head's answers, all or none. A failure is reported and does not stop the load."""
    started = time.monotonic()
    try:
        with connection.transaction():
            result = acknowledge(connection, catalog, head, load, keep_history=rules.keep_history)
    except (KimoError, psycopg.Error) as error:
        # Without a connection there is nothing left to load with.
        if connection.broken:
            raise
        failure = say("loading.answer.failed", entity=head, reason=in_one_line(error))
        result = Acknowledged(failure=failure, notes=(failure,))
    return replace(result, seconds=time.monotonic() - started)


def _with_answers(
    catalog: Catalog, loaded: Mapping[str, LoadedEntity], acknowledged: Mapping[str, Acknowledged]
) -> dict[str, AnswersEntity]:
    """The reports of the entities that hold the answers, with what these brought about."""
    reports = {}
    for head, answers in catalog.answers.items():
        if answers in loaded:
            result = acknowledged.get(head, Acknowledged())
            reports[answers] = _with_acknowledged(loaded[answers], result)
    return reports


def _with_acknowledged(report: LoadedEntity, result: Acknowledged) -> AnswersEntity:
    """Answers that were loaded and could not be applied fail the entity that holds them."""
    values = {field.name: getattr(report, field.name) for field in fields(LoadedEntity)}
    values["seconds"] += result.seconds
    if result.failure and report.status != "failed":
        values |= {"status": "failed", "error": result.failure}
    return AnswersEntity(
        **values,
        acknowledged=result.acknowledged,
        bound=result.bound,
        refused_by_erp=result.refused_by_erp,
        not_bound=result.not_bound,
        unknown=result.unknown,
        notes=result.notes,
    )


def _load_or_report(
    connection: Connection,
    catalog: Catalog,
    name: str,
    load: int,
    rules: LoadRules,
    on_comparison: OnComparison,
) -> LoadedEntity:
    """The entity's report. A failure takes the entity alone back to its savepoint."""
    started = time.monotonic()
    try:
        with connection.transaction():
            return load_entity(connection, catalog, catalog[name], load, rules, on_comparison)
    except (KimoError, psycopg.Error) as error:
        # On a dead connection every further entity would fail, each with the same misleading
        # reason.
        if connection.broken:
            raise
        return failed_report(LoadedEntity, name, time.monotonic() - started, error)


def undo_loads(
    connection: Connection,
    catalog: Catalog,
    names: Sequence[str],
    load: int,
    target: int,
    *,
    progress: Progress = _SILENT,
) -> list[LoadedEntity]:
    """Brings the named entities back to the state after load `target`.

    Inside the caller's transaction.
    """
    reports = []
    for name in names:
        progress.entity_started(2, name)
        started = time.monotonic()
        report = history.undo_entity(connection, catalog, catalog[name], load, target)
        reports.append(replace(report, seconds=time.monotonic() - started))
    history.mark_undone(connection, load, target)
    check_references(connection, catalog, names, load)
    return reports
