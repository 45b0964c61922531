"""Making a demo company: the ERP, its pictures, kimo.yaml, the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kimo_assets.config.schema import write_schema
from kimo_assets.demo.accounts import draw_accounts, write_accounts
from kimo_assets.demo.agents import draw_agents, write_agents
from kimo_assets.demo.documents import write_documents
from kimo_assets.demo.erp_database import ErpWriter, new_erp
from kimo_assets.demo.invalid_rows import WRONG_ROWS, plant_wrong_rows
from kimo_assets.demo.items import Items, draw_items, write_items
from kimo_assets.demo.lookups import write_lookups
from kimo_assets.demo.mapping import MARKER, kimo_yaml
from kimo_assets.demo.pictures import choose_pictures, draw_pictures, write_picture_rows
from kimo_assets.demo.prices import write_prices
from kimo_assets.demo.promotions import write_promotions
from kimo_assets.demo.scales import SCALES, Scale
from kimo_assets.demo.settings import settings_yaml
from kimo_assets.demo.stock import write_stock
from kimo_assets.demo.visits import write_visits
from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

ERP_FILE = "erp.sqlite"
IMAGES_DIRECTORY = "images"
CONFIG_FILE = "kimo.yaml"
SETTINGS_FILE = "settings.yaml"


@dataclass(frozen=True)
class DemoCompany:
    """What was made. rows: of the ERP's tables; wrong_rows: planted on purpose, by entity
    and rule.
    """

    directory: Path
    scale: str
    config_path: Path
    erp_path: Path
    settings_path: Path
    rows: dict[str, int]
    wrong_rows: dict[tuple[str, str], int]


def generate_company(
    directory: Path,
    scale: str = "small",
    *,
    seed: int = 20260101,
    on_progress: Callable[[str, int], None] | None = None,
) -> DemoCompany:
    """Make a company in `directory`: the same one for the same scale and seed, on any machine and
    day.

    on_progress: called with a table and its rows after each table.
    Raises: ConfigError for an unknown scale, or a directory that holds something of somebody
    else's.
    """
    size = _scale(scale)
    _check_directory(directory)
    config_path, erp_path = directory / CONFIG_FILE, directory / ERP_FILE
    directory.mkdir(parents=True, exist_ok=True)
    # First of all, so that a directory left by a crash can be written over.
    config_path.write_text(kimo_yaml(), encoding="utf-8")
    write_schema(directory)
    settings_path = directory / SETTINGS_FILE
    # The agents are drawn again below, and are the same by the same seed.
    settings_path.write_text(settings_yaml(draw_agents(size, seed)), encoding="utf-8")
    with new_erp(erp_path, on_progress) as (erp, connection):
        items = _write_tables(erp, size, seed)
        pictures = choose_pictures(items, size)
        write_picture_rows(erp, pictures)
        # Last: each is a copy of a right row, and nothing that is made later may point to one.
        wrong = plant_wrong_rows(connection)
    draw_pictures(pictures, directory / IMAGES_DIRECTORY)
    return DemoCompany(directory, scale, config_path, erp_path, settings_path, _rows(erp), wrong)


def _scale(name: str) -> Scale:
    if name not in SCALES:
        raise ConfigError(say("demo.unknown_scale", scale=repr(name), scales=", ".join(SCALES)))
    return SCALES[name]


def _check_directory(directory: Path) -> None:
    for made in (directory / CONFIG_FILE, directory / SETTINGS_FILE):
        if made.exists() and not _is_ours(made):
            raise ConfigError(say("demo.not_ours", file=made))
    # A file of that name without our kimo.yaml may be a real ERP's.
    if (directory / ERP_FILE).exists() and not (directory / CONFIG_FILE).exists():
        raise ConfigError(say("demo.foreign_erp", folder=directory, file=ERP_FILE))


def _is_ours(made: Path) -> bool:
    """The marker is the first line, in kimo.yaml after the line for editors."""
    with made.open(encoding="utf-8", errors="replace") as file:
        return any(line.startswith(MARKER) for line in (file.readline(), file.readline()))


def _write_tables(erp: ErpWriter, scale: Scale, seed: int) -> Items:
    """Fills the ERP, in an order in which each table can point to those before it."""
    agents = draw_agents(scale, seed)
    accounts = draw_accounts(scale, agents, seed)
    items = draw_items(scale, seed)
    write_lookups(erp)
    write_agents(erp, agents, seed)
    write_accounts(erp, accounts, agents, scale, seed)
    write_items(erp, items, seed)
    write_stock(erp, items, seed)
    write_prices(erp, items, accounts, agents, scale, seed)
    write_promotions(erp, items, accounts, agents, scale, seed)
    write_documents(erp, items, accounts, agents, scale, seed)
    write_visits(erp, accounts, agents, scale, seed)
    return items


def _rows(erp: ErpWriter) -> dict[str, int]:
    planted = [wrong.table for wrong in WRONG_ROWS]
    return {table: count + planted.count(table) for table, count in erp.rows.items()}
