"""Coordinates: how many calls it saves to ask each address once, in one spelling; and how fast
answers are kept.
"""

from collections.abc import Iterator

from benchmarks import companies
from benchmarks.bench import Bench, Result
from benchmarks.child import run


def geocoding(bench: Bench, scale: str) -> Iterator[Result]:
    """All customers and ship-to sites of the company, asked at a local stand-in that answers at
    once; then asked again.

    As the demo's ERP writes them, and with a part written otherwise, as several hands write:
    capitals, abbreviations.
    """
    directory = bench.folder / "geocoding"
    for hands in ("as the demo writes", "as several hands write"):
        config = companies.fresh_copy(bench.pristine(scale), directory)
        if hands != "as the demo writes":
            companies.write_addresses_as_several_hands(directory / "erp.sqlite")
        run("imports", config=str(config), steps=[1, 2], entities=["Account"])
        for name in ("first", "unchanged"):
            about = {"scenario": "geocoding", "scale": scale, "run": f"{name}, {hands}"}
            yield about | run("geocoding", config=str(config))
