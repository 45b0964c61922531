"""kimo."PublicImage": which row shows which public picture. Agents get it with the rows."""

from psycopg import Connection, sql

from kimo_assets.catalog import load_catalog
from kimo_assets.config.models import IMAGE_ENTITIES
from kimo_assets.database.derived_entities import derived_entity_id, synchronise
from kimo_assets.database.names import KIMO, table

ENTITY = "PublicImage"

# ItemUrl.UrlTypeId of a picture.
URL_OF_IMAGE = 1


def refresh(connection: Connection, load: int) -> int:
    """Brings the table up to date with the pictures and the rows that name them.

    Returns how many of its rows changed. A picture that cannot be read any more stays as it was.
    One that no row names any more goes.
    """
    of_files = [_pictures(entity, "FilePath", sql.SQL("true")) for entity in IMAGE_ENTITIES]
    is_image = sql.SQL('r."UrlTypeId" = {}').format(sql.Literal(URL_OF_IMAGE))
    of_urls = _pictures("ItemUrl", "Url", is_image)
    expected_rows = sql.SQL(" UNION ALL ").join([*of_files, of_urls])
    return synchronise(connection, load_catalog()[ENTITY], expected_rows, load)


def _pictures(entity: str, column: str, condition: sql.Composable) -> sql.Composed:
    """The rows of PublicImage for one entity. column: the one that names the picture."""
    name = sql.Literal(entity)
    return sql.SQL("""
        SELECT {made_id} AS "Id", {entity}::text AS "EntityType", r."Id" AS "EntityId", p.path
            AS "Path",
            p.thumbnail_path AS "ThumbnailPath", p.width AS "Width", p.height AS "Height", p.bytes
                AS "Bytes",
            p.media_type AS "MediaType"
        FROM {rows} AS r JOIN ops.picture_name AS n ON n.entity = {entity}
            AND n.written = r.{column}
        JOIN ops.picture AS p ON p.source = n.source
        WHERE r._archived_load IS NULL AND p.path IS NOT NULL AND {condition}
        """).format(
        made_id=derived_entity_id(name, sql.SQL('r."Id"')),
        entity=name,
        rows=table(KIMO, entity),
        column=sql.Identifier(column),
        condition=condition,
    )
