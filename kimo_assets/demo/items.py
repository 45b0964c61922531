"""The items: their classification, units, translations, cross references, associations and who may
see them.

Prices are in `prices`, stock in `stock`, pictures in `pictures`, the ranges themselves in
`products`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kimo_assets.demo.agents import trademark_code
from kimo_assets.demo.codes import ean13
from kimo_assets.demo.erp_database import Chunk, ErpWriter
from kimo_assets.demo.names import MAKERS_SITE
from kimo_assets.demo.products import (
    ENGLISH,
    FAMILIES,
    FORMATS,
    GERMAN,
    GROUPS,
    ITEM_LINES,
    MAKER_OF,
    MAKERS,
    RANGES,
    TRADEMARKS,
    Range,
)
from kimo_assets.demo.randomness import (
    Draws,
    chance,
    choose,
    days,
    distinct,
    draws_for,
    slices,
    weighted,
)
from kimo_assets.demo.scales import Scale

_OFFSETS = np.cumsum([0, *(range_.combinations for range_ in RANGES)])
_SINGLE_ITEMS = int(_OFFSETS[-1])
_LINE_PERCENT = {
    "Classica": 100,
    "Bio": 128,
    "Premium": 135,
    "Gran Selezione": 155,
    "Eco": 115,
    "Murano": 170,
}
# Spirits have their filter without exception: agents without it must not get any.
_FILTER_PERCENT = {"HORECA": 55, "ALCOLICI": 100, "FRESCHI": 70}


@dataclass(frozen=True)
class Items:
    """The active items, sorted by range, then the obsolete ones."""

    codes: list[str]
    descriptions: list[str]
    ranges: np.ndarray
    trademarks: np.ndarray
    lines: list[str]
    prices: np.ndarray
    """Base price in hundred-thousandths of a euro, already rounded to the item's decimals."""
    steps: np.ndarray
    """What the item's prices are rounded to, in the same unit."""
    is_new: np.ndarray
    """Created in the last month: never ordered, nor in promotions or associations."""
    active: int

    def range_of(self, item: int) -> Range:
        return RANGES[int(self.ranges[item])]

    def units(self) -> list[str]:
        return choose([range_.unit for range_ in RANGES], self.ranges)

    def packs(self) -> np.ndarray:
        packs: np.ndarray = np.array([range_.pack for range_ in RANGES])[self.ranges]
        return packs

    def rounded(self, prices: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Prices of these items, rounded as each item's prices are; never nothing."""
        steps = self.steps[items]
        rounded: np.ndarray = np.maximum((prices + steps // 2) // steps * steps, steps)
        return rounded

    def sold(self) -> np.ndarray:
        """Indexes of the items that may have been ordered."""
        return np.flatnonzero(~self.is_new[: self.active])


def draw_items(scale: Scale, seed: int) -> Items:
    """Items in all ranges. The first ones are single, later ones the same in other formats."""
    draws = draws_for(seed, "ARTICOLI")
    obsolete = scale.items // 50
    total = scale.items + obsolete
    # Without multipacks there are not enough combinations for the large company.
    formats = 1 if total < _SINGLE_ITEMS else len(FORMATS)
    numbers = draws.permutation(_SINGLE_ITEMS * formats)[:total]
    numbers = np.concatenate([np.sort(numbers[: scale.items]), np.sort(numbers[scale.items :])])
    packing, singles = np.divmod(numbers, _SINGLE_ITEMS)
    ranges = np.searchsorted(_OFFSETS, singles, side="right") - 1
    parts = [
        RANGES[r].parts(number)
        for r, number in zip(ranges.tolist(), (singles - _OFFSETS[ranges]).tolist(), strict=True)
    ]
    codes = [f"{RANGES[r].group}{i:06d}" for i, r in enumerate(ranges.tolist(), 1)]
    # Some prices have up to five decimals, as the vendor shows them (fact sheet, section 8).
    steps = np.array([1_000, 100, 10, 1])[weighted(draws, [80, 10, 6, 4], total)]
    return Items(
        codes=codes,
        descriptions=_describe(ranges, parts, packing),
        ranges=ranges,
        trademarks=np.array([TRADEMARKS.index(brand) for brand, *_ in parts]),
        lines=[line for _, _, line, _ in parts],
        prices=_base_prices(draws, ranges, parts, packing, steps),
        steps=steps,
        is_new=chance(draws, 3, total),
        active=scale.items,
    )


def _describe(ranges: np.ndarray, parts: list[tuple[Any, ...]], packing: np.ndarray) -> list[str]:
    """What the price list says: "Caffè Macinato Moka Arabica Bio Adria 250 g"."""
    return [
        " ".join(
            word
            for word in (
                RANGES[r].name,
                kind,
                "" if line == "Classica" else line,
                brand,
                size,
                FORMATS[f][0],
            )
            if word
        )
        for r, (brand, kind, line, (size, _)), f in zip(
            ranges.tolist(), parts, packing.tolist(), strict=True
        )
    ]


def _base_prices(
    draws: Draws,
    ranges: np.ndarray,
    parts: list[tuple[Any, ...]],
    packing: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Range price by size, line, brand and packing, with a little of its own."""
    brands = 85 + np.arange(len(TRADEMARKS)) * 7 % 40
    cents = np.array([range_.cents for range_ in RANGES], dtype=np.int64)[ranges]
    percents = (
        np.array([size for *_, (_, size) in parts]),
        np.array([_LINE_PERCENT.get(line, 110) for _, _, line, _ in parts]),
        brands[[TRADEMARKS.index(brand) for brand, *_ in parts]],
        np.array([percent for _, percent in FORMATS])[packing],
        draws.integers(95, 106, len(ranges)),
    )
    prices = cents * 1_000
    for percent in percents:
        prices = prices * percent // 100
    dearer = prices + draws.integers(0, 1_000, len(ranges))
    rounded: np.ndarray = np.maximum(dearer // steps * steps, steps)
    return rounded


def write_items(erp: ErpWriter, items: Items, seed: int) -> None:
    _write_classification(erp)
    erp.fill_from("ARTICOLI", _item_chunks(items, draws_for(seed, "ARTICOLI/details")))
    erp.fill("ItemTranslation", *_translations(items, draws_for(seed, "ItemTranslation")))
    erp.fill("ItemUom", *_units(items, draws_for(seed, "ItemUom")))
    erp.fill("ItemCrossReference", _cross_references(items, draws_for(seed, "ItemCrossReference")))
    erp.fill("ItemAssociated", *_associations(items, draws_for(seed, "ItemAssociated")))
    erp.fill("ItemUrl", *_urls(items, draws_for(seed, "ItemUrl")))
    erp.fill_rows(
        "VisibilityFilterPerItem", _filters(items, draws_for(seed, "VisibilityFilterPerItem"))
    )


def maker_code(maker: str) -> str:
    return f"P{list(MAKERS).index(maker) + 1:03d}"


def _write_classification(erp: ErpWriter) -> None:
    erp.fill_rows(
        "PRODUTTORI",
        [(maker_code(maker), maker, f"EXT{i:04d}") for i, maker in enumerate(MAKERS, 1)],
    )
    erp.fill_rows(
        "Trademark",
        [(trademark_code(name), name, 6 * (i % 3)) for i, name in enumerate(TRADEMARKS)],
    )
    erp.fill_rows("ItemLine", [(code, name) for name, code in ITEM_LINES.items()])
    erp.fill_rows("ItemGroup", _group_rows())


def _group_rows() -> list[tuple[Any, ...]]:
    """Three levels; a level that is not there is an empty text."""
    first = [(group, group, "", "", name) for group, name in GROUPS.items()]
    second = [
        (f"{group}.{family}", group, family, "", name) for (group, family), name in FAMILIES.items()
    ]
    third = {
        (r.group, r.family, r.subfamily): (
            f"{r.group}.{r.family}.{r.subfamily}",
            r.group,
            r.family,
            r.subfamily,
            r.name,
        )
        for r in RANGES
    }
    return [*first, *second, *third.values()]


def _item_chunks(items: Items, draws: Draws) -> Iterator[Chunk]:
    """The rows of ARTICOLI, a chunk at a time."""
    makers = [maker_code(MAKER_OF[name]) for name in TRADEMARKS]
    for rows in slices(len(items.codes)):
        ranges = [RANGES[r] for r in items.ranges[rows].tolist()]
        size = len(ranges)
        numbers = range(rows.start, rows.stop)
        ages = np.where(
            items.is_new[rows], draws.integers(1, 30, size), draws.integers(60, 3_000, size)
        )
        yield {
            "CODART": items.codes[rows],
            "DESCRIZIONE": items.descriptions[rows],
            # NULL in between, although empty texts are agreed: real ERPs send both.
            "DESCRIZIONE_ESTESA": [
                f"{text}. Confezione da {r.pack}." if i % 3 else None
                for i, text, r in zip(numbers, items.descriptions[rows], ranges, strict=True)
            ],
            # No variants: their model would be an item of type 3 (fact sheet, section 8).
            "TIPO": 0,
            "CODMARCHIO": choose(
                [trademark_code(name) for name in TRADEMARKS], items.trademarks[rows]
            ),
            "CODPRO": choose(makers, items.trademarks[rows]),
            "CODART_PRODUTTORE": [
                f"{r.subfamily}-{i * 37 % 99_991:05d}" for i, r in zip(numbers, ranges, strict=True)
            ],
            "GRUPPO": [r.group for r in ranges],
            "FAMIGLIA": [r.family for r in ranges],
            "SOTTOFAMIGLIA": [r.subfamily for r in ranges],
            "CODLINEA": [ITEM_LINES[line] for line in items.lines[rows]],
            "CODSTAGIONE": choose(
                ["ANN", "", "NAT25", "PAS26", "EST26"], weighted(draws, [80, 10, 4, 2, 4], size)
            ),
            "CODIVA": [r.vat for r in ranges],
            "UM": [r.unit for r in ranges],
            "PREZZO_PUBBLICO": [
                f"{price / 100:.2f}"
                for price in (items.prices[rows] // 1_000 * 145 // 100).tolist()
            ],
            "GESTIONE_LOTTI": [int(r.group == "FRE") for r in ranges],
            "GIORNI_APPROVV": draws.integers(1, 21, size),
            "VISIBILE": 1,
            "ANNOTAZIONI": "",
            "DATA_CREAZIONE": [f"{d} 08:00:00" for d in days(-ages)],
            "OBSOLETO": [int(i >= items.active) for i in numbers],
        }


def _translations(items: Items, draws: Draws) -> list[Chunk]:
    return [
        _translation(items, language, words, np.flatnonzero(chance(draws, percent, items.active)))
        for language, words, percent in (("EN", ENGLISH, 30), ("DE", GERMAN, 10))
    ]


def _translation(items: Items, language: str, words: dict[str, str], chosen: np.ndarray) -> Chunk:
    descriptions = choose(items.descriptions, chosen)
    return {
        "ItemId": choose(items.codes, chosen),
        "LanguageId": language,
        "Description": [
            # Description takes 130 characters.
            f"{text} ({words[items.range_of(i).group]})"[:130]
            for i, text in zip(chosen.tolist(), descriptions, strict=True)
        ],
        "LongDescription": "",
    }


def _units(items: Items, draws: Draws) -> list[Chunk]:
    """The selling unit with its carton and barcode; for some items the carton may be sold too."""
    every = np.arange(items.active)
    cartons = np.flatnonzero(chance(draws, 35, items.active))
    grams = draws.integers(20, 4_000, items.active)
    return [
        _unit(items, every, items.units()[: items.active], items.packs()[every], grams, 1),
        _unit(
            items,
            cartons,
            ["CT"] * len(cartons),
            np.ones(len(cartons), int),
            grams[cartons] * items.packs()[cartons],
            2,
        ),
    ]


def _unit(
    items: Items,
    chosen: np.ndarray,
    units: list[str],
    packs: np.ndarray,
    grams: np.ndarray,
    priority: int,
) -> Chunk:
    """Units of sale of some items. priority: 1 for the unit in which an item is sold first."""
    return {
        "ItemId": choose(items.codes, chosen),
        "SalesUomId": units,
        "PackUomId": "CT",
        "PackUnitUomId": units,
        "UnitsPerPack": packs,
        # Each unit has numbers of its own, and the stride keeps them apart.
        "Barcode": [ean13(100_000_000 * priority + i * 613) for i in chosen.tolist()],
        "Label": "Cartone" if priority == 2 else "",
        "Weight": [f"{weight / 1000:.3f}" for weight in grams.tolist()],
        "Priority": priority,
        "UnitsPerPackDivisibilityRule": (chosen % 3 == 0).astype(int),
    }


def _cross_references(items: Items, draws: Draws) -> Chunk:
    """Further barcodes: the maker's former ones."""
    chosen = np.flatnonzero(chance(draws, 40, items.active))
    return {
        "ItemId": choose(items.codes, chosen),
        "EncodingType": 1,
        "EncodingKey": "EAN13",
        # Beyond the barcodes of units, so that none comes twice.
        "ItemCrossReferenceCode": [ean13(5_000_000_000 + i * 613) for i in chosen.tolist()],
        "Description": "Codice precedente",
    }


def _associations(items: Items, draws: Draws) -> list[Chunk]:
    """Related, substitutive and alternative items; and groups, where the source is a
    group's name.
    """
    sold = items.sold()
    sources = sold[distinct(draws, len(sold), len(sold) // 8)]
    others = sold[draws.integers(0, len(sold), len(sources))]
    # An item is no alternative to itself.
    differ = sources != others
    grouped = np.sort(distinct(draws, len(sold), 20))
    pairs = _association(choose(items.codes, sources[differ]), choose(items.codes, others[differ]))
    groups = _association(
        [f"GRP-{i // 4:02d}" for i in range(20)], choose(items.codes, sold[grouped])
    )
    # Types 1 to 3 name items. 4 names a group (fact sheet, section 8).
    kinds = draws.integers(1, 4, int(differ.sum()))
    return [{**pairs, "AssociationType": kinds}, {**groups, "AssociationType": 4}]


def _association(sources: list[str], others: list[str]) -> Chunk:
    return {
        "SourceItemId": sources,
        "AssociatedItemId": others,
        "CustomerId": "",
        "StartDate": "-1",
        "EndDate": "-1",
        "Priority": [i % 5 for i in range(len(sources))],
    }


def _urls(items: Items, draws: Draws) -> list[Chunk]:
    """Product sheets and films of some items, and a few pictures kept on the makers' site, which
    the demo plays itself.
    """
    # Never asked for: these are sheets and films, and only pictures are downloaded.
    site = "https://media.distribuzioniadriatiche.example"
    sheets = np.flatnonzero(chance(draws, 4, items.active))
    pictures = np.sort(distinct(draws, items.active, 12))
    codes, pictured = choose(items.codes, sheets), choose(items.codes, pictures)
    common = {"Caption": "", "Priority": 1}
    return [
        {
            "Id": list(range(1, len(codes) + 1)),
            "ItemId": codes,
            "UrlTypeId": [3 if i % 5 == 0 else 2 for i in range(len(codes))],
            "Url": [f"{site}/schede/{code.lower()}.html" for code in codes],
            **common,
        },
        {
            "Id": list(range(len(codes) + 1, len(codes) + 13)),
            "ItemId": pictured,
            "UrlTypeId": 1,
            "Url": [f"http://{MAKERS_SITE}/img/{code.lower()}.jpg" for code in pictured],
            **common,
        },
    ]


def _filters(items: Items, draws: Draws) -> list[tuple[str, str]]:
    """Filters of the ranges, previews of new items, a few items for export only."""
    dice = draws.integers(0, 100, (items.active, 3)).tolist()
    rows = []
    for i, (of_range, of_new, of_export) in enumerate(dice):
        filters = [name for name in items.range_of(i).filters if of_range < _FILTER_PERCENT[name]]
        filters += ["NOVITA"] * bool(items.is_new[i] and of_new < 50) + ["EXPORT"] * (of_export < 1)
        rows += [(items.codes[i], name) for name in filters]
    return rows
