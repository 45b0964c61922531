"""The one reader of kimo.yaml: the file turned into models, or into one clear message."""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from sqlalchemy.engine import make_url

from kimo_assets.catalog import Catalog, Entity, load_catalog
from kimo_assets.catalog.menu import SCHEDULED
from kimo_assets.config.document import CONFIG_VARIABLE, Document
from kimo_assets.config.models import (
    EntityMapping,
    ExportMapping,
    ImagesConfig,
    ImportConfig,
    KimoConfig,
    SchedulesConfig,
)
from kimo_assets.config.times import check_cron, check_zone
from kimo_assets.errors import ConfigError, UnknownEntityError, nearest
from kimo_assets.transforms import NotationError

DEFAULT_CONFIG = "kimo.yaml"


def is_configured(path: str | Path | None = None) -> bool:
    """Whether anybody named a kimo.yaml: the argument, KIMO_CONFIG, or the file in the current
    folder.
    """
    return bool(path or os.environ.get(CONFIG_VARIABLE)) or Path(DEFAULT_CONFIG).exists()


def load_config(path: str | Path | None = None) -> KimoConfig:
    """Reads kimo.yaml (KIMO_CONFIG, else ./kimo.yaml). Raises: ConfigError with file, line, key and
    what was expected.
    """
    file = Path(path or os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).absolute()
    document = Document.read(file)
    raw = document.values()
    if isinstance(raw, dict) and "mapping" in raw:
        document, raw = _with_mapping_file(document, raw)
    try:
        config = KimoConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explained(error, document)) from None
    _check_urls(config, document)
    _check_names(config, document, load_catalog())
    _check_export(config, document, load_catalog())
    _check_schedules(config, document)
    resolved = _resolved(config, file)
    resolved._place = document.place
    return resolved


def _explained(error: ValidationError, document: Document) -> str:
    messages = []
    for problem in error.errors():
        path = tuple(str(part) for part in problem["loc"] if part != "[key]")
        # A transformation's notation knows where in it the mistake is.
        path += getattr(problem.get("ctx", {}).get("error"), "path", ())
        messages.append(f"{document.place(path)}: {_expected(problem, path)}")
    return "\n".join(messages)


def _resolved(config: KimoConfig, file: Path) -> KimoConfig:
    """Relative paths count from the file that names them, wherever the command was started."""
    folder = file.parent
    sources = {
        name: source.model_copy(update={"url": _absolute_sqlite(source.url, folder)})
        for name, source in config.sources.items()
    }
    sync = config.sync
    if sync.store and "://" not in sync.store:
        sync = sync.model_copy(update={"store": str(folder / sync.store)})
    resolved = config.model_copy(
        update={
            "data_dir": folder / config.data_dir,
            "sources": sources,
            "sync": sync,
            "images": _with_absolute_folders(config.images, folder),
            "import_": _with_absolute_task(config.import_, folder),
        }
    )
    resolved._path = file
    return resolved


def _with_absolute_folders(section: ImagesConfig, folder: Path) -> ImagesConfig:
    def absolute(place: str) -> str:
        return place if "://" in place else str(folder / place)

    return section.model_copy(
        update={
            "source": section.source and absolute(section.source),
            "sources": {entity: absolute(place) for entity, place in section.sources.items()},
            "public": section.public and folder / section.public,
        }
    )


def _with_absolute_task(section: ImportConfig, folder: Path) -> ImportConfig:
    """A program given by a path counts from the file; a bare name is the system's to find, unless
    it stands beside it.
    """
    if section.custom_task is None:
        return section
    program, *arguments = section.custom_task.command
    if "/" in program or "\\" in program or (folder / program).is_file():
        program = str(folder / program)
    task = section.custom_task.model_copy(update={"command": (program, *arguments)})
    return section.model_copy(update={"custom_task": task})


def _absolute_sqlite(url: str, folder: Path) -> str:
    parsed = make_url(url)
    if (
        parsed.get_backend_name() != "sqlite"
        or not parsed.database
        or parsed.database == ":memory:"
    ):
        return url
    return parsed.set(database=str(folder / parsed.database)).render_as_string(hide_password=False)


