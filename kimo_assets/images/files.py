"""import_files: the files that rows of the image entities name, into the public folder."""

from psycopg import Connection

from kimo_assets.images.settings import ImageSettings
from kimo_assets.reports import TaskListener, TaskReport

TITLE = "Importazione file immagini articoli"


def import_files(connection: Connection, settings: ImageSettings, listener: TaskListener) -> TaskReport:
    raise NotImplementedError
