"""A transformation in kimo.yaml: what may be written, and the one clear message that a mistake
earns.
"""

from pathlib import Path
from typing import Any

import pytest

from kimo_assets.config import KimoConfig, load_config
from kimo_assets.errors import ConfigError
from kimo_assets.transforms import INPUTS, STEPS, parse

SOURCES = "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\n"


def read(folder: Path, text: str) -> KimoConfig:
    file = folder / "kimo.yaml"
    file.write_text(SOURCES + text, encoding="utf-8")
    return load_config(file)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    return str(raised.value).replace(f"{folder}/", "")


def transforming(*lines: str) -> str:
    """A kimo.yaml whose first transformation stands on line 5."""
    return "entities:\n  Account:\n    transform:\n" + "".join(f"      {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["Name: uper"],
            (
                "line 5: entities.Account.transform.Name: there is no transformation `uper`. Did"
                " you mean `upper` or `number`?"
            ),
        ),
        (
            ["Id: stringtohash"],
            (
                "line 5: entities.Account.transform.Id: there is no transformation `stringtohash`."
                " Did you mean `StringToHash`?"
            ),
        ),
        (
            ["Name:", "  - trim", "  - uper"],
            (
                "line 7: entities.Account.transform.Name.1: there is no transformation `uper`. Did"
                " you mean `upper` or `number`?"
            ),
        ),
        (
            ["Name: xyz"],
            (
                "line 5: entities.Account.transform.Name: there is no transformation `xyz`. There"
                " are: constant, coalesce, concat, expression, StringToHash, QueryAsLong,"
                " RemovePrefix, StringToInteger, trim, upper, lower, replace, lookup, date, number."
            ),
        ),
        (
            ["Name: []"],
            (
                "line 5: entities.Account.transform.Name: expected a step or a list of steps, e.g."
                " trim"
            ),
        ),
        (
            ["Name: 5"],
            (
                "line 5: entities.Account.transform.Name: expected a step, e.g. trim or "
                "{lookup: {N: NORD, S: SUD}, default: ALTRO}"
            ),
        ),
        (
            ["Nome: trim"],
            (
                "line 5: entities.Account.transform.Nome: Account has no field 'Nome'. Did you mean"
                " Name or Notes or Name2?"
            ),
        ),
        (
            ["ZoneId:", "  lookup: {N: NORD}", "  defalt: X"],
            (
                "line 7: entities.Account.transform.ZoneId.defalt: `lookup` has no `defalt`. Did"
                " you mean `default`?"
            ),
        ),
        (
            ["ZoneId: {lookup: {N: NORD}, upper: true}"],
            (
                "line 5: entities.Account.transform.ZoneId: lookup and upper are two steps: write"
                " them as a list, one `- ` each"
            ),
        ),
        (
            ["Name: [trim, {coalesce: [A, B]}]"],
            (
                "line 5: entities.Account.transform.Name.1: `coalesce` makes a new value, so it"
                " can only be the first step"
            ),
        ),
        (
            ["Name: {trim: true}"],
            (
                "line 5: entities.Account.transform.Name.trim: `trim` takes no argument: write it"
                " without a colon"
            ),
        ),
        (
            ["ZoneId: lookup"],
            (
                "line 5: entities.Account.transform.ZoneId: `lookup` needs an argument. "
                "Expected e.g. {lookup: {N: NORD, S: SUD}, default: ALTRO}"
            ),
        ),
        (
            ["ZoneId: {lookup: [N]}"],
            (
                "line 5: entities.Account.transform.ZoneId.lookup: expected pairs. "
                "Expected e.g. {lookup: {N: NORD, S: SUD}, default: ALTRO}"
            ),
        ),
        (
            ["Phone: {coalesce: TEL1}"],
            (
                "line 5: entities.Account.transform.Phone.coalesce: expected a list of columns. "
                "Expected e.g. {coalesce: [TEL1, TEL2]}"
            ),
        ),
        (
            ["CurrencyId: {constant: }"],
            (
                "line 5: entities.Account.transform.CurrencyId.constant: expected a value. Expected"
                " e.g. {constant: EUR}"
            ),
        ),
        (
            ["CreationDate: {date: DD/MM/YYYY}"],
            (
                "line 5: entities.Account.transform.CreationDate.date: 'DD' is no part of a date"
                " here. Known: yyyy, yy, MM, M, dd, d, HH, H, hh, h, mm, m, ss, s, tt, f, ff, fff,"
                " ffff, fffff, ffffff, fffffff; quote other letters"
            ),
        ),
        (
            ["CreationDate: {date: dd/mm/yyyy}"],
            (
                "line 5: entities.Account.transform.CreationDate.date: 'dd/mm/yyyy' does not say"
                " year, month and day. Expected e.g. dd/MM/yyyy (MM month, mm minute)"
            ),
        ),
        (
            ["Discount1: {number: '1.000,00'}"],
            (
                "line 5: entities.Account.transform.Discount1.number: '1.000,00' is no example of a"
                " number. Expected 1234.56 as it is written there, e.g. 1.234,56"
            ),
        ),
        (
            ["Name: {expression: 'A ~ '}"],
            (
                "line 5: entities.Account.transform.Name.expression: the expression cannot be read:"
                " unexpected 'end of template'"
            ),
        ),
        (
            ["Name: {expression: 'A }} x {{ B'}"],
            (
                "line 5: entities.Account.transform.Name.expression: the expression cannot be read:"
                " '}}' is not expected there"
            ),
        ),
        (
            ["Name: {expression: 'A B'}"],
            (
                "line 5: entities.Account.transform.Name.expression: the expression cannot be read:"
                " 'B' is not expected there"
            ),
        ),
        (
            ["Name: {expression: 'A | titel if A else B'}"],
            (
                "line 5: entities.Account.transform.Name.expression: the expression cannot be read:"
                " there is no filter 'titel'. Did you mean title or items?"
            ),
        ),
        (
            ["Name: {expression: 'A.__class__'}"],
            (
                "line 5: entities.Account.transform.Name.expression: the expression cannot be read:"
                " '__class__' cannot be used here"
            ),
        ),
    ],
)
def test_a_mistake_is_told_with_line_key_and_what_was_expected(
    tmp_path: Path, lines: list[str], expected: str
) -> None:
    assert complaint(tmp_path, transforming(*lines)) == f"kimo.yaml, {expected}"


