"""The upgrade of a database: the ledger by numbered migrations, Kimo's tables by comparison.

    synchronise(connection, target)

It is one transaction, one at a time, and not while an import or export is running. If it fails or
is killed, the old schema stays. No value is ever lost: a column or a table that has left the
catalogue stays in the database unused, and a column becomes narrower only if all its values fit.
What the tables are like is the business of ddl.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import psycopg
from psycopg import Connection, sql

from kimo_assets.catalog.menu import RUN_LOCK
from kimo_assets.database.names import KIMO, columns, table
from kimo_assets.errors import MigrationError
from kimo_assets.texts import say

HISTORY = "history"

# How long a statement waits for somebody else's lock on a table.
LOCK_TIMEOUT_S = 10

_NUMBERED = re.compile(r"(\d{4})_\w+\.sql")
_SIZED = re.compile(r"character varying\((\d+)\)")
_TEXT = re.compile(r"character varying(\(\d+\))?|text")


@dataclass(frozen=True)
class Column:
    """A column as the catalogue has it now.

    type: as SQL writes it. rest: what follows the type in the column's definition.
    """

    name: str
    type: str
    rest: str = ""


@dataclass(frozen=True)
class Table:
    """A table of schema kimo as the catalogue has it now.

    has_history: schema history may keep its rows as they were before a load.
    """

    name: str
    columns: Sequence[Column]
    key: Sequence[str]
    has_history: bool


@dataclass(frozen=True)
class Target:
    """The schema of this version.

    version: its digest. script: creates what is missing. indexes: statements that need all columns.
    """

    version: str
    script: str
    tables: Sequence[Table]
    indexes: str
    entities: frozenset[str]


@dataclass(frozen=True)
class Migration:
    """A change of the ledger. It runs once in each database that is older than itself."""

    number: int
    script: str


@dataclass
class Changes:
    """What has been done to a database.

    is_new: it was empty. added, altered: columns. left, gone: columns and tables that are no longer
    in the catalogue.
    """

    is_new: bool = False
    migrations: list[int] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def known_migrations() -> list[Migration]:
    """The migrations of the package, in their order."""
    folder = files("kimo_assets.database").joinpath("migrations")
    migrations = [
        Migration(int(match[1]), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _NUMBERED.fullmatch(file.name))
    ]
    return sorted(migrations, key=lambda migration: migration.number)


def synchronise(
    connection: Connection,
    target: Target,
    migrations: Sequence[Migration] | None = None,
    reached: Callable[[str], None] = lambda point: None,
) -> Changes | None:
    """Upgrades the database to the target. None: nothing was to do.

    reached: called with the name of each point between two statements, for tests that kill there.
    Raises: MigrationError. Then nothing has been changed.
    """
    if migrations is None:
        migrations = known_migrations()
    try:
        with connection.transaction():
            return _synchronise(connection, target, migrations, reached)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        # A failed transaction answers no question, so this waits for its rollback.
        sessions = _sessions_on_our_tables(connection)
        raise MigrationError(say("database.tables_in_use", sessions=sessions)) from None
    except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation) as error:
        message = say(
            "database.new_key_does_not_fit",
            table=error.diag.table_name,
            reason=error.diag.message_primary,
        )
        raise MigrationError(message) from None
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.DependentObjectsStillExist) as error:
        raise MigrationError(say("database.depended_on", reason=_with_detail(error))) from None


def _with_detail(error: psycopg.Error) -> str:
    """PostgreSQL's message, with the object that builds on a table where it names one."""
    if error.diag.message_detail:
        return f"{error.diag.message_primary} ({error.diag.message_detail})"
    return f"{error.diag.message_primary}"


