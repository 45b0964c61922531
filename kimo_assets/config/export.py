"""The section `export`: what goes to the ERP, into which tables and in which form."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kimo_assets.config.entities import TABLE_FORMS
from kimo_assets.config.section import Code, DayOrCode, OtherForms, Section, WrittenDate
from kimo_assets.config.sources import SystemId
from kimo_assets.config.transformations import TransformationField


class ExportFormats(Section):
    """How values are written for the ERP: IntegratorSystemSetting's settings of an export."""

    date: WrittenDate | None = Field(
        default=None,
        description=(
            "The format of days in columns of text or numbers, as the vendor's DateExportFormat. "
            "By default the format of the source, else 2026-01-31."
        ),
        examples=["yyyyMMdd"],
    )
    datetime: WrittenDate | None = Field(
        default=None,
        description=(
            "The format of moments in columns of text or numbers, as the vendor's "
            "DateTimeExportFormat. By default the format of the source, else 2026-01-31 10:11:12."
        ),
        examples=["yyyyMMddHHmmss"],
    )
    # ZeroOne is the only value that the vendor has (fact sheet, section 7).
    boolean: Literal["zero_one"] | None = Field(
        default=None,
        description=(
            "How flags are written into columns of text. `zero_one` writes 1 and 0, as the "
            "vendor's BooleanFormat ZeroOne. By default True and False."
        ),
    )
    null_date: DayOrCode | None = Field(
        default=None,
        description=(
            "What is written for a day or moment without a value, as the vendor's DateNullValue. "
            "By default NULL."
        ),
    )
    null_boolean: Code | None = Field(
        default=None,
        description=(
            "What is written for a flag without a value, as the vendor's BooleanNullValue. By "
            "default NULL."
        ),
    )
    null_number: Code | None = Field(
        default=None,
        description=(
            "What is written for a number or a coded field without a value, as the vendor's "
            "NumericNullValue. By default NULL."
        ),
    )
    null_text: Code | None = Field(
        default=None,
        description=(
            "What is written for a text without a value, as the vendor's StringNullValue. By "
            "default NULL."
        ),
    )
    case: Literal["invariant", "upper"] = Field(
        default="invariant",
        description=(
            "`upper` writes all texts in capitals, as the vendor's StringCase. `invariant` leaves "
            "them as they are."
        ),
    )
    single_line: bool = Field(
        default=False,
        description=(
            "Whether a line break in a text becomes a blank, as with the vendor's "
            "SingleLineStrings."
        ),
    )
    shipment_site_split: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description=(
            "The character after which the id of a document's ship-to site begins, as the "
            "vendor's ShipmentSiteIdSplitChar. By default ids are written whole."
        ),
    )
    item_split: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description=(
            "The character after which the id of a document line's item begins, as the vendor's "
            "ItemIdSplitChar. By default ids are written whole."
        ),
    )
    # Such lines name no item that the ERP knows (fact sheet, section 7).
    idrolab_item: Code | None = Field(
        default=None,
        description=(
            "The item that is written for lines from the Idrolab catalogue, as the vendor's "
            "IdrolabItemId."
        ),
    )


class ExportMapping(Section):
    """Where an entity goes."""

    table: str | None = Field(
        default=None,
        description="The ERP's table. By default the one of the entity's own name.",
        examples=["dbo.ORDINI"],
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Kimo's field, and the ERP's column that takes it. Every other field goes into the "
            "column of its own name, where there is one."
        ),
        examples=[{"Id": "NUMERO", "Notes": "NOTE"}],
    )
    transform: dict[str, TransformationField] = Field(
        default_factory=dict,
        description=(
            "Kimo's field, and the steps that make what is written. The columns that a step reads "
            "are Kimo's fields of the same row (docs/export.md)."
        ),
        examples=[{"AccountId": {"RemovePrefix": "Account_"}}],
    )


def _export_shorthand(value: Any) -> Any:
    """`Document: ORDERS` means `Document: {table: ORDERS}`, an empty value means the table of the
    same name.
    """
    if isinstance(value, str):
        return {"table": value}
    return {} if value is None else value


class ExportConfig(Section):
    """What Kimo created or edited goes into the ERP's tables."""

    source: SystemId = Field(
        default="erp",
        description="The source into whose tables Kimo writes, one of those under `sources`.",
    )
    # A larger batch holds locks in the ERP's tables for longer, and leaves more in doubt by a
    # crash.
    batch: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description=(
            "How many records, with their lines, are written in one transaction at the ERP."
        ),
    )
    marker: str = Field(
        default="KimoExportBatch",
        description=(
            "The table beside the ERP's in which Kimo notes each batch, so that no record is ever "
            "sent twice. Kimo creates it where it may (docs/export.md)."
        ),
    )
    # Shorter than an import's wait: the next export takes along what this one could not send.
    semaphore_wait_s: float = Field(
        default=600,
        ge=0,
        description=(
            "How many seconds an export waits until the ERP gives ExportToErpSemaphore free. Then "
            "it fails, and nothing was sent. The default is ten minutes."
        ),
    )
    formats: ExportFormats = Field(
        default=ExportFormats(),
        description=(
            "How values are written for the ERP. These are the vendor's settings of an export in "
            "IntegratorSystemSetting."
        ),
    )
    entities: dict[
        str, Annotated[ExportMapping, BeforeValidator(_export_shorthand), OtherForms(TABLE_FORMS)]
    ] = Field(
        default_factory=dict,
        description=(
            "The entities that are sent to the ERP, and where each goes. Only what is listed here "
            "is sent. A table's name alone is enough."
        ),
    )
