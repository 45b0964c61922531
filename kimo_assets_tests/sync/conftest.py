"""For the tests of the reference client: a small store, and a tablet that has not synced yet."""

from pathlib import Path

import pytest

from kimo_assets_tests.sync.client_support import A, B, C
from kimo_assets_tests.sync.store_builder import StoreBuilder


@pytest.fixture
def store(tmp_path: Path) -> StoreBuilder:
    """An agent's first load: two entities, the first in two buckets."""
    builder = StoreBuilder(tmp_path / "store")
    builder.entity("Account", Name="text").base("Account", 1, [A, B]).base("Account", 2, [C])
    return (
        builder.entity("Zone", Description="text")
        .base("Zone", 3, [{"Id": "N", "Description": "old"}])
        .publish()
    )


@pytest.fixture
def tablet(tmp_path: Path) -> Path:
    return tmp_path / "tablet.sqlite"
