"""What the ERP answers to an export comes back with the import."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.lifecycle import Actor
from kimo_assets.cli.context import Call
from kimo_assets.cli.summary import print_report
from kimo_assets.defs.assets.metadata import step_summary
from kimo_assets.errors import ConfigError
from kimo_assets.pipeline.plan import make_plan
from kimo_assets.pipeline.workflows import run_undo
from kimo_assets.progress import Progress
from kimo_assets.reports import AnswersEntity, ImportReport
from kimo_assets_tests.support.company import Row, World, agents, ids, links, run_and_kill
from kimo_assets_tests.support.status_changes import undeclared, watched

ANSWERS = "EntitySyncReferenceForAccount"
T1, T2, T3 = "2026-03-01 10:00:00", "2026-03-01 11:00:00", "2026-03-02 09:00:00"


def answer(
    reference: str,
    erp_id: str | None,
    at: str | None = T1,
    agent: str = "1",
    key: str | None = None,
) -> Row:
    values = {
        "SyncReference": reference,
        "EntityId": erp_id,
        "ElaboratedOnErpTimeStamp": at,
        "UserId": agent,
    }
    return {"Id": key or reference, **values}


def customer(key: str, name: str, **values: Any) -> Row:
    return {"Id": key, "Name": name, "AccountTypeId": 1, **values}


@pytest.fixture(autouse=True)
def _every_change_of_a_status_is_declared(world: World) -> Iterator[None]:
    """Loads set a customer's status as catalog/lifecycle.py says, whatever a test is about."""
    with watched(world.database, "Account") as changes:
        yield
        by_import = {change for change in changes() if change.in_a_load}
        assert undeclared(by_import, Actor.IMPORT) == set()


OLD = [customer("C1", "old one"), customer("C2", "old two")]


@pytest.fixture
def company(world: World) -> World:
    """Agents 1 and 2 with a customer each; nothing was answered yet, and the first load has been
    made.
    """
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=OLD,
        SalesAgentPerAccount=links("SalesAgentId", "AccountId", "1 C1", "2 C2"),
        Contact=[{"Id": "P1", "AccountId": "C1", "LastName": "Rossi"}],
        EntitySyncReferenceForAccount=[],
    )
    world.entities = {
        "SalesAgent": {},
        "Account": {},
        "SalesAgentPerAccount": {},
        "Contact": {},
        ANSWERS: {"query": f'SELECT * FROM "{ANSWERS}"'},
    }
    answered(world)
    world.done(1, 2)
    return world


def answered(world: World, *rows: Row) -> None:
    """The answers that the ERP shows now; an empty table needs its columns all the same."""
    world.erp_file.execute(
        f'DROP TABLE IF EXISTS "{ANSWERS}"; CREATE TABLE "{ANSWERS}" '
        '("Id", "SyncReference", "EntityId", "ElaboratedOnErpTimeStamp", "UserId")'
    )
    if rows:
        world.erp(**{ANSWERS: rows})


def insert(world: World, entity: str, **values: Any) -> None:
    """A row as Kimo's server writes it."""
    with world.database.connect() as connection:
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier("kimo", entity),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(map(sql.Literal, values.values())),
            )
        )


def new_customer(world: World, key: str = "S1", status: int = 1, **values: Any) -> None:
    """A customer that agent 1 has made in Kimo, and that went to the ERP."""
    given = {
        "Name": "new one",
        "AccountTypeId": 1,
        "CreatorId": "1",
        "SyncReference": f"ref-{key}",
    } | values
    insert(world, "Account", Id=key, EntityStatus=status, **given)
    sent(world, key)


def sent(
    world: World, key: str, *, entity: str = "Account", reference: str | None = None, batch: int = 1
) -> None:
    """As the export notes it."""
    world.execute(
        "INSERT INTO ops.export_record (entity, id, batch, sync_reference, outcome, sent_at) "
        f"VALUES ('{entity}', '{key}', {batch}, '{reference or f'ref-{key}'}', 'sent', now())"
    )


def edit(
    world: World, key: str, status: int, name: str = "edited", reference: str | None = None
) -> None:
    """Kimo's server takes an edit of a customer in."""
    world.execute(
        f"""UPDATE kimo."Account" SET "EntityStatus" = {status}, "Name" = '{name}',
            "SyncReference" = coalesce("SyncReference", '{reference or f"ref-{key}"}')
                WHERE "Id" = '{key}'"""
    )


def set_status(world: World, key: str, status: int) -> None:
    world.execute(f"""UPDATE kimo."Account" SET "EntityStatus" = {status} WHERE "Id" = '{key}'""")


def customers(world: World) -> dict[str, tuple[Any, ...]]:
    """Id -> name, status, SyncReference of the live ones, but for C2, which never changes."""
    rows = world.rows(
        'SELECT "Id", "Name", "EntityStatus", "SyncReference" FROM kimo."Account" '
        """WHERE _archived_load IS NULL AND "Id" <> 'C2' ORDER BY 1"""
    )
    return {key: tuple(rest) for key, *rest in rows}


