"""The catalogue as data: what it names exists, and PostgreSQL makes of it exactly what it says."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql
from pydantic import BaseModel

from kimo_assets.catalog import Entity, Field, load_catalog, load_console
from kimo_assets.catalog.scopes import Scope
from kimo_assets.errors import UnknownEntityError

CATALOG = load_catalog()
DATA = files("kimo_assets.catalog") / "data"
ENTITIES = list(CATALOG.entities.values())
FIELDS = [(entity, field) for entity in ENTITIES for field in entity.fields.values()]

# The manual lists no codes for these (fact sheet, section 15).
OPEN_ENUMS = {
    "Document.FulfillmentStatus",
    "DocumentLine.FulfillmentStatus",
    "DocumentLine.SourceReferenceType",
    "ErpDocumentLine.SourceReferenceType",
    "Item.ChannelsEnabled",
    "NonStockItem.ChannelsEnabled",
    "ReceivableInstallment.SourceDocumentFamilyId",
    "SalesControl.ChannelsEnabled",
    "SalesControlLine.MessageVerbosityLevel",
    "SalesControlLine.SeverityLevel",
}

# Kept in the admin console: they are no entities.
CONSOLE_ENTITIES = {
    "DocumentType",
    "ErpDocumentType",
    "ErpStatus",
    "NumbersRegistry",
    "ReassortmentType",
    "SaleType",
    "User",
}

by_entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)


def _label(entity: Entity, field: Field) -> str:
    return f"{entity.name}.{field.name}"


# --- What there is
# ------------------------------------------------------------------------------------------


def test_there_are_171_entities_with_2688_fields_and_611_references() -> None:
    assert len(ENTITIES) == 171
    assert len(FIELDS) == 2688
    assert sum(field.references is not None for _, field in FIELDS) == 611
    assert sum(field.references_by is not None for _, field in FIELDS) == 18
    assert sum(field.console_reference is not None for _, field in FIELDS) == 47


def test_every_category_is_a_file_that_holds_exactly_its_entities() -> None:
    on_disk = {
        file.name.removesuffix(".yaml"): set(yaml.safe_load(file.read_text(encoding="utf-8")))
        for file in DATA.iterdir()
        if file.name.endswith(".yaml")
        and file.name not in ("console.yaml", "enums.yaml", "derived.yaml")
    }
    in_catalogue: dict[str, set[str]] = {}
    for entity in ENTITIES:
        in_catalogue.setdefault(entity.category, set()).add(entity.name)
    assert in_catalogue == on_disk
    assert sum(len(names) for names in on_disk.values()) == 171, "an entity stands in two files"


def test_every_shared_enum_is_used() -> None:
    shared = yaml.safe_load((DATA / "enums.yaml").read_text(encoding="utf-8"))
    known = {frozenset(str(code) for code in codes) for codes in shared.values()}
    used = {frozenset(field.codes) for _, field in FIELDS}
    assert known <= used


def test_documents_are_only_exported_and_edited_entities_go_both_ways() -> None:
    assert {e.name for e in ENTITIES if e.direction == "export"} == {"Document", "DocumentLine"}
    both = {entity.name for entity in ENTITIES if entity.direction == "import+export"}
    assert {"Account", "Activity", "Contact", "Opportunity", "Rma"} <= both
    assert {e.name for e in ENTITIES if e.is_held_while_pending} == {
        entity.name for entity in ENTITIES if "EntityStatus" in entity.fields
    } - {"Document"}


# --- Keys
# --------------------------------------------------------------------------------------------------


@by_entity
def test_keys_name_fields_of_the_entity(entity: Entity) -> None:
    keys = [entity.primary_key, *entity.unique_keys]
    assert all(keys), "a key without a field"
    assert {name for key in keys for name in key} <= set(entity.fields)
    assert all(len(set(key)) == len(key) for key in keys)


@by_entity
def test_every_entity_has_an_id_of_50_characters(entity: Entity) -> None:
    assert entity.fields["Id"].type == "text"
    assert entity.fields["Id"].size == 50


def test_only_item_cross_reference_has_another_primary_key_than_id() -> None:
    assert {entity.name for entity in ENTITIES if entity.primary_key != ("Id",)} == {
        "ItemCrossReference"
    }


# --- References
# ---------------------------------------------------------------------------------------------


@by_entity
def test_every_reference_names_an_entity_and_columns_on_both_sides(entity: Entity) -> None:
    for field in entity.fields.values():
        reference = field.references
        if reference is None:
            continue
        label = f"{_label(entity, field)} -> {reference.target}"
        assert reference.target in CATALOG.entities, label
        target = CATALOG[reference.target]
        assert {reference.column, *reference.keys, *reference.const} <= set(target.fields), label
        assert {*reference.keys.values(), *reference.unless} <= set(entity.fields), label
        for column, codes in reference.unless.items():
            assert set(codes) <= set(entity.fields[column].codes), label
        for column, value in reference.const.items():
            assert _could_hold(target.fields[column], value), f"{label}: {column}={value}"


def _could_hold(field: Field, value: str) -> bool:
    match field.type:
        case "int":
            return value.isdigit()
        case "enum":
            return field.is_open_enum or value in field.codes
        case "text":
            return field.size is None or len(value) <= field.size
        case _:
            return False


@by_entity
def test_a_reference_to_another_column_than_id_is_part_of_a_key_there(entity: Entity) -> None:
    for field in entity.fields.values():
        reference = field.references
        if reference is None or reference.soft or reference.column == "Id":
            continue
        target = CATALOG[reference.target]
        assert any(reference.column in key for key in target.unique_keys), _label(entity, field)


@by_entity
def test_every_typed_reference_names_a_type_column_its_codes_and_entities(entity: Entity) -> None:
    for field in entity.fields.values():
        typed = field.references_by
        if typed is None:
            continue
        type_column = entity.fields[typed.type_column]
        assert set(typed.targets.values()) <= set(CATALOG.entities), _label(entity, field)
        assert all(_could_hold(type_column, code) for code in typed.targets), _label(entity, field)


def test_console_references_name_console_entities() -> None:
    targets = {field.console_reference.target for _, field in FIELDS if field.console_reference}
    assert targets == CONSOLE_ENTITIES
    assert not targets & set(CATALOG.entities)


def test_a_field_has_one_kind_of_reference_at_most() -> None:
    for entity, field in FIELDS:
        kinds = [field.references, field.references_by, field.console_reference]
        assert sum(kind is not None for kind in kinds) == int(field.is_key), _label(entity, field)


def test_hard_references_make_no_cycle_but_an_entity_may_point_to_itself() -> None:
    to_itself = {
        _label(entity, field)
        for entity, field in FIELDS
        if field.references and not field.references.soft and field.references.target == entity.name
    }
    assert to_itself == {
        "Account.HeadOfficeId",
        "DocumentLine.ParentLineId",
        "ErpDocumentLine.ParentLineId",
        "ItemSpecificationGroup.ParentGroupId",
    }
    # load_order is a topological sort: graphlib.CycleError names a cycle if there is one.
    assert sorted(CATALOG.load_order) == sorted(CATALOG.all)


# --- Enums
# --------------------------------------------------------------------------------------------------


def test_every_enum_has_codes_except_the_ten_that_the_manual_leaves_open() -> None:
    assert {_label(entity, field) for entity, field in FIELDS if field.is_open_enum} == OPEN_ENUMS


def test_codes_are_whole_numbers_with_names_and_only_enums_have_them() -> None:
    for entity, field in FIELDS:
        assert field.type == "enum" or not (field.codes or field.flags), _label(entity, field)
        for code, name in field.codes.items():
            assert code == str(int(code)), _label(entity, field)
            assert name, _label(entity, field)


def test_codes_of_flags_are_bits() -> None:
    flags = [(entity, field) for entity, field in FIELDS if field.flags]
    assert {_label(entity, field) for entity, field in flags} >= {"ItemListPrice.LockedFields"}
    for entity, field in flags:
        assert all(int(code).bit_count() <= 1 for code in field.codes), _label(entity, field)


def test_only_text_has_a_size() -> None:
    assert {field.type for _, field in FIELDS if field.size is not None} == {"text"}


# --- Owners and order
# ---------------------------------------------------------------------------------------


def test_an_owner_is_named_by_a_hard_reference() -> None:
    owned = [entity for entity in ENTITIES if entity.owner_field]
    assert len(owned) > 50
    for entity in owned:
        assert entity.owner_field in entity.hard_references, entity.name
        assert entity.owner != entity.name, entity.name


@by_entity
def test_owners_end_in_an_entity_that_nobody_owns(entity: Entity) -> None:
    seen = [entity.name]
    while owner := CATALOG[seen[-1]].owner:
        assert owner not in seen, " -> ".join([*seen, owner])
        seen.append(owner)


@by_entity
def test_each_entity_loads_after_what_its_hard_references_point_to(entity: Entity) -> None:
    place = {name: i for i, name in enumerate(CATALOG.load_order)}
    for reference in entity.hard_references.values():
        if reference.target != entity.name:
            assert place[reference.target] < place[entity.name], reference.target


def test_a_choice_keeps_the_load_order_and_loses_duplicates() -> None:
    chosen = CATALOG.in_load_order(["ErpDocumentLine", "Item", "Language", "ErpDocument", "Item"])
    assert sorted(chosen) == ["ErpDocument", "ErpDocumentLine", "Item", "Language"]
    assert chosen.index("ErpDocument") < chosen.index("ErpDocumentLine")
    assert chosen.index("Item") < chosen.index("ErpDocumentLine")


def test_linked_entities_are_the_lookups_the_owned_rows_and_the_lookups_of_those() -> None:
    linked = CATALOG.linked(["Item"])
    assert {"Item", "Manufacturer", "VatRate", "ItemUom", "ItemTranslation", "Language"} <= linked
    assert {"VisibilityFilterPerItem", "VisibilityFilter"} <= linked
    assert not {"ItemListPrice", "ErpDocument", "Account", "SalesAgent"} & linked


def test_what_points_to_an_entity_without_being_its_part_is_not_linked_to_it() -> None:
    assert CATALOG.linked(["Language"]) == {"Language"}
    assert "Account" not in CATALOG.linked(["SalesAgent"])
    assert "ErpDocumentLine" in CATALOG.linked(["ErpDocument"])
    assert "ErpDocument" in CATALOG.linked(["ErpDocumentLine"])


@by_entity
def test_linked_entities_miss_no_hard_reference(entity: Entity) -> None:
    linked = CATALOG.linked([entity.name])
    assert set(CATALOG.owned_by(entity.name)) <= linked
    for name in linked:
        assert {r.target for r in CATALOG[name].hard_references.values()} <= linked, name


def test_an_unknown_entity_is_named_with_the_nearest_one() -> None:
    with pytest.raises(
        UnknownEntityError, match=r"'Acount' is not an entity of the catalogue\. Did you mean"
    ) as raised:
        CATALOG["Acount"]
    assert raised.value.suggestions[0] == "Account"


# --- Agent scopes
# -------------------------------------------------------------------------------------------

# What the value of each attribute of a scope is. A new attribute has to be put here before its test
# can pass.
_OWN_COLUMN = {"column", "type_column", "key_column"}
_OWN_COLUMNS = {"everyone_columns", "when"}
_LINK_COLUMN = {"link_column", "link_agent_column", "filter_column", "included_column"}
_ENTITY = {"link", "agent_link", "parent"}
_PLAIN = {
    "kind",
    "basis",
    "optional",
    "blank",
    "other_types",
    "no_rows",
    "channel",
    "rule",
    "enabled_by_rule",
}
_NESTED = {"rules", "filters", "modes"}
_CHECKED_APART = {"default", "parent_agent_column", "agent_sources", "account_types", "agent_types"}

# The entity that `column` points to, by kind.
_POINTS_TO = {
    "via_account": "Account",
    "via_item": "Item",
    "via_warehouse": "Warehouse",
    "via_trademark": "Trademark",
}


def _scopes(scope: Any) -> Iterator[Scope]:
    """The scope itself and all that are nested in it, wherever its model keeps them."""
    if isinstance(scope, BaseModel):
        yield scope  # type: ignore[misc]
        for name in type(scope).model_fields:
            yield from _scopes(getattr(scope, name))
    elif isinstance(scope, dict):
        for value in scope.values():
            yield from _scopes(value)
    elif isinstance(scope, tuple):
        for value in scope:
            yield from _scopes(value)


@by_entity
def test_every_name_in_an_agent_scope_exists(entity: Entity) -> None:
    for scope in _scopes(entity.scope):
        for name in type(scope).model_fields:
            _check_attribute(entity, scope, name, getattr(scope, name))


def _check_attribute(entity: Entity, scope: Scope, name: str, value: Any) -> None:
    where = f"{entity.name}: {scope.kind}.{name} = {value!r}"
    if value is None or name in _PLAIN | _NESTED | _CHECKED_APART:
        return
    if name in _OWN_COLUMN:
        assert value in entity.fields, where
    elif name in _OWN_COLUMNS:
        assert set(value) <= set(entity.fields), where
    elif name in _ENTITY:
        assert value in CATALOG.entities, where
    elif name in _LINK_COLUMN:
        assert value in CATALOG[scope.link].fields, where  # type: ignore[union-attr]
    else:
        pytest.fail(f"{where}: say above what this attribute names")


@by_entity
def test_a_scope_goes_through_columns_that_point_where_its_kind_says(entity: Entity) -> None:
    for scope in _scopes(entity.scope):
        if scope.kind in _POINTS_TO:
            reference = entity.fields[scope.column].references
            assert reference is not None, scope
            assert reference.target == _POINTS_TO[scope.kind], scope
        if scope.kind == "agent_column":
            assert _names_an_agent(entity, scope.column), scope
        if scope.kind == "via_account":
            for column, codes in scope.when.items():
                assert set(codes) <= set(entity.fields[column].codes), scope
        if scope.kind == "via_parent":
            reference = entity.fields[scope.column].references
            assert reference is not None, scope
            assert (reference.target, reference.column) == (scope.parent, "Id"), scope
            if scope.parent_agent_column:
                assert _names_an_agent(CATALOG[scope.parent], scope.parent_agent_column), scope


def _names_an_agent(entity: Entity, column: str) -> bool:
    """Whether the column holds an agent; an activity's assignee is a console user, who stands for
    one.
    """
    reference = entity.fields[column].references or entity.fields[column].console_reference
    return (entity.name, column) == ("SalesAgent", "Id") or (
        reference is not None and reference.target in ("SalesAgent", "User")
    )


@by_entity
def test_a_link_table_points_to_the_row_and_to_the_agent(entity: Entity) -> None:
    for scope in _scopes(entity.scope):
        if scope.kind in ("via_link", "via_shared_filter", "via_promotion_filter"):
            reference = CATALOG[scope.link].fields[scope.link_column].references
            assert reference is not None, scope
            assert (reference.target, scope.column) == (entity.name, "Id"), scope
        if scope.kind == "via_link":
            assert _names_an_agent(CATALOG[scope.link], scope.link_agent_column), scope
        if scope.kind in ("via_shared_filter", "via_trademark"):
            assert _names_an_agent(CATALOG[scope.agent_link], "SalesAgentId"), scope
        if scope.kind == "via_shared_filter":
            assert scope.filter_column in CATALOG[scope.agent_link].fields, scope
        if scope.kind == "via_trademark":
            assert scope.column in CATALOG[scope.agent_link].fields, scope
        if scope.kind == "via_warehouse":
            links = [source for source in scope.agent_sources if source != "User.WarehouseId"]
            assert links == ["WarehousePerSalesAgent"], scope
            assert {"SalesAgentId", scope.column} <= set(CATALOG[links[0]].fields), scope


@by_entity
def test_encoded_keys_of_a_scope_are_typed_references(entity: Entity) -> None:
    for scope in _scopes(entity.scope):
        if scope.kind in ("via_encoded_account", "via_encoded_item"):
            typed = entity.fields[scope.key_column].references_by
            assert typed is not None, scope
            assert typed.type_column == scope.type_column, scope
            wanted = "Account" if scope.kind == "via_encoded_account" else "Item"
            assert typed.targets["0"] == wanted, scope
        if scope.kind == "via_promotion_filter":
            typed = CATALOG[scope.link].fields["EncodingKey"].references_by
            assert typed is not None, scope
            assert {typed.targets[code] for code in scope.agent_types} == {"SalesAgent"}, scope
            assert set(scope.account_types) | set(scope.agent_types) == set(typed.targets), scope


@by_entity
def test_a_business_rule_picks_one_of_its_modes(entity: Entity) -> None:
    for scope in _scopes(entity.scope):
        if scope.kind == "by_business_rule":
            assert scope.default in scope.modes, scope
            assert "\\" in scope.rule, scope
        if scope.kind in ("any_of", "all_of"):
            assert scope.rules, scope


def test_every_kind_of_scope_is_used() -> None:
    used = {scope.kind for entity in ENTITIES for scope in _scopes(entity.scope)}
    assert len(used) == 18


def test_scopes_do_not_depend_on_each_other_in_a_circle() -> None:
    """Visible with the account, the item, the parent: the path must end, but for an account's head
    office.
    """
    edges = {
        e.name: {t for scope in _scopes(e.scope) for t in _depends_on(scope)} for e in ENTITIES
    }
    edges["Account"].discard("Account")
    open_, done = set[str](), set[str]()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in open_, " -> ".join([*path, name])
        if name in done:
            return
        open_.add(name)
        for target in edges[name]:
            visit(target, (*path, name))
        open_.discard(name)
        done.add(name)

    for name in edges:
        visit(name, ())


def _depends_on(scope: Scope) -> list[str]:
    match scope.kind:
        case "via_account" | "via_encoded_account":
            return ["Account"]
        case "via_item" | "via_encoded_item":
            return ["Item"]
        case "via_parent":
            return [scope.parent]
        case _:
            return []


# --- In a real PostgreSQL
# -----------------------------------------------------------------------------------

_TYPES = {
    "dec": ("numeric", "dec"),
    "int": ("integer", None),
    "bool": ("boolean", None),
    "date": ("date", "day"),
    "dt": ("timestamp without time zone", "moment"),
}


@pytest.fixture(scope="module")
def kimo_columns(database) -> dict[str, dict[str, tuple[str, str | None, int | None]]]:  # type: ignore[no-untyped-def]
    """Table -> column -> data type, domain, characters."""
    found: dict[str, dict[str, tuple[str, str | None, int | None]]] = {}
    with database.connect() as connection:
        for table, column, *kind in connection.execute(
            "SELECT table_name, column_name, data_type, domain_name, character_maximum_length "
            "FROM information_schema.columns WHERE table_schema = 'kimo'"
        ):
            found.setdefault(table, {})[column] = tuple(kind)
    return found


@by_entity
def test_the_kimo_table_has_every_field_with_its_type(entity: Entity, kimo_columns) -> None:  # type: ignore[no-untyped-def]
    columns = kimo_columns[entity.name]
    assert {name for name in columns if not name.startswith("_")} == set(entity.fields)
    for field in entity.fields.values():
        assert columns[field.name] == _expected_column(field, columns), field.name


def _expected_column(field: Field, columns: dict[str, Any]) -> tuple[str, str | None, int | None]:
    if field.name == "Id":
        return "character varying", "key", 50
    if field.type == "text":
        return (
            ("text", None, None) if field.size is None else ("character varying", None, field.size)
        )
    if field.is_open_enum:
        return "character varying", None, 50
    if field.type == "enum":
        # Which codes the domain admits is another test's; here that there is one.
        domain = columns[field.name][1]
        assert domain is not None, field.name
        assert domain.startswith("flags_" if field.flags else "enum_"), field.name
        return "integer", domain, None
    kind, domain = _TYPES[field.type]
    return kind, domain, None


def test_there_is_a_kimo_table_for_each_entity_and_of_the_consoles_and_no_other(
    kimo_columns,
) -> None:  # type: ignore[no-untyped-def]
    assert set(kimo_columns) == set(CATALOG.all) | set(load_console())


def test_every_listed_code_is_admitted_and_every_other_refused(database, kimo_columns) -> None:  # type: ignore[no-untyped-def]
    with database.connect() as connection:
        admitted: dict[str, set[int]] = {}
        for entity, field in FIELDS:
            if field.type != "enum" or field.is_open_enum:
                continue
            domain = kimo_columns[entity.name][field.name][1]
            if domain not in admitted:
                listed = {int(code) for code in field.codes}
                tried = set(range(-3, 300)) | listed | {code + 1 for code in listed}
                admitted[domain] = {value for value in tried if _admits(connection, domain, value)}
            assert admitted[domain] == _expected_codes(field), _label(entity, field)


def _expected_codes(field: Field) -> set[int]:
    codes = {int(code) for code in field.codes}
    if not field.flags:
        return codes
    return {value for value in range(300) if value | sum(codes) == sum(codes)}


def _admits(connection: psycopg.Connection, domain: str, value: int) -> bool:
    row = connection.execute(
        "SELECT pg_input_is_valid(%s, %s)", [str(value), f'ops."{domain}"']
    ).fetchone()
    return row == (True,)


def test_a_sum_of_flags_is_stored_and_a_bit_without_a_meaning_refused(
    connection: psycopg.Connection,
) -> None:
    insert = sql.SQL('INSERT INTO kimo."ItemListPrice" ("Id", "LockedFields") VALUES (%s, %s)')
    with connection.transaction(force_rollback=True):
        connection.execute(insert, ["all", 127])
        connection.execute(insert, ["price and discounts", 3])
        with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute(insert, ["unknown", 128])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("UnitPrice", "NaN"),
        ("UnitPrice", "Infinity"),
        ("UnitPrice", "12,50"),
        ("StartDate", "infinity"),
        ("StartDate", "1998-02-30"),
        ("Priority", "1.5"),
        ("PriceListType", "x" * 51),
        ("FreeBoolean1", "maybe"),
        ("IgnoreDiscounts", "2"),
    ],
)
def test_a_value_that_its_field_cannot_hold_is_refused(
    connection: psycopg.Connection, column: str, value: str
) -> None:
    insert = sql.SQL('INSERT INTO kimo."ItemListPrice" ("Id", {}) VALUES (%s, %s)').format(
        sql.Identifier(column)
    )
    with pytest.raises((psycopg.DataError, psycopg.IntegrityError)), connection.transaction():
        connection.execute(insert, ["refused", value])


def test_a_row_without_an_id_is_refused(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        connection.execute('INSERT INTO kimo."Language" ("Description") VALUES (\'nobody\')')
