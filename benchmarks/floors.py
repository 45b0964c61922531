"""The floors: what moving the same rows costs when nothing but moving is done.

Step 1's is COPY from one plain table into another, typed as the catalogue says, without constraint,
key or hash; step 3's is each row that some agent sees, whole, as CSV through zstd 3, once. psql
moves the bytes, so that no row costs anything in Python; tables of few rows go through one
connection, for a process each would be all that is measured.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from psycopg import Connection, sql

from benchmarks.meter import Meter
from benchmarks.published import Visible, visible_rows
from benchmarks.servers import postmaster_of, psql_of
from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.catalog.model import Field
from kimo_assets.database.names import ID, INTEGRATOR_SCHEMA, columns, table
from kimo_assets.database.server import Database

_FEW_ROWS = 10_000
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Server:
    """psql: the program; dsn: the Kimo database's address."""

    psql: str
    dsn: str

    def command(self, *statements: str, single: bool = False) -> list[str]:
        command = [self.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.dsn]
        command += ["-1"] if single else []
        for statement in statements:
            command += ["-c", statement]
        return command


def copy_staged(
    connection: Connection, server: Server, catalog: Catalog, staged: dict[str, int]
) -> int:
    """Copies each staged table's mapped columns into a plain one. staged: entity -> rows. Returns
    the rows.
    """
    connection.execute("DROP SCHEMA IF EXISTS floor CASCADE; CREATE SCHEMA floor")
    for name, rows in staged.items():
        fields = [
            catalog[name].fields[field]
            for field in _columns_of(connection, name)
            if field in catalog[name].fields
        ]
        names = columns([field.name for field in fields])
        plain = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(_plain_type(field)))
            for field in fields
        )
        target = sql.Identifier("floor", name)
        create = sql.SQL("CREATE TABLE {} ({})").format(target, plain).as_string(connection)
        copy_out = (
            sql.SQL("COPY {} ({}) TO STDOUT")
            .format(table(INTEGRATOR_SCHEMA, name), names)
            .as_string(connection)
        )
        copy_in = sql.SQL("COPY {} ({}) FROM STDIN").format(target, names).as_string(connection)
        if rows < _FEW_ROWS:
            _copy_few(connection, create, copy_out, copy_in)
        else:
            _copy_many(server, create, copy_out, copy_in)
    connection.execute("DROP SCHEMA floor CASCADE")
    return sum(staged.values())


def _copy_few(connection: Connection, create: str, copy_out: str, copy_in: str) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(create.encode())
        with cursor.copy(copy_out.encode()) as copy:
            data = b"".join(copy)
        with cursor.copy(copy_in.encode()) as copy:
            copy.write(data)


def _copy_many(server: Server, create: str, copy_out: str, copy_in: str) -> None:
    with (
        subprocess.Popen(server.command(copy_out), stdout=subprocess.PIPE) as reader,
        subprocess.Popen(
            server.command(create, copy_in, single=True), stdin=reader.stdout
        ) as writer,
    ):
        assert reader.stdout is not None
        reader.stdout.close()
        writer.wait()
    _check(reader, writer)


def write_once(
    connection: Connection, server: Server, catalog: Catalog, visible: dict[str, Visible]
) -> dict[str, int]:
    """Compresses each row that somebody sees, once. Returns rows and bytes."""
    rows_written = bytes_written = 0
    for name, seen in visible.items():
        values = sql.SQL(", ").join(
            sql.SQL(
                "x.{}::integer" if catalog[name].fields[field].type == "bool" else "x.{}"
            ).format(sql.Identifier(field))
            for field in seen.fields
        )
        copy_out = sql.SQL("COPY (SELECT {} {}) TO STDOUT (FORMAT csv)").format(values, seen.origin)
        blocks = _blocks(connection, server, copy_out.as_string(connection), seen.rows)
        with tempfile.TemporaryFile() as file:
            compressor = zstandard.ZstdCompressor(level=3).compressobj()
            for block in blocks:
                file.write(compressor.compress(block))
            file.write(compressor.flush())
            bytes_written += file.tell()
        rows_written += seen.rows
    return {"rows": rows_written, "bytes": bytes_written}


def measured_write_once(database: Database, postgres: Path, store: Path) -> dict[str, Any]:
    """The floor of step 3, of what a preparation into an empty store has left. postgres: the
    server's folder.
    """
    server = Server(psql_of(postgres), database.dsn)
    with database.connect() as connection, Meter([postmaster_of(postgres)]) as meter:
        visible = visible_rows(connection, store)
        connection.execute("CHECKPOINT")
        meter.lap()
        totals = write_once(connection, server, load_catalog(), visible)
        usage = meter.lap()
        connection.execute("DROP SCHEMA floor CASCADE")
    return usage.as_json() | totals


def _blocks(connection: Connection, server: Server, copy_out: str, rows: int) -> Iterator[bytes]:
    if rows < _FEW_ROWS:
        with connection.cursor() as cursor, cursor.copy(copy_out.encode()) as copy:
            yield b"".join(copy)
        return
    with subprocess.Popen(server.command(copy_out), stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        while block := reader.stdout.read(_BLOCK):
            yield block
    _check(reader)


def _check(*processes: "subprocess.Popen[bytes]") -> None:
    for process in processes:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)


def _columns_of(connection: Connection, entity: str) -> list[str]:
    """The mapped columns: what the source gave, without those that PostgreSQL generates."""
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name"
        " = %s AND is_generated = 'NEVER' ORDER BY ordinal_position",
        [INTEGRATOR_SCHEMA, entity],
    )
    return [name for (name,) in rows]


def _plain_type(field: Field) -> str:
    match field.type:
        case "text":
            return "text" if field.size is None else f"varchar({int(field.size)})"
        case "dec":
            return "numeric"
        case "bool":
            return "boolean"
        case "date":
            return "date"
        case "dt":
            return "timestamp"
        case "enum" if field.is_open_enum:
            return "varchar(50)"
        case _ if field.name == ID:
            return "varchar(50)"
        case _:
            return "integer"
