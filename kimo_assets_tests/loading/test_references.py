"""References that point nowhere are counted and sampled, per field, and never stop a load."""

from typing import Any

from kimo_assets_tests.support.company import World, ids


def dangling(world: World, entity: str) -> dict[str, int]:
    found: dict[str, int] = world.done(1, 2).steps[2].entities[entity].counts()["dangling"]
    return found


def samples(world: World, entity: str, field: str) -> Any:
    return world.value(
        "SELECT samples FROM ops.reference_check WHERE entity = %s AND field = %s", entity, field
    )


def test_rows_that_point_nowhere_are_counted_and_their_values_sampled_most_frequent_first(
    world: World,
) -> None:
    world.erp(
        PaymentMethod=ids("P1"),
        Account=[
            *ids("A", "B", PaymentMethodId="P1"),
            *ids("C", "D", "E", PaymentMethodId="P9"),
            *ids("F", PaymentMethodId="P8"),
            *ids("G", PaymentMethodId=""),
        ],
    )
    assert dangling(world, "Account") == {"PaymentMethodId": 4}
    assert samples(world, "Account", "PaymentMethodId") == ["P9", "P8"]


def test_at_most_five_values_are_sampled(world: World) -> None:
    world.erp(
        PaymentMethod=ids("P"),
        Account=[{"Id": f"A{n}", "PaymentMethodId": f"X{n}"} for n in range(9)],
    )
    assert dangling(world, "Account") == {"PaymentMethodId": 9}
    assert samples(world, "Account", "PaymentMethodId") == ["X0", "X1", "X2", "X3", "X4"]


def test_a_reference_to_an_entity_that_is_not_imported_is_not_counted(world: World) -> None:
    world.erp(Account=ids("A", PaymentMethodId="P"))
    assert dangling(world, "Account") == {}


def test_the_count_follows_either_end(world: World) -> None:
    world.erp(PaymentMethod=ids("P1", "P2"), Account=ids("A", PaymentMethodId="P1"))
    assert dangling(world, "Account") == {}
    world.erp(PaymentMethod=ids("P2"))
    assert dangling(world, "Account") == {"PaymentMethodId": 1}
    assert dangling(world, "Account") == {"PaymentMethodId": 1}  # nothing changed: the count stays
    world.erp(Account=ids("A", PaymentMethodId="P2"))
    assert dangling(world, "Account") == {}


def test_a_reference_into_its_own_entity_is_followed(world: World) -> None:
    world.erp(Account=[*ids("A"), *ids("B", HeadOfficeId="A"), *ids("C", HeadOfficeId="X")])
    assert dangling(world, "Account") == {"HeadOfficeId": 1}


def test_a_composite_reference_must_match_in_every_part(world: World) -> None:
    world.erp(
        ItemGroup=[
            {"Id": "1", "Level1Id": "food"},
            {"Id": "2", "Level1Id": "food", "Level2Id": "bread"},
            {"Id": "3", "Level1Id": "drink", "Level2Id": "wine"},
        ],
        Item=[
            {"Id": "I1", "ItemGroupLevel1Id": "food", "ItemGroupLevel2Id": "bread"},
            {"Id": "I2", "ItemGroupLevel1Id": "food", "ItemGroupLevel2Id": "wine"},
            {"Id": "I3", "ItemGroupLevel1Id": "tools"},
        ],
    )
    assert dangling(world, "Item") == {"ItemGroupLevel1Id": 1, "ItemGroupLevel2Id": 1}
    assert samples(world, "Item", "ItemGroupLevel2Id") == ["wine"]


def test_a_reference_with_fixed_parts_must_match_them(world: World) -> None:
    world.erp(
        FreeLookup=[
            {"Entity": "Account", "FieldIndex": 1, "ValueId": "gold"},
            {"Entity": "Account", "FieldIndex": 2, "ValueId": "red"},
            {"Entity": "Item", "FieldIndex": 1, "ValueId": "blue"},
        ],
        Account=[
            {"Id": "A", "FreeLookup1": "gold", "FreeLookup2": "red"},
            {"Id": "B", "FreeLookup1": "red"},
            {"Id": "C", "FreeLookup1": "blue"},
        ],
    )
    assert dangling(world, "Account") == {"FreeLookup1": 2}
    assert samples(world, "Account", "FreeLookup1") == ["blue", "red"]


def test_a_reference_is_not_followed_in_rows_whose_type_means_something_else(world: World) -> None:
    world.erp(
        Item=ids("I"),
        ItemAssociated=[
            {"Id": "1", "SourceItemId": "I", "AssociatedItemId": "I", "AssociationType": 1},
            {"Id": "2", "SourceItemId": "X", "AssociatedItemId": "I", "AssociationType": 1},
            {
                "Id": "3",
                "SourceItemId": "a group's name",
                "AssociatedItemId": "I",
                "AssociationType": 4,
            },
            {"Id": "4", "SourceItemId": "Y", "AssociatedItemId": "I", "AssociationType": None},
        ],
    )
    assert dangling(world, "ItemAssociated") == {"SourceItemId": 2}
    assert samples(world, "ItemAssociated", "SourceItemId") == ["X", "Y"]


def test_archived_rows_neither_dangle_nor_hold(world: World) -> None:
    world.erp(PaymentMethod=ids("P"), Account=[*ids("A"), *ids("B", PaymentMethodId="X")])
    assert dangling(world, "Account") == {"PaymentMethodId": 1}
    world.erp(Account=[{"Id": "A", "PaymentMethodId": ""}])
    assert dangling(world, "Account") == {}
