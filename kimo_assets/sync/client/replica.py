"""The client's SQLite file: a table per entity, and the state it has of each bucket.

A sync is one transaction. Rows are kept by key and bucket, so a change of one bucket never touches
a row that another bucket has put since. Table `X` is the entity X, `_private_X` its private columns
as they came, `settings_X` a table of the settings.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from kimo_assets.errors import StoreError
from kimo_assets.sync.store.documents import Columns, SettingsTable
from kimo_assets.sync.store.store import FORMAT_VERSION
from kimo_assets.texts import say

# SQLite column types. Everything else is TEXT, written as docs/sync-format.md has it.
_AFFINITY = {"int": "INTEGER", "enum": "INTEGER", "bool": "INTEGER", "dec": "NUMERIC"}
_BATCH_ROWS = 5_000
# Pages that SQLite keeps in memory. Further ones are written before the commit already.
_CACHE_KB = 64_000
# How long a sync waits for another program to release the file.
_BUSY_S = 5
# The longest piece of a wrong header, and of a wrong row, that a message shows.
_HEADER_CHARS = 200
_ROW_CHARS = 80

_OWN_TABLES = """
CREATE TABLE _kimo_file (version INTEGER, store TEXT, agent TEXT, user TEXT, load INTEGER);
CREATE TABLE _kimo_table (name TEXT PRIMARY KEY, signature TEXT);
CREATE TABLE _kimo_bucket (
    name TEXT, bucket INTEGER, state TEXT, PRIMARY KEY (name, bucket)
) WITHOUT ROWID
"""

Row = Sequence[str | None]
Rows = Iterator[list[str | None]]


@dataclass(frozen=True)
class BucketTable:
    """A table of the file that buckets fill. filled: the columns that their objects may have."""

    name: str
    key: str
    columns: Columns
    filled: Sequence[str]

    @property
    def signature(self) -> str:
        """A table of another signature cannot be changed, only replaced."""
        return orjson.dumps([self.key, self.columns, self.filled]).decode()


@contextmanager
def open_replica(target: Path, *, store: str, agent: str, user: str | None) -> Iterator["Replica"]:
    """The file for one sync: locked against other writers, and committed when the block ends.

    After an exception the file is unchanged. Raises: StoreError when the file belongs to another
    agent or store, is no file of this client, is in use, or the disk is full.
    """
    existed = target.exists()
    try:
        with closing(sqlite3.connect(target, timeout=_BUSY_S, isolation_level=None)) as file:
            file.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            # Locks other writers out now, not at the first write after all downloads.
            file.execute("BEGIN IMMEDIATE")
            _claim(file, target, store, agent, user)
            yield Replica(file)
            file.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(_explanation(target, error)) from error
    finally:
        # SQLite makes an empty file even for a sync that fails.
        if not existed and target.exists() and not target.stat().st_size:
            target.unlink()


def _claim(
    file: sqlite3.Connection, target: Path, store: str, agent: str, user: str | None
) -> None:
    """Marks a new file with its owner, or checks the owner of an old one."""
    tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    if tables:
        _require_owner(file, tables, target, store, agent, user)
        return
    # executescript would commit the transaction.
    for statement in _OWN_TABLES.split(";"):
        file.execute(statement)
    owner = [FORMAT_VERSION, store, agent, user]
    file.execute("INSERT INTO _kimo_file VALUES (?, ?, ?, ?, NULL)", owner)


def _require_owner(
    file: sqlite3.Connection,
    tables: set[str],
    target: Path,
    store: str,
    agent: str,
    user: str | None,
) -> None:
    """Raises: StoreError unless the file is this agent's (or user's), from this store."""
    # Version 1 of the format was never released, but its files may lie about.
    if "_kimo_sync" in tables and "_kimo_file" not in tables:
        raise StoreError(say("sync.file_of_earlier_version", file=target))
    if "_kimo_file" not in tables:
        raise StoreError(say("sync.file_foreign", file=target))
    version, file_store, file_agent, file_user = file.execute(
        "SELECT version, store, agent, user FROM _kimo_file"
    ).fetchone()
    if version != FORMAT_VERSION:
        raise StoreError(say("sync.file_of_other_version", file=target))
    if (file_agent, file_user) != (agent, user):
        owner, asked = _owner_name(file_agent, file_user), _owner_name(agent, user)
        raise StoreError(say("sync.file_of_other_owner", file=target, owner=owner, asked=asked))
    if file_store != store:
        raise StoreError(
            say("sync.file_of_other_store", file=target, other=file_store, store=store)
        )


def _owner_name(agent: str, user: str | None) -> str:
    if user is None:
        return say("sync.agent", agent=agent)
    return say("sync.user_of_agent", agent=agent, user=user)


def _explanation(target: Path, error: sqlite3.Error) -> str:
    """The error in an operator's words, with what to do next."""
    # The low byte of an extended result code is the primary one.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_NOTADB:
            return say("sync.file_foreign", file=target)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return say("sync.file_in_use", file=target)
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return say("sync.file_not_writable", file=target, error=error)
        case sqlite3.SQLITE_CORRUPT:
            return say("sync.file_damaged", file=target, error=error)
        case _:
            return say("sync.file_error", file=target, error=error)


