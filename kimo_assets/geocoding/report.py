"""How well the customers' addresses are known: in figures, by province, and which to correct.

It only reads.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from kimo_assets.geocoding.places import province_name
from kimo_assets.geocoding.positions import ACCOUNT_TYPES, SET_BY_PERSON, WRITTEN
from kimo_assets.texts import say

COARSE = ("GEOMETRIC_CENTER", "APPROXIMATE")
_ACCOUNTS_NAMED = 3

# Today's customers and ship-to sites, with what is known of their address. Without an address: not
# looked at yet.
_ACCOUNTS = sql.SQL("""
    SELECT a."Id" AS id, a."Name" AS name, {by_person} AS by_person, d.query, d.problem,
        coalesce(d.province, g.province) AS province, g.status, g.latitude IS NOT NULL AS found,
            g.location_type,
        coalesce(g.partial_match, false) AS partial, g.formatted_address,
        coalesce(g.location_type = ANY({coarse}), false) AS coarse,
        d.problem IS NULL AND (g.query IS NULL OR g.status = 'EXPIRED') AS waiting
    FROM kimo."Account" AS a LEFT JOIN ops.address AS d ON d.written = {written}
        LEFT JOIN ops.geocode AS g ON g.query = d.query
    WHERE a._archived_load IS NULL AND a."AccountTypeId" = ANY({types})
    """).format(
    by_person=SET_BY_PERSON,
    written=WRITTEN,
    types=sql.Literal(list(ACCOUNT_TYPES)),
    coarse=sql.Literal(list(COARSE)),
)


@dataclass(frozen=True)
class Totals:
    """Accounts, of these `by_person` and `not_askable`; all others are distinct addresses."""

    accounts: int
    by_person: int
    not_askable: int
    addresses: int
    found: int
    zero_results: int
    coarse: int
    partial: int
    waiting: int


def totals(connection: Connection) -> Totals:
    """The figures of all customers' addresses."""
    query = sql.SQL("""
        WITH account AS MATERIALIZED ({accounts}), address AS (
            SELECT DISTINCT ON (query) * FROM account WHERE NOT by_person AND query IS NOT NULL
                ORDER BY query
        )
        SELECT (SELECT count(*) FROM account) AS accounts,
            (SELECT count(*) FROM account WHERE by_person) AS by_person,
            (SELECT count(*) FROM account WHERE NOT by_person AND problem IS NOT NULL)
                AS not_askable,
            count(*) AS addresses, count(*) FILTER (WHERE found) AS found,
            count(*) FILTER (WHERE status = 'ZERO_RESULTS') AS zero_results, count(*) FILTER
                (WHERE coarse) AS coarse,
            count(*) FILTER (WHERE partial) AS partial, count(*) FILTER (WHERE waiting) AS waiting
        FROM address
        """).format(accounts=_ACCOUNTS)
    with connection.cursor(row_factory=class_row(Totals)) as cursor:
        figures = cursor.execute(query).fetchone()
    assert figures is not None, "an aggregate gives a row"  # noqa: S101
    return figures


@dataclass(frozen=True)
class Province:
    """The accounts of a province. code: empty where neither the address nor Google tells it.

    coarse, partial: found all the same, and counted there too.
    """

    code: str
    accounts: int
    found: int
    coarse: int
    partial: int
    zero: int
    not_askable: int
    waiting: int
    by_person: int

    @property
    def name(self) -> str:
        return province_name(self.code)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {"name": self.name, **asdict(self)}


