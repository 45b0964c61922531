"""Who may import whom, and whose SQL may name which ledger table: the rules hold.

Each rule is also seen to fail, so that one that notices nothing is noticed.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
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
    code, output = lint(ROOT)
    assert code == 0, output


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
    code, output = lint(tmp_path)
    assert code == 1
    assert f"{broken}" in output
    assert "1 broken" in output


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


# --- who names a ledger table
# --------------------------------------------------------------------------------------------------

# The package whose SQL may name a table of schema ops. Others ask its queries.py.
OWNERS = {
    "database": "load step_result run_report semaphore schema_version migration installation",
    "staging": "staged rejected_row",
    "loading": "loaded reference_check change horizon bound_id export_answer",
    "export": "export_batch export_record export_held",
    "images": "picture picture_name unused_picture",
    "geocoding": "address geocode geocode_call",
    "sync": "payload covered bucket bucket_object placement manifest_file profile audience lookup"
    " agent_weight settings_object unlisted_object",
    "notifications": "mail notification tablet_sync",
    "pipeline": "plan planned planned_rejected_row",
}
OWNER_OF = {table: package for package, tables in OWNERS.items() for table in tables.split()}

# What defines and migrates the tables may name all of them.
_DEFINING = ("database/ddl.py", "database/migrate.py", "database/names.py")

# Tables that a second package writes as well, or joins in one statement with its own.
_SHARED = {
    # Each step keeps the rows that it has rejected itself.
    ("loading", "rejected_row"),
    # The ERP's answers, which step 2 loads, settle what the export has sent.
    ("loading", "export_record"),
    ("loading", "export_held"),
    # Kimo's own tables (positions, picture files) have no step 2. Their state is noted for them.
    ("database", "loaded"),
    # Joined over whole tables: records that are overdue.
    ("database", "export_record"),
    ("database", "export_held"),
}


def tables_named(source: str) -> set[str]:
    """The tables of schema ops in the strings of a module. Docstrings are prose and do not count.

    A name that is put together at run time is "?": nobody could say whose it is.
    """
    tree = ast.parse(source)
    prose = set(docstrings(tree))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            names |= set(re.findall(r"\bops\.(\w+)", node.value))
            if re.search(r"\bops\.$", node.value):
                names.add("?")
        if isinstance(node, ast.Call):
            names |= set(identifiers(node))
    return names


def docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                yield first.value


def identifiers(call: ast.Call) -> Iterator[str]:
    """The table of table(OPS, "x") and sql.Identifier("ops", "x")."""
    if ast.unparse(call.func).rpartition(".")[2] not in ("table", "Identifier"):
        return
    for schema, name in zip(call.args, call.args[1:], strict=False):
        if ast.unparse(schema) in ("OPS", "'ops'"):
            is_text = isinstance(name, ast.Constant) and isinstance(name.value, str)
            yield ast.literal_eval(name) if is_text else "?"


def foreign_tables(package: Path) -> Iterator[tuple[str, str, str]]:
    """(package, table, module) wherever a module names a table that is another package's."""
    for file in sorted(package.rglob("*.py")):
        module = file.relative_to(package)
        owner = module.parts[0]
        if module.as_posix() in _DEFINING or owner == "texts":
            continue
        for table in tables_named(file.read_text(encoding="utf-8")):
            if table not in OPS_TYPES and OWNER_OF.get(table) != owner:
                yield owner, table, module.as_posix()


# Of schema ops, but no tables: domains of columns, and sequences.
OPS_TYPES = {"key", "dec", "day", "moment", "bucket_number", "export_batch_batch_seq"}


def test_a_ledger_table_is_named_by_its_owner_only() -> None:
    foreign = set(foreign_tables(ROOT / "kimo_assets"))
    unexpected = sorted(use for use in foreign if use[:2] not in _SHARED)
    assert unexpected == [], "ask the queries.py of the package that owns the table"
    assert {use[:2] for use in foreign} == _SHARED, "an exception is no longer needed"


def test_every_ledger_table_has_an_owner() -> None:
    folder = ROOT / "kimo_assets" / "database"
    definitions = [folder / "ledger.sql", *folder.glob("migrations/*.sql")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in definitions)
    created = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?ops\.(\w+)", text))
    assert created == OWNER_OF.keys()


@pytest.mark.parametrize(
    ("source", "tables"),
    [
        ('connection.execute("SELECT load FROM ops.load")', {"load"}),
        ('f"DELETE FROM ops.mail WHERE id = {number}"', {"mail"}),
        ("sql.SQL('UPDATE {} SET x = 1').format(table(OPS, 'plan'))", {"plan"}),
        ('sql.Identifier("ops", "picture")', {"picture"}),
        ('f"SELECT * FROM ops.{name}"', {"?"}),
        ("table(OPS, name)", {"?"}),
        ('def report():\n    """Reads ops.mail."""', set()),
    ],
)
def test_a_table_is_seen_however_it_is_written(source: str, tables: set[str]) -> None:
    assert tables_named(source) == tables


def test_a_table_of_another_package_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "diagnostics/status", 'QUERY = "SELECT * FROM ops.staged"')
    write(tmp_path, "staging/queries", 'QUERY = "SELECT * FROM ops.staged"')
    write(tmp_path, "database/migrate", 'QUERY = "DROP TABLE ops.staged"')
    foreign = list(foreign_tables(tmp_path / "kimo_assets"))
    assert foreign == [("diagnostics", "staged", "diagnostics/status.py")]
