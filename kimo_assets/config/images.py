"""The section `images`: where pictures come from, and what is made of them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kimo_assets.config.section import Section
from kimo_assets.texts import say

IMAGE_ENTITIES = ("ItemImage", "ManufacturerImage", "TrademarkImage", "PromotionImage")
ImageEntity = Literal["ItemImage", "ManufacturerImage", "TrademarkImage", "PromotionImage"]


def _host(value: str) -> str:
    # It is compared with the host of a URL. With a path it would never fit, and nobody would see
    # why.
    if not value or any(character in value for character in "/@?#*\\") or len(value.split()) != 1:
        raise ValueError(say("config.not_a_host"))
    return value


Host = Annotated[
    str,
    AfterValidator(_host),
    Field(
        json_schema_extra={
            "pattern": r"^[^/@?#*\\\s]+$",
            "patternErrorMessage": "Expected a host, or host:port, without https:// and path",
        }
    ),
]


class DownloadConfig(Section):
    """Pictures that are downloaded from URLs."""

    at_once: int = Field(
        default=8,
        ge=1,
        le=64,
        description="How many requests are under way at the same time, over all hosts.",
    )
    # Makers' web sites are small, and shut out who asks too fast.
    per_host: int = Field(
        default=2,
        ge=1,
        le=16,
        description="How many requests are under way at the same time to one host.",
    )
    attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description=(
            "How often a picture is tried before it counts as failed. The pause between two "
            "attempts grows."
        ),
    )
    timeout_s: float = Field(
        default=60,
        gt=0,
        description=(
            "How many seconds one attempt may take, with all its redirects, even if bytes still "
            "arrive."
        ),
    )
    max_redirects: int = Field(
        default=5,
        ge=0,
        le=20,
        description="How many redirects of one picture are followed.",
    )
    max_age_hours: float = Field(
        default=0,
        ge=0,
        description=(
            "For how many hours a downloaded picture counts as up to date without asking its "
            "server. With 0 the server is asked each time."
        ),
    )
    allowed_hosts: tuple[Host, ...] = Field(
        default=(),
        description=(
            "Hosts, or host:port, that may be asked although their address is a private one. All "
            "other private addresses are refused, so that the ERP's data cannot reach into your "
            "network."
        ),
        examples=[["media.example.local", "10.0.0.5:8080"]],
    )


_Source = Annotated[
    str, Field(description="The folder, or the URL of fsspec, of this entity's pictures.")
]


class ImagesConfig(Section):
    """Pictures from files and from URLs."""

    source: str | None = Field(
        default=None,
        description=(
            "The folder, or the URL of fsspec, from which the field FilePath counts. By default "
            "the console's settings ItemsImages\\SourceDirectory and "
            "PromotionsImages\\SourceDirectory."
        ),
        examples=["./images", "s3://bucket/pictures"],
    )
    sources: dict[ImageEntity, _Source] = Field(
        default_factory=dict,
        description="Another folder, or URL of fsspec, for the pictures of single entities.",
        examples=[{"PromotionImage": "./promotions"}],
    )
    public: Path | None = Field(
        default=None,
        description=(
            "The folder of published pictures, which Kimo's server serves. By default the folder "
            "`public` under `data_dir`."
        ),
    )
    # The manual gives no defaults for MaxSize and ItemSize (fact sheet, section 6).
    max_size_px: int | None = Field(
        default=None,
        ge=16,
        le=8000,
        description=(
            "The longer side of a published picture, in pixels. Pictures are never enlarged. By "
            "default the console's ItemsImages\\MaxSize, else 1200."
        ),
    )
    thumbnail_px: int | None = Field(
        default=None,
        ge=16,
        le=2000,
        description=(
            "The side of the square thumbnail, in pixels. By default the console's "
            "Thumbnail\\ItemSize, else 200."
        ),
    )
    quality: int = Field(
        default=85,
        ge=30,
        le=95,
        description=(
            "The quality of published JPEGs. A higher number looks better and makes larger files."
        ),
    )
    # Tablets that have not synced since still name it.
    keep_unused_days: float = Field(
        default=7,
        ge=0,
        description="How many days a published picture stays that no row names any more.",
    )
    # A file of some kilobytes can decode to gigabytes.
    max_megapixels: float = Field(
        default=150,
        gt=0,
        le=1000,
        description=(
            "The largest picture that is read, in millions of pixels. A larger one is refused "
            "before it is decoded."
        ),
    )
    max_file_mb: float = Field(
        default=100,
        gt=0,
        le=2000,
        description="The largest file that is read, in megabytes. A larger one is refused unread.",
    )
    processes: int = Field(
        default=0,
        ge=0,
        le=64,
        description="How many processes work on pictures. 0 takes all cores of the machine.",
    )
    download: DownloadConfig = Field(
        default=DownloadConfig(),
        description="How pictures are downloaded from the URLs in the entity ItemUrl.",
    )
