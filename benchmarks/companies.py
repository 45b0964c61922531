"""Demo companies to import: made once, copied for each run, and put into other databases as
sources.

A typed database holds only what its types admit: values that are no date or number, which the
demo's SQLite carries on purpose, are left out there; -1 for "no date" in a DATE column becomes
NULL.
"""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from kimo_assets.demo import generate_company
from kimo_assets.demo.erp_tables import TABLES, Table

_BATCH = 20_000
_SQLITE = "sqlite:///erp.sqlite"


def company(folder: Path, scale: str) -> Path:
    """The folder of the company of this scale, made if it is not there."""
    directory = folder / scale
    if not (directory / "erp.sqlite").exists():
        generate_company(directory, scale)
    return directory


def fresh_copy(pristine: Path, directory: Path, *, source_url: str | None = None) -> Path:
    """An installation that has never imported anything. Returns its kimo.yaml; source_url: instead
    of SQLite.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    shutil.copyfile(pristine / "erp.sqlite", directory / "erp.sqlite")
    text = (pristine / "kimo.yaml").read_text(encoding="utf-8")
    config = directory / "kimo.yaml"
    config.write_text(text.replace(_SQLITE, source_url) if source_url else text, encoding="utf-8")
    return config


def without_wrong_rows(erp: Path, tables: Sequence[str]) -> None:
    """Takes out the rows whose values are not of their column's type: general loaders end at the
    first of them.
    """
    with sqlite3.connect(erp) as connection:
        for table in tables:
            for column in TABLES[table].columns:
                if column.type.startswith(("NUMERIC", "INTEGER")):
                    connection.execute(
                        f'DELETE FROM "{table}" WHERE typeof("{column.name}") = \'text\''
                    )
                elif column.type in ("DATE", "DATETIME"):
                    connection.execute(
                        f'DELETE FROM "{table}" WHERE "{column.name}" NOT GLOB \'[12]*-*-*\''
                    )
    connection.close()


def put_into_postgresql(erp: Path, dsn: str) -> None:
    """The ERP's tables with their declared types, by COPY."""
    with sqlite3.connect(erp) as source, psycopg.connect(dsn) as connection:
        for table in TABLES.values():
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(table.name)))
            # Without quotes: PostgreSQL folds the names, as it does an ERP's.
            connection.execute(table.ddl.replace('"', "").replace("DATETIME", "TIMESTAMP").encode())
            statement = sql.SQL("COPY {} FROM STDIN (ON_ERROR ignore)").format(sql.SQL(table.name))
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in _rows(source, table):
                    copy.write_row(row)
            connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(table.name)))


def put_into_mysql(erp: Path, url: str) -> None:
    """The same into MySQL or MariaDB, by the driver's multi-row INSERT."""
    from sqlalchemy import create_engine

    engine = create_engine(url)
    with sqlite3.connect(erp) as source, engine.connect() as connection:
        cursor = connection.connection.cursor()
        for table in TABLES.values():
            cursor.execute(f"DROP TABLE IF EXISTS `{table.name}`")
            cursor.execute(table.ddl.replace('"', "`"))
            marks = ", ".join(["%s"] * len(table.columns))
            statement = f"INSERT IGNORE INTO `{table.name}` VALUES ({marks})"
            rows = _rows(source, table)
            while batch := [row for _, row in zip(range(_BATCH), rows, strict=False)]:
                cursor.executemany(statement, batch)
        connection.connection.commit()
    engine.dispose()


def _rows(source: sqlite3.Connection, table: Table) -> Iterator[Sequence[Any]]:
    source.text_factory = lambda raw: raw.decode("utf-8", "replace").replace("\0", "")
    dates = [
        place for place, column in enumerate(table.columns) if column.type in ("DATE", "DATETIME")
    ]
    for row in source.execute(f'SELECT * FROM "{table.name}"'):
        if any(row[place] in (-1, "-1") for place in dates):
            yield [
                None if place in dates and value in (-1, "-1") else value
                for place, value in enumerate(row)
            ]
        else:
            yield row


# --- the network changes
# --------------------------------------------------------------------------------------------------

