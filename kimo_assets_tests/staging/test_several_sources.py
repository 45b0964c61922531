"""Two sources feed one entity: the ERP (SQLite) and the CRM (PostgreSQL), each with columns of its
own.
"""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from kimo_assets.database.server import Database
from kimo_assets.staging.rejected import rejected_rows
from kimo_assets_tests.support.company import World, url_of

ERP_MAPPING = {
    "table": "CLIENTI",
    "fields": {"Id": "CODICE", "Name": "RAGSOC", "ZoneId": "ZONA"},
    "transform": {"Name": "upper"},
}
CRM_MAPPING = {
    "source": "crm",
    "table": "leads",
    "fields": {"Id": "lead_code", "Name": "company", "Mail": "email"},
}


@pytest.fixture
def crm(new_database: Callable[[], Database]) -> Database:
    return new_database()


@pytest.fixture
def company(world: World, crm: Database) -> World:
    world.erp(
        CLIENTI=[
            {"CODICE": "C1", "RAGSOC": "Rossi", "ZONA": "N"},
            {"CODICE": "C2", "RAGSOC": "Bianchi", "ZONA": "S"},
        ]
    )
    leads(
        crm,
        ("L1", "Verdi", "v@x.it"),
        ("C2", "Bianchi (lead)", "b@x.it"),
        ("L1", "Verdi again", None),
    )
    world.settings = {"sources": {"erp": {"url": world.erp_file.url}, "crm": {"url": url_of(crm)}}}
    world.entities = {"Account": [ERP_MAPPING, CRM_MAPPING]}
    return world


def leads(crm: Database, *rows: tuple[Any, ...]) -> None:
    with crm.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS public.leads")
        connection.execute("CREATE TABLE public.leads (lead_code text, company text, email text)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO public.leads VALUES (%s, %s, %s)", rows)


def accounts(world: World) -> list[tuple[Any, ...]]:
    return world.rows('SELECT "Id", "Name", "ZoneId", "Mail" FROM integrator."Account" ORDER BY 1')


BOTH = [("C1", "ROSSI", "N", None), ("C2", "BIANCHI", "S", None), ("L1", "Verdi", None, "v@x.it")]


def test_the_rows_of_both_are_one_entity_and_of_equal_keys_the_first_listed_source_prevails(
    company: World,
) -> None:
    report = company.done(1).steps[1].entities["Account"]
    assert accounts(company) == BOTH
    assert report.counts() == {
        "read": 5,
        "staged": 3,
        "rejected": 2,
        "rejected_new": 2,
        "rules": {"duplicate_key": 2},
    }


def test_what_gave_way_is_kept_with_its_source_and_by_that_sources_columns(company: World) -> None:
    company.done(1)
    kept = company.rows(
        "SELECT rule, source, source_column, source_key, source_row FROM ops.rejected_row ORDER"
        " BY id"
    )
    assert kept == [
        (
            "duplicate_key",
            "crm",
            "lead_code",
            "lead_code=C2",
            {"lead_code": "C2", "company": "Bianchi (lead)", "email": "b@x.it"},
        ),
        (
            "duplicate_key",
            "crm",
            "lead_code",
            "lead_code=L1",
            {"lead_code": "L1", "company": "Verdi again", "email": None},
        ),
    ]


def test_the_order_of_the_list_decides_and_another_order_is_a_change(company: World) -> None:
    company.done(1)
    company.entities = {"Account": [CRM_MAPPING, ERP_MAPPING]}
    assert company.done(1).steps[1].entities["Account"].status == "ok"
    assert accounts(company)[1] == ("C2", "Bianchi (lead)", None, "b@x.it")
    kept = company.rows(
        "SELECT source, source_key, source_row ->> 'RAGSOC' FROM ops.rejected_row WHERE source ="
        " 'erp'"
    )
    assert kept == [("erp", "CODICE=C2", "Bianchi")]


def test_the_query_that_finds_a_rejected_row_asks_its_own_source(
    company: World, crm: Database
) -> None:
    company.erp(CLIENTI=[{"CODICE": "C1", "RAGSOC": "R" * 200, "ZONA": "N"}])
    leads(crm, ("L1", "V" * 200, None))
    company.done(1)
    with company.database.connect() as connection:
        queries = [row.query for row in rejected_rows(connection, company.config, "Account")]
    assert queries == [
        "SELECT * FROM CLIENTI WHERE CODICE = 'C1'",
        "SELECT * FROM leads WHERE lead_code = 'L1'",
    ]
    with crm.connect() as connection:
        assert connection.execute(queries[1]).fetchall() == [("L1", "V" * 200, None)]


def test_an_unchanged_second_import_writes_nothing(company: World) -> None:
    first = company.done(1).steps[1].entities["Account"]
    kept = company.rejected("Account")
    second = company.done(1).steps[1].entities["Account"]
    assert (second.status, second.counts()) == ("unchanged", first.counts() | {"rejected_new": 0})
    assert company.rejected("Account") == kept


def test_a_change_at_the_second_source_alone_is_a_change(company: World, crm: Database) -> None:
    company.done(1)
    leads(crm, ("L1", "Verdi", "new@x.it"))
    report = company.done(1).steps[1].entities["Account"]
    assert (report.status, report.counts()["rules"]) == ("ok", {})
    assert accounts(company) == [*BOTH[:2], ("L1", "Verdi", None, "new@x.it")]


