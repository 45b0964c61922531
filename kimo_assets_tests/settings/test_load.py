"""kimo settings load: whole tables in place of those that are there, or one sentence for each thing
that is wrong.
"""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from kimo_assets.catalog import load_console
from kimo_assets.errors import ConfigError
from kimo_assets.settings import (
    LoadedSettings,
    TableChanges,
    as_yaml,
    load_settings,
    read_settings,
    stored_tables,
)
from kimo_assets_tests.settings.conftest import FULL
from kimo_assets_tests.support.company import World

Load = Callable[[str], LoadedSettings]
Written = Callable[[str], Path]

ROLE = "Role: {R: {Name: R, RoleTypeId: SalesAgent}}\n"


def test_a_file_fills_the_tables_of_its_sections(company: World, load: Load) -> None:
    loaded = load(FULL)
    assert {name: changes.inserted for name, changes in loaded.tables.items()} == {
        "BusinessRule": 2,
        "Role": 2,
        "NumbersRegistry": 1,
        "Layout": 1,
        "User": 3,
        "UserRole": 4,
        "DocumentType": 1,
        "ConsoleFreeLookup": 3,
        "ErpStatus": 2,
        "EntityMetadata": 1,
        "FieldMetadata": 1,
        "DefaultValue": 2,
    }
    assert loaded.warnings == []
    assert company.rows(
        'SELECT "Id", "UserName", "UserTypeId", "WarehouseId", "Archived" FROM kimo."User" ORDER'
        " BY 1"
    ) == [
        ("007", "null", 0, None, False),
        ("anna", "anna", 1, "W1", False),
        ("anna2", "anna2", 1, "W2", False),
    ]
    assert company.rows(
        'SELECT "Context", "ValueId", "Description" FROM kimo."ConsoleFreeLookup" ORDER BY 1, 2'
    ) == [
        ("", "A", "Alta"),
        ("", "B", None),
        ("X", "A", "Altra"),
    ]
    assert (
        company.value('SELECT "Value" FROM kimo."DefaultValue" WHERE "Entity" = \'Document\'')
        == "${Account.PaymentMethodId}"
    )


def test_the_same_again_changes_nothing_and_a_change_is_one(load: Load) -> None:
    load(FULL)
    again = load(FULL)
    assert all(
        changes == TableChanges(unchanged=changes.unchanged) for changes in again.tables.values()
    )
    changed = load("BusinessRule: {ErpDocument\\FilterPerUser: 1, New: x}")
    assert changed.tables == {"BusinessRule": TableChanges(inserted=1, changed=1, removed=1)}


def test_only_the_sections_of_the_file_are_touched_and_an_empty_one_empties_its_table(
    company: World, load: Load
) -> None:
    load(FULL)
    assert load("DefaultValue: {}").tables == {"DefaultValue": TableChanges(removed=2)}
    assert company.value('SELECT count(*) FROM kimo."DefaultValue"') == 0
    assert company.value('SELECT count(*) FROM kimo."User"') == 3


def test_users_that_are_left_out_are_archived_and_come_back(company: World, load: Load) -> None:
    load(FULL)
    only_anna = "User: {anna: {UserName: anna, UserTypeId: SalesAgent, SalesAgentId: A1}}\n"
    assert load(only_anna).tables["User"] == TableChanges(changed=1, archived=2)
    assert load(only_anna).tables["User"] == TableChanges(unchanged=3)
    assert company.rows('SELECT "Id" FROM kimo."User" WHERE "Archived" ORDER BY 1') == [
        ("007",),
        ("anna2",),
    ]
    assert load(FULL).tables["User"] == TableChanges(changed=3)
    assert company.rows('SELECT "Id" FROM kimo."User" WHERE "Archived"') == []


def test_a_user_without_a_role_is_a_warning_and_so_is_an_agents_user_without_an_agent(
    load: Load,
) -> None:
    loaded = load(
        "User:\n  u: {UserName: u, UserTypeId: SalesAgent}\n  gone: {UserName: x, UserTypeId: 0,"
        " Archived: true}"
    )
    assert [warning.partition("settings.yaml, ")[2] for warning in loaded.warnings] == [
        "line 2: User.u: has no role: can log in, and finds no function",
        "line 2: User.u: is of type SalesAgent without a SalesAgentId: gets no data",
    ]


