"""The Dagster instance, from the configuration: its own database beside Kimo's, and a folder for logs."""

from pathlib import Path

import yaml

from kimo_assets.config import KimoConfig
from kimo_assets.database.server import Database


def dagster_home(config: KimoConfig, database: Database) -> Path:
    """Writes dagster.yaml under data_dir/dagster and returns that folder, for DAGSTER_HOME."""
    home = config.data_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = {
        "storage": {"postgres": {"postgres_url": database.dagster_url}},
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(home)},
        },
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(home / "logs")},
        },
        # One run of a pool at a time: an import and another, or an export, wait for each other in the queue; pictures and
        # coordinates are fetched beside them.
        "concurrency": {"pools": {"granularity": "run", "default_limit": 1}, "runs": {"max_concurrent_runs": 4}},
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1},
        },
        "telemetry": {"enabled": False},
        # No invitation to a newsletter before the first page.
        "nux": {"enabled": False},
    }
    file = home / "dagster.yaml"
    # It holds the address of Dagster's database, with the password where there is one: its owner's business alone.
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(
        "# Written by kimo at every start from kimo.yaml; changes made here are lost.\n" + yaml.safe_dump(settings),
        encoding="utf-8",
    )
    return home