def test_a_row_that_moves_from_one_source_to_the_other_keeps_its_place_in_kimo(
    company: World, crm: Database
) -> None:
    company.done(1, 2)
    company.erp(
        CLIENTI=[
            {"CODICE": "C1", "RAGSOC": "Rossi", "ZONA": "N"},
            {"CODICE": "C2", "RAGSOC": "Bianchi", "ZONA": "S"},
            {"CODICE": "L1", "RAGSOC": "Verdi", "ZONA": None},
        ]
    )
    report = company.done(1, 2).steps[2].entities["Account"].counts()
    assert (report["inserted"], report["updated"], report["archived"]) == (0, 1, 0)
    assert accounts(company)[2] == ("L1", "VERDI", None, None)


@pytest.mark.parametrize("down", ["erp", "crm"])
def test_when_one_source_is_down_the_entity_fails_and_yesterdays_rows_stay(
    company: World, down: str
) -> None:
    company.done(1)
    kept = company.rejected("Account")
    sources = company.settings["sources"]
    gone = {
        "erp": f"sqlite:///{company.folder}/gone.sqlite",
        "crm": (
            make_url(sources["crm"]["url"])
            .set(database="gone")
            .render_as_string(hide_password=False)
        ),
    }
    company.settings = {"sources": {**sources, down: {"url": gone[down], "connect_attempts": 1}}}
    company.erp(Zone=[{"Id": "N"}])
    message = company.run(1).failures[1]["Account"]
    assert message.startswith(f"source '{down}' (")
    assert accounts(company) == BOTH
    assert company.rejected("Account") == kept


def test_a_table_missing_at_the_second_source_fails_the_entity_whole(
    company: World, crm: Database
) -> None:
    company.done(1)
    with crm.connect() as connection:
        connection.execute("DROP TABLE public.leads")
    assert "no table or view leads" in company.run(1).failures[1]["Account"]
    assert accounts(company) == BOTH


def test_one_source_with_ids_and_one_without_is_an_error_that_says_what_to_map(
    company: World, crm: Database
) -> None:
    company.erp(LINKS=[{"Id": "X", "AccountId": "C1", "SalesAgentId": "1"}])
    with crm.connect() as connection:
        connection.execute('CREATE TABLE public.links ("AccountId" text, "SalesAgentId" text)')
    company.entities = {
        "SalesAgentPerAccount": [{"table": "LINKS"}, {"source": "crm", "table": "links"}]
    }
    message = company.run(1).failures[1]["SalesAgentPerAccount"]
    assert message.startswith(
        "one source gives an Id for SalesAgentPerAccount and another does not: "
        "map entities.SalesAgentPerAccount.fields.Id for both, or for none"
    )


def test_ids_derived_from_both_sources_meet_in_one_key(company: World, crm: Database) -> None:
    company.erp(
        LINKS=[{"AccountId": "C1", "SalesAgentId": "1"}, {"AccountId": "C1", "SalesAgentId": "2"}]
    )
    with crm.connect() as connection:
        connection.execute('CREATE TABLE public.links ("ACCOUNT" text, agent integer)')
        connection.execute("INSERT INTO public.links VALUES ('c1', 2), ('c1', 3)")
    company.entities = {
        "SalesAgentPerAccount": [
            {"table": "LINKS"},
            {
                "source": "crm",
                "table": "links",
                "fields": {"AccountId": "account", "SalesAgentId": "agent"},
                "transform": {"AccountId": "upper"},
            },
        ]
    }
    company.done(1)
    assert company.rows('SELECT "Id" FROM integrator."SalesAgentPerAccount" ORDER BY 1') == [
        ("C1|1",),
        ("C1|2",),
        ("C1|3",),
    ]
    assert company.rows("SELECT source, source_key, source_row FROM ops.rejected_row") == [
        ("crm", "ACCOUNT=c1, agent=2", {"ACCOUNT": "c1", "agent": "2"})
    ]


def test_each_source_has_its_own_formats_and_its_own_ways_to_say_no_value(
    company: World, crm: Database
) -> None:
    company.erp(CLIENTI=[{"CODICE": "C1", "INS": "31/01/2026", "ZONA": "-"}])
    with crm.connect() as connection:
        connection.execute("CREATE TABLE public.dated (lead_code text, created text, zone text)")
        connection.execute(
            "INSERT INTO public.dated VALUES ('L1', '20260131', '0'), ('L2', '31/01/2026', '-')"
        )
    sources = company.settings["sources"]
    erp = sources["erp"] | {"formats": {"datetime": "dd/MM/yyyy"}, "no_value": {"keys": ["-"]}}
    company.settings = {"sources": {**sources, "erp": erp}}
    company.entities = {
        "Account": [
            {
                "table": "CLIENTI",
                "fields": {"Id": "CODICE", "CreationDate": "INS", "ZoneId": "ZONA"},
            },
            {
                "source": "crm",
                "table": "dated",
                "fields": {"Id": "lead_code", "CreationDate": "created", "ZoneId": "zone"},
            },
        ]
    }
    company.done(1)
    found = company.rows(
        'SELECT "Id", "CreationDate"::date::text, "ZoneId" FROM integrator."Account" ORDER BY 1'
    )
    assert found == [("C1", "2026-01-31", None), ("L1", "2026-01-31", None)]
    assert company.rejected("Account") == [
        ("impossible_date", "created", "lead_code=L2", "31/01/2026")
    ]
