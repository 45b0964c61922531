"""Where the export writes: real tables of SQLite, PostgreSQL and MariaDB, and rows that arrive in
them as they should.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, select

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig, SourceConfig
from kimo_assets.errors import SourceError
from kimo_assets.export.targets import Target, UnfittingValueError, find_targets
from kimo_assets.sources.connection import open_source
from kimo_assets_tests.support.integrations import Integration

ORDERS = """
    CREATE TABLE ORDINI (
        ID varchar(50) NOT NULL, account_id varchar(20), Amount numeric(9,2), DocumentDate date,
        CreationDate timestamp NULL, LineDiscount1 numeric(7,2), CollectOnSite smallint,
            DocumentStatus smallint,
        NOTE varchar(20), SyncReference varchar(50),
        CarrierId varchar(10) DEFAULT 'V1' NOT NULL, UTENTE varchar(10) NOT NULL,
            STATO varchar(10) DEFAULT 'N' NOT NULL
    )
"""
FIELDS = {"AccountId": "ACCOUNT_ID", "Notes": "note"}
ORDER = {
    "Id": "a-1",
    "AccountId": "C1",
    "Amount": "12.50000",
    "DocumentDate": "2026-01-31",
    "CreationDate": "2026-01-31 10:11:12",
    "LineDiscount1": "5.00000",
    "CollectOnSite": "true",
    "DocumentStatus": "1",
    "Notes": "Chiuso lunedì",
    "SyncReference": "s-1",
    "CarrierId": "BRT",
}


@dataclass
class Erp:
    """Targets in an integration database. Engines are closed at the end."""

    database: Integration
    engines: list[Engine]

    def config(self, formats: Mapping[str, Any] | None = None, **entities: Any) -> KimoConfig:
        export = {"entities": entities, "formats": formats or {}}
        return KimoConfig.model_validate(
            {"sources": {"erp": {"url": self.database.url}}, "export": export}
        )

    def find(
        self, formats: Mapping[str, Any] | None = None, **entities: Any
    ) -> tuple[Mapping[str, Target], Mapping[str, str]]:
        self.engines.append(open_source("erp", SourceConfig(url=self.database.url), writable=True))
        return find_targets(self.engines[-1], self.config(formats, **entities))

    def target(self, name: str, mapping: Any, formats: Mapping[str, Any] | None = None) -> Target:
        targets, reasons = self.find(formats, **{name: mapping})
        assert name not in reasons
        return targets[name]

    def arrived(self, target: Target, values: Mapping[str, str | None]) -> dict[str, Any]:
        """The row as the ERP reads it."""
        row = dict(zip(names(target), converted(target, values), strict=True))
        with self.engines[-1].begin() as connection:
            connection.execute(target.table.insert(), [row])
            return dict(connection.execute(select(target.table)).mappings().one())


def names(target: Target) -> list[str]:
    return [column.name for column in target.table.columns]


def converted(target: Target, values: Mapping[str, str | None]) -> tuple[Any, ...]:
    return target.convert([values.get(name) for name in target.fields])


def refused(target: Target, values: Mapping[str, str | None]) -> str:
    with pytest.raises(UnfittingValueError) as raised:
        converted(target, values)
    return str(raised.value)


@pytest.fixture
def open_engines() -> Iterator[list[Engine]]:
    engines: list[Engine] = []
    yield engines
    for engine in engines:
        engine.dispose()


@pytest.fixture
def erp(integration: Integration, open_engines: list[Engine]) -> Erp:
    """On each of the dialects in turn."""
    return Erp(integration, open_engines)


@pytest.fixture
def lite(sqlite: Integration, open_engines: list[Engine]) -> Erp:
    return Erp(sqlite, open_engines)


# --- tables and columns
# ------------------------------------------------------------------------------------


def test_only_columns_that_exist_are_written_whatever_the_case_of_their_names(erp: Erp) -> None:
    erp.database.execute(ORDERS)
    target = erp.target("Document", {"table": "ordini", "fields": FIELDS})
    assert set(target.fields) == set(ORDER)
    written = [name.casefold() for name in names(target)]
    assert written == [FIELDS.get(name, name).casefold() for name in target.fields]
    assert target.sync_column is not None
    assert target.sync_column.casefold() == "syncreference"
    assert set(target.ignored) == set(load_catalog()["Document"].fields) - set(ORDER)
    assert [name.casefold() for name in target.unfilled] == ["utente"]


def test_a_row_arrives_in_the_types_of_its_columns(erp: Erp) -> None:
    erp.database.execute(ORDERS.replace("UTENTE varchar(10) NOT NULL,", ""))
    target = erp.target("Document", {"table": "ordini", "fields": FIELDS})
    row = {name.casefold(): value for name, value in erp.arrived(target, ORDER).items()}
    assert (row["amount"], row["linediscount1"]) == (Decimal("12.50"), 5)
    assert (row["collectonsite"], row["documentstatus"]) == (1, 1)
    assert (row["id"], row["note"], row["carrierid"]) == ("a-1", "Chiuso lunedì", "BRT")
    assert (str(row["documentdate"]), str(row["creationdate"])) == (
        "2026-01-31",
        "2026-01-31 10:11:12",
    )


def test_a_row_without_values_arrives_as_null(erp: Erp) -> None:
    erp.database.execute(
        "CREATE TABLE Document (Id varchar(50) NOT NULL, Amount numeric(9,2), DocumentDate date,"
        " Notes varchar(9))"
    )
    row = erp.arrived(erp.target("Document", None), {"Id": "1"})
    assert list(row.values()) == ["1", None, None, None]


def test_a_schema_may_be_named(postgresql: Integration, open_engines: list[Engine]) -> None:
    erp = Erp(postgresql, open_engines)
    postgresql.execute(
        'CREATE SCHEMA dbo; CREATE TABLE dbo."Ordini" ("Id" varchar(9), "id" varchar(5), "ID"'
        " varchar(7))"
    )
    target = erp.target("Document", "dbo.ordini")
    assert (target.table.schema, target.table.name, names(target)) == ("dbo", "Ordini", ["Id"])
    _, reasons = erp.find(Document={"table": "dbo.ordini", "fields": {"Id": "iD"}})
    assert (
        reasons["Document"]
        == "table Ordini has no column iD (for Document.Id). Columns like it: Id, id, ID"
    )
    postgresql.execute('CREATE TABLE dbo."ORDINI" ("Id" varchar(9))')
    _, reasons = erp.find(Document="dbo.ordini")
    assert (
        reasons["Document"]
        == "ORDINI and Ordini differ only in capitals: write one of them as it is spelt"
    )


def test_a_table_that_is_not_there_comes_with_those_that_are_like_it(lite: Erp) -> None:
    lite.database.execute("CREATE TABLE ORDINI (Id text)", "CREATE TABLE X (y text)")
    targets, reasons = lite.find(Document="ORDINO", Account={"table": "X"})
    assert not targets
    assert reasons["Document"].startswith("there is no table or view ORDINO in sqlite:///")
    assert reasons["Document"].endswith(". Tables like it: ORDINI")
    assert reasons["Account"] == "table X has no column of Account's fields"


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        (
            {"fields": {"Notes": "NOT"}},
            "table ORDINI has no column NOT (for Document.Notes). Columns like it: NOTE",
        ),
        (
            {"transform": {"FreeText1": "trim"}},
            "table ORDINI has no column FreeText1 (for Document.FreeText1)",
        ),
        (
            {"fields": {"Id": "NOTE", "Notes": "note"}},
            "Id and Notes both go into its column NOTE: keep one of them",
        ),
    ],
)
def test_what_kimo_yaml_names_must_be_there(
    lite: Erp, mapping: dict[str, Any], reason: str
) -> None:
    lite.database.execute("CREATE TABLE ORDINI (Id text, NOTE text)")
    _, reasons = lite.find(Document={"table": "ORDINI", **mapping})
    assert reasons["Document"] == reason


def test_a_column_that_is_named_is_not_taken_for_the_field_of_its_name(lite: Erp) -> None:
    lite.database.execute("CREATE TABLE Document (Id text, Number text)")
    target = lite.target("Document", {"fields": {"SyncReference": "Id", "Id": "Number"}})
    assert converted(target, {"Id": "a", "SyncReference": "s", "Number": "7"}) == ("a", "s")
    assert (target.fields, target.sync_column) == (("Id", "SyncReference"), "Id")


def test_a_part_goes_by_its_own_name_with_its_head(lite: Erp) -> None:
    lite.database.execute(
        "CREATE TABLE ORDINI (Id text)", "CREATE TABLE documentline (Id text, DocumentId text)"
    )
    targets, reasons = lite.find(Document="ORDINI")
    assert list(targets) == ["Document", "DocumentLine"]
    assert not reasons
    lite.database.execute("DROP TABLE documentline")
    targets, reasons = lite.find(Document="ORDINI", Account=None)
    assert list(targets) == ["Document"]
    assert set(reasons) == {"DocumentLine", "Account"}


@pytest.mark.parametrize(
    ("dialect", "column"),
    [
        ("sqlite", "LineNumber INTEGER PRIMARY KEY"),
        ("sqlite", "LineNumber integer GENERATED ALWAYS AS (1) STORED"),
        ("postgresql", "LineNumber serial"),
        ("postgresql", "LineNumber integer GENERATED BY DEFAULT AS IDENTITY"),
        ("postgresql", "LineNumber integer GENERATED ALWAYS AS (1) STORED"),
        ("mariadb", "LineNumber integer AUTO_INCREMENT PRIMARY KEY"),
        ("mariadb", "LineNumber integer AS (1) STORED"),
    ],
)
def test_columns_that_the_database_fills_are_not_written(
    request: pytest.FixtureRequest, open_engines: list[Engine], dialect: str, column: str
) -> None:
    erp = Erp(request.getfixturevalue(dialect), open_engines)
    erp.database.execute("CREATE TABLE Document (Id varchar(50))")
    erp.database.execute(f"CREATE TABLE DocumentLine (ItemId varchar(50), {column})")
    targets, _ = erp.find(Document=None)
    assert targets["DocumentLine"].fields == ("ItemId",)
    assert targets["DocumentLine"].unfilled == ()
    assert len(erp.arrived(targets["DocumentLine"], {"ItemId": "x"})) == 1
    _, reasons = erp.find(Document=None, DocumentLine={"fields": {"LineNumber": "linenumber"}})
    assert "is filled by the database itself" in reasons["DocumentLine"]


def test_a_table_of_mysql_without_transactions_is_no_target(
    mariadb: Integration, open_engines: list[Engine]
) -> None:
    mariadb.execute(
        "CREATE TABLE ORDINI (Id varchar(50)) ENGINE = MyISAM",
        "CREATE TABLE CLIENTI (Id varchar(50))",
    )
    targets, reasons = Erp(mariadb, open_engines).find(Document="ordini", Account="CLIENTI")
    assert list(targets) == ["Account"]
    assert (
        reasons["Document"]
        == "table ordini is of the engine MyISAM, which has no transactions: ALTER TABLE ORDINI"
        " ENGINE = InnoDB"
    )


def test_a_view_may_be_written(postgresql: Integration, open_engines: list[Engine]) -> None:
    postgresql.execute(
        "CREATE TABLE t (id varchar(5), x text)", "CREATE VIEW ordini AS SELECT id FROM t"
    )
    erp = Erp(postgresql, open_engines)
    target = erp.target("Document", "ordini")
    assert erp.arrived(target, {"Id": "1"}) == {"id": "1"}
    assert "VARCHAR(5) holds 5" in refused(target, {"Id": "123456"})


def test_a_database_that_is_not_there_is_an_error_not_an_empty_one(
    tmp_path: Any, open_engines: list[Engine]
) -> None:
    with pytest.raises(SourceError):
        Erp(Integration(f"sqlite:///{tmp_path / 'gone.sqlite'}"), open_engines).find(Document=None)


# --- what fits
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (
            "Notes",
            "x" * 21,
            (
                f"Document.Notes -> NOTE: '{'x' * 21}': 21 characters, and VARCHAR(20) holds 20."
                " Shorten it"
            ),
        ),
        (
            "Amount",
            "1.005",
            (
                "Document.Amount -> Amount: '1.005': NUMERIC(9, 2) holds 2 decimals, and nothing is"
                " rounded. "
            ),
        ),
        (
            "Amount",
            "10000000",
            "'10000000': NUMERIC(9, 2) holds 7 digits before the decimal point. ",
        ),
        ("Amount", "NaN", "'NaN': NUMERIC(9, 2) holds numbers, and that is none. "),
        ("DocumentStatus", "2147483648", "'2147483648': SMALLINT holds -32768 to 32767. "),
        (
            "DocumentDate",
            "infinity",
            "'infinity': a date between the years 1 and 9999 is expected. ",
        ),
        (
            "Id",
            None,
            (
                "Document.Id -> ID: there is no value, and ID needs one. Fill it in Kimo, or say"
                " what stands"
            ),
        ),
        (
            "CarrierId",
            None,
            "Document.CarrierId -> CarrierId: there is no value, and CarrierId needs one. ",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    erp: Erp, field: str, value: str | None, expected: str
) -> None:
    erp.database.execute(ORDERS)
    target = erp.target("Document", {"table": "ordini", "fields": FIELDS})
    found = (
        refused(target, {**ORDER, field: value}).replace("DECIMAL", "NUMERIC").replace("(6)", "")
    )
    assert expected.casefold() in found.casefold()


@pytest.mark.parametrize(
    ("value", "held"), [("1.50000", "1.50"), ("9999999.99", "9999999.99"), ("-0.01000", "-0.01")]
)
def test_zeros_at_the_end_are_no_decimals(erp: Erp, value: str, held: str) -> None:
    erp.database.execute(ORDERS.replace("UTENTE varchar(10) NOT NULL,", ""))
    target = erp.target("Document", {"table": "ordini", "fields": FIELDS})
    row = erp.arrived(target, {**ORDER, "Amount": value})
    assert Decimal(str(row[next(name for name in row if name.casefold() == "amount")])) == Decimal(
        held
    )


@pytest.mark.parametrize(
    ("kind", "given", "held"),
    [
        ("varchar(9) CHARACTER SET latin1", "però €", "però €"),
        ("varchar(9) CHARACTER SET latin1", "日本", None),
        ("varchar(9) CHARACTER SET utf8mb3", "日本", "日本"),
        ("varchar(9) CHARACTER SET utf8mb3", "ok 😀", None),
        ("varchar(9) CHARACTER SET utf8mb4", "ok 😀", "ok 😀"),
        ("tinytext CHARACTER SET utf8mb4", "😀" * 63, "😀" * 63),
        ("tinytext CHARACTER SET utf8mb4", "😀" * 64, None),
    ],
)
def test_mysql_holds_the_characters_of_its_character_set(
    mariadb: Integration, open_engines: list[Engine], kind: str, given: str, held: str | None
) -> None:
    mariadb.execute(f"CREATE TABLE Document (Id varchar(50), Notes {kind})")
    erp = Erp(mariadb, open_engines)
    target = erp.target("Document", None)
    if held is not None:
        assert erp.arrived(target, {"Notes": given})["Notes"] == held
    else:
        said = refused(target, {"Notes": given})
        assert (
            ("(U+1F600)" in said and "'😀'" in said)
            or "(U+65E5)" in said
            or "256 bytes, and TINYTEXT holds 255" in said
        )


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("tinyint", "127", True),
        ("tinyint", "128", False),
        ("tinyint unsigned", "255", True),
        ("tinyint unsigned", "-1", False),
        ("smallint", "32768", False),
        ("mediumint", "8388607", True),
        ("mediumint", "8388608", False),
        ("int unsigned", "4294967295", True),
        ("bigint", "9223372036854775808", False),
        ("float", "19.95", True),
        ("float", "16777217", False),
        ("double", "123456.789", True),
        ("bit(1)", "1", True),
    ],
)
def test_mysql_holds_numbers_of_its_types_ranges(
    mariadb: Integration, open_engines: list[Engine], kind: str, value: str, fits: bool
) -> None:
    mariadb.execute(f"CREATE TABLE Document (Id varchar(50), Amount {kind})")
    erp = Erp(mariadb, open_engines)
    target = erp.target("Document", None)
    if not fits:
        assert "-> Amount: " in refused(target, {"Amount": value})
    else:
        assert Decimal(str(erp.arrived(target, {"Amount": value})["Amount"])) == Decimal(value)


@pytest.mark.parametrize(
    ("encoding", "fitting", "lacking", "said"),
    [
        (
            "LATIN1",
            "però",
            "€",
            (
                "cannot hold the character '€' (U+20AC): the column is in iso8859-1. Take the"
                " character"
            ),
        ),
        ("LATIN9", "€", "日", "(U+65E5)"),
        ("WIN1252", "€ é", "😀", "(U+1F600)"),
        ("SQL_ASCII", "per", "però", "5 bytes, and VARCHAR(4) holds 4"),
    ],
)
def test_postgresql_holds_the_characters_of_its_encoding(
    postgresql: Integration,
    open_engines: list[Engine],
    encoding: str,
    fitting: str,
    lacking: str,
    said: str,
) -> None:
    name = f"in_{encoding.casefold()}"
    engine = postgresql.engine().execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        )
    engine.dispose()
    url = postgresql.engine().url.set(database=name).update_query_dict({"client_encoding": "utf8"})
    own = Integration(url.render_as_string(hide_password=False))
    own.execute("CREATE TABLE document (id varchar(50), notes varchar(4))")
    erp = Erp(own, open_engines)
    target = erp.target("Document", None)
    assert erp.arrived(target, {"Notes": fitting})["notes"] == fitting
    assert said in refused(target, {"Notes": lacking})


def test_sqlites_numbers_hold_fifteen_digits(lite: Erp) -> None:
    lite.database.execute(
        "CREATE TABLE Document (Id text, Amount decimal(30,5), LineDiscount1, UnpackedQty real)"
    )
    target = lite.target("Document", None)
    assert (
        lite.arrived(target, {"Amount": "1234567890123.45", "LineDiscount1": "7.5"})["Amount"]
        == 1234567890123.45
    )
    assert "holds about 15 digits" in refused(target, {"Amount": "12345678901234567.89"})


def test_a_field_goes_into_a_column_of_another_kind_where_that_can_hold_it(erp: Erp) -> None:
    erp.database.execute(
        "CREATE TABLE Document (Id varchar(50), DocumentStatus varchar(3), CollectOnSite"
        " varchar(5), DocumentDate decimal(8,0), FreeText1 integer, FreeText2 date, CreationDate"
        " date, DeliveryDate timestamp NULL, Amount varchar(9))"
    )
    target = erp.target("Document", None)
    values = {
        "DocumentStatus": "1",
        "CollectOnSite": "false",
        "DocumentDate": "2026-01-31",
        "FreeText1": "12",
        "Amount": "1.50000",
        "FreeText2": "2026-02-01",
        "CreationDate": "2026-01-31 23:59:59.9",
        "DeliveryDate": "2026-03-01",
    }
    row = {name.casefold(): str(value) for name, value in erp.arrived(target, values).items()}
    assert (row["documentstatus"], row["collectonsite"], row["documentdate"]) == (
        "1",
        "False",
        "20260131",
    )
    assert (row["freetext1"], row["freetext2"], row["amount"]) == ("12", "2026-02-01", "1.5")
    assert (row["creationdate"], row["deliverydate"][:19]) == ("2026-01-31", "2026-03-01 00:00:00")
    for name, value in (
        ("FreeText1", "1.5"),
        ("FreeText1", "1_000"),
        ("FreeText1", "Rossi"),
        ("FreeText2", "domani"),
    ):
        assert f"Document.{name} -> " in refused(target, {**values, name: value})


def test_types_that_are_neither_text_nor_number_nor_date_are_the_databases_affair(
    postgresql: Integration, open_engines: list[Engine]
) -> None:
    postgresql.execute(
        "CREATE TYPE stato AS ENUM ('N', 'S')",
        "CREATE TABLE document (id uuid, FreeText1 stato, FreeText2 jsonb, Amount money,"
        " CollectOnSite bit(1))",
    )
    erp = Erp(postgresql, open_engines)
    key = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    values = {"Id": key, "FreeText1": "S", "FreeText2": '{"a": 1}', "Amount": "12.50000"}
    row = erp.arrived(erp.target("Document", None), {**values, "CollectOnSite": "true"})
    assert (str(row["id"]), row["freetext1"], row["freetext2"], row["collectonsite"]) == (
        key,
        "S",
        {"a": 1},
        "1",
    )


def test_a_fraction_of_a_second_is_not_rounded_into_the_next_one(
    mariadb: Integration, open_engines: list[Engine]
) -> None:
    mariadb.execute(
        "CREATE TABLE Document (Id varchar(50), CreationDate datetime, ReviewTimeStamp datetime(3))"
    )
    erp = Erp(mariadb, open_engines)
    moment = "2026-12-31 23:59:59.999999"
    row = erp.arrived(
        erp.target("Document", None), {"CreationDate": moment, "ReviewTimeStamp": moment}
    )
    assert [str(value) for value in row.values()][1:] == [
        "2026-12-31 23:59:59",
        "2026-12-31 23:59:59.999000",
    ]


def test_values_of_every_field_of_every_entity_arrive(erp: Erp) -> None:
    """Columns as the catalogue describes them."""
    kinds = {
        "text": "text",
        "dec": "decimal(18,5)",
        "int": "integer",
        "enum": "integer",
        "bool": "smallint",
        "date": "date",
        "dt": "timestamp NULL",
    }
    written = {
        "text": "è 'x'",
        "dec": "1.25",
        "int": "7",
        "enum": "1",
        "bool": "t",
        "date": "2026-01-31",
        "dt": "2026-01-31 10:00:00",
    }
    catalog = load_catalog()
    names = [name for head in catalog.sent_to_erp for name in (head, *catalog.sent_with(head))]
    narrow = {name: list(catalog[name].fields.values())[:60] for name in names}
    for name, fields in narrow.items():
        erp.database.execute(
            f"CREATE TABLE T_{name} ({', '.join(f'{f.name} {kinds[f.type]}' for f in fields)})"
        )
    targets, reasons = erp.find(**{name: f"t_{name}" for name in names})
    assert not reasons
    assert list(targets) == names
    for name, target in targets.items():
        row = erp.arrived(target, {field.name: written[field.type] for field in narrow[name]})
        assert None not in row.values()


# --- transformations and formats
# ---------------------------------------------------------------------------

Find = Callable[..., Target]


def test_transformations_are_made_of_kimos_fields(lite: Erp) -> None:
    lite.database.execute(
        "CREATE TABLE ORDINI (Id text, CLIENTE integer, ORIGINE text, RIF text, TOT text, URGENTE"
        " text)"
    )
    mapping = {
        "table": "ORDINI",
        "fields": {
            "AccountId": "CLIENTE",
            "FreeText1": "ORIGINE",
            "Number": "RIF",
            "Amount": "TOT",
            "FreeText2": "URGENTE",
        },
        "transform": {
            "AccountId": [{"RemovePrefix": "Account_"}, "StringToInteger"],
            "FreeText1": {"constant": "KIMO"},
            "Number": {"expression": "number ~ '/' ~ DocumentDate.year"},
            "Amount": {"expression": "amount * 2"},
            "FreeText2": {"lookup": {"1": "S"}, "default": "N"},
        },
    }
    target = lite.target("Document", mapping)
    assert set(target.fields) == {
        "Id",
        "AccountId",
        "Number",
        "DocumentDate",
        "Amount",
        "FreeText2",
    }
    values = {
        "AccountId": "Account_0012",
        "Number": "77",
        "DocumentDate": "2026-01-31",
        "Amount": "1.25",
        "FreeText2": "1",
    }
    row = dict(zip(names(target), converted(target, values), strict=True))
    assert row == {
        "Id": None,
        "CLIENTE": 12,
        "ORIGINE": "KIMO",
        "RIF": "77/2026",
        "TOT": "2.5",
        "URGENTE": "S",
    }
    assert (
        refused(target, {**values, "AccountId": "A12"})
        == "Document.AccountId -> CLIENTE: 'A12': the transformation gives nothing: expected a"
        " whole number. Correct the value in Kimo, or the transformation in `export`"
    )


def test_no_value_stays_none_through_a_transformation(lite: Erp) -> None:
    lite.database.execute("CREATE TABLE Document (Id text, Notes text, Number text)")
    mapping = {"transform": {"Notes": ["trim", "upper"], "Number": {"concat": ["Number", "Notes"]}}}
    assert converted(lite.target("Document", mapping), {}) == (None, None, None)
    assert converted(lite.target("Document", mapping, {"null_text": "-"}), {}) == ("-", "-", "-")


def test_ids_of_documents_are_written_behind_their_separator(lite: Erp) -> None:
    for name in ("Document", "DocumentLine", "Rma"):
        lite.database.execute(
            f"CREATE TABLE {name} (Id text, ShipmentSiteId text, ShipmentSite2Id text, ItemId text)"
        )
    formats = {"shipment_site_split": "|", "item_split": "-"}
    targets, _ = lite.find(formats, Document=None, Rma=None)
    sites = {"ShipmentSiteId": "C1|S1", "ShipmentSite2Id": "S2", "ItemId": "IT-1-2"}
    assert converted(targets["Document"], sites)[1:] == ("S2", "S1")
    assert converted(targets["DocumentLine"], sites) == (None, "1-2")
    assert (
        "C1|S1" in converted(targets["Rma"], sites) or "ShipmentSiteId" not in targets["Rma"].fields
    )
    assert "nothing stands behind its '|'" in refused(
        targets["Document"], {"ShipmentSiteId": "C1|"}
    )


def test_lines_from_idrolab_get_their_one_code(lite: Erp) -> None:
    lite.database.execute(
        "CREATE TABLE Document (Id text)", "CREATE TABLE DocumentLine (ItemId varchar(6))"
    )
    targets, _ = lite.find({"idrolab_item": "IDRO", "item_split": "-"}, Document=None)
    target = targets["DocumentLine"]
    assert target.fields == ("ItemId", "LineType")
    assert converted(target, {"ItemId": "a-b-1234567", "LineType": "5"}) == ("IDRO",)
    assert converted(target, {"LineType": "5"}) == ("IDRO",)
    assert converted(target, {"ItemId": "a-b", "LineType": "0"}) == ("b",)
    assert converted(target, {"ItemId": "a-b"}) == ("b",)


def test_the_sync_reference_goes_letter_by_letter(lite: Erp) -> None:
    lite.database.execute("CREATE TABLE Document (Id text, Notes text, SyncReference text)")
    target = lite.target("Document", None, {"case": "upper", "single_line": True})
    values = {"Id": "a-1", "Notes": "a\r\nb\nc", "SyncReference": "ab-1"}
    assert converted(target, values) == ("A-1", "A B C", "ab-1")


def test_what_stands_for_no_value_stands_where_the_column_can_hold_it(lite: Erp) -> None:
    lite.database.execute(
        "CREATE TABLE Document (Id text, Amount numeric(9,2), DocumentDate varchar(10),"
        " DeliveryDate date, CollectOnSite int, Notes varchar(5) NOT NULL, DocumentStatus int)"
    )
    formats = {"null_text": "", "null_number": 0, "null_date": -1, "null_boolean": 0}
    target = lite.target("Document", None, formats)
    row = dict(zip(names(target), converted(target, {}), strict=True))
    assert row == {
        "Id": "",
        "Amount": 0,
        "CollectOnSite": 0,
        "DeliveryDate": None,
        "DocumentDate": "-1",
        "DocumentStatus": 0,
        "Notes": "",
    }
    assert target.notes == ("DeliveryDate cannot hold '-1' for no value, so NULL is written",)
