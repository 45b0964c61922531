"""What `kimo import` advises depends on the class of the error, never on a word of its sentence."""

import pytest

from kimo_assets.cli.summary import what_next
from kimo_assets.errors import (
    ContractError,
    GuardError,
    KimoError,
    NotStagedError,
    SemaphoreError,
    SourceError,
    TransientSourceError,
)
from kimo_assets.reports import ImportReport, StagedEntity, StepReport, failed_report


def _advice(*errors: KimoError) -> str:
    entities = {f"E{number}": error for number, error in enumerate(errors)}
    reports = {
        name: failed_report(StagedEntity, name, 0.0, error) for name, error in entities.items()
    }
    report = ImportReport(None, 1, False, 0.0, {1: StepReport(1, reports)})
    return "\n".join(what_next(lambda *words: "kimo " + " ".join(words), report))


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (GuardError("meno della metà"), "kimo import --entities E0 --only-listed --allow-shrink"),
        (NotStagedError("mai letta"), "kimo import --step 1 --entities E0"),
        (SemaphoreError("il gestionale scrive"), "kimo semaphore show"),
        (TransientSourceError("non risponde"), "kimo check"),
    ],
)
def test_the_advice_fits_the_error_in_any_language(error: KimoError, command: str) -> None:
    advice = _advice(error)
    assert command in advice
    assert advice.count("kimo ") == 1


def test_entities_with_the_same_error_share_one_line() -> None:
    advice = _advice(SourceError("uno"), ContractError("due"), SourceError("tre"))
    assert advice.count("kimo check") == 1


def test_a_word_of_another_errors_sentence_gives_no_advice() -> None:
    assert not _advice(ContractError("run step 1 with --allow-shrink: no table or view"))
