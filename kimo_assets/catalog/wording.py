"""Agent scopes and types of the catalogue in words, for people who read `kimo entities` or the
docs.
"""

from collections.abc import Iterator

from kimo_assets.catalog import scopes
from kimo_assets.catalog.model import Field


def describe_type(field: Field) -> str:
    """E.g. `text(50)`, `enum 0-3`, `date and time`."""
    names = {"dec": "number", "int": "whole number", "bool": "flag", "dt": "date and time"}
    match field.type:
        case "text":
            return f"text({field.size})" if field.size else "text"
        case "enum" if field.is_open_enum:
            return "code"
        case "enum":
            return "codes that add up" if field.flags else "code of a list"
        case _:
            return names.get(field.type, field.type)


def describe_reference(field: Field) -> str:
    """What the value points to, '' for nothing."""
    if field.references:
        reference = field.references
        target = (
            reference.target
            if reference.column == "Id"
            else f"{reference.target}.{reference.column}"
        )
        return f"{target} (not enforced)" if reference.soft else target
    if field.references_by:
        targets = ", ".join(f"{code}={name}" for code, name in field.references_by.targets.items())
        return f"by {field.references_by.type_column}: {targets}"
    if field.console_reference:
        return f"{field.console_reference.target} (console)"
    return ""


def describe_scope(scope: scopes.Scope) -> list[str]:
    """Which agents get a row, a rule a line; what a line rests on is indented below it."""
    return list(_lines(scope))


def _lines(scope: scopes.Scope) -> Iterator[str]:
    match scope:
        case scopes.AnyOf():
            yield "any of these:"
            yield from _nested(*scope.rules)
            if scope.filters:
                yield "and only if:"
                yield from _nested(*scope.filters)
        case scopes.AllOf():
            yield "all of these:"
            yield from _nested(*scope.rules)
        case scopes.ByBusinessRule():
            yield f"as the business rule {scope.rule} says (not set: {scope.default}):"
            for value, mode in scope.modes.items():
                first, *rest = _lines(mode)
                yield f"  {value}: {first}"
                yield from (f"     {line}" for line in rest)
        case _:
            fallback = "; asked only where the other rules name no agent" if scope.optional else ""
            yield scope_in_words(scope) + fallback


def _nested(*rules: scopes.Scope) -> Iterator[str]:
    for rule in rules:
        first, *rest = _lines(rule)
        yield f"  - {first}"
        yield from (f"    {line}" for line in rest)


def _blank(scope: scopes.Scope) -> str:
    return "; every agent where it is empty" if getattr(scope, "blank", None) else ""


def scope_in_words(scope: scopes.Scope) -> str:
    """Whom one scope lets see a row, without what is nested in it."""
    return _sentence(scope) + _blank(scope)


def _sentence(scope: scopes.Scope) -> str:
    match scope:
        case scopes.Everyone():
            return "every agent"
        case scopes.Nobody():
            return "no agent"
        case scopes.AgentColumn(column=column, everyone_columns=()):
            return f"the agent in {column}"
        case scopes.AgentColumn():
            public = ", ".join(scope.everyone_columns)
            return f"every agent sees {public}; the whole row only the agent in {scope.column}"
        case scopes.ViaAccount():
            when = [f"{column} is {' or '.join(codes)}" for column, codes in scope.when.items()]
            return f"who sees the account in {scope.column}" + (
                f", if {' and '.join(when)}" if when else ""
            )
        case scopes.ViaItem():
            return f"who sees the item in {scope.column}"
        case scopes.ViaParent(parent_agent_column=None):
            return f"who sees the {scope.parent} in {scope.column}"
        case scopes.ViaParent():
            return (
                f"the agent whom the {scope.parent} in {scope.column} names as"
                f" {scope.parent_agent_column}"
            )
        case scopes.ViaWarehouse():
            return (
                f"whose warehouse is the one in {scope.column} (by"
                f" {', '.join(scope.agent_sources)})"
            )
        case scopes.ViaTrademark():
            enabled = (
                f", if the business rule {scope.enabled_by_rule} is on"
                if scope.enabled_by_rule
                else ""
            )
            return f"who has the trademark in {scope.column} (by {scope.agent_link}){enabled}"
        case scopes.ViaLink():
            return f"whom {scope.link} names for {scope.column}"
        case scopes.ViaSharedFilter():
            return (
                f"who shares a filter of {scope.link} with {scope.column} (by {scope.agent_link})"
            )
        case _:
            return _encoded_sentence(scope)


def _encoded_sentence(scope: scopes.Scope) -> str:
    match scope:
        case scopes.ViaEncodedAccount() | scopes.ViaEncodedItem():
            what = "account" if isinstance(scope, scopes.ViaEncodedAccount) else "item"
            return (
                f"who sees an {what} that {scope.type_column} and {scope.key_column} mean; "
                "every agent for types that mean none"
            )
        case scopes.ViaPromotionFilter():
            included = f"whom {scope.link} includes for {scope.column}, by account or agent"
            return f"{included}; every agent without such rows"
        case scopes.Channel():
            return f"every agent, if {scope.column} admits the channel {scope.channel}"
        case scopes.ViaEntityReference():
            return f"who sees the row that {scope.type_column} and {scope.key_column} name"
        case _:
            return scope.kind
