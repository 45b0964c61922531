"""A source's URL as it may stand in a file: its secrets replaced by environment variables."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus, unquote_plus

from sqlalchemy.engine import URL, make_url

from kimo_assets.errors import ConfigError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET_KEY = re.compile(r"(?i)^(pwd|passwd|password|secret|.*token)$")
_SECRET_IN_TEXT = re.compile(r"(?i)\b(?:pwd|password)\s*=\s*(\{[^}]*\}|[^;]*)")


@dataclass(frozen=True)
class Address:
    """live: to connect to now. written: for kimo.yaml. unset: the variable that has to be set for
    the file to load.
    """

    live: str
    written: str
    unset: str | None


def read_address(text: str, source: str, folder: Path) -> Address:
    """What a URL on the command line means. Relative SQLite paths count from here, in the file from
    its `folder`.

    `${NAME}` in the text stands for that environment variable and stays in the file. Raises:
    ConfigError, which repeats no part of the text: it may hold a password.
    """
    names = _VARIABLE.findall(text)
    if missing := [name for name in names if name not in os.environ]:
        raise ConfigError(
            f"the URL of source '{source}' names {', '.join(missing)}, which is not set"
        )
    live = _parsed(_VARIABLE.sub(lambda match: os.environ[match[1]], text), source)
    kept = {f"kimoVariable{index}x": f"${{{name}}}" for index, name in enumerate(names)}
    tokens = iter(kept)
    bare = _parsed(_VARIABLE.sub(lambda _: next(tokens), text), source)
    variable = f"KIMO_{source.upper()}_PASSWORD"
    hidden = _hide(bare, "kimoSecretx", set(kept))
    written = _counted_from(hidden, folder).render_as_string(hide_password=False)
    for token, name in {**kept, "kimoSecretx": f"${{{variable}}}"}.items():
        written = written.replace(token, name)
    is_hidden = "kimoSecretx" in hidden.render_as_string(hide_password=False)
    is_unset = is_hidden and variable not in os.environ
    return Address(
        _counted_from(live, None).render_as_string(hide_password=False),
        written,
        variable if is_unset else None,
    )


def _parsed(text: str, source: str) -> URL:
    try:
        return make_url(text)
    except Exception:
        raise ConfigError(
            f"the address of source '{source}' is no database URL. Expected e.g."
            " mssql+pyodbc://user:password@host/database?driver=... or sqlite:///erp.sqlite"
        ) from None


def _hide(url: URL, token: str, kept: set[str]) -> URL:
    """The URL with `token` for a password, wherever it stands; what is a variable already stays."""
    if url.password and str(url.password) not in kept:
        url = url.set(password=token)
    changed = {}
    for key, value in url.query.items():
        texts = (value,) if isinstance(value, str) else value
        changed[key] = tuple(_hidden(key, text, token, kept) for text in texts)
    return url.set(query=changed) if changed else url


def _hidden(key: str, text: str, token: str, kept: set[str]) -> str:
    if _SECRET_KEY.match(key):
        return text if text in kept else token
    for secret in _SECRET_IN_TEXT.findall(text):  # odbc_connect=DRIVER=...;PWD=...
        if secret and unquote_plus(secret) not in kept and quote_plus(secret) not in kept:
            text = text.replace(secret, token)
    return text


def _counted_from(url: URL, folder: Path | None) -> URL:
    """A SQLite file by its path from the folder where it lies in it, else by its whole path. None:
    the whole path.
    """
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    if "kimoVariable" in url.database:
        return url
    file = Path(url.database).absolute()
    if folder is not None and file.is_relative_to(folder.absolute()):
        file = file.relative_to(folder.absolute())
    return url.set(database=file.as_posix())
