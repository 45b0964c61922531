"""A company with pictures: a folder, rows that name files in it, and the job that brings them to
the public folder.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from psycopg import sql

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import KIMO, table
from kimo_assets.database.server import Database
from kimo_assets.images.audit import Audit, audit
from kimo_assets.images.files import import_files
from kimo_assets.images.settings import ImageSettings, image_settings
from kimo_assets.progress import Progress
from kimo_assets.reports import TaskReport
from kimo_assets_tests.support.company import World, url_of


@dataclass
class Listener(Progress):
    """Remembers how far a job came."""

    total: int | None = None
    done: int = 0
    lines: list[str] = field(default_factory=list)

    def task_started(self, title: str, total: int | None) -> None:
        self.total = total

    def task_advanced(self, pieces: int) -> None:
        self.done += pieces

    def log(self, line: str) -> None:
        self.lines.append(line)


@dataclass
class Company:
    """Rows of the image entities, and the files that they name. max_size_px: 100,
    thumbnail_px: 20.
    """

    world: World

    @property
    def database(self) -> Database:
        return self.world.database

    @property
    def foto(self) -> Path:
        return self.world.folder / "foto"

    @property
    def public(self) -> Path:
        return self.world.folder / "data" / "public"

    @property
    def config(self) -> KimoConfig:
        return self.world.config

    @property
    def settings(self) -> ImageSettings:
        with self.database.connect() as connection:
            return image_settings(connection, self.config)

    def configure(self, **images: object) -> None:
        self.world.settings["images"] = {**self.world.settings["images"], **images}

    def file(self, path: str, data: bytes) -> Path:
        file = self.foto / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def rows(self, entity: str = "ItemImage", **files: str) -> None:
        """owner="FilePath", in one row each more."""
        owner = load_catalog()[entity].owner_field or ""
        statement = sql.SQL(
            'INSERT INTO {} ("Id", {}, "FilePath", _changed_load) VALUES (%s, %s, %s, 1)'
        ).format(table(KIMO, entity), sql.Identifier(owner))
        with self.database.connect() as connection:
            for code, path in files.items():
                connection.execute(statement, [f"{code}|{path}"[:50], code, path])

    def without(self, owner: str, entity: str = "ItemImage") -> None:
        """The rows go as step 2 lets them go."""
        column = load_catalog()[entity].owner_field
        self.world.execute(
            f'UPDATE kimo."{entity}" SET _archived_load = 2 WHERE "{column}" = \'{owner}\''
        )

    def run(self, listener: Listener | None = None) -> TaskReport:
        with self.database.connect() as connection:
            return import_files(
                connection, image_settings(connection, self.config), listener or Listener()
            )

    def audit(self, smaller_than: int | None = None) -> Audit:
        with self.database.connect() as connection:
            return audit(connection, image_settings(connection, self.config), smaller_than)

    def shown(self) -> dict[str, Path | None]:
        """owner -> the public file of an item's picture."""
        rows = self.world.rows(
            'SELECT r."ItemId", p.path FROM kimo."ItemImage" AS r LEFT JOIN ops.picture_name AS n'
            " ON n.entity = 'ItemImage' AND n.written = r.\"FilePath\" LEFT JOIN ops.picture AS p"
            " ON p.source = n.source WHERE r._archived_load IS NULL"
        )
        return {owner: self.public / path if path else None for owner, path in rows}

    def published(self) -> set[str]:
        return {
            file.relative_to(self.public).as_posix()
            for file in self.public.rglob("*")
            if file.is_file()
        }


@pytest.fixture
def company(world: World) -> Company:
    made = Company(world)
    made.foto.mkdir()
    world.erp(Zone=[{"Id": "N"}])
    world.settings = {
        "database": {"url": url_of(world.database)},
        "images": {"source": "foto", "max_size_px": 100, "thumbnail_px": 20, "processes": 1},
    }
    return made
