"""The settings of the pictures' jobs: kimo.yaml first, then the console's server settings.

The vendor's users know the latter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from kimo_assets.config import KimoConfig
from kimo_assets.config.models import IMAGE_ENTITIES, ImagesConfig
from kimo_assets.errors import ConfigError
from kimo_assets.images.picture import Recipe
from kimo_assets.texts import say

# Where neither kimo.yaml nor the console has a value.
# The vendor's manual names no defaults (fact sheet, section 6).
_MAX_SIZE_PX, _THUMBNAIL_PX = 1200, 200
_MEGA = 1_000_000

SOURCE_KEY = "ItemsImages\\SourceDirectory"
PROMOTIONS_SOURCE_KEY = "PromotionsImages\\SourceDirectory"
_MAX_SIZE, _THUMBNAIL = "ItemsImages\\MaxSize", "Thumbnail\\ItemSize"


@dataclass(frozen=True)
class ImageSettings:
    """sources: entity -> the folder or fsspec URL that its FilePath counts from, absolute.

    An entity for which no setting names a folder is not in it.
    """

    config: ImagesConfig
    sources: Mapping[str, str]
    public: Path
    recipe: Recipe


def image_settings(connection: Connection, config: KimoConfig) -> ImageSettings:
    """Raises: ConfigError when a server setting that is needed is no number."""
    rows = connection.execute('SELECT "Key", "Value" FROM kimo."ServerSetting"').fetchall()
    console = {key.casefold(): value for key, value in rows if value}
    images = config.images
    recipe = Recipe(
        max_size_px=images.max_size_px or _pixels(console, _MAX_SIZE) or _MAX_SIZE_PX,
        thumbnail_px=images.thumbnail_px or _pixels(console, _THUMBNAIL) or _THUMBNAIL_PX,
        quality=images.quality,
        max_pixels=round(images.max_megapixels * _MEGA),
        max_bytes=round(images.max_file_mb * _MEGA),
    )
    return ImageSettings(images, _sources(config, console), config.public_folder, recipe)


def _sources(config: KimoConfig, console: Mapping[str, str]) -> dict[str, str]:
    """The folder of each entity. More exact settings win: entity, then kimo.yaml, then console."""
    general = config.images.source or console.get(SOURCE_KEY.casefold())
    folders: dict[str, str | None] = dict.fromkeys(IMAGE_ENTITIES, general)
    promotions = console.get(PROMOTIONS_SOURCE_KEY.casefold())
    if promotions and not config.images.source:
        folders["PromotionImage"] = promotions
    folders.update(config.images.sources.items())
    config_folder = config.path.parent
    return {
        entity: _absolute(folder, config_folder) for entity, folder in folders.items() if folder
    }


def _absolute(folder: str, config_folder: Path) -> str:
    if "://" in folder:
        return folder
    return str(config_folder / folder)


def _pixels(console: Mapping[str, str], key: str) -> int | None:
    value = console.get(key.casefold())
    if value is None:
        return None
    if not value.isdecimal() or not int(value):
        raise ConfigError(say("images.setting.not_pixels", key=key, value=value))
    return int(value)
