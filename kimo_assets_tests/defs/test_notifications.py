"""Runs of a real Dagster instance end, and operators get mails from a real mail server."""

import re
from collections.abc import Iterator
from email.message import EmailMessage

import dagster as dg
import pytest

from kimo_assets.defs.automation.notifications import build_notify_sensor
from kimo_assets.defs.build import build_defs
from kimo_assets.defs.in_process import launch_task
from kimo_assets_tests.defs.conftest import Company
from kimo_assets_tests.support.mail_server import (
    PASSWORD,
    USER,
    MailServer,
    html_of,
    mail_server,
    text_of,
)

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

ANNA, BRUNO = "anna@firm.example", "bruno@firm.example"
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with mail_server(asks_for_password=True) as server:
        yield server


class Mailing:
    """A company whose operators get mails. The sensor keeps its cursor from look to look."""

    def __init__(self, company: Company, server: MailServer) -> None:
        self.company = company
        self.server = server
        self.cursor: str | None = None
        self.logged = ""
        server.taken.clear()
        smtp = {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "plain",
            "username": USER,
            "password": PASSWORD,
            "timeout_s": 5,
        }
        company.settings = {
            "notifications": {
                "smtp": smtp,
                "info_recipients": [ANNA],
                "error_recipients": [BRUNO],
                "ui_url": "http://ui.example",
                "sender": "kimo@firm.example",
            },
        }
        self.look()

    def look(self) -> list[tuple[list[str], EmailMessage]]:
        """One tick; the mails that went out in it."""
        before = len(self.server.taken)
        sensor = build_notify_sensor(self.company.config, self.company.database)
        with (
            self.company.instance() as instance,
            dg.build_sensor_context(instance=instance, cursor=self.cursor) as context,
        ):
            said = sensor(context)
            assert isinstance(said, dg.SkipReason)
            self.logged = said.skip_message or ""
            self.cursor = context.cursor
        return self.server.taken[before:]

    def ended(self, job: str, *statuses: dg.DagsterRunStatus, **tags: str) -> None:
        """Runs of a job that ended so, as another process would have recorded them."""
        made = build_defs(self.company.config).resolve_job_def(job)
        with self.company.instance() as instance:
            for status in statuses:
                run = instance.create_run_for_job(made, tags=tags)
                if status is FAILURE:
                    instance.report_run_failed(run, "it was killed")
                else:
                    succeeded = dg.DagsterEvent(
                        dg.DagsterEventType.PIPELINE_SUCCESS.value, run.job_name, message="done"
                    )
                    instance.report_dagster_event(succeeded, run.run_id)


@pytest.fixture
def mailing(company: Company, server: MailServer) -> Mailing:
    return Mailing(company, server)


def test_a_full_import_is_told_with_its_figures_and_once(mailing: Mailing) -> None:
    report = mailing.company.launch()
    ((to, mail),) = mailing.look()
    assert to == [ANNA]
    assert mail["Subject"] == "[Kimo] Completato: Import completo"
    for shown in (text_of(mail), html_of(mail)):
        assert f"http://ui.example/runs/{report.run_id}" in shown
        assert "Step 1: Import da Erp a KimoIntegrator" in shown
        assert "Righe scartate: 2, nuove 2" in shown
        assert "il testo è più lungo del campo" in shown
    assert re.search(rf"^Caricamento +{report.load}\r?$", text_of(mail), re.MULTILINE)
    assert mailing.look() == []
    mailing.cursor = "0"
    assert mailing.look() == [], "a run has one mail, even where Dagster's cursor was lost"


def test_ten_failures_are_one_mail_and_the_recovery_one(mailing: Mailing) -> None:
    company = mailing.company
    aside = company.folder / "aside"
    company.entities = {"Zone": {}}
    company.erp_file.file.rename(aside)
    assert not company.launch(steps=[1, 2, 3]).success
    ((to, mail),) = mailing.look()
    assert to == [BRUNO]
    assert mail["Subject"] == "[Kimo] FALLITO: Import completo"
    assert "Zone: source 'erp'" in " ".join(text_of(mail).split())
    assert "kimo import" in text_of(mail)
    mailing.ended("full_import_from_erp", *[FAILURE] * 9)
    assert mailing.look() == []
    aside.rename(company.erp_file.file)
    company.launch(steps=[1, 2, 3])
    ((to, mail),) = mailing.look()
    assert to == [ANNA, BRUNO]
    assert mail["Subject"] == "[Kimo] Di nuovo a posto: Import completo"
    assert "10 esecuzioni" in text_of(mail)


def test_what_runs_every_few_minutes_is_silent_while_it_succeeds(mailing: Mailing) -> None:
    mailing.ended("import_entities", SUCCESS, SUCCESS, **{"dagster/schedule_name": "prices"})
    mailing.ended("export_to_erp", SUCCESS)
    assert mailing.look() == []
    mailing.ended("import_entities", FAILURE, **{"dagster/schedule_name": "prices"})
    ((to, mail),) = mailing.look()
    assert to == [BRUNO]
    assert "it was killed" in text_of(mail)
    mailing.ended("import_entities", SUCCESS)
    assert mailing.look() == [], "a person's run says nothing of the schedule's"
    mailing.ended("import_entities", SUCCESS, **{"dagster/schedule_name": "prices"})
    ((to, mail),) = mailing.look()
    assert to == [BRUNO]
    assert mail["Subject"] == "[Kimo] Di nuovo a posto: Import (entità specifiche)"


