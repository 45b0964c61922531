"""How assets and runs are named: owners, group and guide of all, and what keeps companies apart.

A company with a Dagster of its own keeps all names as they are in the code. With `company: acme` in
kimo.yaml its assets are acme/erp_staging and so on, its pools kimo_data_acme, and its code location
is called acme.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from kimo_assets.config import KimoConfig

OWNERS = ["team:integrazione"]
# One group: of several, the UI shows closed boxes instead of the assets.
GROUP = "kimo"

# Where the operator reads on: in the project's folder, since no address of it holds for everybody.
GUIDE = {"docs": dg.MetadataValue.path("docs/operations.it.md")}

# The code location of a single company is named after the module of its definitions.
_MODULE = "kimo_assets.definitions"

# Dagster's own tag, by which the UI finds the runs of a code location.
LOCATION_TAG = ".dagster/repository"


def code_location(config: KimoConfig) -> str:
    """The location_name that workspace.yaml has to give the company."""
    return config.company or _MODULE


def asset_key(config: KimoConfig, name: str) -> dg.AssetKey:
    """The key of an asset, below the company where there are several."""
    return dg.AssetKey([config.company, name] if config.company else [name])


def pool_of(config: KimoConfig, pool: str) -> str:
    """Dagster's limits hold across all code locations, so each company has pools of its own."""
    return f"{pool}_{config.company}" if config.company else pool


def location_of(run: dg.DagsterRun) -> str | None:
    """The code location that launched the run. The `kimo` command leaves it in a tag only."""
    if run.remote_job_origin:
        return run.remote_job_origin.location_name
    return run.tags.get(LOCATION_TAG, "").rpartition("@")[2] or None


def of_another_company(config: KimoConfig, run: dg.DagsterRun | None) -> str | None:
    """The code location of the run, where it is another company's."""
    if run is None or config.company is None:
        return None
    location = location_of(run)
    return None if location == config.company else location


def assets_of(
    config: KimoConfig, assets: Sequence[dg.AssetsDefinition]
) -> list[dg.AssetsDefinition]:
    """Assets, or checks, under the company's keys."""
    if config.company is None:
        return [*assets]
    return [_renamed(config, definition) for definition in assets]


def specs_of(config: KimoConfig, specs: Sequence[dg.AssetSpec]) -> list[dg.AssetSpec]:
    """Specs under the company's keys."""
    if config.company is None:
        return [*specs]
    return [
        spec.replace_attributes(
            key=asset_key(config, spec.key.path[-1]),
            deps=[asset_key(config, dep.asset_key.path[-1]) for dep in spec.deps],
        )
        for spec in specs
    ]


def jobs_of(config: KimoConfig, jobs: Sequence[Any]) -> list[Any]:
    """Jobs of one op each, with the company's pool. Asset jobs have the pools of their assets."""
    if config.company is None:
        return [*jobs]
    return [_pooled(config, job) if isinstance(job, dg.JobDefinition) else job for job in jobs]


def _renamed(config: KimoConfig, assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    # Dagster renames only what it is told, so all keys are listed that the definitions mention.
    keys = {
        *assets.keys,
        *(key.asset_key for key in assets.check_keys),
        *assets.keys_by_input_name.values(),
        *(dep.asset_key for spec in assets.specs for dep in spec.deps),
    }
    replacements = {key: asset_key(config, key.path[-1]) for key in keys}
    return assets.with_attributes(asset_key_replacements=replacements)


def _pooled(config: KimoConfig, job: dg.JobDefinition) -> dg.JobDefinition:
    """The same job with an op in the company's pool. Dagster cannot change an op's pool."""
    (op,) = job.graph.node_defs
    assert isinstance(op, dg.OpDefinition), "our jobs are of one op"  # noqa: S101
    own = dg.OpDefinition(
        compute_fn=op.compute_fn,
        name=op.name,
        description=op.description,
        outs={"result": dg.Out(dg.Nothing)},
        config_schema=op.config_schema,
        required_resource_keys=set(op.required_resource_keys),
        tags=op.tags,
        retry_policy=op.retry_policy,
        pool=pool_of(config, op.pool) if op.pool else None,
    )
    graph = dg.GraphDefinition(name=job.name, node_defs=[own], description=job.description)
    return graph.to_job(
        name=job.name, description=job.description, tags=job.tags, hooks=set(job.hook_defs)
    )
