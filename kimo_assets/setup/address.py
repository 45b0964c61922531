"""A source's URL as it may stand in a file: its secrets replaced by environment variables."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus, unquote_plus

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET_KEY = re.compile(r"(?i)^(pwd|passwd|password|secret|.*token)$")
_SECRET_IN_TEXT = re.compile(r"(?i)\b(?:pwd|password)\s*=\s*(\{[^}]*\}|[^;]*)")

# Stands for a secret until the URL is written.
_SECRET_TOKEN = "kimoSecretx"  # noqa: S105 (it is not one)


@dataclass(frozen=True)
class Address:
    """live: to connect to now. written: for kimo.yaml.

    unset: the variable that has to be set before the file loads.
    """

    live: str
    written: str
    unset: str | None


def read_address(text: str, source: str, folder: Path) -> Address:
    """The address of a URL on the command line.

    Relative SQLite paths count from the current folder, and in the file from its `folder`.
    `${NAME}` in the text stands for that environment variable and stays in the file. Raises:
    ConfigError, which repeats no part of the text, because it may hold a password.
    """
    # A missing variable is reported before the URL is parsed, which would fail less clearly.
    names = _VARIABLE.findall(text)
    if missing := [name for name in names if name not in os.environ]:
        message = say("setup.variable_not_set", source=source, names=", ".join(missing))
        raise ConfigError(message)
    live = _parsed(_VARIABLE.sub(lambda match: os.environ[match[1]], text), source)
    # SQLAlchemy would encode `${NAME}`, so tokens stand for it until the URL is written.
    variable_of = {f"kimoVariable{index}x": f"${{{name}}}" for index, name in enumerate(names)}
    tokens = iter(variable_of)
    with_tokens = _parsed(_VARIABLE.sub(lambda _: next(tokens), text), source)
    hidden = _hide(with_tokens, _SECRET_TOKEN, set(variable_of))
    variable = f"KIMO_{source.upper()}_PASSWORD"
    variable_of[_SECRET_TOKEN] = f"${{{variable}}}"
    written = _counted_from(hidden, folder).render_as_string(hide_password=False)
    has_secret = _SECRET_TOKEN in written
    for token, name in variable_of.items():
        written = written.replace(token, name)
    unset = None
    if has_secret and variable not in os.environ:
        unset = variable
    return Address(_counted_from(live, None).render_as_string(hide_password=False), written, unset)


def _parsed(text: str, source: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        # Without its cause, whose text may repeat the URL.
        raise ConfigError(say("setup.no_url", source=source)) from None


def _hide(url: URL, token: str, kept: set[str]) -> URL:
    """The URL with `token` for each password in it, unless that is a variable already.

    kept: the tokens of variables.
    """
    if url.password and str(url.password) not in kept:
        url = url.set(password=token)
    if not url.query:
        return url
    query = {}
    for key, texts in url.normalized_query.items():
        query[key] = tuple(_hidden(key, text, token, kept) for text in texts)
    return url.set(query=query)


def _hidden(key: str, text: str, token: str, kept: set[str]) -> str:
    if _SECRET_KEY.match(key):
        return text if text in kept else token
    # ODBC's parameters have the password within a text: odbc_connect=DRIVER=...;PWD=...
    for secret in _SECRET_IN_TEXT.findall(text):
        if secret and unquote_plus(secret) not in kept and quote_plus(secret) not in kept:
            text = text.replace(secret, token)
    return text


def _counted_from(url: URL, folder: Path | None) -> URL:
    """A SQLite URL with its path from the folder, or its whole path where it lies elsewhere.

    folder: None for the whole path.
    """
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    # The path is that of a variable.
    if "kimoVariable" in url.database:
        return url
    file = Path(url.database).absolute()
    if folder is not None and file.is_relative_to(folder.absolute()):
        file = file.relative_to(folder.absolute())
    return url.set(database=file.as_posix())
