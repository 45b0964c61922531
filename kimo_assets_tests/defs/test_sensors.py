"""What the sensors see at a real ERP, a real database and real folders: once each, remembered, and
silent otherwise.
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest
import yaml

from kimo_assets.catalog.menu import CLEANING_LOCK, IMAGES_LOCK, RUN_LOCK
from kimo_assets.database.locks import exclusive
from kimo_assets.defs.automation.sensors import build_sensors
from kimo_assets.defs.build import build_defs
from kimo_assets.defs.naming import LOCATION_TAG
from kimo_assets_tests.defs.conftest import Company
from kimo_assets_tests.defs.queueing import submit
from kimo_assets_tests.support.export_company import ExportWorld


class Watcher:
    """A sensor of a company and its cursor, which stays from one look to the next, as the daemon
    keeps it.
    """

    def __init__(self, company: Company, name: str) -> None:
        self.company, self.name = company, name
        self.cursor: str | None = None

    def look(self) -> dg.RunRequest | str:
        """One look of a daemon that has just been started: what it asks for, or why it does not."""
        sensor = next(
            each
            for each in build_sensors(self.company.config, self.company.database)
            if each.name == self.name
        )
        with (
            self.company.instance() as instance,
            dg.build_sensor_context(instance, cursor=self.cursor) as context,
        ):
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return data.run_requests[0] if data.run_requests else str(data.skip_message)


def asks(answer: dg.RunRequest | str) -> str | None:
    """The job that is asked for."""
    return answer.job_name if isinstance(answer, dg.RunRequest) else None


@pytest.fixture(scope="module")
def _reused(new_company: Callable[[], Company]) -> Company:
    return new_company()


@pytest.fixture
def shared(_reused: Company) -> Company:
    """For tests that write nothing into Kimo's database."""
    _reused.entities, _reused.settings = None, {}
    shutil.rmtree(_reused.folder / "pictures", ignore_errors=True)
    return _reused


# --- the ERP has finished
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def erp(shared: Company) -> Watcher:
    shared.erp(ImportFromErpSemaphore=[{"Status": 0}])
    return Watcher(shared, "erp_finished")


def writes(company: Company, status: int) -> None:
    company.erp_file.execute(f"UPDATE ImportFromErpSemaphore SET Status = {status}")


def test_the_erp_that_has_finished_its_export_starts_the_full_import_once(erp: Watcher) -> None:
    assert erp.look() == "source 'erp': ImportFromErpSemaphore is 0 (idle)"
    writes(erp.company, 1)
    assert "is 1 (the ERP is writing to the integration database)" in str(erp.look())
    assert asks(erp.look()) is None
    writes(erp.company, 0)
    request = erp.look()
    assert isinstance(request, dg.RunRequest)
    assert request.job_name == "full_import_from_erp"
    assert request.tags["dagster/asset_partition_range_start"] == erp.company.config.entity_names[0]
    assert asks(erp.look()) is None


def test_two_exports_of_the_erp_are_two_imports(erp: Watcher) -> None:
    """Dagster drops a run whose key it knows: each transition has one of its own."""
    keys = set()
    for _ in range(2):
        writes(erp.company, 1)
        erp.look()
        writes(erp.company, 0)
        request = erp.look()
        assert isinstance(request, dg.RunRequest)
        keys.add(request.run_key)
    assert len(keys) == 2


def test_a_semaphore_that_was_ours_meanwhile_starts_nothing(erp: Watcher) -> None:
    """The import that took it from the ERP has read what the ERP wrote."""
    writes(erp.company, 1)
    erp.look()
    writes(erp.company, 2)
    assert asks(erp.look()) is None
    writes(erp.company, 0)
    assert asks(erp.look()) is None


def test_an_erp_that_cannot_be_reached_for_a_while_is_not_taken_for_one_that_has_finished(
    erp: Watcher,
) -> None:
    writes(erp.company, 1)
    erp.look()
    erp.company.entities = {"Zone": {}}
    aside = erp.company.folder / "aside"
    erp.company.erp_file.file.rename(aside)
    assert "source 'erp'" in str(erp.look())
    aside.rename(erp.company.erp_file.file)
    assert asks(erp.look()) is None
    writes(erp.company, 0)
    assert asks(erp.look()) == "full_import_from_erp"


