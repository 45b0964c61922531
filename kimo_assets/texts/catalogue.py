"""What a sentence is, and how it is said in the language at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from string import Formatter
from typing import Any, Literal

Language = Literal["en", "it"]

# Not a global: threads of one process may speak to readers of different languages.
_language: ContextVar[Language] = ContextVar("kimo_language", default="en")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence in both languages, with the same names in braces.

    one_en, one_it: the forms for a `count` of one, where they differ.
    """

    en: str
    it: str
    one_en: str | None = None
    one_it: str | None = None

    def form(self, language: Language, *, is_one: bool) -> str:
        """The template that fits the language and the number."""
        if language == "it":
            return (self.one_it if is_one else None) or self.it
        return (self.one_en if is_one else None) or self.en


class _Filler(Formatter):
    """Fills braces in; thousands are set apart as the language does it (1,234 or 1.234)."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        text: str = super().format_field(value, format_spec)
        if self._language == "it" and isinstance(value, (int, float)) and "," in format_spec:
            # Both at once, since one replacement after the other would undo the first.
            return text.translate(str.maketrans(",.", ".,"))
        return text


_FILLERS: dict[Language, _Filler] = {"en": _Filler("en"), "it": _Filler("it")}


def sentence(key: str) -> Sentence:
    """The sentence of a key. Raises: KeyError when its area has none such."""
    area = key.partition(".")[0]
    # When it is first needed: a command that says one sentence need not import all areas.
    sentences: dict[str, Sentence] = import_module(f"kimo_assets.texts.{area}").SENTENCES
    return sentences[key]


# `key` has no name for callers, so that a sentence may have a value called key.
def say(key: str, /, *, language: Language | None = None, **values: Any) -> str:
    """The sentence in a language, or in the one at hand, with its values filled in.

    A value named `count` chooses the form for one.
    """
    language = language or _language.get()
    template = sentence(key).form(language, is_one=values.get("count") == 1)
    return _FILLERS[language].vformat(template, (), values)


def current_language() -> Language:
    """The language of whoever reads what this run says."""
    return _language.get()


@contextmanager
def use_language(language: Language) -> Iterator[None]:
    """Says everything in this language within the block."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)
