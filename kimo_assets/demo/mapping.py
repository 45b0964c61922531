"""kimo.yaml of the demo company: the mapping, written out of the ERP's tables.

The format itself is defined by `kimo_assets.config`.
"""

from textwrap import dedent, indent

from kimo_assets.config.schema import EDITOR_LINE
from kimo_assets.demo.erp_tables import AREAS, EXPORTED, Table
from kimo_assets.demo.names import COMPANY, MAKERS_SITE

MARKER = "# kimo demo company"
"""In the first lines of the file: what allows the demo to write over it."""

_HEAD = f"""{EDITOR_LINE}
{MARKER}
# {COMPANY}: food, beverages and household goods for bars, restaurants, hotels
# and shops. All invented.
# Made by `kimo demo`, which writes over this file: copy it elsewhere before you change it.

data_dir: ./data

sources:
  erp:
    url: sqlite:///erp.sqlite        # relative to this file

# Pictures: the ERP's files, and the makers' site, which `kimo demo --download` plays on this
# machine.
images:
  source: ./images
  download:
    allowed_hosts: ["{MAKERS_SITE}"]

# A table that lost more than this since the last import is not taken (Import completo).
guards: {{max_shrink: 0.30, min_shrink_rows: 50}}

# Each entity and the table or query it is read from. `{{}}`: the table of the same name.
# Under `fields`, Kimo's field and the ERP's column. Columns not listed map by equal name, ignoring
# case.
entities:
"""

_EXPORT = """\
# What agents made or edited in Kimo, into the ERP's tables (Export verso Erp). Only what is listed
# here is sent.
# Under `fields`, Kimo's field and the ERP's column. A field for which the ERP has no column stays
# with Kimo.
export:
  formats:                           # how the ERP wants values written
    date: yyyyMMdd                   # DATA_ORDINE and the like are text: 20260115
    datetime: yyyy-MM-dd HH:mm:ss
    boolean: zero_one                # BLOCCATO, EVASIONE_TOTALE: 1 or 0
    null_text: ""                    # the ERP's programs know no NULL
    single_line: true                # notes go on one line of a delivery note: no line breaks
  entities:
"""

# The vendor's functions of an export: FixedValueAsString, RemovePrefix and StringToInteger (fact
# sheet, section 7). A lookup stands for the codes of console entities.
_TRANSFORMS = {
    "Document": (
        """\
      transform:
        AppOrigin: {constant: TABLET}                  # always the same (FixedValueAsString)
        DocumentTypeId: {lookup: {ORD: OC}}            # the console's types by the ERP's codes
        Number: {RemovePrefix: T}                      # T12 of the tablets' numbers is 12 here
"""
    ),
    "DocumentLine": (
        """\
      transform:
        SaleTypeId: {lookup: {VEN: V, OMT: OT, OMI: OI, SCM: SM, PRO: VP}, default: V}
"""
    ),
    "ReceivableInstallment": (
        """\
      transform:
        Id: StringToInteger                            # IDPARTITA is a number of the ERP's own
"""
    ),
}


def kimo_yaml() -> str:
    areas = "\n".join(_area(title, tables) for title, tables in AREAS.items())
    exported = "".join(map(_exported, EXPORTED))
    return f"{_HEAD}\n{areas}\n{_EXPORT}{exported}"


def _area(title: str, tables: tuple[Table, ...]) -> str:
    return f"  # {title}\n" + "".join(map(_entity, tables))


def _entity(table: Table) -> str:
    if table.query:
        query = indent(dedent(table.query).strip(), " " * 6)
        return f"  {table.entity}:\n    query: |\n{query}\n"
    if table.fields or table.where:
        return f"  {table.entity}:\n    table: {table.name}\n{_where(table)}{_fields(table)}"
    # Columns with Kimo's names need no line each (fact sheet, section 7).
    return f"  {table.entity}: {'{}' if table.name == table.entity else table.name}\n"


def _exported(table: Table) -> str:
    mapping = f"  {table.entity}:\n    table: {table.name}\n{_fields(table)}"
    return indent(mapping, "  ") + _TRANSFORMS.get(table.entity, "")


def _where(table: Table) -> str:
    return f'    where: "{table.where}"\n' if table.where else ""


def _fields(table: Table) -> str:
    lines = "".join(f"      {field}: {column}\n" for field, column in table.fields.items())
    return f"    fields:\n{lines}"