def _synchronise(
    connection: Connection,
    target: Target,
    migrations: Sequence[Migration],
    reached: Callable[[str], None],
) -> Changes | None:
    """The upgrade inside its transaction."""
    # Two processes that start at once must not upgrade at once.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('kimo_assets schema'))")
    done = _done(connection)
    _refuse_newer(done, migrations)
    missing = [migration for migration in migrations if migration.number not in done]
    if _installed_version(connection) == target.version and not missing:
        return None
    return _migrate(connection, target, missing, reached)


def _migrate(
    connection: Connection,
    target: Target,
    migrations: Sequence[Migration],
    reached: Callable[[str], None],
) -> Changes:
    """Runs the missing migrations, creates what is missing, and alters what differs."""
    changes = Changes(is_new=not _is_there(connection, "ops.load"))
    if not changes.is_new:
        _refuse_during_a_run(connection)
    # ALTER TABLE waits for whoever reads the table, and all later readers queue up behind it.
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
    if not changes.is_new:
        # A new database gets today's ledger at once, and needs none of them.
        for migration in migrations:
            connection.execute(migration.script.encode())
            changes.migrations.append(migration.number)
            reached(f"migration {migration.number}")
    connection.execute(target.script.encode())
    reached("created")
    if not changes.is_new:
        _Tables(connection, target, changes, reached).synchronise()
    connection.execute(target.indexes.encode())
    _record(connection, target, migrations)
    reached("before commit")
    return changes


def _record(connection: Connection, target: Target, migrations: Sequence[Migration]) -> None:
    """Notes the migrations that this database needs no more, and its version."""
    numbers = [(migration.number,) for migration in migrations]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO ops.migration (number) VALUES (%s)", numbers)
    connection.execute("DELETE FROM ops.schema_version")
    connection.execute("INSERT INTO ops.schema_version VALUES (%s)", [target.version])


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


def _refuse_newer(done: set[int], migrations: Sequence[Migration]) -> None:
    """Raises: MigrationError when the database has a migration that this version does not have."""
    numbers = {migration.number for migration in migrations}
    unknown = done - numbers
    if unknown:
        newest = max(numbers, default=0)
        raise MigrationError(say("database.newer", number=max(unknown), newest=newest))


def _refuse_during_a_run(connection: Connection) -> None:
    """Raises: MigrationError while a run of the previous version works with the tables."""
    # The lock is kept until the upgrade is committed, so that no run starts meanwhile.
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtext(%s))", [RUN_LOCK]
    ).fetchone()
    if row != (True,):
        raise MigrationError(say("database.upgrade_during_a_run"))


def _sessions_on_our_tables(connection: Connection) -> str:
    """The sessions that hold locks on tables of ours, in words."""
    rows = connection.execute("""
        SELECT DISTINCT a.application_name, a.pid, a.usename,
            to_char(a.xact_start, 'YYYY-MM-DD HH24:MI')
        FROM pg_locks AS l
        JOIN pg_class AS c ON c.oid = l.relation
        JOIN pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.granted AND l.pid <> pg_backend_pid()
            AND c.relnamespace::regnamespace::text IN ('kimo', 'history', 'ops', 'integrator')
        """).fetchall()
    sessions = []
    for name, pid, user, since in rows:
        program = name or say("database.a_program")
        sessions.append(say("database.session", program=program, pid=pid, user=user, since=since))
    return ", ".join(sessions) or say("database.another_program")


# --- Kimo's tables ---


@dataclass(frozen=True)
class _ExistingColumn:
    """A column of the database.

    type: as PostgreSQL writes it. base: the type that a domain rests on, else the type itself,
    without its size.
    """

    type: str
    base: str
    is_required: bool


