"""The states on the way to the ERP stand once, in catalog/lifecycle.py. The picture shows them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import kimo_assets
from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.lifecycle import (
    AFTER_ANSWER,
    ENDED_BATCH_STATES,
    IN_FLIGHT,
    OPEN_BATCH_STATES,
    PENDING,
    TRANSITIONS,
    Actor,
    BatchState,
    EntityStatus,
    RecordOutcome,
    Transition,
)

PACKAGE = Path(kimo_assets.__file__).parent
PICTURE = PACKAGE.parent / "docs" / "pictures" / "export-states.svg"

WORDS = {*BatchState, *RecordOutcome}
# These words mean nothing else in the package. The others are also counts and keys of reports.
UNMISTAKABLE = {"exporting", "committing", "taken back"}

# file -> why it spells what others take from lifecycle.py
EXCEPTIONS = {
    "catalog/lifecycle.py": "the one place",
    "database/ledger.sql": "a file of SQL takes no parameters; a test below compares it",
}


# --- the vendor's names, and the picture
# --------------------------------------------------------------------------------------------------


def test_the_statuses_are_the_vendors_with_the_vendors_names() -> None:
    for entity in load_catalog().all.values():
        if "EntityStatus" in entity.fields:
            codes = entity.fields["EntityStatus"].codes
            assert {str(s.value): s.vendor_name for s in EntityStatus} == codes


def test_the_picture_shows_every_transition_and_no_other() -> None:
    assert set(drawn(PICTURE.read_text(encoding="utf-8"))) == TRANSITIONS


def test_the_picture_has_a_box_for_every_status() -> None:
    boxes = ElementTree.fromstring(PICTURE.read_text(encoding="utf-8")).iter()
    statuses = [code for box in boxes for code in box.get("data-status", "").split()]
    assert sorted(map(int, statuses)) == sorted(EntityStatus)


def test_an_arrow_that_the_data_lack_is_noticed() -> None:
    picture = PICTURE.read_text(encoding="utf-8")
    other = picture.replace('data-from="6" data-to="3"', 'data-from="6" data-to="5"')
    assert other != picture
    assert set(drawn(other)) != TRANSITIONS


def drawn(picture: str) -> Iterator[Transition]:
    """The transitions that the arrows of the picture stand for. An arrow may stand for several."""
    for arrow in ElementTree.fromstring(picture).iter():
        for before in arrow.get("data-from", "").split():
            for actor in arrow.get("data-by", "").split():
                after = EntityStatus(int(arrow.get("data-to", "")))
                yield Transition(EntityStatus(int(before)), after, Actor(actor))


# --- the tables among themselves
# --------------------------------------------------------------------------------------------------


def test_no_transition_leads_to_the_same_status() -> None:
    assert [t for t in TRANSITIONS if t.before == t.after] == []


def test_what_an_answer_changes_is_a_transition_of_the_import() -> None:
    changes = {Transition(before, after, Actor.IMPORT) for before, after in AFTER_ANSWER.items()}
    assert changes <= TRANSITIONS


def test_an_import_takes_nothing_out_of_the_hands_of_an_export_or_of_an_agent() -> None:
    """A snapshot replaces no pending record. Only an answer moves one, back to be exported."""
    by_import = {t for t in TRANSITIONS if t.by == Actor.IMPORT and t.before in PENDING}
    assert {t.after for t in by_import} == {EntityStatus.TO_EXPORT_TO_ERP}
    assert not {t.before for t in by_import} & set(IN_FLIGHT)


def test_only_a_batch_that_may_have_arrived_ends_as_exported() -> None:
    before = {t.before for t in TRANSITIONS if t.after == EntityStatus.EXPORTED_TO_ERP}
    assert before == {EntityStatus.COMMITTING_EXPORT_TO_ERP}


def test_a_batch_is_open_or_has_ended() -> None:
    assert sorted([*OPEN_BATCH_STATES, *ENDED_BATCH_STATES]) == sorted(BatchState)


def test_the_ledgers_index_is_over_the_open_batches() -> None:
    ledger = (PACKAGE / "database" / "ledger.sql").read_text(encoding="utf-8")
    states = ", ".join(f"'{state}'" for state in OPEN_BATCH_STATES)
    assert f"ON ops.export_batch (state) WHERE state IN ({states})" in ledger


# --- nobody else spells them
# --------------------------------------------------------------------------------------------------

# A code beside the column, or beside the name that queries give it.
CODE_IN_SQL = re.compile(
    r"""(EntityStatus["']?|\bstatus(_afterwards)?)(::\w+)?\s*
        (<=|>=|<>|=|<|>|(NOT\s+)?IN\s*\(|=\s*ANY\s*\(\W*|,)\s*-?\d""",
    re.VERBOSE,
)
CASE_OF_CODES = re.compile(r"\bWHEN\s+-?\d+\s+THEN\s+-?\d")
WORD_IN_SQL = re.compile(r"'({})'".format("|".join(sorted(WORDS))))
ABOUT_EXPORTS = re.compile(r"\boutcome\b|\bexport_(record|batch)\b|\bintegrator\.outbox\b")
NAMES_OF_STATES = re.compile(r"^(outcome|state|batch_state)$")
NAMES_OF_STATUSES = re.compile(r"^_*(\w+_)?(entity_status|status)$")
NAMES_OF_CODES = {s.name for s in EntityStatus}


def spelled(source: str) -> Iterator[str]:
    """What a module spells itself of the states: status codes and words, in SQL and in Python."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield from spelled_in_sql(text)
                if text in UNMISTAKABLE:
                    yield f"line {node.lineno}: '{text}'"
            case ast.JoinedStr(values=parts):
                pieces = [part.value if isinstance(part, ast.Constant) else "{}" for part in parts]
                yield from spelled_in_sql("".join(map(str, pieces)))
            case ast.Compare(left=left, comparators=others):
                yield from compared(left, others)
            case ast.Dict(keys=keys, values=values):
                yield from put_in_rows(keys, values)
            case ast.keyword(arg=str(name), value=ast.Constant(value=value)):
                yield from assigned(name, value, node.value.lineno)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                yield from assigned(name, value, node.lineno)


def spelled_in_sql(text: str) -> Iterator[str]:
    if "EntityStatus" in text or "export_" in text:
        for match in (*CODE_IN_SQL.finditer(text), *CASE_OF_CODES.finditer(text)):
            yield f"SQL: {match.group()}"
    if ABOUT_EXPORTS.search(text):
        for match in WORD_IN_SQL.finditer(text):
            yield f"SQL: {match.group()}"


def compared(left: ast.expr, others: list[ast.expr]) -> Iterator[str]:
    sides = [left, *others]
    names = [s.id if isinstance(s, ast.Name) else getattr(s, "attr", "") for s in sides]
    constants = [n for side in sides for n in ast.walk(side) if isinstance(n, ast.Constant)]
    for constant in constants:
        is_word = constant.value in WORDS and any(map(NAMES_OF_STATES.match, names))
        is_code = is_a_code(constant.value) and any(map(NAMES_OF_STATUSES.match, names))
        if is_word or is_code:
            yield f"line {constant.lineno}: compared with {constant.value!r}"


def put_in_rows(keys: list[ast.expr | None], values: list[ast.expr]) -> Iterator[str]:
    for key, value in zip(keys, values, strict=True):
        is_status = isinstance(key, ast.Constant) and key.value == "EntityStatus"
        if is_status and isinstance(value, ast.Constant) and is_a_code(value.value):
            yield f"line {value.lineno}: EntityStatus {value.value}"


def assigned(name: str, value: object, line: int) -> Iterator[str]:
    is_named = name.strip("_") in NAMES_OF_CODES or name == "entity_status"
    if is_named and is_a_code(value):
        yield f"line {line}: {name} = {value}"


def is_a_code(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in set(EntityStatus)


def test_no_other_module_spells_a_status_or_an_outcome() -> None:
    spellings = []
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if name in EXCEPTIONS:
            continue
        source = file.read_text(encoding="utf-8")
        spellings += [f"{name}: {spelling}" for spelling in spelled(source)]
    assert spellings == []


@pytest.mark.parametrize(
    "source",
    [
        """Q = 'UPDATE t SET "EntityStatus" = 6' """,
        """Q = 'SELECT 1 FROM t WHERE "EntityStatus" IN (3, 5)' """,
        """Q = 'SELECT 1 FROM t WHERE coalesce(k."EntityStatus"::integer, -1) > 1' """,
        """Q = 'SELECT coalesce("EntityStatus", -1) FROM t' """,
        """Q = f'SELECT 1 FROM {table} AS h WHERE h."EntityStatus" <> 1' """,
        """Q = 'SELECT CASE "EntityStatus" WHEN 1 THEN 2 END FROM t' """,
        """Q = 'SELECT count(*) FILTER (WHERE status IN (3, 5)) FROM ops.export_record' """,
        """Q = "SELECT 1 FROM ops.export_record WHERE outcome = 'sent'" """,
        """Q = f"SELECT 1 FROM ops.export_batch WHERE state IN ('exporting', 'committing')" """,
        """close(batch, "taken back")""",
        """if batch.state == "exported": pass""",
        """if outcome in ("sent", "held"): pass""",
        """if status == 6: pass""",
        """if record.entity_status in (3, 5): pass""",
        """row = {"EntityStatus": 6}""",
        """_EDITING_PENDING = 10""",
        """put(entity_status=6)""",
    ],
)
def test_a_spelling_is_noticed(source: str) -> None:
    assert list(spelled(source))


@pytest.mark.parametrize(
    "source",
    [
        """Q = 'SELECT 1 FROM t WHERE "EntityStatus" = %s' """,
        """Q = 'SELECT 1 FROM t WHERE h."EntityStatus" IN {in_flight} LIMIT 1' """,
        """counts = {"sent": 1, "held": 2}""",
        """if status == EntityStatus.EDITING: pass""",
        """if batch.state == BatchState.EXPORTED: pass""",
        """if kind == "held": pass""",
    ],
)
def test_what_takes_the_names_is_left_alone(source: str) -> None:
    assert list(spelled(source)) == []
