"""kimo check looks at the place where Kimo runs: each line by what is really there."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.diagnostics.deployment import (
    check_dagster_database,
    check_deployment,
    check_disk,
    check_mail_server,
    check_readable,
    check_writable,
    existing,
)
from kimo_assets.reports import Finding
from kimo_assets_tests.support.integrations import Command
from kimo_assets_tests.support.rights import needs_linux, ordinary_rights, read_only

pytestmark = pytest.mark.portable

SECRET = "a-planted-password"


def looked(folder: Path, text: str, dagster_url: str | None = None) -> dict[str, Finding]:
    file = folder / "kimo.yaml"
    file.write_text(f"sources: {{erp: {{url: sqlite:///erp.sqlite}}}}\n{text}", encoding="utf-8")
    return {line.subject: line for line in check_deployment(load_config(file), dagster_url)}


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_a_plain_company_is_told_of_its_folder_its_disk_and_its_time_zone(tmp_path: Path) -> None:
    found = looked(tmp_path, "")
    assert {what: one.level for what, one in found.items() if what != "disk"} == {
        "data_dir": "ok",
        "time zone": "ok",
    }
    assert found["data_dir"].message == f"{tmp_path / 'data'}, made when it is needed"
    assert "GB free on the disk of" in found["disk"].message
    assert not (tmp_path / "data").exists()


@needs_linux
def test_a_folder_without_rights_is_an_error_that_names_the_user(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    with read_only(tmp_path), ordinary_rights():
        told = check_writable("data_dir", tmp_path / "data" / "new")
    assert told.level == "error"
    assert f"user {user} cannot write there: PermissionError" in told.message


def test_a_folder_leaves_no_probe_behind(tmp_path: Path) -> None:
    assert check_writable("data_dir", tmp_path) == Finding(
        "ok", "data_dir", f"{tmp_path}, writable"
    )
    assert list(tmp_path.iterdir()) == []
    assert existing(tmp_path / "a" / "b") == tmp_path


def test_a_disk_that_is_nearly_full_is_a_warning(tmp_path: Path) -> None:
    assert check_disk(tmp_path, enough=1).level == "ok"
    told = check_disk(tmp_path, enough=10**18)
    assert told.level == "warning"
    assert "less than 1,000,000,000 GB" in told.message


def test_sources_of_pictures_are_listed_each_by_its_own_address(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    found = looked(tmp_path, "images: {source: pictures, sources: {PromotionImage: missing}}")
    assert found["images source"].level == "ok"
    assert found["images source of PromotionImage"].level == "error"
    assert "FileNotFoundError" in found["images source of PromotionImage"].message
    assert found["images public"].level == "ok"
    assert check_readable("images source", "nosuch://place").level == "error"


def test_dagster_s_database_is_asked_and_a_password_is_never_repeated(
    database: Database, tmp_path: Path
) -> None:
    assert check_dagster_database(database.dagster_url).level == "ok"
    told = check_dagster_database(f"postgresql+psycopg2://kimo:{SECRET}@127.0.0.1:1/dagster")
    assert told.level == "error"
    assert "database: dagster_url:" in told.message
    assert SECRET not in told.message


def test_keys_and_tokens_are_asked_for_where_their_part_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", SECRET)
    text = "geocoding: {key_variable: A_KEY}\napi: {token_variable: A_TOKEN}"
    found = looked(tmp_path, text)
    assert found["geocoding"] == Finding("ok", "geocoding", "A_KEY is set")
    assert found["web API"].level == "warning"
    assert "the environment has no A_TOKEN" in found["web API"].message
    assert "geocoding" not in looked(tmp_path, "")


def test_the_mail_server_is_only_connected_to(tmp_path: Path) -> None:
    with listening() as port:
        found = looked(tmp_path, f"notifications: {{smtp: {{host: 127.0.0.1, port: {port}}}}}")
        assert found["mail server"] == Finding("ok", "mail server", f"127.0.0.1:{port} answers")
    told = check_mail_server("127.0.0.1", port)
    assert told.level == "warning"
    assert "ConnectionRefusedError" in told.message


def test_the_command_tells_of_the_deployment_unless_it_is_asked_for_entities(
    command: Command,
) -> None:
    text = "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\nentities: {Zone: {}}\n"
    command.file.write_text(f"{text}{command.kimo_database}\n", encoding="utf-8")
    (command.folder / "erp.sqlite").touch()
    told = {one["what"]: one["level"] for one in command.json("check", code=1)}
    assert told.items() >= {"data_dir": "ok", "Dagster's database": "ok", "time zone": "ok"}.items()
    assert "data_dir" not in {
        one["what"] for one in command.json("check", "--entities", "Zone", code=1)
    }
