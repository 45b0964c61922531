"""kimo.yaml: its models, and the one reader that turns the file into them or into one clear message.

Nothing is connected, created or looked up here beyond the file itself and the environment variables it names.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from sqlalchemy.engine import URL, make_url

from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.errors import ConfigError, UnknownEntityError, nearest

CONFIG_VARIABLE = "KIMO_CONFIG"
DEFAULT_CONFIG = "kimo.yaml"

SystemId = Literal["erp", "crm"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Section):
    """Where an integration database is: any SQLAlchemy URL. Relative SQLite paths count from kimo.yaml."""

    url: str

    @property
    def sqlalchemy_url(self) -> URL:
        return make_url(self.url)


class DatabaseConfig(_Section):
    """Kimo's PostgreSQL: `embedded` (started by us under data_dir) or the URL of yours (17 or newer)."""

    url: str = "embedded"
    dagster_url: str | None = None


class SyncConfig(_Section):
    """store: a directory or an fsspec URL. channel_codes: the codes of ChannelsEnabled that mean the agents' app."""

    store: str | None = None
    zstd_level: Annotated[int, Field(ge=1, le=19)] = 3
    channel_codes: tuple[str, ...] = ("SFA",)


class GuardsConfig(_Section):
    """A snapshot that lost more than max_shrink of its rows, and at least min_shrink_rows, is not taken."""

    max_shrink: Annotated[float, Field(ge=0, le=1)] = 0.30
    min_shrink_rows: Annotated[int, Field(ge=0)] = 50


class EntityMapping(_Section):
    """Where an entity comes from. fields: Kimo's field -> the source's column; others map by equal name."""

    source: SystemId = "erp"
    table: str | None = None
    query: str | None = None
    where: str | None = None
    fields: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_origin(self) -> "EntityMapping":
        if self.table and self.query:
            raise ValueError("give `table` or `query`, not both")
        if self.query and self.where:
            raise ValueError("`where` goes with `table`; put the condition into the `query`")
        return self


def _entity_shorthand(value: Any) -> Any:
    """`Zone: ZONE` means `Zone: {table: ZONE}`; an empty value means the table of the same name."""
    return {"table": value} if isinstance(value, str) else {} if value is None else value


class KimoConfig(_Section):
    data_dir: Path = Path("data")
    sources: dict[SystemId, SourceConfig]
    database: DatabaseConfig = DatabaseConfig()
    sync: SyncConfig = SyncConfig()
    guards: GuardsConfig = GuardsConfig()
    entities: dict[str, Annotated[EntityMapping, BeforeValidator(_entity_shorthand)]] = {}
    _path: Path = PrivateAttr(default=Path(DEFAULT_CONFIG))

    @property
    def path(self) -> Path:
        return self._path

    @property
    def entity_names(self) -> list[str]:
        """The mapped entities, by category, then after what they depend on: the partitions' order."""
        catalog = load_catalog()
        ordered = catalog.in_load_order(self.entities)
        return sorted(ordered, key=lambda name: catalog[name].category)

    @property
    def sync_store(self) -> str:
        return self.sync.store or str(self.data_dir / "sync")

    def choose(self, names: list[str], *, only_listed: bool = False) -> list[str]:
        """The mapped entities a run is about: the named ones and, unless only_listed, their linked ones.

        No names: all. Names match ignoring case. Raises: UnknownEntityError.
        """
        if not names:
            return self.entity_names
        by_fold = {name.casefold(): name for name in self.entities}
        for name in names:
            if name.strip().casefold() not in by_fold:
                raise UnknownEntityError(
                    name.strip(), self.entities, where="this mapping (kimo.yaml, entities)"
                )
        chosen = {by_fold[name.strip().casefold()] for name in names}
        wanted = chosen if only_listed else load_catalog().linked(chosen)
        return [name for name in self.entity_names if name in wanted]


def is_configured(path: str | Path | None = None) -> bool:
    """Whether anybody named a kimo.yaml: the argument, KIMO_CONFIG, or the file in the current folder."""
    return bool(path or os.environ.get(CONFIG_VARIABLE)) or Path(DEFAULT_CONFIG).exists()


def load_config(path: str | Path | None = None) -> KimoConfig:
    """Reads kimo.yaml (KIMO_CONFIG, else ./kimo.yaml). Raises: ConfigError with file, line, key and what was expected."""
    file = Path(path or os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).absolute()
    document = _Document.read(file)
    raw = document.values()
    if isinstance(raw, dict) and "mapping" in raw:
        document, raw = _with_mapping_file(document, raw)
    try:
        config = KimoConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(document.explain(error)) from None
    _check_urls(config, document)
    _check_names(config, document, load_catalog())
    return _resolved(config, file)


def _resolved(config: KimoConfig, file: Path) -> KimoConfig:
    """Relative paths count from the file that names them, wherever the command was started."""
    folder = file.parent
    sources = {
        name: SourceConfig(url=_absolute_sqlite(source.url, folder))
        for name, source in config.sources.items()
    }
    sync = config.sync
    if sync.store and "://" not in sync.store:
        sync = sync.model_copy(update={"store": str(folder / sync.store)})
    resolved = config.model_copy(
        update={"data_dir": folder / config.data_dir, "sources": sources, "sync": sync}
    )
    resolved._path = file
    return resolved


def _absolute_sqlite(url: str, folder: Path) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return url
    return parsed.set(database=str(folder / parsed.database)).render_as_string(hide_password=False)


