"""The menu is said once: what Dagster has, the other tables and the words all derive from MENU."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import kimo_assets
from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import MENU, MenuEntry, Work
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.config.models import EntitiesSchedule, SchedulesConfig
from kimo_assets.defs.build import build_defs
from kimo_assets.webapi.endpoints import ENDPOINTS

PACKAGE = Path(kimo_assets.__file__).parent

# Files that may spell a job or a title as a text, and the reason.
EXCEPTIONS = {
    "catalog/menu.py": "the menu itself",
    "demo/mapping.py": "comments of the demo's kimo.yaml, in the words of the menu's user",
}
JOBS = {entry.job for entry in MENU}
KEY_OF_SENTENCE = re.compile(r"[a-z]+(\.[a-z0-9_]+)+")
# The title of Dagster's own button is a word of Dagster's pages.
TITLES = {entry.title for entry in MENU} - {menu.MATERIALIZE.title}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> KimoConfig:
    file = tmp_path_factory.mktemp("menu") / "kimo.yaml"
    file.write_text("sources: {erp: {url: 'sqlite:///erp.db'}}\nentities: {Item: ART}\n")
    return load_config(file)


# --- one entry a job
# -------------------------------------------------------------------------------------------


def test_every_job_has_one_entry_and_every_entry_a_job(config: KimoConfig) -> None:
    repository = build_defs(config).get_repository_def()
    entries = Counter(entry.job for entry in MENU)
    assert entries == Counter(repository.job_names)


@pytest.mark.parametrize("entry", [entry for entry in MENU if entry.op], ids=lambda e: e.job)
def test_a_job_has_the_op_and_the_pool_of_its_entry(config: KimoConfig, entry: MenuEntry) -> None:
    (node,) = build_defs(config).resolve_job_def(entry.job).graph.node_defs
    assert node.name == entry.op
    assert (node.pool or "") == entry.pool


def test_every_asset_of_the_menu_exists(config: KimoConfig) -> None:
    keys = build_defs(config).resolve_asset_graph().get_all_asset_keys()
    names = {key.path[-1] for key in keys}
    assert {entry.asset for entry in MENU if entry.asset} <= names


# --- what derives from it
# -------------------------------------------------------------------------------------------


def test_the_keys_of_schedules_are_those_of_the_menu() -> None:
    others = {"timezone", "entities", "sensors"}
    assert set(SchedulesConfig.model_fields) - others == set(menu.SCHEDULED)


def test_each_key_of_schedules_lets_its_own_job_run(config: KimoConfig) -> None:
    crons = {key: f"{minute} 2 * * *" for minute, key in enumerate(menu.SCHEDULED)}
    mask = EntitiesSchedule(cron="30 3 * * *", entities=("Item",))
    section = SchedulesConfig(**crons, entities=(mask,))
    scheduled = config.model_copy(update={"schedules": section})
    schedules = build_defs(scheduled).get_repository_def().schedule_defs
    jobs = {schedule.name.removesuffix("_schedule"): schedule.job_name for schedule in schedules}
    expected = {key: entry.job for key, entry in menu.SCHEDULED.items()}
    assert jobs == expected | {"import_Item": menu.IMPORT_ENTITIES.job}


def test_an_endpoint_starts_the_job_of_its_entry() -> None:
    assert len(ENDPOINTS) == 10  # the vendor's (fact sheet, section 3)
    for name, endpoint in ENDPOINTS.items():
        entry = menu.entry_of(endpoint.job)
        assert (endpoint.name, entry.endpoint) == (name, name)
        assert endpoint.is_partitioned == (entry.op == "")
        assert endpoint.work in Work


def test_only_named_entities_are_an_endpoint_with_the_mask() -> None:
    assert [name for name, endpoint in ENDPOINTS.items() if endpoint.has_mask] == ["ImportFromErp"]


def test_jobs_without_a_load_are_known_by_their_lock() -> None:
    assert menu.LOCK_OF_JOB == {
        "import_files": "kimo_assets: images",
        "download_items_images": "kimo_assets: images",
        "geocode_addresses": "kimo_assets: geocoding",
        "clean_up": "kimo_assets: cleaning",
        "plan_import": "kimo_assets: import or export",
    }


def test_steps_find_their_entry() -> None:
    assert menu.entry_of_steps([1, 2, 3]) is menu.FULL_IMPORT
    assert menu.entry_of_steps([2, 3]) is menu.STEP_2_3
    assert menu.entry_of_steps([1, 2]) is None
    assert menu.ASSET_OF_STEP == {1: "erp_staging", 2: "kimo_tables", 3: "sync_payloads"}
    assert menu.STEP_TITLES[1] == "Step 1: Import da Erp a KimoIntegrator"


def test_a_job_that_is_not_in_the_menu_has_its_name_for_a_title() -> None:
    assert menu.title_of("export_to_erp") == "Export verso Erp"
    assert menu.title_of("somebody_elses") == "somebody_elses"
    with pytest.raises(KeyError):
        menu.menu_title("somebody_elses")


# --- nobody else says it
# -------------------------------------------------------------------------------------------


def words_of_menu(source: str) -> Iterator[tuple[int, str]]:
    """(line, what is spelt) of every job's name and title in a text of the code.

    Docstrings and comments are prose about the menu and may name it. A key of a sentence
    ("defs.job.import_files") only looks like a name.
    """
    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if not is_text or id(node) in docstrings or KEY_OF_SENTENCE.fullmatch(node.value):
            continue
        words = set(re.findall(r"\w+", node.value))
        for job in JOBS & words:
            yield node.lineno, job
        for title in TITLES:
            if title in node.value:
                yield node.lineno, title


def test_the_scan_sees_names_and_titles_but_not_docstrings() -> None:
    source = '''
def launch():
    """Runs export_to_erp (Export verso Erp)."""
    run("export_to_erp")
    log(f"Pulizia: {count}")
    log("exported_to_erp")
    log(say("defs.job.export_to_erp"))
'''
    assert set(words_of_menu(source)) == {(4, "export_to_erp"), (5, "Pulizia")}


def test_no_other_module_spells_a_job_or_a_title() -> None:
    spelt = []
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if name in EXCEPTIONS or name.startswith("texts/"):
            continue
        source = file.read_text(encoding="utf-8")
        spelt += [f"{name}:{line} {word}" for line, word in words_of_menu(source)]
    assert spelt == []


def test_every_exception_is_needed() -> None:
    for name in EXCEPTIONS:
        source = (PACKAGE / name).read_text(encoding="utf-8")
        assert list(words_of_menu(source)), f"{name} spells nothing of the menu any more"
