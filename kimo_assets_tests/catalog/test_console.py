"""The console's tables as data: what they name exists, and no name means two things."""

import pytest

from kimo_assets.catalog import ConsoleTable, load_catalog, load_console

CONSOLE = load_console()
TABLES = list(CONSOLE.values())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_and_required_columns_are_columns_that_can_be_filled(table: ConsoleTable) -> None:
    named = {*table.key, *table.required, *filter(None, [table.archived_by])}
    assert table.key
    assert named <= set(table.fields)
    assert set(table.blank_key) <= set(table.key)
    assert not any(table.fields[name].type == "bool" for name in (*table.key, *table.required))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_references_point_to_tables_of_the_console_or_to_entities(table: ConsoleTable) -> None:
    for field in table.fields.values():
        if field.console_reference:
            assert CONSOLE[field.console_reference.target].key == (field.console_reference.column,)
        if field.references:
            assert field.references.column in load_catalog()[field.references.target].fields


def test_no_table_of_the_console_has_an_entitys_name() -> None:
    assert not set(CONSOLE) & set(load_catalog().entities)


def test_every_table_that_entities_expect_in_the_console_is_there() -> None:
    fields = (
        field for entity in load_catalog().entities.values() for field in entity.fields.values()
    )
    assert {field.console_reference.target for field in fields if field.console_reference} <= set(
        CONSOLE
    )


def test_what_is_secret_or_of_other_users_is_not_published() -> None:
    assert {table.name for table in TABLES if not table.is_published} == {
        "ServerSetting",
        "User",
        "UserRole",
    }
    assert not any("password" in field.casefold() for table in TABLES for field in table.fields)
