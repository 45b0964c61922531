"""The sections `database`, `sync`, `history` and `retention`: where Kimo keeps what it makes, and
for how long.
"""

from pydantic import Field

from kimo_assets.config.section import Section

_POSTGRESQL = r"^postgresql(\+\w+)?://|^\$\{\w+\}"
_NOT_POSTGRESQL = "Expected a URL of PostgreSQL, e.g. postgresql://user:${PASSWORD}@host/kimo"


class DatabaseConfig(Section):
    """Kimo's own PostgreSQL: the embedded one, or yours."""

    # 17 is the first version whose COPY can skip bad rows (ON_ERROR), on which step 1 rests.
    url: str = Field(
        default="embedded",
        description=(
            "Kimo's database. `embedded` is a PostgreSQL that Kimo starts itself under `data_dir`. "
            "Otherwise the URL of your PostgreSQL, version 17 or newer."
        ),
        examples=["postgresql://kimo:${KIMO_PASSWORD}@db01/kimo"],
        json_schema_extra={
            "pattern": f"^embedded$|{_POSTGRESQL}",
            "patternErrorMessage": f"{_NOT_POSTGRESQL}, or embedded",
        },
    )
    dagster_url: str | None = Field(
        default=None,
        description=(
            "The PostgreSQL of Dagster's runs and events, where it is not the same database. Only "
            "useful with a server of yours."
        ),
        examples=["postgresql://kimo:${KIMO_PASSWORD}@db01/dagster"],
        json_schema_extra={"pattern": _POSTGRESQL, "patternErrorMessage": _NOT_POSTGRESQL},
    )


class SyncConfig(Section):
    """The payloads that tablets download."""

    store: str | None = Field(
        default=None,
        description=(
            "Where the payloads are written: a folder, or a URL of fsspec such as "
            "s3://bucket/kimo. By default the folder `sync` under `data_dir`."
        ),
        examples=["./data/sync", "s3://kimo-acme/sync"],
    )
    keep_unlisted_hours: float = Field(
        default=48,
        ge=0,
        description=(
            "How many hours an object stays that no manifest lists any more. It has to be longer "
            "than the longest sync of a tablet."
        ),
    )
    zstd_level: int = Field(
        default=3,
        ge=1,
        le=19,
        description=(
            "How hard payloads are compressed with Zstandard. A higher level makes them smaller "
            "and costs more time."
        ),
    )
    # The manual does not list the codes of channels (fact sheet, section 11), so a company tells
    # its own.
    channel_codes: tuple[str, ...] = Field(
        default=("SFA",),
        description=(
            "The codes of the field ChannelsEnabled that mean the agents' app. Rows that are "
            "enabled only for other channels do not reach the tablets."
        ),
    )


class HistoryConfig(Section):
    """What `kimo undo` can take back."""

    # Each load that can be undone keeps the former values of all rows that it changed.
    keep_loads: int = Field(
        default=5,
        ge=0,
        le=1000,
        description=(
            "How many of the last loads that changed something can be undone with `kimo undo`. "
            "With 0 no history is kept."
        ),
    )


class RetentionConfig(Section):
    """How long records of the past stay before `kimo clean` deletes them."""

    # Dagster's event log grows for ever by itself (dagster issue 33785).
    runs_days: float = Field(
        default=90,
        gt=0,
        description=(
            "How many days Dagster's runs stay, with their events and logs. The run of a "
            "partition's newest materialization stays longer."
        ),
    )
    ledger_days: float = Field(
        default=365,
        gt=0,
        description=(
            "How many days the ledger's loads, step results and answered exports stay. So do "
            "rejected rows of entities that are not mapped any more."
        ),
    )
