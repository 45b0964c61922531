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
    """The ERP's side.

    is_ours: we hold its semaphore, so that it takes no rows meanwhile. views: targets that are no
    tables. log: takes lines for the run's log.
    """

    source: str
    engine: Engine
    targets: Mapping[str, Target]
    marker: Marker | None
    is_ours: bool
    attempts: int = 1
    log: Callable[[str], None] = lambda _line: None
    sleep: Callable[[float], None] = time.sleep
    views: frozenset[str] = field(default_factory=frozenset)

    def fields(self, parts: Sequence[str]) -> Fields:
        """The fields that go into the table of each of these entities, where there is a table."""
        return {name: self.targets[name].fields for name in parts if name in self.targets}

    def connect_again(self) -> None:
        """Raises: TransientSourceError when no attempt reaches the ERP."""

        def ping() -> None:
            with source_errors(self.source, self.engine), self.engine.connect():
                pass

        # Connections in the pool may be as dead as the one that failed.
        self.engine.dispose()
        retrying(self.attempts, self.sleep, self.log)(ping)


def views_among(engine: Engine, targets: Mapping[str, Target]) -> frozenset[str]:
    """The targets whose rows PostgreSQL's COPY does not take, because they are views."""
    if engine.dialect.name != "postgresql":
        return frozenset()
    schemas = {target.table.schema for target in targets.values()}
    inspector = inspect(engine)
    views = {schema: set(inspector.get_view_names(schema)) for schema in schemas}
    return frozenset(
        name for name, target in targets.items() if target.table.name in views[target.table.schema]
    )