def answers_of(report: ImportReport) -> dict[str, int]:
    found = report.steps[2].entities[ANSWERS]
    assert isinstance(found, AnswersEntity)
    names = ("acknowledged", "bound", "refused_by_erp", "not_bound", "unknown")
    return {name: value for name in names if (value := getattr(found, name))}


def outcome(world: World, reference: str) -> tuple[Any, ...]:
    return world.rows(
        "SELECT outcome, erp_id, answered_at IS NOT NULL FROM ops.export_record WHERE"
        " sync_reference = %s ORDER BY batch DESC LIMIT 1",
        reference,
    )[0]


# --- binding
# --------------------------------------------------------------------------------------------------


def test_the_catalogue_tells_every_column_in_which_an_id_may_stand() -> None:
    catalog = load_catalog()
    for target in catalog.answers:
        expected = set()
        for entity in catalog.all.values():
            for field in entity.fields.values():
                named = (
                    field.references
                    and field.references.target == target
                    and field.references.column == "Id"
                )
                typed = field.references_by and target in field.references_by.targets.values()
                if named or typed:
                    expected.add((entity.name, field.name))
        expected |= {
            (name, "EntityId") for name in ("EntityGeoposition", "PublicImage", "StatisticReport")
        }
        assert {(found.entity, found.column) for found in catalog.referrers(target)} == expected
    found = {(one.entity, one.column): dict(one.when) for one in catalog.referrers("Account")}
    assert found["Account", "HeadOfficeId"] == {}
    assert found["Document", "ShipmentSiteId"] == {"ShipmentSiteType": ("0",)}
    assert found["PromotionFilter", "EncodingKey"] == {"EncodingType": ("04",)}
    assert set(catalog.answers) == {
        "Account",
        "Activity",
        "BudgetLine",
        "Contact",
        "EntityGeoposition",
        "MarketingForm",
        "Opportunity",
        "ReceivableInstallment",
        "Rma",
    }


def test_a_new_customer_gets_the_erps_id_and_values_in_one_load(company: World) -> None:
    new_customer(company)
    company.erp(Account=[*OLD, customer("C100", "New One Srl")])
    answered(company, answer("ref-S1", "C100"))
    report = company.done(1, 2)
    assert answers_of(report) == {"acknowledged": 1, "bound": 1}
    assert customers(company) == {"C1": ("old one", 0, None), "C100": ("New One Srl", 0, "ref-S1")}
    assert outcome(company, "ref-S1") == ("acknowledged", "C100", True)
    assert report.steps[2].entities["Account"].counts()["updated"] == 1


def test_the_erps_row_may_come_a_load_later(company: World) -> None:
    new_customer(company)
    answered(company, answer("ref-S1", "C100"))
    company.done(1, 2)
    company.done(1, 2)
    assert customers(company)["C100"] == ("new one", 2, "ref-S1")
    company.erp(Account=[*OLD, customer("C100", "New One Srl")])
    company.done(1, 2)
    assert customers(company) == {"C1": ("old one", 0, None), "C100": ("New One Srl", 0, "ref-S1")}


def test_the_erps_row_may_come_a_load_earlier(company: World) -> None:
    new_customer(company)
    company.erp(Account=[*OLD, customer("C100", "New One Srl")])
    company.done(1, 2)
    assert set(customers(company)) == {"C1", "C100", "S1"}
    answered(company, answer("ref-S1", "C100"))
    assert answers_of(company.done(1, 2)) == {"acknowledged": 1, "bound": 1}
    assert customers(company) == {"C1": ("old one", 0, None), "C100": ("New One Srl", 2, "ref-S1")}


def test_a_record_whose_row_never_comes_is_archived_after_a_week(company: World) -> None:
    new_customer(company)
    answered(company, answer("ref-S1", "C100"))
    company.done(1, 2)
    company.execute("UPDATE ops.export_answer SET at = at - interval '8 days'")
    assert company.done(1, 2).steps[2].entities["Account"].counts()["archived"] == 1
    assert set(customers(company)) == {"C1"}


@pytest.mark.parametrize(
    ("status", "afterwards", "is_there"),
    [(10, 6, False), (10, 6, True), (6, 6, True), (8, 8, False)],
)
def test_values_that_were_edited_meanwhile_stay_and_go_out_again(
    company: World, status: int, afterwards: int, is_there: bool
) -> None:
    new_customer(company, status=status, Name="edited")
    known = [*OLD, customer("C100", "New One Srl")]
    if is_there:
        company.erp(Account=known)
        company.done(1, 2)
    company.erp(Account=known)
    answered(company, answer("ref-S1", "C100"))
    company.done(1, 2)
    company.done(1, 2)
    assert customers(company) == {
        "C1": ("old one", 0, None),
        "C100": ("edited", afterwards, "ref-S1"),
    }
    set_status(company, "C100", 1)
    sent(company, "C100", reference="ref-S1", batch=2)
    company.done(1, 2)
    assert customers(company)["C100"] == (
        "edited",
        1,
        "ref-S1",
    ), "the answer to the first one does not count again"
    answered(company, answer("ref-S1", "C100", T2))
    company.done(1, 2)
    assert customers(company)["C100"] == ("New One Srl", 0, "ref-S1")


