"""Entities' rows as segments of CSV, by one of our readers, into nothing: what reading
alone costs.
"""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from benchmarks.meter import Meter
from kimo_assets.catalog import load_catalog
from kimo_assets.config import SourceConfig, load_config
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.readers import read_segments
from kimo_assets.sources.selection import resolve


def run(
    config: str, source_url: str, reader: str, entities: Sequence[str], postmasters: Sequence[int]
) -> dict[str, Any]:
    """reader: as kimo.yaml's."""
    mappings = load_config(config).entities
    engine = open_source("erp", SourceConfig(url=source_url, reader=reader))  # type: ignore[arg-type]
    rows = 0
    with Meter(postmasters) as meter:
        for entity in entities:
            with closing(engine.connect()) as connection:
                selection = resolve(engine, connection, load_catalog()[entity], mappings[entity][0])
                for segment in read_segments(engine, connection, selection):
                    rows += segment.rows_read
        usage = meter.lap()
    return usage.as_json() | {"rows": rows}
