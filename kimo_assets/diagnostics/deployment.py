"""The part of `kimo check` about the machine: folders, disk, Dagster's database, keys, mail server.

It changes nothing. In a folder it writes a file and removes it again. To the mail server it only
connects.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.engine import make_url

from kimo_assets.config import KimoConfig
from kimo_assets.errors import reason
from kimo_assets.reports import Finding
from kimo_assets.texts import say

# Below that a warning: a load keeps its history, and PostgreSQL stops when its disk is full.
FREE_BYTES = 5_000_000_000
# A firewall that drops packets gives no answer. A check should take seconds.
_TIMEOUT_S = 5.0


def check_deployment(config: KimoConfig, dagster_url: str | None) -> Iterator[Finding]:
    """dagster_url: of Dagster's database. None when Kimo's own database could not be opened, which
    is a finding already.
    """
    yield from _check_folders(config)
    yield from _check_picture_sources(config)
    if dagster_url:
        yield check_dagster_database(dagster_url)
    yield from _check_timezone(config)
    yield from _check_secrets(config)
    yield from _check_mail(config)


# --- folders
# --------------------------------------------------------------------------------------------------


def _check_folders(config: KimoConfig) -> Iterator[Finding]:
    folders = {"data_dir": config.data_dir}
    # Only what kimo.yaml uses. A warning about an unused folder hides the others.
    if config.images.public or config.images.source or config.images.sources:
        folders["images public"] = config.public_folder
    for subject, folder in folders.items():
        yield check_writable(subject, folder)
    # PostgreSQL, the store and Dagster's logs are all there by default.
    yield check_disk(config.data_dir)


def check_writable(subject: str, folder: Path) -> Finding:
    """The folder, or the one in which it will be made, takes a file from the user we run as."""
    nearest_folder = existing(folder)
    try:
        # By trial: rights, quotas, network drives and containers say in too many ways whether one
        # may.
        with tempfile.TemporaryFile(dir=nearest_folder):
            pass
    except OSError as error:
        message = say(
            "diagnostics.folder.not_writable", folder=folder, user=_user(), reason=reason(error)
        )
        return Finding("error", subject, message)
    if nearest_folder == folder:
        return Finding("ok", subject, say("diagnostics.folder.writable", folder=folder))
    return Finding("ok", subject, say("diagnostics.folder.made_when_needed", folder=folder))


def check_disk(folder: Path, enough: int = FREE_BYTES) -> Finding:
    """Whether there is room where the data are. enough: in bytes."""
    free = shutil.disk_usage(existing(folder)).free
    values: dict[str, Any] = {"folder": folder, "free": free / 1e9, "enough": enough / 1e9}
    if free < enough:
        return Finding("warning", "disk", say("diagnostics.disk.nearly_full", **values))
    return Finding("ok", "disk", say("diagnostics.disk.free", **values))


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists, as far as our rights reach."""
    # os.path.isdir is false where we may not look, while Path.is_dir may raise.
    return next(path for path in (folder, *folder.parents) if os.path.isdir(path))


def _check_picture_sources(config: KimoConfig) -> Iterator[Finding]:
    addresses = {"images source": config.images.source}
    for entity, address in config.images.sources.items():
        addresses[f"images source of {entity}"] = address
    for subject, folder in addresses.items():
        if folder:
            yield check_readable(subject, folder)


def check_readable(subject: str, address: str) -> Finding:
    """A folder, or an fsspec URL of one, that can be listed."""
    try:
        files, root = fsspec.core.url_to_fs(address)
        files.ls(root, detail=False)
    except Exception as error:  # each kind of store has exceptions of its own
        message = say(
            "diagnostics.folder.not_readable", folder=address, user=_user(), reason=reason(error)
        )
        return Finding("error", subject, message)
    return Finding("ok", subject, say("diagnostics.folder.readable", folder=address))


def _user() -> str:
    try:
        import pwd

        name = pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError, AttributeError):  # not on Windows, or a user without an entry
        return say("diagnostics.this_user")
    return say("diagnostics.user", name=name)


# --- servers, keys and the clock
# --------------------------------------------------------------------------------------------------


def check_dagster_database(url: str) -> Finding:
    """Whether Dagster's own database answers. No message repeats its address."""
    subject = "Dagster's database"
    parsed = make_url(url)
    # In parts and not as an address. Libpq's error about an address that it cannot read quotes it
    # whole, with the password.
    parts = parsed.translate_connect_args(username="user", database="dbname")
    dsn = make_conninfo(**{key: str(value) for key, value in (parts | dict(parsed.query)).items()})
    try:
        with psycopg.connect(dsn, connect_timeout=round(_TIMEOUT_S)) as connection:
            version = connection.info.parameter_status("server_version")
            may_create = connection.execute(
                # Dagster makes and migrates its own tables. Without the right it fails at its first
                # start.
                "SELECT has_schema_privilege(current_schema(), 'CREATE')"
            ).fetchone()
    except psycopg.Error as error:
        sentence = " ".join(str(error).split())
        return Finding("error", subject, say("diagnostics.dagster.unreachable", reason=sentence))
    if may_create != (True,):
        message = say("diagnostics.dagster.may_not_create", user=parsed.username)
        return Finding("error", subject, message)
    return Finding("ok", subject, f"PostgreSQL {version}, {server_address(dsn)}")


def server_address(dsn: str) -> str:
    """Host and database of a connection string, without its user and password."""
    parts = conninfo_to_dict(dsn)
    return f"{parts.get('host', 'localhost')}/{parts.get('dbname', '')}"


def _check_timezone(config: KimoConfig) -> Iterator[Finding]:
    """Always good: kimo.yaml with an unknown one is not accepted."""
    yield Finding("ok", "time zone", config.schedules.timezone)


def _check_secrets(config: KimoConfig) -> Iterator[Finding]:
    """Whether they are set, never their values. Only of the parts that kimo.yaml configures."""
    # A company without geocoding needs no key. model_fields_set holds what the file names.
    if "geocoding" in config.model_fields_set or config.schedules.geocoding:
        without = "diagnostics.secret.no_geocoding_key"
        yield _check_secret("geocoding", config.geocoding.key_variable, without)
    if "api" in config.model_fields_set:
        without = "diagnostics.secret.no_api_token"
        yield _check_secret("web API", config.api.token_variable, without)


def _check_secret(subject: str, variable: str, key_of_warning: str) -> Finding:
    if os.environ.get(variable):
        return Finding("ok", subject, say("diagnostics.secret.is_set", variable=variable))
    return Finding("warning", subject, say(key_of_warning, variable=variable))


def _check_mail(config: KimoConfig) -> Iterator[Finding]:
    # Only that of kimo.yaml: the console's server is in a database that may not open.
    smtp = config.notifications.smtp
    if smtp:
        yield check_mail_server(smtp.host, smtp.port, min(smtp.timeout_s, _TIMEOUT_S))


def check_mail_server(host: str, port: int, timeout_s: float = _TIMEOUT_S) -> Finding:
    """A warning at most: a mail server that is down fails no run."""
    address = f"{host}:{port}"
    try:
        # No login: some servers lock a user out after failed ones.
        with socket.create_connection((host, port), timeout=timeout_s):
            pass
    except OSError as error:
        message = say("diagnostics.mail.unreachable", address=address, reason=reason(error))
        return Finding("warning", "mail server", message)
    return Finding("ok", "mail server", say("diagnostics.mail.answers", address=address))
