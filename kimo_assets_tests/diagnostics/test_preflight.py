"""kimo check: what is wrong in the source's rows is told before an import, on each dialect, by the
source's own figures.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Integer,
    Numeric,
    String,
    Text,
)
from sqlalchemy.dialects import mssql, oracle
from sqlalchemy.engine import Dialect

from kimo_assets.catalog import load_catalog
from kimo_assets.database.server import Database
from kimo_assets.demo import generate_company
from kimo_assets.sources import profiling
from kimo_assets.sources.column_types import ColumnType, TypeFamily
from kimo_assets.sources.selection import Selection
from kimo_assets_tests.support.integrations import Command, Integration

CODE = String(60)


def configured(command: Command, integration: Integration, entities: str, more: str = "") -> None:
    command.file.write_text(
        "sources: {erp: {url:"
        f" '{integration.url}'}}}}\n{more}\nentities:\n{entities}{command.kimo_database}\n",
        encoding="utf-8",
    )


def told(findings: list[dict[str, Any]]) -> dict[str, int]:
    """Field -> rows with a value that is wrong, and by rule what is wrong with the keys."""
    return {
        f.get("field", f["rule"]): f["rows"]
        for f in findings
        if f["level"] == "warning" and f.get("rows")
    }


def rejected(database: Database) -> dict[str, int]:
    """The same of the rows that staging rejected, which tells more kinds of wrong numbers apart."""
    which = "CASE WHEN rule IN ('duplicate_key', 'missing_key') THEN rule ELSE field END"
    with database.connect() as connection:
        return dict(
            connection.execute(
                f"SELECT {which}, count(*) FROM ops.rejected_row GROUP BY 1"
            ).fetchall()
        )


BAD = [
    {"Name": "x" * 101},
    {"Name": "è" * 101},
    {"EndCustomerPrice": "12,50"},
    {"EndCustomerPrice": "n.d."},
    {"Ranking": "1.5"},
    {"Ranking": "tre"},
    {"ItemType": "99"},
    {"ItemType": "uno"},
    {"IsVisibleOnItemsSearch": "2"},
    {"IsVisibleOnItemsSearch": "forse"},
    {"FreeDate": "31/12/2025"},
    {"FreeDate": "2025-02-30"},
    {"FreeDate": "20251301"},
    {"Id": None},
    {"Id": "0001"},
]
GOOD = [
    {"Name": "x" * 100 + "   "},
    {"Name": "è" * 100},
    {"EndCustomerPrice": " 12.50 "},
    {"EndCustomerPrice": ".5"},
    {"EndCustomerPrice": "1E-5"},
    {"EndCustomerPrice": ""},
    {"Ranking": "-7"},
    {"ItemType": "01"},
    {"ItemType": " 1"},
    {"IsVisibleOnItemsSearch": "TRUE"},
    {"IsVisibleOnItemsSearch": ""},
    {"FreeDate": "2025-12-31"},
    {"FreeDate": "20251231"},
    {"FreeDate": "-1"},
    {"Id": "a1"},
    {"Id": "A1"},
    {"Id": "à1"},
]


def item_fields() -> dict[str, str]:
    """A field of Item of each type, by the name the rows above use."""
    fields = load_catalog()["Item"].fields
    number = next(name for name, f in fields.items() if f.type == "int")
    day = next(name for name, f in fields.items() if f.type in ("dt", "date"))
    long = next(name for name, f in fields.items() if f.type == "text" and f.size == 130)
    return {"Ranking": number, "FreeDate": day, "Name": long}


def test_what_check_tells_of_text_columns_is_what_an_import_rejects(
    integration: Integration, command: Command, own_database: Database
) -> None:
    names = item_fields()
    size = load_catalog()["Item"].fields[names["Name"]].size or 0
    rows = [
        {
            "Id": f"{number:04}",
            **{key: _sized(value, size) if key == "Name" else value for key, value in row.items()},
        }
        for number, row in enumerate([*GOOD, *BAD], start=1)
    ]
    columns = [
        "Id",
        "Name",
        "EndCustomerPrice",
        "Ranking",
        "ItemType",
        "IsVisibleOnItemsSearch",
        "FreeDate",
    ]
    padded = [{column: row.get(column) for column in columns} for row in rows]
    integration.table(
        "Articoli",
        {column: Text if column == "Name" else String(200) for column in columns},
        padded,
    )
    fields = ", ".join(f"{field}: {column}" for column, field in names.items())
    configured(command, integration, f"  Item: {{table: Articoli, fields: {{{fields}}}}}\n")
    findings = command.json("check")
    command.run("import", code=0)
    expected = rejected(own_database)
    assert told(findings) == expected
    assert sum(expected.values()) == len(BAD)


def _sized(value: str, size: int) -> str:
    """`x` * 101 and 100 stand for one more than the field takes, and exactly as many."""
    bare = value.rstrip()
    return bare[0] * (size + (len(bare) - 100)) + value[len(bare) :]


def test_what_check_tells_of_typed_columns_is_what_an_import_rejects(
    integration: Integration, command: Command, own_database: Database
) -> None:
    names = item_fields()
    columns = {
        "Id": Integer,
        "Ranking": Numeric(10, 2),
        "ItemType": Integer,
        "IsVisibleOnItemsSearch": Integer,
        "FreeDate": DateTime,
        "EndCustomerPrice": Numeric(10, 3),
        "Big": BigInteger,
    }
    second = [n for n, f in load_catalog()["Item"].fields.items() if f.type == "int"][1:2]
    good = {
        "ItemType": 1,
        "IsVisibleOnItemsSearch": 1,
        "Ranking": 3,
        "EndCustomerPrice": 1,
        "Big": 5,
        "FreeDate": None,
    }
    bad = [{"Ranking": 1.5}, {"ItemType": 77}, {"IsVisibleOnItemsSearch": -1}, {"Id": 1}]
    rows = [{"Id": number, **good, **row} for number, row in enumerate([{}, *bad], start=1)]
    integration.table("Articoli", columns, rows)
    fields = {
        names["Ranking"]: "Ranking",
        names["FreeDate"]: "FreeDate",
        **dict.fromkeys(second, "Big"),
    }
    mapped = ", ".join(f"{field}: {column}" for field, column in fields.items())
    configured(command, integration, f"  Item: {{table: Articoli, fields: {{{mapped}}}}}\n")
    findings = command.json("check")
    command.run("import")
    assert told(findings) == rejected(own_database)


def test_a_query_is_measured_like_a_table(
    integration: Integration, command: Command, own_database: Database
) -> None:
    q = '"' if integration.url.startswith("postgresql") else ""
    integration.table(
        "T",
        {"COD": CODE, "N": String(9)},
        [{"COD": c, "N": n} for c, n in ("A1", "A2", "A3", "A1", "B:")],
    )
    query = (
        f"SELECT {q}COD{q} AS {q}Id{q}, {q}N{q} AS {q}Priority{q}, 'a:b %s ?' AS {q}Description{q}"
        f" FROM {q}T{q} -- : the end"
    )
    configured(command, integration, f"  CustomerGroup:\n    query: |\n      {query}\n")
    findings = command.json("check")
    command.run("import")
    assert told(findings) == rejected(own_database)
    assert [f["rows"] for f in findings if f["what"] == "CustomerGroup" and f["level"] == "ok"] == [
        5
    ]


def test_the_demo_companys_wrong_rows_are_all_foretold(
    tmp_path: Path, command: Command, own_database: Database
) -> None:
    company = generate_company(tmp_path, "small")
    command.file.write_text(
        company.config_path.read_text() + "\n" + command.kimo_database, encoding="utf-8"
    )
    findings = command.json("check")
    foretold: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        if finding["level"] == "warning" and finding.get("rows"):
            foretold[finding["what"], finding["rule"]] += finding["rows"]
    command.run("import")
    with own_database.connect() as connection:
        query = (
            "SELECT entity, replace(rule, 'decimal_comma', 'not_a_number'), count(*) FROM"
            " ops.rejected_row "
        )
        rows = connection.execute(
            query + "WHERE rule NOT IN ('missing_owner', 'invalid_characters') GROUP BY 1, 2"
        ).fetchall()
    assert foretold == {(entity, rule): count for entity, rule, count in rows}


# --- what types alone say
# -------------------------------------------------------------------------------------


@pytest.fixture(params=["postgresql", "mariadb"])
def typed(request: pytest.FixtureRequest) -> Integration:
    """Where a column's type binds its values."""
    database: Integration = request.getfixturevalue(request.param)
    return database


