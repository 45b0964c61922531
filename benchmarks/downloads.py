"""Pictures from URLs: the download of all, then the unchanged one; beside the plainest loop that
does the same.
"""

from collections.abc import Iterator
from typing import Any

from benchmarks.bench import Bench, Result
from benchmarks.child import run

# scale -> pictures of 2 megapixels.
_PICTURES = {"small": 50, "medium": 300, "large": 1000}


def downloads(bench: Bench, scale: str) -> Iterator[Result]:
    """Against a server of the standard library on this machine, which takes its share of
    the cores.
    """
    for repetition in bench.times(scale):
        about: dict[str, Any] = {"scenario": "downloads", "scale": scale, "repetition": repetition}
        results = run(
            "picture_downloads", folder=str(bench.folder / "downloads"), count=_PICTURES[scale]
        )
        for name, result in results.items():
            yield about | {"run": name} | result
