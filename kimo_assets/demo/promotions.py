"""Promotions: what they offer, and to whom in all the ways Kimo can choose (by
`PromotionFilter`).
"""

from typing import Any

from kimo_assets.demo import lookups
from kimo_assets.demo.accounts import Accounts
from kimo_assets.demo.agents import Agents
from kimo_assets.demo.erp_database import ErpWriter
from kimo_assets.demo.items import Items, maker_code
from kimo_assets.demo.products import ITEM_LINES, MAKERS
from kimo_assets.demo.randomness import Draws, day, draws_for
from kimo_assets.demo.scales import Scale

_NAMES = (
    "Speciale Colazioni",
    "Sconto Quantità",
    "Apertura Stagione Riviera",
    "Offerta del Mese",
    "Lancio Novità",
    "Fuori Tutto Casalinghi",
    "Settimana del Caffè",
    "Merenda Insieme",
    "Grigliata d'Estate",
    "Festa del Papà",
    "Back to School",
    "Sagra e Feste",
    "Cantina in Festa",
    "Pulizie di Primavera",
    "Panettoni Artigianali",
)
_CLASSIC, _N_PLUS_M, _WHOLE_DOCUMENT = 0, 2, 5
_PROMOTION_TYPES = (_CLASSIC, _CLASSIC, _CLASSIC, _N_PLUS_M, _WHOLE_DOCUMENT)
_AUDIENCES = 10

Filter = tuple[str, str, int]
"""Encoding type, key, included."""


def write_promotions(
    erp: ErpWriter, items: Items, accounts: Accounts, agents: Agents, scale: Scale, seed: int
) -> None:
    """Promotions with filters for every kind of audience that the vendor knows."""
    draws = draws_for(seed, "Promotion")
    numbers = range(1, scale.promotions + 1)
    starts = draws.integers(-60, 45, scale.promotions).tolist()
    promotions = [_promotion(number, start) for number, start in zip(numbers, starts, strict=True)]
    # A generator for each promotion, so that more of them leave the first ones as they are.
    filters = [
        row
        for number in numbers
        for row in _filter_rows(
            number, accounts, agents, draws_for(seed, f"PromotionFilter {number}")
        )
    ]
    lines = [
        row
        for number in numbers
        for row in _line_rows(number, items, draws_for(seed, f"PromotionLine {number}"))
    ]
    erp.fill_rows("Promotion", promotions)
    erp.fill_rows("PromotionFilter", filters)
    erp.fill_rows("PromotionLine", [(i, *row) for i, row in enumerate(lines, 1)])


def _promotion(number: int, start: int) -> tuple[Any, ...]:
    """A row of Promotion. N plus M has quantities in place of a discount."""
    kind = _PROMOTION_TYPES[number % len(_PROMOTION_TYPES)]
    is_n_plus_m = kind == _N_PLUS_M
    paid, free = (10, 2) if is_n_plus_m else (0, 0)
    return (
        number,
        f"PROMO-26-{number:03d}",
        f"{_NAMES[number % len(_NAMES)]} {number}",
        "",
        kind,
        day(start),
        day(start + 30 + number % 60),
        0 if is_n_plus_m else 3 + number % 12,
        12 * (number % 3),
        300 if kind == _WHOLE_DOCUMENT else 0,
        paid,
        free,
        # 0 is the agreed "no key" (fact sheet, section 8).
        "BBANT" if number % 9 == 0 else "0",
        number % 2,
    )


def _filter_rows(
    number: int, accounts: Accounts, agents: Agents, draws: Draws
) -> list[tuple[Any, ...]]:
    """One promotion in three is for some warehouses only; every eleventh has no filter at all."""
    if number % 11 == 0:
        return []
    # All empty and WarehousesIncluded 0 mean every warehouse (fact sheet, section 11).
    warehouses = ("", "")
    if number % 3 == 0:
        warehouses = ("RIM", "PES" if number % 2 else "")
    included = int(bool(warehouses[0]))
    return [
        (number, kind, key, with_, "-1", "-1", included, *warehouses)
        for kind, key, with_ in dict.fromkeys(
            _audience(number % _AUDIENCES, number, accounts, agents, draws)
        )
    ]


def _audience(
    kind: int, number: int, accounts: Accounts, agents: Agents, draws: Draws
) -> list[Filter]:
    """One of the kinds of audience: everyone, groups, accounts, agents and so on."""
    groups = lookups.codes(lookups.CUSTOMER_GROUPS)
    group = groups[number // _AUDIENCES % len(groups)]
    some = list(
        dict.fromkeys(accounts.codes[i] for i in draws.integers(0, accounts.customers, 12).tolist())
    )
    chosen = list(
        dict.fromkeys(agents.codes[i] for i in draws.integers(0, agents.in_the_field, 3).tolist())
    )
    return [
        # The vendor's encoding types, each at least once (fact sheet, section 11).
        [("00", "", 1)],
        [("01", "BAR", 1), ("01", "RIST", 1)],
        [("04", account, 1) for account in some],
        [("05", agent, 1) for agent in chosen],
        [("05-Exclusive", agent, 1) for agent in chosen],
        [("00", "", 1), *(("04", account, 0) for account in some[:4])],
        [("02", "RB60", 1), ("02", "RB90", 1)],
        [("03", "ORO", 1), ("03", "ARG", 1)],
        [("01", group, 1), ("01", "ING", 0), ("04", some[0], 1)],
        [("00", "", 1), ("Channel-Exclusive", "SFA", 1)],
    ][kind]


def _line_rows(number: int, items: Items, draws: Draws) -> list[tuple[Any, ...]]:
    """Mostly items; sometimes a maker, an item line or an item group; none for the whole
    document.
    """
    if _PROMOTION_TYPES[number % len(_PROMOTION_TYPES)] == _WHOLE_DOCUMENT:
        return []
    sold = items.sold()
    offered = [items.codes[i] for i in sold[draws.integers(0, len(sold), 6)].tolist()]
    # Encoding types by which one row names many items (fact sheet, section 11).
    wide = [
        ("TT", maker_code(list(MAKERS)[number % len(MAKERS)])),
        ("ItemLine", list(ITEM_LINES.values())[number % len(ITEM_LINES)]),
        ("MAGO_IG", ("CAF.MAC.MOK", "BEV.ACQ", "CAS")[number % 3]),
    ]
    keys = (
        [wide[number // 4 % 3]]
        if number % 4 == 0
        else [("AR", item) for item in dict.fromkeys(offered)]
    )
    return [
        (
            number,
            line,
            kind,
            key,
            1,
            int(line == 1 and number % 7 == 0),
            5 + (number + line) % 15,
            0,
            6 * (line % 3),
            offered[-1] if number % 5 == 3 and line == 1 else "",
            "",
        )
        for line, (kind, key) in enumerate(keys, 1)
    ]
