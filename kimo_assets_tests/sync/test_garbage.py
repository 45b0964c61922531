"""Objects that nobody lists leave the store after a while, and not before."""

from pathlib import Path

import pytest

from kimo_assets_tests.support.company import World, agents, ids


def objects(world: World) -> set[str]:
    return {file.name for file in (world.store / "objects").rglob("*.zst")}


def age(world: World, hours: int) -> None:
    """Lets time pass, as far as the database knows."""
    world.execute(f"UPDATE ops.unlisted_object SET since = since - interval '{hours} hours'")


@pytest.fixture
def company(world: World) -> World:
    world.erp(SalesAgent=agents("1", "2"), Zone=[{"Id": "N", "Description": "North"}])
    world.done()
    return world


def test_an_object_that_is_no_longer_listed_stays_for_the_grace_period_and_then_goes(
    company: World,
) -> None:
    before = objects(company)
    company.erp(Zone=[{"Id": "N", "Description": "Nowhere"}])
    company.done()
    assert before < objects(company)
    age(company, 47)
    company.done()
    assert before < objects(company)
    age(company, 2)
    company.done()
    assert not before <= objects(company)
    assert company.received("1", "SELECT Description FROM Zone") == [("Nowhere",)]


def test_one_that_is_listed_again_starts_anew(company: World) -> None:
    before = objects(company)
    company.erp(Zone=[{"Id": "N", "Description": "Nowhere"}])
    company.done()
    age(company, 100)
    company.erp(Zone=[{"Id": "N", "Description": "North"}])
    company.done()
    assert before <= objects(company)
    assert company.received("1", "SELECT Description FROM Zone") == [("North",)]


def test_what_somebody_else_put_among_the_objects_goes_too_and_what_is_elsewhere_stays(
    company: World,
) -> None:
    stray = company.store / "objects" / "ab" / "abandoned.csv.zst"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"half an object")
    other: Path = company.store / "README"
    other.write_text("mine")
    company.done()
    age(company, 100)
    company.done()
    assert not stray.exists()
    assert other.exists()


def test_without_a_grace_period_they_go_at_once(company: World) -> None:
    company.settings = {"sync": {"keep_unlisted_hours": 0}}
    before = objects(company)
    company.erp(Zone=ids("S"), SalesAgent=agents("1", "3"))
    company.done()
    assert not before <= objects(company)
