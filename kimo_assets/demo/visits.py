"""The agents' visits and phone calls: activities and who they are assigned to."""

from collections.abc import Iterator

import numpy as np

from kimo_assets.demo import lookups
from kimo_assets.demo.accounts import Accounts
from kimo_assets.demo.agents import Agents, trademark_code
from kimo_assets.demo.erp_database import Chunk, ErpWriter
from kimo_assets.demo.products import TRADEMARKS
from kimo_assets.demo.randomness import Draws, chance, choose, days, draws_for, slices, weighted
from kimo_assets.demo.scales import Scale

_OPEN, _COMPLETED, _LATE, _DISMISSED = 1, 2, 4, 5
_SUBJECTS = (
    "Giro visite",
    "Presentazione novità",
    "Raccolta ordine",
    "Sollecito pagamento",
    "Degustazione caffè",
)
_NOTES = (
    "",
    "",
    "Tutto bene",
    "Richiama lunedì",
    "Vuole lo sconto su acqua e bibite",
    "Interessato alla linea Bio",
)


def write_visits(
    erp: ErpWriter, accounts: Accounts, agents: Agents, scale: Scale, seed: int
) -> None:
    chunks = _visit_chunks(accounts, agents, scale, draws_for(seed, "Activity"))
    erp.fill_together(("Activity", "ActivityAssignee"), chunks)


def _visit_chunks(
    accounts: Accounts, agents: Agents, scale: Scale, draws: Draws
) -> Iterator[tuple[Chunk, Chunk]]:
    """Visits and who takes part in them. In one of ten the agent's manager comes along."""
    visited = np.flatnonzero(
        (accounts.agents[: accounts.active] >= 0) & (accounts.heads[: accounts.active] < 0)
    )
    for part in slices(scale.visits):
        size = part.stop - part.start
        numbers = np.arange(part.start + 1, part.stop + 1)
        owners = visited[draws.integers(0, len(visited), size)]
        visitors = accounts.agents[owners]
        joined = np.flatnonzero(chance(draws, 10, size))
        yield (
            _visits(accounts, agents, numbers, owners, visitors, draws),
            {
                "ActivityId": np.concatenate([numbers, numbers[joined]]),
                "AssigneeId": choose(
                    agents.codes, np.concatenate([visitors, agents.manager_of(visitors[joined])])
                ),
                "AssigneeType": 1,
            },
        )


def _visits(
    accounts: Accounts,
    agents: Agents,
    numbers: np.ndarray,
    owners: np.ndarray,
    visitors: np.ndarray,
    draws: Draws,
) -> Chunk:
    """Rows of Activity: mostly done in the past, all open in the future."""
    size = len(numbers)
    offsets = draws.integers(-180, 30, size)
    past = offsets < 0
    hours = draws.integers(8, 18, size).tolist()
    dates = days(offsets)
    kinds = draws.integers(0, len(lookups.ACTIVITY_TYPES), size)
    states = np.where(
        past, np.array([_COMPLETED, _LATE, _DISMISSED])[weighted(draws, [90, 6, 4], size)], _OPEN
    )
    trademarks = ["", *(trademark_code(name) for name in TRADEMARKS)]
    return {
        "Id": numbers,
        "ActivityTypeId": choose(lookups.codes(lookups.ACTIVITY_TYPES), kinds),
        "AccountId": choose(accounts.codes, owners),
        "CreatorId": choose(agents.codes, visitors),
        "Subject": choose(list(_SUBJECTS), draws.integers(0, len(_SUBJECTS), size)),
        "Notes": choose(list(_NOTES), draws.integers(0, len(_NOTES), size)),
        "StartDate": [f"{d} {h:02d}:00:00" for d, h in zip(dates, hours, strict=True)],
        "EndDate": [
            f"{d} {h:02d}:45:00" if p else None
            for d, h, p in zip(dates, hours, past.tolist(), strict=True)
        ],
        "Duration": np.array([duration for *_, duration, _ in lookups.ACTIVITY_TYPES])[kinds],
        "Status": states,
        # Mostly none: by Activity\ShouldFilterByUserTrademarks others could be hidden (fact sheet,
        # section 11).
        "TrademarkId": choose(
            trademarks, draws.integers(0, len(trademarks), size) * chance(draws, 20, size)
        ),
        "CreationDate": [f"{d} 18:00:00" for d in days(np.minimum(offsets - 2, -1))],
    }
