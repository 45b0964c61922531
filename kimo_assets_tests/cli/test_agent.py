"""kimo agent: what the reference client did, in words and as JSON; on a terminal with bars."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from kimo_assets.cli import main
from kimo_assets_tests.sync.store_builder import StoreBuilder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A kimo.yaml whose store holds two rows for agent A1, one of them for the user rossi."""
    store = StoreBuilder(tmp_path / "store").entity("Account", Name="text")
    store.base("Account", 1, [{"Id": "A"}]).publish("A1", user="rossi")
    store.base("Account", 2, [{"Id": "B"}]).publish("A1")
    file = tmp_path / "kimo.yaml"
    file.write_text(
        "sources:\n  erp:\n    url: sqlite:///erp.sqlite\nsync:\n  store: ./store\nentities: {}\n"
    )
    return file


def test_a_sync_is_told_in_words(config: Path) -> None:
    file = config.with_name("new folder") / "a1.sqlite"
    said = CliRunner().invoke(main, ["--config", str(config), "agent", "A1", "--to", str(file)])
    assert said.exit_code == 0, said.output
    first, second = said.stdout.splitlines()
    assert first == f"Agent A1, load 2: 1 entity (1 changed), 2 rows in {file}"
    assert second.startswith("Downloaded 2 objects, ")
    assert second.endswith(": 2 rows put, 0 removed.")


def test_a_users_sync_as_json(config: Path) -> None:
    file = config.with_name("rossi.sqlite")
    said = CliRunner().invoke(
        main,
        ["--config", str(config), "agent", "A1", "--user", "rossi", "--to", str(file), "--json"],
    )
    document = json.loads(said.stdout)
    assert document.pop("bytes_downloaded") > 0
    assert document == {
        "agent": "A1",
        "user": "rossi",
        "load": 1,
        "entities": 1,
        "entities_changed": 1,
        "rows": 1,
        "objects_downloaded": 1,
        "rows_put": 1,
        "rows_removed": 0,
        "bases": 1,
        "changes": 0,
        "file": str(file),
    }


def test_a_refusal_is_one_sentence(config: Path) -> None:
    file = config.with_name("a2.sqlite")
    said = CliRunner().invoke(main, ["--config", str(config), "agent", "A2", "--to", str(file)])
    assert said.exit_code == 1
    assert said.stderr.startswith("Error: ")
    assert "holds no payload for agent 'A2'" in " ".join(said.stderr.split())
    assert not file.exists()


def test_a_terminal_shows_bars_in_bytes(config: Path) -> None:
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-c",
        "from kimo_assets.cli import main; main()",
        "--config",
        str(config),
    ]
    process = subprocess.Popen(
        [*command, "agent", "A1", "--to", str(config.with_name("a1.sqlite"))],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert "Downloading" in (text := shown.decode())
    assert "Writing" in text
    assert " B of " in text
