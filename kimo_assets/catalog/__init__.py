"""What exists: Kimo's 171 entities and the console's tables as data, and nothing that touches a database or a user's file."""

from kimo_assets.catalog.console import ConsoleTable, load_console
from kimo_assets.catalog.load import load_catalog
from kimo_assets.catalog.model import Catalog, Entity, Field, Reference

__all__ = ["Catalog", "ConsoleTable", "Entity", "Field", "Reference", "load_catalog", "load_console"]
