"""How one line of the catalogue's YAML describes a field.

Id: text(50)                         characters, `text` alone is unlimited
Discount1: dec                       also: int, bool, date, dt (date and time)
EntityStatus: enum EntityStatus      codes from the entity's `enums` or from enums.yaml
LockedFields: flags LockedFields     codes that add up (a bit mask)
ChannelsEnabled: enum open           the vendor lists no codes
AccountId: text(50) -> Account       a reference, to Id unless a column is named
BankCab: text(5) ~> BankAgency.Cab with Abi=BankAbi
                                     soft: not enforced. `with` target's column=our column
FreeLookup1: text(50) -> FreeLookup.ValueId where Entity=Account, FieldIndex=1
SourceItemId: text(50) -> Item unless AssociationType=4
EncodingKey: text(50) by EncodingType 01=CustomerGroup, 04=Account
ErpStatusId1: text(50) -> console ErpStatus where Entity=Account, Index=1
                                     kept in the admin console
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from kimo_assets.catalog.model import Field, FieldType, Reference, TypedReference
from kimo_assets.errors import ContractError
from kimo_assets.texts import say

_LINE = re.compile(r"(?P<type>(?:enum|flags) \w+|\w+(?:\(\d+\))?)(?: (?P<rest>.+))?$")
# Only a text has a size.
_TYPE = re.compile(r"(?P<type>text|dec|int|bool|date|dt)(?:(?<=text)\((?P<size>[1-9]\d*)\))?$")
_REFERENCE = re.compile(
    r"(?P<arrow>->|~>) (?P<console>console )?(?P<target>\w+)(?:\.(?P<column>\w+))?"
    r"(?: with (?P<keys>.+?))?(?: where (?P<const>.+?))?(?: unless (?P<unless>.+))?$"
)
_TYPED_REFERENCE = re.compile(r"by (?P<column>\w+) (?P<targets>.+)$")


def parse_field(name: str, line: str, enums: Mapping[str, Mapping[str, str]]) -> Field:
    """The field that a line of the notation describes. Raises: ContractError naming the line."""
    match = _LINE.match(line)
    if not match:
        raise ContractError(say("catalog.unreadable_field", field=name, line=line))
    field = _typed(name, line, match["type"], enums)
    return replace(field, **_reference(name, match["rest"]))


def _typed(name: str, line: str, written: str, enums: Mapping[str, Mapping[str, str]]) -> Field:
    """The field with its type, without what it points to."""
    kind = written.partition(" ")[0]
    if kind in ("enum", "flags"):
        return Field(name, "enum", codes=_codes(name, line, written, enums), flags=kind == "flags")
    match = _TYPE.match(kind)
    if not match:
        raise ContractError(say("catalog.unknown_type", field=name, line=line))
    size = int(match["size"]) if match["size"] else None
    return Field(name, cast(FieldType, match["type"]), size)


def _codes(
    name: str, line: str, written: str, enums: Mapping[str, Mapping[str, str]]
) -> Mapping[str, str]:
    """The codes of an enum or of flags. None for an open enum, of which the vendor lists none."""
    kind, _, enum = written.partition(" ")
    if (kind, enum) == ("enum", "open"):
        return {}
    if enum not in enums:
        raise ContractError(say("catalog.no_codes", field=name, enum=enum, line=line))
    return enums[enum]


def _reference(name: str, text: str | None) -> dict[str, Any]:
    """What the field points to, by the attribute of Field that holds it."""
    if not text:
        return {}
    if match := _TYPED_REFERENCE.match(text):
        targets = _pairs(name, match["targets"])
        return {"references_by": TypedReference(match["column"], targets)}
    match = _REFERENCE.match(text)
    if not match:
        raise ContractError(say("catalog.unreadable_reference", field=name, text=text))
    exceptions = _pairs(name, match["unless"])
    reference = Reference(
        target=match["target"],
        column=match["column"] or "Id",
        soft=match["arrow"] == "~>",
        keys=_pairs(name, match["keys"]),
        const=_pairs(name, match["const"]),
        unless={column: tuple(codes.split("|")) for column, codes in exceptions.items()},
    )
    return {"console_reference" if match["console"] else "references": reference}


def _pairs(name: str, text: str | None) -> dict[str, str]:
    """`A=B, C=D` as a mapping. Raises: ContractError when a side is missing."""
    if not text:
        return {}
    pairs = [part.partition("=") for part in re.split(r", ?", text)]
    if not all(left and right for left, _, right in pairs):
        raise ContractError(say("catalog.no_pair", field=name, text=text))
    return {left: right for left, _, right in pairs}
