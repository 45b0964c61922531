"""Kimo's database: its schema derived from the catalogue, COPY as the validator, and the server it
runs on.
"""

import psycopg
import pytest
from psycopg import Connection, sql

from kimo_assets.catalog import load_catalog, load_console
from kimo_assets.catalog.model import Field
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database.copy import copy_rows
from kimo_assets.database.ddl import ensure_schema
from kimo_assets.database.names import codes_domain, column_type
from kimo_assets.database.server import Database, open_database
from kimo_assets.errors import ConfigError
from kimo_assets.pipeline.plan import make_plan
from kimo_assets.staging.rejected import rejected_rows
from kimo_assets_tests.support.company import World, ids, url_of


def test_every_entity_and_every_table_of_the_console_has_every_field_of_the_catalogue(
    connection: Connection,
) -> None:
    found = connection.execute(
        "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns "
        "WHERE table_schema = 'kimo' GROUP BY 1"
    )
    bookkeeping = {"_hash", "_changed_load", "_archived_load"}
    assert {name: set(names) - bookkeeping for name, names in found} == {
        described.name: set(described.fields)
        for described in (*load_catalog().all.values(), *load_console().values())
    }


def test_the_table_of_users_has_the_columns_that_step_3_relies_on_and_no_bookkeeping(
    connection: Connection,
) -> None:
    users = connection.execute(
        "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'kimo' AND table_name = 'User' ORDER BY ordinal_position"
    ).fetchall()
    described = {name: (kind, nullable, default) for name, kind, nullable, default in users}
    assert described["Id"][0] == "character varying"
    assert described["Archived"] == ("boolean", "NO", "false")
    assert {"UserName", "SalesAgentId", "WarehouseId", "UserTypeId", "Language"} <= set(described)
    assert not {name for name in described if name.startswith("_")}


def test_a_database_of_before_there_were_settings_is_completed(fresh_world: World) -> None:
    names = ", ".join(f'kimo."{name}"' for name in load_console())
    fresh_world.execute(
        f"DROP TABLE {names}, ops.settings_object; DROP DOMAIN ops.enum_m1_0_1_2_3; "
        "UPDATE ops.schema_version SET version = 'older'"
    )
    with fresh_world.database.connect() as connection:
        ensure_schema(connection, load_catalog())
    for name in load_console():
        assert fresh_world.rows(f'SELECT * FROM kimo."{name}"') == []


def test_making_the_schema_again_changes_nothing(own_database: Database) -> None:
    with own_database.connect() as connection:
        before = connection.execute("SELECT oid, relname FROM pg_class ORDER BY 1").fetchall()
        ensure_schema(connection, load_catalog())
        assert (
            connection.execute("SELECT oid, relname FROM pg_class ORDER BY 1").fetchall() == before
        )


def test_a_schema_of_another_version_is_completed_and_keeps_its_rows(fresh_world: World) -> None:
    fresh_world.erp(Zone=ids("N"))
    fresh_world.done(1, 2)
    fresh_world.execute(
        "DROP TABLE kimo.\"Carrier\"; UPDATE ops.schema_version SET version = 'older'"
    )
    with fresh_world.database.connect() as connection:
        ensure_schema(connection, load_catalog())
    assert fresh_world.rows('SELECT "Id" FROM kimo."Zone"') == [("N",)]
    assert fresh_world.rows('SELECT * FROM kimo."Carrier"') == []


