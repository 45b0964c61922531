"""The sizes a demo company comes in: how many rows of each kind.

What the rows say is decided by the modules of each area.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How big a demo company is; counts of rows that are right (wrong ones come on top)."""

    name: str
    agents: int
    accounts: int
    items: int
    prices: int
    orders: int
    order_lines: int
    installments: int
    visits: int
    contacts: int
    promotions: int
    pictures: int


SCALES: dict[str, Scale] = {
    scale.name: scale
    for scale in (
        Scale(
            name="small",
            agents=12,
            accounts=600,
            items=1_500,
            prices=12_000,
            orders=1_000,
            order_lines=6_000,
            installments=700,
            visits=900,
            contacts=500,
            promotions=24,
            pictures=60,
        ),
        Scale(
            name="medium",
            agents=60,
            accounts=8_000,
            items=20_000,
            prices=250_000,
            orders=16_000,
            order_lines=100_000,
            installments=9_000,
            visits=12_000,
            contacts=7_000,
            promotions=60,
            pictures=200,
        ),
        Scale(
            # Two million prices: the size at which the ways to load were compared.
            name="large",
            agents=200,
            accounts=50_000,
            items=100_000,
            prices=2_000_000,
            orders=150_000,
            order_lines=1_000_000,
            installments=55_000,
            visits=100_000,
            contacts=42_000,
            promotions=150,
            pictures=300,
        ),
    )
}
