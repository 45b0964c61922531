"""Tables that Kimo makes itself: they follow what they are about, and agents get them with it."""

from typing import Any

import pytest
from psycopg import Connection

from kimo_assets.catalog import load_catalog
from kimo_assets.geocoding import positions
from kimo_assets.images import references
from kimo_assets.reports import PublishedEntity
from kimo_assets_tests.support.company import World, agents, ids, links

_ADDRESS = {"AddressLine": "Via Roma 1", "AddressPostCode": "20100", "AddressCity": "Milano"}
_WRITTEN = "Via Roma 1\x1f20100\x1fMilano\x1f\x1f"


@pytest.fixture
def pictured(world: World) -> World:
    """Two items with a picture each, one more from a URL; the pictures are public, but for that of
    B.
    """
    world.erp(
        SalesAgent=agents("1", "2"),
        Item=ids("A", "B"),
        ItemImage=[
            {"Id": "1", "ItemId": "A", "FilePath": "a.jpg"},
            {"Id": "2", "ItemId": "B", "FilePath": "b.jpg"},
        ],
        ItemUrl=[
            {"Id": "9", "ItemId": "A", "Url": "https://host/c.jpg", "UrlTypeId": 1},
            {"Id": "8", "ItemId": "A", "Url": "https://host/d.pdf", "UrlTypeId": 4},
        ],
    )
    world.entities = {"SalesAgent": {}, "Item": {}, "ItemImage": {}, "ItemUrl": {}}
    world.done(1, 2)
    with world.database.connect() as connection:
        _picture(connection, "/photos/a.jpg", "images/aa/a.jpg", ("ItemImage", "a.jpg"))
        _picture(connection, "/photos/b.jpg", None, ("ItemImage", "b.jpg"))
        _picture(
            connection, "https://host/c.jpg", "images/cc/c.jpg", ("ItemUrl", "https://host/c.jpg")
        )
        _picture(
            connection, "https://host/d.pdf", "images/dd/d.jpg", ("ItemUrl", "https://host/d.pdf")
        )
    return world


def _picture(connection: Connection, source: str, path: str | None, name: tuple[str, str]) -> None:
    connection.execute(
        "INSERT INTO ops.picture (source, status, path, thumbnail_path, width, height, bytes,"
        " media_type) VALUES (%s, %s, %s, %s, 100, 80, 1234, 'image/jpeg')",
        [source, "ok" if path else "failed", path, path and path.replace("images", "thumbnails")],
    )
    connection.execute(
        "INSERT INTO ops.picture_name (entity, written, source) VALUES (%s, %s, %s)",
        [*name, source],
    )


_IMAGES = 'SELECT EntityType, EntityId, Path, ThumbnailPath FROM "PublicImage" ORDER BY Id'
_OF_A = ("ItemImage", "1", "images/aa/a.jpg", "thumbnails/aa/a.jpg")
_OF_URL = ("ItemUrl", "9", "images/cc/c.jpg", "thumbnails/cc/c.jpg")


def test_agents_get_the_names_of_public_pictures_with_the_rows_that_show_them(
    pictured: World,
) -> None:
    report = pictured.done(3)
    made = report.steps[3].entities["PublicImage"]
    assert isinstance(made, PublishedEntity)
    assert made.rows == 2
    assert pictured.received("1", _IMAGES) == [_OF_A, _OF_URL]
    assert pictured.received("2", _IMAGES) == [_OF_A, _OF_URL]


def test_a_picture_that_changes_comes_with_the_next_step_3_and_goes_with_its_row(
    pictured: World,
) -> None:
    pictured.done(3)
    assert pictured.done(3).steps[3].entities["PublicImage"].status == "unchanged"
    with pictured.database.connect() as connection:
        connection.execute(
            "UPDATE ops.picture SET path = 'images/a2/a.jpg' WHERE source = '/photos/a.jpg'"
        )
    pictured.done(3)
    assert [row[2] for row in pictured.received("1", _IMAGES)] == [
        "images/a2/a.jpg",
        "images/cc/c.jpg",
    ]
    pictured.erp(ItemImage=[{"Id": "2", "ItemId": "B", "FilePath": "b.jpg"}])
    pictured.done()
    assert pictured.received("1", _IMAGES) == [_OF_URL]
    pictured.erp(ItemImage=[{"Id": "1", "ItemId": "A", "FilePath": "a.jpg"}])
    pictured.done()
    assert len(pictured.received("1", _IMAGES)) == 2


def test_a_restricted_step_3_prepares_what_is_made_about_the_named_entities_alone(
    pictured: World,
) -> None:
    assert set(pictured.done(3, entities=["Item"], only_listed=True).steps[3].entities) == {"Item"}
    assert set(pictured.done(3, entities=["ItemUrl"], only_listed=True).steps[3].entities) == {
        "ItemUrl",
        "PublicImage",
    }


