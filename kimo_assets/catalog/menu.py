"""The vendor's menu: one entry for each job, with its Italian title and all that goes by its name.

Schedules' keys in kimo.yaml, the web API's endpoints, commands, pools and locks are said here and
nowhere else. What a job does is in kimo_assets/defs/jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from kimo_assets.texts import say

# Dagster lets one run of a pool go on at a time. What moves the company's data shares one pool.
DATA_POOL = "kimo_data"

# Advisory locks of PostgreSQL. The side jobs have locks of their own, beside imports and exports.
RUN_LOCK = "kimo_assets: import or export"
IMAGES_LOCK = "kimo_assets: images"
GEOCODING_LOCK = "kimo_assets: geocoding"
CLEANING_LOCK = "kimo_assets: cleaning"
_BUSY = {
    RUN_LOCK: "menu.busy.run",
    IMAGES_LOCK: "menu.busy.images",
    GEOCODING_LOCK: "menu.busy.geocoding",
    CLEANING_LOCK: "menu.busy.cleaning",
}


class Work(Enum):
    """What a job works on. The web API discards a request while a job of the same kind runs."""

    DATA = "data"
    PICTURES = "pictures"
    POSITIONS = "positions"


@dataclass(frozen=True, kw_only=True)
class MenuEntry:
    """An entry of the menu. A field that is empty says that the entry has none such.

    job: its name in Dagster. title: the vendor's Italian words. command: what an operator types to
    do it again. steps: those of an asset job, in order. op: the only op of another job.
    asset: where a run records what it did. pool: in Dagster's queue. lock: in PostgreSQL.
    schedule_key: its key in `schedules:` of kimo.yaml. endpoint: its name in the vendor's web API
    (fact sheet, section 3). has_mask: takes the vendor's mask for named entities.
    """

    job: str
    title: str
    command: str = "kimo import"
    steps: tuple[int, ...] = ()
    op: str = ""
    asset: str = ""
    pool: str = DATA_POOL
    lock: str = RUN_LOCK
    schedule_key: str = ""
    endpoint: str = ""
    work: Work | None = Work.DATA
    has_mask: bool = False

    @property
    def opens_load(self) -> bool:
        """Whether its runs have a load in the ledger: those do that change the company's data."""
        return self.work is Work.DATA


