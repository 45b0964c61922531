"""The public folder: files named after their content, so that they can be cached for ever; never half-written."""

from dataclasses import dataclass
from pathlib import Path

from kimo_assets.images.picture import Rendition


@dataclass(frozen=True)
class PublicPicture:
    """What is public of a picture. Paths count from the public folder, with forward slashes."""

    path: str
    thumbnail_path: str
    width: int
    height: int
    bytes: int
    media_type: str


def publish(public: Path, rendition: Rendition) -> PublicPicture:
    """Writes both files, unless they are there. Raises: OSError."""
    raise NotImplementedError
