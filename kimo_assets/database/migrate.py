"""A database of an earlier version becomes one of this: the ledger by numbered migrations, Kimo's
tables by comparison.

    synchronise(connection, target)

One transaction, one at a time, and not while an import or export is running: whatever fails or is
killed in it leaves the old schema. No value is ever lost: a column or a table that has left the
catalogue stays where it is and is looked at by nobody; a column becomes narrower only if all of its
values fit.

What the tables are like is ddl's business.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import psycopg
from psycopg import Connection, sql

from kimo_assets.catalog.menu import RUN_LOCK
from kimo_assets.database.names import KIMO, columns, table
from kimo_assets.errors import MigrationError

HISTORY = "history"

# How long a statement waits for somebody else's lock on a table.
LOCK_TIMEOUT_S = 10

_NUMBERED = re.compile(r"(\d{4})_\w+\.sql")
_SIZED = re.compile(r"character varying\((\d+)\)")
_TEXT = re.compile(r"character varying(\(\d+\))?|text")


@dataclass(frozen=True)
class Column:
    """A column as the catalogue has it now. type: as SQL writes it; rest: what follows the type
    where it is defined.
    """

    name: str
    type: str
    rest: str = ""


@dataclass(frozen=True)
class Table:
    """A table of schema kimo. has_history: rows as they were before loads may be kept, in schema
    history.
    """

    name: str
    columns: Sequence[Column]
    key: Sequence[str]
    has_history: bool


@dataclass(frozen=True)
class Target:
    """The schema of this version. version: its digest. script: creates what is missing; indexes:
    what needs all columns.
    """

    version: str
    script: str
    tables: Sequence[Table]
    indexes: str
    entities: frozenset[str]


@dataclass(frozen=True)
class Migration:
    """A step of the ledger's from one version to the next. It runs once in each database that is
    older than itself.
    """

    number: int
    script: str


@dataclass
class Changes:
    """What has been done to a database. is_new: it was empty."""

    is_new: bool = False
    migrations: list[int] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def known_migrations() -> list[Migration]:
    """Those of the package, in order."""
    folder = files("kimo_assets.database").joinpath("migrations")
    found = {
        match[1]: file for file in folder.iterdir() if (match := _NUMBERED.fullmatch(file.name))
    }
    return [
        Migration(int(number), file.read_text(encoding="utf-8"))
        for number, file in sorted(found.items())
    ]


def synchronise(
    connection: Connection,
    target: Target,
    migrations: Sequence[Migration] | None = None,
    reached: Callable[[str], None] = lambda point: None,
) -> Changes | None:
    """None when there was nothing to do.

    reached: told of every point between two statements that matter, by name; for tests that kill
    there.
    Raises: MigrationError; nothing has been changed then.
    """
    known = known_migrations() if migrations is None else migrations
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('kimo_assets schema'))")
            done = _done(connection)
            _refuse_newer(done, known)
            wanted = [migration for migration in known if migration.number not in done]
            if _installed_version(connection) == target.version and not wanted:
                return None
            return _migrate(connection, target, wanted, reached)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        raise MigrationError(
            f"{_NOT_NOW}: {_who_holds(connection)}. Wait until it has ended, then start again"
        ) from None
    except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation) as error:
        raise MigrationError(
            f"{_NOT_NOW}: {error.diag.table_name} is to be told apart by other columns than before,"
            f" and its rows cannot be: {error.diag.message_primary}. Correct these rows, then start"
            " again"
        ) from None
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.DependentObjectsStillExist) as error:
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        raise MigrationError(
            f"{_NOT_NOW}: something of your own builds on one of its tables:"
            f" {error.diag.message_primary}{detail}. Drop the view or rule, start again, and make"
            " it anew"
        ) from None


_NOT_NOW = "Kimo's database cannot be brought up to date, and was left as it is"


def _migrate(
    connection: Connection,
    target: Target,
    migrations: Sequence[Migration],
    reached: Callable[[str], None],
) -> Changes:
    changes = Changes(is_new=not _is_there(connection, "ops.load"))
    if not changes.is_new:
        _refuse_during_a_run(connection)
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
    if not changes.is_new:
        # The ledger of a new database is of today.
        for migration in migrations:
            connection.execute(migration.script.encode())
            changes.migrations.append(migration.number)
            reached(f"migration {migration.number}")
    connection.execute(target.script.encode())
    reached("created")
    if not changes.is_new:
        _Tables(connection, target, changes, reached).synchronise()
    connection.execute(target.indexes.encode())
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.migration (number) VALUES (%s)", [(m.number,) for m in migrations]
        )
    connection.execute("DELETE FROM ops.schema_version")
    connection.execute("INSERT INTO ops.schema_version VALUES (%s)", [target.version])
    reached("before commit")
    return changes


def _installed_version(connection: Connection) -> str | None:
    if not _is_there(connection, "ops.schema_version"):
        return None
    row = connection.execute("SELECT version FROM ops.schema_version").fetchone()
    return row[0] if row else None


def _done(connection: Connection) -> set[int]:
    if not _is_there(connection, "ops.migration"):
        return set()
    return {number for (number,) in connection.execute("SELECT number FROM ops.migration")}


def _is_there(connection: Connection, name: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()
    return row is not None and bool(row[0])


def _refuse_newer(done: set[int], known: Sequence[Migration]) -> None:
    if unknown := done - {migration.number for migration in known}:
        raise MigrationError(
            f"Kimo's database was made by a newer kimo_assets: it has migration {max(unknown)},"
            f" this program knows {max((m.number for m in known), default=0)}. Update this program;"
            " nothing was changed"
        )


def _refuse_during_a_run(connection: Connection) -> None:
    """A run of the version before works with the tables as they are; its lock is given back with
    the transaction.
    """
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtext(%s))", [RUN_LOCK]
    ).fetchone()
    if row != (True,):
        raise MigrationError(
            f"{_NOT_NOW}: an import or export is running. Wait until it has ended, then start again"
        )


def _who_holds(connection: Connection) -> str:
    """The sessions that have tables of ours, in words."""
    rows = connection.execute("""
        SELECT DISTINCT coalesce(nullif(a.application_name, ''), 'a program') || ' (process '
            || a.pid || ', user '
               || a.usename || ', since ' || to_char(a.xact_start, 'YYYY-MM-DD HH24:MI') || ')'
        FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation JOIN pg_stat_activity AS a
            ON a.pid = l.pid
        WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.granted
          AND l.pid <> pg_backend_pid() AND c.relnamespace::regnamespace::text IN
              ('kimo', 'history', 'ops', 'integrator')
        """).fetchall()
    return f"{'; '.join(who for (who,) in rows) or 'another program'} holds a table of it"


# --- Kimo's tables
# ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """A column that is there: its type as PostgreSQL writes it, and the domain's base where it is
    one.
    """

    type: str
    base: str
    is_required: bool


@dataclass(frozen=True)
class _Type:
    """A type of the catalogue's, as PostgreSQL writes it. base: what a domain rests on; check: what
    it asks of a VALUE.
    """

    name: str
    base: str
    check: str | None


class _Tables:
    """The tables of schemas kimo and history, compared with the catalogue and altered."""

    def __init__(
        self,
        connection: Connection,
        target: Target,
        changes: Changes,
        reached: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._target = target
        self._changes = changes
        self._reached = reached
        self._found = self._columns()
        self._types = self._written_as(
            {column.type for wanted in target.tables for column in wanted.columns}
        )
        self._misfits: list[str] = []
        self._touched: set[str] = set()

    def synchronise(self) -> None:
        """Raises: MigrationError naming every column whose values do not fit."""
        for wanted in self._target.tables:
            self._alter(KIMO, wanted)
            if wanted.has_history and (HISTORY, wanted.name) in self._found:
                self._alter(HISTORY, wanted)
        if self._misfits:
            raise MigrationError(
                f"{_NOT_NOW}: {'; '.join(self._misfits)}. Correct these values, then start again"
            )
        self._forget_what_was_read(self._touched)
        self._let_go_of_the_gone()

    def _alter(self, schema: str, wanted: Table) -> None:
        found = self._found[schema, wanted.name]
        actions: list[sql.Composable] = []
        for column in wanted.columns:
            name = f"{schema}.{wanted.name}.{column.name}"
            if column.name not in found:
                actions.append(sql.SQL("ADD COLUMN {}").format(_defined(column)))
                self._changes.added.append(name)
            elif found[column.name].type != self._types[column.type].name and self._fits(
                schema, wanted, column
            ):
                actions.append(self._retyped(column, found[column.name]))
                self._changes.altered.append(name)
                self._touched.add(wanted.name)
        if schema == KIMO:
            actions += self._left(wanted, found)
            actions += self._rekeyed(wanted)
        if actions and not self._misfits:
            statement = sql.SQL("ALTER TABLE {} {}").format(
                table(schema, wanted.name), sql.SQL(", ").join(actions)
            )
            self._connection.execute(statement)
            self._reached(f"altered {schema}.{wanted.name}")

    def _left(self, wanted: Table, found: Mapping[str, _Found]) -> Iterator[sql.Composable]:
        """Columns that nobody fills any more must not be asked for."""
        ours = {column.name for column in wanted.columns}
        for name, described in found.items():
            if name not in ours and not name.startswith("_"):
                self._changes.left.append(f"{KIMO}.{wanted.name}.{name}")
                if described.is_required and name not in wanted.key:
                    yield sql.SQL("ALTER COLUMN {} DROP NOT NULL").format(sql.Identifier(name))

    def _rekeyed(self, wanted: Table) -> Iterator[sql.Composable]:
        """A console's table may be told apart by other columns than before."""
        row = self._connection.execute(
            """
            SELECT c.conname, array_agg(a.attname::text ORDER BY k.position)
            FROM pg_constraint AS c CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k
                (number, position)
            JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number
            WHERE c.conrelid = %s::regclass AND c.contype = 'p' GROUP BY c.conname
            """,
            [table(KIMO, wanted.name).as_string(self._connection)],
        ).fetchone()
        if row is None or row[1] != [*wanted.key]:
            if row:
                yield sql.SQL("DROP CONSTRAINT {}").format(sql.Identifier(row[0]))
            yield sql.SQL("ADD PRIMARY KEY ({})").format(columns(wanted.key))

    def _retyped(self, column: Column, found: _Found) -> sql.Composed:
        name = sql.Identifier(column.name)
        new = sql.SQL(column.type + column.rest)  # type: ignore[arg-type]
        if self._is_widening(column, found):
            return sql.SQL("ALTER COLUMN {} TYPE {}").format(name, new)
        return sql.SQL("ALTER COLUMN {} TYPE {} USING {}::{}").format(
            name,
            new,
            _as_text(name, found.base),
            sql.SQL(column.type),  # type: ignore[arg-type]
        )

    def _is_widening(self, column: Column, found: _Found) -> bool:
        """Whether every value fits, whatever it is: more characters, or numbers with decimals in
        place of whole ones.
        """
        new = self._types[column.type]
        if _TEXT.fullmatch(found.type) and _TEXT.fullmatch(new.name):
            return _characters(new.name) >= _characters(found.type)
        return found.type == "integer" and new.name == "ops.dec"

    def _fits(self, schema: str, wanted: Table, column: Column) -> bool:
        """Whether the column can be altered without the loss of a value; otherwise it is noted why
        not.
        """
        found = self._found[schema, wanted.name][column.name]
        if self._is_widening(column, found):
            return True
        misfit = _misfit(column, self._types[column.type], found)
        count, last = self._count(schema, wanted, misfit)
        if count and schema == HISTORY:
            self._set_aside(wanted.name, column, misfit, last)
        elif count:
            query = sql.SQL("SELECT {}, {} FROM {} WHERE {}").format(
                columns(wanted.key), sql.Identifier(column.name), table(schema, wanted.name), misfit
            )
            self._misfits.append(
                f"{wanted.name}.{column.name} becomes {column.type} (it is {found.type}), and"
                f" {count:,} of its values would not fit; they are found by:"
                f" {query.as_string(self._connection)}"
            )
        return not count

    def _count(self, schema: str, wanted: Table, misfit: sql.Composable) -> tuple[int, int | None]:
        """Rows with a value that does not fit and, in history, the last load before which one of
        them was there.
        """
        row = self._connection.execute(
            sql.SQL("SELECT count(*), {} FROM {} WHERE {}").format(
                sql.SQL("max(_load)" if schema == HISTORY else "NULL"),
                table(schema, wanted.name),
                misfit,
            )
        ).fetchone()
        return row or (0, None)

    def _set_aside(
        self, entity: str, column: Column, misfit: sql.Composable, load: int | None
    ) -> None:
        """What rows were before: the values stay beside, and no undo goes back to them."""
        name, history = sql.Identifier(column.name), table(HISTORY, entity)
        aside = sql.Identifier(f"_left_{load}_{column.name}")
        self._connection.execute(
            sql.SQL(
                "ALTER TABLE {history} ADD COLUMN {aside} {old}; UPDATE {history} SET {aside} ="
                " {name}, {name} = CASE WHEN {misfit} THEN NULL ELSE {name} END; ALTER TABLE"
                " {history} {retyped}"
            ).format(
                history=history,
                aside=aside,
                name=name,
                misfit=misfit,
                old=sql.SQL(self._found[HISTORY, entity][column.name].type),  # type: ignore[arg-type]
                retyped=self._retyped(column, self._found[HISTORY, entity][column.name]),
            )
        )
        why = (
            f"With an upgrade {entity}.{column.name} has become {column.type}, which does not admit"
            " what it was then."
        )
        self._connection.execute(
            "INSERT INTO ops.horizon (load, why) SELECT %(load)s, %(why)s "
            "WHERE NOT EXISTS (SELECT FROM ops.horizon WHERE load >= %(load)s)",
            {"load": load, "why": why},
        )

    def _columns(self) -> dict[tuple[str, str], dict[str, _Found]]:
        """(schema, table) -> its columns, in their order."""
        rows = self._connection.execute("""
            SELECT c.relnamespace::regnamespace::text, c.relname, a.attname,
                format_type(a.atttypid, a.atttypmod),
                   format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL), a.attnotnull
            FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid JOIN pg_type AS t
                ON t.oid = a.atttypid
            WHERE c.relkind = 'r' AND c.relnamespace IN
                ('kimo'::regnamespace, 'history'::regnamespace)
              AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY c.oid, a.attnum
            """)
        found: dict[tuple[str, str], dict[str, _Found]] = {}
        for schema, name, column, *described in rows:
            found.setdefault((schema, name), {})[column] = _Found(*described)
        return found

    def _written_as(self, types: Iterable[str]) -> dict[str, _Type]:
        rows = self._connection.execute(
            """
            SELECT w.type, format_type(t.oid, coalesce(to_regtypemod(w.type), -1)),
                   format_type(coalesce(nullif(t.typbasetype, 0), t.oid),
                       coalesce(to_regtypemod(w.type), t.typtypmod)),
                   pg_get_expr(c.conbin, 0)
            FROM unnest(%s::text[]) AS w (type) JOIN pg_type AS t ON t.oid = to_regtype(w.type)
            LEFT JOIN pg_constraint AS c ON c.contypid = t.oid AND c.contype = 'c'
            """,
            [sorted(types)],
        )
        return {written: _Type(*described) for written, *described in rows}

    # --- what follows elsewhere
    # ---------------------------------------------------------------------------------------

    def _forget_what_was_read(self, entities: Iterable[str]) -> None:
        """The next step 1 reads them anew, though the ERP has not changed: rows may be good now
        that were refused.
        """
        names = list(entities)
        self._connection.execute(
            "UPDATE ops.staged SET definition = '' WHERE entity = ANY(%s)", [names]
        )
        if names:
            self._connection.execute("DELETE FROM ops.plan WHERE applied_load IS NULL")

    def _let_go_of_the_gone(self) -> None:
        """Tables that have left the catalogue keep their rows; no step knows of them any more, nor
        does an undo.
        """
        known = {wanted.name for wanted in self._target.tables}
        self._changes.gone = sorted(
            name for schema, name in self._found if schema == KIMO and name not in known
        )
        entities = list(self._target.entities)
        for ledger in (
            "loaded",
            "staged",
            "planned",
            "payload",
            "covered",
            "placement",
            "reference_check",
            "change",
        ):
            self._connection.execute(
                sql.SQL("DELETE FROM {} WHERE entity <> ALL(%s)").format(table("ops", ledger)),
                [entities],
            )
        self._connection.execute(
            "WITH gone AS (DELETE FROM ops.bucket WHERE entity <> ALL(%s) RETURNING id) "
            "DELETE FROM ops.bucket_object WHERE bucket IN (SELECT id FROM gone)",
            [entities],
        )