@pytest.mark.parametrize("status", [3, 5])
def test_an_answer_to_a_batch_that_is_still_open_waits_for_the_exports_recovery(
    company: World, status: int
) -> None:
    new_customer(company, status=status)
    answered(company, answer("ref-S1", "C100"))
    assert answers_of(company.done(1, 2)) == {}
    assert customers(company)["S1"] == ("new one", status, "ref-S1")
    set_status(company, "S1", 1)
    assert answers_of(company.done(2)) == {"acknowledged": 1, "bound": 1}
    assert customers(company)["C100"] == ("new one", 2, "ref-S1")


@pytest.mark.parametrize("alone", [ANSWERS, "Account"])
def test_an_answer_is_applied_whichever_of_the_two_entities_is_loaded(
    company: World, alone: str
) -> None:
    new_customer(company)
    company.erp(Account=[*OLD, customer("C100", "New One Srl")])
    answered(company, answer("ref-S1", "C100"))
    company.done(1)
    company.done(2, entities=[ANSWERS], only_listed=True)
    assert customers(company)["C100"] == ("new one", 2, "ref-S1")
    company.done(2, entities=[alone], only_listed=True)
    company.done(2, entities=["Account"], only_listed=True)
    assert customers(company)["C100"] == ("New One Srl", 0, "ref-S1")


def test_every_column_of_every_table_that_names_the_record_follows(company: World) -> None:
    new_customer(company)
    catalog = load_catalog()
    chosen = [found for found in catalog.referrers("Account") if found.entity != ANSWERS]
    for number, found in enumerate(chosen):
        of_type = {column: codes[0] for column, codes in found.when.items()}
        insert(company, found.entity, Id=f"row{number}", **{found.column: "S1"}, **of_type)
        other = {
            column: next(
                (code for code in catalog[found.entity].fields[column].codes if code not in codes),
                "Other",
            )
            for column, codes in found.when.items()
        }
        insert(
            company,
            found.entity,
            Id=f"not{number}",
            **{found.column: "S1" if other else "S10"},
            **other,
        )
    answered(company, answer("ref-S1", "C100"))
    load = company.done(1, 2, entities=[ANSWERS], only_listed=True).load
    for number, found in enumerate(chosen):
        query = f'SELECT "{found.column}", _changed_load FROM kimo."{found.entity}" WHERE "Id" = %s'
        assert company.rows(query, f"row{number}") == [("C100", load)], found
        assert company.rows(query, f"not{number}")[0][0] == ("S1" if found.when else "S10"), found


def test_orders_contacts_and_visits_of_a_new_customer_point_to_it_and_agents_get_it_once(
    company: World,
) -> None:
    new_customer(company)
    insert(
        company,
        "Document",
        Id="D1",
        AccountId="S1",
        ShipmentSiteId="S1",
        ShipmentSiteType=0,
        EntityStatus=6,
    )
    insert(
        company,
        "Contact",
        Id="P9",
        AccountId="S1",
        LastName="Bianchi",
        EntityStatus=6,
        SyncReference="ref-P9",
    )
    insert(company, "Activity", Id="V1", AccountId="S1", EntityStatus=8)
    of_s1 = {"EntityType": "Account", "EntityId": "S1"}
    insert(company, "EntityGeoposition", Id="own", Latitude=1, Longitude=2, Origin=2, **of_s1)
    insert(
        company, "EntityGeoposition", Id="Account|S1", Latitude=3, Longitude=4, Origin=1, **of_s1
    )
    company.execute("UPDATE ops.loaded SET changed_load = (SELECT max(load) + 1 FROM ops.load)")
    company.execute(
        'UPDATE kimo."Account" SET _changed_load = (SELECT max(load) + 1 FROM ops.load)'
    )
    company.execute(
        'UPDATE kimo."Contact" SET _changed_load = (SELECT max(load) + 1 FROM ops.load)'
    )
    company.done(3)
    assert company.seen("Account") == {"1": "C1 S1", "2": "C2"}
    assert company.seen("Contact") == {"1": "P1 P9", "2": ""}

    company.erp(
        Account=[*OLD, customer("C100", "New One Srl")],
        SalesAgentPerAccount=links("SalesAgentId", "AccountId", "1 C1", "2 C2", "1 C100"),
    )
    answered(company, answer("ref-S1", "C100"))
    company.done()
    assert company.seen("Account") == {"1": "C1 C100", "2": "C2"}
    assert company.received("1", 'SELECT Name, SyncReference FROM "Account" ORDER BY Id') == [
        ("old one", None),
        ("New One Srl", "ref-S1"),
    ]
    assert company.received("1", 'SELECT Id, AccountId FROM "Contact" ORDER BY 1') == [
        ("P1", "C1"),
        ("P9", "C100"),
    ]
    assert company.received("2", 'SELECT Id FROM "Contact"') == []
    assert company.rows(
        'SELECT "AccountId", "ShipmentSiteId", "EntityStatus" FROM kimo."Document"'
    ) == [("C100", "C100", 6)]
    assert company.rows('SELECT "AccountId" FROM kimo."Activity"') == [("C100",)]
    positions = 'SELECT "Id", "EntityId" FROM kimo."EntityGeoposition" WHERE _archived_load IS NULL'
    assert company.rows(positions) == [("own", "C100")]
    assert company.received("1", 'SELECT EntityId FROM "EntityGeoposition"') == [("C100",)]
    assert company.value("SELECT count(*) FROM ops.reference_check WHERE dangling > 0") == 0


