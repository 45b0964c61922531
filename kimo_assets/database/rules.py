"""Business rules: those of the ERP and those of the console, merged."""

from psycopg import Connection


def business_rules(connection: Connection) -> dict[str, str]:
    """Folded key -> value of the rules in force."""
    return {key: value or "" for key, (_, value) in rules_in_force(connection).items()}


def rules_in_force(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """Folded key -> the key as it is written, and its value.

    The ERP's rules (entity BusinessRuleFromErp) win over the console's (BusinessRule). A row of the
    ERP without a value sets nothing.
    """
    rows = connection.execute(
        'SELECT "Key", "Value" FROM kimo."BusinessRule" ORDER BY "Key"'
    ).fetchall()
    rows += connection.execute(
        """
        SELECT "Key", "Value" FROM kimo."BusinessRuleFromErp"
        WHERE _archived_load IS NULL AND "Key" IS NOT NULL ORDER BY "Id"
        """
    ).fetchall()
    rules: dict[str, tuple[str, str | None]] = {}
    for key, value in rows:
        if value or key.casefold() not in rules:
            rules[key.casefold()] = (key, value)
    return rules
