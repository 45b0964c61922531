"""A settings file: its sections are tables, in which rows nest by the parts of their key.

    BusinessRule:
      ErpDocument\\FilterPerUser: 1          # one column beside the key: its value alone
    User:
      mrossi: {UserName: mrossi, UserTypeId: SalesAgent, SalesAgentId: A001}
    UserRole:
      mrossi: [AGENTE]                       # nothing beside the key: a list of its last part
    ErpStatus:
      Account1: {A: Attivo, B: Bloccato}     # a key of two parts

Here is what can be known of the file alone; what it says of other tables is looked at in checks.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kimo_assets.catalog import ConsoleTable, is_secret, load_console
from kimo_assets.config.document import Document
from kimo_assets.errors import ConfigError, nearest
from kimo_assets.settings.tables import Key, Rows
from kimo_assets.settings.values import value_of

_SHOWN = 25
_VARIABLE = re.compile(r"\$\{\w+\}")


@dataclass(frozen=True)
class Settings:
    """The tables of a file, by their names; only the sections that stand in it."""

    document: Document
    tables: dict[str, Rows]
    paths: dict[tuple[str, Key], tuple[str, ...]]

    def place(self, table: str, key: Key = (), field: str = "") -> str:
        """`file, line N: section.row.field`, of a row of the file or of a whole section."""
        path = self.paths[table, key] if key else (table,)
        return self.document.place((*path, field) if field else path)


def read_settings(file: Path) -> Settings:
    """Reads a settings file. Raises: ConfigError with a sentence for each thing that is wrong in
    it.
    """
    document = Document.read(file)
    sections = document.texts()
    if not sections:
        raise ConfigError(f"{file} is empty. Expected sections: {', '.join(load_console())}")
    if not isinstance(sections, dict):
        raise ConfigError(
            f"{file}: expected sections such as `BusinessRule:` or `User:`, each with its rows"
        )
    reading = _Reading(document)
    for name, section in sections.items():
        reading.section(name, section)
    raise_all(reading.wrong)
    return Settings(document, reading.tables, reading.paths)


def raise_all(wrong: list[str]) -> None:
    """Raises: ConfigError, when anything is wrong."""
    if wrong:
        more = [f"... and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise ConfigError("\n".join([*wrong[:_SHOWN], *more]))


class _Reading:
    """One pass over a file, with what is wrong in it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.tables: dict[str, Rows] = {}
        self.paths: dict[tuple[str, Key], tuple[str, ...]] = {}
        self.wrong: list[str] = []

    def section(self, name: str, section: Any) -> None:
        console = load_console()
        if name not in console:
            hint = nearest(name, console)
            known = (
                f"Did you mean {' or '.join(hint)}?"
                if hint
                else f"There are: {', '.join(console)}."
            )
            self._complain((name,), f"there is no such section. {known}")
        elif section is None:
            said = (
                "the section is empty. `{}` would empty its table; take the section out to leave"
                " the table as it is"
            )
            self._complain((name,), said)
        else:
            self.tables[name] = {}
            for parts, leaf, path in self._leaves(console[name], section, (), (name,)):
                self._row(console[name], parts, leaf, path)

    def _leaves(
        self, table: ConsoleTable, node: Any, parts: tuple[str, ...], path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], Any, tuple[str, ...]]]:
        """The rows below a node: the parts of the key, what stands there, where."""
        missing = len(table.key) - len(parts)
        if missing == 0:
            yield parts, node, path
        elif missing == 1 and not table.values:
            if not isinstance(node, list):
                self._complain(path, f"expected a list, the {table.key[-1]} of each: [A, B]")
                return
            for position, last in enumerate(node):
                yield (*parts, last), None, (*path, str(position))
        elif not isinstance(node, dict):
            self._complain(
                path, f"expected rows by their {table.key[len(parts)]}, each with a line `key: ...`"
            )
        else:
            for part, below in node.items():
                yield from self._leaves(table, below, (*parts, part), (*path, part))

    def _row(
        self, table: ConsoleTable, parts: tuple[str, ...], leaf: Any, path: tuple[str, ...]
    ) -> None:
        before = len(self.wrong)
        key = tuple(
            self._key(table, name, part, path) for name, part in zip(table.key, parts, strict=True)
        )
        row = dict(zip(table.key, key, strict=True)) | self._values(table, leaf, path)
        for name in table.required:
            if name not in table.key and row[name] is None and len(self.wrong) == before:
                self._complain(path, f"{name} is required and is not there")
        if "Key" in table.key and self._is_open_secret(row):
            said = (
                "a secret does not stand in a file: write ${NAME}, and set the variable NAME where"
                " Kimo runs"
            )
            self._complain(path, said)
        if len(self.wrong) > before:
            return
        if key in self.tables[table.name]:
            self._complain(path, "this row is there twice; keep one")
        self.tables[table.name][key] = row
        self.paths[table.name, key] = path

    def _key(self, table: ConsoleTable, name: str, part: Any, path: tuple[str, ...]) -> Any:
        if name in table.blank_key and part in (None, ""):
            return ""
        value = self._value(table, name, part, path)
        if value is None and part in (None, ""):
            self._complain(path, f"its {name} is empty")
        return value

    def _values(self, table: ConsoleTable, leaf: Any, path: tuple[str, ...]) -> dict[str, Any]:
        if len(table.values) == 1:
            return {table.values[0]: self._value(table, table.values[0], leaf, path)}
        if leaf is not None and not isinstance(leaf, dict):
            self._complain(
                path, f"expected its columns, {{{table.values[0]}: ...}}, got {_shown(leaf)}"
            )
            return dict.fromkeys(table.values)
        given: Mapping[str, Any] = leaf or {}
        for name in given:
            if name not in table.values:
                hint = nearest(name, table.values)
                known = (
                    f"Did you mean {' or '.join(hint)}?"
                    if hint
                    else f"It has: {', '.join(table.values)}."
                )
                self._complain((*path, name), f"{table.name} has no column '{name}'. {known}")
        return {
            name: self._value(table, name, given.get(name), (*path, name)) for name in table.values
        }

    def _value(self, table: ConsoleTable, name: str, said: Any, path: tuple[str, ...]) -> Any:
        if isinstance(said, (dict, list)):
            self._complain(path, f"expected one value for {name}, got {_shown(said)}")
            return None
        try:
            return value_of(table.fields[name], said)
        except ValueError as error:
            self._complain(path, str(error))
            return None

    @staticmethod
    def _is_open_secret(row: Mapping[str, Any]) -> bool:
        return (
            is_secret(row["Key"] or "")
            and bool(row["Value"])
            and not _VARIABLE.fullmatch(row["Value"])
        )

    def _complain(self, path: tuple[str, ...], said: str) -> None:
        self.wrong.append(f"{self._document.place(path)}: {said}")


def _shown(said: Any) -> str:
    return (
        "a table" if isinstance(said, dict) else "a list" if isinstance(said, list) else repr(said)
    )
