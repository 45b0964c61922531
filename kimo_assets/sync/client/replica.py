"""The client's SQLite file: a table per entity, and what it has of each bucket. One transaction a
sync.

Rows are kept by key and bucket, so that no bucket's change touches a row that another bucket has
put meanwhile. Table `X` is the entity X, `_private_X` its private columns as they came,
`settings_X` a table of the settings.
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

_AFFINITY = {"int": "INTEGER", "enum": "INTEGER", "bool": "INTEGER", "dec": "NUMERIC"}
_BATCH = 5_000
_CACHE_KB = 64_000
_BUSY_S = 5

_OWN_TABLES = """
CREATE TABLE _kimo_file (version INTEGER, store TEXT, agent TEXT, user TEXT, load INTEGER);
CREATE TABLE _kimo_table (name TEXT PRIMARY KEY, signature TEXT);
CREATE TABLE _kimo_bucket (name TEXT, bucket INTEGER, state TEXT, PRIMARY KEY
    (name, bucket)) WITHOUT ROWID
"""

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
        return orjson.dumps([self.key, self.columns, self.filled]).decode()


@contextmanager
def opened(target: Path, *, store: str, agent: str, user: str | None) -> Iterator["Replica"]:
    """The file for one sync: locked against other writers, committed when the block ends, else as
    it was.

    Raises: StoreError when it is another's, not ours, in use, or there is no room for it.
    """
    was_there = target.exists()
    try:
        with closing(sqlite3.connect(target, timeout=_BUSY_S, isolation_level=None)) as file:
            file.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            file.execute("BEGIN IMMEDIATE")
            _claim(file, target, store, agent, user)
            yield Replica(file)
            file.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(_in_words(target, error)) from error
    finally:
        if not was_there and target.exists() and not target.stat().st_size:
            target.unlink()


def _claim(
    file: sqlite3.Connection, target: Path, store: str, agent: str, user: str | None
) -> None:
    tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    if not tables:
        for statement in _OWN_TABLES.split(";"):
            file.execute(statement)
        file.execute(
            "INSERT INTO _kimo_file VALUES (?, ?, ?, ?, NULL)", [FORMAT_VERSION, store, agent, user]
        )
        return
    if "_kimo_file" not in tables:
        old = "_kimo_sync" in tables
        whose = (
            "was made by an earlier version of this client"
            if old
            else "is not a SQLite file of this client"
        )
        raise StoreError(f"{target} {whose}. Give --to a new file's name.")
    version, its_store, its_agent, its_user = file.execute(
        "SELECT version, store, agent, user FROM _kimo_file"
    ).fetchone()
    if version != FORMAT_VERSION:
        raise StoreError(
            f"{target} was made by another version of this client. Give --to a new file's name."
        )
    if (its_agent, its_user) != (agent, user):
        raise StoreError(
            f"{target} holds the data of {_who(its_agent, its_user)}. Give {_who(agent, user)} a"
            " file of its own."
        )
    if its_store != store:
        raise StoreError(
            f"{target} was synced from another company's store (id {its_store}, this one's is"
            f" {store}). Look at the store's address, or give --to a new file's name."
        )


def _who(agent: str, user: str | None) -> str:
    return f"agent '{agent}'" if user is None else f"user '{user}' of agent '{agent}'"


def _in_words(target: Path, error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_NOTADB:
            return f"{target} is not a SQLite file of this client. Give --to a new file's name."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return (
                f"{target} is in use by another program. Close that, then sync again; the file is"
                " as it was."
            )
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return (
                f"{target} cannot be written ({error}): is the disk full? The file is as it was;"
                " sync again."
            )
        case sqlite3.SQLITE_CORRUPT:
            return f"{target} is damaged ({error}). Delete it and sync again."
        case _:
            return f"{target}: SQLite refused: {error}. The file is as it was."


class Replica:
    """The file within its transaction."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._signatures: dict[str, str] = dict(
            file.execute("SELECT name, signature FROM _kimo_table")
        )
        file.execute("CREATE TEMP TABLE _changed (key PRIMARY KEY NOT NULL) WITHOUT ROWID")
        self.rows_put = 0
        self.rows_removed = 0

    # --- buckets
    # ----------------------------------------------------------------------------------------------

    def states(self, table: BucketTable) -> dict[int, str] | None:
        """bucket -> its state here; None when the table is not there, or has other columns."""
        if self._signatures.get(table.name) != table.signature:
            return None
        return dict(
            self._file.execute(
                "SELECT bucket, state FROM _kimo_bucket WHERE name = ?", [table.name]
            )
        )

    def make(self, table: BucketTable) -> None:
        columns = [
            *_definitions(table.columns),
            "_bucket INTEGER",
            f"PRIMARY KEY ({_quoted(table.key)}, _bucket)",
        ]
        self._make(table.name, table.signature, f"({', '.join(columns)}) WITHOUT ROWID")

    def remove_buckets(self, table: BucketTable, buckets: Sequence[int]) -> None:
        """One pass over the table for all of them."""
        if buckets:
            ids = orjson.dumps(buckets).decode()
            of_these = "IN (SELECT value FROM json_each(?))"
            self._remove(f"DELETE FROM {_quoted(table.name)} WHERE _bucket {of_these}", [(ids,)])
            self._file.execute(
                f"DELETE FROM _kimo_bucket WHERE name = ? AND bucket {of_these}", [table.name, ids]
            )

    def put(self, table: BucketTable, bucket: int, rows: Rows) -> int:
        """A base's rows into a bucket without rows of these keys. Returns how many."""
        header = _header(rows, table.filled, [table.key])
        with _keys_are_right():
            return self._insert("INSERT", table, bucket, header, rows)

    def change(self, table: BucketTable, bucket: int, rows: Rows) -> int:
        """Returns: the change's rows, removals among them."""
        removed, *header = _header(rows, ["_removed", *table.filled], ["_removed", table.key])
        if removed != "_removed":
            raise StoreError("its first column is not _removed")
        place, count = header.index(table.key) + 1, 0
        delete = (
            f"DELETE FROM {_quoted(table.name)} WHERE {_quoted(table.key)} = ? AND _bucket ="
            f" {bucket}"
        )
        self._file.execute("DELETE FROM temp._changed")
        while batch := list(islice(rows, _BATCH)):
            _require_flags(batch, len(header) + 1)
            with _keys_are_right():
                self._file.executemany(
                    "INSERT INTO temp._changed VALUES (?)", ((row[place],) for row in batch)
                )
            self._remove(delete, [(row[place],) for row in batch if row[0] == "1"])
            self._insert(
                "INSERT OR REPLACE",
                table,
                bucket,
                header,
                (row[1:] for row in batch if row[0] == "0"),
            )
            count += len(batch)
        return count

    def note_state(self, table: BucketTable, bucket: int, state: str) -> None:
        self._file.execute(
            "INSERT OR REPLACE INTO _kimo_bucket VALUES (?, ?, ?)", [table.name, bucket, state]
        )

    def require_rows(self, table: BucketTable, rows: int) -> None:
        """Raises: StoreError unless the table has so many rows, each of another key."""
        name, key = _quoted(table.name), _quoted(table.key)
        ((found,),) = self._file.execute(f"SELECT count(*) FROM {name}")
        ((keys,),) = self._file.execute(f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {name})")
        if not found == keys == rows:
            raise StoreError(
                f"{table.name}: the sync came to {found} rows of {keys} keys, the manifest says"
                f" {rows}. Sync into a new file; if that fails too, prepare the payloads again:"
                " step 3."
            )

    def complete(self, table: BucketTable, private: BucketTable) -> None:
        """Fills in the columns that only the private table has."""
        columns = _list(column for column in private.columns if column != private.key)
        if columns:
            name, other, key = _quoted(table.name), _quoted(private.name), _quoted(table.key)
            self._file.execute(
                f"UPDATE {name} SET ({columns}) = (SELECT {columns} FROM {other} AS p WHERE p.{key}"
                f" = {name}.{key})"
            )

    # --- settings
    # ----------------------------------------------------------------------------------------------

    def has_settings(self, name: str, table: SettingsTable) -> bool:
        return self._signatures.get(name) == table.model_dump_json()

    def make_settings(self, name: str, table: SettingsTable) -> None:
        columns = [*_definitions(table.columns), f"PRIMARY KEY ({_list(table.key)})"]
        self._make(name, table.model_dump_json(), f"({', '.join(columns)})")

    def put_settings(self, name: str, table: SettingsTable, rows: Rows) -> int:
        header = _header(rows, list(table.columns), table.key)
        with _keys_are_right():
            return self._execute_all(
                f"INSERT INTO {_quoted(name)} ({_list(header)}) VALUES ({_marks(header)})", rows
            )

    # --- the file
    # ----------------------------------------------------------------------------------------------

    def drop_all_but(self, names: Iterable[str]) -> list[str]:
        """Returns: the tables that are gone."""
        gone = sorted(self._signatures.keys() - set(names))
        for name in gone:
            self._drop(name)
        return gone

    def note_load(self, load: int) -> None:
        self._file.execute("UPDATE _kimo_file SET load = ? WHERE load IS NOT ?", [load, load])

    def _make(self, name: str, signature: str, columns: str) -> None:
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
        rows: Iterable[Sequence[str | None]],
    ) -> int:
        columns, marks = _list(header), _marks(header)
        return self._execute_all(
            f"{verb} INTO {_quoted(table.name)} ({columns}, _bucket) VALUES ({marks}, {bucket})",
            rows,
        )

    def _execute_all(self, statement: str, rows: Iterable[Sequence[str | None]]) -> int:
        try:
            count = max(self._file.executemany(statement, rows).rowcount, 0)
        except sqlite3.ProgrammingError as error:
            raise StoreError(
                f"it is not CSV with as many fields as its header has ({error})"
            ) from None
        self.rows_put += count
        return count

    def _remove(self, statement: str, values: Sequence[Sequence[str | None]]) -> None:
        self.rows_removed += max(self._file.executemany(statement, values).rowcount, 0)


@contextmanager
def _keys_are_right() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        missing = error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_NOTNULL
        raise StoreError(
            "it has a row without a key" if missing else "it has a key twice"
        ) from None


def _header(rows: Rows, allowed: Sequence[str], needed: Sequence[str]) -> list[str]:
    header = [name or "" for name in next(rows, [])]
    unknown = [name for name in header if name not in allowed]
    lacking = [name for name in needed if name not in header]
    if unknown or lacking or len(set(header)) != len(header):
        raise StoreError(
            f"its header {','.join(header)[:200]!r} does not fit; expected"
            f" {','.join(allowed)[:200]}"
        )
    return header


def _require_flags(batch: Iterable[Sequence[str | None]], width: int) -> None:
    for row in batch:
        if len(row) != width or row[0] not in ("0", "1"):
            raise StoreError(f"it has a row that is neither put nor removed: {row!r:.80}")


def _definitions(columns: Columns) -> list[str]:
    return [f"{_quoted(column)} {_AFFINITY.get(kind, 'TEXT')}" for column, kind in columns.items()]


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
