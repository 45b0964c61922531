"""What the tests of the reference client begin with: a small store made by hand, and a tablet that
has not synced yet.
"""

from pathlib import Path

import pytest

from kimo_assets_tests.sync.client_support import A, B, C
from kimo_assets_tests.sync.store_builder import HandmadeStore


@pytest.fixture
def store(tmp_path: Path) -> HandmadeStore:
    """An agent's first load: two entities, the first in two buckets."""
    made = HandmadeStore(tmp_path / "store")
    made.entity("Account", Name="text").base("Account", 1, [A, B]).base("Account", 2, [C])
    return (
        made.entity("Zone", Description="text")
        .base("Zone", 3, [{"Id": "N", "Description": "old"}])
        .publish()
    )


@pytest.fixture
def tablet(tmp_path: Path) -> Path:
    return tmp_path / "tablet.sqlite"