def test_an_order_that_a_late_tablet_writes_for_the_old_id_follows_at_the_next_load(
    company: World,
) -> None:
    new_customer(company)
    company.erp(Account=[*OLD, customer("C100", "New One Srl")])
    answered(company, answer("ref-S1", "C100"))
    company.done(1, 2)
    insert(company, "Document", Id="D1", AccountId="S1", EntityStatus=6)
    insert(company, "Document", Id="D2", AccountId="S9", EntityStatus=6)
    company.done(1, 2)
    assert company.rows('SELECT "Id", "AccountId" FROM kimo."Document" ORDER BY 1') == [
        ("D1", "C100"),
        ("D2", "S9"),
    ]


def test_a_prospect_that_becomes_a_customer_leaves_the_erps_own_rows_to_the_erp(
    company: World,
) -> None:
    edit(company, "C1", 1)
    sent(company, "C1")
    insert(company, "Document", Id="D1", AccountId="C1", EntityStatus=6)
    company.erp(
        Account=[OLD[1], customer("C500", "converted")],
        SalesAgentPerAccount=links("SalesAgentId", "AccountId", "1 C500"),
    )
    answered(company, answer("ref-C1", "C500"))
    company.done(1, 2)
    assert customers(company) == {"C500": ("converted", 0, "ref-C1")}
    assert company.value('SELECT "AccountId" FROM kimo."Document"') == "C500"
    links_ = (
        'SELECT "AccountId", _archived_load IS NULL FROM kimo."SalesAgentPerAccount" ORDER BY 1'
    )
    assert company.rows(links_) == [("C1", False), ("C2", False), ("C500", True)]


# --- edits of what the ERP knows
# ------------------------------------------------------------------------------------


def test_an_edit_is_held_until_it_is_answered_and_then_the_snapshot_counts_again(
    company: World,
) -> None:
    edit(company, "C1", 1)
    sent(company, "C1")
    company.erp(Account=[customer("C1", "before the edit"), OLD[1]])
    assert company.done(1, 2).steps[2].entities["Account"].counts()["held"] == 1
    assert customers(company)["C1"] == ("edited", 1, "ref-C1")
    answered(company, answer("ref-C1", "C1"))
    assert answers_of(company.done(1, 2)) == {"acknowledged": 1}
    assert customers(company)["C1"] == ("before the edit", 0, "ref-C1")
    assert outcome(company, "ref-C1") == ("acknowledged", "C1", True)


def test_the_erps_word_counts_after_its_answer_even_where_its_row_has_not_changed(
    company: World,
) -> None:
    edit(company, "C1", 1)
    sent(company, "C1")
    company.done(1, 2)
    assert customers(company)["C1"] == ("edited", 1, "ref-C1")
    answered(company, answer("ref-C1", "C1"))
    report = company.done(1, 2)
    assert report.steps[1].entities["Account"].status == "unchanged"
    assert customers(company)["C1"] == ("old one", 0, "ref-C1")


def test_without_answers_in_the_mapping_nothing_is_held_for_one(company: World) -> None:
    del company.entities[ANSWERS]
    edit(company, "C1", 1)
    sent(company, "C1")
    company.erp(Account=[customer("C1", "the ERP's"), OLD[1]])
    company.done(1, 2)
    assert customers(company)["C1"][0] == "the ERP's"


def test_an_answer_counts_once_and_never_for_what_was_sent_after_it(company: World) -> None:
    edit(company, "C1", 1)
    sent(company, "C1")
    answered(company, answer("ref-C1", "C1"))
    company.done(1, 2)
    edit(company, "C1", 1, "edited again")
    sent(company, "C1", batch=2)
    company.erp(Account=[customer("C1", "of today"), OLD[1]])
    assert answers_of(company.done(1, 2)) == {}
    assert customers(company)["C1"] == ("edited again", 1, "ref-C1")
    answered(
        company, answer("ref-C1", "C1", T1, key="first"), answer("ref-C1", "C1", T2, key="second")
    )
    assert answers_of(company.done(1, 2)) == {"acknowledged": 1}
    assert customers(company)["C1"] == ("of today", 0, "ref-C1")
    outcomes = company.rows("SELECT batch, outcome FROM ops.export_record ORDER BY 1")
    assert outcomes == [(1, "acknowledged"), (2, "acknowledged")]
    assert answers_of(company.done(1, 2)) == {}


