"""geocode_addresses: the addresses that are new, changed or too old are asked, and the answers kept as they come."""

from psycopg import Connection

from kimo_assets.config.models import GeocodingConfig
from kimo_assets.reports import TaskListener, TaskReport

TITLE = "Geocodifica Account"


def geocode_addresses(
    connection: Connection, config: GeocodingConfig, key: str | None, listener: TaskListener
) -> TaskReport:
    raise NotImplementedError
