"""What a step did, per entity: frozen values with counts, as JSON and as a line. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

from kimo_assets.errors import KimoError, error_class, in_one_line

Status = Literal["ok", "unchanged", "failed", "skipped"]
Step = Literal[1, 2, 3]
Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class EntityReport:
    """One entity in one step. `error` in one sentence when status is failed.

    guard: why a guard would have stopped it, had nobody allowed it. cause: the name of the error's
    class, by which programs decide what helps. Nothing reads the sentence for that.
    """

    entity: str
    seconds: float = 0.0
    status: Status = "ok"
    error: str | None = None
    guard: str | None = None
    cause: str | None = None

    def counts(self) -> dict[str, Any]:
        """The figures of this step, without the common fields."""
        return {key: value for key, value in asdict(self).items() if key not in _COMMON}

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        guard = {}
        if self.guard:
            guard["guard"] = self.guard
        return {
            **self.counts(),
            **guard,
            "seconds": round(self.seconds, 3),
            "status": self.status,
            "error": self.error,
        }


_COMMON = ("entity", "seconds", "status", "error", "guard", "cause", "notes")


@dataclass(frozen=True)
class StagedEntity(EntityReport):
    """Step 1. read = staged + rejected; rules: how many rows each rule refused.

    rejected_new: of those rejected, the ones that were not refused before.
    """

    read: int = 0
    staged: int = 0
    rejected: int = 0
    rejected_new: int = 0
    rules: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RetriedEntity(StagedEntity):
    """Rejected rows of step 1, read again. The figures of the snapshot are those it has now.

    retried = good + still_refused + gone (from the ERP, so forgotten). without_key: rejected rows
    that could not be looked up, and stay.
    """

    retried: int = 0
    good: int = 0
    still_refused: int = 0
    gone: int = 0
    without_key: int = 0


@dataclass(frozen=True)
class LoadedEntity(EntityReport):
    """Step 2. held: rows with pending edits in Kimo that the snapshot would have changed; refused:
    owner missing.

    refused_new: of those refused, the ones that were not refused before. dangling: references that
    point nowhere, by field.
    """

    inserted: int = 0
    updated: int = 0
    archived: int = 0
    unchanged: int = 0
    held: int = 0
    refused: int = 0
    refused_new: int = 0
    dangling: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ReloadedEntity(LoadedEntity):
    """Step 2 after a retry. retried: rows it had refused before; those refused no more are loaded,
    or gone.
    """

    retried: int = 0


@dataclass(frozen=True)
class AnswersEntity(LoadedEntity):
    """Step 2 of the ERP's answers to what was exported, and what they brought about.

    acknowledged: records that the ERP has taken over; bound: those of them that got the ERP's Id.
    refused_by_erp: records that it did not take. not_bound: answers that contradict what Kimo has;
    unknown: that name no record of Kimo's. notes: sentences about these, for the operator.
    """

    acknowledged: int = 0
    bound: int = 0
    refused_by_erp: int = 0
    not_bound: int = 0
    unknown: int = 0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        document = super().as_json()
        if self.notes:
            document["notes"] = list(self.notes)
        return document


@dataclass(frozen=True)
class PublishedEntity(EntityReport):
    """Step 3. rows: distinct rows some agent sees; bytes: compressed; agents: how many see any.

    rows_put, rows_removed: of these, new or seen otherwise or with other values than before, and no
    longer seen by anybody.
    """

    rows: int = 0
    rows_put: int = 0
    rows_removed: int = 0
    objects: int = 0
    objects_written: int = 0
    bytes: int = 0
    bytes_written: int = 0
    agents: int = 0


_Report = TypeVar("_Report", bound=EntityReport)


def failed_report(
    report_class: type[_Report],
    entity: str,
    seconds: float,
    error: Exception,
    message: str | None = None,
) -> _Report:
    """The report of an entity that an error stopped. message: None means what the error says."""
    return report_class(
        entity,
        seconds,
        status="failed",
        error=message or in_one_line(error),
        cause=type(error).__name__,
    )


@dataclass(frozen=True)
class StepReport:
    step: int
    entities: dict[str, EntityReport]

    @property
    def failures(self) -> dict[str, str]:
        return {
            name: report.error or "failed"
            for name, report in self.entities.items()
            if report.status == "failed"
        }

    @property
    def causes(self) -> dict[str, type[KimoError]]:
        """By entity, the class of the error that stopped it."""
        return {name: error_class(self.entities[name].cause) for name in self.failures}

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {name: report.as_json() for name, report in self.entities.items()}


# By name, because that is what the ledger keeps.
_KINDS: dict[str, type[EntityReport]] = {
    kind.__name__: kind
    for kind in (
        EntityReport,
        StagedEntity,
        RetriedEntity,
        LoadedEntity,
        ReloadedEntity,
        AnswersEntity,
        PublishedEntity,
    )
}


def entity_report(kind: str | None, values: dict[str, Any]) -> EntityReport:
    """The report that was recorded as `kind` with these values; a plain one of older loads."""
    report_class = _KINDS.get(kind or "", EntityReport)
    # A report that an earlier version recorded may have fields that are gone.
    fields_of_class = {field.name for field in fields(report_class)}
    kept = {name: value for name, value in values.items() if name in fields_of_class}
    # JSON knows no tuples.
    if "notes" in kept:
        kept["notes"] = tuple(kept["notes"] or ())
    return report_class(**kept)


@dataclass(frozen=True)
class ImportReport:
    """A whole run: the steps it did, in order."""

    run_id: str | None
    load: int
    success: bool
    seconds: float
    steps: dict[int, StepReport]

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "run_id": self.run_id,
            "load": self.load,
            "success": self.success,
            "seconds": round(self.seconds, 3),
            # Keys of JSON are texts.
            "steps": {str(number): step.as_json() for number, step in self.steps.items()},
        }

    @property
    def failures(self) -> dict[int, dict[str, str]]:
        return {number: step.failures for number, step in self.steps.items() if step.failures}


@dataclass(frozen=True)
class Finding:
    """What an inspection says of one subject: a folder, a setting, an entity, a file.

    message: a sentence with what to do. details: the same as names and figures, for programs.
    """

    level: Level
    subject: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "level": self.level,
            # Programs read this name, so that it outlived the field's.
            "what": self.subject,
            "message": self.message,
            **self.details,
        }


@dataclass(frozen=True)
class Problem:
    """Something that a task could not do and went past: what (a file, a URL, a customer), and why,
    in a sentence.
    """

    what: str
    why: str


@dataclass(frozen=True)
class TaskReport:
    """What one of the menu's side jobs did. title: the menu's entry. notes: sentences for whoever
    reads the result.

    counts: figures by name, also those that are zero. problems: all of them, most important first.
    """

    title: str
    seconds: float
    counts: dict[str, int]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    run_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class HeldRecord:
    """A record that could not be sent: it stays as it is, and the next export tries again."""

    entity: str
    id: str
    sync_reference: str | None
    why: str


@dataclass(frozen=True)
class ExportedEntity:
    """What an export did with the heads of one entity. rows: heads and their parts that were
    written to the ERP.

    ready: heads that were to be sent; sent + held + waiting = ready. held: could not be sent;
    waiting: for another record. recovered: of a run that was killed, found at the ERP or sent
    again.
    """

    entity: str
    ready: int = 0
    sent: int = 0
    held: int = 0
    waiting: int = 0
    recovered: int = 0
    rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class ExportReport:
    """held: the records that could not be sent, or wait for another one, and why."""

    seconds: float
    entities: dict[str, ExportedEntity]
    held: tuple[HeldRecord, ...] = ()
    notes: tuple[str, ...] = ()
    load: int | None = None
    run_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def by_reason(failures: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """A source that cannot be reached fails many entities with one sentence: it is said once."""
    grouped: dict[str, list[str]] = {}
    for entity, reason in failures:
        grouped.setdefault(reason, []).append(entity)
    return grouped


# What ops.run_report keeps: a side job's report, an export's, that of the settings alone.
RunReport = TaskReport | ExportReport | StepReport


def report_record(report: RunReport) -> tuple[str, dict[str, Any]]:
    """The report's class and its values, for JSON."""
    if isinstance(report, StepReport):
        # With its class, because a step's reports are of several kinds.
        entities = [
            {"kind": type(entity).__name__, **asdict(entity)} for entity in report.entities.values()
        ]
        return "StepReport", {"step": report.step, "entities": entities}
    return type(report).__name__, asdict(report)


def report_from_record(kind: str, values: dict[str, Any]) -> RunReport:
    """The same report again, from what report_record gave."""
    match kind:
        case "TaskReport":
            problems = tuple(Problem(**problem) for problem in values["problems"])
            notes = tuple(values["notes"])
            return TaskReport(**{**values, "problems": problems, "notes": notes})
        case "ExportReport":
            entities = {
                name: ExportedEntity(**entity) for name, entity in values["entities"].items()
            }
            held = tuple(HeldRecord(**record) for record in values["held"])
            notes = tuple(values["notes"])
            return ExportReport(**{**values, "entities": entities, "held": held, "notes": notes})
        # Of the settings alone. The steps of an import are in ops.step_result.
        case _:
            reports = [entity_report(entity["kind"], entity) for entity in values["entities"]]
            return StepReport(values["step"], {report.entity: report for report in reports})
