"""The adapter from a check of quality/ to Dagster's asset checks. No rule about data lives here.

A check runs with the assets' own jobs. Op jobs record it with `record`, so that it does not matter
which job has done the step.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from kimo_assets.config import KimoConfig
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.quality import ALL_CHECKS, Check, CheckResult
from kimo_assets.quality.data_checks import raise_if_blocked
from kimo_assets.quality.finding import columns_of

_SEVERITIES = {"warning": dg.AssetCheckSeverity.WARN, "error": dg.AssetCheckSeverity.ERROR}


def build_checks() -> list[dg.AssetChecksDefinition]:
    """Every check of quality/ as an asset check."""
    return [_asset_check(check) for check in ALL_CHECKS]


def record(context: dg.OpExecutionContext, kimo: KimoRun, asset: str) -> None:
    """Records the checks of an asset from an op that has brought it up to date."""
    for check in ALL_CHECKS:
        if check.asset == asset:
            _log(context, evaluation(kimo.config, check, _evaluate(kimo, check)))


def evaluation(config: KimoConfig, check: Check, result: CheckResult) -> dg.AssetCheckEvaluation:
    """The result as an event of the check's asset."""
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(config, check.asset),
        check_name=check.name,
        passed=result.passed,
        severity=_SEVERITIES[result.severity],
        description=result.sentence,
        metadata=_metadata(check, result),
        blocking=check.is_blocking,
    )


def _asset_check(check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=check.asset,
        name=check.name,
        description=check.description,
        blocking=check.is_blocking,
        required_resource_keys={RESOURCE},
    )
    def evaluate(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        kimo: KimoRun = getattr(context.resources, RESOURCE)
        result = _evaluate(kimo, check)
        # Who allowed a loss for this run has allowed it to its checks as well as to its guards.
        if _is_allowed(context.run.run_config, check.asset):
            result = result.allowed()
        if result.blocking and kimo.run is not None:
            # The run ends here, and with it the result that would have been recorded.
            _log(context.op_execution_context, evaluation(kimo.config, check, result))
            kimo.do(lambda run: raise_if_blocked(result, run.config))
        return dg.AssetCheckResult(
            passed=result.passed,
            severity=_SEVERITIES[result.severity],
            description=result.sentence,
            metadata=_metadata(check, result),
        )

    return evaluate


def _is_allowed(run_config: Mapping[str, Any], asset: str) -> bool:
    # A check has no configuration of its own, so the asset's counts for both.
    ops = run_config.get("ops", {})
    return bool(ops.get(asset, {}).get("config", {}).get("allow_shrink"))


def _evaluate(kimo: KimoRun, check: Check) -> CheckResult:
    load = kimo.run.load if kimo.run else None
    # A connection of its own: a check that runs by itself takes no lock and no load number.
    with kimo.database().connect() as connection:
        return check.evaluate(connection, kimo.config, load)


def _log(context: dg.OpExecutionContext, event: dg.AssetCheckEvaluation) -> None:
    # Dagster takes evaluations too. Its annotation leaves them out.
    context.log_event(event)  # type: ignore[arg-type]


def _metadata(check: Check, result: CheckResult) -> MetadataValues:
    values: MetadataValues = {check.count_key: len(result.findings), **result.figures}
    if result.findings:
        # Every event stays in Dagster's log, so a table in it has a limit.
        shown = result.findings[: check.shown]
        rows = [list(finding.details.values()) for finding in shown]
        table = markdown_table(columns_of(shown), rows)
        values[check.table_key] = dg.MetadataValue.md(table)
    return values