class Replica:
    """The file within its transaction. rows_put, rows_removed: what this sync wrote."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._signatures: dict[str, str] = dict(
            file.execute("SELECT name, signature FROM _kimo_table")
        )
        # The keys of the change that is being applied.
        file.execute("CREATE TEMP TABLE _changed (key PRIMARY KEY NOT NULL) WITHOUT ROWID")
        self.rows_put = 0
        self.rows_removed = 0

    # --- buckets

    def states(self, table: BucketTable) -> dict[int, str] | None:
        """bucket -> its state in the file. None: there is no such table with these columns."""
        if self._signatures.get(table.name) != table.signature:
            return None
        query = "SELECT bucket, state FROM _kimo_bucket WHERE name = ?"
        return dict(self._file.execute(query, [table.name]))

    def create_table(self, table: BucketTable) -> None:
        """An entity's table, empty."""
        columns = [
            *_definitions(table.columns),
            "_bucket INTEGER",
            f"PRIMARY KEY ({_quoted(table.key)}, _bucket)",
        ]
        # Without a rowid the rows are stored in the order of the key, instead of in a table and an
        # index.
        self._create(table.name, table.signature, f"({', '.join(columns)}) WITHOUT ROWID")

    def remove_buckets(self, table: BucketTable, buckets: Sequence[int]) -> None:
        """Removes all rows of the buckets in one pass over the table: it has no index on them."""
        if not buckets:
            return
        # As one parameter, because SQLite limits their number.
        ids = orjson.dumps(buckets).decode()
        in_ids = "IN (SELECT value FROM json_each(?))"
        self._delete(f"DELETE FROM {_quoted(table.name)} WHERE _bucket {in_ids}", [(ids,)])
        self._file.execute(
            f"DELETE FROM _kimo_bucket WHERE name = ? AND bucket {in_ids}", [table.name, ids]
        )

    def put(self, table: BucketTable, bucket: int, rows: Rows) -> int:
        """Writes a base's rows into a bucket that has none of these keys. Returns: how many."""
        header = _read_header(rows, table.filled, [table.key])
        with _key_errors_explained():
            # Not OR REPLACE: a key that is twice in a base is an error (docs/sync-format.md, "A
            # sync").
            return self._insert("INSERT", table, bucket, header, rows)

    def change(self, table: BucketTable, bucket: int, rows: Rows) -> int:
        """Applies a change to a bucket. Returns: the change's rows, removals included."""
        removed, *header = _read_header(rows, ["_removed", *table.filled], ["_removed", table.key])
        if removed != "_removed":
            raise StoreError(say("sync.object_first_column"))
        key_position = header.index(table.key) + 1
        name, key = _quoted(table.name), _quoted(table.key)
        delete = f"DELETE FROM {name} WHERE {key} = ? AND _bucket = {bucket}"
        count = 0
        # A key twice in a change is an error even where its rows come in different batches.
        self._file.execute("DELETE FROM temp._changed")
        while batch := list(islice(rows, _BATCH_ROWS)):
            _require_flags(batch, len(header) + 1)
            keys = ((row[key_position],) for row in batch)
            with _key_errors_explained():
                self._file.executemany("INSERT INTO temp._changed VALUES (?)", keys)
            self._delete(delete, [(row[key_position],) for row in batch if row[0] == "1"])
            # The first column is the flag.
            put = (row[1:] for row in batch if row[0] == "0")
            self._insert("INSERT OR REPLACE", table, bucket, header, put)
            count += len(batch)
        return count

    def record_state(self, table: BucketTable, bucket: int, state: str) -> None:
        """Notes which state of a bucket the table holds."""
        self._file.execute(
            "INSERT OR REPLACE INTO _kimo_bucket VALUES (?, ?, ?)", [table.name, bucket, state]
        )

    def require_rows(self, table: BucketTable, expected: int) -> None:
        """Raises: StoreError unless the table has so many rows, each of another key."""
        name, key = _quoted(table.name), _quoted(table.key)
        ((rows,),) = self._file.execute(f"SELECT count(*) FROM {name}")
        ((keys,),) = self._file.execute(f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {name})")
        # A key in two buckets would be shown twice by an app, so that the format forbids it.
        if not rows == keys == expected:
            raise StoreError(
                say("sync.row_total", table=table.name, rows=rows, keys=keys, listed=expected)
            )

    def fill_private_columns(self, table: BucketTable, private: BucketTable) -> None:
        """Copies the columns that only the private table has into the entity's table."""
        columns = _name_list(column for column in private.columns if column != private.key)
        if not columns:
            return
        name, other, key = _quoted(table.name), _quoted(private.name), _quoted(table.key)
        self._file.execute(
            f"UPDATE {name} SET ({columns}) ="
            f" (SELECT {columns} FROM {other} AS p WHERE p.{key} = {name}.{key})"
        )

    # --- settings

    def has_settings(self, name: str, table: SettingsTable) -> bool:
        """Whether the file has exactly this table of settings."""
        return self._signatures.get(name) == table.model_dump_json()

    def create_settings(self, name: str, table: SettingsTable) -> None:
        """A table of settings, empty."""
        columns = [*_definitions(table.columns), f"PRIMARY KEY ({_name_list(table.key)})"]
        self._create(name, table.model_dump_json(), f"({', '.join(columns)})")

    def put_settings(self, name: str, table: SettingsTable, rows: Rows) -> int:
        """Fills a table of settings."""
        header = _read_header(rows, list(table.columns), table.key)
        insert = f"INSERT INTO {_quoted(name)} ({_name_list(header)}) VALUES ({_marks(header)})"
        with _key_errors_explained():
            return self._execute_all(insert, rows)

    # --- the file

    def drop_all_but(self, names: Iterable[str]) -> list[str]:
        """Returns: the tables that were dropped."""
        dropped = sorted(self._signatures.keys() - set(names))
        for name in dropped:
            self._drop(name)
        return dropped

    def record_load(self, load: int) -> None:
        """Notes the load that the file is up to date with."""
        # A sync that brings nothing leaves the file's bytes alone.
        self._file.execute("UPDATE _kimo_file SET load = ? WHERE load IS NOT ?", [load, load])

    def _create(self, name: str, signature: str, columns: str) -> None:
        self._drop(name)
        self._file.execute(f"CREATE TABLE {_quoted(name)} {columns}")
        self._file.execute("INSERT INTO _kimo_table VALUES (?, ?)", [name, signature])

    def _drop(self, name: str) -> None:
        self._file.execute(f"DROP TABLE IF EXISTS {_quoted(name)}")
        self._file.execute("DELETE FROM _kimo_table WHERE name = ?", [name])
        self._file.execute("DELETE FROM _kimo_bucket WHERE name = ?", [name])

    def _insert(
        self,
        verb: str,
        table: BucketTable,
        bucket: int,
        header: Sequence[str],
        rows: Iterable[Row],
    ) -> int:
        columns, marks = _name_list(header), _marks(header)
        into = f"{verb} INTO {_quoted(table.name)} ({columns}, _bucket)"
        return self._execute_all(f"{into} VALUES ({marks}, {bucket})", rows)

    def _execute_all(self, statement: str, rows: Iterable[Row]) -> int:
        try:
            count = max(self._file.executemany(statement, rows).rowcount, 0)
        except sqlite3.ProgrammingError as error:
            raise StoreError(say("sync.object_field_count", error=error)) from None
        self.rows_put += count
        return count

    def _delete(self, statement: str, values: Sequence[Row]) -> None:
        self.rows_removed += max(self._file.executemany(statement, values).rowcount, 0)


