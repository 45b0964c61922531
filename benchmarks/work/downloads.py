"""Some agents' syncs by the reference client, each against what has really changed in the agent's
file.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import published
from benchmarks.difference import difference
from benchmarks.meter import Meter
from kimo_assets.config import load_config
from kimo_assets.sync.client.client import sync_agent


def run(config: str, agents: Sequence[str], folder: str) -> dict[str, Any]:
    """folder: for the agents' files. Returns the agents' figures; changed: rows by entity."""
    store = load_config(config).sync_store
    manifests = published.manifests(Path(store))
    Path(folder).mkdir(exist_ok=True)
    return {"agents": [_sync(store, manifests[agent], Path(folder)) for agent in agents]}


def _sync(store: str, manifest: published.Manifest, folder: Path) -> dict[str, Any]:
    agent = manifest["agent"]
    file, before = folder / f"{agent}.sqlite", folder / "before.sqlite"
    before.unlink(missing_ok=True)
    if file.exists():
        shutil.copyfile(file, before)
    with Meter([]) as meter:
        result = sync_agent(store, agent, file)
        usage = meter.lap()
    changed = difference(manifest, before, file)
    before.unlink(missing_ok=True)
    return usage.as_json() | {
        "agent": agent,
        "objects_downloaded": result.objects_downloaded,
        "bytes_downloaded": result.bytes_downloaded,
        "changed_rows": sum(changed.rows.values()),
        "changed_bytes": changed.byte_count,
        "changed": changed.rows,
    }
