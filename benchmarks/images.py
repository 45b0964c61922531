"""Pictures from files: 12-megapixel JPEGs on all cores, against loops of Pillow's own; and a run in
which nothing is new.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, Result
from benchmarks.child import run

# What a second run over nothing new is told for, whatever the number of large pictures.
UNCHANGED = 10_000
_SAMPLE = 60
_LARGE, _SMALL = (4000, 3000), (160, 120)

_CONFIG = "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\nimages: {source: %s}\n"


def images(bench: Bench, scale: str) -> Iterator[Result]:
    """The first import of `--pictures` large pictures, the loops on a sample of them, and the
    import of 10,000 again.
    """
    large, small = bench.folder / "pictures" / "large", bench.folder / "pictures" / "small"
    run("pictures", what="draw", folder=str(large), count=bench.pictures, size=_LARGE)
    run("pictures", what="draw", folder=str(small), count=UNCHANGED, size=_SMALL)
    for repetition in range(bench.repetitions["small"]):
        about = {"scenario": "images", "repetition": repetition}
        config = _fresh(bench, large)
        yield (
            about
            | {"run": "first"}
            | run("pictures", what="import", config=config, count=bench.pictures)
        )
        for peer in ("resize", "thumbnail"):
            count = min(_SAMPLE, bench.pictures)
            of_peer = run(
                "pictures",
                what=peer,
                folder=str(large),
                count=count,
                to=str(bench.folder / "images" / peer),
            )
            yield about | {"run": "plain loop", "peer": peer} | of_peer
        config = _fresh(bench, small)
        run("pictures", what="import", config=config, count=UNCHANGED)
        yield (
            about
            | {"run": "unchanged"}
            | run("pictures", what="import", config=config, count=UNCHANGED)
        )


def _fresh(bench: Bench, pictures: Path) -> str:
    """kimo.yaml of a company that has these pictures and has imported none of them."""
    folder = bench.folder / "images"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = folder / "kimo.yaml"
    config.write_text(_CONFIG % pictures, encoding="utf-8")
    return str(config)
