"""Past orders with their lines, and the open items that came of them.

Amounts add up: a line's is quantity by price less discounts, an order's the sum of its lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kimo_assets.demo import lookups
from kimo_assets.demo.accounts import SITE, Accounts
from kimo_assets.demo.agents import Agents
from kimo_assets.demo.erp_database import Chunk, ErpWriter
from kimo_assets.demo.items import Items
from kimo_assets.demo.prices import list_prices
from kimo_assets.demo.products import RANGES
from kimo_assets.demo.randomness import (
    PRICE_UNITS,
    Draws,
    chance,
    choose,
    days,
    draws_for,
    skewed,
    slices,
    weighted,
)
from kimo_assets.demo.scales import Scale

# With their lines about as many rows as other tables have in a chunk.
_ORDERS_A_CHUNK = 5_000
# The codes of FulfillmentStatus, which the manual lists on ErpDocument only (fact sheet, section
# 15).
_NOT_STARTED, _PARTIAL, _COMPLETED, _FORCED = 1, 2, 3, 4
_TWO_YEARS = 730
# The codes of PaymentStatus. 3, paid on Kimo, never comes from an ERP (fact sheet, section 9).
_TO_PAY, _PAID, _UNPAID = 0, 1, 2


@dataclass(frozen=True)
class _Orders:
    """All orders, oldest first: whose, when, by which agent, how many lines."""

    accounts: np.ndarray
    ages: np.ndarray
    agents: np.ndarray
    sites: np.ndarray
    states: np.ndarray
    first_lines: np.ndarray
    """Number of the first line of each order, and at the end how many lines there are."""


def write_documents(
    erp: ErpWriter, items: Items, accounts: Accounts, agents: Agents, scale: Scale, seed: int
) -> None:
    orders = _draw_orders(accounts, agents, scale, draws_for(seed, "ORDINI_TESTATE"))
    chunks = _order_chunks(orders, items, accounts, agents, draws_for(seed, "ORDINI_RIGHE"))
    erp.fill_together(("ORDINI_TESTATE", "ORDINI_RIGHE"), chunks)
    erp.fill_from(
        "PARTITE_APERTE", _installment_chunks(accounts, scale, draws_for(seed, "PARTITE_APERTE"))
    )


def _draw_orders(accounts: Accounts, agents: Agents, scale: Scale, draws: Draws) -> _Orders:
    """Two years of orders, the oldest first. Old ones are shipped or were forced shut."""
    count = scale.orders
    customers = skewed(draws, accounts.customers, count)
    ages = np.sort(draws.integers(0, _TWO_YEARS, count))[::-1]
    lines = 1 + np.bincount(draws.integers(0, count, scale.order_lines - count), minlength=count)
    states = np.where(ages > 20, _COMPLETED, draws.integers(_NOT_STARTED, _FORCED, count))
    states[(ages > 20) & chance(draws, 4, count)] = _FORCED
    return _Orders(
        accounts=customers,
        ages=ages,
        agents=_draw_sellers(accounts.agents[customers], agents, draws),
        sites=_draw_sites(accounts, customers, draws),
        states=states,
        first_lines=np.concatenate([[0], np.cumsum(lines)]),
    )


def _draw_sellers(followers: np.ndarray, agents: Agents, draws: Draws) -> np.ndarray:
    """Mostly the account's agent; sometimes a colleague, sometimes nobody (-1)."""
    size = len(followers)
    sellers = np.where(
        chance(draws, 6, size), draws.integers(0, len(agents.codes), size), followers
    )
    sellers[chance(draws, 2, size)] = -1
    return sellers


def _draw_sites(accounts: Accounts, customers: np.ndarray, draws: Draws) -> np.ndarray:
    """One of the customer's shipment sites for half of the orders of who has any, else -1."""
    sites = np.flatnonzero(accounts.kinds == SITE)
    heads = accounts.heads[sites]
    # Sites are sorted by head office, so that those of a customer are one range.
    first, last = np.searchsorted(heads, customers), np.searchsorted(heads, customers, side="right")
    index = first + draws.integers(0, 1_000, len(customers)) % np.maximum(last - first, 1)
    has = (last > first) & chance(draws, 50, len(customers))
    return np.where(has, sites[np.minimum(index, len(sites) - 1)], -1)