def test_an_agent_sees_no_picture_of_a_row_that_is_hidden_from_them(pictured: World) -> None:
    pictured.erp(
        Promotion=ids("P"), PromotionImage=[{"Id": "7", "PromotionId": "P", "FilePath": "p.jpg"}]
    )
    pictured.entities |= {"Promotion": {}, "PromotionImage": {}, "PromotionFilter": {}}
    pictured.erp(PromotionFilter=[{"Id": "F", "PromotionId": "P", "SalesAgentId": "1"}])
    with pictured.database.connect() as connection:
        _picture(connection, "/photos/p.jpg", "images/pp/p.jpg", ("PromotionImage", "p.jpg"))
    pictured.done()
    seen = {
        agent: pictured.received(agent, 'SELECT EntityId FROM "PublicImage" ORDER BY Id')
        for agent in "12"
    }
    promotion = {
        agent: pictured.received(agent, 'SELECT Id FROM "PromotionImage"') for agent in "12"
    }
    assert {agent: ("7",) in rows for agent, rows in seen.items()} == {
        a: rows == [("7",)] for a, rows in promotion.items()
    }
    assert ("7",) in seen["1"]


# --- coordinates
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def customers(world: World) -> World:
    """Agent 1 has customer A, agent 2 the others; A and B live at one address, which is found, C (a
    prospect) too.
    """
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=[
            {"Id": "A", "AccountTypeId": 1, **_ADDRESS},
            {"Id": "B", "AccountTypeId": 2, **_ADDRESS},
            {"Id": "C", "AccountTypeId": 3, **_ADDRESS},
        ],
        SalesAgentPerAccount=links("SalesAgentId", "AccountId", "1 A", "2 B", "2 C"),
    )
    world.entities = {"SalesAgent": {}, "Account": {}, "SalesAgentPerAccount": {}}
    world.done(1, 2)
    with world.database.connect() as connection:
        connection.execute(
            "INSERT INTO ops.address VALUES (%s, 'Via Roma 1, 20100 Milano')", [_WRITTEN]
        )
        connection.execute(
            "INSERT INTO ops.geocode (query, status, latitude, longitude, location_type,"
            " partial_match, place_id) VALUES ('Via Roma 1, 20100 Milano', 'OK', 45.4642, 9.19,"
            " 'ROOFTOP', false, 'place')"
        )
    return world


_POSITIONS = (
    'SELECT EntityId, Latitude, Longitude, LocationType, Origin FROM "EntityGeoposition" ORDER BY'
    " EntityId"
)


def _sent(world: World, agent: str) -> list[tuple[Any, ...]]:
    return [
        (key, float(lat), float(lng), *rest)
        for key, lat, lng, *rest in world.received(agent, _POSITIONS)
    ]


def test_agents_get_the_coordinates_of_their_customers_and_of_nobody_elses(
    customers: World,
) -> None:
    customers.done(3)
    assert _sent(customers, "1") == [("A", 45.4642, 9.19, "ROOFTOP", 1)]
    assert _sent(customers, "2") == [("B", 45.4642, 9.19, "ROOFTOP", 1)]


def test_a_customer_whose_address_has_changed_has_no_position_until_it_is_asked_for(
    customers: World,
) -> None:
    customers.done(3)
    moved = {"Id": "A", "AccountTypeId": 1, **_ADDRESS, "AddressLine": "Via Verdi 2"}
    customers.erp(Account=[moved, {"Id": "B", "AccountTypeId": 2, **_ADDRESS}])
    customers.done()
    assert _sent(customers, "1") == []
    assert [row[0] for row in _sent(customers, "2")] == ["B"]


def test_a_position_that_a_person_has_set_stays_and_stands_alone(customers: World) -> None:
    customers.done(3)
    with customers.database.connect() as connection:
        connection.execute(
            'INSERT INTO kimo."EntityGeoposition" ("Id", "EntityType", "EntityId", "Latitude",'
            " \"Longitude\", \"Origin\", _changed_load) VALUES ('own', 'Account', 'A', 1, 2, 2,"
            " (SELECT max(load) + 1 FROM ops.load))"
        )
    customers.done(3)
    customers.done(3)
    assert _sent(customers, "1") == [("A", 1.0, 2.0, None, 2)]
    assert customers.rows(
        'SELECT "Id" FROM kimo."EntityGeoposition" WHERE _archived_load IS NULL ORDER BY 1'
    ) == [
        ("Account|B",),
        ("own",),
    ]


def test_bringing_up_to_date_touches_only_what_differs(customers: World) -> None:
    customers.done(3)
    before = customers.rows('SELECT "Id", _changed_load FROM kimo."EntityGeoposition" ORDER BY 1')
    with customers.database.connect() as connection, connection.transaction():
        assert positions.refresh(connection, 99) == 0
        assert references.refresh(connection, 99) == 0
    assert (
        customers.rows('SELECT "Id", _changed_load FROM kimo."EntityGeoposition" ORDER BY 1')
        == before
    )
    with customers.database.connect() as connection, connection.transaction():
        connection.execute("UPDATE ops.geocode SET latitude = 45.5")
        assert positions.refresh(connection, 99) == 2


def test_what_kimo_makes_names_entities_and_cannot_be_mapped() -> None:
    catalog = load_catalog()
    assert {entity.direction for entity in catalog.derived.values()} == {"made"}
    assert {name for entity in catalog.derived.values() for name in entity.follows} <= set(
        catalog.entities
    )
    assert not set(catalog.derived) & set(catalog.entities)
    assert catalog.derived_about(["ItemImage", "Zone"]) == ["PublicImage"]
    assert catalog.derived_about(["Zone"]) == []
