"""How a value is written, and what a column holds of it; also columns of databases that have no
server here.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Dialect, types
from sqlalchemy.dialects import mssql, oracle

from kimo_assets.catalog import Field
from kimo_assets.config import KimoConfig
from kimo_assets.export.columns import ErpColumn, writer
from kimo_assets.export.formats import DoesNotFitError, Formats, null_of, reader, single_line
from kimo_assets.export.reflection import column_of_type
from kimo_assets.transforms import DateFormat

PLAIN = Formats()
WRITTEN = Formats(DateFormat("dd/MM/yyyy"), DateFormat("yyyyMMddHHmmss"), zero_one=True)
DAY, MOMENT = date(2026, 1, 31), datetime(2026, 1, 31, 17, 5, 9, 120000)


def column(kind: Any, dialect: Dialect | None = None, **more: Any) -> ErpColumn:
    chosen = dialect or mssql.dialect()
    return column_of_type("C", kind, chosen.name, chosen, **more)


def written(
    kind: Any, value: Any, formats: Formats = PLAIN, dialect: Dialect | None = None, **more: Any
) -> Any:
    return writer(column(kind, dialect, **more), formats)(value)


def refusal(
    kind: Any, value: Any, formats: Formats = PLAIN, dialect: Dialect | None = None, **more: Any
) -> str:
    with pytest.raises(DoesNotFitError) as raised:
        written(kind, value, formats, dialect, **more)
    return raised.value.fits


# --- from PostgreSQL
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", " a ", " a "),
        ("dec", "12.50000", Decimal("12.5")),
        ("dec", "NaN", Decimal("NaN")),
        ("int", "7", 7),
        ("bool", "true", True),
        ("bool", "f", False),
        ("date", "2026-01-31", DAY),
        ("dt", "2026-01-31 17:05:09.12", MOMENT),
        ("enum", "A7", "A7"),
    ],
)
def test_a_text_of_postgresql_is_read_by_its_fields_type(kind: Any, text: str, value: Any) -> None:
    assert (
        repr(reader(Field("F", kind))(text)) == repr(value)
        or reader(Field("F", kind))(text) == value
    )


def test_an_enum_whose_codes_are_known_is_a_number() -> None:
    assert reader(Field("F", "enum", codes={"1": "One"}))("1") == 1


@pytest.mark.parametrize(
    ("kind", "text"),
    [("date", "infinity"), ("date", "0044-03-15 BC"), ("dt", "12026-01-01 00:00:00")],
)
def test_a_date_beyond_the_calendar_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(DoesNotFitError, match="a date between the years 1 and 9999 is expected"):
        reader(Field("F", kind))(text)


# --- as text and as digits
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "plain", "formatted"),
    [
        (DAY, "2026-01-31", "31/01/2026"),
        (MOMENT, "2026-01-31 17:05:09.120000", "20260131170509"),
        (True, "True", "1"),
        (False, "False", "0"),
        (Decimal("12.50000"), "12.5", "12.5"),
        (Decimal("1E+3"), "1000", "1000"),
        (7, "7", "7"),
    ],
)
def test_a_column_of_texts_takes_every_value_as_the_formats_write_it(
    value: Any, plain: str, formatted: str
) -> None:
    assert written(mssql.NVARCHAR(30), value) == plain
    assert written(mssql.NVARCHAR(30), value, WRITTEN) == formatted


def test_a_column_of_numbers_takes_days_as_digits() -> None:
    assert written(types.Integer(), DAY) == 20260131
    assert written(types.BigInteger(), MOMENT, WRITTEN) == 20260131170509
    assert "holds numbers" in refusal(types.Integer(), DAY, WRITTEN)


@pytest.mark.parametrize("kind", [mssql.DATE(), mssql.DATETIME2(), oracle.DATE()])
def test_a_column_of_days_takes_a_day_whatever_the_format_says(kind: Any) -> None:
    for formats in (PLAIN, WRITTEN):
        assert str(written(kind, DAY, formats)).startswith("2026-01-31")
    assert written(mssql.DATE(), "31/01/2026", WRITTEN) == DAY
    assert written(mssql.DATE(), "20260131", PLAIN) == DAY


@pytest.mark.parametrize("kind", [mssql.BIT(), types.Boolean()])
def test_a_column_of_flags_takes_what_is_one(kind: Any) -> None:
    assert [written(kind, value) for value in (True, 0, "1", "FALSE", Decimal(1))] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert "holds 0 and 1" in refusal(kind, "S")
    assert "holds 0 and 1" in refusal(kind, 2)


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2049, 12, 31)))
@pytest.mark.parametrize(
    "notation",
    [
        "yyyy-MM-dd HH:mm:ss.ffffff",
        "dd/MM/yy hh:mm:ss.ffffff tt",
        "d/M/yyyy h:m:s.ffffff tt",
        "yyyyMMddHHmmssffffff",
        "'il' dd\\.MM\\.yyyy H.m.s.ffffff",
        "fffffffHHmmssddMMyyyy",
    ],
)
def test_what_a_format_writes_it_reads(notation: str, moment: datetime) -> None:
    form = DateFormat(notation)
    assert form.read(form.write(moment)) == moment


def test_a_days_time_is_midnight() -> None:
    assert DateFormat("dd/MM/yyyy HH:mm tt h").write(DAY) == "31/01/2026 00:00 AM 12"
    assert DateFormat("yyMMdd HHmmss fff").write(MOMENT) == "260131 170509 120"


def test_formats_of_the_export_come_before_those_of_its_source() -> None:
    def formats(own: dict[str, str]) -> Formats:
        source = {
            "url": "sqlite:///x",
            "formats": {"date": "ddMMyyyy", "datetime": "ddMMyyyy HH:mm"},
        }
        return Formats.of(
            KimoConfig.model_validate({"sources": {"erp": source}, "export": {"formats": own}})
        )

    assert formats({}) == Formats(DateFormat("ddMMyyyy"), DateFormat("ddMMyyyy HH:mm"))
    assert formats({"date": "yyMMdd", "boolean": "zero_one"}) == Formats(
        DateFormat("yyMMdd"), DateFormat("ddMMyyyy HH:mm"), zero_one=True
    )


@pytest.mark.parametrize(
    ("field", "null"),
    [
        (Field("F", "text"), "-"),
        (Field("F", "enum"), "-"),
        (Field("F", "enum", codes={"1": "One"}), "0"),
        (Field("F", "dec"), "0"),
        (Field("F", "int"), "0"),
        (Field("F", "bool"), "N"),
        (Field("F", "dt"), "1753-01-01"),
    ],
)
def test_no_value_is_written_by_the_fields_type(field: Field, null: str) -> None:
    given = {"null_text": "-", "null_number": 0, "null_boolean": "N", "null_date": date(1753, 1, 1)}
    config = KimoConfig.model_validate(
        {"sources": {"erp": {"url": "sqlite:///x"}}, "export": {"formats": given}}
    )
    assert null_of(field, config.export.formats) == null


def test_line_breaks_become_one_blank_each() -> None:
    assert single_line("a\r\nb\nc\rd\u2028e  f") == "a b c d e  f"
    assert single_line(5) == 5


# --- what SQL Server and Oracle hold
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fits", "too_much"),
    [
        (mssql.TINYINT(), 255, 256),
        (mssql.TINYINT(), 0, -1),
        (types.SmallInteger(), -32768, 32768),
        (types.Integer(), 2**31 - 1, 2**31),
        (types.BigInteger(), -(2**63), 2**63),
        (mssql.MONEY(), Decimal("1.0001"), Decimal("1.00001")),
        (mssql.SMALLMONEY(), 999999, 10**6),
        (types.Numeric(18, 5), Decimal("9999999999999.99999"), Decimal("10000000000000")),
        (types.Numeric(5), 99999, "1.5"),
        (mssql.REAL(), Decimal("19.95"), 16777217),
        (mssql.FLOAT(), Decimal("123456.789"), Decimal("0.1234567890123456789")),
    ],
)
def test_sql_server_holds_numbers_of_its_types_ranges(kind: Any, fits: Any, too_much: Any) -> None:
    assert written(kind, fits) == (float(fits) if isinstance(kind, types.Float) else fits)
    assert refusal(kind, too_much)


@pytest.mark.parametrize(
    ("kind", "first", "before"),
    [
        (mssql.DATETIME(), datetime(1753, 1, 1), datetime(1752, 12, 31)),
        (mssql.SMALLDATETIME(), datetime(1900, 1, 1), date(1899, 12, 31)),
        (mssql.SMALLDATETIME(), datetime(2079, 6, 6), date(2079, 6, 7)),
    ],
)
def test_sql_servers_old_types_begin_late(kind: Any, first: datetime, before: date) -> None:
    assert written(kind, first) == first
    assert "to " in refusal(kind, before)
    assert written(mssql.DATETIME2(), datetime(1, 1, 1)) == datetime(1, 1, 1)


def test_a_rows_version_is_the_servers() -> None:
    assert column(mssql.ROWVERSION()).is_filled
    assert not column(mssql.VARBINARY(8)).is_filled


def test_sql_servers_datetime_has_thousandths_of_a_second() -> None:
    assert written(mssql.DATETIME(), datetime(2026, 1, 1, 1, 1, 1, 999999)).microsecond == 999000
    assert written(mssql.SMALLDATETIME(), datetime(2026, 1, 1, 1, 1, 1, 999999)).microsecond == 0
    assert written(mssql.DATETIME2(), datetime(2026, 1, 1, 1, 1, 1, 999999)).microsecond == 999999


def test_sql_server_counts_bytes_or_units_of_two() -> None:
    assert written(mssql.NVARCHAR(2), "😀") == "😀"
    assert (
        refusal(mssql.NVARCHAR(3), "😀😀")
        == "4 units of UTF-16 (an emoji takes 2), and NVARCHAR(3) holds 3"
    )
    assert written(mssql.VARCHAR(4), "però", encoding="cp1252") == "però"
    assert "cannot hold the character '日' (U+65E5): the column is in cp1252" in refusal(
        mssql.VARCHAR(4), "日", encoding="cp1252"
    )
    assert refusal(mssql.VARCHAR(4), "però") == "5 bytes, and VARCHAR(4) holds 4"


def test_oracle_holds_bytes_where_the_column_counts_them_and_no_empty_text() -> None:
    dialect = oracle.dialect()
    assert written(oracle.VARCHAR2(4), "però", dialect=dialect) == "però"
    assert refusal(oracle.VARCHAR2(4), "però", dialect=dialect, unit="bytes").startswith("5 bytes")
    assert not column(oracle.VARCHAR2(4), dialect).keeps_empty_texts
    assert written(oracle.NUMBER(38), 10**30, dialect=dialect) == 10**30
    assert written(oracle.NUMBER(9, 2), Decimal("1.50000"), dialect=dialect) == Decimal("1.5")
    assert written(oracle.DATE(), MOMENT, dialect=dialect) == MOMENT.replace(microsecond=0)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**8), max_value=10**8, places=5
    )
)
def test_a_number_is_written_exactly_or_not_at_all(number: Decimal) -> None:
    try:
        assert written(types.Numeric(9, 2), number) == number
        assert abs(number) < 10**7
    except DoesNotFitError:
        assert number != round(number, 2) or abs(number) >= 10**7