def test_parts_are_held_with_their_head_and_the_erps_come_in_their_place(world: World) -> None:
    answers = "EntitySyncReferenceForActivity"
    known = {"Id": "V1", "AccountId": "C1"}
    world.erp(
        SalesAgent=agents("1"),
        Account=ids("C1"),
        Activity=[known],
        ActivityAssignee=[{"Id": "A1", "ActivityId": "V1", "AssigneeId": "u1"}],
        EntitySyncReferenceForActivity=[answer("other", None, None)],
    )
    world.done(1, 2)
    insert(world, "Activity", Id="N1", AccountId="C1", EntityStatus=1, SyncReference="ref-N1")
    sent(world, "N1", entity="Activity")
    insert(world, "ActivityAssignee", Id="B1", ActivityId="N1", AssigneeId="u1")
    world.execute("""UPDATE kimo."Activity" SET "EntityStatus" = 10 WHERE "Id" = 'V1'""")
    world.execute("""UPDATE kimo."ActivityAssignee" SET "AssigneeId" = 'u2' WHERE "Id" = 'A1'""")
    world.erp(ActivityAssignee=[{"Id": "A1", "ActivityId": "V1", "AssigneeId": "u9"}])
    assert world.done(1, 2).steps[2].entities["ActivityAssignee"].counts()["held"] == 2
    state = (
        'SELECT "Id", "ActivityId", "AssigneeId" FROM kimo."ActivityAssignee" WHERE _archived_load'
        " IS NULL ORDER BY 1"
    )
    assert world.rows(state) == [("A1", "V1", "u2"), ("B1", "N1", "u1")]

    world.erp(
        Activity=[known, {"Id": "V2", "AccountId": "C1"}],
        ActivityAssignee=[
            {"Id": "A1", "ActivityId": "V1", "AssigneeId": "u9"},
            {"Id": "A2", "ActivityId": "V2", "AssigneeId": "u1"},
        ],
        **{answers: [answer("ref-N1", "V2")]},
    )
    world.done(1, 2)
    assert world.rows(state) == [("A1", "V1", "u2"), ("A2", "V2", "u1")]


def test_parts_that_the_erps_take_the_place_of_are_no_mass_deletion(world: World) -> None:
    """Of 61 rows 60 go in one load, all of them Kimo's own; then the ERP's own 61 would go too."""
    visits = [f"N{number}" for number in range(60)]
    world.erp(
        SalesAgent=agents("1"),
        Account=ids("C1"),
        Activity=[{"Id": "V0", "AccountId": "C1"}],
        ActivityAssignee=[{"Id": "A0", "ActivityId": "V0", "AssigneeId": "u1"}],
        EntitySyncReferenceForActivity=[answer("other", None, None)],
    )
    world.done(1, 2)
    for key in visits:
        insert(
            world, "Activity", Id=key, AccountId="C1", EntityStatus=1, SyncReference=f"ref-{key}"
        )
        insert(world, "ActivityAssignee", Id=f"B{key}", ActivityId=key, AssigneeId="u1")
        sent(world, key, entity="Activity")
    world.erp(
        Activity=[
            {"Id": "V0", "AccountId": "C1"},
            *({"Id": f"V{key}", "AccountId": "C1"} for key in visits),
        ],
        ActivityAssignee=[
            {"Id": f"A{key}", "ActivityId": f"V{key}", "AssigneeId": "u1"} for key in ("0", *visits)
        ][1:],
        EntitySyncReferenceForActivity=[answer(f"ref-{key}", f"V{key}") for key in visits],
    )
    loaded = world.done(1, 2).steps[2].entities["ActivityAssignee"]
    assert loaded.counts()["archived"] == 61
    assert loaded.guard is None
    world.erp(ActivityAssignee=[{"Id": "A", "ActivityId": "V0", "AssigneeId": "u1"}])
    world.settings = {"guards": {"min_shrink_rows": 50, "max_shrink": 0.3}}
    report = world.run(1, 2)
    assert "ActivityAssignee" in report.failures[min(report.failures)]


# --- refusals and contradictions
# --------------------------------------------------------------------------------


def test_a_refusal_is_told_and_the_record_stays_kimos(company: World) -> None:
    new_customer(company)
    answered(company, answer("ref-S1", None))
    report = company.done(1, 2)
    assert answers_of(report) == {"refused_by_erp": 1}
    assert report.steps[2].entities[ANSWERS].as_json()["notes"] == [
        "The ERP refused Account S1 (agent 1): amend it in Kimo. `kimo export status ref-S1` shows"
        " more."
    ]
    assert customers(company)["S1"] == ("new one", 1, "ref-S1")
    assert outcome(company, "ref-S1") == ("refused", None, True)
    assert "refused the record" in company.value("SELECT problem FROM ops.export_record")
    assert answers_of(company.done(1, 2)) == {}
    answered(company, answer("ref-S1", "C100", T2))
    assert answers_of(company.done(1, 2)) == {"acknowledged": 1, "bound": 1}
    assert outcome(company, "ref-S1") == ("acknowledged", "C100", True)


