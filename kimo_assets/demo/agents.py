"""The sales network: agents, their territories, and what each may sell.

Which accounts an agent follows is decided by `accounts`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kimo_assets.demo.codes import vat_number
from kimo_assets.demo.erp_database import ErpWriter
from kimo_assets.demo.lookups import VISIBILITY_FILTERS, WAREHOUSE_OF_PROVINCE, WAREHOUSES
from kimo_assets.demo.names import MEN, PROVINCES, STREETS, SURNAMES, WOMEN
from kimo_assets.demo.products import MAKER_OF, TRADEMARKS
from kimo_assets.demo.randomness import Draws, chance, draws_for
from kimo_assets.demo.scales import Scale

# The last ones of products.MAKERS make no food.
_HOUSEHOLD_MAKERS = 8


@dataclass(frozen=True)
class Agents:
    """The agents: the first ones in the field, the last ones area managers."""

    codes: list[str]
    names: list[str]
    territories: np.ndarray
    """Per agent, the indexes of three provinces."""
    managers: int

    @property
    def in_the_field(self) -> int:
        return len(self.codes) - self.managers

    def manager_of(self, agents: np.ndarray) -> np.ndarray:
        """The area manager above each agent in the field."""
        return self.in_the_field + agents % self.managers


def draw_agents(scale: Scale, seed: int) -> Agents:
    """Agents with three provinces each. The last ones are managers of some others."""
    draws = draws_for(seed, "AGENTI")
    count = scale.agents
    # The first province goes round, so that as many as possible have an agent.
    first = np.arange(count) % len(PROVINCES)
    others = draws.integers(1, len(PROVINCES), (count, 2))
    territories = np.column_stack(
        [first, (first + others[:, 0]) % len(PROVINCES), (first + 1) % len(PROVINCES)]
    )
    people = [*MEN, *WOMEN]
    # Different surnames, as long as there are enough of them.
    names = [
        f"{people[int(name)]} {SURNAMES[int(surname)]}"
        for name, surname in zip(
            draws.integers(0, len(people), count), draws.permutation(count), strict=True
        )
        for surname in [surname % len(SURNAMES)]
    ]
    return Agents(
        [f"A{i:03d}" for i in range(1, count + 1)], names, territories, max(2, count // 15)
    )


def write_agents(erp: ErpWriter, agents: Agents, seed: int) -> None:
    erp.fill_rows("AGENTI", _agent_rows(agents, draws_for(seed, "AGENTI/addresses")))
    erp.fill_rows("ZONE", _zone_rows(agents))
    # The link tables by which Kimo decides what an agent gets (fact sheet, section 11).
    erp.fill_rows("TrademarkPerUser", _trademark_rows(agents, draws_for(seed, "TrademarkPerUser")))
    erp.fill_rows("WarehousePerSalesAgent", warehouse_rows(agents))
    erp.fill_rows("VisibilityFilterPerSalesAgent", _filter_rows(agents))


def _agent_rows(agents: Agents, draws: Draws) -> list[tuple[Any, ...]]:
    """The rows of AGENTI."""
    rows = []
    for i, (code, name) in enumerate(zip(agents.codes, agents.names, strict=True)):
        province = PROVINCES[agents.territories[i, 0]]
        town, post_code = province.towns[int(draws.integers(len(province.towns)))]
        street = f"{STREETS[int(draws.integers(len(STREETS)))]} {int(draws.integers(1, 140))}"
        # Beyond the numbers of customers (accounts.py), so that none comes twice.
        piva = vat_number(2_100_000 + i * 1_013, province.vat_office)
        mail = (
            f"{name.lower().replace(' ', '.').replace(chr(39), '')}@distribuzioniadriatiche.example"
        )
        mobile = f"33{i % 10} {int(draws.integers(1_000_000, 9_999_999))}"
        rows.append(
            (
                code,
                name,
                street,
                post_code,
                town,
                province.code,
                "IT",
                piva,
                "",
                mobile,
                mail,
                4 + i % 5,
            )
        )
    return rows


def _zone_rows(agents: Agents) -> list[tuple[str, str, str]]:
    """A zone per province, in the care of an area manager."""
    return [
        (province.code, province.name, agents.codes[agents.in_the_field + i % agents.managers])
        for i, province in enumerate(PROVINCES)
    ]


def _trademark_rows(agents: Agents, draws: Draws) -> list[tuple[str, str]]:
    """Most agents sell everything, some only food or only household goods, a few a choice of
    trademarks.
    """
    makers = list(dict.fromkeys(MAKER_OF.values()))
    household = set(makers[-_HOUSEHOLD_MAKERS:])
    rows = []
    for i, agent in enumerate(agents.codes):
        # Drawn for every agent, needed or not, so that all others keep their draws.
        dropped = chance(draws, 25, len(TRADEMARKS))
        for trademark, drop in zip(TRADEMARKS, dropped, strict=True):
            kind = (
                "all"
                if i >= agents.in_the_field
                else ("all", "food", "all", "household", "all", "some")[i % 6]
            )
            is_household = MAKER_OF[trademark] in household
            if (
                kind == "all"
                or kind == ("household" if is_household else "food")
                or (kind == "some" and not drop)
            ):
                rows.append((trademark_code(trademark), agent))
    return rows


def trademark_code(trademark: str) -> str:
    return f"M{TRADEMARKS.index(trademark) + 1:03d}"


def warehouse_rows(agents: Agents) -> list[tuple[str, str]]:
    """The central warehouse and those of the agent's provinces; area managers see all."""
    rows = []
    for i, agent in enumerate(agents.codes):
        near = {WAREHOUSE_OF_PROVINCE.get(PROVINCES[p].code, 0) for p in agents.territories[i]}
        seen = range(len(WAREHOUSES)) if i >= agents.in_the_field else sorted({0} | near)
        rows += [(agent, WAREHOUSES[w][0]) for w in seen]
    return rows


def _filter_rows(agents: Agents) -> list[tuple[str, str]]:
    """Every agent but some may sell spirits; the other filters belong to fewer."""
    # One agent of so many has each filter. An item with filters is seen by agents who share one of
    # them (fact sheet, section 11).
    every = (1, 1, 3, 6, 4)
    return [
        (agent, code)
        for i, agent in enumerate(agents.codes)
        for (code, _), step in zip(VISIBILITY_FILTERS, every, strict=True)
        if i >= agents.in_the_field or (i % step == 0 and (i + len(code)) % 7)
    ]
