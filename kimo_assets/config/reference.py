"""The page docs/kimo-yaml.md: every key of kimo.yaml, as its models describe it.

`kimo schema --markdown` prints it, and a test holds that the page is the printed one.
"""

from collections.abc import Iterator
from typing import Any

from kimo_assets.config.model_schema import JsonSchema, model_schema, types_of
from kimo_assets.config.schema import EDITOR_LINE, SCHEMA_FILE

_HEAD = f"""\
# kimo.yaml, key by key

This page is generated from the program: `kimo schema --markdown`. How a mapping is written, with
examples, is in [mapping.md](mapping.md).

An editor shows the same texts at each key, completes keys and marks mistakes. `kimo init`,
`kimo mapping pull` and `kimo demo` write `{SCHEMA_FILE}` beside kimo.yaml for this, and begin
kimo.yaml with the line

    {EDITOR_LINE}

Editors with the YAML language server read that line: Visual Studio Code with the extension YAML,
Neovim, Emacs and others. In a file of your own, write the line at its top, and the schema with
`kimo schema > {SCHEMA_FILE}`. Write the schema anew after an upgrade.

* A key that is not here is refused, with the nearest one that there is.
* Every key is optional unless its default says *required*.
* `${{NAME}}` in a value is replaced by the environment variable of that name. It may stand in the
  place of any value, also of a number or of true and false. One that is not set is an error.
* Relative paths count from the folder of kimo.yaml.
* `<name>` stands for a name that you choose or that the catalogue gives: of an entity, a field, a
  status.
"""

_TABLE = "| Key | Value | Default | Meaning |\n|---|---|---|---|\n"

_NAMES_OF_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}

_NAMES_OF_SHARED_MODELS = {
    "SourceConfig": "section",
    "EntityMapping": "mapping",
    "ExportMapping": "mapping",
    "Transformation": "[step or list of steps](mapping.md#transformations)",
}


def reference_text() -> str:
    """The page in Markdown."""
    return _Reference(model_schema()).text()


class _Reference:
    def __init__(self, schema: JsonSchema) -> None:
        self._schema = schema
        self._definitions: dict[str, JsonSchema] = schema["definitions"]

    def text(self) -> str:
        """The keys without further ones first, then a section for each of the others."""
        keys: dict[str, JsonSchema] = self._schema["properties"]
        rows = "".join(
            self._row(key, part, self._schema)
            for key, part in keys.items()
            if not self._has_keys(part)
        )
        sections = [self._section(key, part) for key, part in keys.items() if self._has_keys(part)]
        return "\n".join([_HEAD, f"## At the top\n\n{_TABLE}{rows}", *sections])

    def _has_keys(self, schema: JsonSchema) -> bool:
        return next(self._below("", schema), None) is not None

    def _section(self, key: str, schema: JsonSchema) -> str:
        rows = "".join(self._rows("", schema))
        return f"## `{key}`\n\n{schema['description']}\n\n{_TABLE}{rows}"

    def _rows(self, path: str, schema: JsonSchema) -> Iterator[str]:
        for key, part, owner in self._below(path, schema):
            yield self._row(key, part, owner)
            yield from self._rows(key, part)

    def _below(self, path: str, schema: JsonSchema) -> Iterator[tuple[str, JsonSchema, JsonSchema]]:
        """(path, schema, section that it stands in) of the keys right below one, also through a
        table of sections, or a list of them.
        """
        schema = self._resolved(schema)
        for form in map(self._resolved, schema.get("anyOf", [schema])):
            prefix = f"{path}." if path else ""
            for name, part in form.get("properties", {}).items():
                yield f"{prefix}{name}", part, form
            if isinstance(entry := form.get("additionalProperties"), dict):
                yield from self._below(f"{prefix}{_names(form)}", entry)
            # A list of mappings has the keys of the single mapping, which stands beside it.
            if isinstance(entry := form.get("items"), dict) and "anyOf" not in entry:
                yield from self._below(f"{path}[]", entry)

    def _resolved(self, schema: JsonSchema) -> JsonSchema:
        """Transformations stay as they are: their steps are explained in mapping.md."""
        name = schema.get("$ref", "").rpartition("/")[2]
        if not name or name == "Transformation":
            return schema
        return self._definitions[name]

    def _row(self, path: str, schema: JsonSchema, owner: JsonSchema) -> str:
        is_required = path.rpartition(".")[2] in owner.get("required", ())
        default = "*required*" if is_required else _default_in_words(schema)
        cells = (f"`{path}`", _value_in_words(schema), default, schema["description"])
        # A bar in a text would end the cell of the table.
        escaped = [cell.replace("|", "\\|") for cell in cells]
        return f"| {' | '.join(escaped)} |\n"


def _names(schema: JsonSchema) -> str:
    """What stands for the key in a table of sections."""
    names = schema.get("propertyNames", {}).get("enum")
    return f"<{' or '.join(names)}>" if names else "<name>"


def _default_in_words(schema: JsonSchema) -> str:
    if "default" not in schema:
        return ""
    return f"`{_in_yaml(schema['default'])}`"


def _in_yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_in_yaml, value))}]"
    return str(value)


def _value_in_words(schema: JsonSchema) -> str:
    """What may stand there, such as `whole number, 1 to 16`."""
    if "anyOf" in schema:
        forms = [_value_in_words(form) for form in schema["anyOf"]]
        return " or ".join(dict.fromkeys(filter(None, forms)))
    if "$ref" in schema:
        return _NAMES_OF_SHARED_MODELS[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    types = [kind for kind in types_of(schema) if kind != "null"]
    if types == ["array"]:
        return f"list of {_value_in_words(schema['items'])}"
    if types == ["object"]:
        return _section_in_words(schema)
    return " or ".join(_NAMES_OF_TYPES[kind] for kind in types) + _limits_in_words(schema)


def _section_in_words(schema: JsonSchema) -> str:
    entry = schema.get("additionalProperties")
    if not isinstance(entry, dict):
        return "section"
    return f"{_value_in_words(entry)}, by name"


def _limits_in_words(schema: JsonSchema) -> str:
    """Such as `, 0 to 1` or `, above 0, at most 30`. Nothing where any number will do."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema.get("maxLength") == 1:
        return ", one character"
    if low is not None and high is not None:
        return f", {low:g} to {high:g}"
    words = ""
    if low is not None:
        words += f", at least {low:g}"
    if "exclusiveMinimum" in schema:
        words += f", above {schema['exclusiveMinimum']:g}"
    if high is not None:
        words += f", at most {high:g}"
    return words