def provinces(connection: Connection) -> list[Province]:
    """By the number of accounts."""
    query = sql.SQL("""
        SELECT coalesce(province, '') AS code, count(*) AS accounts,
            count(*) FILTER (WHERE NOT by_person AND found) AS found,
            count(*) FILTER (WHERE NOT by_person AND coarse) AS coarse,
            count(*) FILTER (WHERE NOT by_person AND partial) AS partial,
            count(*) FILTER (WHERE NOT by_person AND status = 'ZERO_RESULTS') AS zero,
            count(*) FILTER (WHERE NOT by_person AND problem IS NOT NULL) AS not_askable,
            count(*) FILTER (WHERE NOT by_person AND waiting) AS waiting, count(*) FILTER
                (WHERE by_person) AS by_person
        FROM ({accounts}) AS account GROUP BY 1 ORDER BY 2 DESC, 1
        """).format(accounts=_ACCOUNTS)
    with connection.cursor(row_factory=class_row(Province)) as cursor:
        return cursor.execute(query).fetchall()


@dataclass(frozen=True)
class Correction:
    """An address that somebody should look at.

    what: whose it is and how it was asked. why: what is wrong, and what to do. The two names are
    those of the JSON document.
    """

    query: str | None
    what: str
    why: str
    kind: str
    accounts: int

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return asdict(self)


def corrections(connection: Connection, *, only: Sequence[str] | None = None) -> list[Correction]:
    """Addresses to correct, the worst first, of equal ones those of the most accounts.

    only: these addresses, right or not.
    """
    chosen: sql.Composable = sql.SQL(_TO_CORRECT)
    if only is not None:
        chosen = sql.SQL("query = ANY({})").format(sql.Literal(list(only)))
    query = sql.SQL("""
        SELECT query, problem, status, location_type, partial, formatted_address, count(*),
            (array_agg(id || coalesce(' ' || name, '') ORDER BY id))[:{named}]
        FROM ({accounts}) AS account WHERE NOT by_person AND {chosen} GROUP BY 1, 2, 3, 4, 5, 6
            ORDER BY 7 DESC, min(id)
        """).format(
        named=sql.Literal(_ACCOUNTS_NAMED),
        accounts=_ACCOUNTS,
        chosen=chosen,
    )
    rows = [_correction(*row) for row in connection.execute(query)]
    # Sorting is stable: within a kind the query's order by accounts stays.
    return sorted(rows, key=lambda correction: _KINDS.index(correction.kind))


_TO_CORRECT = (
    "(problem IS NOT NULL OR status IN ('ZERO_RESULTS', 'INVALID_REQUEST') OR coarse OR partial)"
)
# From the worst to what may be good enough.
_KINDS = (
    "not askable",
    "INVALID_REQUEST",
    "ZERO_RESULTS",
    "APPROXIMATE",
    "partial",
    "GEOMETRIC_CENTER",
    "",
)


def _correction(  # noqa: PLR0913
    query: str | None,
    problem: str | None,
    status: str | None,
    location_type: str | None,
    is_partial: bool,
    formatted_address: str | None,
    accounts: int,
    names: Sequence[str],
) -> Correction:
    """A row of `corrections`: the accounts that share an address, and what is wrong with it."""
    kind = _kind(problem, status, location_type, is_partial)
    reason = problem or ""
    if kind in _SENTENCES:
        reason = say(_SENTENCES[kind], address=formatted_address)
    whose = ", ".join(names)
    if accounts > len(names):
        whose = say("geocoding.whose_and_more", names=whose, count=accounts - len(names))
    if query:
        whose = f"{whose} ({query})"
    return Correction(query, whose, reason, kind, accounts)


_SENTENCES = {
    "INVALID_REQUEST": "geocoding.invalid_request",
    "ZERO_RESULTS": "geocoding.zero_results",
    "APPROXIMATE": "geocoding.approximate",
    "partial": "geocoding.partial",
    "GEOMETRIC_CENTER": "geocoding.geometric_center",
}


def _kind(
    problem: str | None, status: str | None, location_type: str | None, is_partial: bool
) -> str:
    """One of _KINDS: what is wrong first of all."""
    if problem:
        return "not askable"
    if status in ("INVALID_REQUEST", "ZERO_RESULTS"):
        return status
    if location_type == "APPROXIMATE":
        return location_type
    if is_partial:
        return "partial"
    if location_type == "GEOMETRIC_CENTER":
        return location_type
    return ""
