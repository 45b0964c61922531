"""Kimo's settings, the console's tables: read from a YAML file, checked, put in place, and written
to such a file again.

Who uses them is not this package's business: loading and sync read the tables.
"""

from kimo_assets.settings.document import Settings, read_settings
from kimo_assets.settings.load import LoadedSettings, TableChanges, load_settings
from kimo_assets.settings.tables import Rows, as_yaml, stored_tables

__all__ = [
    "LoadedSettings",
    "Rows",
    "Settings",
    "TableChanges",
    "as_yaml",
    "load_settings",
    "read_settings",
    "stored_tables",
]
