"""A kimo.yaml that is still to be written, and its text: entities by category, with comments for
the person who goes on.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

import yaml

from kimo_assets.catalog import load_catalog
from kimo_assets.config.schema import EDITOR_LINE

_WIDTH = 120
_REMARK_COLUMN = 44
_LINES_TOGETHER = 2
_VARIABLE = re.compile(r"\$\{\w+\}")


@dataclass
class DraftMapping:
    """One source of an entity. notes: comments on it. filled: the fields that get a column, where
    that is known.
    """

    source: str = "erp"
    table: str | None = None
    query: str | None = None
    where: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    transform: dict[str, str | list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    filled: tuple[str, ...] = ()

    def texts(self) -> Iterator[str]:
        """All that the file would say of it, apart from comments."""
        yield from filter(None, (self.table, self.query, self.where))
        yield from self.fields.values()


@dataclass
class DraftEntity:
    """remark: beside the name, e.g. `8,000 rows`. doubt: why all of it is only a comment, '' for a
    mapping that counts.
    """

    name: str
    mappings: list[DraftMapping]
    remark: str = ""
    doubt: str = ""


# A step as kimo.yaml writes it: a bare name, or a name and what it takes.
DraftStep = str | tuple[str, str]


@dataclass
class DraftTarget:
    """Where an entity goes. notes: comments on it."""

    table: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    transform: dict[str, list[DraftStep]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def texts(self) -> Iterator[str]:
        """All that the file would say of it, apart from comments."""
        yield from filter(None, (self.table, *self.fields.values()))
        yield from (
            step[1]
            for steps in self.transform.values()
            for step in steps
            if isinstance(step, tuple)
        )


@dataclass
class DraftExport:
    """formats: as `export: formats:` takes them. entities: in the order in which they are sent."""

    source: str = "erp"
    formats: dict[str, str | bool] = field(default_factory=dict)
    entities: dict[str, DraftTarget] = field(default_factory=dict)


@dataclass
class DraftSource:
    url: str
    formats: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Draft:
    """head: comments that open the file. sources: none makes a file for `mapping:`. notes: comments
    at its end.
    """

    head: list[str]
    sources: dict[str, DraftSource] = field(default_factory=dict)
    entities: list[DraftEntity] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    export: DraftExport = field(default_factory=DraftExport)

    @property
    def mapped(self) -> list[DraftEntity]:
        return [entity for entity in self.entities if not entity.doubt]

    @property
    def doubtful(self) -> list[DraftEntity]:
        return [entity for entity in self.entities if entity.doubt]

    def text(self) -> str:
        """The file. A text that it would take for an environment variable turns its entity into a
        comment.
        """
        for entity in self.mapped:
            odd = [
                text
                for mapping in entity.mappings
                for text in mapping.texts()
                if _VARIABLE.search(text)
            ]
            if odd:
                entity.doubt = f"kimo.yaml would take {_VARIABLE.search(odd[0])[0]} for an environment variable"  # type: ignore[index]
        head = "\n".join(_comment(self.head)) + "\n"
        # The schema is that of a whole kimo.yaml, so that a file for `mapping:` has no such line.
        if self.sources:
            head = f"{EDITOR_LINE}\n{head}"
        return head + _sources(self.sources) + self._entities() + _export(self.export) + self._end()

    def _entities(self) -> str:
        lines = [
            "",
            (
                "entities:"
                if self.mapped
                else "entities: {}   # take the braces out when you take one in"
            ),
        ]
        catalog = load_catalog()
        order = {name: index for index, name in enumerate(catalog.load_order)}
        category, previous = "", 0
        for entity in sorted(
            self.entities, key=lambda e: (catalog[e.name].category, order[e.name], bool(e.doubt))
        ):
            if catalog[entity.name].category != category:
                category = catalog[entity.name].category
                title = category.replace("_", " ").capitalize()
                lines += ["", f"  # --- {title} {'-' * (_WIDTH - 8 - len(title))}", ""]
            own = _entity(entity)
            lines += ["", *own] if lines[-1] and max(len(own), previous) > _LINES_TOGETHER else own
            previous = len(own)
        return "\n".join(lines) + "\n"

    def _end(self) -> str:
        return "\n" + "\n".join(_comment(self.notes)) + "\n" if self.notes else ""


def scalar(value: str) -> str:
    """A text on one line of YAML: as it is where YAML reads it back so, else in quotes."""
    plain = (
        value and value == value.strip() and not re.search(r"[\n#:{}\[\],&*?|<>=!%@`'\"\\]", value)
    )
    try:
        if (
            plain
            and yaml.safe_load(value) == value
            and yaml.safe_load(f"a: {value}") == {"a": value}
        ):
            return value
    except yaml.YAMLError:
        pass
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**9).strip()


def _comment(notes: Iterable[str], indent: str = "") -> list[str]:
    """Each note as comment lines; an empty one is an empty comment line, and its line
    breaks stay.
    """
    lines: list[str] = []
    for note in notes:
        for part in re.split(r"\r\n|\r|\n|\x85|\u2028|\u2029", note):
            harmless = "".join(
                c if c.isprintable() else repr(c)[1:-1] for c in part.replace("\t", "    ")
            )
            lead = re.match(r" *", harmless)[0]  # type: ignore[index]
            folded = wrap(
                harmless,
                _WIDTH - len(indent) - 2,
                subsequent_indent=lead + "  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            lines += [f"{indent}# {line}".rstrip() for line in folded or [""]]
    return lines


def _sources(sources: dict[str, DraftSource]) -> str:
    if not sources:
        return ""
    lines = ["", "data_dir: ./data", "", "sources:"]
    for name, source in sources.items():
        lines += [f"  {name}:", f"    url: {scalar(source.url)}"]
        if source.formats:
            lines += [
                "    formats:",
                *(f"      {key}: {scalar(value)}" for key, value in source.formats.items()),
            ]
        lines += _comment(source.notes, "    ")
    return "\n".join(lines) + "\n"


def _entity(entity: DraftEntity) -> list[str]:
    lines = _entity_lines(entity)
    if not entity.doubt:
        return lines
    notes = {id(mapping): mapping.notes for mapping in entity.mappings}
    for mapping in entity.mappings:
        mapping.notes = []
    commented = [f"  # {line[2:]}".rstrip() for line in _entity_lines(entity)]
    for mapping in entity.mappings:
        mapping.notes = notes[id(mapping)]
    said = [note for mapping in entity.mappings for note in mapping.notes]
    return [*_comment([f"{entity.name} is left out: {entity.doubt}", *said], "  "), *commented]


def _entity_lines(entity: DraftEntity) -> list[str]:
    if len(entity.mappings) > 1:
        lines = [_remarked(f"  {entity.name}:", entity)]
        for mapping in entity.mappings:
            keys = _keys(mapping) or [f"table: {scalar(entity.name)}"]
            first, *rest = keys
            lines += _comment(mapping.notes, "    ")
            lines += [f"    - {first}", *(f"      {line}" if line else "" for line in rest)]
        return lines
    mapping = entity.mappings[0]
    keys = _keys(mapping)
    if len(keys) > 1 or (keys and not mapping.table):
        lines = [
            _remarked(f"  {entity.name}:", entity),
            *(f"    {line}" if line else "" for line in keys),
        ]
    else:
        lines = [
            _remarked(
                f"  {entity.name}: {scalar(mapping.table) if mapping.table else '{}'}", entity
            )
        ]
    return lines + _comment(mapping.notes, "    ")


def _export(export: DraftExport) -> str:
    if not export.formats and not export.entities:
        return ""
    lines = ["", "export:"]
    if export.source != "erp":
        lines.append(f"  source: {export.source}")
    if export.formats:
        written = {
            key: "true" if value is True else scalar(str(value))
            for key, value in export.formats.items()
        }
        lines += ["  formats:", *(f"    {key}: {value}" for key, value in written.items())]
    if export.entities:
        lines += [
            "  entities:",
            *(line for name, target in export.entities.items() for line in _target(name, target)),
        ]
    return "\n".join(lines) + "\n"


def _target(name: str, target: DraftTarget) -> list[str]:
    """A text that would be taken for an environment variable turns the entity into a comment."""
    keys = _target_keys(target)
    if keys and (len(keys) > 1 or not target.table):
        lines = [f"    {name}:", *(f"      {line}" for line in keys)]
    else:
        lines = [f"    {name}: {scalar(target.table) if target.table else '{}'}"]
    if odd := next(filter(None, map(_VARIABLE.search, target.texts())), None):
        said = f"{name} is left out: kimo.yaml would take {odd[0]} for an environment variable"
        lines = [*_comment([said], "    "), *(f"    # {line[4:]}" for line in lines)]
    return lines + _comment(target.notes, "      ")


def _target_keys(target: DraftTarget) -> list[str]:
    lines = [f"table: {scalar(target.table)}"] if target.table else []
    if target.fields:
        lines += [
            "fields:",
            *(f"  {name}: {scalar(column)}" for name, column in target.fields.items()),
        ]
    if target.transform:
        lines += [
            "transform:",
            *(f"  {name}: {_steps_out(steps)}" for name, steps in target.transform.items()),
        ]
    return lines


def _steps_out(steps: list[DraftStep]) -> str:
    written = [
        scalar(step) if isinstance(step, str) else f"{{{step[0]}: {scalar(step[1])}}}"
        for step in steps
    ]
    return written[0] if len(written) == 1 else f"[{', '.join(written)}]"


def _remarked(line: str, entity: DraftEntity) -> str:
    return f"{line:<{_REMARK_COLUMN}}  # {entity.remark}" if entity.remark else line


def _keys(mapping: DraftMapping) -> list[str]:
    lines = []
    if mapping.source != "erp":
        lines.append(f"source: {mapping.source}")
    if mapping.table:
        lines.append(f"table: {scalar(mapping.table)}")
    if mapping.where:
        lines += _text("where", mapping.where)
    if mapping.query:
        lines += _text("query", mapping.query)
    if mapping.fields:
        lines += [
            "fields:",
            *(f"  {name}: {scalar(column)}" for name, column in mapping.fields.items()),
        ]
    if mapping.transform:
        lines += [
            "transform:",
            *(f"  {name}: {_steps(steps)}" for name, steps in mapping.transform.items()),
        ]
    return lines


def _steps(steps: str | list[str]) -> str:
    return scalar(steps) if isinstance(steps, str) else f"[{', '.join(map(scalar, steps))}]"


def _text(key: str, value: str) -> list[str]:
    """A text that may have lines: one of several is a block, which YAML gives back as it stands."""
    lines: Sequence[str] = re.split(r"\r\n|\r|\n", value.strip())
    if len(lines) == 1 and len(value) < _WIDTH - 20:
        return [f"{key}: {scalar(value.strip())}"]
    if all(line.replace("\t", " ").isprintable() for line in lines):
        return [f"{key}: |", *(f"  {line}" if line else "" for line in lines)]
    return [f"{key}: {scalar(value)}"]