@dataclass(frozen=True)
class _Type:
    """A type of the catalogue, as PostgreSQL writes it.

    base: the type that a domain rests on. check: what the domain demands of a VALUE.
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
        self._existing = self._columns()
        self._types = self._written_as(
            {column.type for described in target.tables for column in described.columns}
        )
        # Sentences about columns whose values do not fit.
        self._misfits: list[str] = []
        self._altered_entities: set[str] = set()

    def synchronise(self) -> None:
        """Raises: MigrationError naming every column whose values do not fit."""
        for described in self._target.tables:
            self._alter(KIMO, described)
            if described.has_history and (HISTORY, described.name) in self._existing:
                self._alter(HISTORY, described)
        if self._misfits:
            misfits = "; ".join(self._misfits)
            raise MigrationError(say("database.values_do_not_fit", misfits=misfits))
        self._read_anew(self._altered_entities)
        self._clean_the_ledger()

    def _alter(self, schema: str, described: Table) -> None:
        """Brings one table up to date, or notes which of its values do not fit."""
        actions = self._column_actions(schema, described)
        if schema == KIMO:
            actions += self._left(described)
            actions += self._rekeyed(described)
        # After the first misfit the transaction is lost. The operator gets all misfits at once.
        if actions and not self._misfits:
            statement = sql.SQL("ALTER TABLE {} {}").format(
                table(schema, described.name), sql.SQL(", ").join(actions)
            )
            self._connection.execute(statement)
            self._reached(f"altered {schema}.{described.name}")

    def _column_actions(self, schema: str, described: Table) -> list[sql.Composable]:
        """The parts of ALTER TABLE that add and alter columns."""
        existing = self._existing[schema, described.name]
        actions: list[sql.Composable] = []
        for column in described.columns:
            name = f"{schema}.{described.name}.{column.name}"
            old = existing.get(column.name)
            if old is None:
                actions.append(sql.SQL("ADD COLUMN {}").format(_defined(column)))
                self._changes.added.append(name)
            elif self._differs(column, old) and self._fits(schema, described, column, old):
                actions.append(self._retyped(column, old))
                self._changes.altered.append(name)
                self._altered_entities.add(described.name)
        return actions

    def _differs(self, column: Column, old: _ExistingColumn) -> bool:
        return old.type != self._types[column.type].name

    def _left(self, described: Table) -> Iterator[sql.Composable]:
        """A column that has left the catalogue is not filled any more, so it may be empty."""
        names = {column.name for column in described.columns}
        for name, old in self._existing[KIMO, described.name].items():
            if name not in names and not name.startswith("_"):
                self._changes.left.append(f"{KIMO}.{described.name}.{name}")
                if old.is_required and name not in described.key:
                    yield sql.SQL("ALTER COLUMN {} DROP NOT NULL").format(sql.Identifier(name))

    def _rekeyed(self, described: Table) -> Iterator[sql.Composable]:
        """A table of the console may have another primary key than before."""
        row = self._connection.execute(
            """
            SELECT c.conname, array_agg(a.attname::text ORDER BY k.position)
            FROM pg_constraint AS c
            CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k (number, position)
            JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number
            WHERE c.conrelid = %s::regclass AND c.contype = 'p' GROUP BY c.conname
            """,
            [table(KIMO, described.name).as_string(self._connection)],
        ).fetchone()
        if row and row[1] == list(described.key):
            return
        if row:
            yield sql.SQL("DROP CONSTRAINT {}").format(sql.Identifier(row[0]))
        yield sql.SQL("ADD PRIMARY KEY ({})").format(columns(described.key))

    def _retyped(self, column: Column, old: _ExistingColumn) -> sql.Composed:
        """ALTER COLUMN to the new type, by way of text where the values may change their form."""
        name = sql.Identifier(column.name)
        new = sql.SQL(column.type + column.rest)
        if self._is_widening(column, old):
            return sql.SQL("ALTER COLUMN {} TYPE {}").format(name, new)
        text = _as_text(name, old.base)
        return sql.SQL("ALTER COLUMN {} TYPE {} USING {}::{}").format(
            name, new, text, sql.SQL(column.type)
        )

    def _is_widening(self, column: Column, old: _ExistingColumn) -> bool:
        """Whether every value fits: more characters, or decimals in place of whole numbers."""
        new = self._types[column.type]
        if _TEXT.fullmatch(old.type) and _TEXT.fullmatch(new.name):
            return _characters(new.name) >= _characters(old.type)
        return old.type == "integer" and new.name == "ops.dec"

    def _fits(self, schema: str, described: Table, column: Column, old: _ExistingColumn) -> bool:
        """Whether the column can be altered without the loss of a value.

        A misfit among today's rows is noted. In history it is set aside.
        """
        if self._is_widening(column, old):
            return True
        misfit = _misfit(column, self._types[column.type], old)
        count, last_load = self._count(schema, described, misfit)
        if count and schema == HISTORY:
            self._set_aside(described.name, column, misfit, last_load)
        elif count:
            query = sql.SQL("SELECT {}, {} FROM {} WHERE {}").format(
                columns(described.key),
                sql.Identifier(column.name),
                table(schema, described.name),
                misfit,
            )
            sentence = say(
                "database.misfit",
                column=f"{described.name}.{column.name}",
                new=column.type,
                old=old.type,
                count=count,
                query=query.as_string(self._connection),
            )
            self._misfits.append(sentence)
        return count == 0

    def _count(
        self, schema: str, described: Table, misfit: sql.Composable
    ) -> tuple[int, int | None]:
        """The rows with a misfit and, in history, the last load that replaced such a row."""
        last_load = sql.SQL("max(_load)" if schema == HISTORY else "NULL")
        row = self._connection.execute(
            sql.SQL("SELECT count(*), {} FROM {} WHERE {}").format(
                last_load, table(schema, described.name), misfit
            )
        ).fetchone()
        return row or (0, None)

    def _set_aside(
        self, entity: str, column: Column, misfit: sql.Composable, load: int | None
    ) -> None:
        """Moves the old values of rows in history into a column beside.

        No undo can go back to these rows.
        """
        old = self._existing[HISTORY, entity][column.name]
        self._connection.execute(
            sql.SQL("""
                ALTER TABLE {history} ADD COLUMN {aside} {old};
                UPDATE {history} SET
                    {aside} = {name},
                    {name} = CASE WHEN {misfit} THEN NULL ELSE {name} END;
                ALTER TABLE {history} {retyped}
                """).format(
                history=table(HISTORY, entity),
                aside=sql.Identifier(f"_left_{load}_{column.name}"),
                name=sql.Identifier(column.name),
                misfit=misfit,
                old=sql.SQL(old.type),
                retyped=self._retyped(column, old),
            )
        )
        reason = say("database.retyped", column=f"{entity}.{column.name}", type=column.type)
        self._connection.execute(
            """
            INSERT INTO ops.horizon (load, why) SELECT %(load)s, %(reason)s
            WHERE NOT EXISTS (SELECT FROM ops.horizon WHERE load >= %(load)s)
            """,
            {"load": load, "reason": reason},
        )

    def _columns(self) -> dict[tuple[str, str], dict[str, _ExistingColumn]]:
        """(schema, table) -> its columns, in their order."""
        rows = self._connection.execute("""
            SELECT c.relnamespace::regnamespace::text, c.relname, a.attname,
                format_type(a.atttypid, a.atttypmod),
                format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL),
                a.attnotnull
            FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid
            JOIN pg_type AS t ON t.oid = a.atttypid
            WHERE c.relkind = 'r'
                AND c.relnamespace IN ('kimo'::regnamespace, 'history'::regnamespace)
                AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY c.oid, a.attnum
            """)
        tables: dict[tuple[str, str], dict[str, _ExistingColumn]] = {}
        for schema, name, column, *described in rows:
            tables.setdefault((schema, name), {})[column] = _ExistingColumn(*described)
        return tables

    def _written_as(self, types: Iterable[str]) -> dict[str, _Type]:
        """Type of the catalogue -> the same as PostgreSQL writes it, so that both compare."""
        rows = self._connection.execute(
            """
            SELECT w.type, format_type(t.oid, coalesce(to_regtypemod(w.type), -1)),
                format_type(
                    coalesce(nullif(t.typbasetype, 0), t.oid),
                    coalesce(to_regtypemod(w.type), t.typtypmod)
                ),
                pg_get_expr(c.conbin, 0)
            FROM unnest(%s::text[]) AS w (type)
            JOIN pg_type AS t ON t.oid = to_regtype(w.type)
            LEFT JOIN pg_constraint AS c ON c.contypid = t.oid AND c.contype = 'c'
            """,
            [sorted(types)],
        )
        return {written: _Type(*described) for written, *described in rows}

    # --- what follows in the ledger ---

    def _read_anew(self, entities: Iterable[str]) -> None:
        """Makes the next step 1 read these entities again, though the ERP has not changed."""
        # Rows that were rejected may fit now. A plan that is not applied was made without them.
        names = list(entities)
        self._connection.execute(
            "UPDATE ops.staged SET definition = '' WHERE entity = ANY(%s)", [names]
        )
        if names:
            self._connection.execute("DELETE FROM ops.plan WHERE applied_load IS NULL")

    def _clean_the_ledger(self) -> None:
        """Tables that have left the catalogue keep their rows. No step and no undo sees them."""
        names = {described.name for described in self._target.tables}
        self._changes.gone = sorted(
            name for schema, name in self._existing if schema == KIMO and name not in names
        )
        entities = list(self._target.entities)
        # What the ledger says of these entities would be read by steps that find no entity to it.
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
            """
            WITH gone AS (DELETE FROM ops.bucket WHERE entity <> ALL(%s) RETURNING id)
            DELETE FROM ops.bucket_object WHERE bucket IN (SELECT id FROM gone)
            """,
            [entities],
        )


def _defined(column: Column) -> sql.Composed:
    definition = sql.SQL(column.type + column.rest)
    return sql.SQL("{} {}").format(sql.Identifier(column.name), definition)


def _characters(written: str) -> float:
    """How many characters a text type of PostgreSQL admits."""
    match = _SIZED.fullmatch(written)
    return int(match[1]) if match else float("inf")


def _as_text(name: sql.Composable, base: str) -> sql.Composed:
    """A value as text. A whole number has no decimals in it, so that it fits into an integer."""
    if base == "numeric":
        return sql.SQL("trim_scale({}::numeric)::text").format(name)
    return sql.SQL("{}::text").format(name)


def _misfit(column: Column, new: _Type, old: _ExistingColumn) -> sql.Composed:
    """The condition that a row's value would be another one in the new type, or none."""
    # It spells out the check of a new domain: where the upgrade is undone, the domain is not there
    # for the operator who runs the query.
    name = sql.Identifier(column.name)
    text = _as_text(name, old.base)
    value = sql.SQL("{}::{}").format(text, sql.SQL(new.base))
    check = new.check or "true"
    pieces = [
        value if piece == "VALUE" else sql.SQL(piece) for piece in re.split(r"\b(VALUE)\b", check)
    ]
    admitted = sql.SQL("").join(pieces)
    back = "text" if old.base == "character varying" else old.base
    # CASE, as only it promises an order: 1 is a boolean, but the boolean's text is no number.
    return sql.SQL(
        "{name} IS NOT NULL AND CASE"
        " WHEN NOT pg_input_is_valid({text}, {base}) THEN true"
        " WHEN NOT pg_input_is_valid({value}::text, {old_base}) THEN true"
        " ELSE {value}::text::{back} IS DISTINCT FROM {name} OR NOT ({admitted}) END"
    ).format(
        name=name,
        text=text,
        base=sql.Literal(new.base),
        value=value,
        old_base=sql.Literal(back),
        back=sql.SQL(back),
        admitted=admitted,
    )
