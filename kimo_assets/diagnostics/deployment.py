"""What `kimo check` finds of the place where Kimo runs: folders, disk, Dagster's database, keys,
the mail server.

Like the rest of the check it looks and tells. Of a folder it writes a file and takes it away again;
of the mail server it asks for nothing but a connection.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.engine import make_url

from kimo_assets.config import KimoConfig
from kimo_assets.errors import reason
from kimo_assets.reports import Finding

# Below that a warning: a load keeps its history, and PostgreSQL stops when its disk is full.
FREE_BYTES = 5_000_000_000
_TIMEOUT_S = 5.0


def check_deployment(config: KimoConfig, dagster_url: str | None) -> Iterator[Finding]:
    """dagster_url: of Dagster's database; None where that of Kimo could not be opened, which has
    been told already.
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
    if config.images.public or config.images.source or config.images.sources:
        folders["images public"] = config.public_folder
    for what, folder in folders.items():
        yield check_writable(what, folder)
    yield check_disk(config.data_dir)


def check_writable(what: str, folder: Path) -> Finding:
    """The folder, or the one in which it will be made, takes a file from the user we run as."""
    there = existing(folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        said = (
            f"{folder}: {_user()} cannot write there: {reason(error)}. Give that user the right, or"
            " name another"
        )
        return Finding("error", what, said)
    return Finding(
        "ok",
        what,
        f"{folder}, writable" if there == folder else f"{folder}, made when it is needed",
    )


def check_disk(folder: Path, enough: int = FREE_BYTES) -> Finding:
    free = shutil.disk_usage(existing(folder)).free
    said = f"{free / 1e9:,.1f} GB free on the disk of {folder}"
    if free < enough:
        said += (
            f", less than {enough / 1e9:,.0f} GB: PostgreSQL and the sync store need room. Free"
            " some, or move data_dir"
        )
        return Finding("warning", "disk", said)
    return Finding("ok", "disk", said)


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there, as far as we may see."""
    return next(place for place in (folder, *folder.parents) if os.path.isdir(place))


def _check_picture_sources(config: KimoConfig) -> Iterator[Finding]:
    named = {"images source": config.images.source} | {
        f"images source of {entity}": place for entity, place in config.images.sources.items()
    }
    for what, place in named.items():
        if place:
            yield check_readable(what, place)


def check_readable(what: str, place: str) -> Finding:
    """A folder, or an fsspec URL of one, that can be listed."""
    try:
        files, root = fsspec.core.url_to_fs(place)
        files.ls(root, detail=False)
    except Exception as error:  # each kind of store has exceptions of its own
        said = (
            f"{place} cannot be listed by {_user()}: {reason(error)}. Mend the address, its rights,"
            " or the share's mount"
        )
        return Finding("error", what, said)
    return Finding("ok", what, f"{place}, readable")


def _user() -> str:
    try:
        import pwd

        return f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    except (ImportError, KeyError, AttributeError):
        return "this user"


# --- what else has to be there
# ------------------------------------------------------------------------------------


def check_dagster_database(url: str) -> Finding:
    parsed = make_url(url)
    # Not as an address: libpq's complaint about one that it cannot read quotes it, with the
    # password.
    named = parsed.translate_connect_args(username="user", database="dbname")
    dsn = make_conninfo(**{key: str(value) for key, value in (named | dict(parsed.query)).items()})
    try:
        with psycopg.connect(dsn, connect_timeout=round(_TIMEOUT_S)) as connection:
            version = connection.info.parameter_status("server_version")
            may_create = connection.execute(
                "SELECT has_schema_privilege(current_schema(), 'CREATE')"
            ).fetchone()
    except psycopg.Error as error:
        said = (
            f"{' '.join(str(error).split())}. Make it, or mend `database: dagster_url:` of"
            " kimo.yaml"
        )
        return Finding("error", "Dagster's database", said)
    if may_create != (True,):
        said = f"user {parsed.username} may not create tables there: make that user its owner"
        return Finding("error", "Dagster's database", said)
    address = conninfo_to_dict(dsn)
    place = f"{address.get('host', 'localhost')}/{address.get('dbname', '')}"
    return Finding("ok", "Dagster's database", f"PostgreSQL {version}, {place}")


def _check_timezone(config: KimoConfig) -> Iterator[Finding]:
    """One that nobody knows is refused with the file."""
    yield Finding("ok", "time zone", config.schedules.timezone)


def _check_secrets(config: KimoConfig) -> Iterator[Finding]:
    """Whether they are there, never what they are. Told of parts that kimo.yaml speaks of."""
    wanted = []
    if "geocoding" in config.model_fields_set or config.schedules.geocoding:
        wanted.append(
            ("geocoding", config.geocoding.key_variable, "without Google's key nothing is geocoded")
        )
    if "api" in config.model_fields_set:
        wanted.append(
            ("web API", config.api.token_variable, "without a token every request is refused")
        )
    for what, variable, otherwise in wanted:
        if os.environ.get(variable):
            yield Finding("ok", what, f"{variable} is set")
        else:
            said = (
                f"the environment has no {variable}: {otherwise}. Set it for the service"
                " (docs/deploying.md)"
            )
            yield Finding("warning", what, said)


def _check_mail(config: KimoConfig) -> Iterator[Finding]:
    smtp = config.notifications.smtp
    if smtp:
        yield check_mail_server(smtp.host, smtp.port, min(smtp.timeout_s, _TIMEOUT_S))


def check_mail_server(host: str, port: int, timeout_s: float = _TIMEOUT_S) -> Finding:
    """A warning at most: a mail server that is down fails no run."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return Finding("ok", "mail server", f"{host}:{port} answers")
    except OSError as error:
        said = (
            f"{host}:{port} cannot be reached: {reason(error)}. Nobody is told. Mend"
            " notifications.smtp, or the network"
        )
        return Finding("warning", "mail server", said)