@pytest.mark.parametrize(
    "text", [FULL, "Layout: {A: {Definition: ' #x: [\"'}, 'true': {}, '~': {Description: 'null'}}"]
)
def test_what_is_written_as_yaml_loads_as_exactly_that(
    company: World, load: Load, written: Written, text: str
) -> None:
    load(text)
    with company.database.connect() as connection:
        before = stored_tables(connection, load_console())
    assert read_settings(written(as_yaml(before))).tables == before
    loaded = load(as_yaml(before))
    assert all(
        changes == TableChanges(unchanged=changes.unchanged) for changes in loaded.tables.values()
    )


def test_a_written_file_says_codes_by_name_and_nothing_of_what_is_empty(
    company: World, load: Load
) -> None:
    load("User: {u: {UserName: u, UserTypeId: 1, SalesAgentId: A1}}\nUserRole: {}")
    with company.database.connect() as connection:
        text = as_yaml(stored_tables(connection, ["User"]))
    assert (
        text == "User:\n  u:\n    UserName: u\n    UserTypeId: SalesAgent\n    SalesAgentId: A1\n"
    )


def test_a_load_that_breaks_off_in_the_middle_leaves_everything_as_it_was(
    company: World, load: Load
) -> None:
    """The last table of the file cannot be written: nothing of the first ones stays."""
    load(FULL)
    company.execute(
        "CREATE FUNCTION ops.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk"
        ' full\'; END $$; CREATE TRIGGER refuse BEFORE INSERT ON kimo."SaleType" FOR EACH'
        " STATEMENT EXECUTE FUNCTION ops.refuse()"
    )
    try:
        with pytest.raises(psycopg.Error, match="disk full"):
            load("BusinessRule: {}\nSaleType: {V: {Mode: Normal}}")
    finally:
        company.execute("DROP FUNCTION ops.refuse CASCADE")
    assert company.value('SELECT count(*) FROM kimo."BusinessRule"') == 2


