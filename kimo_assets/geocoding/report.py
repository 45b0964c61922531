"""How well the customers' addresses are known: in figures, by province, and which to correct. Only
reads.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from kimo_assets.geocoding.places import province_name
from kimo_assets.geocoding.positions import ACCOUNT_TYPES, SET_BY_PERSON, WRITTEN

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
        found = cursor.execute(query).fetchone()
    assert found is not None, "an aggregate gives a row"  # noqa: S101
    return found


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
    """An address that somebody should look at. what: whose it is and how it was asked; why: what is
    wrong, what to do.
    """

    query: str | None
    what: str
    why: str
    kind: str
    accounts: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def corrections(connection: Connection, *, only: Sequence[str] | None = None) -> list[Correction]:
    """Addresses to correct, the worst first, of equal ones those of the most accounts. only: these,
    right or not.
    """
    query = sql.SQL("""
        SELECT query, problem, status, location_type, partial, formatted_address, count(*),
            (array_agg(id || coalesce(' ' || name, '') ORDER BY id))[:{named}]
        FROM ({accounts}) AS account WHERE NOT by_person AND {chosen} GROUP BY 1, 2, 3, 4, 5, 6
            ORDER BY 7 DESC, min(id)
        """).format(
        named=sql.Literal(_ACCOUNTS_NAMED),
        accounts=_ACCOUNTS,
        chosen=(
            sql.SQL(_TO_CORRECT)
            if only is None
            else sql.SQL("query = ANY({})").format(sql.Literal(list(only)))
        ),
    )
    found = [_correction(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda one: _KINDS.index(one.kind))


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


def _correction(
    query: str | None,
    problem: str | None,
    status: str | None,
    location_type: str | None,
    partial: bool,
    found: str | None,
    accounts: int,
    named: Sequence[str],
) -> Correction:
    kind, why = _why(problem, status, location_type, partial, found)
    more = f" and {accounts - len(named)} more" if accounts > len(named) else ""
    what = f"{', '.join(named)}{more}" + (f" ({query})" if query else "")
    return Correction(query, what, why, kind, accounts)


def _why(
    problem: str | None,
    status: str | None,
    location_type: str | None,
    partial: bool,
    found: str | None,
) -> tuple[str, str]:
    """One of _KINDS, and what is wrong and to be done."""
    if problem:
        return "not askable", problem
    if status == "INVALID_REQUEST":
        return status, "Google cannot read this as an address (INVALID_REQUEST): correct it."
    if status == "ZERO_RESULTS":
        return (
            status,
            (
                "Google knows no such address (ZERO_RESULTS): correct the street, the town or the"
                " post code."
            ),
        )
    if location_type == "APPROXIMATE":
        return (
            location_type,
            f"Google knows only the area: {found} (APPROXIMATE). Fill in or correct the street.",
        )
    if partial:
        return (
            "partial",
            f"Google found something similar only: {found} (partial match). Correct what differs.",
        )
    if location_type == "GEOMETRIC_CENTER":
        why = (
            f"Only the middle of the street or place: {found} (GEOMETRIC_CENTER). Fill in the house"
            " number."
        )
        return location_type, why
    return "", ""
