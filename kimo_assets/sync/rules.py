"""Business rules that decide who sees what."""

from psycopg import Connection


def business_rules(connection: Connection) -> dict[str, str]:
    """The rules an ERP has set (entity BusinessRuleFromErp), by folded key."""
    rows = connection.execute(
        'SELECT "Key", "Value" FROM kimo."BusinessRuleFromErp" WHERE _archived_load IS NULL AND "Key" IS NOT NULL'
    )
    return {key.casefold(): value or "" for key, value in rows}
