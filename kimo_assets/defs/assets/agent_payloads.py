"""The asset agent_payloads: what the agents' data weigh after each step 3."""

from collections.abc import Sequence
from statistics import median

import dagster as dg
from psycopg import Connection

from kimo_assets.catalog.menu import ASSET_OF_STEP, STEP_TITLES
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table, picture
from kimo_assets.defs.naming import GROUP, OWNERS, asset_key
from kimo_assets.defs.resource import KimoRun
from kimo_assets.reports import StepReport
from kimo_assets.sync.inspection.payload_size import PastWeight, history, weigh, weights_after
from kimo_assets.sync.inspection.plot import bytes_over_loads
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.store.stored_manifests import AGENTS, code_of, decode
from kimo_assets.texts import say

AGENT_PAYLOADS = "agent_payloads"

# What a page and its plot have room for. `kimo sync weight` tells of every agent.
_BIGGEST = 10
_LOADS_SHOWN = 100


def agent_payloads() -> dg.AssetSpec:
    """The asset of what the agents get. Every step 3 records it."""
    return dg.AssetSpec(
        AGENT_PAYLOADS,
        deps=[ASSET_OF_STEP[3]],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"json"},
        description=say("defs.asset.agent_payloads", title=STEP_TITLES[3]),
    )


def record_agent_payloads(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, kimo: KimoRun, report: StepReport
) -> None:
    """One materialization of agent_payloads, for the payloads after this load's step 3."""
    run = kimo.open()
    weights = weights_after(run.connection, run.load)
    # Weights are recorded after the manifests. A step that ended before them has none.
    if not weights:
        return
    metadata = agent_metadata(run.connection, Store(kimo.config.sync_store), weights)
    written = {
        name: sum(e.counts().get(name, 0) for e in report.entities.values()) for name in _WRITTEN
    }
    context.log_event(
        dg.AssetMaterialization(
            asset_key(kimo.config, AGENT_PAYLOADS), metadata={**metadata, **written}
        )
    )


_WRITTEN = ("objects_written", "bytes_written")


def agent_metadata(
    connection: Connection, store: Store, weights: Sequence[PastWeight]
) -> MetadataValues:
    """weights: after one load, heaviest first. Bytes: of a first sync, without the manifest."""
    # A user's manifest repeats the agent's data, which must not count twice.
    agents = [weight for weight in weights if weight.path.startswith(AGENTS)]
    biggest = agents[:_BIGGEST]
    lines = history(connection, [weight.path for weight in biggest], _LOADS_SHOWN)
    named = {code_of(path): line for path, line in lines.items()}
    return {
        "agents": len(agents),
        "users": len(weights) - len(agents),
        "bytes": sum(weight.bytes for weight in agents),
        "bytes of the median agent": (
            round(median(weight.bytes for weight in agents)) if agents else 0
        ),
        "bytes of the biggest agent": biggest[0].bytes if biggest else 0,
        "bytes this load brings": sum(weight.changed_bytes for weight in agents),
        "biggest agents": dg.MetadataValue.md(_table(store, biggest)),
        "bytes over loads": picture(
            "bytes of the biggest agents", bytes_over_loads(named).encode(), "svg+xml"
        ),
        # As numbers of their own, so that Dagster plots them too.
        **{f"bytes {code_of(weight.path)}": weight.bytes for weight in biggest},
    }


def _table(store: Store, biggest: Sequence[PastWeight]) -> str:
    rows = [
        [code_of(w.path), w.rows, w.bytes, w.changed_bytes, _heaviest(store, w.path)]
        for w in biggest
    ]
    return markdown_table(
        ["agent", "rows", "first sync, bytes", "this load brings, bytes", "weighs most"], rows
    )


def _heaviest(store: Store, path: str) -> str | None:
    # The store may have been emptied meanwhile. A page is no reason to fail a step.
    data = store.read_or_none(path)
    return None if data is None else weigh(decode(store, path, data), 0).heaviest