def test_a_column_that_can_never_fit_is_an_error_certain_from_its_type(
    typed: Integration, command: Command
) -> None:
    typed.table("CustomerGroup", {"Id": CODE, "Description": CODE, "Priority": Date}, [{"Id": "1"}])
    configured(command, typed, "  CustomerGroup:\n")
    findings = command.json("check", code=1)
    (error,) = [finding for finding in findings if finding["level"] == "error"]
    assert error["certain_from"] == "type"
    assert (
        error["message"]
        == "Priority is DATE, which is never a whole number: every row with a value would be"
        " rejected"
    )
    assert "not ready to import" in command.run("check", code=1).stdout


def test_a_column_that_may_become_too_long_is_named_with_the_longest_text_it_has(
    typed: Integration, command: Command
) -> None:
    typed.table(
        "CustomerGroup",
        {"Id": CODE, "Description": String(5000), "Priority": Integer},
        [{"Id": "1", "Description": "ab"}],
    )
    configured(command, typed, "  CustomerGroup:\n")
    (finding,) = [
        f for f in command.json("check") if f["what"] == "CustomerGroup" and f["level"] == "ok"
    ]
    assert finding["columns_wider_than_field"] == ["Id", "Description"]
    assert "Description (now up to 2)" in finding["message"]
    assert "wider than the field: Id, Description" in command.run("check").stdout


