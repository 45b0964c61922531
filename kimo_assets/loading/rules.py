"""What a load is told from outside: guards, the decoding of statuses, whether its changes can be
taken back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import orjson
from psycopg import Connection

from kimo_assets.catalog import Entity
from kimo_assets.catalog.lifecycle import ANSWER_PREFIX
from kimo_assets.config import GuardsConfig, KimoConfig
from kimo_assets.database.names import STAGED_AREA, StagingArea


@dataclass(frozen=True)
class LoadRules:
    """area: where the snapshots are staged. allow_shrink: guards are noted rather than obeyed.

    erp_statuses: kind (`Account1`) -> code -> description, of kimo.yaml; a kind without codes is
    decoded by nobody, so nothing is refused because of it. keep_history: before-images are kept, so
    that the load can be undone. answered: the heads whose answers from the ERP are imported
    (EntitySyncReferenceFor*).
    """

    guards: GuardsConfig = field(default_factory=GuardsConfig)
    erp_statuses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    keep_history: bool = True
    allow_shrink: bool = False
    area: StagingArea = STAGED_AREA
    answered: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, config: KimoConfig, *, allow_shrink: bool = False, area: StagingArea = STAGED_AREA
    ) -> "LoadRules":
        answered = frozenset(
            name.removeprefix(ANSWER_PREFIX)
            for name in config.entities
            if name.startswith(ANSWER_PREFIX)
        )
        return cls(
            config.guards,
            config.erp_statuses,
            config.history.keep_loads > 0,
            allow_shrink,
            area,
            answered,
        )

    def with_console(self, connection: Connection) -> "LoadRules":
        """The same, with the statuses that the console decodes (kimo."ErpStatus") beside those of
        kimo.yaml.
        """
        statuses: dict[str, dict[str, str]] = {}
        for kind, code, description in connection.execute(
            'SELECT "Type", "ValueId", "Description" FROM kimo."ErpStatus"'
        ):
            statuses.setdefault(kind, {})[code] = description or ""
        for kind, codes in self.erp_statuses.items():
            statuses[kind] = {**statuses.get(kind, {}), **codes}
        return replace(self, erp_statuses=statuses)

    def codes(self, entity: Entity) -> dict[str, list[str]]:
        """Status field -> the codes that are decoded, of the fields of which any is."""
        return {
            name: sorted(codes)
            for name, kind in entity.status_fields.items()
            if (codes := self.erp_statuses.get(kind))
        }

    def digest(self, entity: Entity, fields: Collection[str]) -> str:
        """Changes when a snapshot of these fields would be loaded another way; empty where no rule
        is about any of them.
        """
        codes = {field: codes for field, codes in self.codes(entity).items() if field in fields}
        text = orjson.dumps(codes, option=orjson.OPT_SORT_KEYS)
        return blake2b(text, digest_size=8).hexdigest() if codes else ""