FULL_IMPORT = MenuEntry(
    job="full_import_from_erp",
    title="Import completo",
    steps=(1, 2, 3),
    schedule_key="full_import",
    endpoint="FullImportFromErp",
)
IMPORT_ENTITIES = MenuEntry(
    job="import_entities",
    title="Import (entità specifiche)",
    command="kimo import --entities A,B",
    op="import_named_entities",
    endpoint="ImportFromErp",
    has_mask=True,
)
STEP_1 = MenuEntry(
    job="step_1_import_from_erp",
    title="Step 1: Import da Erp a KimoIntegrator",
    command="kimo import --step 1",
    steps=(1,),
    asset="erp_staging",
)
STEP_2 = MenuEntry(
    job="step_2_load_from_integrator",
    title="Step 2: Caricamento da KimoIntegrator",
    command="kimo import --step 2",
    steps=(2,),
    asset="kimo_tables",
    endpoint="LoadFromIntegrator",
)
STEP_3 = MenuEntry(
    job="step_3_sync_data_creation",
    title="Step 3: Preparazione dati di Sync",
    command="kimo import --step 3",
    steps=(3,),
    asset="sync_payloads",
    endpoint="SyncDataCreation",
)
STEP_2_3 = MenuEntry(
    job="step_2_3_load_and_sync_data_creation",
    title="Step 2+3: Caricamento + Preparazione Sync",
    command="kimo import --step 2+3",
    steps=(2, 3),
    endpoint="LoadFromIntegratorAndPrepareSyncData",
)
SETTINGS = MenuEntry(
    job="settings_sync_data_creation",
    title="Preparazione dati di Sync delle sole impostazioni",
    command="kimo sync-settings",
    op="prepare_settings",
    asset="settings",
    endpoint="SettingsSyncDataCreation",
)
EXPORT = MenuEntry(
    job="export_to_erp",
    title="Export verso Erp",
    command="kimo export",
    op="send_to_erp",
    asset="erp_outbox",
    schedule_key="export",
    endpoint="ExportToErp",
)
IMPORT_FILES = MenuEntry(
    job="import_files",
    title="Importazione file immagini articoli",
    command="kimo images import",
    op="import_picture_files",
    asset="public_images",
    pool="kimo_public_images",
    lock=IMAGES_LOCK,
    schedule_key="import_files",
    endpoint="ImportFiles",
    work=Work.PICTURES,
)
DOWNLOAD_IMAGES = MenuEntry(
    job="download_items_images",
    title="Download immagini da url",
    command="kimo images download",
    op="download_pictures",
    asset="public_images",
    pool="kimo_public_images",
    lock=IMAGES_LOCK,
    schedule_key="download_images",
    endpoint="DownloadItemsImages",
    work=Work.PICTURES,
)
GEOCODE = MenuEntry(
    job="geocode_addresses",
    title="Geocodifica Account",
    command="kimo geocode",
    op="ask_for_coordinates",
    asset="geopositions",
    pool="kimo_geopositions",
    lock=GEOCODING_LOCK,
    schedule_key="geocoding",
    endpoint="GeocodeAddresses",
    work=Work.POSITIONS,
)
# From here on what the vendor's own menu does not have.
PLAN = MenuEntry(
    job="plan_import",
    title="Anteprima di un import",
    command="kimo plan",
    op="plan",
    work=None,
    has_mask=True,
)
UNDO = MenuEntry(
    job="undo_load", title="Annullamento di un caricamento", command="kimo undo", op="undo"
)
RETRY = MenuEntry(
    job="retry_rejected",
    title="Riprova delle righe scartate",
    command="kimo retry",
    op="retry_rejected_rows",
)
CLEANING = MenuEntry(
    job="clean_up",
    title="Pulizia",
    command="kimo clean",
    op="clean",
    lock=CLEANING_LOCK,
    schedule_key="cleaning",
    work=None,
)
MORNING_REPORT = MenuEntry(
    job="morning_report",
    title="Rapporto del mattino",
    command="kimo report --send",
    op="report_the_night",
    pool="",
    lock="",
    schedule_key="morning_report",
    work=None,
)
# Dagster's own name of the run that its button Materialize starts.
MATERIALIZE = MenuEntry(job="__ASSET_JOB", title="Materialize")

# In the order in which the vendor lists the endpoints.
MENU = (
    FULL_IMPORT,
    IMPORT_ENTITIES,
    STEP_1,
    STEP_2,
    IMPORT_FILES,
    DOWNLOAD_IMAGES,
    GEOCODE,
    STEP_3,
    SETTINGS,
    STEP_2_3,
    EXPORT,
    PLAN,
    UNDO,
    RETRY,
    CLEANING,
    MORNING_REPORT,
    MATERIALIZE,
)

_ENTRY_OF_JOB = {entry.job: entry for entry in MENU}

STEP_TITLES = {entry.steps[0]: entry.title for entry in (STEP_1, STEP_2, STEP_3)}
ASSET_OF_STEP = {entry.steps[0]: entry.asset for entry in (STEP_1, STEP_2, STEP_3)}

# What only has a lock: a run that was killed is not known by a load that stayed open.
LOCK_OF_JOB = {entry.job: entry.lock for entry in MENU if entry.lock and not entry.opens_load}
WORK_OF_JOB = {entry.job: entry.work for entry in MENU if entry.work}
SCHEDULED = {entry.schedule_key: entry for entry in MENU if entry.schedule_key}


def entry_of(job: str) -> MenuEntry:
    """The entry of a job. Raises: KeyError for a job that is not in the menu."""
    return _ENTRY_OF_JOB[job]


def menu_title(job: str) -> str:
    """A job in the words of the menu. Raises: KeyError for a job that is not in it."""
    return _ENTRY_OF_JOB[job].title


def title_of(job: str) -> str:
    """A job in the words of the menu, or by its name where it is not in it."""
    entry = _ENTRY_OF_JOB.get(job)
    return entry.title if entry else job


def command_of(job: str) -> str:
    """What an operator types to do the work of a job again."""
    entry = _ENTRY_OF_JOB.get(job, FULL_IMPORT)
    return entry.command


def busy_with(lock: str) -> str:
    """Why a run that needs this lock does not start while another one holds it."""
    return say(_BUSY[lock])


def entry_of_steps(steps: Sequence[int]) -> MenuEntry | None:
    """The entry that does exactly these steps for all entities. None: there is none such."""
    return next((entry for entry in MENU if entry.steps == tuple(steps)), None)
