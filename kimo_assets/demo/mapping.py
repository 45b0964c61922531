"""kimo.yaml of the demo company: the mapping, written out of the ERP's tables.

The format itself is defined by `kimo_assets.config`.
"""

from textwrap import dedent, indent

from kimo_assets.demo.erp_tables import AREAS, Table
from kimo_assets.demo.names import COMPANY, MAKERS_SITE

MARKER = "# kimo demo company"
"""First line of the file: what allows the demo to write over it."""

_HEAD = f"""{MARKER}
# {COMPANY}: food, beverages and household goods for bars, restaurants, hotels and shops. All invented.
# Made by `kimo demo`, which writes over this file: copy it elsewhere before you change it.

data_dir: ./data

sources:
  erp:
    url: sqlite:///erp.sqlite        # relative to this file

# Pictures: files of the ERP's, and the makers' site, which `kimo demo --download` plays on this machine.
images:
  source: ./images
  download:
    allowed_hosts: ["{MAKERS_SITE}"]

# A table that lost more than this since the last import is not taken (Import completo).
guards: {{max_shrink: 0.30, min_shrink_rows: 50}}

# Each entity and the table or query it is read from. `{{}}`: the table of the same name.
# Under `fields`, Kimo's field and the ERP's column; columns not listed map by equal name, ignoring case.
entities:
"""


def kimo_yaml() -> str:
    areas = "\n".join(_area(title, tables) for title, tables in AREAS.items())
    return f"{_HEAD}\n{areas}"


def _area(title: str, tables: tuple[Table, ...]) -> str:
    return f"  # {title}\n" + "".join(map(_entity, tables))


def _entity(table: Table) -> str:
    if table.query:
        query = indent(dedent(table.query).strip(), " " * 6)
        return f"  {table.entity}:\n    query: |\n{query}\n"
    if table.fields or table.where:
        return f"  {table.entity}:\n    table: {table.name}\n{_where(table)}{_fields(table)}"
    return f"  {table.entity}: {'{}' if table.name == table.entity else table.name}\n"


def _where(table: Table) -> str:
    return f'    where: "{table.where}"\n' if table.where else ""


def _fields(table: Table) -> str:
    lines = "".join(f"      {field}: {column}\n" for field, column in table.fields.items())
    return f"    fields:\n{lines}"
