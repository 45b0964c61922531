"""The vocabulary of agent scopes: which agents may see a row of an entity.

Only the shapes live here, one frozen model per kind, as the catalogue's data name them. Their
meaning in SQL is in kimo_assets/sync/visibility/visibility.py. With `blank: everyone` a row whose
key is empty is not restricted by that key. `basis` tells how sure we are: the vendor's manual, our
inference, or both.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Basis = Literal["manual", "inferred", "mixed"]


class _Scope(BaseModel):
    # A misspelled key in the data fails when they are read, not in the visibility of a row.
    model_config = ConfigDict(frozen=True, extra="forbid")

    basis: Basis | None = None
    # A fallback: it counts only for rows for which the rules beside it name no agent at all.
    optional: bool = False


class Everyone(_Scope):
    kind: Literal["everyone"]


class Nobody(_Scope):
    kind: Literal["none"]


class AgentColumn(_Scope):
    """The column names the one agent who sees the whole row.

    everyone_columns: what all the other agents see of it.
    """

    kind: Literal["agent_column"]
    column: str
    blank: Literal["everyone"] | None = None
    everyone_columns: tuple[str, ...] = ()


class ViaAccount(_Scope):
    """Visible with the account that the column points to.

    when: column -> codes. Only rows that hold one of the codes are visible.
    """

    kind: Literal["via_account"]
    column: str
    blank: Literal["everyone"] | None = None
    when: dict[str, tuple[str, ...]] = {}


class ViaItem(_Scope):
    kind: Literal["via_item"]
    column: str
    blank: Literal["everyone"] | None = None


class ViaParent(_Scope):
    """Visible with the parent row.

    parent_agent_column: if given, only the agent that the parent names there sees the row.
    """

    kind: Literal["via_parent"]
    column: str
    parent: str
    parent_agent_column: str | None = None


class ViaWarehouse(_Scope):
    kind: Literal["via_warehouse"]
    column: str
    agent_sources: tuple[str, ...]
    blank: Literal["everyone"] | None = None


class ViaTrademark(_Scope):
    kind: Literal["via_trademark"]
    column: str
    agent_link: str = "TrademarkPerUser"
    blank: Literal["everyone"] | None = None
    enabled_by_rule: str | None = None


class ViaLink(_Scope):
    """Visible to the agents that the link table names for the row's key."""

    kind: Literal["via_link"]
    column: str
    link: str
    link_column: str
    link_agent_column: str
    blank: Literal["everyone"] | None = None


class ViaSharedFilter(_Scope):
    """Visible to agents who share a visibility filter with the row.

    blank: who sees a row without filters.
    """

    kind: Literal["via_shared_filter"]
    column: str
    link: str
    link_column: str
    filter_column: str
    agent_link: str
    blank: Literal["everyone"] | None = None


class ViaEncodedAccount(_Scope):
    kind: Literal["via_encoded_account"]
    type_column: str
    key_column: str
    other_types: Literal["everyone"]


class ViaEncodedItem(_Scope):
    kind: Literal["via_encoded_item"]
    type_column: str
    key_column: str
    other_types: Literal["everyone"]


class ViaPromotionFilter(_Scope):
    kind: Literal["via_promotion_filter"]
    column: str
    link: str
    link_column: str
    included_column: str
    account_types: tuple[str, ...]
    agent_types: tuple[str, ...]
    no_rows: Literal["everyone"]


class Channel(_Scope):
    kind: Literal["channel"]
    column: str
    channel: str
    blank: Literal["everyone"] | None = None


class ViaEntityReference(_Scope):
    """Visible with the row of another entity: the type column names it, the key column its row."""

    kind: Literal["via_entity_reference"]
    type_column: str
    key_column: str


class ByBusinessRule(_Scope):
    """A business rule's value picks the mode. `default` is the value when the rule is not set."""

    kind: Literal["by_business_rule"]
    rule: str
    default: str
    modes: dict[str, "Scope"]


class AnyOf(_Scope):
    kind: Literal["any_of"]
    rules: tuple["Scope", ...]
    filters: tuple["Scope", ...] = ()


class AllOf(_Scope):
    kind: Literal["all_of"]
    rules: tuple["Scope", ...]


Scope = Annotated[
    Everyone
    | Nobody
    | AgentColumn
    | ViaAccount
    | ViaItem
    | ViaParent
    | ViaWarehouse
    | ViaTrademark
    | ViaLink
    | ViaSharedFilter
    | ViaEncodedAccount
    | ViaEncodedItem
    | ViaPromotionFilter
    | Channel
    | ViaEntityReference
    | ByBusinessRule
    | AnyOf
    | AllOf,
    Field(discriminator="kind"),
]
