"""The sections `import`, `guards` and `limits`: how an import runs, and what stops it or raises a
warning.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from kimo_assets.config.section import OtherForms, Section


class CustomTaskConfig(Section):
    """A program that prepares data at the ERP before they are read."""

    # The vendor's setting is the path of a script (fact sheet, section 5), so no shell is needed.
    # Without one, no value can turn into a command.
    command: tuple[str, ...] = Field(
        min_length=1,
        description=(
            "The program and its arguments, one list item each. No shell reads them. A program "
            "given by a relative path counts from the folder of kimo.yaml."
        ),
        examples=[["prepare.bat", "--full"]],
    )
    # The vendor documents neither a time-out nor exit codes (fact sheet, section 5).
    timeout_s: float = Field(
        default=1800,
        gt=0,
        description=(
            "How many seconds the program may take. Then it is ended with everything it started, "
            "and the import fails. The default is half an hour."
        ),
    )


def _command_shorthand(value: Any) -> Any:
    """`custom_task: prepare.bat` means a command without arguments, a list is the command with
    them.
    """
    if isinstance(value, str):
        return {"command": [value]}
    return {"command": value} if isinstance(value, list) else value


_COMMAND_FORMS = OtherForms(
    (
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    )
)


class ImportConfig(Section):
    """How an import runs."""

    custom_task: (
        Annotated[CustomTaskConfig, BeforeValidator(_command_shorthand), _COMMAND_FORMS] | None
    ) = Field(
        default=None,
        description=(
            "A program that prepares data at the ERP before they are read, as the vendor's "
            "Import\\CustomTask. A program alone, or a list with its arguments, is enough."
        ),
        examples=["prepare.bat"],
    )
    # Few by default, because it is the ERP's database that bears the load.
    parallel: int = Field(
        default=2,
        ge=1,
        le=16,
        description=(
            "How many entities are read from the sources at the same time, each on a connection "
            "of its own."
        ),
    )
    # The vendor documents no time-out (fact sheet, section 4). An ERP that crashed while it was
    # writing would keep the import waiting for ever.
    semaphore_wait_s: float = Field(
        default=1800,
        ge=0,
        description=(
            "How many seconds an import waits until the ERP gives ImportFromErpSemaphore free. "
            "Then it fails, and nothing was read. The default is half an hour."
        ),
    )


class GuardsConfig(Section):
    """When a loss of rows is so large that a broken export of the ERP is likelier.

    A guard acts only when both its share and its number of rows are exceeded.
    """

    # Snapshots are always complete (fact sheet, section 2). So rows that are missing are deleted
    # ones, unless the ERP's export broke off.
    max_shrink: float = Field(
        default=0.30,
        ge=0,
        le=1,
        description=(
            "The share of an entity's rows that may disappear at once. 0.30 is 30 %. A larger "
            "loss is refused, and yesterday's data stay. An empty snapshot is always refused."
        ),
    )
    # In a small table a single row is a large share.
    min_shrink_rows: int = Field(
        default=50,
        ge=0,
        description=(
            "A loss of fewer rows than this is always taken, whatever its share of the entity."
        ),
    )
    # An agent whose customers are gone can sell nothing all day.
    max_agent_shrink: float = Field(
        default=0.50,
        ge=0,
        le=1,
        description=(
            "The share of the rows that name one agent which may disappear at once. It protects "
            "an agent's customers when the entity as a whole hardly shrinks."
        ),
    )
    min_agent_rows: int = Field(
        default=20,
        ge=0,
        description=(
            "A loss of fewer rows of one agent than this is always taken, whatever its share."
        ),
    )


class LimitsConfig(Section):
    """What the checks of the data call wrong (docs/automation.md)."""

    max_rejected: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description=(
            "The share of an entity's rows that may be rejected before a check warns. 0.02 is 2 %."
        ),
    )
    # If half of the rows are wrong, it is a column or a format that is wrong, and not the rows.
    blocking_rejected: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description=(
            "The share of rejected rows from which the next step does not start. 0.5 is half of "
            "the entity's rows."
        ),
    )
    # Of three rows two may be wrong without anything being broken.
    min_blocking_rows: int = Field(
        default=50,
        ge=1,
        description=(
            "How many rows have to be rejected at least before `blocking_rejected` stops anything."
        ),
    )
    max_dangling: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description=(
            "The share of an entity's rows that may refer to rows that are not there before a "
            "check warns. 0.05 is 5 %."
        ),
    )
    fresh_hours: float = Field(
        default=26,
        gt=0,
        description=(
            "How many hours old the tablets' data may be before a check warns. The default gives "
            "a nightly import two hours of room."
        ),
    )
    # The manual names the rule and gives no default (fact sheet, section 11).
    max_hours_without_sync: float = Field(
        default=72,
        gt=0,
        description=(
            "From how many hours without a sync on the morning report names a tablet. The "
            "vendor's business rule Sync\\MaxHoursWithoutSync prevails where it is set."
        ),
    )