FAULTS = {
    "unknown section": ("Rolls: {}", "line 1: Rolls: there is no such section. Did you mean Role?"),
    "far from any section": ("Xyz: {}", "There are: BusinessRule, ServerSetting"),
    "empty section": ("\nRole:", "line 2: Role: the section is empty"),
    "section of another shape": ("Role: [A]", "Role: expected rows by their Id"),
    "list for a row": ("Role: {A: [x]}", "Role.A: expected its columns, {Name: ...}, got a list"),
    "table for a value": (
        "BusinessRule: {A: {B: c}}",
        "BusinessRule.A: expected one value for Value, got a table",
    ),
    "no list of roles": ("UserRole: {u: R}", "UserRole.u: expected a list, the RoleId of each"),
    "unknown column": (
        "Role:\n  A:\n    Nme: x",
        "line 3: Role.A.Nme: Role has no column 'Nme'. Did you mean Name?",
    ),
    "duplicate key": (
        "Role:\n  A: {}\n  A: {}",
        "line 3: Role.A: this key is there twice. Keep one",
    ),
    "duplicate in a list": (
        ROLE + "UserRole: {u: [R, R]}",
        "UserRole.u.1: this row is there twice; keep one",
    ),
    "duplicate section": ("Role: {}\nRole: {}", "line 2: Role: this key is there twice"),
    "not a number": (
        "SaleType: {V: {Mode: 0, SortPriority: first}}",
        "SortPriority: expected a whole number, got 'first'",
    ),
    "too large a number": (
        "SaleType: {V: {Mode: 0, SortPriority: 3000000000}}",
        "expected a whole number",
    ),
    "not a flag": (
        "Role: {A: {Name: a, RoleTypeId: 0, CanSeeAccounts: si}}",
        "expected true or false, got 'si'",
    ),
    "unknown code": (
        "SaleType: {V: {Mode: Normale}}",
        "V.Mode: there is no 'Normale' here. Did you mean Normal or",
    ),
    "code that is not listed": ("SaleType: {V: {Mode: 9}}", "Expected Normal, TotalFreeSample,"),
    "too long a text": (
        f"Role: {{{'x' * 51}: {{Name: a, RoleTypeId: 0}}}}",
        "at most 50 characters, got 51",
    ),
    "half a character": ('Layout: {A: {Description: "\\uD800"}}', "NUL or half a character"),
    "NUL": ('Layout: {A: {Description: "\\0"}}', "NUL or half a character"),
    "missing column": ("Role: {A: {Name: a}}", "Role.A: RoleTypeId is required and is not there"),
    "empty key": ("Layout: {'': {Description: x}}", "its Id is empty"),
    "open secret": (
        "BusinessRule: {Api\\GoogleMapKeys: AIza}",
        "a secret does not stand in a file: write ${NAME}",
    ),
    "not YAML": ("Role: {A: [", "not valid YAML"),
    "not sections": ("- Role", "expected sections such as"),
    "empty file": ("# nothing\n", "is empty. Expected sections: BusinessRule"),
    "unknown agent": (
        "User:\n  u:\n    UserName: u\n    UserTypeId: 1\n    SalesAgentId: A3\n",
        (
            "line 5: User.u.SalesAgentId: there is no SalesAgent 'A3' among the imported ones, and"
            " only these can be chosen. They are A1, A2."
        ),
    ),
    "unknown warehouse": (
        "User: {u: {UserName: u, UserTypeId: 1, WarehouseId: Q}}",
        "there is no Warehouse 'Q'",
    ),
    "unknown role": (
        "User: {u: {UserName: u, UserTypeId: 0}}\nUserRole: {u: [CAPPO]}",
        "UserRole.u.0: there is no Role 'CAPPO'",
    ),
    "role of nobody": (ROLE + "UserRole: {nobody: [R]}", "there is no User 'nobody'"),
    "unknown entity": (
        "EntityMetadata: {P: {Entity: Acount}}",
        "'Acount' is not an entity. Did you mean Account or",
    ),
    "unknown field": (
        "DefaultValue: {Account: {Nmae: x}}",
        "Account has no field 'Nmae'. Did you mean Name or",
    ),
    "unknown field of metadata": (
        "EntityMetadata: {P: {Entity: Account}}\nFieldMetadata: {P: {Nmae: {}}}",
        "FieldMetadata.P.Nmae: Account has no field 'Nmae'",
    ),
    "unknown kind of status": ("ErpStatus: {Acount1: {A: x}}", "there is no such kind of status"),
}


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_one_sentence_with_its_place_and_nothing_is_loaded(
    company: World, load: Load, text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(text)
    assert said in str(raised.value)
    assert "settings.yaml" in str(raised.value)
    for name in load_console():
        assert company.rows(f'SELECT * FROM kimo."{name}"') == []


def test_a_section_that_points_nowhere_keeps_the_others_out_too(company: World, load: Load) -> None:
    load(FULL)
    with pytest.raises(ConfigError):
        load("BusinessRule: {A: b}\nUserRole: {anna: [CAPPO]}")
    assert company.value('SELECT count(*) FROM kimo."BusinessRule"') == 2


def test_everything_that_is_wrong_is_said_at_once(load: Load) -> None:
    with pytest.raises(ConfigError) as raised:
        load("SaleType: {A: {Mode: x}, B: {Mode: y}}\nRols: {}")
    assert str(raised.value).count("settings.yaml, line") == 3


def test_before_the_first_import_a_user_with_an_agent_is_told_to_import_first(
    world: World, written: Written
) -> None:
    settings = read_settings(written("User: {u: {UserName: u, UserTypeId: 1, SalesAgentId: A1}}"))
    with (
        world.database.connect() as connection,
        pytest.raises(ConfigError, match="No SalesAgent is imported yet"),
    ):
        load_settings(connection, settings)


def test_an_agent_that_an_import_has_archived_can_no_longer_be_chosen(
    company: World, load: Load
) -> None:
    company.erp(SalesAgent=[{"Id": "A2"}])
    company.done(1, 2)
    with pytest.raises(ConfigError, match="no SalesAgent 'A1'"):
        load("User: {u: {UserName: u, UserTypeId: 1, SalesAgentId: A1}}")
    load("User: {u: {UserName: u, UserTypeId: 1, SalesAgentId: A1, Archived: true}}")


def test_a_role_in_use_cannot_vanish(company: World, load: Load) -> None:
    load(FULL)
    with pytest.raises(ConfigError) as raised:
        load("Role: {AGENTE: {Name: Agente, RoleTypeId: 0}}")
    assert "Role: 'CAPO' is left out and in use, by UserRole 007, anna: keep it" in str(
        raised.value
    )
    assert "by EntityMetadata P" in str(raised.value)
    assert company.value('SELECT count(*) FROM kimo."Role"') == 2
    load(
        "Role: {AGENTE: {Name: Agente, RoleTypeId: 0}}\nUserRole: {anna: [AGENTE]}\nEntityMetadata:"
        " {}\nFieldMetadata: {}"
    )
    assert company.rows('SELECT "Id" FROM kimo."Role"') == [("AGENTE",)]
