"""The rules of a load: guards, the decoding of statuses, whether its changes can be undone."""

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
    """area: where the snapshots are staged. allow_shrink: guards are noted, and stop nothing.

    erp_statuses: kind (`Account1`) -> code -> description, of kimo.yaml. A kind without codes is
    not decoded at all, so no row is rejected for it. keep_history: images of the rows before the
    load are kept, so that it can be undone. answered: the heads whose answers from the ERP are
    imported (EntitySyncReferenceFor*).
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
        """The rules of a configuration."""
        answers = [name for name in config.entities if name.startswith(ANSWER_PREFIX)]
        return cls(
            guards=config.guards,
            erp_statuses=config.erp_statuses,
            keep_history=config.history.keep_loads > 0,
            allow_shrink=allow_shrink,
            area=area,
            answered=frozenset(name.removeprefix(ANSWER_PREFIX) for name in answers),
        )

    def with_console(self, connection: Connection) -> "LoadRules":
        """With the statuses that the console decodes too (kimo."ErpStatus").

        Where both have a code, kimo.yaml's description counts.
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
        """Status field -> the codes that are decoded, of fields of which any code is."""
        decoded = {}
        for name, kind in entity.status_fields.items():
            codes = self.erp_statuses.get(kind)
            if codes:
                decoded[name] = sorted(codes)
        return decoded

    def digest(self, entity: Entity, fields: Collection[str]) -> str:
        """Changes when a snapshot of these fields would be loaded in another way.

        Empty where no rule is about any of the fields.
        """
        # Only codes decide whether a row is rejected. A new description alone is no cause to load
        # again.
        codes = {field: codes for field, codes in self.codes(entity).items() if field in fields}
        if not codes:
            return ""
        text = orjson.dumps(codes, option=orjson.OPT_SORT_KEYS)
        return blake2b(text, digest_size=8).hexdigest()
