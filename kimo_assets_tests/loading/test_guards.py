"""Mass deletions are stopped before they reach Kimo's tables: of an entity's rows, and of one
agent's.
"""

from typing import Any

import pytest

from kimo_assets_tests.support.company import Row, World, agents, ids


def accounts_of(**counts: int) -> list[Row]:
    return [
        {"SalesAgentId": agent, "AccountId": f"{agent}-{n}"}
        for agent, count in counts.items()
        for n in range(count)
    ]


def failure(world: World, entity: str) -> str:
    report = world.run(1, 2)
    return report.failures[2][entity]


def live(world: World, entity: str = "SalesAgentPerAccount") -> int:
    return int(world.value(f'SELECT count(*) FROM kimo."{entity}" WHERE _archived_load IS NULL'))


@pytest.fixture
def company(world: World) -> World:
    world.erp(SalesAgent=agents("A", "B", "C"), SalesAgentPerAccount=accounts_of(A=40, B=400, C=10))
    world.done(1, 2)
    return world


def test_an_agent_who_would_lose_most_customers_stops_the_entity_though_it_hardly_shrinks(
    company: World,
) -> None:
    company.erp(SalesAgentPerAccount=accounts_of(A=2, B=400, C=10))
    assert (
        failure(company, "SalesAgentPerAccount")
        == "Agents would lose more than 50% of their SalesAgentPerAccount rows: agent A 40 -> 2. "
        "Yesterday's data stay. If it is right so, run again with --allow-shrink, or apply a plan."
    )
    assert live(company) == 450


def test_the_other_entities_of_the_load_are_kept(company: World) -> None:
    company.erp(SalesAgentPerAccount=accounts_of(B=400, C=10), Zone=ids("N"))
    report = company.run()
    assert set(report.failures[2]) == {"SalesAgentPerAccount"}
    assert live(company, "Zone") == 1
    assert 3 not in report.steps


def test_number_and_share_must_both_be_exceeded(company: World) -> None:
    company.erp(SalesAgentPerAccount=accounts_of(A=21, B=300, C=0))
    report = company.done(1, 2)
    assert report.steps[2].entities["SalesAgentPerAccount"].counts()["archived"] == 129


def test_an_agent_who_is_gone_may_lose_everything(company: World) -> None:
    company.erp(SalesAgent=agents("B", "C"), SalesAgentPerAccount=accounts_of(B=400, C=10))
    company.done(1, 2)
    assert live(company) == 410


def test_the_limits_are_the_companys(company: World) -> None:
    company.settings = {"guards": {"max_agent_shrink": 0.1, "min_agent_rows": 1}}
    company.erp(SalesAgentPerAccount=accounts_of(A=40, B=400, C=8))
    assert "agent C 10 -> 8" in failure(company, "SalesAgentPerAccount")


def test_an_agents_column_that_left_the_mapping_empties_every_agent(company: World) -> None:
    rows = [
        {"Id": f"{n}", "AccountId": row["AccountId"]}
        for n, row in enumerate(accounts_of(A=40, B=400, C=10))
    ]
    company.erp(SalesAgentPerAccount=rows)
    assert "agent B 400 -> 0, agent A 40 -> 0" in failure(company, "SalesAgentPerAccount")


def test_keys_given_anew_are_a_mass_deletion_though_as_many_rows_come(world: World) -> None:
    world.erp(Zone=ids(*(f"OLD{n}" for n in range(100))))
    world.done(1, 2)
    world.erp(Zone=ids(*(f"NEW{n}" for n in range(100))))
    assert "100 of 100 rows would be archived (100%, allowed are 30%)" in failure(world, "Zone")
    assert live(world, "Zone") == 100


@pytest.mark.parametrize("steps", [(1, 2), (2,)])
def test_it_can_be_allowed(company: World, steps: tuple[int, ...]) -> None:
    company.erp(SalesAgentPerAccount=accounts_of(A=2, B=400, C=10))
    company.run(1, 2)
    report: Any = company.done(*steps, allow_shrink=True).steps[2].entities["SalesAgentPerAccount"]
    assert report.archived == 38
    assert "agent A 40 -> 2" in report.guard
    assert live(company) == 412
