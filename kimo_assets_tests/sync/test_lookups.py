"""The smallest company for each fault that the random histories revealed."""

from kimo_assets_tests.support.company import World, agents, ids, links
from kimo_assets_tests.sync import store_reading


def seen_in_circle(
    world: World, of_a: str | None, of_b: str | None, *linked: str
) -> dict[str, str]:
    """Who sees A and B, each the other's head office, by their reference and linked agents."""
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=[
            {"Id": "A", "AccountTypeId": 2, "HeadOfficeId": "B", "SalesAgentId": of_a},
            {"Id": "B", "AccountTypeId": 2, "HeadOfficeId": "A", "SalesAgentId": of_b},
        ],
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", *linked),
    )
    world.done()
    return world.seen("Account")


def test_a_circle_of_head_offices_is_seen_by_whom_one_is_linked_to(world: World) -> None:
    assert seen_in_circle(world, None, None, "B 2") == {"1": "", "2": "A B"}


def test_a_circle_of_head_offices_is_seen_by_the_only_reference_agent_in_it(world: World) -> None:
    assert seen_in_circle(world, "1", None) == {"1": "A B", "2": ""}


def test_in_a_circle_where_nobody_is_linked_every_reference_agent_sees_its_own(
    world: World,
) -> None:
    seen = seen_in_circle(world, "1", "2")
    assert "A" in seen["1"].split()
    assert "B" in seen["2"].split()


def test_in_a_circle_with_a_linked_agent_the_reference_agent_of_another_says_nothing(
    world: World,
) -> None:
    assert seen_in_circle(world, None, "2", "A 1") == {"1": "A B", "2": ""}


def test_in_a_circle_with_a_linked_agent_nobody_s_reference_agent_says_anything(
    world: World,
) -> None:
    assert seen_in_circle(world, "1", None, "B 2") == {"1": "", "2": "A B"}


def test_the_site_of_a_site_is_seen_however_long_the_chain(world: World) -> None:
    chain = [
        {"Id": f"S{n:02}", "AccountTypeId": 2, "HeadOfficeId": f"S{n - 1:02}" if n else None}
        for n in range(30)
    ]
    world.erp(
        SalesAgent=agents("1"),
        Account=chain,
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "S00 1"),
    )
    world.done()
    assert len(world.seen("Account")["1"].split()) == 30


def test_a_budget_can_change(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Budget=ids("b", Description="before", SalesAgentId="1"))
    world.done()
    world.erp(Budget=ids("b", Description="after", SalesAgentId="1"))
    world.done()
    assert world.received("1", "SELECT Description, EntityStatus FROM Budget") == [("after", 0)]


def keys_in_objects(world: World, agent: str, entity: str) -> set[str]:
    """The keys in all listed objects of the entity, removed ones too."""
    manifest = store_reading.manifests(world.store)[store_reading.file_of(agent)]
    listed = [part for part in store_reading.listed_objects(manifest) if part.entity == entity]
    contents = [store_reading.read(world.store, part) for part in listed]
    return set().union(*(content.rows.keys() | content.removed for content in contents))


def test_an_agent_who_comes_with_the_load_that_removes_a_row_never_learns_of_it(
    world: World,
) -> None:
    world.erp(SalesAgent=agents("1"), Zone=ids(*(f"{n:03}" for n in range(100))))
    world.done()
    world.erp(SalesAgent=agents("1", "2"), Zone=ids(*(f"{n:03}" for n in range(1, 100))))
    world.done()
    assert "000" not in keys_in_objects(world, "2", "Zone")


def test_an_agent_who_comes_later_does_not_learn_of_rows_that_were_gone_before(
    world: World,
) -> None:
    rows = {f"{n:03}": f"zone {n}" for n in range(100)}
    world.erp(
        SalesAgent=agents("1"),
        Zone=[{"Id": key, "Description": text} for key, text in rows.items()],
    )
    world.done()
    del rows["000"]
    world.erp(Zone=[{"Id": key, "Description": text} for key, text in rows.items()])
    world.done()
    world.erp(SalesAgent=agents("1", "2"))
    world.done()
    assert "000" not in keys_in_objects(world, "2", "Zone")


def test_a_profile_that_leaves_takes_nothing_from_the_others(world: World) -> None:
    """When a user's profile goes, the audience is another one, but the buckets are the same."""
    world.erp(
        SalesAgent=agents("1"),
        WarehousePerSalesAgent=[{"Id": "L", "WarehouseId": "P", "SalesAgentId": "1"}],
    )
    for houses in ("PQ", "P", ""):
        world.execute('DELETE FROM kimo."User"')
        for house in houses:
            world.execute(
                'INSERT INTO kimo."User" ("Id", "UserName", "SalesAgentId", "WarehouseId",'
                ' "UserTypeId", "Archived") '
                f"VALUES ('{house}', '{house}', '1', '{house}', 1, false)"
            )
        world.done()
    assert world.received("1", "SELECT Id FROM WarehousePerSalesAgent") == [("L",)]


def test_reports_about_nothing_that_is_known_any_more_are_taken_from_all(world: World) -> None:
    report = {"Id": "r", "StatisticReportTypeId": "t", "EntityType": "Zone", "EntityId": "N"}
    world.erp(SalesAgent=agents("1"), Zone=ids("N"), StatisticReport=[report])
    world.done()
    assert world.seen("StatisticReport") == {"1": "r"}
    world.erp(StatisticReport=[{**report, "EntityType": "Nothing"}])
    world.done()
    assert world.seen("StatisticReport") == {"1": ""}