@contextmanager
def _key_errors_explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_NOTNULL:
            raise StoreError(say("sync.object_no_key")) from None
        raise StoreError(say("sync.object_key_twice")) from None


def _read_header(rows: Rows, allowed: Sequence[str], required: Sequence[str]) -> list[str]:
    """Takes the header off the rows. Raises: StoreError for unknown, missing or double columns."""
    # An object that is cut to nothing has not even a header.
    header = [name or "" for name in next(rows, [])]
    has_unknown = any(name not in allowed for name in header)
    is_incomplete = any(name not in header for name in required)
    has_doubles = len(set(header)) != len(header)
    if has_unknown or is_incomplete or has_doubles:
        raise StoreError(
            say(
                "sync.object_header",
                header=",".join(header)[:_HEADER_CHARS],
                columns=",".join(allowed)[:_HEADER_CHARS],
            )
        )
    return header


def _require_flags(batch: Iterable[Row], width: int) -> None:
    for row in batch:
        if len(row) != width or row[0] not in ("0", "1"):
            raise StoreError(say("sync.object_removed_flag", row=repr(row)[:_ROW_CHARS]))


def _definitions(columns: Columns) -> list[str]:
    return [f"{_quoted(column)} {_AFFINITY.get(kind, 'TEXT')}" for column, kind in columns.items()]


def _name_list(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