def test_a_mail_server_that_is_down_keeps_nothing_but_the_mail(mailing: Mailing) -> None:
    mailing.server.close()
    try:
        report = mailing.company.launch(entities=["Zone"])
        assert report.success
        assert mailing.look() == []
        assert "1 mail to be tried again" in mailing.logged
        assert "cannot be reached" in mailing.logged
    finally:
        mailing.server.open()
    mailing.company.execute("UPDATE ops.mail SET due_at = now()")
    ((to, mail),) = mailing.look()
    assert to == [ANNA]
    assert str(report.run_id) in text_of(mail)


def test_no_password_is_in_any_mail(mailing: Mailing, monkeypatch: pytest.MonkeyPatch) -> None:
    company = mailing.company
    url = "postgresql://asked:pl4nted-at-the-erp@127.0.0.1:1/erp"
    company.entities = {"Zone": {}}
    company.settings |= {"sources": {"erp": {"url": url, "connect_attempts": 1}}}
    company.launch(steps=[1])
    monkeypatch.setenv("GOOGLE_MAPS_API_KEY", "pl4nted-key")
    more = f" pl4nted-at-the-erp pwd=pl4nted-too; {PASSWORD} pl4nted-key"
    company.execute(f"UPDATE ops.step_result SET error = error || '{more}'")
    ((_, mail),) = mailing.look()
    assert "***" in text_of(mail)
    assert "pl4nted" not in text_of(mail) + html_of(mail) + str(mail)
    # The search would find one.
    company.execute("UPDATE ops.step_result SET error = 'pl4nted-elsewhere'")
    company.execute("DELETE FROM ops.mail")
    company.execute("DELETE FROM ops.notification")
    mailing.cursor = "0"
    ((_, mail),) = mailing.look()
    assert "pl4nted-elsewhere" in text_of(mail)


def test_runs_of_another_company_on_the_same_instance_are_none_of_ours(mailing: Mailing) -> None:
    mailing.ended(
        "full_import_from_erp", FAILURE, **{".dagster/repository": "__repository__@other"}
    )
    assert mailing.look() == []
    mailing.ended("full_import_from_erp", FAILURE)
    assert len(mailing.look()) == 1


def test_pictures_are_told_with_what_could_not_be_used_when_they_are_named(
    mailing: Mailing,
) -> None:
    company = mailing.company
    company.launch(entities=["Zone"])
    own = company.settings["notifications"] | {"success_of": ["import_files"]}
    company.settings |= {"notifications": own, "images": {"source": str(company.folder)}}
    company.erp(ItemImage=[{"Id": "P1", "ItemId": "I1", "FilePath": "no|<b>where.jpg"}])
    company.launch(entities=["ItemImage"])
    mailing.look()
    launch_task(company.config, company.database, job="import_files")
    ((to, mail),) = mailing.look()
    assert to == [ANNA]
    assert "no|<b>where.jpg" in text_of(mail)
    assert "no|&lt;b&gt;where.jpg" in html_of(mail)


def test_the_morning_report_is_a_job_that_a_mail_server_cannot_fail(mailing: Mailing) -> None:
    company = mailing.company
    company.launch()
    mailing.look()
    company.execute(
        "INSERT INTO ops.tablet_sync VALUES ('anna', 'iPad', 'AG1', now() - interval '9 days')"
    )
    company.execute(
        "INSERT INTO ops.notification VALUES ('geocode_addresses, geocoding', 'failing', now(), 3)"
    )
    morning(company)
    to, mail = mailing.server.taken[-1]
    assert to == [ANNA, BRUNO]
    assert mail["Subject"].startswith("[Kimo] Rapporto del mattino: ")
    text = text_of(mail)
    assert "Righe scartate: 2, nuove 2" in text
    assert "più di 72 ore: 1" in text
    assert "Geocodifica Account, geocoding: in errore dal " in text
    assert "iPad" in text
    assert "1 agente di cui non si conosce nessuna sincronizzazione: AG2" in " ".join(text.split())
    morning(company)
    assert "Righe scartate: 2, nuove 0" in text_of(mailing.server.last()), (
        "new are those since the last report"
    )
    mailing.server.close()
    try:
        morning(company)
    finally:
        mailing.server.open()
    assert company.rows("SELECT count(*) FROM ops.mail WHERE ended_at IS NULL") == [(1,)]


def morning(company: Company) -> None:
    defs = build_defs(company.config, database=company.database)
    with company.instance() as instance:
        assert defs.resolve_job_def("morning_report").execute_in_process(instance=instance).success


def test_without_a_mail_server_a_tick_says_so_and_later_nothing_is_caught_up(
    mailing: Mailing,
) -> None:
    company = mailing.company
    own = company.settings
    company.settings = {}
    mailing.ended("full_import_from_erp", FAILURE)
    assert mailing.look() == []
    assert "there is no mail server" in mailing.logged
    company.settings = own
    assert mailing.look() == []


def test_a_company_is_told_in_its_language(mailing: Mailing) -> None:
    mailing.company.settings["notifications"]["language"] = "en"
    mailing.ended("geocode_addresses", FAILURE)
    ((_, mail),) = mailing.look()
    assert mail["Subject"] == "[Kimo] FAILED: Geocodifica Account"
    assert "When the cause is corrected, run it again with:" in " ".join(text_of(mail).split())
    assert "kimo geocode" in text_of(mail)
