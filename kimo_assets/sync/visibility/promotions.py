"""Who sees a promotion, by all its filter rows together (fact sheet, section 11)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, scopes
from kimo_assets.database.names import ARCHIVED, ID, KIMO, table
from kimo_assets.sync.visibility.audiences import NOBODY_NUMBER
from kimo_assets.sync.visibility.profiles import EVERYONE, NOBODY


class _FilterRow(NamedTuple):
    """mask: the profiles that the row names, directly or through a customer."""

    promotion: str
    kind: str
    key: str
    is_included: bool
    mask: int


@dataclass
class PromotionGate:
    """The filter rows of one promotion, added up."""

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
        """Adds one row. Kinds: 00 everybody, 01-04 customers, 05 agents (fact sheet, section 11).

        `-Exclusive` shuts all others out.
        """
        if kind == "Channel-Exclusive":
            self.channels.add(key.casefold())
            # Several rows may allow several channels, and one of them is enough.
            self.wrong_channel = not self.channels & channel_codes
        elif kind == "00":
            self.generic = self.generic or included
        # Before the exclusive ones: who is excluded is out in any case.
        elif kind in scope.agent_types and not included:
            self.excluded |= mask
        elif kind.endswith("-Exclusive") and kind in scope.agent_types:
            self.has_exclusive = True
            self.exclusive |= mask
        elif included and (kind in scope.agent_types or kind in scope.account_types):
            self.has_restriction = True
            self.named |= mask

    def mask(self) -> int:
        """An excluded customer excludes no agent: other customers of theirs may take part."""
        if self.wrong_channel:
            return NOBODY
        if self.has_exclusive:
            return self.exclusive & ~self.excluded
        if self.generic or not self.has_restriction:
            return EVERYONE & ~self.excluded
        return self.named & ~self.excluded


@dataclass(frozen=True)
class PromotionFilters:
    """The filter rows of all promotions.

    accounts: a lookup (key, audience) of who sees each account. agents: an agent's code -> the
    agent's profiles. audience: an audience's number -> its set of profiles.
    """

    connection: Connection[Any]
    catalog: Catalog
    scope: scopes.ViaPromotionFilter
    accounts: sql.Identifier
    agents: Callable[[str], int]
    audience: Callable[[int], int]

    def masks(self, channel_codes: set[str]) -> dict[str, int]:
        """promotion -> who sees it, of all promotions that have filters."""
        gates: dict[str, PromotionGate] = {}
        for row in (*self._direct(), *self._through_customers()):
            gate = gates.setdefault(row.promotion, PromotionGate())
            gate.add(self.scope, row.kind, row.key, row.is_included, row.mask, channel_codes)
        return {promotion: gate.mask() for promotion, gate in gates.items()}

    def _direct(self) -> Iterator[_FilterRow]:
        statement = sql.SQL("{} {} WHERE {}").format(self._select, self._filters, self._live)
        for promotion, kind, key, is_included in self.connection.execute(statement):
            if kind in self.scope.account_types:
                continue
            mask = self.agents(key) if kind in self.scope.agent_types else NOBODY
            yield _FilterRow(promotion, kind or "", key, is_included, mask)

    def _through_customers(self) -> Iterator[_FilterRow]:
        for kind, column in self._account_columns().items():
            # First the audiences of each group of customers: far fewer than customers.
            statement = sql.SQL("""
                {select}, r.audience {filters}
                LEFT JOIN (
                    SELECT DISTINCT a.{column} AS key, v.audience
                    FROM {account} AS a JOIN {accounts} AS v ON v.key = a."Id"
                    WHERE a.{archived} IS NULL
                ) AS r ON r.key = f."EncodingKey"
                WHERE {live} AND f."EncodingType" = {kind}
                """).format(
                select=self._select,
                filters=self._filters,
                column=sql.Identifier(column),
                account=table(KIMO, "Account"),
                accounts=self.accounts,
                archived=sql.Identifier(ARCHIVED),
                live=self._live,
                kind=sql.Literal(kind),
            )
            for promotion, _, key, is_included, number in self.connection.execute(statement):
                # A group without customers names nobody, and restricts the promotion all the same.
                mask = self.audience(number or NOBODY_NUMBER)
                yield _FilterRow(promotion, kind, key, is_included, mask)

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
        references = self.catalog["Account"].hard_references
        columns: dict[str, str] = {}
        for kind in self.scope.account_types:
            target = typed.targets[kind] if typed else ""
            if target == "Account":
                columns[kind] = ID
            else:
                columns[kind] = next(
                    name for name, reference in references.items() if reference.target == target
                )
        return columns