def test_the_operator_reads_of_answers_in_the_terminal_and_in_the_runs_log(
    company: World, capsys: pytest.CaptureFixture[str]
) -> None:
    new_customer(company, "S1")
    new_customer(company, "S2")
    answered(company, answer("ref-S1", "C100"), answer("ref-S2", None, agent="2"))
    told: list[str] = []

    class Listening(Progress):
        def log(self, line: str) -> None:
            told.append(line)

    report = company.done(1, 2, progress=Listening())
    refusal = (
        "The ERP refused Account S2 (agent 2): amend it in Kimo. `kimo export status ref-S2` shows"
        " more."
    )
    assert told[-1] == refusal
    assert f"  {refusal}" in step_summary(report.steps[2]).splitlines()
    print_report(Call(), report, (1, 2))
    printed = capsys.readouterr().out
    assert "1 record acknowledged by the ERP, 1 of them with an Id of its own." in printed
    assert refusal in printed
    assert re.search(f"  {ANSWERS} ", printed)


@pytest.mark.parametrize("edited_first", [False, True])
def test_what_is_amended_after_a_refusal_goes_out_again(company: World, edited_first: bool) -> None:
    new_customer(company, status=10 if edited_first else 1)
    answered(company, answer("ref-S1", None))
    company.done(1, 2)
    if not edited_first:
        set_status(company, "S1", 10)
        company.done(2)
    assert customers(company)["S1"] == ("new one", 6, "ref-S1")
    set_status(company, "S1", 1)
    sent(company, "S1", batch=2)
    assert answers_of(company.done(1, 2)) == {}, "the refusal is that of the first one"
    assert customers(company)["S1"][1] == 1


@pytest.mark.parametrize("at", [None, "-1", ""])
def test_what_the_erp_has_not_elaborated_yet_is_no_answer(company: World, at: Any) -> None:
    new_customer(company)
    answered(company, answer("ref-S1", None, at))
    report = company.done(1, 2)
    assert report.steps[1].entities[ANSWERS].counts()["rejected"] == 0
    assert answers_of(report) == {}
    assert outcome(company, "ref-S1") == ("sent", None, False)


def test_an_answer_to_a_record_that_nobody_knows_is_counted_and_named(company: World) -> None:
    answered(company, answer("lost", "C9"), answer("lost too", None))
    report = company.done(1, 2)
    assert answers_of(report) == {"unknown": 2}
    note, _ = report.steps[2].entities[ANSWERS].as_json()["notes"]
    assert (
        note
        == "Account lost (agent 1): the ERP answers to SyncReference lost, which no record of Kimo"
        " has."
    )


def test_one_id_for_two_records_binds_the_first_and_leaves_the_second(company: World) -> None:
    new_customer(company, "S1")
    new_customer(company, "S2")
    answered(company, answer("ref-S2", "C100", T2), answer("ref-S1", "C100", T1))
    report = company.done(1, 2)
    assert answers_of(report) == {"acknowledged": 1, "bound": 1, "not_bound": 1}
    assert customers(company)["C100"] == ("new one", 2, "ref-S1")
    assert customers(company)["S2"] == ("new one", 1, "ref-S2")
    assert company.value("SELECT problem FROM ops.export_record WHERE id = 'S2'").startswith(
        "the ERP gives it the Id C100"
    )
    assert answers_of(company.done(1, 2)) == {"not_bound": 1}, (
        "it is told until the ERP has mended it"
    )
    answered(company, answer("ref-S2", "C200", T2), answer("ref-S1", "C100", T1))
    assert answers_of(company.done(1, 2)) == {"acknowledged": 1, "bound": 1}
    assert outcome(company, "ref-S2") == ("acknowledged", "C200", True)


def test_the_id_of_another_record_of_kimos_is_not_given_away(company: World) -> None:
    edit(company, "C1", 6)
    new_customer(company)
    answered(company, answer("ref-S1", "C1"))
    assert answers_of(company.done(1, 2)) == {"not_bound": 1}
    assert set(customers(company)) == {"C1", "S1"}


def test_contradictions_bind_nothing(company: World) -> None:
    new_customer(company, "S1")
    new_customer(company, "S2", SyncReference="twice")
    new_customer(company, "S3", SyncReference="twice")
    answered(
        company,
        answer("ref-S1", "C100", key="a"),
        answer("ref-S1", "C101", key="b"),
        answer("twice", "C102"),
    )
    assert answers_of(company.done(1, 2)) == {"not_bound": 2}
    assert set(customers(company)) == {"C1", "S1", "S2", "S3"}
    answered(company, answer("ref-S1", "C101", key="b"))
    assert answers_of(company.done(1, 2)) == {"acknowledged": 1, "bound": 1}
    answered(company, answer("ref-S1", "C105", T2))
    assert answers_of(company.done(1, 2)) == {"not_bound": 1}
    assert set(customers(company)) == {"C1", "C101", "S2", "S3"}


