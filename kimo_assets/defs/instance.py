"""The Dagster instance: what `kimo dev` writes for one company, and the template of a server's
(deploy/dagster.yaml).

Both are made from the same settings. kimo.yaml says where data and databases are for the one, the
environment for the other.
"""

from pathlib import Path
from typing import Any

import yaml

from kimo_assets.config import KimoConfig
from kimo_assets.database.server import Database
from kimo_assets.defs.dagster_internals import LOCAL_ARTIFACTS, LOCAL_COMPUTE_LOGS, NO_COMPUTE_LOGS

Settings = dict[str, Any]

# The variable of the environment that holds the address of Dagster's database, with its password.
DAGSTER_URL_VARIABLE = "KIMO_DAGSTER_URL"
CELERY_BROKER_VARIABLE = "KIMO_CELERY_BROKER"
CELERY_BACKEND_VARIABLE = "KIMO_CELERY_BACKEND"

_DEV_HEAD = "# Written by kimo at every start from kimo.yaml. Changes made here are lost.\n"
_SERVER_HEAD = f"""\
# Dagster on a server: copy it into the folder that DAGSTER_HOME names. The address of Dagster's own
# database, with its password, is in the environment and not here:
# {DAGSTER_URL_VARIABLE}=postgresql+psycopg2://user:password@host/dagster
# The settings are those of `kimo dev`, from kimo_assets/defs/instance.py.
# docs/deploying.md explains them.
"""


def dagster_home(config: KimoConfig, database: Database) -> Path:
    """Writes dagster.yaml under data_dir/dagster and returns that folder, for DAGSTER_HOME."""
    home = config.data_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = _settings(database.dagster_url) | {
        "local_artifact_storage": LOCAL_ARTIFACTS | {"config": {"base_dir": str(home)}},
        "compute_logs": LOCAL_COMPUTE_LOGS | {"config": {"base_dir": str(home / "logs")}},
        # No invitation to a newsletter before the first page.
        "nux": {"enabled": False},
    }
    file = home / "dagster.yaml"
    # Only for its owner: it holds the address of Dagster's database, with the password.
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(_DEV_HEAD + yaml.safe_dump(settings), encoding="utf-8")
    return home


def server_dagster_yaml(*, celery: bool = False) -> str:
    """The text of deploy/dagster.yaml.

    celery: that of deploy/dagster-celery.yaml, where each run goes to a Celery worker.
    """
    settings = _settings({"env": DAGSTER_URL_VARIABLE}) | {"nux": {"enabled": False}}
    if celery:
        settings["run_launcher"] = {
            "module": "dagster_celery.launcher",
            "class": "CeleryRunLauncher",
            "config": {
                "broker": {"env": CELERY_BROKER_VARIABLE},
                "backend": {"env": CELERY_BACKEND_VARIABLE},
            },
        }
        # Counted from when a run is handed over, so it includes the wait for a free worker.
        settings["run_monitoring"]["start_timeout_seconds"] = 1800
        # A worker's terminal output stays on its own host. Events and logs of runs are in the
        # database.
        settings["compute_logs"] = NO_COMPUTE_LOGS
    return _SERVER_HEAD + yaml.safe_dump(settings, sort_keys=False)


def _settings(dagster_url: str | dict[str, str]) -> Settings:
    return {
        "storage": {"postgres": {"postgres_url": dagster_url}},
        # One run of a pool at a time: imports and exports wait for each other in the queue.
        # Pictures and coordinates are fetched beside them.
        "concurrency": {
            "pools": {"granularity": "run", "default_limit": 1},
            "runs": {"max_concurrent_runs": 4},
        },
        "run_coordinator": {
            "module": "kimo_assets.defs.queue",
            "class": "OneOfEachCoordinator",
            # Dagster's default of five seconds would be most of a small run's time.
            "config": {"dequeue_interval_seconds": 1},
        },
        # A run fails that does not begin, or does not end when it is canceled. Dagster's default
        # launcher does not notice a killed process. The sensor end_dead_runs does.
        "run_monitoring": {
            "enabled": True,
            "start_timeout_seconds": 300,
            "cancel_timeout_seconds": 180,
            # A run's lock and its transaction end with its process, so nothing can be resumed.
            "max_resume_run_attempts": 0,
            "poll_interval_seconds": 30,
        },
        # Of ticks. Kimo's own job cleans runs with their events: `retention` in kimo.yaml.
        "retention": {
            "schedule": {"purge_after_days": 90},
            "sensor": {"purge_after_days": {"skipped": 2, "failure": 30, "success": 90}},
        },
        # Nothing of a company's installation is told to anybody else.
        "telemetry": {"enabled": False},
    }
