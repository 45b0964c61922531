"""kimo.yaml as a whole. Each of its sections has a module of its own, named after the subject.

A default is the safe choice.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr, model_validator

from kimo_assets.catalog import load_catalog
from kimo_assets.config.automation import EntitiesSchedule, SchedulesConfig
from kimo_assets.config.entities import EntityMapping, Mappings
from kimo_assets.config.export import ExportConfig, ExportFormats, ExportMapping
from kimo_assets.config.geocoding import GeocodingConfig
from kimo_assets.config.images import IMAGE_ENTITIES, DownloadConfig, ImagesConfig
from kimo_assets.config.importing import CustomTaskConfig, GuardsConfig, ImportConfig, LimitsConfig
from kimo_assets.config.notifications import NotificationsConfig, SmtpConfig
from kimo_assets.config.section import Section
from kimo_assets.config.sources import (
    SYSTEMS,
    FormatsConfig,
    NoValueConfig,
    SourceConfig,
    SystemId,
)
from kimo_assets.config.storage import DatabaseConfig, HistoryConfig, RetentionConfig, SyncConfig
from kimo_assets.config.webapi import ApiConfig
from kimo_assets.errors import UnknownEntityError

__all__ = [
    "IMAGE_ENTITIES",
    "SYSTEMS",
    "ApiConfig",
    "CustomTaskConfig",
    "DatabaseConfig",
    "DownloadConfig",
    "EntitiesSchedule",
    "EntityMapping",
    "ExportConfig",
    "ExportFormats",
    "ExportMapping",
    "FormatsConfig",
    "GeocodingConfig",
    "GuardsConfig",
    "HistoryConfig",
    "ImagesConfig",
    "ImportConfig",
    "KimoConfig",
    "LimitsConfig",
    "NoValueConfig",
    "NotificationsConfig",
    "RetentionConfig",
    "SchedulesConfig",
    "SmtpConfig",
    "SourceConfig",
    "SyncConfig",
    "SystemId",
]

_Statuses = Annotated[
    dict[str, str], Field(description="The ERP's status values, and what each is called.")
]


class KimoConfig(Section):
    """kimo.yaml: one company, its sources and its mapping."""

    company: str | None = Field(
        default=None,
        pattern="^[A-Za-z0-9_]+$",
        description=(
            "The company's name: letters, digits and underscores. Only needed where several "
            "companies share one Dagster, whose assets and pools it then names "
            "(docs/deploying.md)."
        ),
        examples=["acme"],
        json_schema_extra={"patternErrorMessage": "Expected letters, digits and underscores"},
    )
    data_dir: Path = Field(
        default=Path("data"),
        description=(
            "The folder of the embedded PostgreSQL, the payloads, the pictures and Dagster's logs. "
            "A relative path counts from the folder of kimo.yaml."
        ),
    )
    sources: dict[SystemId, SourceConfig] = Field(
        description=(
            "The databases from which Kimo reads: `erp`, and `crm` where a second system feeds "
            "Kimo."
        )
    )
    database: DatabaseConfig = Field(
        default=DatabaseConfig(),
        description="Kimo's own PostgreSQL: an embedded one by default, or one of yours.",
    )
    sync: SyncConfig = Field(
        default=SyncConfig(),
        description="The payloads that tablets download: where they are, and how they are made.",
    )
    # `import` is a word of Python's.
    import_: ImportConfig = Field(
        default=ImportConfig(),
        alias="import",
        description="How an import runs: side by side, the ERP's semaphore, a program before it.",
    )
    guards: GuardsConfig = Field(
        default=GuardsConfig(),
        description=(
            "Limits against mass deletions by a broken export of the ERP. A guard acts when both "
            "its share and its number of rows are exceeded (docs/operations.md)."
        ),
    )
    history: HistoryConfig = Field(
        default=HistoryConfig(),
        description="How much of the past is kept for `kimo undo`.",
    )
    images: ImagesConfig = Field(
        default=ImagesConfig(),
        description=(
            "Pictures: where they come from, and what is made of them "
            "(docs/media-and-geocoding.md)."
        ),
    )
    geocoding: GeocodingConfig = Field(
        default=GeocodingConfig(),
        description=(
            "Coordinates of customers and ship-to sites, asked of Google "
            "(docs/media-and-geocoding.md)."
        ),
    )
    export: ExportConfig = Field(
        default=ExportConfig(),
        description=(
            "What agents created or edited, and how it goes into the ERP's tables (docs/export.md)."
        ),
    )
    schedules: SchedulesConfig = Field(
        default=SchedulesConfig(),
        description=(
            "When jobs run by themselves. A job without a schedule does not (docs/automation.md)."
        ),
    )
    notifications: NotificationsConfig = Field(
        default=NotificationsConfig(),
        description=(
            "Who gets mails about runs, and by which server. Where a key is not set, the console's "
            "settings hold (docs/notifications.md)."
        ),
    )
    api: ApiConfig = Field(
        default=ApiConfig(),
        description="The vendor's web API, for scripts that exist (docs/api.md).",
    )
    retention: RetentionConfig = Field(
        default=RetentionConfig(),
        description=(
            "How long records of the past stay before `kimo clean` deletes them (docs/upkeep.md)."
        ),
    )
    limits: LimitsConfig = Field(
        default=LimitsConfig(),
        description="From when on the checks of the data warn or stop a run (docs/automation.md).",
    )
    # The vendor's step 2 stops at a value without an entry (fact sheet, section 8).
    erp_statuses: dict[str, _Statuses] = Field(
        default_factory=dict,
        description=(
            "How the fields ErpStatusId1 to ErpStatusId3 are decoded, by entity and number. "
            "ErpStatus of the settings is added. A kind that is listed in neither is not checked."
        ),
        examples=[{"Account1": {"A": "Attivo", "B": "Bloccato"}}],
    )
    entities: dict[str, Mappings] = Field(
        default_factory=dict,
        description=(
            "The mapping: each of Kimo's entities, and the table or query that it is read from. "
            "Only what is mapped exists for Kimo (docs/mapping.md). A table's name alone is "
            "enough. A list has one mapping per source, and the first prevails."
        ),
    )
    # Given by load.py. A configuration that is made in memory has no file and no lines.
    _path: Path = PrivateAttr(default=Path("kimo.yaml"))
    _place: Callable[[tuple[str, ...]], str] = PrivateAttr(default=".".join)

    @model_validator(mode="after")
    def _give_mappings_the_formats_of_their_source(self) -> "KimoConfig":
        for mappings in self.entities.values():
            for mapping in mappings:
                if source := self.sources.get(mapping.source):
                    mapping._formats, mapping._no_value = source.formats, source.no_value
        return self

    @property
    def path(self) -> Path:
        return self._path

    def place(self, *key: str) -> str:
        """`file, line N: the.key`, for messages about what is written there."""
        return self._place(key)

    @property
    def entity_names(self) -> list[str]:
        """The mapped entities, by category, then after what they depend on: the partitions'
        order.
        """
        catalog = load_catalog()
        ordered = catalog.in_load_order(self.entities)
        # sorted() is stable, so the order of the load stays within a category.
        return sorted(ordered, key=lambda name: catalog[name].category)

    @property
    def sync_store(self) -> str:
        return self.sync.store or str(self.data_dir / "sync")

    @property
    def public_folder(self) -> Path:
        return self.images.public or self.data_dir / "public"

    def choose(self, names: list[str], *, only_listed: bool = False) -> list[str]:
        """The mapped entities a run is about: the named ones and, unless only_listed, their linked
        ones.

        No names: all. Names match ignoring case. Raises: UnknownEntityError.
        """
        if not names:
            return self.entity_names
        # Names are typed into the vendor's mask, where case never mattered.
        by_fold = {name.casefold(): name for name in self.entities}
        chosen = set()
        for name in map(str.strip, names):
            if name.casefold() not in by_fold:
                raise UnknownEntityError(
                    name, self.entities, where="this mapping (kimo.yaml, entities)"
                )
            chosen.add(by_fold[name.casefold()])
        if not only_listed:
            chosen = load_catalog().linked(chosen)
        return [name for name in self.entity_names if name in chosen]