# --- keys
# --------------------------------------------------------------------------------------------------


def test_keys_of_several_columns_are_counted_with_an_example(
    integration: Integration, command: Command
) -> None:
    pairs = [("C1", "A1"), ("C1", "A2"), ("C1", "A1"), ("C1 ", "A1"), (None, None), ("0", "")]
    integration.table(
        "SalesAgentPerAccount",
        {"AccountId": CODE, "SalesAgentId": CODE},
        [{"AccountId": a, "SalesAgentId": b} for a, b in pairs],
    )
    configured(command, integration, "  SalesAgentPerAccount:\n")
    by_rule = {
        f["rule"]: f for f in command.json("check") if f["level"] == "warning" and "rule" in f
    }
    assert (by_rule["duplicate_key"]["rows"], by_rule["duplicate_key"]["example"]) == (2, "C1|A1")
    assert by_rule["missing_key"]["rows"] == 2


def test_a_key_that_the_source_keeps_unique_is_not_counted(
    integration: Integration, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    q = "`" if integration.url.startswith("mysql") else '"'
    integration.execute(
        f"CREATE TABLE {q}Zone{q} ({q}Id{q} varchar(20) PRIMARY KEY)",
        f"INSERT INTO {q}Zone{q} VALUES ('N')",
    )
    configured(command, integration, "  Zone:\n")
    monkeypatch.setattr(profiling._Probe, "duplicates", lambda self: pytest.fail("it was counted"))
    assert told(command.json("check")) == {}


# --- references and statuses
# ------------------------------------------------------------------------------------


def test_only_references_that_carry_a_value_are_told(
    integration: Integration, command: Command
) -> None:
    rows = [
        {"Id": "1", "CurrencyId": "EUR", "ZoneId": "0"},
        {"Id": "2", "CurrencyId": "", "ZoneId": " "},
    ]
    integration.table("Account", {"Id": CODE, "CurrencyId": CODE, "ZoneId": CODE}, rows)
    configured(command, integration, "  Account:\n")
    (finding,) = [f for f in command.json("check") if f.get("rule") == "unmapped_target"]
    assert (
        finding["message"]
        == "points to entities that are not mapped: Currency (by CurrencyId in 1 row)"
    )


def test_statuses_without_an_entry_are_told(integration: Integration, command: Command) -> None:
    rows = [
        {"Id": str(n), "ErpStatusId1": first, "ErpStatusId2": second}
        for n, first, second in ("1A ", "2ZX", "3ZX")
    ]
    integration.table("Account", {"Id": CODE, "ErpStatusId1": CODE, "ErpStatusId2": CODE}, rows)
    configured(command, integration, "  Account:\n", "erp_statuses: {Account1: {A: Attivo}}")
    messages = {
        f["field"]: f["message"] for f in command.json("check") if f.get("rule") == "unknown_status"
    }
    assert (
        "2 rows with a status, e.g. 'Z', that erp_statuses.Account1 does not decode"
        in messages["ErpStatusId1"]
    )
    assert "and nothing decodes them: add erp_statuses.Account2" in messages["ErpStatusId2"]


# --- the command
# ------------------------------------------------------------------------------------------------


def test_only_the_named_entities_are_looked_at(sqlite: Integration, command: Command) -> None:
    sqlite.table("Zone", {"Id": CODE}, [{"Id": "1"}])
    configured(command, sqlite, "  Zone:\n  Currency: NOT_THERE\n")
    assert command.run("check", code=1)
    whats = {finding["what"] for finding in command.json("check", "--entities", "zone")}
    assert "Zone" in whats
    assert "Currency" not in whats
    assert "Did you mean Zone?" in command.run("check", "--entities", "Zona", code=2).stderr


def test_many_warnings_of_one_entity_are_cut_and_json_has_them_all(
    sqlite: Integration, command: Command
) -> None:
    texts = [
        name
        for name, f in load_catalog()["Account"].fields.items()
        if f.type == "text" and f.size and f.size < 60
    ][:9]
    sqlite.table(
        "Account",
        {"Id": CODE, **{n: Text for n in texts if n != "Id"}},
        [{"Id": "1", **{n: "x" * 99 for n in texts if n != "Id"}}],
    )
    configured(command, sqlite, "  Account:\n")
    output = command.run("check").stdout
    wrong = [f for f in command.json("check") if f.get("rule") == "text_too_long"]
    assert len(wrong) == len(set(texts) - {"Id"}) > 5
    assert output.count("warning Account:") == 5
    assert "check --entities Account" in output
    assert command.run("check", "--entities", "Account").stdout.count("warning Account:") >= len(
        wrong
    )


def test_what_steps_make_is_not_held_against_the_source(
    sqlite: Integration, command: Command
) -> None:
    sqlite.table(
        "Zone",
        {"COD": Text, "Description": Text},
        [{"COD": "x" * 90, "Description": "y" * 999}] * 2,
    )
    configured(command, sqlite, "  Zone: {fields: {Id: COD}, transform: {Id: StringToHash}}\n")
    assert told(command.json("check")) == {"Description": 2}


def test_a_key_of_which_steps_make_a_part_is_not_called_double(
    sqlite: Integration, command: Command
) -> None:
    pairs = [{"AccountId": "C1", "SalesAgentId": "a1"}, {"AccountId": "C1", "SalesAgentId": "a2"}]
    sqlite.table("SalesAgentPerAccount", {"AccountId": CODE, "SalesAgentId": CODE}, pairs)
    configured(command, sqlite, "  SalesAgentPerAccount: {transform: {SalesAgentId: upper}}\n")
    assert told(command.json("check")) == {}


def test_dates_that_a_format_reads_are_not_called_wrong(
    sqlite: Integration, command: Command
) -> None:
    name = item_fields()["FreeDate"]
    sqlite.table("Item", {"Id": CODE, name: CODE}, [{"Id": "1", name: "31/12/2025"}])
    configured(command, sqlite, "  Item:\n")
    assert told(command.json("check")) == {name: 1}
    formats = ", formats: {date: dd/MM/yyyy, datetime: dd/MM/yyyy}}}"
    command.file.write_text(command.text.replace("}}", formats, 1), encoding="utf-8")
    assert told(command.json("check")) == {}


def test_a_source_that_takes_too_long_is_a_warning_and_the_others_are_measured(
    integration: Integration, command: Command
) -> None:
    integration.table("Currency", {"Id": CODE}, [{"Id": "EUR"}])
    if integration.url.startswith("sqlite"):
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) SELECT i"
            " AS Id FROM n"
        )
    elif integration.url.startswith("postgresql"):
        endless = (
            'SELECT i AS "Id" FROM generate_series(1, 1000) AS i WHERE pg_sleep(0.1) IS NOT NULL'
        )
    else:
        endless = "SELECT seq AS Id FROM seq_1_to_1000 WHERE sleep(0.1) = 0"
    configured(command, integration, f"  Zone:\n    query: {endless!r}\n  Currency:\n")
    findings = command.json("check", "--timeout", "0.5")
    late = [f for f in findings if f.get("rule") == "not_measured"]
    assert [(f["what"], f["message"]) for f in late] == [
        ("Zone", "its rows were not looked at: the source took longer than 0.5 s")
    ]
    assert [f["rows"] for f in findings if f["what"] == "Currency" and f["level"] == "ok"] == [1]


