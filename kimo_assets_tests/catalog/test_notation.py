"""The notation of the catalogue's YAML: what a line means, and what is said of one that means
nothing.
"""

import pytest

from kimo_assets.catalog.model import Field, Reference, TypedReference
from kimo_assets.catalog.notation import parse_field
from kimo_assets.errors import ContractError

ENUMS = {
    "Level": {"0": "Standard", "4": "Silver"},
    "LockedFields": {"0": "None", "1": "Price", "2": "All"},
}


def field_of(line: str) -> Field:
    return parse_field("Some", line, ENUMS)


@pytest.mark.parametrize("kind", ["text", "dec", "int", "bool", "date", "dt"])
def test_a_bare_type_is_a_field_of_that_type(kind: str) -> None:
    assert field_of(kind) == Field("Some", kind)  # type: ignore[arg-type]


def test_text_may_have_a_size() -> None:
    assert field_of("text(50)") == Field("Some", "text", 50)


def test_an_enum_takes_its_codes_from_the_named_list() -> None:
    found = field_of("enum Level")
    assert found == Field("Some", "enum", codes=ENUMS["Level"])
    assert not found.is_open_enum


def test_an_open_enum_has_no_codes() -> None:
    found = field_of("enum open")
    assert found == Field("Some", "enum")
    assert found.is_open_enum


def test_flags_are_an_enum_whose_codes_add_up() -> None:
    assert field_of("flags LockedFields") == Field(
        "Some", "enum", codes=ENUMS["LockedFields"], flags=True
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("text(50) -> Account", Reference("Account")),
        ("text(5) ~> Bank.Abi", Reference("Bank", "Abi", soft=True)),
        (
            "text(5) ~> BankAgency.Cab with Abi=BankAbi",
            Reference("BankAgency", "Cab", soft=True, keys={"Abi": "BankAbi"}),
        ),
        (
            "text(50) -> ItemGroup.Level3Id with Level1Id=A, Level2Id=B",
            Reference("ItemGroup", "Level3Id", keys={"Level1Id": "A", "Level2Id": "B"}),
        ),
        (
            "text(50) -> FreeLookup.ValueId where Entity=Account, FieldIndex=1",
            Reference("FreeLookup", "ValueId", const={"Entity": "Account", "FieldIndex": "1"}),
        ),
        (
            "text(50) -> Item unless AssociationType=4|5",
            Reference("Item", unless={"AssociationType": ("4", "5")}),
        ),
        (
            "text(50) -> Thing.Code with A=B where C=1 unless D=2",
            Reference("Thing", "Code", keys={"A": "B"}, const={"C": "1"}, unless={"D": ("2",)}),
        ),
    ],
)
def test_an_arrow_is_a_reference(line: str, expected: Reference) -> None:
    found = field_of(line)
    assert found.references == expected
    assert found.is_key
    assert (found.references_by, found.console_reference) == (None, None)


def test_a_console_reference_points_to_what_is_not_imported() -> None:
    found = field_of("text(50) -> console ErpStatus where Entity=Account, Index=1")
    assert found.console_reference == Reference(
        "ErpStatus", const={"Entity": "Account", "Index": "1"}
    )
    assert found.references is None
    assert found.is_key


def test_a_typed_reference_depends_on_the_code_in_another_column() -> None:
    found = field_of("text(50) by EncodingType 01=CustomerGroup, 05-Exclusive=SalesAgent")
    assert found.references_by == TypedReference(
        "EncodingType", {"01": "CustomerGroup", "05-Exclusive": "SalesAgent"}
    )
    assert found.references is None
    assert found.is_key


def test_an_enum_may_be_a_reference_too() -> None:
    found = field_of("enum Level -> Thing")
    assert (found.type, found.references) == ("enum", Reference("Thing"))


def test_a_field_without_a_reference_is_no_key() -> None:
    assert not field_of("text(50)").is_key


@pytest.mark.parametrize(
    "line",
    [
        "",
        "txt(50)",
        "text(fifty)",
        "text(50",
        "float",
        "text(50) > Account",
        "text(50) ->",
        "text(50) -> Account.",
        "text(50) Account",
        "text(50) by EncodingType",
        "enum",
        "enum Unknown",
        "flags open",
        "int(4)",
        "text(0)",
        "text(50) -> Bank with Abi",
        "text(50) by Type 1=",
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_field(line: str) -> None:
    with pytest.raises(ContractError, match="catalogue: field Some: "):
        field_of(line)
