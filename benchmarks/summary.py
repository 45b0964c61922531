"""Ratios of measured results: each is formed within one repetition, and the median of these is what
is told.
"""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

Result = dict[str, Any]


def ratios(results: Iterable[Result]) -> dict[str, float]:
    """name -> median; `wall` and `cpu` tell which seconds were compared."""
    found: dict[str, list[float]] = defaultdict(list)
    for group in _repetitions(results):
        for name, value in _of_repetition(group):
            found[name].append(value)
    return {name: round(median(values), 3) for name, values in found.items()}


def _repetitions(results: Iterable[Result]) -> Iterable[list[Result]]:
    groups: dict[tuple[Any, ...], list[Result]] = defaultdict(list)
    for result in results:
        if "error" not in result:
            groups[
                tuple(result.get(key) for key in ("scenario", "scale", "source", "repetition"))
            ].append(result)
    return groups.values()


def _of_repetition(group: list[Result]) -> Iterable[tuple[str, float]]:
    about = " ".join(
        str(group[0][key]) for key in ("scenario", "scale", "source") if key in group[0]
    )
    match group[0]["scenario"]:
        case "imports":
            by_run = {result["run"]: result for result in group}
            pairs = list(_against_floors(by_run.get("first", {}))) + list(_against_first(by_run))
        case "loaders":
            by_loader = {result["loader"]: result for result in group}
            pairs = [
                (f"{name} / COPY", result, by_loader["COPY"])
                for name, result in by_loader.items()
                if name != "COPY"
            ]
            others = [name for name in by_loader if name.startswith(("pandas", "dlt"))]
            pairs += [(f"{name} / ours", by_loader[name], by_loader["ours"]) for name in others]
            for name in others:
                memory = by_loader[name]["python_peak_mb"] / by_loader["ours"]["python_peak_mb"]
                yield f"{about}: {name} / ours, memory", memory
        case "payloads":
            yield from ((f"{about}: {name}", value) for name, value in _of_payloads(group))
            return
        case "geocoding":
            yield from ((f"{about}: {name}", value) for name, value in _of_geocoding(group))
            return
        case "downloads":
            pairs = list(_against_the_plain_loop({result["run"]: result for result in group}))
        case "images":
            yield from ((f"images: {name}", value) for name, value in _of_images(group))
            return
        case "export":
            yield from ((f"{about}: {name}", value) for name, value in _of_exports(group))
            return
        case "plans":
            pairs = list(_against_the_import({result["run"]: result for result in group}))
        case _:
            yield from _dagster_share(group)
            return
    for name, ours, theirs in pairs:
        yield f"{about}: {name}, wall", ours["seconds"] / theirs["seconds"]
        yield f"{about}: {name}, cpu", ours["cpu_s"] / theirs["cpu_s"]


def _against_the_plain_loop(by_run: dict[str, Result]) -> Iterable[tuple[str, Result, Result]]:
    for name in ("first", "unchanged"):
        yield f"{name} / plain loop", by_run[name], by_run[f"plain loop, {name}"]


def _of_exports(group: list[Result]) -> Iterable[tuple[str, float]]:
    for result in group:
        name = f"{result['documents']:,} documents"
        yield from _wall_and_cpu(
            f"{name} / the same rows without bookkeeping", result, result["floor"]
        )
        yield f"{name}, documents a second", result["documents"] / result["seconds"]
        yield f"{name}, memory, MB", result["python_peak_mb"] + result["backend_peak_mb"]


def _against_the_import(by_run: dict[str, Result]) -> Iterable[tuple[str, Result, Result]]:
    steps = [by_run["step 1, keep 5"], by_run["step 2, keep 5"]]
    import_ = {key: sum(step[key] for step in steps) for key in ("seconds", "cpu_s")}
    yield "plan / steps 1 and 2", by_run["plan, keep 5"], import_
    yield "step 2, rows kept for an undo / not", by_run["step 2, keep 5"], by_run["step 2, keep 0"]
    yield (
        "undo / step 2 and 3",
        by_run["undo"],
        {
            key: by_run["step 2, keep 5"][key] + by_run["step 3, keep 5"][key]
            for key in ("seconds", "cpu_s")
        },
    )


def _against_floors(first: Result) -> Iterable[tuple[str, Result, Result]]:
    floors = first.get("floors", {})
    if "copy" in floors:
        yield "step 1 / COPY", first["steps"]["1"], floors["copy"]
    if "write_once" in floors:
        yield "step 3 / writing once", first["steps"]["3"], floors["write_once"]


def _against_first(by_run: dict[str, Result]) -> Iterable[tuple[str, Result, Result]]:
    for name in ("unchanged", "changed"):
        if name in by_run and "first" in by_run:
            for step, usage in by_run[name]["steps"].items():
                yield f"{name} / first, step {step}", usage, by_run["first"]["steps"][step]
            yield f"{name} / first", _total(by_run[name]), _total(by_run["first"])


