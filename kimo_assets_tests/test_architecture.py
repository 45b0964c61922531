"""Who may import whom: the contracts of setup.cfg hold, and they would notice if they did not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_LINT = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename=sys.argv[1], no_cache=True))
"""


def lint(root: Path) -> tuple[int, str]:
    """Import-linter's verdict on the package kimo_assets below a folder, by the folder's
    setup.cfg.
    """
    done = subprocess.run(
        [sys.executable, "-c", _LINT, str(root / "setup.cfg")],
        cwd=root,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_imports_go_only_down_siblings_keep_apart_and_only_defs_knows_dagster() -> None:
    code, said = lint(ROOT)
    assert code == 0, said


# A module or more of each layer: what import-linter needs to accept the contracts.
_SMALL_HOUSE = [
    "definitions",
    "cli",
    "defs/build",
    "defs/assets/settings",
    "defs/automation/sensors",
    "defs/jobs/export",
    "pipeline/steps",
    "config",
    "reports",
    "transforms",
    "errors",
    "texts/catalogue",
    "demo",
    "sync/client/client",
    "sync/visibility/trace",
    "sync/publishing/objects",
    "sources/readers",
    "staging/stage",
    "loading/load",
    "catalog/model",
    "database/ddl",
    "settings/load",
    "images/files",
    "geocoding/run",
    "export/run",
    "notifications/mail",
    "webapi/app",
    "quality/data_checks",
    "diagnostics/status",
]


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("config", "import dagster", "Only kimo_assets.defs may import Dagster"),
        ("webapi/app", "import dagster_graphql", "Only kimo_assets.defs may import Dagster"),
        ("webapi/app", "from kimo_assets.defs import assets", "Imports go only down"),
        (
            "sync/client/client",
            "from kimo_assets.sync.publishing import objects",
            "The reference client",
        ),
        (
            "sync/visibility/trace",
            "import kimo_assets.sync.publishing.objects",
            "The reference client",
        ),
        (
            "pipeline/steps",
            "def late():\n    from dagster import job",
            "Only kimo_assets.defs may import Dagster",
        ),
        ("defs/assets/settings", "from kimo_assets.defs.jobs import export", "Inside defs"),
        ("defs/jobs/export", "from kimo_assets.defs.automation import sensors", "Inside defs"),
        ("defs/newcomer", "", "Inside defs"),
        ("sources/readers", "from kimo_assets.staging import stage", "Imports go only down"),
        ("loading/load", "import kimo_assets.staging.stage", "Imports go only down"),
        ("catalog/model", "from kimo_assets import config", "Imports go only down"),
        ("transforms", "from kimo_assets.catalog import model", "Imports go only down"),
        ("database/ddl", "from kimo_assets.sources import readers", "Imports go only down"),
        ("newcomer", "", "Imports go only down"),
    ],
)
def test_a_forbidden_import_is_noticed(tmp_path: Path, module: str, line: str, broken: str) -> None:
    build_small_house(tmp_path)
    write(tmp_path, module, line)
    code, said = lint(tmp_path)
    assert code == 1
    assert f"{broken}" in said
    assert "1 broken" in said


@pytest.mark.parametrize("module", ["quality/data_checks", "diagnostics/status"])
def test_a_check_that_imports_defs_breaks_the_layers_and_a_rule_of_its_own(
    tmp_path: Path, module: str
) -> None:
    build_small_house(tmp_path)
    write(tmp_path, module, "from kimo_assets.defs import build")
    code, output = lint(tmp_path)
    assert code == 1
    assert "What data must satisfy" in output
    assert "2 broken" in output


def build_small_house(root: Path) -> None:
    """A package with a module or more of each layer, which keeps all contracts."""
    for name in _SMALL_HOUSE:
        write(root, name, "")
    write(root, "defs/assets/settings", "import dagster")
    (root / "setup.cfg").write_text((ROOT / "setup.cfg").read_text())
    assert lint(root)[0] == 0


def write(root: Path, module: str, text: str) -> None:
    file = root / "kimo_assets" / f"{module}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    for folder in file.relative_to(root).parents[:-1]:
        (root / folder / "__init__.py").touch()
    file.write_text(text + "\n")
