"""A kimo.yaml before it is written, and its text: entities by category, with comments to go on."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

import yaml

from kimo_assets.catalog import load_catalog
from kimo_assets.config.schema import EDITOR_LINE

_WIDTH = 120
# Remarks start in the same column, so that row counts can be compared by eye.
_REMARK_COLUMN = 44
# Entities of at most so many lines stand together without an empty line.
_LINES_TOGETHER = 2
# kimo.yaml would replace it by an environment variable.
_VARIABLE = re.compile(r"\$\{\w+\}")

# What ends a line for YAML.
_LINE_END = re.compile(r"\r\n|\r|\n|\x85|\u2028|\u2029")

# Characters that mean something to YAML.
_SPECIAL = re.compile(r"[\n#:{}\[\],&*?|<>=!%@`'\"\\]")


@dataclass
class DraftMapping:
    """A source of an entity. notes: comments. filled: the fields with a column, where known."""

    source: str = "erp"
    table: str | None = None
    query: str | None = None
    where: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    transform: dict[str, str | list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    filled: tuple[str, ...] = ()

    def texts(self) -> Iterator[str]:
        """All its texts in the file, without comments."""
        yield from filter(None, (self.table, self.query, self.where))
        yield from self.fields.values()


@dataclass
class DraftEntity:
    """remark: beside the name, e.g. `8,000 rows`.

    doubt: why the entity is only a comment in the file, '' for a mapping that counts.
    """

    name: str
    mappings: list[DraftMapping]
    remark: str = ""
    doubt: str = ""


# A step as kimo.yaml writes it: a bare name, or a name with its argument.
DraftStep = str | tuple[str, str]


@dataclass
class DraftTarget:
    """The table that an entity is exported to. notes: comments."""

    table: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    transform: dict[str, list[DraftStep]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def texts(self) -> Iterator[str]:
        """All its texts in the file, without comments."""
        yield from filter(None, (self.table, *self.fields.values()))
        for steps in self.transform.values():
            yield from (step[1] for step in steps if isinstance(step, tuple))


@dataclass
class DraftExport:
    """formats: as `export: formats:` takes them. entities: in the order in which they are sent."""

    source: str = "erp"
    formats: dict[str, str | bool] = field(default_factory=dict)
    entities: dict[str, DraftTarget] = field(default_factory=dict)


@dataclass
class DraftSource:
    """formats: as `sources.<name>.formats` takes them. notes: comments."""

    url: str
    formats: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Draft:
    """head: comments that open the file. notes: comments at its end.

    sources: none makes a file for `mapping:`.
    """

    head: list[str]
    sources: dict[str, DraftSource] = field(default_factory=dict)
    entities: list[DraftEntity] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    export: DraftExport = field(default_factory=DraftExport)

    @property
    def mapped(self) -> list[DraftEntity]:
        """The entities that count."""
        return [entity for entity in self.entities if not entity.doubt]

    @property
    def doubtful(self) -> list[DraftEntity]:
        """The entities that are only comments."""
        return [entity for entity in self.entities if entity.doubt]

    def text(self) -> str:
        """The file's text.

        An entity with a text like `${NAME}` becomes a comment: the file would replace that text.
        """
        for entity in self.mapped:
            texts = [text for mapping in entity.mappings for text in mapping.texts()]
            if variable := _variable_in(texts):
                entity.doubt = _would_replace(variable)
        head = "\n".join(_comment(self.head)) + "\n"
        # The schema is that of a whole kimo.yaml, so that a file for `mapping:` has no such line.
        if self.sources:
            head = f"{EDITOR_LINE}\n{head}"
        return head + _sources(self.sources) + self._entities() + _export(self.export) + self._end()

    def _entities(self) -> str:
        """The section `entities`: by category, in the order in which they are loaded."""
        lines = ["", "entities:"]
        if not self.mapped:
            lines = ["", "entities: {}   # take the braces out when you take one in"]
        catalog = load_catalog()
        order = {name: index for index, name in enumerate(catalog.load_order)}

        def position(entity: DraftEntity) -> tuple[str, int, bool]:
            return catalog[entity.name].category, order[entity.name], bool(entity.doubt)

        category, previous = "", 0
        for entity in sorted(self.entities, key=position):
            if catalog[entity.name].category != category:
                category = catalog[entity.name].category
                lines += ["", _category_line(category), ""]
            own = _entity(entity)
            # An empty line around each entity of several lines.
            if lines[-1] and max(len(own), previous) > _LINES_TOGETHER:
                lines.append("")
            lines += own
            previous = len(own)
        return "\n".join(lines) + "\n"

    def _end(self) -> str:
        if not self.notes:
            return ""
        return "\n" + "\n".join(_comment(self.notes)) + "\n"


def _category_line(category: str) -> str:
    title = category.replace("_", " ").capitalize()
    dashes = "-" * (_WIDTH - 8 - len(title))
    return f"  # --- {title} {dashes}"


def _variable_in(texts: Iterable[str]) -> str | None:
    """The first `${NAME}` in the texts."""
    for text in texts:
        if match := _VARIABLE.search(text):
            return match[0]
    return None


def _would_replace(variable: str) -> str:
    return f"kimo.yaml would take {variable} for an environment variable"


def scalar(value: str) -> str:
    """A text on one line of YAML: as it is where YAML reads it back unchanged, else in quotes."""
    if _is_plain(value):
        return value
    # PyYAML breaks long texts over several lines unless the width forbids it.
    quoted = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**9)
    return str(quoted).strip()


def _is_plain(value: str) -> bool:
    if not value or value != value.strip() or _SPECIAL.search(value):
        return False
    try:
        # Alone and as a value: some texts mean something in only one of the two places.
        is_itself = bool(yaml.safe_load(value) == value)
        return is_itself and bool(yaml.safe_load(f"a: {value}") == {"a": value})
    except yaml.YAMLError:
        return False


def _comment(notes: Iterable[str], indent: str = "") -> list[str]:
    """Each note as comment lines, with its line breaks; an empty note is an empty comment line."""
    lines: list[str] = []
    for note in notes:
        for part in _LINE_END.split(note):
            lines += [f"{indent}# {line}".rstrip() for line in _folded(part, indent)]
    return lines


def _folded(line: str, indent: str) -> list[str]:
    """A line in the lines that the file's width needs, further ones indented below the first."""
    characters = line.replace("\t", "    ")
    # A control character would end the comment, or the file.
    harmless = "".join(c if c.isprintable() else repr(c)[1:-1] for c in characters)
    lead = " " * (len(harmless) - len(harmless.lstrip(" ")))
    lines = wrap(
        harmless,
        _WIDTH - len(indent) - 2,
        subsequent_indent=lead + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [""]


def _pairs(key: str, values: Mapping[str, str]) -> list[str]:
    """A mapping of YAML; none where it is empty. values: as they are written."""
    if not values:
        return []
    return [f"{key}:", *(f"  {name}: {value}" for name, value in values.items())]


def _scalars(values: Mapping[str, str]) -> dict[str, str]:
    return {name: scalar(value) for name, value in values.items()}


def _sources(sources: dict[str, DraftSource]) -> str:
    """The section `sources`, with the folder of the data; '' for a file without sources."""
    if not sources:
        return ""
    lines = ["", "data_dir: ./data", "", "sources:"]
    for name, source in sources.items():
        lines += [f"  {name}:", f"    url: {scalar(source.url)}"]
        lines += _indented(_pairs("formats", _scalars(source.formats)), 4)
        lines += _comment(source.notes, "    ")
    return "\n".join(lines) + "\n"


def _indented(lines: Iterable[str], columns: int) -> list[str]:
    """The lines further to the right; an empty line stays empty."""
    return [" " * columns + line if line else "" for line in lines]


def _entity(entity: DraftEntity) -> list[str]:
    """The entity's lines. One that is left out is a comment as a whole, after its reason."""
    if not entity.doubt:
        return _entity_lines(entity, with_notes=True)
    notes = [note for mapping in entity.mappings for note in mapping.notes]
    reason = _comment([f"{entity.name} is left out: {entity.doubt}", *notes], "  ")
    lines = _entity_lines(entity, with_notes=False)
    return [*reason, *(f"  # {line[2:]}".rstrip() for line in lines)]


def _entity_lines(entity: DraftEntity, *, with_notes: bool) -> list[str]:
    """The entity as a table's name, as a mapping, or as a list of the mappings of its sources."""
    if len(entity.mappings) > 1:
        lines = [_remarked(f"  {entity.name}:", entity)]
        for mapping in entity.mappings:
            keys = _keys(mapping) or [f"table: {scalar(entity.name)}"]
            first, *rest = keys
            if with_notes:
                lines += _comment(mapping.notes, "    ")
            lines += [f"    - {first}", *_indented(rest, 6)]
        return lines
    mapping = entity.mappings[0]
    keys = _keys(mapping)
    if _is_table_alone(keys, mapping.table):
        lines = [_remarked(f"  {entity.name}: {_table_name(mapping.table)}", entity)]
    else:
        lines = [_remarked(f"  {entity.name}:", entity), *_indented(keys, 4)]
    if with_notes:
        lines += _comment(mapping.notes, "    ")
    return lines


def _is_table_alone(keys: Sequence[str], table: str | None) -> bool:
    """Whether the short form fits, in which the table's name is the whole value."""
    return not keys or (len(keys) == 1 and bool(table))


def _table_name(table: str | None) -> str:
    # An empty mapping means the table of the entity's name.
    return scalar(table) if table else "{}"


def _export(export: DraftExport) -> str:
    """The section `export`; '' where nothing is exported."""
    if not export.formats and not export.entities:
        return ""
    lines = ["", "export:"]
    if export.source != "erp":
        lines.append(f"  source: {export.source}")
    formats = {}
    for key, value in export.formats.items():
        formats[key] = "true" if value is True else scalar(str(value))
    lines += _indented(_pairs("formats", formats), 2)
    if export.entities:
        lines.append("  entities:")
        for name, target in export.entities.items():
            lines += _target(name, target)
    return "\n".join(lines) + "\n"


def _target(name: str, target: DraftTarget) -> list[str]:
    """The target's lines; a comment where it has a text like `${NAME}`, as in `Draft.text`."""
    keys = _target_keys(target)
    if _is_table_alone(keys, target.table):
        lines = [f"    {name}: {_table_name(target.table)}"]
    else:
        lines = [f"    {name}:", *_indented(keys, 6)]
    if variable := _variable_in(target.texts()):
        reason = _comment([f"{name} is left out: {_would_replace(variable)}"], "    ")
        lines = [*reason, *(f"    # {line[4:]}" for line in lines)]
    return lines + _comment(target.notes, "      ")


def _target_keys(target: DraftTarget) -> list[str]:
    lines = []
    if target.table:
        lines.append(f"table: {scalar(target.table)}")
    lines += _pairs("fields", _scalars(target.fields))
    steps = {name: _export_steps(steps) for name, steps in target.transform.items()}
    return lines + _pairs("transform", steps)


def _export_steps(steps: list[DraftStep]) -> str:
    """The steps on one line; a single step without brackets."""
    written = [_step(step) for step in steps]
    return written[0] if len(written) == 1 else f"[{', '.join(written)}]"


def _step(step: DraftStep) -> str:
    if isinstance(step, str):
        return scalar(step)
    name, argument = step
    return f"{{{name}: {scalar(argument)}}}"


def _remarked(line: str, entity: DraftEntity) -> str:
    if not entity.remark:
        return line
    return f"{line:<{_REMARK_COLUMN}}  # {entity.remark}"


def _keys(mapping: DraftMapping) -> list[str]:
    """The keys of a mapping that differ from their defaults."""
    lines = []
    if mapping.source != "erp":
        lines.append(f"source: {mapping.source}")
    if mapping.table:
        lines.append(f"table: {scalar(mapping.table)}")
    if mapping.where:
        lines += _text("where", mapping.where)
    if mapping.query:
        lines += _text("query", mapping.query)
    lines += _pairs("fields", _scalars(mapping.fields))
    steps = {name: _steps(steps) for name, steps in mapping.transform.items()}
    return lines + _pairs("transform", steps)


def _steps(steps: str | list[str]) -> str:
    if isinstance(steps, str):
        return scalar(steps)
    return f"[{', '.join(map(scalar, steps))}]"


def _text(key: str, value: str) -> list[str]:
    """A text of one or more lines. Several are a block, which YAML gives back unchanged."""
    # A query of the vendor's tables may come from Windows.
    lines: Sequence[str] = re.split(r"\r\n|\r|\n", value.strip())
    if len(lines) == 1 and len(value) < _WIDTH - 20:
        return [f"{key}: {scalar(value.strip())}"]
    if all(line.replace("\t", " ").isprintable() for line in lines):
        return [f"{key}: |", *_indented(lines, 2)]
    return [f"{key}: {scalar(value)}"]