def _order_chunks(
    orders: _Orders, items: Items, accounts: Accounts, agents: Agents, draws: Draws
) -> Iterator[tuple[Chunk, Chunk]]:
    """Heads and lines together, a chunk at a time: a head's totals come from its lines."""
    # Shuffled, because `skewed` prefers the first ones: everybody would buy coffee.
    sold, units = draws.permutation(items.sold()), items.units()
    for part in slices(len(orders.ages), _ORDERS_A_CHUNK):
        numbers = np.arange(part.start, part.stop)
        first, last = orders.first_lines[part.start], orders.first_lines[part.stop]
        owners = np.repeat(numbers, np.diff(orders.first_lines[part.start : part.stop + 1]))
        chosen = sold[skewed(draws, len(sold), last - first)]
        lines = _Lines(orders, items, accounts, owners, chosen, draws)
        starts = orders.first_lines[part] - first
        ids = _ids(orders, numbers)
        yield (
            {
                **_header(orders, accounts, agents, numbers, draws),
                "IDORD": ids,
                **lines.totals(starts),
            },
            lines.chunk(np.arange(first, last), choose(ids, owners - part.start), units),
        )


def _ids(orders: _Orders, numbers: np.ndarray) -> list[str]:
    years = [day[2:4] for day in days(-orders.ages[numbers])]
    return [
        f"OC{year}-{number:06d}" for year, number in zip(years, (numbers + 1).tolist(), strict=True)
    ]


