"""Prices: the lists' lines, prices agreed with a customer or left to an agent, and discounts by
item group.

The lists' names are in `lookups`, the items' base prices in `items`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimo_assets.demo import lookups
from kimo_assets.demo.accounts import Accounts
from kimo_assets.demo.agents import Agents
from kimo_assets.demo.erp_database import Chunk, ErpWriter
from kimo_assets.demo.items import Items
from kimo_assets.demo.products import FAMILIES, GROUPS
from kimo_assets.demo.randomness import (
    PRICE_UNITS,
    Draws,
    chance,
    choose,
    distinct,
    draws_for,
    slices,
    weighted,
)
from kimo_assets.demo.scales import Scale

_YEAR_START = "2026-01-01"
_YEAR_END = "2026-12-31"
# The lower priority wins (fact sheet, section 11): an agent's list, then a price group's, then a
# customer group's.
_CATALOG_PRIORITY = 10


def write_prices(
    erp: ErpWriter, items: Items, accounts: Accounts, agents: Agents, scale: Scale, seed: int
) -> None:
    erp.fill_from(
        "LISTINI_RIGHE",
        _price_chunks(items, accounts, agents, scale, draws_for(seed, "LISTINI_RIGHE")),
    )
    erp.fill_rows("CatalogPriceList", _catalog_rows(agents))
    erp.fill_rows(
        "DiscountsPerItemGroup", _discount_rows(accounts, draws_for(seed, "DiscountsPerItemGroup"))
    )


def _price_chunks(
    items: Items, accounts: Accounts, agents: Agents, scale: Scale, draws: Draws
) -> Iterator[Chunk]:
    """Of a hundred prices 8 are for quantities, 20 for an account, 2 for an agent, the rest
    plain.
    """
    for_quantity, for_account, for_agent = (scale.prices * percent // 100 for percent in (8, 20, 2))
    plain = scale.prices - for_quantity - for_account - for_agent
    units = items.units()
    for part in slices(plain):
        # List after list, as far as the number of prices reaches: so the first lists are complete.
        lists, chosen = np.divmod(np.arange(part.start, part.stop), items.active)
        yield _of_list(items, units, lists, chosen, draws)
    # Each cell of lists by items is drawn once, so that no key comes twice.
    cells = distinct(draws, items.active * lookups.COMPLETE_PRICE_LISTS, for_quantity)
    for part in slices(for_quantity):
        lists, chosen = np.divmod(cells[part], items.active)
        yield _for_quantity(items, units, lists, chosen)
    cells = distinct(draws, items.active * accounts.customers, for_account)
    for part in slices(for_account):
        owners, chosen = np.divmod(cells[part], items.active)
        yield {
            **_agreed(items, units, chosen, draws),
            "CODCLI": choose(accounts.codes, owners),
            "AL": choose([_YEAR_END, "2026-06-30", "-1"], weighted(draws, [5, 3, 2], len(chosen))),
        }
    cells = distinct(draws, items.active * agents.in_the_field, for_agent)
    for part in slices(for_agent):
        owners, chosen = np.divmod(cells[part], items.active)
        yield {**_agreed(items, units, chosen, draws), "CODAGE": choose(agents.codes, owners)}


def list_prices(items: Items, chosen: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """What the items cost in the lists, in hundred-thousandths."""
    percents = np.array([percent for *_, percent in lookups.PRICE_LISTS])
    return items.rounded(items.prices[chosen] * percents[lists] // 100, chosen)


def _line(items: Items, units: list[str], chosen: np.ndarray, prices: np.ndarray) -> Chunk:
    """A price row for everyone at any quantity. The callers narrow it."""
    return {
        "CODART": choose(items.codes, chosen),
        "CODLIS": "",
        "CODCLI": "",
        "CODAGE": "",
        "UM": choose(units, chosen),
        "CODVAL": "EUR",
        "DAL": _YEAR_START,
        # Without an end (fact sheet, section 8).
        "AL": "-1",
        "DAQTA": 0,
        "AQTA": 0,
        "PREZZO": prices / PRICE_UNITS,
        "SC1": 0,
        "SC2": 0,
    }


def _of_list(
    items: Items, units: list[str], lists: np.ndarray, chosen: np.ndarray, draws: Draws
) -> Chunk:
    return {
        **_line(items, units, chosen, list_prices(items, chosen, lists)),
        "CODLIS": choose(lookups.codes(lookups.PRICE_LISTS), lists),
        "SC1": np.array([0, 5, 10])[weighted(draws, [90, 7, 3], len(chosen))],
    }


def _for_quantity(items: Items, units: list[str], lists: np.ndarray, chosen: np.ndarray) -> Chunk:
    """From five cartons on, 6 % less."""
    prices = items.rounded(list_prices(items, chosen, lists) * 94 // 100, chosen)
    return {
        **_line(items, units, chosen, prices),
        "CODLIS": choose(lookups.codes(lookups.PRICE_LISTS), lists),
        "DAQTA": items.packs()[chosen] * 5,
        "AQTA": 99_999,
    }


def _agreed(items: Items, units: list[str], chosen: np.ndarray, draws: Draws) -> Chunk:
    prices = items.rounded(
        items.prices[chosen] * draws.integers(75, 93, len(chosen)) // 100, chosen
    )
    return {
        **_line(items, units, chosen, prices),
        "SC2": np.array([0, 2, 3.5])[weighted(draws, [90, 7, 3], len(chosen))],
    }


def _catalog_rows(agents: Agents) -> list[tuple[Any, ...]]:
    """Which list the catalogue shows: by customer group, price group, for some agents their own."""
    lists, groups = lookups.codes(lookups.PRICE_LISTS), lookups.codes(lookups.CUSTOMER_GROUPS)
    choices = [
        (
            f"Catalogo {group}",
            lists[lookups.PRICE_LIST_OF_GROUP[i]],
            group,
            "",
            "",
            _CATALOG_PRIORITY,
        )
        for i, group in enumerate(groups)
    ]
    choices += [("Catalogo direzionali", "GC", "", "D", "", _CATALOG_PRIORITY // 2)]
    choices += [
        (f"Catalogo agente {agent}", "HORECA", "", "", agent, 1)
        for agent in agents.codes[: agents.in_the_field : 5]
    ]
    choices += [("Catalogo generale", "BASE", "", "", "", 99)]
    return [
        (i, text, price_list, "EUR", group, price_group, agent, priority)
        for i, (text, price_list, group, price_group, agent, priority) in enumerate(choices, 1)
    ]


def _discount_rows(accounts: Accounts, draws: Draws) -> list[tuple[Any, ...]]:
    """Discounts of customer groups on whole item groups, and of some customers on a family."""
    rows = [
        ("", customers, items, "", _YEAR_START, "-1", 2 + (i + j) % 7, 0)
        for i, customers in enumerate(lookups.codes(lookups.CUSTOMER_GROUPS))
        for j, items in enumerate(GROUPS)
        if (i + j) % 3
    ]
    families = list(FAMILIES)
    favoured = np.flatnonzero(chance(draws, 10, accounts.customers)).tolist()
    for account, family in zip(
        favoured, draws.integers(0, len(families), len(favoured)).tolist(), strict=True
    ):
        group, subgroup = families[family]
        rows.append(
            (
                accounts.codes[account],
                "",
                group,
                subgroup,
                _YEAR_START,
                _YEAR_END,
                5 + account % 15,
                account % 3,
            )
        )
    return rows