def test_a_mistake_in_the_second_of_several_sources_is_told_with_its_line(tmp_path: Path) -> None:
    text = "entities:\n  Zone:\n    - table: A\n    - table: B\n      transform: {Id: uper}\n"
    assert complaint(tmp_path, text).startswith(
        "kimo.yaml, line 6: entities.Zone.1.transform.Id: there is no"
    )


def test_a_column_under_fields_for_a_value_that_begins_elsewhere_is_a_contradiction(
    tmp_path: Path,
) -> None:
    text = (
        "entities:\n  Zone:\n    fields: {Description: DESCR}\n    transform: {Description:"
        " {coalesce: [A, B]}}\n"
    )
    assert (
        complaint(tmp_path, text)
        == "kimo.yaml, line 3: entities.Zone: `fields` and `transform` both say what Description"
        " begins with. Take Description out of `fields`, or write a transformation that begins"
        " with its column"
    )


@pytest.mark.parametrize("key", ["date", "datetime"])
def test_a_sources_format_is_checked_when_it_is_read(tmp_path: Path, key: str) -> None:
    file = tmp_path / "kimo.yaml"
    file.write_text(
        f"sources:\n  erp:\n    url: sqlite:///a\n    formats:\n      {key}: gg/MM/aaaa\n",
        encoding="utf-8",
    )
    with pytest.raises(
        ConfigError, match=rf"line 5: sources\.erp\.formats\.{key}: 'gg' is no part of a date here"
    ):
        load_config(file)


def test_codes_are_what_is_written_whatever_yaml_1_1_would_have_made_of_them(
    tmp_path: Path,
) -> None:
    config = read(
        tmp_path,
        transforming(
            "ZoneId: {lookup: {001: NO, 12:30: 007, SI: on, NO: y, 5: 1_0}, default: 010}",
            "Name: {constant: 0777}",
        ),
    )
    lookup = config.entities["Account"][0].transform["ZoneId"].steps[0]
    assert lookup.table == {"001": "NO", "12:30": "007", "SI": "on", "NO": "y", "5": "1_0"}  # type: ignore[attr-defined]
    assert lookup.default == "010"  # type: ignore[attr-defined]
    assert config.entities["Account"][0].transform["Name"].input.value == "0777"  # type: ignore[union-attr]


def test_settings_still_understand_yes_and_no_and_true_and_false(tmp_path: Path) -> None:
    config = read(
        tmp_path, "guards: {min_shrink_rows: 50, max_shrink: 0.5}\nhistory: {keep_loads: +5}\n"
    )
    assert (config.guards.min_shrink_rows, config.guards.max_shrink, config.history.keep_loads) == (
        50,
        0.5,
        5,
    )


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        ("trim", ("OWN",)),
        (["trim", "upper"], ("OWN",)),
        ({"constant": "EUR"}, ()),
        ({"coalesce": ["A", "B", "A"]}, ("A", "B")),
        ([{"concat": ["A", "B"]}, "StringToHash"], ("A", "B")),
        ({"expression": "A ~ b ~ B ~ row['P.IVA']"}, ("A", "b", "P.IVA")),
    ],
)
def test_a_transformation_knows_the_columns_it_reads(given: Any, columns: tuple[str, ...]) -> None:
    assert parse(given).columns("OWN") == columns


def test_every_step_is_either_an_input_or_a_step() -> None:
    assert not INPUTS.keys() & STEPS.keys()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("trim", "upper"),
        (["trim", "upper"], ["upper", "trim"]),
        ({"lookup": {"N": "1"}}, {"lookup": {"N": "2"}}),
        ({"lookup": {"N": "1"}}, {"lookup": {"N": "1"}, "default": ""}),
        ({"replace": {"a": "b", "b": "c"}}, {"replace": {"b": "c", "a": "b"}}),
        ({"concat": ["A", "B"]}, {"concat": ["A", "B"], "separator": "-"}),
        ({"constant": "1"}, {"constant": "2"}),
        ({"expression": "A"}, {"expression": "A ~ ''"}),
        ({"date": "dd/MM/yyyy"}, {"date": "MM/dd/yyyy"}),
    ],
)
def test_different_transformations_have_different_texts(one: Any, other: Any) -> None:
    assert parse(one).text != parse(other).text
    assert parse(one).text == parse(one).text