class _Lines:
    """The lines of some orders, reckoned together: quantities, prices, amounts in cents."""

    def __init__(
        self,
        orders: _Orders,
        items: Items,
        accounts: Accounts,
        owners: np.ndarray,
        chosen: np.ndarray,
        draws: Draws,
    ):
        """Draws what is sold. Amounts are whole cents, so that heads add up exactly."""
        size = len(chosen)
        self._orders, self._items, self._owners, self._chosen = orders, items, owners, chosen
        self._quantities = (
            items.packs()[chosen] * np.array([1, 1, 2, 3, 5, 10])[draws.integers(0, 6, size)]
        )
        self._prices = list_prices(items, chosen, accounts.price_lists[orders.accounts[owners]])
        self._discounts = np.array([0, 3, 5, 10, 15])[weighted(draws, [60, 12, 14, 10, 4], size)]
        self._is_promotion = chance(draws, 8, size).astype(int)
        # Whole numbers from beginning to end, so that every machine gets the same cents.
        self._cents = self._quantities * self._prices * (100 - self._discounts) // 100 // 1_000
        vat = np.array([int(range_.vat) for range_ in RANGES])[items.ranges[chosen]]
        self._vat_cents = self._cents * vat // 100

    def totals(self, starts: np.ndarray) -> Chunk:
        amounts, taxes = (
            np.add.reduceat(self._cents, starts),
            np.add.reduceat(self._vat_cents, starts),
        )
        return {
            "IMPONIBILE": amounts / 100,
            "IMPOSTA": taxes / 100,
            "TOTALE": (amounts + taxes) / 100,
        }

    def chunk(self, numbers: np.ndarray, ids: list[str], units: list[str]) -> Chunk:
        """The rows of ORDINI_RIGHE. How much was shipped follows from the state of the head."""
        states = self._orders.states[self._owners]
        shipped = np.select(
            [states == _NOT_STARTED, states == _PARTIAL, states == _FORCED],
            [0, self._quantities // 2, self._quantities * 3 // 4],
            self._quantities,
        )
        return {
            "IDRIGA": numbers + 1,
            "IDORD": ids,
            "RIGA": numbers - self._orders.first_lines[self._owners] + 1,
            "TIPORIGA": 0,
            "CODART": choose(self._items.codes, self._chosen),
            "DESCRIZIONE": choose(self._items.descriptions, self._chosen),
            "UM": choose(units, self._chosen),
            "QTA": self._quantities,
            "QTA_EVASA": shipped,
            # What was forced shut is not delivered any more, though it never was.
            "QTA_RESIDUA": np.where(states == _FORCED, 0, self._quantities - shipped),
            "PREZZO": self._prices / PRICE_UNITS,
            "SC1": self._discounts,
            "SC2": 0,
            "IMPORTO": self._cents / 100,
            "CODIVA": choose([range_.vat for range_ in RANGES], self._items.ranges[self._chosen]),
            "IN_PROMO": self._is_promotion,
        }


def _header(
    orders: _Orders, accounts: Accounts, agents: Agents, numbers: np.ndarray, draws: Draws
) -> Chunk:
    """The heads' columns but for ids and totals."""
    owners, sites, ages = (
        orders.accounts[numbers],
        orders.sites[numbers].tolist(),
        orders.ages[numbers],
    )
    states = orders.states[numbers]
    delivered = days(-np.maximum(ages - 3, 0))
    return {
        "NUMERO": [str(number + 1) for number in numbers.tolist()],
        "DATA_ORDINE": days(-ages),
        # The types that the console knows (settings.py). Others could not be shown by an app.
        "TIPODOC": choose(["OC", "OCW", "TV"], weighted(draws, [85, 10, 5], len(numbers))),
        "CODCLI": choose(accounts.codes, owners),
        "RAGSOC": choose(accounts.names, owners),
        # 0: CODDEST is an account and not a warehouse (fact sheet, section 10).
        "TIPODEST": 0,
        "CODDEST": [accounts.codes[site] if site >= 0 else "" for site in sites],
        "CODAGE": [
            agents.codes[agent] if agent >= 0 else "" for agent in orders.agents[numbers].tolist()
        ],
        "CODPAG": choose(lookups.codes(lookups.PAYMENT_METHODS), accounts.payments[owners]),
        "CODLIS": choose(lookups.codes(lookups.PRICE_LISTS), accounts.price_lists[owners]),
        "CODVAL": "EUR",
        "CODMAG": choose(
            lookups.codes(lookups.WAREHOUSES), weighted(draws, [6, 1, 1, 1, 1], len(numbers))
        ),
        "RIF_CLIENTE": choose(
            ["", "", "", "Ordine telefonico", "Vs. mail", "WhatsApp"],
            draws.integers(0, 6, len(numbers)),
        ),
        # Only orders that came from Kimo have one (fake_erp.py).
        "RIF_KIMO": "",
        "DATA_CONSEGNA": days(5 - ages),
        "STATO_EVASIONE": states,
        # -1 is the agreed "no day" (fact sheet, section 8).
        "DATA_EVASIONE": [
            d if s >= _COMPLETED else "-1" for d, s in zip(delivered, states.tolist(), strict=True)
        ],
        "ANNOTAZIONI": choose(
            ["", "", "", "", "Consegna tassativa", "Avvisare prima"],
            draws.integers(0, 6, len(numbers)),
        ),
    }


def _installment_chunks(accounts: Accounts, scale: Scale, draws: Draws) -> Iterator[Chunk]:
    """Invoices not yet settled; some partly paid, some overdue, a few returned unpaid."""
    types = {code: kind for code, _, kind, _ in lookups.PAYMENT_METHODS}
    methods = lookups.codes(lookups.PAYMENT_METHODS)
    for part in slices(scale.installments):
        size = part.stop - part.start
        owners = skewed(draws, accounts.customers, size)
        states = weighted(draws, [82, 8, 10], size)
        cents = draws.integers(3_000, 350_000, size)
        paid = np.where(states == _PAID, cents, np.where(chance(draws, 15, size), cents // 3, 0))
        ages = draws.integers(5, 120, size)
        paid_days = (-draws.integers(0, 5, size)).tolist()
        yield {
            "IDPARTITA": list(range(part.start + 1, part.stop + 1)),
            "CODCLI": choose(accounts.codes, owners),
            "RAGSOC": choose(accounts.names, owners),
            "NUM_FATTURA": [f"{number}/26" for number in range(part.start + 1, part.stop + 1)],
            "DATA_FATTURA": days(-ages),
            "RATA": 1 + chance(draws, 30, size).astype(int),
            "SCADENZA": days(np.array([30, 60, 90])[draws.integers(0, 3, size)] - ages),
            "CODVAL": "EUR",
            "IMPORTO": cents / 100,
            "PAGATO": paid / 100,
            "RESIDUO": (cents - paid) / 100,
            "DATA_PAGAMENTO": _payment_dates(paid, paid_days),
            "TIPOPAG": [types[methods[method]] for method in accounts.payments[owners].tolist()],
            "STATO": states,
            "INCASSABILE": chance(draws, 40, size).astype(int),
        }


def _payment_dates(paid: np.ndarray, offsets: list[int]) -> list[str | int]:
    """The day something was paid; -1 where nothing was."""
    return [
        # A number among texts, as ERPs mix them: an import has to understand both.
        d if amount else -1
        for d, amount in zip(days(np.array(offsets)), paid.tolist(), strict=True)
    ]
