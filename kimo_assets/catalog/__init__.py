"""Kimo's 171 entities and the console's tables as data. No database, no file of the user's."""

from kimo_assets.catalog.console import ConsoleTable, is_secret, load_console
from kimo_assets.catalog.load import load_catalog
from kimo_assets.catalog.model import Catalog, Entity, Field, Reference

__all__ = [
    "Catalog",
    "ConsoleTable",
    "Entity",
    "Field",
    "Reference",
    "is_secret",
    "load_catalog",
    "load_console",
]
