"""Records that have been under way for too long."""

import pytest

from kimo_assets.catalog import load_catalog
from kimo_assets.database.overdue_records import (
    OverdueRecord,
    days_until_overdue,
    overdue_records,
)
from kimo_assets_tests.support.company import World


def overdue(world: World, days: int | None) -> list[OverdueRecord]:
    with world.database.connect() as connection:
        return overdue_records(connection, load_catalog(), days)


def account(world: World, key: str, status: int, uploaded_days: float | None = 20) -> None:
    at = (
        "NULL"
        if uploaded_days is None
        else f"(now() AT TIME ZONE 'UTC') - interval '{uploaded_days} days'"
    )
    world.execute(
        'INSERT INTO kimo."Account" ("Id", "EntityStatus", "SyncReference",'
        ' "UploadToServerTimeStamp") '
        f"VALUES ('{key}', {status}, 'ref-{key}', {at})"
    )


def record(world: World, key: str, outcome: str, sent_days: float, problem: str = "") -> None:
    world.execute(
        "INSERT INTO ops.export_record (entity, id, batch, sync_reference, outcome, sent_at,"
        f" problem) VALUES ('Account', '{key}', 1, 'ref-{key}', '{outcome}', now() - interval"
        f" '{sent_days} days', nullif('{problem}', ''))"
    )


@pytest.mark.parametrize(
    ("value", "days"), [("7", 7), (" 7 ", 7), ("0", None), ("", None), ("soon", None)]
)
def test_the_rule_says_after_how_many_days(value: str, days: int | None) -> None:
    assert days_until_overdue({"pendingedits\\daysstuck": value}) == days
    assert days_until_overdue({}) is None


def test_edits_that_do_not_move_on_are_overdue_after_the_rules_days(world: World) -> None:
    for status in (-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10):
        account(world, f"A{status}", status, 20 + status / 10)
    account(world, "fresh", 6, 3)
    account(world, "timeless", 6, None)
    assert [record.id for record in overdue(world, 7)] == [
        "A10",
        "A9",
        "A8",
        "A7",
        "A6",
        "A5",
        "A3",
    ]
    assert overdue(world, 30) == []
    assert overdue(world, None) == []


def test_what_the_erp_does_not_answer_is_overdue_where_answers_are_imported(world: World) -> None:
    account(world, "silent", 1, 40)
    record(world, "silent", "sent", 20)
    account(world, "just sent", 1, 40)
    record(world, "just sent", "sent", 1)
    account(world, "refused", 1, 40)
    record(world, "refused", "refused", 15, "the ERP refused it.")
    account(world, "answered", 2, 40)
    record(world, "answered", "acknowledged", 20)
    assert overdue(world, 7) == []
    world.execute("INSERT INTO ops.loaded VALUES ('EntitySyncReferenceForAccount', 1, '', 0, 0, 1)")
    assert [
        (record.id, record.sync_reference, record.status, record.reason)
        for record in overdue(world, 7)
    ] == [
        ("silent", "ref-silent", 1, "the ERP has not answered: look there for its SyncReference."),
        ("refused", "ref-refused", 1, "the ERP refused it."),
    ]


def test_a_record_that_the_export_holds_back_tells_the_reason(world: World) -> None:
    account(world, "A", 6)
    world.execute(
        "INSERT INTO ops.export_held (entity, id, why, load) VALUES ('Account', 'A', 'its name is"
        " too long', 1)"
    )
    assert [record.reason for record in overdue(world, 7)] == ["its name is too long"]
