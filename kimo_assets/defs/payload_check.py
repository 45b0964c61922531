"""The asset check of step 3: a sample of the payloads is read again, as a tablet would.

It runs with every job that contains step 3. What it finds does not fail the run: the data are in
Kimo, and the tablets keep what they have.
"""

import dagster as dg

from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.sync.inspection.verify import SAMPLE_BYTES, Verdict, verify_published
from kimo_assets.sync.store.store import Store

PAYLOADS_ARE_WHOLE = "payloads_are_whole"

_DESCRIPTION = (
    "Reads a sample of what step 3 has left in the store: the manifests of the biggest agents and"
    f" of some others, and up to {SAMPLE_BYTES // 1_000_000} MB of their objects; presence, size,"
    " SHA-256 and rows of each, and that the changes lead where they should. Every agent must have"
    " a manifest. What to do: it says it of each damaged file, as does `kimo sync verify --all`,"
    " which reads everything."
)
_ROWS_SHOWN = 20
_CODES_SHOWN = 5


def build_checks(asset: str) -> list[dg.AssetChecksDefinition]:
    @dg.asset_check(
        asset=asset,
        name=PAYLOADS_ARE_WHOLE,
        description=_DESCRIPTION,
        required_resource_keys={RESOURCE},
    )
    def payloads_are_whole(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        verdict = _verify(getattr(context.resources, RESOURCE))
        return dg.AssetCheckResult(
            passed=verdict.is_whole,
            severity=dg.AssetCheckSeverity.ERROR,
            description=in_words(verdict),
            metadata=_metadata(verdict),
        )

    return [payloads_are_whole]


def record_check(context: dg.OpExecutionContext, kimo: KimoRun, asset: str) -> None:
    """The same check from an op that has done step 3."""
    verdict = _verify(kimo)
    evaluation = dg.AssetCheckEvaluation(
        asset_key=asset_key(kimo.config, asset),
        check_name=PAYLOADS_ARE_WHOLE,
        passed=verdict.is_whole,
        severity=dg.AssetCheckSeverity.ERROR,
        description=in_words(verdict),
        metadata=_metadata(verdict),
    )
    context.log_event(evaluation)  # type: ignore[arg-type]  # it takes evaluations too, its annotation lacks them


def _verify(kimo: KimoRun) -> Verdict:
    # Not the run's connection: asked for by itself, the check takes no lock and no load number.
    with kimo.database().connect() as connection:
        return verify_published(connection, Store(kimo.config.sync_store))


def in_words(verdict: Verdict) -> str:
    """One sentence: all is whole, or what is wrong first, and what to do."""
    if verdict.is_whole:
        return (
            f"{verdict.manifests} manifests and {verdict.objects} of their {verdict.objects_found}"
            " objects are whole."
        )
    first = verdict.damages[0]
    more = f" And {len(verdict.damages) - 1} more." if len(verdict.damages) > 1 else ""
    return (
        f"{first.what}: {first.sentence}; concerns {_codes(first.concerns)}."
        f" {first.remedy.capitalize()}.{more}"
    )


def _metadata(verdict: Verdict) -> MetadataValues:
    values: MetadataValues = {
        "manifests read": verdict.manifests,
        "objects found": verdict.objects_found,
        "objects read": verdict.objects,
        "bytes read": verdict.bytes,
        "damages": len(verdict.damages),
    }
    if verdict.damages:
        rows = [
            [d.what, d.sentence, _codes(d.concerns), d.remedy]
            for d in verdict.damages[:_ROWS_SHOWN]
        ]
        values["what is damaged"] = dg.MetadataValue.md(
            markdown_table(["file", "what", "concerns", "what to do"], rows)
        )
    return values


def _codes(codes: list[str]) -> str:
    more = f" and {len(codes) - _CODES_SHOWN} more" if len(codes) > _CODES_SHOWN else ""
    return ", ".join(codes[:_CODES_SHOWN]) + more
