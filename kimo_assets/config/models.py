"""The models of kimo.yaml's sections. A default is the safe choice."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    model_validator,
)
from sqlalchemy.engine import URL, make_url

from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.menu import FULL_IMPORT, IMPORT_ENTITIES
from kimo_assets.errors import UnknownEntityError
from kimo_assets.transforms import DateFormat, Transformation, parse

SystemId = Literal["erp", "crm"]
SYSTEMS: tuple[str, ...] = get_args(SystemId)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _code(value: Any) -> Any:
    """Codes such as 0 or 12 may stand without quotes."""
    return str(value) if type(value) is int else value


Code = Annotated[str, BeforeValidator(_code)]


def _day_or_code(value: Any) -> Any:
    """YAML takes 1753-01-01 for a date."""
    return _code(value.isoformat() if isinstance(value, date) else value)


def _date_format(value: str) -> str:
    return DateFormat(value).notation


WrittenDate = Annotated[str, AfterValidator(_date_format)]


class FormatsConfig(Section):
    """How a source writes days and moments that it keeps as text or number, in the vendor's
    notation (yyyyMMdd, dd/MM/yyyy HH:mm:ss): IntegratorSystemSetting's DateFormat and
    DateTimeFormat. None: year first, as ISO 8601.
    """

    date: WrittenDate | None = None
    datetime: WrittenDate | None = None


class NoValueConfig(Section):
    """What means "no value" beside NULL and the empty text (fact sheet, section 8): in keys, and in
    days and moments.

    Among `dates` a day, year first, also means its midnight, and a moment of a database's own type.
    """

    keys: tuple[Code, ...] = ("0",)
    dates: tuple[Annotated[str, BeforeValidator(_day_or_code)], ...] = ("-1",)


class SourceConfig(Section):
    """Where an integration database is: any SQLAlchemy URL. Relative SQLite paths count from
    kimo.yaml.

    reader: how rows are fetched; `auto` takes the fastest that gives this source's rows exactly.
    connect_attempts: with a growing pause between them. lock_timeout_s: how long a statement may
    wait for a table that somebody has locked.
    """

    url: str
    reader: Literal["auto", "cursor"] = "auto"
    formats: FormatsConfig = FormatsConfig()
    no_value: NoValueConfig = NoValueConfig()
    connect_attempts: Annotated[int, Field(ge=1, le=10)] = 4
    lock_timeout_s: Annotated[float, Field(gt=0)] = 60

    @property
    def sqlalchemy_url(self) -> URL:
        return make_url(self.url)


class DatabaseConfig(Section):
    """Kimo's PostgreSQL: `embedded` (started by us under data_dir) or the URL of yours (17 or
    newer).
    """

    url: str = "embedded"
    dagster_url: str | None = None


class SyncConfig(Section):
    """store: a directory or an fsspec URL. channel_codes: the codes of ChannelsEnabled that mean
    the agents' app.

    keep_unlisted_hours: how long an object stays that no manifest lists any more: as long as a
    tablet may take for a sync.
    """

    store: str | None = None
    keep_unlisted_hours: Annotated[float, Field(ge=0)] = 48
    zstd_level: Annotated[int, Field(ge=1, le=19)] = 3
    channel_codes: tuple[str, ...] = ("SFA",)


class GuardsConfig(Section):
    """What a mass deletion is: so much of a snapshot gone, as a share and in rows, that a broken
    export is likelier.

    max_shrink, min_shrink_rows: of an entity's rows. max_agent_shrink, min_agent_rows: of the rows
    that name one agent (the customers linked to him, above all), which may all vanish without the
    entity as a whole shrinking much.
    """

    max_shrink: Annotated[float, Field(ge=0, le=1)] = 0.30
    min_shrink_rows: Annotated[int, Field(ge=0)] = 50
    max_agent_shrink: Annotated[float, Field(ge=0, le=1)] = 0.50
    min_agent_rows: Annotated[int, Field(ge=0)] = 20


class HistoryConfig(Section):
    """keep_loads: how many of the last loads that changed something can be undone; 0 keeps no
    history.
    """

    keep_loads: Annotated[int, Field(ge=0, le=1000)] = 5


class CustomTaskConfig(Section):
    """A program that prepares data at the ERP before they are read (the vendor's
    Import\\CustomTask).

    command: the program and its arguments, one by one; no shell reads them. A relative program
    counts from kimo.yaml.
    """

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    timeout_s: Annotated[float, Field(gt=0)] = 1800


def _command_shorthand(value: Any) -> Any:
    """`custom_task: prepare.bat` means a command without arguments; a list is the command with
    them.
    """
    if isinstance(value, str):
        return {"command": [value]}
    return {"command": value} if isinstance(value, list) else value


class ImportConfig(Section):
    """parallel: how many entities are read from the sources at once. semaphore_wait_s: how long an
    import waits for the ERP to give ImportFromErpSemaphore free.
    """

    custom_task: Annotated[CustomTaskConfig | None, BeforeValidator(_command_shorthand)] = None
    parallel: Annotated[int, Field(ge=1, le=16)] = 2
    semaphore_wait_s: Annotated[float, Field(ge=0)] = 1800


IMAGE_ENTITIES = ("ItemImage", "ManufacturerImage", "TrademarkImage", "PromotionImage")
ImageEntity = Literal["ItemImage", "ManufacturerImage", "TrademarkImage", "PromotionImage"]


class ExportFormats(Section):
    """How values are written for the ERP: IntegratorSystemSetting's settings of an export.

    date, datetime: DateExportFormat and DateTimeExportFormat; where silent, the source's own
    `formats`, else the column's own type. boolean: BooleanFormat (zero_one: 1 and 0). null_date,
    null_boolean, null_number, null_text: what is written for no value; NULL where silent. case:
    StringCase. single_line: SingleLineStrings. shipment_site_split, item_split:
    ShipmentSiteIdSplitChar and ItemIdSplitChar, after which a document's id begins. idrolab_item:
    IdrolabItemId.
    """

    date: WrittenDate | None = None
    datetime: WrittenDate | None = None
    boolean: Literal["zero_one"] | None = None
    null_date: Annotated[str | None, BeforeValidator(_day_or_code)] = None
    null_boolean: Annotated[str | None, BeforeValidator(_code)] = None
    null_number: Annotated[str | None, BeforeValidator(_code)] = None
    null_text: Annotated[str | None, BeforeValidator(_code)] = None
    case: Literal["invariant", "upper"] = "invariant"
    single_line: bool = False
    shipment_site_split: Annotated[str | None, Field(min_length=1, max_length=1)] = None
    item_split: Annotated[str | None, Field(min_length=1, max_length=1)] = None
    idrolab_item: Annotated[str | None, BeforeValidator(_code)] = None


class ExportMapping(Section):
    """Where an entity goes. table: of the ERP's, by default of the entity's name. fields: Kimo's
    field -> the ERP's column.

    Every other field goes into the column of its own name, where there is one. transform: Kimo's
    field -> the steps that make what is written.
    """

    table: str | None = None
    fields: dict[str, str] = {}
    transform: dict[str, Annotated[Transformation, PlainValidator(parse)]] = {}


def _export_shorthand(value: Any) -> Any:
    """`Document: ORDERS` means `Document: {table: ORDERS}`; an empty value means the table of the
    same name.
    """
    return {"table": value} if isinstance(value, str) else {} if value is None else value


class ExportConfig(Section):
    """What Kimo created or edited, into the ERP's tables. Only what `entities` lists is exported.

    batch: heads to a transaction of the ERP's. marker: a table of ours beside the ERP's, made where
    it may be, by which a batch is known to have arrived whatever the ERP did with its rows since.
    """

    source: SystemId = "erp"
    batch: Annotated[int, Field(ge=1, le=10_000)] = 200
    marker: str = "KimoExportBatch"
    semaphore_wait_s: Annotated[float, Field(ge=0)] = 600
    formats: ExportFormats = ExportFormats()
    entities: dict[str, Annotated[ExportMapping, BeforeValidator(_export_shorthand)]] = {}


def _host(value: str) -> str:
    if not value or any(character in value for character in "/@?#*\\") or len(value.split()) != 1:
        raise ValueError(
            "expected a host, or host:port, such as pictures.local:8080: without https://, path or"
            " wildcard"
        )
    return value


Host = Annotated[str, AfterValidator(_host)]


class DownloadConfig(Section):
    """Pictures from URLs. allowed_hosts: `host` or `host:port` that may be asked although their
    address is a private one.

    at_once, per_host: requests under way. attempts: tries at a picture, with waits between.
    timeout_s: of a try, with its redirects, however many bytes still come. max_age_hours: how long
    a picture is taken for up to date without asking for it again.
    """

    at_once: Annotated[int, Field(ge=1, le=64)] = 8
    per_host: Annotated[int, Field(ge=1, le=16)] = 2
    attempts: Annotated[int, Field(ge=1, le=10)] = 4
    timeout_s: Annotated[float, Field(gt=0)] = 60
    max_redirects: Annotated[int, Field(ge=0, le=20)] = 5
    max_age_hours: Annotated[float, Field(ge=0)] = 0
    allowed_hosts: tuple[Host, ...] = ()


class ImagesConfig(Section):
    """Pictures. source: the folder, or fsspec URL, that FilePath counts from; sources: another one
    for an entity.

    public: the folder that Kimo's server serves. max_size_px: the longer side of a published
    picture; thumbnail_px: the side of its square thumbnail. Where these are silent, the console's
    ItemsImages\\SourceDirectory, PromotionsImages\\SourceDirectory, ItemsImages\\MaxSize and
    Thumbnail\\ItemSize hold; without those 1200 and 200 px. keep_unused_days: how long a picture
    stays that no row names any more. max_megapixels, max_file_mb: more is refused unread.
    processes: 0 takes all cores.
    """

    source: str | None = None
    sources: dict[ImageEntity, str] = {}
    public: Path | None = None
    max_size_px: Annotated[int | None, Field(ge=16, le=8000)] = None
    thumbnail_px: Annotated[int | None, Field(ge=16, le=2000)] = None
    quality: Annotated[int, Field(ge=30, le=95)] = 85
    keep_unused_days: Annotated[float, Field(ge=0)] = 7
    max_megapixels: Annotated[float, Field(gt=0, le=1000)] = 150
    max_file_mb: Annotated[float, Field(gt=0, le=2000)] = 100
    processes: Annotated[int, Field(ge=0, le=64)] = 0
    download: DownloadConfig = DownloadConfig()


class GeocodingConfig(Section):
    """Coordinates from Google. key_variable: the environment variable that holds the key.

    country: the ISO code of addresses that name none. daily_budget: calls a day at most. keep_days:
    how long a coordinate may be kept (Google's terms: 30 days at most). price_per_1000: what 1,000
    calls cost, for `kimo geocode --preview`.
    """

    key_variable: str = "GOOGLE_MAPS_API_KEY"
    base_url: str = "https://maps.googleapis.com"
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "IT"
    language: str = "it"
    queries_per_second: Annotated[int, Field(ge=1, le=50)] = 10
    daily_budget: Annotated[int, Field(ge=1)] = 2500
    keep_days: Annotated[float, Field(gt=0, le=30)] = 30
    price_per_1000: Annotated[float, Field(ge=0)] = 5.0
    timeout_s: Annotated[float, Field(gt=0)] = 10


class SmtpConfig(Section):
    """The mail server. security: plain, starttls, or ssl from the first byte. password: better
    `${VARIABLE}`.
    """

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    security: Literal["plain", "starttls", "ssl"] = "starttls"
    username: str | None = None
    password: str | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 20


class NotificationsConfig(Section):
    """Who is told. Where these are silent, the console's MailServer\\… and NotificationCenter\\…
    settings hold; without a mail server nobody is. recipients: of success (info) and of failure
    (errors). ui_url: where the UI is, for links.

    success_of: the jobs whose success is told; the end of a failure is told of every job.
    still_failing_hours: how long after the last mail a job that goes on failing is told about
    again.
    """

    smtp: SmtpConfig | None = None
    sender: str | None = None
    sender_name: str | None = None
    info_recipients: tuple[str, ...] = ()
    error_recipients: tuple[str, ...] = ()
    success_of: tuple[str, ...] = (FULL_IMPORT.job, IMPORT_ENTITIES.job)
    still_failing_hours: Annotated[float, Field(gt=0)] = 24
    language: Literal["it", "en"] = "it"
    ui_url: str | None = None


class EntitiesSchedule(Section):
    """Fast-moving entities of their own rhythm: `cron` and what the mask for named entities
    takes.
    """

    cron: str
    entities: Annotated[tuple[str, ...], Field(min_length=1)]
    only_listed: bool = True


SensorName = Literal["erp_finished", "records_waiting", "new_pictures"]


class SchedulesConfig(Section):
    """When what runs by itself: five fields of cron each, in the company's time zone. What is
    silent does not run.

    sensors: those that are on from the start (docs/automation.md).
    """

    timezone: str = "Europe/Rome"
    full_import: str | None = None
    entities: tuple[EntitiesSchedule, ...] = ()
    export: str | None = None
    import_files: str | None = None
    download_images: str | None = None
    geocoding: str | None = None
    morning_report: str | None = None
    cleaning: str | None = None
    sensors: tuple[SensorName, ...] = ()


class ApiConfig(Section):
    """The vendor's web API. token_variable: the environment variable that holds the token; without
    it, all is refused.

    per_minute: requests of one address. graphql_url: of the webserver that carries runs out;
    code_location: which of its code locations is this company's, where there are several.
    side_jobs_apart: work on pictures or coordinates, which may run beside an import, neither
    discards a request for one nor is discarded because of one.
    """

    token_variable: str = "KIMO_API_TOKEN"  # noqa: S105 (a name, not a token)
    per_minute: Annotated[int, Field(ge=1)] = 30
    graphql_url: str = "http://127.0.0.1:3000/graphql"
    code_location: str | None = None
    side_jobs_apart: bool = False


class RetentionConfig(Section):
    """How many days what is kept of the past stays: Dagster's runs with their events and logs; the
    ledger's loads, results, batches and answered records; refused rows of entities that are not
    mapped any more.
    """

    runs_days: Annotated[float, Field(gt=0)] = 90
    ledger_days: Annotated[float, Field(gt=0)] = 365


class LimitsConfig(Section):
    """What the asset checks take for wrong. max_rejected: the share of an entity's rows that may be
    refused; blocking_rejected: the share at which the next layer does not start. max_dangling:
    references to nowhere, as a share of an entity's rows. fresh_hours: how old the tablets' data
    may be. max_hours_without_sync: as the vendor's rule, where it is not set.
    """

    max_rejected: Annotated[float, Field(ge=0, le=1)] = 0.02
    blocking_rejected: Annotated[float, Field(ge=0, le=1)] = 0.5
    min_blocking_rows: Annotated[int, Field(ge=1)] = 50
    max_dangling: Annotated[float, Field(ge=0, le=1)] = 0.05
    fresh_hours: Annotated[float, Field(gt=0)] = 26
    max_hours_without_sync: Annotated[float, Field(gt=0)] = 72


class EntityMapping(Section):
    """Where an entity comes from. fields: Kimo's field -> the source's column; others map by equal
    name.

    transform: Kimo's field -> the steps that make its value (docs/mapping.md).
    """

    source: SystemId = "erp"
    table: str | None = None
    query: str | None = None
    where: str | None = None
    fields: dict[str, str] = {}
    transform: dict[str, Annotated[Transformation, PlainValidator(parse)]] = {}
    _formats: FormatsConfig = PrivateAttr(default=FormatsConfig())
    _no_value: NoValueConfig = PrivateAttr(default=NoValueConfig())

    @property
    def formats(self) -> FormatsConfig:
        """Those of the mapping's source."""
        return self._formats

    @property
    def no_value(self) -> NoValueConfig:
        """That of the mapping's source."""
        return self._no_value

    def columns_of(self, field: str) -> tuple[str, ...]:
        """The source's columns that a field is made from, as kimo.yaml spells them; none for a
        constant.
        """
        own = self.fields.get(field, field)
        return self.transform[field].columns(own) if field in self.transform else (own,)

    @model_validator(mode="after")
    def _one_origin(self) -> "EntityMapping":
        if self.table and self.query:
            raise ValueError("give `table` or `query`, not both")
        if self.query and self.where:
            raise ValueError("`where` goes with `table`; put the condition into the `query`")
        return self

    @model_validator(mode="after")
    def _one_making(self) -> "EntityMapping":
        for field in self.fields.keys() & self.transform.keys():
            if self.transform[field].beginning.columns is not None:
                raise ValueError(
                    f"`fields` and `transform` both say what {field} begins with. Take {field} out"
                    " of `fields`, or write a transformation that begins with its column"
                )
        return self


def _entity_shorthand(value: Any) -> Any:
    """`Zone: ZONE` means `Zone: {table: ZONE}`; an empty value means the table of the same name.

    A list holds one mapping per source that feeds the entity: `Account: [{table: CLIENTI}, {source:
    crm, table: LEADS}]`.
    """
    if value == []:
        raise ValueError("expected at least one mapping")
    parts = value if isinstance(value, list) else [value]
    return tuple(
        {"table": part} if isinstance(part, str) else {} if part is None else part for part in parts
    )


Mappings = Annotated[tuple[EntityMapping, ...], BeforeValidator(_entity_shorthand)]


class KimoConfig(Section):
    """One company. `entities` holds an entity's mappings: one, or one per source that feeds it, the
    first prevailing.

    company: its name, where several share one Dagster (docs/deploying.md).
    """

    company: Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")] | None = None
    data_dir: Path = Path("data")
    sources: dict[SystemId, SourceConfig]
    database: DatabaseConfig = DatabaseConfig()
    sync: SyncConfig = SyncConfig()
    import_: Annotated[ImportConfig, Field(alias="import")] = ImportConfig()
    guards: GuardsConfig = GuardsConfig()
    history: HistoryConfig = HistoryConfig()
    images: ImagesConfig = ImagesConfig()
    geocoding: GeocodingConfig = GeocodingConfig()
    export: ExportConfig = ExportConfig()
    schedules: SchedulesConfig = SchedulesConfig()
    notifications: NotificationsConfig = NotificationsConfig()
    api: ApiConfig = ApiConfig()
    retention: RetentionConfig = RetentionConfig()
    limits: LimitsConfig = LimitsConfig()
    erp_statuses: dict[str, dict[str, str]] = {}
    entities: dict[str, Mappings] = {}
    _path: Path = PrivateAttr(default=Path("kimo.yaml"))
    _place: Callable[[tuple[str, ...]], str] = PrivateAttr(default=".".join)

    @model_validator(mode="after")
    def _tell_mappings_of_their_source(self) -> "KimoConfig":
        for mapping in (mapping for mappings in self.entities.values() for mapping in mappings):
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
        by_fold = {name.casefold(): name for name in self.entities}
        for name in names:
            if name.strip().casefold() not in by_fold:
                raise UnknownEntityError(
                    name.strip(), self.entities, where="this mapping (kimo.yaml, entities)"
                )
        chosen = {by_fold[name.strip().casefold()] for name in names}
        wanted = chosen if only_listed else load_catalog().linked(chosen)
        return [name for name in self.entity_names if name in wanted]
