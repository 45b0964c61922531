"""The section `entities`: which tables and columns of a source make which of Kimo's entities."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from kimo_assets.config.section import OtherForms, Section
from kimo_assets.config.sources import FormatsConfig, NoValueConfig, SystemId
from kimo_assets.config.transformations import TransformationField
from kimo_assets.texts import say


class EntityMapping(Section):
    """Where an entity comes from."""

    source: SystemId = Field(
        default="erp",
        description="The source that holds the table, one of those under `sources`.",
    )
    table: str | None = Field(
        default=None,
        description=(
            "The table or view, written as in the database: CLIENTI, dbo.CLIENTI. By default the "
            "one of the entity's own name. Not together with `query`."
        ),
        examples=["dbo.ANAGRAFICA_CLIENTI"],
    )
    query: str | None = Field(
        default=None,
        description=(
            "A SELECT instead of a table, in the SQL of the source's database. Its columns carry "
            "the names of Kimo's fields, or are named under `fields`."
        ),
        examples=["SELECT CODAGE AS SalesAgentId, CODCLI AS AccountId FROM AGENTI_CLIENTI"],
    )
    where: str | None = Field(
        default=None,
        description=(
            "A condition in the SQL of the source's database. Only rows of the table that meet it "
            "are read. Not together with `query`."
        ),
        examples=["ATTIVO = 1"],
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Kimo's field, and the source's column that fills it. A column of the field's own "
            "name needs no line. Upper and lower case do not matter in column names."
        ),
        examples=[{"Id": "CODCLI", "Name": "RAGSOC"}],
    )
    transform: dict[str, TransformationField] = Field(
        default_factory=dict,
        description=(
            "Kimo's field, and the steps that make its value from the source's columns "
            "(docs/mapping.md)."
        ),
        examples=[{"Name": ["trim", "upper"], "CurrencyId": {"constant": "EUR"}}],
    )
    # Given by KimoConfig: a mapping alone knows only its source's name.
    _formats: FormatsConfig = PrivateAttr(default=FormatsConfig())
    _no_value: NoValueConfig = PrivateAttr(default=NoValueConfig())

    @property
    def formats(self) -> FormatsConfig:
        """Those of the mapping's source."""
        return self._formats

    @property
    def no_value(self) -> NoValueConfig:
        """That of the mapping's source."""
        return self._no_value

    def columns_of(self, field: str) -> tuple[str, ...]:
        """The source's columns that a field is made from, as kimo.yaml spells them. None for a
        constant.
        """
        own = self.fields.get(field, field)
        return self.transform[field].columns(own) if field in self.transform else (own,)

    @model_validator(mode="after")
    def _one_origin(self) -> "EntityMapping":
        if self.table and self.query:
            raise ValueError(say("config.table_or_query"))
        if self.query and self.where:
            raise ValueError(say("config.where_without_table"))
        return self

    @model_validator(mode="after")
    def _one_making(self) -> "EntityMapping":
        for field in self.fields.keys() & self.transform.keys():
            # Both lines would say where the value comes from, and one of them would not count.
            if self.transform[field].input.columns is not None:
                raise ValueError(say("config.two_beginnings", field=field))
        return self


def _mapping_shorthand(value: Any) -> Any:
    """`Zone: ZONE` means `Zone: {table: ZONE}`, an empty value means the table of the same name.

    A list holds one mapping per source that feeds the entity: `Account: [{table: CLIENTI}, {source:
    crm, table: LEADS}]`.
    """
    # An entity without any source could never be filled.
    if value == []:
        raise ValueError(say("config.no_mapping"))
    parts = value if isinstance(value, list) else [value]
    return tuple(map(_as_mapping, parts))


def _as_mapping(part: Any) -> Any:
    if isinstance(part, str):
        return {"table": part}
    return {} if part is None else part


class _MappingForms(OtherForms):
    """One mapping stands without the list, and a table's name or nothing stands for a mapping."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        mapping = handler(core_schema)["items"]
        forms = [mapping, *self.schemas]
        mappings = {"type": "array", "items": {"anyOf": forms}, "minItems": 1}
        return {"anyOf": [*forms, mappings]}


# The name of the table, or nothing for the table of the entity's own name.
TABLE_FORMS = ({"type": "string"}, {"type": "null"})

Mappings = Annotated[
    tuple[EntityMapping, ...], BeforeValidator(_mapping_shorthand), _MappingForms(TABLE_FORMS)
]
