"""What each step makes of a column of values, whatever their types."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimo_assets.transforms import DateFormat, Outcome, as_dates, parse, transformed

KEYS_ABSENT = frozenset({"0"})


def outcome(
    notation: Any, *columns: Sequence[Any], absent: frozenset[str] = frozenset()
) -> Outcome:
    return transformed(parse(notation), columns, len(columns[0]), absent)


def made(notation: Any, *columns: Sequence[Any], absent: frozenset[str] = frozenset()) -> list[Any]:
    """The values, of which none is rejected."""
    result = outcome(notation, *columns, absent=absent)
    assert not result.rejected
    return list(result.values)


def broken_rule(notation: Any, *row: Any) -> tuple[str, str | None]:
    """The rule that a row of these columns breaks."""
    result = outcome(notation, *([value] for value in row))
    assert list(result.values) == [None]
    return result.rejected[0].rule, result.rejected[0].detail


# A value as drivers give it: the same one as text, number, flag, bytes.
SCALARS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=5),
)
NOTATIONS: list[Any] = [
    "trim",
    "upper",
    "lower",
    "StringToHash",
    "QueryAsLong",
    "StringToInteger",
    {"RemovePrefix": "1"},
    {"replace": {"1": "one"}},
    {"lookup": {"1": "a"}},
    {"date": "dd/MM/yyyy"},
    {"number": "1.234,56"},
    {"constant": "x"},
    {"coalesce": ["A"]},
    {"concat": ["A"]},
    {"expression": "A ~ '!'"},
    {"expression": "A * 2"},
    ["trim", "upper", {"replace": {"1": "2"}}, "QueryAsLong"],
]


@pytest.mark.parametrize("notation", NOTATIONS, ids=str)
@given(values=st.lists(SCALARS, min_size=1, max_size=20))
def test_a_batch_gives_what_its_rows_give_one_by_one(notation: Any, values: list[Any]) -> None:
    whole = outcome(notation, values)
    single = [outcome(notation, [value]) for value in values]
    assert list(whole.values) == [one.values[0] for one in single]
    assert whole.rejected == {i: one.rejected[0] for i, one in enumerate(single) if one.rejected}


@pytest.mark.parametrize(
    "notation", [n for n in NOTATIONS if n != {"constant": "x"} and "expression" not in n], ids=str
)
def test_no_value_stays_none(notation: Any) -> None:
    assert {value or None for value in made(notation, [None, ""])} == {None}


@pytest.mark.parametrize(
    "notation", ["trim", "StringToHash", {"lookup": {"12": "x"}}, "QueryAsLong", {"concat": ["A"]}]
)
def test_twelve_is_twelve_whatever_type_the_driver_has_for_it(notation: Any) -> None:
    assert len(set(made(notation, [12, 12.0, Decimal("12"), Decimal("12.00"), "12", b"12"]))) == 1


# --- StringToHash, QueryAsLong
# ------------------------------------------------------------------------------------


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(
        lambda text: text.strip(" ")
    )
)
def test_a_hash_is_the_md5_of_the_text_without_trailing_blanks(text: str) -> None:
    expected = md5(text.rstrip(" ").encode()).hexdigest()
    assert made("StringToHash", [text, text + "  "]) == [expected, expected]


def test_a_key_that_means_no_value_has_no_hash() -> None:
    assert made("StringToHash", ["0", 0, "0 ", None], absent=KEYS_ABSENT) == [""] * 4
    assert made("StringToHash", ["0"]) == [md5(b"0").hexdigest()]


def test_bytes_that_are_no_text_have_no_hash() -> None:
    assert broken_rule("StringToHash", b"\xff") == (
        "invalid_characters",
        "bytes that are no characters",
    )


@given(st.integers(), st.integers(0, 3))
def test_a_whole_number_is_taken_in_its_plain_form(number: int, zeros: int) -> None:
    sign = "-" if number < 0 else ""
    written = [
        number,
        Decimal(number),
        f" {number}",
        f"{number}.{'0' * zeros}",
        f"{sign}00{abs(number)}",
    ]
    assert set(made("QueryAsLong", written)) == {str(number)}


@pytest.mark.parametrize(
    "value", ["A1", 12.5, "12,0", "1e3", "0x10", "1_000", date(2026, 1, 1), "-", "."]
)
def test_what_is_no_whole_number_is_rejected(value: Any) -> None:
    assert broken_rule("QueryAsLong", value) == ("transformation_failed", "expected a whole number")


# --- RemovePrefix, StringToInteger
# --------------------------------------------------------------------------------


def test_a_prefix_is_removed_once_and_only_from_the_beginning() -> None:
    assert made({"RemovePrefix": "A_"}, ["A_1", "A_A_1", "1A_", "a_1", "A_", 12]) == [
        "1",
        "A_1",
        "1A_",
        "a_1",
        "",
        "12",
    ]


def test_a_text_becomes_a_whole_number() -> None:
    assert made("StringToInteger", ["0012", " -7 ", 3, Decimal("4.00"), "0"]) == [12, -7, 3, 4, 0]
    assert made([{"RemovePrefix": "Account_"}, "StringToInteger"], ["Account_007"]) == [7]


@pytest.mark.parametrize("value", ["A1", "1.5", "9" * 5000])
def test_what_is_no_whole_number_for_a_column_is_rejected(value: str) -> None:
    assert broken_rule("StringToInteger", value) == (
        "transformation_failed",
        "expected a whole number",
    )


# --- texts
# --------------------------------------------------------------------------------------------------


def test_replacements_are_made_one_after_another() -> None:
    assert made(
        {"replace": {"&": "e", "  ": " ", "a": "b", "b": "c"}}, ["A & B", "x  y", "ab"]
    ) == ["A e B", "x y", "cc"]


def test_a_replacement_may_be_nothing() -> None:
    assert made({"replace": {".": None, "-": ""}}, ["1.2-3"]) == ["123"]


def test_texts_are_joined_without_the_empty_ones() -> None:
    notation = {"concat": ["A", "B", "C"], "separator": " - "}
    assert made(notation, ["a", "", None], ["b", None, ""], ["c", "c", None]) == [
        "a - b - c",
        "c",
        "",
    ]


def test_the_first_column_with_a_value_is_taken_as_it_is() -> None:
    assert made({"coalesce": ["A", "B"]}, [None, "  ", 0, 5], ["x", "y", 7, 8]) == ["x", "y", 0, 5]
    assert made({"coalesce": ["A", "B"]}, [0, "0"], ["x", 0], absent=KEYS_ABSENT) == ["x", None]


# --- lookup
# --------------------------------------------------------------------------------------------------


def test_a_code_is_looked_up_without_its_trailing_blanks_and_in_its_own_case() -> None:
    assert made({"lookup": {"N": "NORD", "1": "UNO"}}, ["N", "N  ", 1, 1.0]) == [
        "NORD",
        "NORD",
        "UNO",
        "UNO",
    ]
    assert broken_rule({"lookup": {"N": "NORD", "S": "SUD"}}, "n") == (
        "transformation_failed",
        "expected one of N, S",
    )


def test_a_default_is_for_codes_that_are_not_listed_and_not_for_no_value() -> None:
    assert made(
        {"lookup": {"N": "NORD"}, "default": "ALTRO"}, ["N", "X", "", None, 0], absent=KEYS_ABSENT
    ) == ["NORD", "ALTRO", "", "", ""]
    assert made({"lookup": {"N": "NORD"}, "default": None}, ["X"]) == [""]


def test_a_table_may_list_what_would_mean_no_value() -> None:
    assert made(
        {"lookup": {"": "NESSUNA", "0": "ITALIA"}}, [None, "", 0, "0"], absent=KEYS_ABSENT
    ) == ["NESSUNA", "NESSUNA", "ITALIA", "ITALIA"]


def test_a_long_table_is_not_recited_whole() -> None:
    _, detail = broken_rule({"lookup": {str(n): "x" for n in range(500)}}, "X")
    assert detail == "expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..."


# --- dates
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notation", "text", "expected"),
    [
        ("dd/MM/yyyy", "31/01/2026", date(2026, 1, 31)),
        ("d/M/yyyy", "1/2/2026", date(2026, 2, 1)),
        ("d/M/yyyy", "31/12/2026", date(2026, 12, 31)),
        ("yyyyMMdd", "20260131", date(2026, 1, 31)),
        ("yyyyMMdd", 20260131, date(2026, 1, 31)),
        ("yyyyMMdd", 20260131.0, date(2026, 1, 31)),
        ("ddMMyyyy", 1022026, date(2026, 2, 1)),
        ("yyMMdd", 60131, date(2006, 1, 31)),
        ("dd/MM/yy", "31/12/49", date(2049, 12, 31)),
        ("dd/MM/yy", "31/12/50", date(1950, 12, 31)),
        ("dd/MM/yyyy HH:mm:ss", "31/01/2026 23:59:58", datetime(2026, 1, 31, 23, 59, 58)),
        ("dd/MM/yyyy HH:mm", "31/01/2026 07:05", datetime(2026, 1, 31, 7, 5)),
        ("M/d/yyyy h:mm tt", "1/31/2026 12:05 AM", datetime(2026, 1, 31, 0, 5)),
        ("M/d/yyyy h:mm tt", "1/31/2026 1:05 pm", datetime(2026, 1, 31, 13, 5)),
        (
            "yyyy-MM-dd HH:mm:ss.fff",
            "2026-01-31 01:02:03.456",
            datetime(2026, 1, 31, 1, 2, 3, 456000),
        ),
        (
            "yyyy-MM-ddTHH:mm:ss.fffffff",
            "2026-01-31T01:02:03.4567891",
            datetime(2026, 1, 31, 1, 2, 3, 456789),
        ),
        ("'il' dd.MM.yyyy", "il 31.01.2026", date(2026, 1, 31)),
        (r"dd\dMM\Myyyy", "31d01M2026", date(2026, 1, 31)),
        ("dd/MM/yyyy", " 31/01/2026 ", date(2026, 1, 31)),
        ("dd/MM/yyyy", date(2026, 1, 31), date(2026, 1, 31)),
        ("dd/MM/yyyy", datetime(2026, 1, 31, 5), datetime(2026, 1, 31, 5)),
    ],
)
def test_days_are_read_by_the_vendors_notation(notation: str, text: Any, expected: date) -> None:
    assert made({"date": notation.replace("ddT", r"dd\T")}, [text]) == [expected]


@pytest.mark.parametrize(
    "text",
    ["2026-01-31", "31/13/2026", "30/02/2026", "1/2/2026", "31/01/26", "31/01/2026 10:00", "x"],
)
def test_a_day_that_is_not_written_so_is_rejected_and_the_format_is_named(text: str) -> None:
    assert broken_rule({"date": "dd/MM/yyyy"}, text) == ("impossible_date", "expected dd/MM/yyyy")


@pytest.mark.parametrize(
    "notation",
    ["", "yyyy", "dd/MM", "dd/MM/yyyy dd", "yy yyyy MM dd", "dd MMM yyyy", "dddd dd/MM/yyyy"],
)
def test_a_format_that_does_not_say_a_day_once_is_no_format(notation: str) -> None:
    with pytest.raises(ValueError, match=r"does not say|twice|no part of a date"):
        DateFormat(notation)


@given(
    st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2049, 12, 31)),
    st.permutations(["%Y yyyy", "%m MM", "%d dd", "%H HH", "%M mm", "%S ss"]),
    st.sampled_from(["", "/", " ", ".", "-"]),
)
def test_what_is_written_by_a_format_is_read_back_by_it(
    moment: datetime, parts: list[str], between: str
) -> None:
    pairs = [part.split() for part in parts]
    written = moment.strftime(between.join(directive for directive, _ in pairs)).replace(
        " ", between
    )
    notation = between.join(letters for _, letters in pairs)
    # Years before 1000 would lose their zeros in strftime; there are none here.
    assert DateFormat(notation).read(written) == moment.replace(microsecond=0)


@given(st.one_of(st.text(max_size=12), st.from_regex(r"\A[0-9]{2}/[0-9]{2}/[0-9]{4}\Z")))
def test_no_text_makes_a_format_fail_otherwise_than_by_rejecting(text: str) -> None:
    found = DateFormat("dd/MM/yyyy").read(text)
    assert (
        found is None or found.strftime("%d/%m/%Y")[-4:].zfill(4) == text[-4:] or found.year < 1000
    )


def test_a_source_may_write_days_in_two_ways_and_year_first() -> None:
    transformation = as_dates([DateFormat("dd/MM/yyyy"), DateFormat("ddMMyyyy")], or_iso=True)
    texts = ["31/01/2026", "31012026", "2026-01-31", "20260131", "today", "-1"]
    result = transformed(transformation, [texts], len(texts), frozenset({"-1"}))
    assert result.values == [
        date(2026, 1, 31),
        date(2026, 1, 31),
        "2026-01-31",
        "20260131",
        None,
        None,
    ]
    assert {i: broken.detail for i, broken in result.rejected.items()} == {
        4: "expected dd/MM/yyyy or ddMMyyyy or year-month-day"
    }


# --- numbers
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "text", "expected"),
    [
        ("1.234,56", "1.234.567,8", "1234567.8"),
        ("1.234,56", "-12,5", "-12.5"),
        ("1.234,56", "+12", "12.0"),
        ("1.234,56", "1234,5", "1234.5"),
        ("1,234.56", "1,234.5", "1234.5"),
        ("1234,56", "1234,5", "1234.5"),
        ("1 234,56", "1\u00a0234\u202f567,8", "1234567.8"),
        ("1'234.56", "1'234.5", "1234.5"),
    ],
)
def test_numbers_are_read_as_the_example_writes_them(
    example: str, text: str, expected: str
) -> None:
    assert [Decimal(value) for value in made({"number": example}, [text])] == [Decimal(expected)]


@pytest.mark.parametrize(
    ("example", "text"),
    [
        ("1.234,56", "1.23,4"),
        ("1.234,56", "12.5"),
        ("1.234,56", "ten"),
        ("1234,56", "1.234,5"),
        ("1.234,56", "1,2,3"),
    ],
)
def test_a_number_written_otherwise_is_rejected_and_the_example_is_named(
    example: str, text: str
) -> None:
    assert broken_rule({"number": example}, text) == (
        "not_a_number",
        f"expected a number written like {example}",
    )


def test_what_is_a_number_already_stays_one() -> None:
    assert made({"number": "1.234,56"}, [1.5, 2, Decimal("3.5")]) == [
        Decimal("1.5"),
        2,
        Decimal("3.5"),
    ]


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=2))
def test_italian_numbers_keep_their_value(number: Decimal) -> None:
    written = f"{number:,.2f}".translate(str.maketrans(",.", ".,"))
    assert re.fullmatch(r"-?[\d.]+,\d\d", written)
    assert [Decimal(value) for value in made({"number": "1.234,56"}, [written])] == [number]