# --- all or nothing
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_entity", ["Account", "Contact"])
def test_a_load_killed_after_binding_leaves_everything_as_it_was(
    company: World, at_entity: str
) -> None:
    new_customer(company)
    insert(company, "Contact", Id="P9", AccountId="S1", EntityStatus=6)
    company.erp(Account=[*OLD, customer("C100", "New One Srl")])
    answered(company, answer("ref-S1", "C100"))
    company.done(1)
    run_and_kill(company, 2, at_step=2, at_entity=at_entity)
    contact = """SELECT "AccountId" FROM kimo."Contact" WHERE "Id" = 'P9'"""
    assert customers(company)["S1"] == ("new one", 1, "ref-S1")
    assert company.value(contact) == "S1"
    assert outcome(company, "ref-S1") == ("sent", None, False)
    assert answers_of(company.done(2)) == {"acknowledged": 1, "bound": 1}
    assert company.value(contact) == "C100"


def test_what_fails_in_the_middle_is_taken_back_and_tried_again(company: World) -> None:
    new_customer(company)
    insert(company, "Contact", Id="P9", AccountId="S1", EntityStatus=6)
    answered(company, answer("ref-S1", "C100"))
    company.execute(
        """ALTER TABLE kimo."Contact" ADD CONSTRAINT full_disk CHECK ("AccountId" <> 'C100')"""
    )
    try:
        report = company.run(1, 2)
        assert set(report.failures[2]) == {ANSWERS}
        assert customers(company)["S1"] == ("new one", 1, "ref-S1")
    finally:
        company.execute('ALTER TABLE kimo."Contact" DROP CONSTRAINT full_disk')
    assert answers_of(company.done(2)) == {"acknowledged": 1, "bound": 1}


def test_a_load_that_has_bound_records_is_not_taken_back(company: World) -> None:
    company.erp(Account=[customer("C1", "changed"), OLD[1]])
    before = company.done(1, 2).load
    new_customer(company)
    answered(company, answer("ref-S1", "C100"))
    bound = company.done(1, 2).load
    why = f"Load {bound} gave records of Kimo the Ids by which the ERP knows them"
    with pytest.raises(ConfigError, match=f"no load to take back: {why}"):
        run_undo(company.config, company.database)
    with pytest.raises(ConfigError, match=f"The oldest state is the one after load {bound}. {why}"):
        run_undo(company.config, company.database, to=before)
    company.erp(Account=[customer("C1", "broken"), OLD[1]])
    company.done(1, 2)
    assert run_undo(company.config, company.database).success
    assert customers(company) == {"C1": ("changed", 0, None), "C100": ("new one", 2, "ref-S1")}


def test_a_load_that_has_acknowledged_edits_can_be_taken_back(company: World) -> None:
    company.erp(Account=[customer("C1", "the ERP's"), OLD[1]])
    edit(company, "C1", 1)
    sent(company, "C1")
    answered(company, answer("ref-C1", "C1"))
    company.done(1, 2)
    assert customers(company)["C1"] == ("the ERP's", 0, "ref-C1")
    assert run_undo(company.config, company.database).success
    assert customers(company)["C1"] == ("edited", 0, "ref-C1")
    company.done(1, 2)
    assert customers(company)["C1"] == ("the ERP's", 0, "ref-C1")


def test_a_plan_says_what_the_answers_will_bring_about_and_changes_nothing(company: World) -> None:
    new_customer(company)
    company.erp(Account=[*OLD, customer("C100", "New One Srl")])
    answered(company, answer("ref-S1", "C100"), answer("lost", "C9"))
    plan = make_plan(company.config, company.database, list(company.config.entity_names))
    loaded = plan.entities["Account"].as_json()["step_2"]
    assert (loaded["inserted"], loaded["updated"], loaded["archived"]) == (0, 1, 0)
    found = plan.entities[ANSWERS].as_json()["step_2"]
    assert (found["acknowledged"], found["bound"], found["unknown"]) == (1, 1, 1)
    assert set(customers(company)) == {"C1", "S1"}
    assert company.value("SELECT count(*) FROM ops.bound_id") == 0
    assert company.value("SELECT count(*) FROM ops.horizon WHERE why IS NOT NULL") == 0


