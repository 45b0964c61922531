"""What went wrong with an entity's source, and the line of kimo.yaml where its cause may stand."""

from kimo_assets.config import EntityMapping, KimoConfig
from kimo_assets.errors import SourceError, TableLockedError, TransientSourceError
from kimo_assets.sources.reconnection import Sources
from kimo_assets.sources.session import lock_holders


def complaint(
    error: SourceError, entity: str, config: KimoConfig, sources: Sources | None = None
) -> str:
    """The error in one line. sources: to be asked who holds a locked table."""
    text = " ".join(str(error).split())
    if isinstance(error, TransientSourceError):
        return text
    position = _position(config.entities[entity], error.source)
    mapping = config.entities[entity][position]
    if isinstance(error, TableLockedError):
        return _locked(text, mapping, entity, sources)
    key = [str(position), *_key(mapping, error)]
    return f"{text.rstrip('.')}. See {config.place('entities', entity, *key)}."


def _position(mappings: tuple[EntityMapping, ...], source: str | None) -> int:
    return next((i for i, mapping in enumerate(mappings) if mapping.source == source), 0)


def _key(mapping: EntityMapping, error: SourceError) -> list[str]:
    """The part of the mapping that the complaint is about, as far as one can tell."""
    if mapping.query:
        return ["query"]
    if mapping.where and error.said_by_database:
        return ["where"]
    return ["table"] if mapping.table else []


def _locked(text: str, mapping: EntityMapping, entity: str, sources: Sources | None) -> str:
    what = "a table of its query" if mapping.query else f"table {mapping.table or entity}"
    holders = lock_holders(sources.engines[mapping.source]) if sources else []
    who = f": {'; '.join(holders)}" if holders else ""
    return (
        f"{what} is locked by another session{who}. End that session, or import again later. {text}"
    )