def test_a_source_without_a_semaphore_is_no_reason_for_anything(company: Company) -> None:
    assert (
        Watcher(company, "erp_finished").look()
        == "source 'erp': ImportFromErpSemaphore is no such table"
    )


def test_of_two_sources_the_last_one_to_finish_starts_the_import(erp: Watcher) -> None:
    other = erp.company.folder / "crm.sqlite"
    erp.company.settings = {
        "sources": {
            name: {"url": f"sqlite:///{file}"}
            for name, file in (("erp", erp.company.erp_file.file), ("crm", other))
        }
    }
    crm = type(erp.company.erp_file)(other)
    crm.write({"ImportFromErpSemaphore": [{"Status": 1}]})
    writes(erp.company, 1)
    erp.look()
    writes(erp.company, 0)
    assert asks(erp.look()) is None
    crm.execute("UPDATE ImportFromErpSemaphore SET Status = 0")
    assert asks(erp.look()) == "full_import_from_erp"


# --- records for the ERP
# ----------------------------------------------------------------------------------------------


@pytest.fixture
def records(company: Company) -> Watcher:
    company.settings = {
        "export": {
            "entities": {"Account": "CLIENTI", "Document": "ORDERS", "DocumentLine": "LINES"}
        }
    }
    return Watcher(company, "records_waiting")


def kimo_of(company: Company) -> ExportWorld:
    """What agents write into the company's Kimo."""
    return ExportWorld(company.folder, company.database, "")


def test_a_record_that_is_ready_starts_the_export(records: Watcher) -> None:
    assert records.look() == "no records are ready for the ERP"
    kimo_of(records.company).account("A1")
    assert asks(records.look()) == "export_to_erp"


def test_records_that_cannot_go_do_not_start_an_export_every_minute(records: Watcher) -> None:
    kimo_of(records.company).account("A1", SyncReference=None)
    assert (
        records.look()
        == "no records are ready for the ERP; 1 is held back or waits (kimo export status)"
    )


def test_a_company_that_exports_nothing_is_not_even_counted(company: Company) -> None:
    kimo_of(company).account("A1")
    assert Watcher(company, "records_waiting").look() == "no records are ready for the ERP"


def test_no_second_export_is_asked_for_while_one_waits_or_soon_after_one_has_failed(
    records: Watcher,
) -> None:
    company = records.company
    kimo_of(company).account("A1")
    request = records.look()
    assert isinstance(request, dg.RunRequest)
    with company.instance() as instance:
        run = submit(instance, build_defs(company.config), "export_to_erp", tags=request.tags)
    assert records.look() == f"run {run.run_id} of the export is not over yet"
    with company.instance() as instance:
        instance.report_run_failed(run, "the ERP is down")
    assert str(records.look()).startswith(
        f"run {run.run_id} of the export has failed; the next one from "
    )


# --- pictures
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(shared: Company) -> Watcher:
    (shared.folder / "pictures").mkdir()
    shared.settings = {"images": {"source": "pictures"}}
    return Watcher(shared, "new_pictures")


def settled(watcher: Watcher) -> dg.RunRequest | str:
    """What comes of two looks at files that nobody touches meanwhile."""
    assert asks(watcher.look()) is None
    return watcher.look()


def test_pictures_that_are_new_changed_or_gone_start_their_import_once_each(
    pictures: Watcher,
) -> None:
    folder = pictures.company.folder / "pictures"
    (folder / "a.jpg").write_bytes(b"1")
    keys = []
    for change in (
        lambda: None,
        lambda: (folder / "b.jpg").write_bytes(b"2"),
        lambda: (folder / "a.jpg").write_bytes(b"3"),
        lambda: (folder / "b.jpg").unlink(),
    ):
        change()
        request = settled(pictures)
        assert isinstance(request, dg.RunRequest)
        assert request.job_name == "import_files"
        keys.append(request.run_key)
        assert "nothing is new among the " in str(pictures.look())
    assert len(set(keys)) == len(keys)


def test_files_that_are_still_being_copied_are_left_alone(pictures: Watcher) -> None:
    folder = pictures.company.folder / "pictures"
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(b"x")
        assert asks(pictures.look()) is None
    assert asks(pictures.look()) == "import_files"


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(pictures: Watcher) -> None:
    folder = pictures.company.folder / "pictures"
    (folder / "a.jpg").write_bytes(b"1")
    assert asks(settled(pictures)) == "import_files"
    folder.rename(folder.with_name("away"))
    assert "cannot be listed" in str(pictures.look())
    folder.with_name("away").rename(folder)
    assert "nothing is new" in str(pictures.look())


