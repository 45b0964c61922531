"""How one line of the catalogue's YAML describes a field.

Id: text(50)                                          characters; `text` alone is unlimited
Discount1: dec                                        also: int, bool, date, dt (date and time)
EntityStatus: enum EntityStatus                       codes from the entity's `enums` or from
enums.yaml LockedFields: flags LockedFields                      codes that add up (a bit mask)
ChannelsEnabled: enum open                            the vendor lists no codes AccountId: text(50)
-> Account                        a reference; to Id unless a column is named BankCab: text(5) ~>
BankAgency.Cab with Abi=BankAbi   soft: nobody enforces it; `with` target's column=ours FreeLookup1:
text(50) -> FreeLookup.ValueId where Entity=Account, FieldIndex=1 SourceItemId: text(50) -> Item
unless AssociationType=4 EncodingKey: text(50) by EncodingType 01=CustomerGroup, 04=Account
ErpStatusId1: text(50) -> console ErpStatus where Entity=Account, Index=1   kept in the admin
console
"""

import re
from collections.abc import Mapping

from kimo_assets.catalog.model import Field, Reference, TypedReference
from kimo_assets.errors import ContractError

_TYPE = re.compile(r"(?:(text)(?:\(([1-9]\d*)\))?|(dec|int|bool|date|dt))$")
_REFERENCE = re.compile(
    r"(?P<arrow>->|~>) (?P<console>console )?(?P<target>\w+)(?:\.(?P<column>\w+))?"
    r"(?: with (?P<keys>.+?))?(?: where (?P<const>.+?))?(?: unless (?P<unless>.+))?$"
)
_TYPED_REFERENCE = re.compile(r"by (?P<column>\w+) (?P<targets>.+)$")


def parse_field(name: str, line: str, enums: Mapping[str, Mapping[str, str]]) -> Field:
    """The field that a line of the notation describes. Raises: ContractError naming the line."""
    match = re.match(r"(?P<type>(?:enum|flags) \w+|\w+(?:\(\d+\))?)(?: (?P<rest>.+))?$", line)
    if not match:
        raise ContractError(f"catalogue: field {name}: cannot read '{line}'")
    reference, console, typed = _parse_reference(name, match["rest"])
    kind, _, enum_name = match["type"].partition(" ")
    if kind in ("enum", "flags"):
        is_open = kind == "enum" and enum_name == "open"
        if not is_open and enum_name not in enums:
            raise ContractError(
                f"catalogue: field {name}: no codes are listed for '{enum_name}' in '{line}'"
            )
        codes = {} if is_open else enums[enum_name]
        return Field(name, "enum", None, codes, kind == "flags", reference, typed, console)
    typing = _TYPE.match(kind)
    if not typing:
        raise ContractError(f"catalogue: field {name}: unknown type in '{line}'")
    size = int(typing[2]) if typing[2] else None
    return Field(name, typing[1] or typing[3], size, {}, False, reference, typed, console)  # type: ignore[arg-type]


def _parse_reference(
    name: str, text: str | None
) -> tuple[Reference | None, Reference | None, TypedReference | None]:
    if not text:
        return None, None, None
    if match := _TYPED_REFERENCE.match(text):
        return None, None, TypedReference(match["column"], _pairs(name, match["targets"]))
    match = _REFERENCE.match(text)
    if not match:
        raise ContractError(f"catalogue: field {name}: cannot read the reference '{text}'")
    unless = {
        column: tuple(codes.split("|")) for column, codes in _pairs(name, match["unless"]).items()
    }
    reference = Reference(
        match["target"],
        match["column"] or "Id",
        match["arrow"] == "~>",
        _pairs(name, match["keys"]),
        _pairs(name, match["const"]),
        unless,
    )
    return (None, reference, None) if match["console"] else (reference, None, None)


def _pairs(name: str, text: str | None) -> dict[str, str]:
    """`A=B, C=D` as a mapping."""
    pairs = [part.partition("=") for part in re.split(r", ?", text)] if text else []
    if not all(left and right for left, _, right in pairs):
        raise ContractError(f"catalogue: field {name}: expected column=value, got '{text}'")
    return {left: right for left, _, right in pairs}