def _check_urls(config: KimoConfig, document: "Document") -> None:
    """The text of a URL may hold a password: no message repeats it."""
    for source, section in config.sources.items():
        try:
            make_url(section.url)
        except Exception:
            raise ConfigError(
                f"{document.place(('sources', source, 'url'))}: not a database URL. "
                "Expected e.g. mssql+pyodbc://user:password@host/database or sqlite:///erp.sqlite"
            ) from None
    own = {"dagster_url": config.database.dagster_url}
    if config.database.url != "embedded":
        own["url"] = config.database.url
    for key, url in own.items():
        if url is not None and not re.match(r"postgresql(\+\w+)?://", url):
            raise ConfigError(
                f"{document.place(('database', key))}: not the URL of a PostgreSQL. "
                "Expected e.g. postgresql://user:password@host/database"
            )


def _check_names(config: KimoConfig, document: Document, catalog: Catalog) -> None:
    for name, mappings in config.entities.items():
        if name in catalog.derived:
            raise ConfigError(
                f"{document.place(('entities', name))}: {name} is made by Kimo itself, it cannot be"
                " imported. Take it out"
            )
        if name not in catalog.entities:
            raise ConfigError(
                f"{document.place(('entities', name))}:"
                f" {UnknownEntityError(name, catalog.entities)}"
            )
        if catalog[name].direction == "export":
            raise ConfigError(
                f"{document.place(('entities', name))}: {name} is only exported to the ERP, it"
                " cannot be imported"
            )
        for position, mapping in enumerate(mappings):
            _check_mapping(
                config, document, catalog[name], mapping, ("entities", name, str(position))
            )
    _check_statuses(config, document, catalog)


def _check_mapping(
    config: KimoConfig,
    document: Document,
    entity: Entity,
    mapping: EntityMapping,
    path: tuple[str, ...],
) -> None:
    if mapping.source not in config.sources:
        raise ConfigError(
            f"{document.place((*path, 'source'))}: source '{mapping.source}' is not among `sources`"
        )
    _check_fields(document, entity, mapping, path)


def _check_fields(
    document: Document,
    entity: Entity,
    mapping: EntityMapping | ExportMapping,
    path: tuple[str, ...],
) -> None:
    for key in ("fields", "transform"):
        for field in getattr(mapping, key):
            if field not in entity.fields:
                raise ConfigError(
                    f"{document.place((*path, key, field))}: {entity.name} has no field"
                    f" '{field}'.{_hint(field, entity)}"
                )


def _hint(field: str, entity: Entity) -> str:
    close = nearest(field, entity.fields)
    return (
        f" Did you mean {' or '.join(close)}?" if close else f" It has: {', '.join(entity.fields)}."
    )


def _check_export(config: KimoConfig, document: Document, catalog: Catalog) -> None:
    section = config.export
    if section.entities and section.source not in config.sources:
        raise ConfigError(
            f"{document.place(('export', 'source'))}: source '{section.source}' is not among"
            " `sources`"
        )
    heads = catalog.sent_to_erp
    owners = {part: head for head in heads for part in catalog.sent_with(head)}
    for name, mapping in section.entities.items():
        path = ("export", "entities", name)
        if name not in catalog.all:
            raise ConfigError(f"{document.place(path)}: {UnknownEntityError(name, catalog.all)}")
        if name not in heads and name not in owners:
            close = nearest(name, [*heads, *owners])
            raise ConfigError(
                f"{document.place(path)}: {name} is never sent to the ERP."
                + (
                    f" Did you mean {' or '.join(close)}?"
                    if close
                    else f" Expected one of {', '.join([*heads, *owners])}"
                )
            )
        if name in owners and owners[name] not in section.entities:
            raise ConfigError(
                f"{document.place(path)}: {name} travels with {owners[name]}, which is not listed."
                f" Add {owners[name]}"
            )
        _check_fields(document, catalog[name], mapping, path)
        _check_steps_out(document, catalog[name], mapping, path)


def _check_steps_out(
    document: Document, entity: Entity, mapping: ExportMapping, path: tuple[str, ...]
) -> None:
    """What a transformation of the export reads are Kimo's fields. The SyncReference goes
    as it is.
    """
    by_fold = {field.casefold() for field in entity.fields}
    for field, transformation in mapping.transform.items():
        place = document.place((*path, "transform", field))
        if field == "SyncReference":
            raise ConfigError(
                f"{place}: the ERP's answer is bound by the SyncReference, so it goes as it is."
                " Take it out"
            )
        for column in transformation.columns(field):
            if column.casefold() not in by_fold:
                raise ConfigError(
                    f"{place}: reads '{column}', and {entity.name} has no such"
                    f" field.{_hint(column, entity)}"
                )


