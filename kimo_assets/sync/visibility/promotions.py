"""What the filter rows of a promotion say together about who sees it (fact sheet, section 11)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, scopes
from kimo_assets.database.names import ARCHIVED, ID, KIMO, table
from kimo_assets.sync.visibility.audiences import NOBODY_NUMBER
from kimo_assets.sync.visibility.profiles import EVERYONE, NOBODY


@dataclass
class PromotionGate:
    """What a promotion's filter rows say together."""

    named: int = 0
    excluded: int = 0
    exclusive: int = 0
    generic: bool = False
    has_exclusive: bool = False
    has_restriction: bool = False
    wrong_channel: bool = False
    channels: set[str] = field(default_factory=set)

    def add(
        self,
        scope: scopes.ViaPromotionFilter,
        kind: str,
        key: str,
        included: bool,
        mask: int,
        channel_codes: set[str],
    ) -> None:
        if kind == "Channel-Exclusive":
            self.channels.add(key.casefold())
            self.wrong_channel = not self.channels & channel_codes
        elif kind == "00":
            self.generic = self.generic or included
        elif kind in scope.agent_types and not included:
            self.excluded |= mask
        elif kind.endswith("-Exclusive") and kind in scope.agent_types:
            self.has_exclusive = True
            self.exclusive |= mask
        elif included and (kind in scope.agent_types or kind in scope.account_types):
            self.has_restriction = True
            self.named |= mask

    def mask(self) -> int:
        """An excluded customer shuts no agent out: others of theirs may still take part."""
        if self.wrong_channel:
            return 0
        if self.has_exclusive:
            return self.exclusive & ~self.excluded
        seen = EVERYONE if self.generic or not self.has_restriction else self.named
        return seen & ~self.excluded


@dataclass(frozen=True)
class PromotionFilters:
    """The filter rows of all promotions. accounts: a lookup (key, audience) of who sees each
    account.

    agents: the profiles of an agent's code; audience: the set of profiles that a number stands for.
    """

    connection: Connection
    catalog: Catalog
    scope: scopes.ViaPromotionFilter
    accounts: sql.Identifier
    agents: Callable[[str], int]
    audience: Callable[[int], int]

    def masks(self, channel_codes: set[str]) -> dict[str, int]:
        """Who sees each promotion that has filters: who is named by them, directly or through a
        customer.
        """
        gates: dict[str, PromotionGate] = {}
        for promotion, kind, key, included, mask in (*self._direct(), *self._through_customers()):
            gates.setdefault(promotion, PromotionGate()).add(
                self.scope, kind, key, included, mask, channel_codes
            )
        return {promotion: gate.mask() for promotion, gate in gates.items()}

    def _direct(self) -> Iterator[tuple[str, str, str, bool, int]]:
        statement = sql.SQL("{} {} WHERE {}").format(self._select, self._filters, self._live)
        for promotion, kind, key, is_included in self.connection.execute(statement):
            if kind not in self.scope.account_types:
                mask = self.agents(key) if kind in self.scope.agent_types else NOBODY
                yield promotion, kind or "", key, is_included, mask

    def _through_customers(self) -> Iterator[tuple[str, str, str, bool, int]]:
        for kind, column in self._account_columns().items():
            # First which audiences each group of customers has: far fewer than customers.
            statement = sql.SQL(
                "{}, r.audience {} LEFT JOIN (SELECT DISTINCT a.{} AS key, v.audience FROM {} AS a"
                ' JOIN {} AS v ON v.key = a."Id" WHERE a.{} IS NULL) AS r ON r.key ='
                ' f."EncodingKey" WHERE {} AND f."EncodingType" = {}'
            ).format(
                self._select,
                self._filters,
                sql.Identifier(column),
                table(KIMO, "Account"),
                self.accounts,
                sql.Identifier(ARCHIVED),
                self._live,
                sql.Literal(kind),
            )
            for promotion, _, key, is_included, audience in self.connection.execute(statement):
                yield promotion, kind, key, is_included, self.audience(audience or NOBODY_NUMBER)

    @property
    def _select(self) -> sql.Composed:
        return sql.SQL(
            'SELECT DISTINCT f.{}, f."EncodingType", coalesce(f."EncodingKey", \'\'),'
            " coalesce(f.{}, true)"
        ).format(sql.Identifier(self.scope.link_column), sql.Identifier(self.scope.included_column))

    @property
    def _filters(self) -> sql.Composed:
        return sql.SQL("FROM {} AS f").format(table(KIMO, self.scope.link))

    @property
    def _live(self) -> sql.Composed:
        return sql.SQL("f.{} IS NULL").format(sql.Identifier(ARCHIVED))

    def _account_columns(self) -> dict[str, str]:
        """Encoding type -> the column of Account that its key is compared with."""
        typed = self.catalog[self.scope.link].fields["EncodingKey"].references_by
        account = self.catalog["Account"]
        columns: dict[str, str] = {}
        for kind in self.scope.account_types:
            target = typed.targets[kind] if typed else ""
            by_target = (
                name for name, found in account.hard_references.items() if found.target == target
            )
            columns[kind] = ID if target == "Account" else next(by_target)
        return columns