_ASSIGNED = ("TrademarkPerUser", "WarehousePerSalesAgent", "VisibilityFilterPerSalesAgent")
# What is read again after one of the changes below.
NETWORK = ["SalesAgent", "SalesAgentPerAccount", *_ASSIGNED]
_FOLLOWED = "RUOLO = 'T' AND CESSATO = 0"


def move_account(erp: Path, agents: Sequence[str]) -> tuple[str, str, str]:
    """One row of the ERP: a customer with a typical number of orders is followed by another of
    these agents.

    Returns the customer, and from whom to whom: the first of the agents who has customers, and the
    next one of the others.
    """
    with sqlite3.connect(erp) as connection:
        for former in agents:
            customers = connection.execute(
                "SELECT r.CODCLI FROM AGENTI_CLIENTI AS r JOIN ANAGRAFICA_CLIENTI AS c ON c.CODCLI"
                " = r.CODCLI JOIN ORDINI_TESTATE AS o ON o.CODCLI = r.CODCLI WHERE r.CODAGE = ?"
                f" AND {_FOLLOWED} AND c.ATTIVO = 1 AND NOT EXISTS (SELECT 1 FROM AGENTI_CLIENTI AS"
                " s WHERE s.CODCLI = r.CODCLI AND s.RUOLO = 'S') GROUP BY 1 ORDER BY count(*), 1",
                [former],
            ).fetchall()
            if customers:
                break
        else:
            raise SystemExit(
                f"{erp}: none of the agents {', '.join(agents)} has a customer with orders"
            )
        (customer,) = customers[len(customers) // 2]
        latter = next(agent for agent in agents if agent != former)
        connection.execute(
            f"UPDATE AGENTI_CLIENTI SET CODAGE = ? WHERE CODAGE = ? AND CODCLI = ? AND {_FOLLOWED}",
            [latter, former, customer],
        )
    connection.close()
    return customer, former, latter


def add_agent(erp: Path, like: str) -> str:
    """A new agent without customers yet, with the trademarks, warehouses and filters of a
    colleague. Returns the code.
    """
    code = "NEW"
    with sqlite3.connect(erp) as connection:
        _copy_rows(connection, "AGENTI", "CODAGE", like, code)
        for table in _ASSIGNED:
            _copy_rows(connection, table, "SalesAgentId", like, code)
    connection.close()
    return code


def _copy_rows(
    connection: sqlite3.Connection, table: str, column: str, like: str, code: str
) -> None:
    names = [found.name for found in TABLES[table].columns]
    values = ", ".join("?1" if name == column else f'"{name}"' for name in names)
    connection.execute(
        f'INSERT INTO "{table}" SELECT {values} FROM "{table}" WHERE "{column}" = ?2', [code, like]
    )


def remove_agent(erp: Path) -> str:
    """An agent leaves, with all that names them in the network; the customers stay with whoever
    else follows them.
    """
    with sqlite3.connect(erp) as connection:
        (code,) = connection.execute(
            f"SELECT max(CODAGE) FROM AGENTI_CLIENTI WHERE {_FOLLOWED}"
        ).fetchone()
        for table, column in (
            ("AGENTI", "CODAGE"),
            ("AGENTI_CLIENTI", "CODAGE"),
            *((t, "SalesAgentId") for t in _ASSIGNED),
        ):
            connection.execute(f'DELETE FROM "{table}" WHERE "{column}" = ?', [code])
    connection.close()
    return str(code)


def write_addresses_as_several_hands(erp: Path) -> None:
    """Every third address in capitals, every third abbreviated and with its province in
    parentheses; the rest stays.
    """
    with sqlite3.connect(erp) as connection:
        connection.execute(
            "UPDATE ANAGRAFICA_CLIENTI SET INDIRIZZO = upper(INDIRIZZO), CITTA = upper(CITTA) WHERE"
            " rowid % 3 = 0"
        )
        for whole, short in (
            ("Viale ", "V.le "),
            ("Piazza ", "P.zza "),
            ("Corso ", "C.so "),
            ("Via ", "V. "),
        ):
            connection.execute(
                "UPDATE ANAGRAFICA_CLIENTI SET INDIRIZZO = replace(INDIRIZZO, ?, ?), PROV = '(' ||"
                " PROV || ')' WHERE rowid % 3 = 1 AND INDIRIZZO LIKE ? || '%'",
                [whole, short, whole],
            )
    connection.close()