def _total(result: Result) -> Result:
    return {
        key: sum(step[key] for step in result["steps"].values()) for key in ("seconds", "cpu_s")
    }


def _dagster_share(group: list[Result]) -> Iterable[tuple[str, float]]:
    by_kind = {(result["through"], result["run"]): result for result in group}
    for name in ("first", "unchanged"):
        through, plain = by_kind[("dagster", name)], by_kind[("pipeline", name)]
        yield f"dagster: seconds more, {name}", through["seconds"] - plain["seconds"]
        yield (
            f"dagster: seconds more with imports, {name}",
            through["seconds"] + through["import_s"] - plain["seconds"] - plain["import_s"],
        )


def _of_geocoding(group: list[Result]) -> Iterable[tuple[str, float]]:
    for result in group:
        if result["calls"]:
            yield f"{result['run']}: calls / accounts", result["calls"] / result["accounts"]
            yield (
                f"{result['run']}: calls / addresses as written",
                result["calls"] / result["written"],
            )
            yield f"{result['run']}: answers a second", result["calls"] / result["seconds"]
        else:
            yield f"{result['run']}: seconds", result["seconds"]


def _of_images(group: list[Result]) -> Iterable[tuple[str, float]]:
    by_run = {result.get("peer", result["run"]): result for result in group}
    first, unchanged = by_run["first"], by_run["unchanged"]
    yield "pictures a second", first["pictures_per_s"]
    for peer in ("resize", "thumbnail"):
        yield (
            f"ours / Pillow's {peer} loop, pictures a second",
            first["pictures_per_s"] / by_run[peer]["pictures_per_s"],
        )
        per_picture = by_run[peer]["cpu_s"] / by_run[peer]["pictures"]
        yield (
            f"ours / Pillow's {peer} loop, cpu a picture",
            first["cpu_s"] / first["pictures"] / per_picture,
        )
    yield "unchanged, seconds for 10,000", unchanged["seconds"] * 10_000 / unchanged["pictures"]
    yield "memory of the parent, MB", first["python_peak_mb"]
    yield "memory of the largest worker, MB", first["worker_peak_mb"]


def _of_payloads(group: list[Result]) -> Iterable[tuple[str, float]]:
    prepared = {result["run"]: result for result in group if "store_bytes" in result}
    full, floor = prepared["full"], prepared["full"]["floor"]
    yield from _wall_and_cpu("full / writing once", full, floor)
    yield "full / smallest possible, bytes", full["bytes_written"] / floor["bytes"]
    yield (
        "full / smallest possible, bytes without manifests",
        full["object_bytes_written"] / floor["bytes"],
    )
    for name, result in prepared.items():
        yield f"{name}, seconds", result["seconds"]
        yield f"{name}, memory, MB", result["python_peak_mb"] + result["backend_peak_mb"]
        if result is not full:
            yield from _wall_and_cpu(f"{name} / full", result, full)
            yield f"{name} / full, bytes written", result["bytes_written"] / full["bytes_written"]
    yield from _of_downloads([result for result in group if "changed_bytes" in result])
    for peer in (result for result in group if "all_bytes" in result):
        name = f"{peer['peer']} / full" + (
            f" (extrapolated from {peer['agents']} agents)" if peer["extrapolated"] else ""
        )
        yield from _wall_and_cpu(
            name, {key: peer[f"all_{key}"] for key in ("seconds", "cpu_s")}, full
        )
        yield f"{name}, bytes", peer["all_bytes"] / full["bytes_written"]
    ours = sum(
        result["bytes_downloaded"] for result in group if result["run"] == "sync, 2 % changed"
    )
    for peer in (result for result in group if result["run"].startswith("peer's download")):
        yield f"{peer['run']}, {peer['peer']} / ours, bytes", peer["bytes_downloaded"] / ours


def _wall_and_cpu(name: str, ours: Result, theirs: Result) -> Iterable[tuple[str, float]]:
    yield f"{name}, wall", ours["seconds"] / theirs["seconds"]
    yield f"{name}, cpu", ours["cpu_s"] / theirs["cpu_s"]


def _of_downloads(syncs: list[Result]) -> Iterable[tuple[str, float]]:
    """Over the agents of a run together; where nothing changed there is no ratio, but the bytes are
    told.
    """
    for run in dict.fromkeys(result["run"] for result in syncs):
        of_run = [result for result in syncs if result["run"] == run]
        downloaded, changed = (
            sum(r[key] for r in of_run) for key in ("bytes_downloaded", "changed_bytes")
        )
        yield f"{run}, bytes an agent", downloaded / len(of_run)
        if changed:
            yield f"{run} / changed rows, bytes", downloaded / changed