def _check_schedules(config: KimoConfig, document: Document) -> None:
    section = config.schedules
    _checked(document, ("timezone",), section.timezone, check_zone)
    for path, cron in _crons(section):
        _checked(document, path, cron, check_cron)
    for position, of in enumerate(section.entities):
        try:
            config.choose(list(of.entities), only_listed=of.only_listed)
        except UnknownEntityError as error:
            raise ConfigError(
                f"{document.place(('schedules', 'entities', str(position), 'entities'))}: {error}"
            ) from None


def _crons(section: SchedulesConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    """(its key, the expression) of all that has a rhythm."""
    for position, of in enumerate(section.entities):
        yield ("entities", str(position), "cron"), of.cron
    for key in SCHEDULED:
        if (cron := getattr(section, key)) is not None:
            yield (key,), cron


def _checked(
    document: Document, path: tuple[str, ...], value: str, check: Callable[[str], None]
) -> None:
    try:
        check(value)
    except ValueError as error:
        raise ConfigError(f"{document.place(('schedules', *path))}: {error}") from None


def _check_statuses(config: KimoConfig, document: Document, catalog: Catalog) -> None:
    known = {
        f"{entity.name}{field.removeprefix('ErpStatusId')}"
        for entity in catalog.entities.values()
        for field in entity.fields
        if field.startswith("ErpStatusId")
    }
    for kind in config.erp_statuses:
        if kind not in known:
            hint = nearest(kind, known) or sorted(known)
            raise ConfigError(
                f"{document.place(('erp_statuses', kind))}: there is no such kind of status."
                f" Expected an entity and a number, e.g. {', '.join(hint[:3])}"
            )


def _with_mapping_file(
    document: "Document", raw: dict[str, Any]
) -> tuple["Document", dict[str, Any]]:
    """`mapping: other.yaml` holds the entities in a file of their own, and may hold the `export`
    beside them.
    """
    if "entities" in raw:
        raise ConfigError(f"{document.place(('mapping',))}: give `entities` or `mapping`, not both")
    file = document.file.parent / str(raw["mapping"])
    if not file.is_file():
        raise ConfigError(f"{document.place(('mapping',))}: there is no file {file}")
    other = Document.read(file)
    found = other.values()
    whole = (
        isinstance(found, dict) and "entities" in found and found.keys() <= {"entities", "export"}
    )
    if whole and "export" in found and "export" in raw:
        raise ConfigError(
            f"{document.place(('export',))}: {file.name} has an `export` as well; keep one of them"
        )
    merged = {key: value for key, value in raw.items() if key != "mapping"} | (
        found if whole else {"entities": found}
    )
    return document.joined(other, () if whole else ("entities",)), merged


def _expected(problem: Mapping[str, Any], path: tuple[str, ...]) -> str:
    if problem["type"] == "extra_forbidden":
        known = _known_keys(path)
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = f" Did you mean `{close[0]}`?" if close else f" Known here: {', '.join(known)}."
        return f"there is no such key.{hint}"
    if problem["type"] == "missing":
        return "this key is required and is not there"
    if problem["type"] == "literal_error":
        return f"expected {problem['ctx']['expected']}"
    if isinstance(problem.get("ctx", {}).get("error"), NotationError):
        return problem["msg"].removeprefix("Value error, ")
    given = problem.get("input")
    # Where an address is expected, what was given may hold a password: it is not repeated.
    has_address = path[0] in ("sources", "database") or "://" in str(given) if path else True
    shown = (
        f", got {given!r}" if isinstance(given, (str, int, float, bool)) and not has_address else ""
    )
    return f"{problem['msg'].removeprefix('Value error, ')}{shown}"


def _known_keys(path: tuple[str, ...]) -> list[str]:
    """The keys of the section in which the last one of the path stands."""
    section: type[BaseModel] = KimoConfig
    for part in path[:-1]:
        # What is no key of the section is a name in a table of sections, or a position in a list of
        # them.
        field = {field.alias or name: field for name, field in section.model_fields.items()}.get(
            part
        )
        section = (_section_in(field.annotation) or section) if field else section
    keys = [field.alias or name for name, field in section.model_fields.items()]
    return [*keys, "mapping"] if section is KimoConfig else keys


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
