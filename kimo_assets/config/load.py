"""The one reader of kimo.yaml: the file turned into models, or into one clear message."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from sqlalchemy.engine import make_url

from kimo_assets.config.document import CONFIG_VARIABLE, Document
from kimo_assets.config.models import ImagesConfig, ImportConfig, KimoConfig, SourceConfig
from kimo_assets.config.validation import check
from kimo_assets.errors import ConfigError
from kimo_assets.texts import say
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
    # Absolute at once: a run's process may have another current folder.
    file = Path(path or os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).absolute()
    document = Document.read(file)
    raw = document.values()
    if isinstance(raw, dict) and "mapping" in raw:
        document, raw = _with_mapping_file(document, raw)
    try:
        config = KimoConfig.model_validate(raw)
    except ValidationError as error:
        # Pydantic's own text repeats the values, and one of them may be a password.
        raise ConfigError(_explained(error, document)) from None
    # Before paths are made absolute, so that messages show what stands in the file.
    check(config, document)
    resolved = _resolved(config, file)
    resolved._place = document.place
    return resolved


def _with_mapping_file(document: Document, raw: dict[str, Any]) -> tuple[Document, dict[str, Any]]:
    """`mapping: other.yaml` holds the entities in a file of their own, and may hold the `export`
    beside them.
    """
    # Of two places for entities people would change one while the other counts.
    if "entities" in raw:
        raise document.error(("mapping",), "config.entities_or_mapping")
    file = document.file.parent / str(raw["mapping"])
    if not file.is_file():
        raise document.error(("mapping",), "config.no_mapping_file", file=file)
    other = Document.read(file)
    content = other.values()
    # Either the keys of kimo.yaml, or the entities without any key above them.
    has_keys = _has_keys(content)
    if has_keys and "export" in content and "export" in raw:
        raise document.error(("export",), "config.export_twice", file=file.name)
    rest = {key: value for key, value in raw.items() if key != "mapping"}
    if has_keys:
        return document.joined(other, ()), rest | content
    return document.joined(other, ("entities",)), rest | {"entities": content}


def _has_keys(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and "entities" in content
        and content.keys() <= {"entities", "export"}
    )


# --- paths


def _resolved(config: KimoConfig, file: Path) -> KimoConfig:
    """Relative paths count from the file that names them, wherever the command was started."""
    folder = file.parent
    sources = {name: _with_absolute_url(part, folder) for name, part in config.sources.items()}
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
    def absolute(path: str) -> str:
        return path if "://" in path else str(folder / path)

    return section.model_copy(
        update={
            "source": section.source and absolute(section.source),
            "sources": {entity: absolute(path) for entity, path in section.sources.items()},
            "public": section.public and folder / section.public,
        }
    )


def _with_absolute_task(section: ImportConfig, folder: Path) -> ImportConfig:
    """A program given by a path counts from the file. A bare name is the system's to find, unless
    it stands beside it.
    """
    if section.custom_task is None:
        return section
    program, *arguments = section.custom_task.command
    if "/" in program or "\\" in program or (folder / program).is_file():
        program = str(folder / program)
    task = section.custom_task.model_copy(update={"command": (program, *arguments)})
    return section.model_copy(update={"custom_task": task})


def _with_absolute_url(section: SourceConfig, folder: Path) -> SourceConfig:
    """Only a SQLite file has a path to make absolute, and one in memory has none."""
    url = make_url(section.url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return section
    absolute = url.set(database=str(folder / str(url.database)))
    # With its password, because this text is for connecting and not for showing.
    return section.model_copy(update={"url": absolute.render_as_string(hide_password=False)})


# --- messages


def _explained(error: ValidationError, document: Document) -> str:
    messages = []
    for problem in error.errors():
        # Pydantic marks a wrong key of a table by "[key]". In the file it has no line.
        path = tuple(str(part) for part in problem["loc"] if part != "[key]")
        # A transformation's notation knows where in it the mistake is.
        path += getattr(problem.get("ctx", {}).get("error"), "path", ())
        messages.append(f"{document.place(path)}: {_expected(problem, path)}")
    return "\n".join(messages)


def _expected(problem: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """One of pydantic's problems in words: what was expected, and where it helps what was got."""
    message: str = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return _unknown_key(path)
    if problem["type"] == "missing":
        return say("config.missing_key")
    if problem["type"] == "literal_error":
        return say("config.expected", values=problem["ctx"]["expected"])
    if isinstance(problem.get("ctx", {}).get("error"), NotationError):
        return message
    value = problem.get("input")
    if not isinstance(value, str | int | float | bool) or _may_hold_password(path, value):
        return message
    return say("config.got", message=message, value=repr(value))


def _may_hold_password(path: tuple[str, ...], value: object) -> bool:
    """Where an address is expected or given. A message does not repeat such a value."""
    return not path or path[0] in ("sources", "database") or "://" in str(value)


def _unknown_key(path: tuple[str, ...]) -> str:
    allowed = _keys_beside(path)
    close = difflib.get_close_matches(path[-1], allowed, n=1)
    if close:
        return say("config.unknown_key", key=close[0])
    return say("config.unknown_key_among", keys=", ".join(allowed))


def _keys_beside(path: tuple[str, ...]) -> list[str]:
    """The keys of the section in which the last one of the path stands."""
    section: type[BaseModel] = KimoConfig
    for part in path[:-1]:
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        # What is no key of the section is a name in a table of sections, or a position in a list of
        # them.
        if part in fields:
            section = _section_in(fields[part].annotation) or section
    keys = [field.alias or name for name, field in section.model_fields.items()]
    return [*keys, "mapping"] if section is KimoConfig else keys


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The first section in a type such as `dict[str, tuple[EntityMapping, ...]]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
