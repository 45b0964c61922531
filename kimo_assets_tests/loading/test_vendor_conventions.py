"""What an integrator who knows the vendor's machine expects of entities that are special there
(fact sheet, section 8).
"""

from typing import Any

from kimo_assets_tests.support.company import World, ids, links, rules


def step_2(world: World, entity: str, **options: Any) -> Any:
    return world.done(1, 2, **options).steps[2].entities[entity]


def loaded(world: World, entity: str, column: str = "Id") -> list[Any]:
    rows = world.rows(
        f'SELECT "{column}" FROM kimo."{entity}" WHERE _archived_load IS NULL ORDER BY "Id"'
    )
    return [value for (value,) in rows]


# --- ErpStatus
# --------------------------------------------------------------------------------------------------


STATUSES = {"Account1": {"A": "Attivo", "B": "Bloccato"}}


def test_a_status_without_a_decoding_entry_refuses_its_row_and_not_the_load(world: World) -> None:
    world.settings = {"erp_statuses": STATUSES}
    world.erp(
        Account=[
            {"Id": "1", "ErpStatusId1": "A"},
            {"Id": "2", "ErpStatusId1": "Z"},
            {"Id": "3", "ErpStatusId1": ""},
            {"Id": "4", "ErpStatusId2": "Z"},
        ]
    )
    assert step_2(world, "Account").refused == 1
    assert loaded(world, "Account") == ["1", "3", "4"]
    assert world.rows("SELECT step, rule, field, source_key, value FROM ops.rejected_row") == [
        (2, "unknown_erp_status", "ErpStatusId1", "2", "Z")
    ]


def test_a_kind_of_status_that_nobody_decodes_refuses_nothing(world: World) -> None:
    world.erp(Account=[{"Id": "1", "ErpStatusId1": "Z"}])
    assert step_2(world, "Account").refused == 0


def test_an_entry_that_is_added_lets_the_row_in_though_the_snapshot_is_the_same(
    world: World,
) -> None:
    world.settings = {"erp_statuses": STATUSES}
    world.erp(Account=[{"Id": "1", "ErpStatusId1": "A"}, {"Id": "2", "ErpStatusId1": "Z"}])
    world.done(1, 2)
    world.settings = {"erp_statuses": {"Account1": STATUSES["Account1"] | {"Z": "Zombie"}}}
    report = world.done(1, 2)
    assert report.steps[1].entities["Account"].status == "unchanged"
    assert loaded(world, "Account") == ["1", "2"]
    assert world.rejected("Account") == []


def test_a_row_that_breaks_two_rules_is_kept_once(world: World) -> None:
    world.settings = {
        "erp_statuses": {"ErpDocumentLine1": {"A": "Aperta"}, "ErpDocumentLine2": {"A": "Aperta"}}
    }
    world.erp(
        ErpDocument=ids("D"),
        ErpDocumentLine=[
            {"Id": "1", "ErpDocumentId": "gone", "ErpStatusId1": "Z", "ErpStatusId2": "Z"},
            {"Id": "2", "ErpDocumentId": "D", "ErpStatusId1": "Z", "ErpStatusId2": "Z"},
            {"Id": "3", "ErpDocumentId": "D", "ErpStatusId1": "A"},
        ],
    )
    assert step_2(world, "ErpDocumentLine").refused == 2
    assert loaded(world, "ErpDocumentLine") == ["3"]
    assert world.rows("SELECT rule, source_key FROM ops.rejected_row ORDER BY 2") == [
        ("missing_owner", "1"),
        ("unknown_erp_status", "2"),
    ]


# --- FreeLookup, BusinessRuleFromErp, variants
# -----------------------------------------------------------------


def test_a_free_lookup_counts_only_for_the_entity_and_the_field_it_was_made_for(
    world: World,
) -> None:
    world.erp(
        FreeLookup=[
            {
                "Id": "1",
                "Entity": "Item",
                "FieldIndex": 1,
                "ValueId": "RED",
                "Description": "Rosso",
            },
            {
                "Id": "2",
                "Entity": "Account",
                "FieldIndex": 1,
                "ValueId": "BLUE",
                "Description": "Blu",
            },
        ],
        Item=[
            {"Id": "I", "FreeLookup1": "RED"},
            {"Id": "J", "FreeLookup1": "BLUE"},
            {"Id": "K", "FreeLookup2": "RED"},
        ],
    )
    assert step_2(world, "Item").dangling == {"FreeLookup1": 1, "FreeLookup2": 1}
    assert world.rows(
        "SELECT field, samples FROM ops.reference_check WHERE dangling > 0 ORDER BY 1"
    ) == [
        ("FreeLookup1", ["BLUE"]),
        ("FreeLookup2", ["RED"]),
    ]