def _check_urls(config: KimoConfig, document: "_Document") -> None:
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


def _check_names(config: KimoConfig, document: "_Document", catalog: Catalog) -> None:
    for name, mapping in config.entities.items():
        if name not in catalog.entities:
            raise ConfigError(
                f"{document.place(('entities', name))}: {UnknownEntityError(name, catalog.entities)}"
            )
        entity = catalog[name]
        if mapping.source not in config.sources:
            raise ConfigError(
                f"{document.place(('entities', name, 'source'))}: source '{mapping.source}' is not among `sources`"
            )
        if entity.direction == "export":
            raise ConfigError(
                f"{document.place(('entities', name))}: {name} is only exported to the ERP, it cannot be imported"
            )
        for field in mapping.fields:
            if field not in entity.fields:
                hint = nearest(field, entity.fields)
                raise ConfigError(
                    f"{document.place(('entities', name, 'fields', field))}: {name} has no field '{field}'."
                    + (
                        f" Did you mean {' or '.join(hint)}?"
                        if hint
                        else f" It has: {', '.join(entity.fields)}."
                    )
                )


def _with_mapping_file(document: "_Document", raw: dict[str, Any]) -> tuple["_Document", dict[str, Any]]:
    """`mapping: other.yaml` holds the entities in a file of their own."""
    if "entities" in raw:
        raise ConfigError(f"{document.place(('mapping',))}: give `entities` or `mapping`, not both")
    file = document.file.parent / str(raw["mapping"])
    if not file.is_file():
        raise ConfigError(f"{document.place(('mapping',))}: there is no file {file}")
    other = _Document.read(file)
    entities = other.values()
    base: tuple[str, ...]
    if isinstance(entities, dict) and set(entities) == {"entities"}:
        entities, base = entities["entities"], ()
    else:
        base = ("entities",)
    merged = {key: value for key, value in raw.items() if key != "mapping"} | {"entities": entities}
    return document.joined(other, base), merged


class _Document:
    """A YAML file that remembers on which line each key stands."""

    def __init__(self, file: Path, node: yaml.Node | None, lines: dict[tuple[str, ...], str]) -> None:
        self.file = file
        self._node = node
        self._lines = lines

    @classmethod
    def read(cls, file: Path) -> "_Document":
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(
                f"There is no {file}. `kimo demo` makes one with a demo company; "
                f"--config or the variable {CONFIG_VARIABLE} names another."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}") from None
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise _not_yaml(file, error) from None
        lines: dict[tuple[str, ...], str] = {}
        for path, line in _key_lines(node, ()) if node else ():
            if path in lines:
                raise ConfigError(f"{file}, line {line}: {'.'.join(path)}: this key is there twice; keep one")
            lines[path] = f"{file}, line {line}"
        return cls(file, node, lines)

    def joined(self, other: "_Document", base: tuple[str, ...]) -> "_Document":
        lines = self._lines | {base + path: place for path, place in other._lines.items()}
        return _Document(self.file, None, lines)

    def values(self) -> Any:
        if self._node is None:
            return {}
        try:
            values = yaml.SafeLoader("").construct_document(self._node)
        except (yaml.YAMLError, ValueError) as error:
            raise _not_yaml(self.file, error) from None
        return self._expand(values, ())

    def place(self, path: tuple[str, ...]) -> str:
        """`file, line N: the.key` of the path, or of the nearest key above it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return f"{self._lines[path[:length]]}: {'.'.join(path)}"
        return f"{self.file}: {'.'.join(path)}" if path else str(self.file)

    def explain(self, error: ValidationError) -> str:
        messages = []
        for problem in error.errors():
            path = tuple(str(part) for part in problem["loc"] if part != "[key]")
            messages.append(f"{self.place(path)}: {_expected(problem, path)}")
        return "\n".join(messages)

    def _expand(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {str(key): self._expand(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self._expand(item, path) for item in value]
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda match: self._variable(match[1], path), value)
        return value

    def _variable(self, name: str, path: tuple[str, ...]) -> str:
        if name not in os.environ:
            raise ConfigError(f"{self.place(path)}: the environment variable {name} is not set")
        return os.environ[name]


def _not_yaml(file: Path, error: Exception) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    line = f", line {mark.line + 1}" if mark else ""
    return ConfigError(f"{file}{line}: not valid YAML: {getattr(error, 'problem', error)}")


def _key_lines(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _key_lines(value, here)


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
    given = problem.get("input")
    # Where an address is expected, what was given may hold a password: it is not repeated.
    has_address = path[0] in ("sources", "database") or "://" in str(given) if path else True
    shown = f", got {given!r}" if isinstance(given, (str, int, float, bool)) and not has_address else ""
    return f"{problem['msg'].removeprefix('Value error, ')}{shown}"


_SECTIONS: dict[str, type[BaseModel]] = {
    "database": DatabaseConfig,
    "sync": SyncConfig,
    "guards": GuardsConfig,
    "sources": SourceConfig,
    "entities": EntityMapping,
}


def _known_keys(path: tuple[str, ...]) -> list[str]:
    model = _SECTIONS.get(path[0], KimoConfig) if len(path) > 1 else KimoConfig
    return [*model.model_fields, "mapping"] if model is KimoConfig else list(model.model_fields)


SYSTEMS: tuple[str, ...] = get_args(SystemId)
