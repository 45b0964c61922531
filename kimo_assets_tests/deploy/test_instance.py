"""The template of a server's dagster.yaml: what kimo dev has, its address from the environment; on
a real PostgreSQL.
"""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.errors import DagsterInvalidConfigError
from dagster._serdes import serialize_value
from dagster_postgres import PostgresEventLogStorage

from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.defs.instance import dagster_home, server_dagster_yaml
from kimo_assets_tests.deploy.conftest import DEPLOY, Host

# Where things are differs, and only that.
PLACES = {"storage", "local_artifact_storage", "compute_logs"}


@pytest.mark.parametrize(
    ("file", "celery"), [("dagster.yaml", False), ("dagster-celery.yaml", True)]
)
def test_the_templates_are_those_of_the_program(file: str, celery: bool) -> None:
    assert (DEPLOY / file).read_text(encoding="utf-8") == server_dagster_yaml(celery=celery)


def test_a_server_has_the_settings_of_kimo_dev(tmp_path: Path) -> None:
    (tmp_path / "kimo.yaml").write_text(
        "sources: {erp: {url: sqlite:///erp.sqlite}}", encoding="utf-8"
    )
    home = dagster_home(
        load_config(tmp_path / "kimo.yaml"), Database("", "postgresql+psycopg2://h/dagster")
    )
    written = yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))
    server = yaml.safe_load(server_dagster_yaml())
    assert {key: value for key, value in written.items() if key not in PLACES} == {
        key: value for key, value in server.items() if key not in PLACES
    }


def test_the_template_loads_on_postgresql_and_says_what_it_should(
    new_host: Callable[..., Host],
) -> None:
    host = new_host("template")
    with host.instance() as instance:
        assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
        assert instance.run_coordinator.__class__.__name__ == "OneOfEachCoordinator"
        queue = instance.get_concurrency_config()
        assert queue.pool_config.default_pool_limit == 1
        assert str(queue.pool_config.pool_granularity) == "PoolGranularity.RUN"
        assert queue.run_queue_config is not None
        assert queue.run_queue_config.max_concurrent_runs == 4
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_start_timeout_seconds == 300
        assert not instance.telemetry_enabled
        kept = {
            status.value: days
            for status, days in instance.get_tick_retention_settings(InstigatorType.SENSOR).items()
        }
        assert kept == {"STARTED": -1, "SKIPPED": 2, "FAILURE": 30, "SUCCESS": 90}
        assert instance.get_runs() == []
        # What travels to code servers and, through the broker, to workers names the variable and
        # not what it holds.
        assert host.dagster_url not in serialize_value(instance.get_ref())


def test_without_its_variable_the_template_says_which_one_is_missing(
    new_host: Callable[..., Host],
) -> None:
    with pytest.raises(DagsterInvalidConfigError, match="KIMO_DAGSTER_URL") as told:
        dg.DagsterInstance.from_config(str(new_host("bare").home))
    assert "postgresql" not in str(told.value)
