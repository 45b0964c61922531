"""The section `sources`: the databases from which Kimo reads, and to which it exports."""

from typing import Literal, get_args

from pydantic import Field
from sqlalchemy.engine import URL, make_url

from kimo_assets.config.section import Code, DayOrCode, Section, WrittenDate

SystemId = Literal["erp", "crm"]
SYSTEMS: tuple[str, ...] = get_args(SystemId)


class FormatsConfig(Section):
    """How a source writes days and moments that it keeps as text or number."""

    # In .NET's notation, so that values of IntegratorSystemSetting can be taken over as they are
    # (fact sheet, section 7).
    date: WrittenDate | None = Field(
        default=None,
        description=(
            "The format of days, in .NET's notation as in the vendor's DateFormat. Without it a "
            "day is year first: 2026-01-31 or 20260131."
        ),
        examples=["dd/MM/yyyy", "yyyyMMdd"],
    )
    datetime: WrittenDate | None = Field(
        default=None,
        description=(
            "The format of moments, in .NET's notation as in the vendor's DateTimeFormat. Without "
            "it a moment is year first, as in ISO 8601."
        ),
        examples=["dd/MM/yyyy HH:mm:ss"],
    )


class NoValueConfig(Section):
    """What means "no value" beside NULL and the empty text (fact sheet, section 8)."""

    keys: tuple[Code, ...] = Field(
        default=("0",),
        description=(
            "Values that mean no value in columns that refer to another row. The default, 0, is "
            "the vendor's convention."
        ),
    )
    dates: tuple[DayOrCode, ...] = Field(
        default=("-1",),
        description=(
            "Values that mean no value in days and moments. The default, -1, is the vendor's "
            "convention. A day, written year first, also means its midnight."
        ),
        examples=[["-1", "1753-01-01"]],
    )


class SourceConfig(Section):
    """An integration database: where it is, and how its values are read."""

    url: str = Field(
        description=(
            "The database, as a SQLAlchemy URL. A relative SQLite path counts from the folder of "
            "kimo.yaml. Write a password as ${VARIABLE}, so that it stays out of the file."
        ),
        examples=[
            "mssql+pyodbc://kimo:${ERP_PASSWORD}@erp01/INTEGRATION"
            "?driver=ODBC+Driver+18+for+SQL+Server",
            "sqlite:///erp.sqlite",
        ],
    )
    reader: Literal["auto", "cursor"] = Field(
        default="auto",
        description=(
            "How rows are fetched. `auto` takes the fastest way that gives the source's rows "
            "exactly. `cursor` always takes the driver's cursor, which is slower."
        ),
    )
    formats: FormatsConfig = Field(
        default=FormatsConfig(),
        description=(
            "How this source writes days and moments that it keeps as text or number. Columns of "
            "a date type need no format."
        ),
    )
    no_value: NoValueConfig = Field(
        default=NoValueConfig(),
        description='What means "no value" in this source, beside NULL and the empty text.',
    )
    # At night the ERP's server is restarted or backed up. That alone must not cost an import.
    connect_attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description=(
            "How often a connection is tried before the run fails. The pause between two attempts "
            "grows."
        ),
    )
    lock_timeout_s: float = Field(
        default=60,
        gt=0,
        description=(
            "How many seconds a statement waits for a table that another session has locked. Then "
            "the entity fails, and the message names that session."
        ),
    )

    @property
    def sqlalchemy_url(self) -> URL:
        return make_url(self.url)
