"""Every command and option explains itself, and stands in docs/cli.md."""

import re
from pathlib import Path

import click
import pytest

from kimo_assets.cli import main

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")

COMMANDS = sorted(main.commands)
# A command of a command stands in its section.
WHOLE = {
    **main.commands,
    **{
        f"{name} {sub}": command
        for name, group in main.commands.items()
        if isinstance(group, click.Group)
        for sub, command in group.commands.items()
    },
}
OPTIONS = [
    (name, option)
    for name, command in WHOLE.items()
    for option in command.params
    if isinstance(option, click.Option)
]


def test_there_are_exactly_the_commands_that_work() -> None:
    assert set(COMMANDS) == {
        "demo",
        "init",
        "mapping",
        "schema",
        "plan",
        "import",
        "undo",
        "status",
        "rejected",
        "retry",
        "entities",
        "check",
        "why",
        "semaphore",
        "agent",
        "sync",
        "dev",
        "settings",
        "sync-settings",
        "images",
        "geocode",
        "export",
        "report",
        "serve",
        "clean",
        "selftest",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained_and_in_the_reference(name: str) -> None:
    assert main.commands[name].help
    assert f"\n## kimo {name}" in DOCS


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[f"{n} {o.opts[0]}" for n, o in OPTIONS])
def test_every_option_is_explained_and_in_the_reference(name: str, option: click.Option) -> None:
    assert option.help
    section = re.split(rf"\n## kimo {name.split()[0]}(?=\s)", DOCS)[1].partition("\n## ")[0]
    common = DOCS.partition("\n## Common options")[2].partition("\n## ")[0]
    assert f"`{option.opts[0]}" in (common if option.opts[0] in ("--config", "--json") else section)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_every_command_takes_config_and_json(name: str) -> None:
    options = {opt for param in WHOLE[name].params for opt in param.opts}
    assert {"--config", "--json"} <= options


@pytest.mark.parametrize(
    ("command", "menu"),
    [
        ("import", "Import completo"),
        ("import", "entità specifiche"),
        ("agent", "Preparazione dati di Sync"),
        ("sync", "Preparazione dati di Sync"),
        ("demo", "Import completo"),
        ("sync-settings", "Preparazione dati di Sync delle sole impostazioni"),
        ("images", "Importazione file immagini articoli"),
        ("geocode", "Geocodifica Account"),
        ("export", "Export verso Erp"),
    ],
)
def test_help_names_the_vendors_menu(command: str, menu: str) -> None:
    text = main.commands[command].get_help(
        click.Context(main.commands[command], max_content_width=500)
    )
    assert menu in " ".join(text.split())
