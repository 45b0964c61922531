"""What an operator meets in the UI: a failure as a sentence, going on from where a run failed, and
what each asset says.
"""

from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from kimo_assets.catalog.menu import menu_title
from kimo_assets.defs.build import build_defs
from kimo_assets_tests.defs.conftest import ASSETS, ERP, Company

EVERY = set(ERP)
_AT_WORK: list[Company] = []


def full_import() -> dg.JobDefinition:
    """The job of the company at work, as Dagster makes it again for a run that goes on."""
    company = _AT_WORK[-1]
    return build_defs(company.config, database=company.database).resolve_job_def(
        "full_import_from_erp"
    )


@pytest.fixture
def at_work(company: Company) -> Company:
    company.entities = {name: {} for name in ERP}
    _AT_WORK.append(company)
    return company


def run_all(company: Company, instance: dg.DagsterInstance, **options: Any) -> Any:
    names = company.config.entity_names
    tags = {ASSET_PARTITION_RANGE_START_TAG: names[0], ASSET_PARTITION_RANGE_END_TAG: names[-1]}
    return dg.execute_job(
        dg.reconstructable(full_import), instance, tags=tags, raise_on_error=False, **options
    )


def sentence(result: Any) -> str:
    """What the failed step says first."""
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_failure_data.error is not None
    return str(failed.step_failure_data.error.message)


def test_an_import_that_failed_in_step_2_goes_on_with_steps_2_and_3_under_a_load_of_its_own(
    at_work: Company,
) -> None:
    at_work.launch()
    at_work.erp(Zone=[{"Id": "E", "Description": "Est"}])
    with at_work.database.connect() as connection:
        connection.execute(
            'ALTER TABLE kimo."Zone" ADD CONSTRAINT no_est CHECK ("Description" <> \'Est\')'
        )
    with at_work.instance() as instance:
        with run_all(at_work, instance) as failed:
            assert not failed.success
            assert "Step 2: Caricamento da KimoIntegrator" in sentence(failed)
        with at_work.database.connect() as connection:
            connection.execute('ALTER TABLE kimo."Zone" DROP CONSTRAINT no_est')
        options = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
        with run_all(at_work, instance, reexecution_options=options) as again:
            assert again.success
            done = {event.step_key for event in again.all_events if event.is_step_success}
            assert {
                step for step in done if not step.startswith(("kimo_tables_", "sync_payloads_"))
            } == {
                "kimo_tables",
                "sync_payloads",
            }
            assert "sync_payloads_payloads_are_whole" in done
    assert at_work.rows('SELECT "Id" FROM kimo."Zone" WHERE _archived_load IS NULL') == [("E",)]
    assert at_work.rows("SELECT success FROM ops.load ORDER BY load") == [
        (True,),
        (False,),
        (True,),
    ]
    assert at_work.materialized() == dict.fromkeys(ASSETS, EVERY)


def test_a_job_launched_without_a_partition_says_how_to_choose_and_does_nothing(
    at_work: Company,
) -> None:
    with at_work.instance() as instance:
        result = full_import().execute_in_process(instance=instance, raise_on_error=False)
    assert "No partition was chosen, so nothing was done. For all entities: " in sentence(result)
    assert at_work.rows("SELECT 1 FROM ops.load") == []


@pytest.mark.parametrize(
    ("job", "broken"),
    [
        ("import_entities", "kimo_assets.pipeline.steps._stage"),
        ("settings_sync_data_creation", "kimo_assets.pipeline.steps.publish_settings"),
        ("import_files", "kimo_assets.defs.resource.KimoRun.database"),
        ("export_to_erp", "kimo_assets.pipeline.steps.export_to_erp"),
    ],
)
def test_an_unexpected_error_is_a_sentence_before_it_is_a_stack_trace(
    at_work: Company, monkeypatch: pytest.MonkeyPatch, job: str, broken: str
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(broken, break_down)
    with at_work.instance() as instance:
        defs = build_defs(at_work.config, database=at_work.database)
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False
        )
    assert sentence(result).startswith(
        "dagster._core.definitions.events.Failure: Unexpected error. OSError: disk full. What was"
    )


