"""An error of an entity's source as a message, with the line of kimo.yaml to look at."""

from kimo_assets.config import EntityMapping, KimoConfig
from kimo_assets.errors import SourceError, TableLockedError, TransientSourceError, in_one_line
from kimo_assets.sources.reconnection import Sources
from kimo_assets.sources.session import lock_holders
from kimo_assets.texts import say


def error_message(
    error: SourceError, entity: str, config: KimoConfig, sources: Sources | None = None
) -> str:
    """The error in one line. sources: to ask which session holds a locked table."""
    text = in_one_line(error)
    # A source that cannot be reached is no matter of the mapping.
    if isinstance(error, TransientSourceError):
        return text
    position = _position(config.entities[entity], error.source)
    mapping = config.entities[entity][position]
    if isinstance(error, TableLockedError):
        return _locked(text, mapping, entity, sources)
    line = config.place("entities", entity, str(position), *_key(mapping, error))
    return say("sources.see_line", error=text.rstrip("."), line=line)


def _position(mappings: tuple[EntityMapping, ...], source: str | None) -> int:
    positions = (i for i, mapping in enumerate(mappings) if mapping.source == source)
    return next(positions, 0)


def _key(mapping: EntityMapping, error: SourceError) -> list[str]:
    """The key of the mapping that the error is about, as far as its class tells."""
    if mapping.query:
        return ["query"]
    # We look for the table ourselves, so what the database rejects is the condition.
    if mapping.where and error.said_by_database:
        return ["where"]
    return ["table"] if mapping.table else []


def _locked(text: str, mapping: EntityMapping, entity: str, sources: Sources | None) -> str:
    table = mapping.table or entity
    holders = []
    if sources:
        holders = lock_holders(sources.engines[mapping.source])
    sessions = "; ".join(holders)
    if mapping.query:
        key = "sources.query_locked_by" if holders else "sources.query_locked"
    else:
        key = "sources.table_locked_by" if holders else "sources.table_locked"
    return say(key, table=table, sessions=sessions, error=text)
