"""A company with something to send, with an ERP of each dialect."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kimo_assets_tests.support.company import World
from kimo_assets_tests.support.export_company import ExportWorld
from kimo_assets_tests.support.integrations import Integration


@pytest.fixture
def erp_url(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The URL of an empty database of the dialect."""

    def make(dialect: str) -> str:
        if dialect == "sqlite":
            return f"sqlite:///{(tmp_path / 'erp.sqlite').as_posix()}"
        if dialect == "postgresql":
            found: Integration = request.getfixturevalue("postgresql")
            return found.url
        url = os.environ.get("KIMO_TEST_MYSQL_URL")
        if not url:
            pytest.skip("KIMO_TEST_MYSQL_URL names no MariaDB on which tables may be made")
        return url

    return make


@pytest.fixture
def export_world(
    tmp_path: Path, world: World, erp_url: Callable[[str], str]
) -> Callable[..., ExportWorld]:
    """Makes the company, the ERP's tables and the document types."""

    def make(dialect: str = "sqlite", *, semaphore: bool = True, **tables: str) -> ExportWorld:
        made = ExportWorld(tmp_path, world.database, erp_url(dialect))
        made.erp_tables(semaphore=semaphore, **tables)
        made.types()
        return made

    return make
