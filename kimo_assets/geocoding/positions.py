"""kimo."EntityGeoposition": where customers and ship-to sites are.

Positions that a person has set are never touched.
"""

from psycopg import Connection, sql

from kimo_assets.catalog import load_catalog
from kimo_assets.database.derived_entities import derived_entity_id, synchronise

ENTITY = "EntityGeoposition"

# Account.AccountTypeId: Customer and ShipmentSite, "all customers and shipment sites" of the
# vendor's menu.
ACCOUNT_TYPES = (1, 2)
GEOCODED = 1

ADDRESS_COLUMNS = (
    "AddressLine",
    "AddressPostCode",
    "AddressCity",
    "AddressCountrySubdivision",
    "AddressCountry",
)

# The address of an account `a` as one text: the key of ops.address. \x1f, which no address holds,
# stands between the parts.
WRITTEN = sql.SQL(" || E'\\x1f' || ").join(
    sql.SQL("coalesce(a.{}, '')").format(sql.Identifier(column)) for column in ADDRESS_COLUMNS
)

_OF_GOOGLE = sql.SQL('t."Origin" = {}').format(sql.Literal(GEOCODED))

# Accounts whose position a person has set.
SET_BY_PERSON = sql.SQL(
    """EXISTS (SELECT FROM kimo."EntityGeoposition" AS s WHERE s."EntityType" = 'Account'
        AND s."EntityId" = a."Id"
       AND s._archived_load IS NULL AND s."Origin" IS DISTINCT FROM {})"""
).format(sql.Literal(GEOCODED))

_POSITIONS = sql.SQL("""
    SELECT {made_id} AS "Id", 'Account'::text AS "EntityType", a."Id" AS "EntityId", {geocoded}
        AS "Origin",
        g.latitude::numeric AS "Latitude", g.longitude::numeric AS "Longitude", g.location_type
            AS "LocationType",
        g.partial_match AS "PartialMatch", g.place_id AS "PlaceId", g.formatted_address
            AS "FormattedAddress",
        g.status AS "Status", g.answered_at AT TIME ZONE 'UTC' AS "GeocodedAt"
    FROM kimo."Account" AS a JOIN ops.address AS d ON d.written = {written} JOIN ops.geocode AS g
        ON g.query = d.query
    WHERE a._archived_load IS NULL AND a."AccountTypeId" = ANY({types}) AND NOT {by_person}
    """).format(
    made_id=derived_entity_id(sql.Literal("Account"), sql.SQL('a."Id"')),
    geocoded=sql.Literal(GEOCODED),
    written=WRITTEN,
    types=sql.Literal(list(ACCOUNT_TYPES)),
    by_person=SET_BY_PERSON,
)


def refresh(connection: Connection, load: int) -> int:
    """Brings the table up to date with Google's answers and the accounts' addresses.

    Returns how many of its rows that touched. An account whose address has changed has no position
    until the new address is geocoded.
    """
    return synchronise(connection, load_catalog()[ENTITY], _POSITIONS, load, ours=_OF_GOOGLE)
