"""A database of an earlier version becomes one of this: nothing is lost, whatever happens
meanwhile.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kimo_assets.catalog import Catalog, Entity, Field, load_catalog, load_console
from kimo_assets.database import migrate
from kimo_assets.database.ddl import ensure_schema, target
from kimo_assets.database.locks import exclusive
from kimo_assets.database.migrate import Migration, known_migrations, synchronise
from kimo_assets.database.server import Database
from kimo_assets.diagnostics.status import read_status
from kimo_assets.errors import ConfigError, MigrationError
from kimo_assets.pipeline.workflows import run_undo
from kimo_assets_tests.database.catalogues import catalogue, edited, of, text
from kimo_assets_tests.support.company import World, agents

LEVELS = {"0": "Standard", "3": "Bronze", "4": "Silver"}
EARLIER: Mapping[str, Mapping[str, Field | None]] = {
    "Zone": {"Description": text(10), "OldNote": text(30), "SalesAgentId": None},
    "InvoiceDiscountParams": {"Discount": Field("", "int")},
    "Account": {"Level": Field("", "enum", codes=LEVELS), "BankIban": None},
    "Relic": {"What": text(20)},
}
BEFORE = edited(EARLIER, without=("Bank",))
LONG = "A description that had no place"
ERP: dict[str, list[dict[str, Any]]] = {
    "SalesAgent": agents("A"),
    "Zone": [
        {"Id": "N", "Description": "North", "OldNote": "kept", "SalesAgentId": "A"},
        {"Id": "S", "Description": LONG, "OldNote": "", "SalesAgentId": ""},
    ],
    "InvoiceDiscountParams": [{"Id": "1", "Discount": "5"}, {"Id": "2", "Discount": "7.5"}],
    "Account": [
        {"Id": "C", "Level": "4", "BankIban": "IT60X"},
        {"Id": "D", "Level": "5", "BankIban": "IT61X"},
    ],
    "SalesAgentPerAccount": [{"AccountId": key, "SalesAgentId": "A"} for key in ("C", "D")],
    "Bank": [{"Id": "B", "Abi": "03069", "Name": "Banca"}],
    "Relic": [{"Id": "R", "What": "a thing"}],
}


@pytest.fixture(scope="module")
def bare(new_database: Callable[[], Database]) -> Database:
    """A database of which nothing is left of ours; whoever takes it empties it first."""
    return new_database()


@pytest.fixture(scope="module")
def earlier(new_database: Callable[[], Database]) -> Database:
    """The schema of the version before, without rows."""
    made = new_database()
    with made.connect() as connection, catalogue(BEFORE):
        empty(connection)
        ensure_schema(connection, load_catalog())
    return made


@pytest.fixture
def connection(bare: Database) -> Iterator[psycopg.Connection]:
    """To the bare database."""
    with bare.connect() as connection:
        empty(connection)
        yield connection


def empty(connection: psycopg.Connection) -> None:
    connection.execute("SET client_min_messages = warning")
    connection.execute("DROP SCHEMA IF EXISTS kimo, ops, integrator, plan, history, sync CASCADE")


def entity(name: str, **fields: Field) -> Entity:
    zone = load_catalog()["Zone"]
    described = {
        "Id": zone.fields["Id"],
        **{key: replace(field, name=key) for key, field in fields.items()},
    }
    return replace(zone, name=name, fields=described, unique_keys=())


def ensure(connection: psycopg.Connection, *entities: Entity) -> migrate.Changes | None:
    return ensure_schema(connection, of(*entities), {})


def put(
    connection: psycopg.Connection, *rows: tuple[str, Any], column: str = "V", into: str = "kimo"
) -> None:
    statement = sql.SQL("INSERT INTO {} ({}, {}) VALUES (%s, %s)").format(
        sql.Identifier(into, "E"), sql.Identifier("Id"), sql.Identifier(column)
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def values(connection: psycopg.Connection, column: str = "V") -> dict[str, str | None]:
    """As text; a number without the zeros at its end."""
    rows = connection.execute(
        sql.SQL(
            'SELECT "Id"::text, CASE pg_typeof({0})::text WHEN %s THEN'
            ' trim_scale({0}::text::numeric)::text ELSE {0}::text END FROM kimo."E"'
        ).format(sql.Identifier(column)),
        ["ops.dec"],
    )
    return dict(rows.fetchall())


def structure(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("""
        SELECT c.relnamespace::regnamespace::text, c.relname, a.attname,
            format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind IN ('r', 'i') AND c.relnamespace::regnamespace::text IN ('kimo', 'ops')
            AND a.attnum > 0
          AND NOT a.attisdropped
        ORDER BY 1, 2, 3
        """).fetchall()


# --- a company that goes on
# ---------------------------------------------------------------------------------------


@pytest.fixture
def company(tmp_path: Path, database: Database, earlier: Database) -> Iterator[World]:
    """Imported by the version before, into a database of its own."""
    template = conninfo_to_dict(earlier.dsn)["dbname"]
    with database.connect() as connection:
        connection.execute(f"CREATE DATABASE of_earlier TEMPLATE {template} STRATEGY file_copy")  # type: ignore[arg-type]
    world = World(
        tmp_path, Database(make_conninfo(database.dsn, dbname="of_earlier"), database.dagster_url)
    )
    with catalogue(BEFORE):
        world.erp(**ERP)
        world.done()
    yield world
    with database.connect() as connection:
        connection.execute("DROP DATABASE of_earlier WITH (FORCE)")


def test_what_an_earlier_version_has_loaded_is_kept_and_the_next_import_completes_it(
    company: World,
) -> None:
    world = company
    columns = {
        "Zone": '"Id", "Description", "OldNote"',
        "Account": '"Id", "Level"',
        "Relic": '"Id", "What"',
        "InvoiceDiscountParams": '"Id", "Discount"',
    }
    queries = [
        f'SELECT {names}, _hash, _changed_load FROM kimo."{name}" ORDER BY 1'
        for name, names in columns.items()
    ]
    before = [world.rows(query) for query in queries]
    assert world.value("SELECT count(*) FROM ops.rejected_row") == 4
    published = world.value("SELECT definition FROM ops.payload WHERE entity = 'Account'")
    with world.database.connect() as connection:
        changes = ensure_schema(connection, load_catalog())
    assert [world.rows(query) for query in queries] == before
    assert changes is not None
    assert {"kimo.Account.BankIban", "kimo.Zone.SalesAgentId"} <= set(changes.added)
    assert changes.left == ["kimo.Zone.OldNote"]
    assert changes.gone == ["Relic"]
    assert {name for name in changes.altered if name.startswith("kimo.")} == {
        "kimo.Zone.Description",
        "kimo.InvoiceDiscountParams.Discount",
        "kimo.Account.Level",
    }

    # The ERP is as it was: what had no place before is taken all the same.
    report = world.done()
    assert world.rows('SELECT "Id", "Level", "BankIban" FROM kimo."Account" ORDER BY 1') == [
        ("C", 4, "IT60X"),
        ("D", 5, "IT61X"),
    ]
    assert world.rows(
        'SELECT "Id", "Description", "SalesAgentId", "OldNote" FROM kimo."Zone" ORDER BY 1'
    ) == [
        ("N", "North", "A", "kept"),
        ("S", LONG, None, None),
    ]
    assert world.value("SELECT count(*) FROM ops.rejected_row") == 0
    assert report.steps[2].entities["Bank"].counts()["inserted"] == 1
    assert world.value("SELECT definition FROM ops.payload WHERE entity = 'Account'") != published
    assert world.received("A", "SELECT Id, BankIban FROM Account ORDER BY 1") == [
        ("C", "IT60X"),
        ("D", "IT61X"),
    ]
    assert world.received("A", 'SELECT name FROM sqlite_master WHERE name = "Relic"') == []
    assert world.rows('SELECT "Id", "What" FROM kimo."Relic"') == [("R", "a thing")]
    with world.database.connect() as connection:
        assert "Relic" not in {
            state.entity for state in read_status(connection, world.config).entities
        }


def test_a_tablet_that_synced_before_gets_the_new_column(company: World) -> None:
    assert company.received("A", "SELECT Id FROM Account") == [("C",)]
    with company.database.connect() as connection:
        ensure_schema(connection, load_catalog())
    company.done()
    assert company.received("A", "SELECT Id, BankIban FROM Account ORDER BY 1") == [
        ("C", "IT60X"),
        ("D", "IT61X"),
    ]


def test_an_undo_goes_back_across_the_upgrade(company: World) -> None:
    world = company
    with catalogue(BEFORE):
        world.erp(
            Zone=[{"Id": "N", "Description": "Nord", "OldNote": "other"}],
            Relic=[{"Id": "R", "What": "else"}],
        )
        world.done()
        loads = world.value("SELECT max(load) FROM ops.load")
    with world.database.connect() as connection:
        ensure_schema(connection, load_catalog())
    world.erp(Zone=ERP["Zone"], Relic=ERP["Relic"])
    world.done()
    run_undo(world.config, world.database)
    assert world.rows(
        'SELECT "Id", "Description", "SalesAgentId" FROM kimo."Zone" WHERE _archived_load IS NULL'
    ) == [("N", "Nord", None)]
    run_undo(world.config, world.database, to=loads - 1)
    assert world.rows(
        'SELECT "Id", "Description" FROM kimo."Zone" WHERE _archived_load IS NULL'
    ) == [("N", "North")]
    assert world.rows('SELECT "What" FROM kimo."Relic"') == [("else",)]


def test_a_state_that_has_no_place_any_more_is_not_gone_back_to_and_its_values_are_kept(
    company: World,
) -> None:
    world = company
    world.erp(Zone=[{"Id": "N", "Description": "N", "OldNote": ""}, *ERP["Zone"][1:]])
    with catalogue(BEFORE):
        world.done()
    narrower = edited({"Zone": {"Description": text(3)}})
    with catalogue(narrower):
        with world.database.connect() as connection:
            ensure_schema(connection, load_catalog())
        world.erp(Zone=[{"Id": "N", "Description": "X"}])
        world.done()
        run_undo(world.config, world.database)
        assert world.rows('SELECT "Description" FROM kimo."Zone"') == [("N",)]
        with pytest.raises(
            ConfigError, match=r"With an upgrade Zone.Description has become varchar\(3\)"
        ):
            run_undo(world.config, world.database, to=1)
    assert world.rows(
        'SELECT "_left_2_Description", "Description" FROM history."Zone" WHERE _load = 2'
    ) == [("North", None)]


# --- columns
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "row", "becomes"),
    [
        (text(3), text(10), "abc", "abc"),
        (text(3), text(), "abc", "abc"),
        (text(10), text(3), "abc", "abc"),
        (Field("", "int"), Field("", "dec"), 7, "7"),
        (Field("", "dec"), Field("", "int"), "7.00", "7"),
        (text(10), Field("", "int"), "12", "12"),
        (
            Field("", "enum", codes={"1": "a", "2": "b"}),
            Field("", "enum", codes={"1": "a", "2": "b", "3": "c"}),
            2,
            "2",
        ),
        (
            Field("", "enum", codes={"1": "a", "2": "b"}),
            Field("", "enum", codes={"2": "b"}),
            2,
            "2",
        ),
        (Field("", "enum"), Field("", "enum", codes={"2": "b"}), "2", "2"),
        (Field("", "date"), Field("", "dt"), "2026-05-04", "2026-05-04 00:00:00"),
        (Field("", "bool"), text(10), True, "true"),
    ],
)
def test_a_column_of_another_type_keeps_its_values(
    connection: psycopg.Connection, before: Field, after: Field, row: Any, becomes: str
) -> None:
    ensure(connection, entity("E", V=before))
    put(connection, ("1", row), ("2", None))
    changes = ensure(connection, entity("E", V=after))
    assert changes is not None
    assert changes.altered == ["kimo.E.V"]
    assert values(connection) == {"1": becomes, "2": None}
    found = structure(connection)
    empty(connection)
    ensure(connection, entity("E", V=after))
    assert [line for line in found if not line[2].startswith("_left")] == structure(connection)


@pytest.mark.parametrize(
    ("before", "after", "fits", "misfit"),
    [
        (text(10), text(3), "abc", "abcd"),
        (text(10), text(3), "abc", "ab  "),
        (Field("", "dec"), Field("", "int"), 7, "7.5"),
        (text(10), Field("", "int"), "7", "007"),
        (Field("", "enum", codes={"1": "a", "2": "b"}), Field("", "enum", codes={"1": "a"}), 1, 2),
        (Field("", "dt"), Field("", "date"), "2026-05-04", "2026-05-04 10:00:00"),
        (Field("", "int"), Field("", "bool"), None, 1),
    ],
)
def test_what_would_not_fit_is_refused_with_a_query_that_finds_it(
    connection: psycopg.Connection, before: Field, after: Field, fits: Any, misfit: Any
) -> None:
    ensure(connection, entity("E", V=before))
    put(connection, ("1", fits), ("2", misfit), ("3", misfit), ("4", None))
    found, content = structure(connection), values(connection)
    with pytest.raises(
        MigrationError, match=r"E\.V becomes .*, and 2 of its values would not fit"
    ) as raised:
        ensure(connection, entity("E", V=after, W=text(5)), entity("New"))
    assert (structure(connection), values(connection)) == (found, content)
    query = str(raised.value).partition("This query finds them: ")[2].partition(". Correct")[0]
    assert [key for key, _ in connection.execute(query).fetchall()] == ["2", "3"]  # type: ignore[arg-type]
    connection.execute("DELETE FROM kimo.\"E\" WHERE \"Id\" IN ('2', '3')")
    assert ensure(connection, entity("E", V=after, W=text(5)), entity("New"))


def test_a_code_at_the_end_of_a_long_list_is_admitted(connection: psycopg.Connection) -> None:
    codes = {str(number): "" for number in range(40)}
    ensure(connection, entity("E", V=Field("", "enum", codes=codes)))
    ensure(connection, entity("E", V=Field("", "enum", codes={**codes, "40": ""})))
    put(connection, ("1", 40))


def test_a_column_that_left_stays_and_asks_for_nothing(connection: psycopg.Connection) -> None:
    console = load_console()["User"]
    without = replace(
        console,
        fields={name: f for name, f in console.fields.items() if name != "UserName"},
        required=(),
    )
    ensure_schema(connection, of(entity("Zone")), {"User": console})
    connection.execute('ALTER TABLE kimo."User" ALTER "UserName" SET NOT NULL')
    changes = ensure_schema(connection, of(entity("Zone")), {"User": without})
    assert changes is not None
    assert changes.left == ["kimo.User.UserName"]
    required = connection.execute(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'kimo.\"User\"'::regclass AND attname"
        " = 'UserName'"
    )
    assert required.fetchone() == (False,)
    # It comes back as it was.
    changes = ensure_schema(connection, of(entity("Zone")), {"User": console})
    assert changes is not None
    assert (changes.added, changes.left) == ([], [])


TYPES = [
    text(2),
    text(8),
    text(),
    *(Field("", kind) for kind in ("int", "dec", "date", "dt", "bool", "enum")),
    *(Field("", "enum", codes=dict.fromkeys(codes, "")) for codes in ("12", "123", "23")),
]
GIVEN = [
    "1",
    "2",
    "3",
    "12",
    "1.5",
    "007",
    "2026-05-04",
    "2026-05-04 10:00:00",
    "true",
    "f",
    "ab  ",
    "àè",
    "-4",
    None,
]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@drawn(
    st.lists(
        st.tuples(
            st.sampled_from(TYPES),
            st.sampled_from(TYPES),
            st.lists(st.sampled_from(GIVEN), max_size=4),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_changes_no_value_is_lost(
    connection: psycopg.Connection, columns: list[tuple[Field, Field, list[str | None]]]
) -> None:
    empty(connection)
    ensure(connection, entity("E", **{f"C{i}": before for i, (before, _, _) in enumerate(columns)}))
    for number, (_, _, given) in enumerate(columns):
        for key, value in enumerate(given):
            with connection.transaction() as outer:
                try:
                    with connection.transaction():
                        put(connection, (f"{number}-{key}", value), column=f"C{number}")
                except psycopg.Error:
                    continue  # the column does not admit it
                del outer
    before = [values(connection, f"C{i}") for i in range(len(columns))]
    after = entity("E", **{f"C{i}": after for i, (_, after, _) in enumerate(columns)}, New=text(5))
    try:
        ensure(connection, after)
    except MigrationError:
        assert [values(connection, f"C{i}") for i in range(len(columns))] == before
        return
    for number, column in enumerate(before):
        now = values(connection, f"C{number}")
        assert {key: _day(value) for key, value in now.items()} == {
            key: _day(value) for key, value in column.items()
        }


def _day(value: str | None) -> str | None:
    return value.removesuffix(" 00:00:00") if value else value


# --- the ledger
# --------------------------------------------------------------------------------------------------


def test_numbered_migrations_run_once_and_in_order_and_not_in_a_new_database(
    connection: psycopg.Connection,
) -> None:
    catalog = of(entity("E"))
    known = known_migrations()
    assert [migration.number for migration in known] == list(range(1, len(known) + 1))

    def upgrade(*migrations: Migration) -> migrate.Changes | None:
        return synchronise(connection, target(connection, catalog, {}), migrations)

    first = Migration(1, "SELECT 1 / 0")
    assert upgrade(first)
    more = [
        Migration(2, "CREATE TABLE ops.trial (n int)"),
        Migration(3, "INSERT INTO ops.trial VALUES (3)"),
    ]
    changes = upgrade(first, *more)
    assert changes is not None
    assert changes.migrations == [2, 3]
    assert upgrade(first, *more) is None
    assert connection.execute("SELECT n FROM ops.trial").fetchall() == [(3,)]
    with pytest.raises(psycopg.errors.DivisionByZero):
        upgrade(
            first,
            *more,
            Migration(4, "INSERT INTO ops.trial VALUES (4)"),
            Migration(5, "SELECT 1 / 0"),
        )
    assert connection.execute("SELECT n FROM ops.trial").fetchall() == [(3,)]
    with pytest.raises(
        MigrationError,
        match="made by a newer kimo_assets: it has migration 3, this program has them up to 1",
    ):
        upgrade(first)


def test_a_ledger_of_the_first_commits_becomes_todays(connection: psycopg.Connection) -> None:
    """What ledger.sql was like between the first commit and this: the tables that have changed
    since.
    """
    catalog = load_catalog()
    ensure_schema(connection, catalog)
    today = structure(connection)
    connection.execute("""
        DROP TABLE ops.migration, ops.payload, ops.manifest_file, integrator.outbox, ops.plan,
            ops.export_answer,
            ops.bound_id;
        CREATE TABLE ops.payload (entity text PRIMARY KEY, checked_load bigint NOT NULL,
            changed_load bigint NOT NULL,
            definition text NOT NULL, description jsonb NOT NULL, published_at timestamptz
                NOT NULL DEFAULT now());
        INSERT INTO ops.payload VALUES ('Zone', 1, 1, '', '{}');
        CREATE TABLE ops.manifest_file (path text PRIMARY KEY, store text NOT NULL, digest text
            NOT NULL);
        CREATE TABLE integrator.outbox (batch bigint, position bigint, fields text[] NOT NULL,
            values text[] NOT NULL);
        ALTER TABLE ops.address DROP province, DROP rules;
        ALTER TABLE ops.export_batch DROP is_unproved, DROP fields;
        INSERT INTO ops.export_batch (load, source, entity, state) VALUES
            (1, 'erp', 'Document', 'exported');
        ALTER TABLE ops.export_record DROP written_reference;
        ALTER TABLE ops.horizon DROP why;
        ALTER TABLE ops.rejected_row DROP source, DROP since, DROP since_load, DROP detail;
        ALTER TABLE ops.planned_rejected_row DROP source, DROP since, DROP since_load, DROP detail;
        INSERT INTO ops.rejected_row (entity, step, load, rule, source_row) VALUES
            ('Zone', 1, 3, 'text_too_long', '{}');
        CREATE TABLE ops.published (entity text PRIMARY KEY, load bigint NOT NULL);
        UPDATE ops.schema_version SET version = 'older'
        """)
    changes = ensure_schema(connection, catalog)
    assert changes is not None
    assert changes.migrations == [m.number for m in known_migrations()]
    assert structure(connection) == today
    assert connection.execute("SELECT since_load, rule FROM ops.rejected_row").fetchall() == [
        (3, "text_too_long")
    ]
    assert connection.execute("SELECT is_unproved, fields FROM ops.export_batch").fetchall() == [
        (False, {})
    ]
    assert ensure_schema(connection, catalog) is None


# --- what stands in the way
# ---------------------------------------------------------------------------------------


def test_who_holds_a_table_is_named(
    bare: Database, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_S", 0.05)
    ensure(connection, entity("E"))
    with bare.connect() as other, other.transaction():
        other.execute('SELECT * FROM kimo."E"')
        expected = (
            rf"kimo_assets \(process {other.info.backend_pid}, user .*holds a table of it\. Wait"
            r" until it has ended"
        )
        with pytest.raises(MigrationError, match=expected):
            ensure(connection, entity("E", V=text()))
    assert ensure(connection, entity("E", V=text()))


def test_nothing_is_altered_under_a_run_or_a_view_of_ones_own(
    bare: Database, connection: psycopg.Connection
) -> None:
    ensure(connection, entity("E", V=text(5)))
    with exclusive(bare), pytest.raises(MigrationError, match="an import or export is running"):
        ensure(connection, entity("E", V=text(6)))
    connection.execute('CREATE VIEW public.mine AS SELECT "V" FROM kimo."E"')
    with pytest.raises(
        MigrationError,
        match=r"something of your own builds on one of its tables.*mine.*Drop the view",
    ):
        ensure(connection, entity("E", V=text(6)))
    connection.execute("DROP VIEW public.mine")
    assert ensure(connection, entity("E", V=text(6)))


_KILLED = """
import os, signal, sys
from kimo_assets.database.ddl import target
from kimo_assets.database.migrate import Migration, synchronise
from kimo_assets.database.server import Database
from kimo_assets_tests.database.catalogues import of, text
from kimo_assets_tests.database.test_migrate import ADDED, entity
dsn, point = sys.argv[1:]
def reached(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)
with Database(dsn, "").connect() as connection:
    wanted = target(connection, of(entity("E", V=text(9), W=text(5)), entity("F")), {})
    synchronise(connection, wanted, [ADDED], reached)
"""
ADDED = Migration(9, "CREATE TABLE ops.trial (n int)")


@pytest.mark.parametrize("point", ["altered kimo.E", "before commit"])
def test_killed_on_its_way_it_leaves_the_old_schema(
    bare: Database, connection: psycopg.Connection, point: str
) -> None:
    catalog: Catalog = of(entity("E", V=text(5)))
    synchronise(connection, target(connection, catalog, {}), [])
    put(connection, ("1", "abc"))
    before = structure(connection)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, bare.dsn, point],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # Waits for the dead session, if PostgreSQL has not noticed yet.
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('kimo_assets schema'))")
    assert structure(connection) == before
    after = target(connection, of(entity("E", V=text(9), W=text(5)), entity("F")), {})
    assert synchronise(connection, after, [ADDED])
    assert values(connection) == {"1": "abc"}