def test_thousands_of_answers_take_as_many_statements_as_one(
    company: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Any] = []
    execute = psycopg.Connection.execute

    def counting(*args: Any, **options: Any) -> Any:
        counted.append(args)
        return execute(*args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", counting)

    def statements(first: int, count: int) -> int:
        numbers = range(first, first + count)
        with company.database.connect() as connection:
            for query in (
                """INSERT INTO kimo."Account" ("Id", "Name", "EntityStatus", "SyncReference")
                   SELECT 'S' || n, 'new', 1, 'ref-S' || n FROM generate_series(%s::int, %s::int)
                       AS n""",
                """INSERT INTO kimo."Document" ("Id", "AccountId", "EntityStatus")
                   SELECT 'D' || n, 'S' || n, 6 FROM generate_series(%s::int, %s::int) AS n""",
            ):
                connection.execute(query, [numbers[0], numbers[-1]])
        answered(company, *(answer(f"ref-S{n}", f"C{1000 + n}") for n in numbers))
        company.done(1)
        counted.clear()
        assert answers_of(company.done(2)) == {"acknowledged": count, "bound": count}
        return len(counted)

    of_one = statements(1, 1)
    assert statements(2, 2000) <= of_one
    assert (
        company.value("""SELECT count(*) FROM kimo."Document" WHERE "AccountId" LIKE 'C%'""")
        == 2001
    )


# --- any history
# --------------------------------------------------------------------------------------------------

_RECORDS = ("S1", "S2")
_EVENTS = st.one_of(
    st.tuples(st.just("edit"), st.sampled_from(_RECORDS)),
    st.tuples(st.just("send"), st.sampled_from(_RECORDS)),
    st.tuples(st.just("accept"), st.sampled_from(_RECORDS)),
    st.tuples(st.just("refuse"), st.sampled_from(_RECORDS)),
    st.tuples(st.just("appear"), st.sampled_from(_RECORDS)),
    st.tuples(st.just("load"), st.none()),
)


class _Model:
    """What two new customers of Kimo's go through, one value each: the plain rules, a record at a
    time.
    """

    def __init__(self) -> None:
        self.key = {name: name for name in _RECORDS}
        self.value = dict.fromkeys(_RECORDS, "made")
        self.status = dict.fromkeys(_RECORDS, 6)
        self.is_refused = dict.fromkeys(_RECORDS, False)
        self.answers: dict[str, tuple[str | None, str]] = {}
        self.applied: dict[str, tuple[str | None, str]] = {}
        self.snapshot: set[str] = set()

    def load(self) -> None:
        for name, (erp_id, at) in self.answers.items():
            if self.applied.get(name) != (erp_id, at):
                self.applied[name] = (erp_id, at)
                self.is_refused[name] = erp_id is None
                if erp_id:
                    self.key[name] = erp_id
                    self.status[name] = {1: 2, 10: 6}.get(self.status[name], self.status[name])
        for name in _RECORDS:
            if self.is_refused[name] and self.status[name] == 10:
                self.status[name] = 6
            if self.key[name] in self.snapshot and self.status[name] in (0, 2):
                self.status[name], self.value[name] = 0, "the ERP's"

    def rows(self) -> dict[str, tuple[str, int]]:
        found = {self.key[name]: (self.value[name], self.status[name]) for name in _RECORDS}
        return dict.fromkeys(self.snapshot, ("the ERP's", 0)) | found


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_EVENTS, min_size=3, max_size=14))
def test_any_history_ends_as_the_rules_say_record_by_record(
    company: World, events: list[tuple[str, str | None]]
) -> None:
    company.execute(
        """DELETE FROM kimo."Account" WHERE "Id" NOT IN ('C1', 'C2'); DELETE FROM kimo."Document";
           TRUNCATE ops.export_record, ops.export_answer, ops.bound_id; UPDATE ops.loaded
               SET checksum = 'of before'"""
    )
    model, moments = _Model(), 0
    for name in _RECORDS:
        insert(
            company, "Account", Id=name, EntityStatus=6, Name="made", SyncReference=f"ref-{name}"
        )
        insert(company, "Document", Id=name, AccountId=name, EntityStatus=6)
    for batch, (event, name) in enumerate([*events, ("load", None)]):
        if name is None:
            company.erp(
                Account=[*OLD, *(customer(key, "the ERP's") for key in sorted(model.snapshot))]
            )
            shown = {
                key: answer(f"ref-{key}", erp_id, at) for key, (erp_id, at) in model.answers.items()
            }
            answered(company, *shown.values())
            model.load()
            company.done(1, 2, allow_shrink=True)
            assert {
                key: tuple(row[:2]) for key, row in customers(company).items() if key != "C1"
            } == model.rows()
            orders = dict(company.rows('SELECT "Id", "AccountId" FROM kimo."Document"'))
            assert orders == model.key
        elif event == "edit":
            model.status[name] = (
                10
                if model.status[name] == 1
                else 6
                if model.status[name] in (0, 2)
                else model.status[name]
            )
            model.value[name] = f"edit {batch}"
            edit(company, model.key[name], model.status[name], model.value[name])
        elif event == "send" and model.status[name] == 6:
            model.status[name] = 1
            model.is_refused[name] = False
            set_status(company, model.key[name], 1)
            sent(company, model.key[name], reference=f"ref-{name}", batch=batch + 1)
        elif event in ("accept", "refuse") and model.status[name] in (1, 10):
            moments += 1
            is_known = model.key[name] != name
            erp_id = f"C10{name[1]}" if event == "accept" else None
            model.answers[name] = (erp_id, f"2026-03-01 10:{moments:02}:00")
            if erp_id or is_known:
                model.snapshot.add(f"C10{name[1]}")
        elif event == "appear" and model.answers.get(name, (None,))[0]:
            model.snapshot.add(f"C10{name[1]}")