# --- dialects without a server
# ------------------------------------------------------------------------------------


class Asked(Exception):
    """Instead of an answer: the statement as the dialect writes it."""


@dataclass
class NoServer:
    """A connection to a dialect that is only asked how it would write what is asked."""

    dialect: Dialect

    def execute(self, query: Any) -> Any:
        raise Asked(str(query.compile(dialect=self.dialect)))


def asked(ask: Callable[[], Any]) -> str:
    with pytest.raises(Asked) as raised:
        ask()
    return str(raised.value)


@pytest.mark.parametrize("family", ["text", "whole", "number", "flag", "day", "unknown"])
@pytest.mark.parametrize(
    ("dialect", "pattern", "one_row"),
    [(mssql.dialect(), "TRY_CAST", "TOP"), (oracle.dialect(), "REGEXP_LIKE", "FETCH FIRST")],
    ids=["mssql", "oracle"],
)
def test_every_question_can_be_written_for_sql_server_and_oracle(
    dialect: Dialect, pattern: str, one_row: str, family: TypeFamily
) -> None:
    entity = load_catalog()["Account"]
    fields = tuple(entity.fields)
    selection = Selection(entity, "erp", "SELECT * FROM t WHERE x = ':a'", fields, fields, ())
    kinds = dict.fromkeys(fields, ColumnType(family, "BIGINT"))
    questions = profiling.Questions(["CurrencyId"], {"ErpStatusId1": ("A",), "ErpStatusId2": ()})
    source: Any = NoServer(dialect)
    probe = profiling._Probe(source, selection, kinds, questions)
    counts, doubles = asked(probe.counted), asked(probe.duplicates)
    assert "FROM (SELECT * FROM t WHERE x = ':a'\n)" in counts
    assert "FROM (SELECT * FROM t WHERE x = ':a'\n)" in doubles
    assert pattern in counts or family not in ("text", "unknown")
    assert one_row in doubles
