"""A YAML file that remembers on which line each key stands, so that every message about it can say
so.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

CONFIG_VARIABLE = "KIMO_CONFIG"


_VARIABLE = re.compile(r"\$\{(\w+)\}")
_NULL, _BOOL, _INT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int"))


class PlainWordsLoader(yaml.SafeLoader):
    """YAML 1.2's plain words: NO, on and y are texts, and so are 001 and 12:30. An ERP's codes look
    like that.
    """


PlainWordsLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOL, _INT)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainWordsLoader.add_implicit_resolver(_BOOL, re.compile("(?i:true|false)$"), list("tTfF"))
PlainWordsLoader.add_implicit_resolver(
    _INT, re.compile("[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")
)


class Document:
    """A YAML file that remembers on which line each key stands."""

    def __init__(
        self, file: Path, node: yaml.Node | None, lines: dict[tuple[str, ...], str]
    ) -> None:
        self.file = file
        self._node = node
        self._lines = lines

    @classmethod
    def read(cls, file: Path) -> "Document":
        """Raises: ConfigError for a file that is not there, is not YAML or has a key twice."""
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            message = say("config.no_file", file=file, variable=CONFIG_VARIABLE)
            raise ConfigError(message) from None
        # Old editors on Windows write accents in another encoding.
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(say("config.unreadable", file=file, error=error)) from None
        try:
            # Nodes know their lines. Values that are read in one go do not.
            node = yaml.compose(text, Loader=PlainWordsLoader)
        except yaml.YAMLError as error:
            raise _not_yaml(file, error) from None
        lines: dict[tuple[str, ...], str] = {}
        for path, line in _key_lines(node, ()) if node else ():
            # YAML lets the later key win in silence, and half of a mapping would be gone.
            if path in lines:
                key = f"{file}, line {line}: {'.'.join(path)}"
                raise ConfigError(f"{key}: {say('config.twice')}")
            lines[path] = f"{file}, line {line}"
        return cls(file, node, lines)

    def error(self, path: tuple[str, ...], key: str, **values: Any) -> ConfigError:
        """The sentence of a key about what stands at a path, behind file, line and the path."""
        return ConfigError(f"{self.place(path)}: {say(key, **values)}")

    def joined(self, other: "Document", base: tuple[str, ...]) -> "Document":
        """One document for messages, in which the other one's keys stand below `base`."""
        of_other = {base + path: line for path, line in other._lines.items()}
        return Document(self.file, None, self._lines | of_other)

    def values(self) -> Any:
        """The values, with the environment's in the place of ${VARIABLE}. Raises: ConfigError."""
        if self._node is None:
            return {}
        try:
            values = PlainWordsLoader("").construct_document(self._node)
        except (yaml.YAMLError, ValueError) as error:
            raise _not_yaml(self.file, error) from None
        return self._expand(values, ())

    def texts(self) -> Any:
        """The values with every scalar as the text that stands there, or None; no variable is
        looked up.
        """
        return _texts(self._node) if self._node else None

    def place(self, path: Sequence[str]) -> str:
        """`file, line N: the.key` of the path, or of the nearest key above it."""
        # A single mapping may stand without the list that the model makes of it.
        written: tuple[str, ...] = ()
        for part in path:
            if not part.isdigit() or (*written, part) in self._lines:
                written += (part,)
        key = ".".join(written)
        for length in range(len(written), 0, -1):
            if line := self._lines.get(written[:length]):
                return f"{line}: {key}"
        return f"{self.file}: {key}" if key else str(self.file)

    def _expand(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {str(key): self._expand(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self._expand(item, path) for item in value]
        if isinstance(value, str):
            return _VARIABLE.sub(lambda match: self._variable(match[1], path), value)
        return value

    def _variable(self, name: str, path: tuple[str, ...]) -> str:
        # An empty text in its place would be tried as a password.
        if name not in os.environ:
            raise self.error(path, "config.variable_not_set", variable=name)
        return os.environ[name]


def _texts(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _texts(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_texts(value) for value in node.value]
    return None if node.tag == _NULL else node.value


def _not_yaml(file: Path, error: Exception) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    place = str(file)
    if mark:
        place = f"{file}, line {mark.line + 1}"
    problem = getattr(error, "problem", error)
    return ConfigError(say("config.not_yaml", place=place, error=problem))


def _key_lines(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each key and each position of a list as a path, with its line. The first line is 1."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _key_lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            here = (*path, str(position))
            yield here, value.start_mark.line + 1
            yield from _key_lines(value, here)
