"""What the sections of kimo.yaml have in common: their base, and the kinds of values that stand in
several of them.

A description is what an editor shows at its key, and what the page docs/kimo-yaml.md says of it.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from kimo_assets.transforms import DateFormat


class Section(BaseModel):
    # A misspelt key would leave a default in force without a word. Frozen, because threads share
    # it.
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, eq=False)
class OtherForms:
    """The shorthands that a validator takes beside the form of the model, as JSON Schemas.

    Pydantic knows only the form that comes out of a validator, not those that go in.
    """

    schemas: tuple[JsonSchemaValue, ...]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core_schema), *self.schemas]}


def _code(value: Any) -> Any:
    """Codes such as 0 or 12 may stand without quotes."""
    # Not isinstance: to Python true and false are whole numbers.
    return str(value) if type(value) is int else value


def _day_or_code(value: Any) -> Any:
    """YAML takes 1753-01-01 for a date."""
    return _code(value.isoformat() if isinstance(value, date) else value)


def _date_format(value: str) -> str:
    return DateFormat(value).notation


_TEXT_OR_WHOLE_NUMBER = WithJsonSchema({"type": ["string", "integer"]})

Code = Annotated[str, BeforeValidator(_code), _TEXT_OR_WHOLE_NUMBER]
DayOrCode = Annotated[str, BeforeValidator(_day_or_code), _TEXT_OR_WHOLE_NUMBER]
WrittenDate = Annotated[str, AfterValidator(_date_format)]
