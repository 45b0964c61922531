"""What a kimo.yaml says, held against the catalogue and against itself: names, URLs, schedules.

Whether tables and columns are there only the source can tell, so that `kimo check` looks.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from kimo_assets.catalog import Catalog, Entity, load_catalog
from kimo_assets.catalog.menu import SCHEDULED
from kimo_assets.config.document import Document
from kimo_assets.config.models import (
    EntityMapping,
    ExportMapping,
    KimoConfig,
    SchedulesConfig,
)
from kimo_assets.config.times import check_cron, check_zone
from kimo_assets.errors import ConfigError, UnknownEntityError, nearest
from kimo_assets.texts import say

Path = tuple[str, ...]


def check(config: KimoConfig, document: Document) -> None:
    """Raises: ConfigError about the first mistake, with file, line and key."""
    catalog = load_catalog()
    _check_urls(config, document)
    _check_entities(config, document, catalog)
    _check_statuses(config, document, catalog)
    _check_export(config, document, catalog)
    _check_schedules(config, document)


def _check_urls(config: KimoConfig, document: Document) -> None:
    """The text of a URL may hold a password: no message repeats it."""
    for source, section in config.sources.items():
        try:
            make_url(section.url)
        except (ArgumentError, ValueError):
            path = ("sources", source, "url")
            raise document.error(path, "config.not_a_database_url") from None
    own = {"dagster_url": config.database.dagster_url}
    if config.database.url != "embedded":
        own["url"] = config.database.url
    for key, url in own.items():
        # Kimo's own database speaks one dialect: COPY and advisory locks are PostgreSQL's.
        if url is not None and not re.match(r"postgresql(\+\w+)?://", url):
            raise document.error(("database", key), "config.not_a_postgresql_url")


# --- entities


def _check_entities(config: KimoConfig, document: Document, catalog: Catalog) -> None:
    for name, mappings in config.entities.items():
        path = ("entities", name)
        _check_is_imported(name, document, catalog, path)
        for position, mapping in enumerate(mappings):
            _check_mapping(config, document, catalog[name], mapping, (*path, str(position)))


def _check_is_imported(name: str, document: Document, catalog: Catalog, path: Path) -> None:
    """Some entities only go to the ERP, and some only Kimo makes (catalog/data/derived.yaml)."""
    if name in catalog.derived:
        raise document.error(path, "config.made_by_kimo", entity=name)
    if name not in catalog.entities:
        raise ConfigError(f"{document.place(path)}: {UnknownEntityError(name, catalog.entities)}")
    if catalog[name].direction == "export":
        raise document.error(path, "config.only_exported", entity=name)


def _check_mapping(
    config: KimoConfig, document: Document, entity: Entity, mapping: EntityMapping, path: Path
) -> None:
    if mapping.source not in config.sources:
        raise document.error((*path, "source"), "config.no_such_source", source=mapping.source)
    _check_fields(document, entity, mapping, path)


def _check_fields(
    document: Document, entity: Entity, mapping: EntityMapping | ExportMapping, path: Path
) -> None:
    for key in ("fields", "transform"):
        for field in getattr(mapping, key):
            if field not in entity.fields:
                raise document.error(
                    (*path, key, field),
                    "config.no_such_field",
                    entity=entity.name,
                    field=field,
                    hint=_fields_like(field, entity),
                )


def _fields_like(field: str, entity: Entity) -> str:
    return _did_you_mean(field, entity.fields) or say(
        "config.fields_are", names=", ".join(entity.fields)
    )


def _did_you_mean(name: str, candidates: Iterable[str]) -> str:
    close = nearest(name, candidates)
    if not close:
        return ""
    return say("config.did_you_mean", names=say("errors.or").join(close))


def _check_statuses(config: KimoConfig, document: Document, catalog: Catalog) -> None:
    """A kind of status is an entity and the number of its field: Account1 for ErpStatusId1."""
    kinds = {
        f"{entity.name}{field.removeprefix('ErpStatusId')}"
        for entity in catalog.entities.values()
        for field in entity.fields
        if field.startswith("ErpStatusId")
    }
    for kind in config.erp_statuses:
        if kind not in kinds:
            examples = nearest(kind, kinds) or sorted(kinds)
            raise document.error(
                ("erp_statuses", kind),
                "config.no_such_status_kind",
                examples=", ".join(examples[:3]),
            )


# --- export


def _check_export(config: KimoConfig, document: Document, catalog: Catalog) -> None:
    """Without entities nothing is exported, and a source need not be there."""
    section = config.export
    if section.entities and section.source not in config.sources:
        key = ("export", "source")
        raise document.error(key, "config.no_such_source", source=section.source)
    for name, mapping in section.entities.items():
        path = ("export", "entities", name)
        _check_is_exported(name, config, document, catalog)
        _check_fields(document, catalog[name], mapping, path)
        _check_steps_out(document, catalog[name], mapping, path)


def _check_is_exported(name: str, config: KimoConfig, document: Document, catalog: Catalog) -> None:
    """A part, such as a line, travels with its head, so that the head has to be listed as well."""
    listed = config.export.entities
    heads = catalog.sent_to_erp
    head_of_part = {part: head for head in heads for part in catalog.sent_with(head)}
    path = ("export", "entities", name)
    if name not in catalog.all:
        raise ConfigError(f"{document.place(path)}: {UnknownEntityError(name, catalog.all)}")
    if name not in heads and name not in head_of_part:
        sent = [*heads, *head_of_part]
        hint = _did_you_mean(name, sent) or say("config.expected_one_of", names=", ".join(sent))
        raise document.error(path, "config.never_sent", entity=name, hint=hint)
    if name in head_of_part and head_of_part[name] not in listed:
        head = head_of_part[name]
        raise document.error(path, "config.head_not_listed", entity=name, head=head)


def _check_steps_out(
    document: Document, entity: Entity, mapping: ExportMapping, path: Path
) -> None:
    """A transformation of the export reads Kimo's fields. The SyncReference goes as it is."""
    by_fold = {field.casefold() for field in entity.fields}
    for field, transformation in mapping.transform.items():
        key = (*path, "transform", field)
        # By it the ERP's answer finds its record again (fact sheet, section 9).
        if field == "SyncReference":
            raise document.error(key, "config.reference_goes_as_it_is")
        for column in transformation.columns(field):
            if column.casefold() not in by_fold:
                raise document.error(
                    key,
                    "config.reads_no_field",
                    column=column,
                    entity=entity.name,
                    hint=_fields_like(column, entity),
                )


# --- schedules


def _check_schedules(config: KimoConfig, document: Document) -> None:
    section = config.schedules
    _check_time(document, ("timezone",), section.timezone, check_zone)
    for path, cron in _crons(section):
        _check_time(document, path, cron, check_cron)
    for position, schedule in enumerate(section.entities):
        try:
            # Asked for now, so that a wrong name does not wait until the schedule runs at night.
            config.choose(list(schedule.entities), only_listed=schedule.only_listed)
        except UnknownEntityError as error:
            path = ("schedules", "entities", str(position), "entities")
            raise ConfigError(f"{document.place(path)}: {error}") from None


def _crons(section: SchedulesConfig) -> Iterator[tuple[Path, str]]:
    """(its key, the expression) of all that has a schedule."""
    for position, schedule in enumerate(section.entities):
        yield ("entities", str(position), "cron"), schedule.cron
    for key in SCHEDULED:
        cron: str | None = getattr(section, key)
        if cron is not None:
            yield (key,), cron


def _check_time(
    document: Document, path: Path, value: str, check_value: Callable[[str], None]
) -> None:
    try:
        check_value(value)
    except ValueError as error:
        raise ConfigError(f"{document.place(('schedules', *path))}: {error}") from None