def test_a_folder_by_url_is_listed_every_quarter_of_an_hour(pictures: Watcher) -> None:
    folder = pictures.company.folder / "pictures"
    pictures.company.settings = {"images": {"source": f"file://{folder}"}}
    (folder / "a.jpg").write_bytes(b"1")
    pictures.look()
    assert "was looked at" in str(pictures.look())
    cursor = json.loads(pictures.cursor or "")
    cursor["at"] = dict.fromkeys(cursor["at"], "2026-05-04T00:00:00+00:00")
    pictures.cursor = json.dumps(cursor)
    assert asks(pictures.look()) == "import_files"


def test_a_company_without_a_folder_for_pictures_is_told_so(shared: Company) -> None:
    assert Watcher(shared, "new_pictures").look() == "no folder is named (images: source:)"


# --- kimo.yaml
# --------------------------------------------------------------------------------------------------


class Yaml:
    """The sensor of one kimo.yaml, which a test rewrites; what it was loaded with at first stays in
    its memory.
    """

    def __init__(self, company: Company) -> None:
        self.config, self.company = company.config, company
        self.file = self.config.path
        self.cursor: str | None = None

    def write(self, **changed: object) -> None:
        document = yaml.safe_load(self.file.read_text(encoding="utf-8")) | changed
        self.file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def look(self) -> str:
        sensor = next(
            each
            for each in build_sensors(self.config, self.company.database)
            if each.name == "kimo_yaml_changed"
        )
        with dg.build_sensor_context(cursor=self.cursor) as context:
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return str(data.skip_message)


@pytest.fixture
def kimo_yaml(shared: Company) -> Yaml:
    shared.settings = {"api": {"graphql_url": "http://127.0.0.1:9/graphql"}}
    return Yaml(shared)


def test_a_kimo_yaml_that_is_wrong_is_explained_in_the_tick_until_it_is_mended(
    kimo_yaml: Yaml,
) -> None:
    assert kimo_yaml.look() == "kimo.yaml is watched from now on"
    assert kimo_yaml.look() == "kimo.yaml is as it was"
    kimo_yaml.write(schedules={"export": "every minute"})
    for _ in range(2):
        said = kimo_yaml.look()
        assert said.startswith(f"kimo.yaml is not taken over, correct it: {kimo_yaml.file}, line ")
        assert "schedules.export: 'every minute' has 2 fields" in said
    kimo_yaml.write(schedules={})
    assert kimo_yaml.look().startswith(
        "kimo.yaml has changed and is right; no webserver answered at http://127.0.0.1:9/graphql:"
        " press Reload"
    )
    assert kimo_yaml.look() == "kimo.yaml is as it was"


def test_the_mapping_beside_it_is_watched_too(kimo_yaml: Yaml) -> None:
    mapping = kimo_yaml.file.with_name("mapping.yaml")
    mapping.write_text("Zone: {}\n", encoding="utf-8")
    document = yaml.safe_load(kimo_yaml.file.read_text(encoding="utf-8"))
    del document["entities"]
    kimo_yaml.file.write_text(
        yaml.safe_dump(document | {"mapping": "mapping.yaml"}), encoding="utf-8"
    )
    kimo_yaml.look()
    mapping.write_text("Zone: {}\nItm: {}\n", encoding="utf-8")
    assert "Did you mean" in kimo_yaml.look()
    mapping.write_text("Zone: {}\nItem: {}\n", encoding="utf-8")
    assert "has changed and is right" in kimo_yaml.look()


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, object]], str]]:
    """A webserver that gives one answer; its address."""
    body = b""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def answering(answer: dict[str, object]) -> str:
        nonlocal body
        body = json.dumps(answer).encode()
        return f"http://127.0.0.1:{server.server_port}/graphql"

    yield answering
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {
                "__typename": "WorkspaceLocationEntry",
                "locationOrLoadError": {"__typename": "RepositoryLocation"},
            },
            "; the UI has reloaded it",
        ),
        (
            {
                "__typename": "WorkspaceLocationEntry",
                "locationOrLoadError": {"__typename": "PythonError", "message": "no"},
            },
            "; the webserver could not reload it (no): press Reload",
        ),
        (
            {"__typename": "RepositoryLocationNotFound", "message": "no such location"},
            "; the webserver could not reload it (no such location): press Reload",
        ),
    ],
)
def test_the_webserver_is_asked_to_reload_it(
    kimo_yaml: Yaml, serve: Callable[[dict[str, object]], str], answer: dict[str, object], said: str
) -> None:
    kimo_yaml.look()
    kimo_yaml.write(api={"graphql_url": serve({"data": {"reloadRepositoryLocation": answer}})})
    assert said in kimo_yaml.look()