def test_a_quarantine_of_before_it_knew_since_when_is_completed_and_worked_on(
    fresh_world: World,
) -> None:
    """As it was in the first commits: git pull, and import over what is there."""
    world = fresh_world
    world.erp(
        Zone=[{"Id": "N", "Description": "x" * 101}, *ids("S")],
        ItemUom=ids("U", ItemId="gone"),
        Item=ids("I"),
    )
    world.done(1, 2)
    world.execute(
        "DROP TABLE ops.planned_rejected_row, ops.planned, ops.plan, ops.change, ops.horizon,"
        " ops.semaphore, ops.unlisted_object; DROP SCHEMA plan, history CASCADE; UPDATE"
        " ops.schema_version SET version = 'older'; ALTER TABLE ops.rejected_row DROP source, DROP"
        " since, DROP since_load, DROP detail"
    )
    with world.database.connect() as connection:
        ensure_schema(connection, load_catalog())
        found = list(rejected_rows(connection, world.config))
    assert {(row.entity, row.rule, row.times) for row in found} == {
        ("Zone", "text_too_long", 1),
        ("ItemUom", "missing_owner", 1),
    }
    world.erp(Zone=[{"Id": "N", "Description": "North"}, *ids("S", "E")])
    make_plan(world.config, world.database, world.config.entity_names)
    assert world.done().steps[2].entities["Zone"].counts()["inserted"] == 2


CODED = sorted(
    {
        codes_domain(f): f
        for e in load_catalog().entities.values()
        for f in e.fields.values()
        if f.codes
    }.items()
)


@pytest.mark.parametrize(("domain", "field"), CODED, ids=[name for name, _ in CODED])
def test_an_enums_domain_admits_its_codes_and_no_other(
    connection: Connection, domain: str, field: Field
) -> None:
    codes = {int(code) for code in field.codes}
    admitted = {0} if field.flags else codes
    if field.flags:
        for code in codes:
            admitted = admitted | {code | other for other in admitted}
    for code in range(-3, max(codes) + 3):
        statement = sql.SQL("SELECT pg_input_is_valid({}, {})").format(
            sql.Literal(str(code)), sql.Literal(column_type(field).as_string(connection))
        )
        assert connection.execute(statement).fetchone() == (code in admitted,), f"{domain}: {code}"


def test_copy_names_the_lines_and_columns_it_rejects_and_takes_the_others(
    connection: Connection,
) -> None:
    data = b'1,"x\ny"\nbad,x\n2,"\n\n\n"\n3,long\n"4","\r"\n5,\n6,"four"\n'
    with connection.transaction():
        connection.execute("CREATE TEMPORARY TABLE target (a integer, b varchar(3))")
        skipped = copy_rows(connection, sql.Identifier("target"), sql.SQL("a, b"), data)
    assert [(line.line, line.column) for line in skipped] == [(3, "a"), (8, "b"), (11, "b")]
    assert connection.execute("SELECT a, b FROM target ORDER BY a").fetchall() == [
        (1, "x\ny"),
        (2, "\n\n\n"),
        (4, "\r"),
        (5, None),
    ]


def test_two_openings_share_one_embedded_server(
    session_config: KimoConfig, database: Database
) -> None:
    assert open_database(session_config) == database


def test_a_database_by_url_is_opened_and_given_its_schema(world: World, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DROP DATABASE IF EXISTS by_url")
        connection.execute("CREATE DATABASE by_url TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    url = url_of(Database(psycopg.conninfo.make_conninfo(database.dsn, dbname="by_url"), ""))
    world.settings = {"database": {"url": url}}
    world.entities = {}
    opened = open_database(world.config)
    with opened.connect() as connection:
        assert connection.execute('SELECT count(*) FROM kimo."Account"').fetchone() == (0,)
    assert opened.dagster_url.startswith("postgresql+psycopg2://")


def test_a_database_that_cannot_be_reached_is_one_clear_message(world: World) -> None:
    file = world.folder / "kimo.yaml"
    file.write_text(
        "sources: {erp: {url: sqlite:///erp.sqlite}}\n"
        "database: {url: 'postgresql://kimo:s3cret@127.0.0.1:1/kimo?connect_timeout=2'}\n"
    )
    with pytest.raises(ConfigError, match="cannot connect to Kimo's PostgreSQL") as raised:
        open_database(load_config(file))
    assert "s3cret" not in str(raised.value)
