"""The check of step 3: a sample of the payloads is read again, as a tablet would read them."""

from collections.abc import Sequence

from psycopg import Connection

from kimo_assets.config import KimoConfig
from kimo_assets.quality.finding import Check, CheckResult
from kimo_assets.reports import Finding
from kimo_assets.sync.inspection.verify import (
    SAMPLE_BYTES,
    Damage,
    VerificationReport,
    verify_published,
)
from kimo_assets.sync.store.store import Store
from kimo_assets.texts import say

_CODES_SHOWN = 5


def payloads_are_whole(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    """An error that fails no run: the data are in Kimo, and the tablets keep what they have."""
    # A sample, because all of it would take as long as preparing it. `kimo sync verify --all` reads
    # all.
    verdict = verify_published(connection, Store(config.sync_store))
    figures = {
        "manifests read": verdict.manifests,
        "objects found": verdict.objects_found,
        "objects read": verdict.objects,
        "bytes read": verdict.bytes,
    }
    findings = [_finding(damage) for damage in verdict.damages]
    return CheckResult(in_words(verdict), findings, figures, severity="error")


PAYLOADS_ARE_WHOLE = Check(
    "payloads_are_whole",
    "sync_payloads",
    payloads_are_whole,
    count_key="damages",
    table_key="what is damaged",
    shown=20,
    values={"megabytes": SAMPLE_BYTES // 1_000_000},
)


def in_words(verdict: VerificationReport) -> str:
    """One sentence: all is whole, or the first damage with what to do."""
    if verdict.is_whole:
        return say(
            "quality.payloads.whole",
            manifests=verdict.manifests,
            objects=verdict.objects,
            objects_found=verdict.objects_found,
        )
    first = verdict.damages[0]
    sentence = say(
        "quality.payloads.damage",
        file=first.path,
        message=first.sentence,
        codes=_codes(first.concerns),
        remedy=first.remedy.capitalize(),
    )
    more = len(verdict.damages) - 1
    if more:
        sentence += f" {say('quality.more', count=more)}"
    return sentence


def _finding(damage: Damage) -> Finding:
    details = {
        "file": damage.path,
        "what": damage.sentence,
        "concerns": _codes(damage.concerns),
        "remedy": damage.remedy,
    }
    return Finding("error", damage.path, damage.sentence, details)


def _codes(codes: Sequence[str]) -> str:
    named = ", ".join(codes[:_CODES_SHOWN])
    if len(codes) <= _CODES_SHOWN:
        return named
    return say("quality.payloads.codes", codes=named, count=len(codes) - _CODES_SHOWN)