# --- freshness, and who is on
# -----------------------------------------------------------------------------------------


def test_old_data_are_recorded_when_they_become_so_and_when_they_are_fresh_again(
    company: Company,
) -> None:
    company.launch()
    cursor, events = None, []
    for hours in (0, 27, 27, 0):
        company.execute(f"UPDATE ops.staged SET staged_at = now() - interval '{hours} hours'")
        sensor = next(
            each
            for each in build_sensors(company.config, company.database)
            if each.name == "data_are_fresh"
        )
        with dg.build_sensor_context(cursor=cursor) as context:
            data = sensor.evaluate_tick(context)
        cursor = data.cursor or cursor
        events.append(
            [
                event.passed
                for event in data.asset_events
                if isinstance(event, dg.AssetCheckEvaluation)
            ]
        )
    assert events == [[True], [False], [], [True]]


def test_what_moves_data_is_off_until_kimo_yaml_says_it(shared: Company) -> None:
    moving = {"erp_finished", "records_waiting", "new_pictures"}
    on = dg.DefaultSensorStatus.RUNNING

    def running() -> set[str]:
        return {
            sensor.name for sensor in build_sensors(shared.config) if sensor.default_status is on
        }

    assert running() == {"end_dead_runs", "kimo_yaml_changed", "data_are_fresh"}
    shared.settings = {"schedules": {"sensors": ["erp_finished", "new_pictures"]}}
    assert running() & moving == {"erp_finished", "new_pictures"}


# --- dead side jobs
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lock"),
    [("import_files", IMAGES_LOCK), ("clean_up", CLEANING_LOCK), ("plan_import", RUN_LOCK)],
)
def test_a_job_without_a_load_whose_lock_nobody_holds_for_two_minutes_is_dead(
    company: Company, name: str, lock: str
) -> None:
    watcher = Watcher(company, "end_dead_runs")
    with company.instance() as instance:
        job = build_defs(company.config).resolve_job_def(name)
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)

    def status() -> dg.DagsterRunStatus:
        watcher.look()
        with company.instance() as instance:
            found = instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status

    def long_ago() -> None:
        watcher.cursor = json.dumps({run.run_id: "2026-05-04T00:00:00+00:00"})

    assert status() is dg.DagsterRunStatus.STARTED  # it may just be beginning
    long_ago()
    with exclusive(company.database, lock):
        assert status() is dg.DagsterRunStatus.STARTED
    assert status() is dg.DagsterRunStatus.STARTED  # it held its lock at the last look
    long_ago()
    assert status() is dg.DagsterRunStatus.FAILURE


def test_another_companys_run_is_left_alone_whose_locks_are_in_another_database(
    company: Company,
) -> None:
    company.settings = {"company": "acme"}
    watcher = Watcher(company, "end_dead_runs")
    with company.instance() as instance:
        job = build_defs(company.config).resolve_job_def("import_files")
        tags = {name: {LOCATION_TAG: f"__repository__@{name}"} for name in ("acme", "other")}
        started = dg.DagsterRunStatus.STARTED
        runs = {
            name: instance.create_run_for_job(job, status=started, tags=tags[name]) for name in tags
        }
    watcher.cursor = json.dumps({run.run_id: "2026-05-04T00:00:00+00:00" for run in runs.values()})
    watcher.look()
    with company.instance() as instance:
        found = {name: instance.get_run_by_id(run.run_id) for name, run in runs.items()}
    assert {name: run.status.value for name, run in found.items() if run} == {
        "acme": "FAILURE",
        "other": "STARTED",
    }