def _defined(column: Column) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type + column.rest))  # type: ignore[arg-type]


def _characters(written: str) -> float:
    match = _SIZED.fullmatch(written)
    return int(match[1]) if match else float("inf")


def _as_text(name: sql.Composable, base: str) -> sql.Composed:
    """A value as text; a number that is whole without decimals."""
    return sql.SQL("trim_scale({}::numeric)::text" if base == "numeric" else "{}::text").format(
        name
    )


def _misfit(column: Column, new: _Type, found: _Found) -> sql.Composed:
    """Whether a row's value would not be the same in the new type. A query of its own: a new domain
    may never be made.
    """
    name = sql.Identifier(column.name)
    text = _as_text(name, found.base)
    value = sql.SQL("{}::{}").format(text, sql.SQL(new.base))  # type: ignore[arg-type]
    admitted = sql.SQL("").join(
        value if part == "VALUE" else sql.SQL(part)  # type: ignore[arg-type]
        for part in re.split(r"\b(VALUE)\b", new.check or "true")
    )
    return sql.SQL(
        "{name} IS NOT NULL AND CASE WHEN pg_input_is_valid({text}, {base}) "
        "THEN {value}::text::{old} IS DISTINCT FROM {name} OR NOT ({admitted}) ELSE true END"
    ).format(
        name=name,
        text=text,
        base=sql.Literal(new.base),
        value=value,
        old=sql.SQL(found.base if found.base != "character varying" else "text"),  # type: ignore[arg-type]
        admitted=admitted,
    )