def test_the_erp_sets_business_rules_and_the_payloads_follow_them(world: World) -> None:
    world.erp(
        SalesAgent=ids("1", "2"),
        SalesAgentPerAccount=links("SalesAgentId", "AccountId", "1 A", "2 A"),
        Account=ids("A"),
        ErpDocument=[{"Id": "D", "AccountId": "A", "SalesAgentId": "1"}],
        BusinessRuleFromErp=rules(ErpDocument__FilterPerUser="1"),
    )
    world.done()
    assert world.seen("ErpDocument") == {"1": "D", "2": ""}
    world.erp(BusinessRuleFromErp=rules(ErpDocument__FilterPerUser="0"))
    world.done()
    assert world.seen("ErpDocument") == {"1": "D", "2": "D"}


def test_a_variant_is_a_part_of_its_model_and_its_values_must_be_there(world: World) -> None:
    world.erp(
        Item=[{"Id": "SHOE", "ItemType": 3}],
        Variable=ids("COLOUR", "SIZE"),
        VariableValue=links("VariableId", "ValueId", "COLOUR RED", "SIZE 42"),
        ItemVariable=[
            {"ModelItemId": "SHOE", "VariableItemId": "1", **variant("COLOUR RED", "SIZE 42")},
            {"ModelItemId": "BOOT", "VariableItemId": "2", **variant("COLOUR RED", "SIZE 42")},
            {"ModelItemId": "SHOE", "VariableItemId": "3", **variant("COLOUR 42", "SIZE RED")},
        ],
    )
    report = step_2(world, "ItemVariable")
    assert report.refused == 1
    assert loaded(world, "ItemVariable") == ["SHOE|1", "SHOE|3"]
    assert report.dangling == {"VariableValueId1": 1, "VariableValueId2": 1}


def variant(first: str, second: str) -> dict[str, str]:
    (axis_1, value_1), (axis_2, value_2) = first.split(), second.split()
    return {
        "VariableId1": axis_1,
        "VariableValueId1": value_1,
        "VariableId2": axis_2,
        "VariableValueId2": value_2,
    }


# --- self references, composite keys, order
# ------------------------------------------------------------------------


def test_a_self_reference_may_point_forward_and_one_to_nowhere_is_counted(world: World) -> None:
    world.erp(
        Account=[
            {"Id": "A", "HeadOfficeId": "Z"},
            {"Id": "B", "HeadOfficeId": "gone"},
            {"Id": "Z", "HeadOfficeId": "0"},
        ]
    )
    assert step_2(world, "Account").dangling == {"HeadOfficeId": 1}
    assert loaded(world, "Account", "HeadOfficeId") == ["Z", "gone", None]


def test_the_order_of_tables_does_not_matter_within_a_load(world: World) -> None:
    world.entities = {"ItemUom": {}, "Item": {}, "ItemGroup": {}, "ItemTranslation": {}}
    world.erp(
        ItemUom=links("ItemId", "SalesUomId", "I PZ"),
        ItemTranslation=links("ItemId", "LanguageId", "I it"),
        Item=[{"Id": "I", "ItemGroupId": "G"}],
        ItemGroup=ids("G"),
    )
    report = world.done(1, 2)
    assert [
        report.steps[2].entities[name].counts()["refused"]
        for name in ("ItemUom", "ItemTranslation")
    ] == [0, 0]
    assert report.steps[2].entities["Item"].counts()["dangling"] == {}


def test_a_composite_key_derives_the_same_id_every_time(world: World) -> None:
    world.erp(SalesAgentPerAccount=links("AccountId", "SalesAgentId", "C1 A7", "C2 A7"))
    world.done(1, 2)
    first = loaded(world, "SalesAgentPerAccount")
    world.erp(SalesAgentPerAccount=links("SalesAgentId", "AccountId", "A7 C3", "A7 C2", "A7 C1"))
    report = step_2(world, "SalesAgentPerAccount")
    assert first == ["C1|A7", "C2|A7"]
    assert loaded(world, "SalesAgentPerAccount") == ["C1|A7", "C2|A7", "C3|A7"]
    assert (report.inserted, report.updated, report.archived) == (1, 0, 0)
