"""What letters say, in both languages, and that data of the ERP's do no harm in them."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from kimo_assets.notifications.compose import Letter, as_html, as_text, harmless
from kimo_assets.notifications.morning import MorningReport, Tablet, Tablets, morning_letter
from kimo_assets.notifications.runs import (
    Failing,
    Notice,
    RejectedRows,
    RunOutcome,
    StepLine,
    run_letter,
)
from kimo_assets.notifications.translations import Words
from kimo_assets_tests.notifications.conftest import settings_of

pytestmark = pytest.mark.portable

BEGAN = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\x1b[2J\r\nBcc: x@y.it"


def news(**own: object) -> RunOutcome:
    given = {
        "run_id": "r1",
        "title": "Import completo",
        "success": True,
        "started_at": BEGAN,
        "ended_at": BEGAN + timedelta(minutes=3, seconds=20),
        "command": "kimo import",
        "load": 12,
        "steps": {
            1: [
                StepLine(
                    "Zone",
                    "ok",
                    1.5,
                    {"read": 1234, "staged": 1230, "rejected": 4, "rejected_new": 1},
                ),
                StepLine("Item", "unchanged", 0.1, {"read": 7}),
            ],
            2: [StepLine("Zone", "ok", 0.5, {"inserted": 3, "held": 2, "dangling": {"ZoneId": 5}})],
        },
        "rejected": [
            RejectedRows("Zone", "Description", "il testo è più lungo del campo", 3, 0),
            RejectedRows("Account", "Priority", EVIL, 1, 1),
        ],
    }
    return RunOutcome(**(given | own))  # type: ignore[arg-type]


def letter(notice: Notice = "succeeded", language: str = "it", **own: object) -> Letter:
    return run_letter(news(**own), notice, settings_of(None, language=language))


@pytest.mark.parametrize(
    ("language", "subject", "took", "rows"),
    [
        ("it", "[Kimo] Completato: Import completo", "Durata", "1.234"),
        ("en", "[Kimo] Done: Import completo", "Took", "1,234"),
    ],
)
def test_a_success(language: str, subject: str, took: str, rows: str) -> None:
    made = letter(language=language)
    assert made.subject == subject
    for shown in (as_text(made), as_html(made)):
        assert took in shown
        assert "3 min 20 s" in shown
        assert rows in shown
        assert "http://ui.example:3000/runs/r1" in shown
        assert "kimo rejected" in shown
    text = as_text(made)
    assert "Item" not in text.partition("kimo rejected")[0].partition("Zone")[0]
    assert ("02:00" in text) == (language in ("it", "en"))  # Rome's time


def test_new_refused_rows_come_first() -> None:
    text = as_text(letter())
    assert text.index("Account") < text.index("più lungo del campo")
    assert "Righe scartate: 4, nuove 1" in text


def test_what_is_held_and_dangling_is_told() -> None:
    text = as_text(letter(language="en"))
    assert "2 rows held" in text
    assert "5 references that point nowhere" in text


def test_a_failure_says_why_and_what_to_do() -> None:
    failed = {
        1: [
            StepLine(name, "failed", 0.1, {}, "source 'erp' cannot be reached")
            for name in ("Zone", "Item")
        ]
    }
    made = letter("failed", success=False, steps=failed, rejected=())
    assert made.subject == "[Kimo] FALLITO: Import completo"
    text = as_text(made)
    assert "* Zone, Item: source 'erp' cannot be reached" in text
    assert "    kimo import\n" in text


def test_a_failure_without_a_reason_says_where_to_look() -> None:
    assert "senza dire perché" in as_text(letter("failed", success=False, steps={}))


def test_a_recovery_says_since_when_it_failed() -> None:
    made = run_letter(news(), "recovered", settings_of(None, language="en"), Failing(BEGAN, 10))
    assert made.subject == "[Kimo] Works again: Import completo"
    assert "2026-11-24 02:00, 10 runs" in as_text(made)


def test_an_export_and_a_side_job() -> None:
    export = letter(
        steps={},
        rejected=(),
        exported={"Document": (2, 7)},
        held_back=[("Document", "D3", "no reference")],
    )
    assert re.search(r"Document +2 +7", as_text(export))
    assert "D3" in as_text(export)
    pictures = letter(
        steps={},
        rejected=(),
        figures={"made": 3},
        problems=[("a.jpg", "is no picture")],
        problem_count=9,
    )
    assert "Non riusciti: 9" in as_text(pictures)
    assert "is no picture" in as_html(pictures)


def test_data_of_the_erp_are_data_in_html_and_one_line_in_text() -> None:
    made = letter(title=EVIL)
    page = as_html(made)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page + as_text(made))
    assert "\nBcc" not in as_text(made)


def test_only_an_address_of_the_web_is_a_link() -> None:
    made = run_letter(news(), "succeeded", settings_of(None, base_url="javascript:alert(1)"))
    assert "javascript" not in as_html(made)


def test_harmless() -> None:
    assert harmless("a\u2028b\u202ec\ud800 d\te") == "a b c d e"
    assert harmless("x" * 10, 4) == "xxx…"


def test_figures_and_times_of_a_language() -> None:
    rome = settings_of(None).timezone
    italian, english = Words("it", rome), Words("en", rome)
    assert (italian.number(1234567), english.number(1234567), english.number(0)) == (
        "1.234.567",
        "1,234,567",
        "-",
    )
    assert (italian.number(1234.5), english.number(1234.5)) == ("1.234,5", "1,234.5")
    assert (italian.moment(BEGAN), english.moment(BEGAN)) == (
        "24/11/2026 02:00",
        "2026-11-24 02:00",
    )
    assert [italian.duration(s) for s in (4, 200, 7500)] == ["4 s", "3 min 20 s", "2 h 05 min"]


def test_a_long_list_is_cut_and_says_so() -> None:
    many = {1: [StepLine(f"E{n}", "ok", 1, {"read": n}) for n in range(40)]}
    assert "… e altre 15." in as_text(letter(steps=many))


# --- the morning report
# -------------------------------------------------------------------------------------------------


def morning(**own: object) -> MorningReport:
    since = BEGAN - timedelta(days=1)
    given = {
        "at": BEGAN,
        "since": since,
        "fresh_hours": 26.0,
        "last_load": None,
        "fresh": {"Zone": BEGAN},
    }
    return MorningReport(**(given | own))  # type: ignore[arg-type]


def test_a_quiet_night() -> None:
    made = morning_letter(morning(), settings_of(None))
    assert made.subject == "[Kimo] Rapporto del mattino: tutto a posto"
    text = as_text(made)
    assert "Tutte le 1 entità sono più recenti di 26 ore" in text
    assert "il server di Kimo non ha scritto nessuna sincronizzazione" in " ".join(text.split())


def test_what_is_stale_was_never_read_or_waits_is_named() -> None:
    tablets = Tablets(72, True, [Tablet("anna", "A1", "iPad", BEGAN - timedelta(days=4))], ["A2"])
    fresh = {"Zone": BEGAN - timedelta(hours=27), "Item": None, "Account": BEGAN}
    made = morning_letter(morning(fresh=fresh, tablets=tablets), settings_of(None, language="en"))
    assert made.subject == "[Kimo] Morning report: 2 things to look at"
    text = as_text(made)
    assert "2 entities older than 26 hours, or never read" in text
    assert text.index("Item") < text.index("Zone")
    assert "Account" not in text
    assert "not synced for more than 72 hours: 1" in text
    assert "1 agent without a known sync: A2" in text
