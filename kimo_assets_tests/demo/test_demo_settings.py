"""The demo company's settings.yaml: it loads, fits the company, and changes nothing of who sees
what.
"""

from pathlib import Path

import pytest

from kimo_assets.demo.agents import draw_agents, warehouse_rows
from kimo_assets.demo.scales import SCALES
from kimo_assets.demo.settings import settings_yaml
from kimo_assets.settings import Settings, read_settings


@pytest.fixture(params=list(SCALES))
def scale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(scale: str, tmp_path: Path) -> Settings:
    file = tmp_path / "settings.yaml"
    file.write_text(settings_yaml(draw_agents(SCALES[scale], 20260101)), encoding="utf-8")
    return read_settings(file)


def test_every_agent_has_a_user_and_two_have_a_second_one_with_another_warehouse(
    settings: Settings, scale: str
) -> None:
    agents = draw_agents(SCALES[scale], 20260101)
    warehouses: dict[str, list[str | None]] = {}
    for user in settings.tables["User"].values():
        if user["SalesAgentId"]:
            warehouses.setdefault(user["SalesAgentId"], []).append(user["WarehouseId"])
    assert list(warehouses) == agents.codes
    shared = {agent: found for agent, found in warehouses.items() if len(found) > 1}
    assert len(shared) == 2
    for agent, (first, second) in shared.items():
        assert first != second
        assert {(agent, first), (agent, second)} <= set(warehouse_rows(agents))


def test_one_user_has_no_role(settings: Settings) -> None:
    with_role = {user for user, _ in settings.tables["UserRole"]}
    assert [user for (user,) in settings.tables["User"] if user not in with_role] == ["stagista"]


def test_business_rules_that_decide_who_sees_what_stand_at_their_defaults(
    settings: Settings,
) -> None:
    values = {key: row["Value"] for (key,), row in settings.tables["BusinessRule"].items()}
    assert values["ErpDocument\\FilterPerUser"] == "1"
    assert values["ItemAvailability\\FilterMode"] == "0"
    assert values["ItemImage\\ShouldFilterByActiveItems"] == "False"
