"""A settings file: its sections are tables, in which rows nest by the parts of their key.

    BusinessRule:
      ErpDocument\\FilterPerUser: 1          # one column beside the key: its value alone
    User:
      mrossi: {UserName: mrossi, UserTypeId: SalesAgent, SalesAgentId: A001}
    UserRole:
      mrossi: [AGENTE]                       # nothing beside the key: a list of its last part
    ErpStatus:
      Account1: {A: Attivo, B: Bloccato}     # a key of two parts

Here is what the file alone can show. Its references to other tables are checked in validation.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kimo_assets.catalog import ConsoleTable, is_secret, load_console
from kimo_assets.config.document import Document
from kimo_assets.errors import ConfigError
from kimo_assets.settings.tables import Key, Rows
from kimo_assets.settings.values import did_you_mean, value_of
from kimo_assets.texts import say

# One wrong indent makes a mistake of every line below it. The first ones show that.
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
        path: tuple[str, ...] = (table,)
        if key:
            path = self.paths[table, key]
        if field:
            path = (*path, field)
        return self.document.place(path)


def read_settings(file: Path) -> Settings:
    """Reads a settings file. Raises: ConfigError with a sentence for each mistake in it."""
    document = Document.read(file)
    # As texts: YAML would make a number of the code 007 and a flag of a role called `no`.
    sections = document.texts()
    if not sections:
        sections_allowed = ", ".join(load_console())
        raise ConfigError(say("settings.empty_file", file=file, sections=sections_allowed))
    if not isinstance(sections, dict):
        raise ConfigError(say("settings.no_sections", file=file))
    reading = _Reading(document)
    for name, section in sections.items():
        reading.section(name, section)
    raise_all(reading.mistakes)
    return Settings(document, reading.tables, reading.paths)


def raise_all(mistakes: list[str]) -> None:
    """Raises: ConfigError with the first mistakes, when there is any."""
    if not mistakes:
        return
    lines = mistakes[:_SHOWN]
    if len(mistakes) > _SHOWN:
        lines.append(say("settings.and_more", count=len(mistakes) - _SHOWN))
    raise ConfigError("\n".join(lines))


class _Reading:
    """One pass over a file, with the mistakes in it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.tables: dict[str, Rows] = {}
        self.paths: dict[tuple[str, Key], tuple[str, ...]] = {}
        self.mistakes: list[str] = []

    def section(self, name: str, section: Any) -> None:
        """Reads a section into its table."""
        console = load_console()
        if name not in console:
            hint = did_you_mean(name, console)
            hint = hint or say("settings.there_are", names=", ".join(console))
            self._complain((name,), say("settings.no_such_section", hint=hint))
        # It may be a slip, and it would empty the table. To mean it, one writes `{}`.
        elif section is None:
            self._complain((name,), say("settings.empty_section"))
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
                self._complain(path, say("settings.expected_list", column=table.key[-1]))
                return
            for position, last in enumerate(node):
                yield (*parts, last), None, (*path, str(position))
        elif not isinstance(node, dict):
            self._complain(path, say("settings.expected_rows", column=table.key[len(parts)]))
        else:
            for part, below in node.items():
                yield from self._leaves(table, below, (*parts, part), (*path, part))

    def _row(
        self, table: ConsoleTable, parts: tuple[str, ...], leaf: Any, path: tuple[str, ...]
    ) -> None:
        """Reads one row. A row with a mistake is left out, and the reading goes on."""
        before = len(self.mistakes)
        key = tuple(
            self._key(table, name, part, path) for name, part in zip(table.key, parts, strict=True)
        )
        row = dict(zip(table.key, key, strict=True)) | self._values(table, leaf, path)
        for name in table.required:
            # A wrong value reads as None. It must not be called missing too.
            if name not in table.key and row[name] is None and len(self.mistakes) == before:
                self._complain(path, say("settings.required", column=name))
        # Settings files are kept under version control, so a password comes from a variable.
        if "Key" in table.key and self._is_open_secret(row):
            self._complain(path, say("settings.open_secret"))
        if len(self.mistakes) > before:
            return
        if key in self.tables[table.name]:
            self._complain(path, say("settings.twice"))
        self.tables[table.name][key] = row
        self.paths[table.name, key] = path

    def _key(self, table: ConsoleTable, name: str, part: Any, path: tuple[str, ...]) -> Any:
        # FreeLookup's Context may be empty and still be part of the key (fact sheet, section 8).
        if name in table.blank_key and part in (None, ""):
            return ""
        value = self._value(table, name, part, path)
        if value is None and part in (None, ""):
            self._complain(path, say("settings.empty_key", column=name))
        return value

    def _values(self, table: ConsoleTable, leaf: Any, path: tuple[str, ...]) -> dict[str, Any]:
        """The columns beside the key: one by its value alone, several by their names."""
        if len(table.values) == 1:
            return {table.values[0]: self._value(table, table.values[0], leaf, path)}
        if leaf is not None and not isinstance(leaf, dict):
            message = say("settings.expected_columns", column=table.values[0], value=_shown(leaf))
            self._complain(path, message)
            return dict.fromkeys(table.values)
        given: Mapping[str, Any] = leaf or {}
        for name in given:
            if name not in table.values:
                hint = did_you_mean(name, table.values)
                hint = hint or say("settings.columns_are", names=", ".join(table.values))
                message = say("settings.no_such_column", table=table.name, column=name, hint=hint)
                self._complain((*path, name), message)
        return {
            name: self._value(table, name, given.get(name), (*path, name)) for name in table.values
        }

    def _value(self, table: ConsoleTable, name: str, text: Any, path: tuple[str, ...]) -> Any:
        if isinstance(text, (dict, list)):
            message = say("settings.expected_one_value", column=name, value=_shown(text))
            self._complain(path, message)
            return None
        try:
            return value_of(table.fields[name], text)
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

    def _complain(self, path: tuple[str, ...], message: str) -> None:
        self.mistakes.append(f"{self._document.place(path)}: {message}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return say("settings.a_table")
    if isinstance(value, list):
        return say("settings.a_list")
    return repr(value)
