"""Business rules: what the ERP and the console say, as one."""

from psycopg import Connection


def business_rules(connection: Connection) -> dict[str, str]:
    """The rules as they hold, by folded key."""
    return {key: value or "" for key, (_, value) in rules_in_force(connection).items()}


def rules_in_force(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """Folded key -> the key as it is written, and its value.

    What the ERP sets (entity BusinessRuleFromErp) prevails over the console's BusinessRule; a row
    of the ERP's without a value sets nothing.
    """
    rows = connection.execute(
        'SELECT "Key", "Value" FROM kimo."BusinessRule" ORDER BY "Key"'
    ).fetchall()
    rows += connection.execute(
        'SELECT "Key", "Value" FROM kimo."BusinessRuleFromErp" '
        'WHERE _archived_load IS NULL AND "Key" IS NOT NULL ORDER BY "Id"'
    ).fetchall()
    rules: dict[str, tuple[str, str | None]] = {}
    for key, value in rows:
        if value or key.casefold() not in rules:
            rules[key.casefold()] = (key, value)
    return rules
