"""The catalogue's types, references and agent scopes in words: for `kimo entities` and `kimo why`.

The sentences themselves stand in kimo_assets/texts/catalog.py.
"""

from collections.abc import Iterator

from kimo_assets.catalog import scopes
from kimo_assets.catalog.model import Field, Reference
from kimo_assets.texts import say


def describe_type(field: Field) -> str:
    """E.g. `text(50)`, `code of a list`, `date and time`."""
    match field.type:
        case "text":
            return f"text({field.size})" if field.size else "text"
        case "enum" if field.is_open_enum:
            return say("catalog.type.code")
        case "enum" if field.flags:
            return say("catalog.type.flags")
        case "enum":
            return say("catalog.type.code_of_list")
        case _:
            return say(f"catalog.type.{field.type}")


def describe_reference(field: Field) -> str:
    """What the value points to, '' for nothing."""
    if field.references:
        return _reference_in_words(field.references)
    if field.references_by:
        targets = [f"{code}={name}" for code, name in field.references_by.targets.items()]
        return say(
            "catalog.reference_by_type",
            column=field.references_by.type_column,
            targets=", ".join(targets),
        )
    if field.console_reference:
        return say("catalog.reference_console", target=field.console_reference.target)
    return ""


def _reference_in_words(reference: Reference) -> str:
    target = reference.target
    if reference.column != "Id":
        target = f"{target}.{reference.column}"
    if reference.soft:
        return say("catalog.reference_not_enforced", target=target)
    return target


def describe_scope(scope: scopes.Scope) -> list[str]:
    """Which agents get a row, one rule a line. The parts of a rule are indented below it."""
    return list(_lines(scope))


def _lines(scope: scopes.Scope) -> Iterator[str]:
    """One line a rule, headings before the rules that they join."""
    match scope:
        case scopes.AnyOf():
            yield f"{_sentence(scope)}:"
            yield from _nested(*scope.rules)
            if scope.filters:
                yield f"{say('catalog.and_only_if')}:"
                yield from _nested(*scope.filters)
        case scopes.AllOf():
            yield f"{_sentence(scope)}:"
            yield from _nested(*scope.rules)
        case scopes.ByBusinessRule():
            yield f"{_sentence(scope)}:"
            for value, mode in scope.modes.items():
                first, *rest = _lines(mode)
                yield f"  {value}: {first}"
                yield from (f"     {line}" for line in rest)
        case _:
            rule = scope_in_words(scope)
            yield say("catalog.fallback", rule=rule) if scope.optional else rule


def _nested(*rules: scopes.Scope) -> Iterator[str]:
    for rule in rules:
        first, *rest = _lines(rule)
        yield f"  - {first}"
        yield from (f"    {line}" for line in rest)


def scope_in_words(scope: scopes.Scope) -> str:
    """The agents that one scope lets see a row, without the scopes nested in it."""
    rule = _sentence(scope)
    if getattr(scope, "blank", None):
        return say("catalog.blank", rule=rule)
    return rule


def _sentence(scope: scopes.Scope) -> str:
    """The sentence of the scope's kind, filled with the scope's own values."""
    values = dict(scope)
    for name in ("everyone_columns", "agent_sources"):
        values[name] = ", ".join(values.get(name, ()))
    conditions = [_condition(column, codes) for column, codes in values.get("when", {}).items()]
    values["when"] = say("catalog.and").join(conditions)
    return say(f"catalog.scope.{_kind(scope)}", **values)


def _kind(scope: scopes.Scope) -> str:
    """The scope's kind, or the variant of it that has a sentence of its own."""
    match scope:
        case scopes.AgentColumn() if scope.everyone_columns:
            return "agent_column_partly_public"
        case scopes.ViaAccount() if scope.when:
            return "via_account_when"
        case scopes.ViaParent() if scope.parent_agent_column:
            return "via_parent_agent"
        case scopes.ViaTrademark() if scope.enabled_by_rule:
            return "via_trademark_by_rule"
        case _:
            return scope.kind


def _condition(column: str, codes: tuple[str, ...]) -> str:
    return say("catalog.condition", column=column, codes=say("catalog.or").join(codes))
