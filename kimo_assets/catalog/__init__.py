"""What exists: Kimo's 171 entities as data, and nothing that touches a database or a file of the user's."""

from kimo_assets.catalog.load import load_catalog
from kimo_assets.catalog.model import Catalog, Entity, Field, Reference

__all__ = ["Catalog", "Entity", "Field", "Reference", "load_catalog"]
