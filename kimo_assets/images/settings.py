"""What the pictures' jobs go by: kimo.yaml first, then the console's server settings, which the
vendor's users know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from kimo_assets.config import KimoConfig
from kimo_assets.config.models import IMAGE_ENTITIES, ImagesConfig
from kimo_assets.errors import ConfigError
from kimo_assets.images.picture import Recipe

_MAX_SIZE_PX, _THUMBNAIL_PX = 1200, 200
_MEGA = 1_000_000

_SOURCE, _PROMOTIONS_SOURCE = "ItemsImages\\SourceDirectory", "PromotionsImages\\SourceDirectory"
_MAX_SIZE, _THUMBNAIL = "ItemsImages\\MaxSize", "Thumbnail\\ItemSize"


@dataclass(frozen=True)
class ImageSettings:
    """sources: entity -> the folder or fsspec URL that its FilePath counts from, absolute; none
    where nothing says it.
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
    folder = config.path.parent
    general = config.images.source or console.get(_SOURCE.casefold())
    sources = dict.fromkeys(IMAGE_ENTITIES, general)
    if not config.images.source and (promotions := console.get(_PROMOTIONS_SOURCE.casefold())):
        sources["PromotionImage"] = promotions
    named = {
        entity: place for entity, place in (sources | dict(config.images.sources)).items() if place
    }
    return {
        entity: place if "://" in place else str(folder / place) for entity, place in named.items()
    }


def _pixels(console: Mapping[str, str], key: str) -> int | None:
    value = console.get(key.casefold())
    if value is None:
        return None
    if not value.isdecimal() or not int(value):
        raise ConfigError(
            f"the server setting {key} is '{value}'; expected a number of pixels. Mend it in the"
            " settings file (`kimo settings load`), or say `images:` in kimo.yaml"
        )
    return int(value)
