"""The ERP as an export finds it: where it is, its tables, and how it is reached again."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine, inspect

from kimo_assets.export.marker import Marker
from kimo_assets.export.outbox import Fields
from kimo_assets.export.targets import Target
from kimo_assets.sources.connection import source_errors
from kimo_assets.sources.reconnection import retrying


@dataclass(frozen=True)
class Erp:
    """The ERP's side. is_ours: its semaphore is, so that it takes no rows meanwhile. views: targets
    that are no tables.
    """

    source: str
    engine: Engine
    targets: Mapping[str, Target]
    marker: Marker | None
    is_ours: bool
    attempts: int = 1
    say: Callable[[str], None] = lambda line: None
    sleep: Callable[[float], None] = time.sleep
    views: frozenset[str] = field(default_factory=frozenset)

    def fields(self, parts: Sequence[str]) -> Fields:
        """Of the tables that rows of these entities go into, those that there are."""
        return {name: self.targets[name].fields for name in parts if name in self.targets}

    def connect_again(self) -> None:
        """Raises: TransientSourceError, when it is not to be reached as often as it is tried."""

        def knock() -> None:
            with source_errors(self.source, self.engine), self.engine.connect():
                pass

        self.engine.dispose()
        retrying(self.attempts, self.sleep, self.say)(knock)


def views_among(engine: Engine, targets: Mapping[str, Target]) -> frozenset[str]:
    """Those of the targets whose rows PostgreSQL's COPY does not take."""
    if engine.dialect.name != "postgresql":
        return frozenset()
    schemas = {target.table.schema for target in targets.values()}
    views = {schema: set(inspect(engine).get_view_names(schema)) for schema in schemas}
    return frozenset(
        name for name, target in targets.items() if target.table.name in views[target.table.schema]
    )
