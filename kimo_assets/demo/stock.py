"""Availability of the items per warehouse: what is there today and what is about to arrive.

The warehouses are in `lookups`.
"""

from collections.abc import Iterator

import numpy as np

from kimo_assets.demo import lookups
from kimo_assets.demo.erp_database import Chunk, ErpWriter
from kimo_assets.demo.items import Items
from kimo_assets.demo.randomness import Draws, chance, choose, days, draws_for, slices

# The central warehouse has everything, the branches a part.
_STOCKED_PERCENT = (100, 50, 40, 35, 25)
_COUNTED_AT = "2026-01-15 05:30:00"


def write_stock(erp: ErpWriter, items: Items, seed: int) -> None:
    erp.fill_from("GIACENZE", _stock_chunks(items, draws_for(seed, "GIACENZE")))


def _stock_chunks(items: Items, draws: Draws) -> Iterator[Chunk]:
    units = items.units()
    for part in slices(items.active):
        size = part.stop - part.start
        stocked = np.column_stack([chance(draws, percent, size) for percent in _STOCKED_PERCENT])
        # Below zero is out of stock, which about one item in six is.
        quantities = np.maximum(draws.integers(-60, 400, stocked.shape), 0) * stocked
        rows, warehouses = np.nonzero(stocked)
        yield _availability(
            items,
            units,
            part.start + rows,
            warehouses,
            quantities[rows, warehouses],
            # Kimo takes the total from the ERP, by the default of
            # ItemAvailability\GlobalAvailabilityMode (fact sheet, section 11).
            quantities.sum(1)[rows],
        )
        arriving = np.flatnonzero(chance(draws, 6, size))
        yield {
            **_availability(
                items,
                units,
                part.start + arriving,
                np.zeros_like(arriving),
                draws.integers(50, 900, len(arriving)),
                0,
            ),
            "DATA_DISP": days(draws.integers(3, 40, len(arriving))),
        }


def _availability(
    items: Items,
    units: list[str],
    chosen: np.ndarray,
    warehouses: np.ndarray,
    quantities: np.ndarray,
    totals: np.ndarray | int,
) -> Chunk:
    """Rows of the stock, without a day: what is there now."""
    return {
        "CODART": choose(items.codes, chosen),
        "CODMAG": choose(lookups.codes(lookups.WAREHOUSES), warehouses),
        # -1, no day, is what is there now (fact sheet, section 8).
        "DATA_DISP": "-1",
        "UM": choose(units, chosen),
        "DISPONIBILE": quantities,
        "DISPONIBILE_TOTALE": totals,
        "AGGIORNATO_IL": _COUNTED_AT,
    }
