"""download_items_images: the pictures at the URLs of ItemUrl, into the public folder."""

from psycopg import Connection

from kimo_assets.images.settings import ImageSettings
from kimo_assets.reports import TaskListener, TaskReport

TITLE = "Download immagini da url"


def download_images(connection: Connection, settings: ImageSettings, listener: TaskListener) -> TaskReport:
    raise NotImplementedError
