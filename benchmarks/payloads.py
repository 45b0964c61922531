"""Step 3: how long it takes, what it writes, what agents download; beside the floor, and what
others would write.
"""

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks import companies, published
from benchmarks.bench import CHANGED_SHARE, Bench, Result
from benchmarks.child import run
from kimo_assets.config import load_config
from kimo_assets.demo import change_company

_PEERS = ("gzip JSON", "Parquet", "SQLite")


def payloads(bench: Bench, scale: str) -> Iterator[Result]:
    """A full preparation and its floor; then after nothing, a change of 2 %, and changes of the
    sales network.
    """
    for repetition in bench.times(scale):
        about = {"scenario": "payloads", "scale": scale, "repetition": repetition}
        for result in _Payloads(bench, scale).results():
            yield about | result


def _imported(bench: Bench, scale: str) -> Path:
    """The company after steps 1 and 2, imported once for each form of the database's tables."""
    folder = files("kimo_assets.database")
    sources = sorted(path.name for path in folder.iterdir() if path.name.endswith((".py", ".sql")))
    digest = blake2b(
        b"".join(folder.joinpath(name).read_bytes() for name in sources), digest_size=4
    ).hexdigest()
    directory = bench.folder / "imported" / f"{scale}-{digest}"
    if not directory.exists():
        for outdated in directory.parent.glob(f"{scale}-*"):
            shutil.rmtree(outdated)
        unfinished = directory.with_name(f"{directory.name}.unfinished")
        config = companies.fresh_copy(bench.pristine(scale), unfinished)
        run("imports", config=str(config), steps=[1, 2])
        run("preparation", config=str(config), vacuum=True)
        unfinished.rename(directory)
    return directory


class _Payloads:
    """One repetition, in a copy of the imported company."""

    def __init__(self, bench: Bench, scale: str) -> None:
        self._bench = bench
        self._directory = bench.folder / "payloads"
        shutil.rmtree(self._directory, ignore_errors=True)
        # With its owners: as root, the embedded server runs as a user of its own.
        subprocess.run(["cp", "-a", _imported(bench, scale), self._directory], check=True)
        self._config = str(self._directory / "kimo.yaml")
        self._erp = self._directory / "erp.sqlite"
        self._store = Path(load_config(self._config).sync_store)
        self._tablets = str(self._directory / "tablets")

    def results(self) -> Iterator[Result]:
        yield {"run": "full"} | run("preparation", config=self._config, with_floor=True)
        yield {"run": "no change"} | run("preparation", config=self._config)
        agents = self._sample()
        yield from self._downloads("first", agents)
        peers = list(self._peers(agents))
        yield from (
            {name: value for name, value in peer.items() if name != "sizes"} for peer in peers
        )
        change_company(self._directory, CHANGED_SHARE)
        yield self._prepared("2 % changed", [])
        downloads = list(self._downloads("2 % changed", agents))
        yield from downloads
        yield from _downloads_of_peers(peers, downloads)
        yield from self._downloads("no change", agents)
        # From the middle of the sample: neither an agent with hardly any customers nor a manager
        # who has them all.
        outwards = sorted(agents, key=lambda agent: abs(2 * agents.index(agent) - len(agents) + 1))
        customer, *concerned = companies.move_account(self._erp, outwards)
        yield {"customer": customer} | self._prepared("one account moved", companies.NETWORK)
        yield from self._downloads("one account moved", concerned)
        companies.add_agent(self._erp, like=concerned[0])
        yield self._prepared("one agent more", companies.NETWORK)
        companies.remove_agent(self._erp)
        yield self._prepared("one agent less", companies.NETWORK)
        shutil.rmtree(self._directory)

    def _prepared(self, name: str, entities: Sequence[str]) -> Result:
        """Steps 1 and 2 of these entities, or all; then step 3, which alone counts."""
        run("imports", config=self._config, steps=[1, 2], entities=entities)
        return {"run": name} | run("preparation", config=self._config)

    def _sample(self) -> list[str]:
        """Agents spread over the sizes, from the smallest to the largest."""
        self._rows = {
            agent: published.rows_of(manifest)
            for agent, manifest in published.manifests(self._store).items()
        }
        ordered = sorted(self._rows, key=lambda agent: (self._rows[agent], agent))
        wanted = min(self._bench.agents or len(ordered), len(ordered))
        return [ordered[round(n * (len(ordered) - 1) / max(wanted - 1, 1))] for n in range(wanted)]

    def _downloads(self, name: str, agents: Sequence[str]) -> Iterator[Result]:
        found = run("downloads", config=self._config, agents=agents, folder=self._tablets)
        for result in found["agents"]:
            yield {"run": f"sync, {name}"} | result

    def _peers(self, agents: Sequence[str]) -> Iterator[Result]:
        """all_*: for every agent, in proportion to their rows where not all were written
        (extrapolated).
        """
        share = sum(self._rows.values()) / sum(self._rows[agent] for agent in agents)
        for kind in _PEERS:
            if kind == "Parquet" and not importlib.util.find_spec("pyarrow"):
                self._bench.say(
                    "skipped: Parquet, because pyarrow is not installed here (pip install"
                    " 'kimo_assets[bench]')"
                )
                continue
            work: dict[str, Any] = {
                "config": self._config,
                "agents": agents,
                "tablets": self._tablets,
            }
            result = run("peers", kind=kind, folder=str(self._directory / "peer"), **work)
            totals = {
                f"all_{name}": round(result[name] * share, 3)
                for name in ("seconds", "cpu_s", "bytes", "rows")
            }
            yield (
                {"run": "peer", "peer": kind, "agents": len(agents), "extrapolated": share > 1}
                | result
                | totals
            )


def _downloads_of_peers(peers: Sequence[Result], downloads: Sequence[Result]) -> Iterator[Result]:
    """What agents would fetch after the change: the files in which anything changed, at their size
    of before.
    """
    for peer in peers:
        sizes = peer["sizes"]
        fetched = sum(
            size
            for sync in downloads
            for name, size in sizes[sync["agent"]].items()
            if (name in sync["changed"] if name else sync["changed"])
        )
        yield {
            "run": "peer's download, 2 % changed",
            "peer": peer["peer"],
            "bytes_downloaded": fetched,
        }