# --- What the pages say
# --------------------------------------------------------------------------------------------


def test_every_asset_begins_with_the_menus_words_and_has_an_owner_a_kind_and_a_page(
    at_work: Company,
) -> None:
    graph = build_defs(at_work.config).resolve_asset_graph()
    beginnings = {
        "erp": "Database di integrazione dell'ERP",
        "erp_staging": menu_title("step_1_import_from_erp"),
        "kimo_tables": menu_title("step_2_load_from_integrator"),
        "sync_payloads": menu_title("step_3_sync_data_creation"),
        "agent_payloads": menu_title("step_3_sync_data_creation"),
        "settings": menu_title("settings_sync_data_creation"),
        "public_images": menu_title("import_files"),
        "geopositions": menu_title("geocode_addresses"),
        "erp_outbox": menu_title("export_to_erp"),
    }
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert nodes.keys() == beginnings.keys()
    for name, node in nodes.items():
        assert (node.description or "").startswith(beginnings[name])
        assert node.owners == ["team:integrazione"]
        assert node.kinds
    assert nodes["erp"].kinds == {"sqlite"}
    assert {key.to_user_string() for key in nodes["erp_staging"].parent_keys} == {"erp"}


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("mssql+pyodbc://u:p@erp01/I", "sqlserver"),
        ("oracle+oracledb://u:p@erp01/I", "oracle"),
        ("mysql+pymysql://u:p@erp01/I", "mysql"),
        ("postgresql+psycopg://u:p@erp01/I", "postgres"),
    ],
)
def test_the_erp_shows_which_database_it_is(company: Company, url: str, kind: str) -> None:
    source = company.config.sources["erp"].model_copy(update={"url": url})
    config = company.config.model_copy(update={"sources": {"erp": source, "crm": source}})
    graph = build_defs(config).resolve_asset_graph()
    assert graph.get(dg.AssetKey("erp")).kinds == graph.get(dg.AssetKey("crm")).kinds == {kind}


def test_every_job_begins_with_words_of_the_menus_language(at_work: Company) -> None:
    for job in build_defs(at_work.config).resolve_all_job_defs():
        if not job.name.startswith("__"):
            title = (
                "Import completo / Step 1"
                if job.name == "import_entities"
                else menu_title(job.name)
            )
            assert (job.description or "").startswith(title)


def test_every_field_of_every_job_says_what_it_is_for_and_has_a_default(at_work: Company) -> None:
    for job in build_defs(at_work.config).resolve_all_job_defs():
        for node in job.nodes:
            fields = getattr(node.definition.config_schema.as_field().config_type, "fields", {})
            for name, field in fields.items():
                assert field.description, f"{job.name}: {name}"
                assert field.default_provided or not field.is_required, f"{job.name}: {name}"


def test_each_layer_shows_its_own_columns(at_work: Company) -> None:
    at_work.launch()
    columns = {
        asset: {
            column.name: column
            for column in at_work.metadata(asset, "Account")["dagster/column_schema"].columns
        }
        for asset in ASSETS
    }
    staged, kept, sent = columns.values()
    assert set(staged) == {"Id", "Name", "ZoneId", "VatNumber"}
    assert set(sent) == {"Id", "Name", "ZoneId", "VatNumber", "EntityStatus", "SyncReference"}
    assert set(sent) < set(kept)
    assert kept["ZoneId"].description == "a row of Zone"


def test_the_settings_show_what_the_tablets_have_after_a_step_3(at_work: Company) -> None:
    at_work.launch()
    with at_work.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("settings"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert metadata["rows"] == metadata["tables"] == 0
    assert metadata["file"].endswith("/settings.json")
