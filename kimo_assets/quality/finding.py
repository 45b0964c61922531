"""What a check is and what it answers. The checks themselves are in the modules beside this one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from psycopg import Connection

from kimo_assets.config import KimoConfig
from kimo_assets.reports import Finding
from kimo_assets.texts import say

Severity = Literal["warning", "error"]


@dataclass(frozen=True)
class CheckResult:
    """findings: the worst first; none when all is well. sentence: the result, with what to do.

    figures: numbers to show beside the findings. severity: of a failure.
    blocking: why the next step must not start; None when it may.
    """

    sentence: str
    findings: Sequence[Finding] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "warning"
    blocking: str | None = None

    @property
    def passed(self) -> bool:
        return not self.findings

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(finding.subject for finding in self.findings)

    def allowed(self) -> "CheckResult":
        """The same result for a run that may go on in spite of it."""
        # Still a finding: what the operator has allowed should be seen in the UI.
        return replace(self, blocking=None, severity="warning")


# The number is that of the load whose run asks; None when the check runs by itself.
CheckFunction = Callable[[Connection, KimoConfig, int | None], CheckResult]


@dataclass(frozen=True)
class Check:
    """A check of an asset. is_blocking: its failure may keep the next step from starting.

    count_key, table_key: under which names the UI shows how many findings there are, and which.
    shown: how many of them it shows. values: what the description names.
    """

    name: str
    asset: str
    evaluate: CheckFunction
    is_blocking: bool = False
    count_key: str = "found"
    table_key: str = "what"
    shown: int = 30
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it demands, and what to do when that is not so."""
        return say(f"quality.description.{self.name}", **self.values)


def columns_of(findings: Sequence[Finding]) -> list[str]:
    """The headings of a table of findings, in the reader's language."""
    if not findings:
        return []
    return [say(f"quality.column.{name}") for name in findings[0].details]
