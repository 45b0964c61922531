"""Every sentence is said in both languages, with the same values, and each is used."""

import ast
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from string import Formatter

import pytest

import kimo_assets
from kimo_assets import texts
from kimo_assets.texts import Sentence, say, use_language

PACKAGE = Path(kimo_assets.__file__).parent
AREAS = [name for _, name, _ in pkgutil.iter_modules(texts.__path__) if name != "catalogue"]


def all_sentences() -> Iterator[tuple[str, Sentence]]:
    for area in AREAS:
        yield from import_module(f"kimo_assets.texts.{area}").SENTENCES.items()


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("area", AREAS)
def test_an_areas_keys_begin_with_its_name(area: str) -> None:
    keys = import_module(f"kimo_assets.texts.{area}").SENTENCES
    assert [key for key in keys if not key.startswith(f"{area}.")] == []


def test_every_sentence_has_an_italian_twin_with_the_same_values() -> None:
    wrong = []
    for key, sentence in all_sentences():
        english = [sentence.en, sentence.one_en or sentence.en]
        italian = [sentence.it, sentence.one_it or sentence.it]
        for template, twin in zip(english, italian, strict=True):
            same_values = fields(template) == fields(twin)
            if not template.strip() or not twin.strip() or not same_values:
                wrong.append(key)
    assert wrong == []


def said_keys() -> Iterator[str]:
    """Every text of the package that has the form of a key, or of the beginning of one.

    `say(f"export.outcome.{outcome}")` says a family of sentences, beginning with "export.outcome."
    """
    prefixes = tuple(f"{area}." for area in AREAS)
    for file in PACKAGE.rglob("*.py"):
        if file.parent.name == "texts":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and node.value.startswith(prefixes):
                yield node.value


def keys_given_to_say() -> Iterator[tuple[str, str]]:
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say"
            if is_call and node.args and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value, f"{file.name}:{node.lineno}"


def test_every_key_that_is_said_exists() -> None:
    keys = {key for key, _ in all_sentences()}
    assert [(key, place) for key, place in keys_given_to_say() if key not in keys] == []


def test_no_sentence_is_left_over() -> None:
    keys = {key for key, _ in all_sentences()}
    used = set(said_keys())
    families = tuple(key for key in used if key.endswith("."))
    left_over = [key for key in keys - used if not (families and key.startswith(families))]
    assert sorted(left_over) == []


def test_a_count_chooses_its_form_and_the_language_sets_thousands_apart() -> None:
    one = say("errors.entities_failed", step="Step 1", count=1, lines="")
    assert one.startswith("Step 1: 1 entity failed")
    with use_language("it"):
        many = say("errors.entities_failed", step="Step 1", count=4, lines="")
    assert many.startswith("Step 1: 4 entità non riuscite")


# --- no sentence beside the catalogue
# --------------------------------------------------------------------------------------------------

# Assertions about the program itself, that no operator can cause.
PROGRAMMING_ERRORS = {"AssertionError", "NotImplementedError", "TypeError"}


def words_of(node: ast.expr) -> str:
    """The letters that a literal or an f-string brings itself."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "".join(filter(str.isalpha, node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(words_of(part) for part in node.values)
    return ""


def raised_sentences(source: str) -> Iterator[int]:
    """Lines on which an error is raised with a sentence of its own, instead of a key."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
        if name in PROGRAMMING_ERRORS:
            continue
        first = node.exc.args[:1]
        if first and " " in ast.unparse(first[0]) and words_of(first[0]):
            yield node.lineno


def test_a_sentence_in_a_raise_is_noticed() -> None:
    source = """
raise ConfigError("there is no such file")
raise ConfigError(f"{file} is empty")
raise ConfigError(say("config.no_file", file=file))
raise ConfigError(f"{place}: {error}")
raise AssertionError("the program is wrong")
"""
    assert list(raised_sentences(source)) == [2, 3]


def test_no_error_is_raised_with_a_sentence_of_its_own() -> None:
    places = [
        f"{file.relative_to(PACKAGE).as_posix()}:{line}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line in raised_sentences(file.read_text(encoding="utf-8"))
    ]
    assert places == []
