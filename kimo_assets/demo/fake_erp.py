"""A stand-in for the demo's ERP: it takes over what Kimo has exported into the KIMO_* tables, and
answers.

New customers get a code, orders become orders of the ERP's, visits and payments are entered. What
cannot be entered yet, since its customer was refused or is not known, stays where Kimo has put it:
the next pick-up looks at it again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kimo_assets.demo.codes import luhn_check_digit
from kimo_assets.demo.erp_tables import EXPORT_SEMAPHORE, TABLES
from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

# The states of the export's semaphore (fact sheet, section 4).
_IDLE, _KIMO_WRITES, _ERP_READS = 0, 3, 4


@dataclass(frozen=True)
class PickedUp:
    """What the ERP took over. waiting: orders and visits whose customer it does not know, left for
    the next time.

    repeated: orders that it had already, or twice: entered once. broken: heads without lines and
    lines without a head, left where they are. Both are 0 as long as the export keeps its word.
    """

    orders: int
    lines: int
    new_customers: int
    edited_customers: int
    refused_customers: int
    visits: int
    payments: int
    refused_payments: int
    waiting: int
    repeated: int
    broken: int


def pick_up(
    erp_path: Path, *, now: datetime | None = None, refuse_every: int | None = None
) -> PickedUp:
    """Takes over all there is, in one transaction, while ExportToErpSemaphore says that the ERP is
    reading.

    A customer whose VAT number has a wrong check digit is refused, and every so many new ones if
    refuse_every is given.
    Raises: ConfigError when there is no such ERP, or when Kimo is writing to it.
    """
    if not erp_path.exists():
        raise ConfigError(say("demo.no_erp", file=erp_path, folder=erp_path.parent))
    moment = (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S")
    with (
        closing(sqlite3.connect(erp_path, isolation_level=None, timeout=30)) as connection,
        _reading(connection, erp_path),
    ):
        # In SQL, so that one statement checks a whole table.
        connection.create_function("is_vat_number", 1, _is_vat_number, deterministic=True)
        # Keeps other writers out from the first look on, not from the first write.
        connection.execute("BEGIN IMMEDIATE")
        try:
            picked_up = _PickUp(connection, moment, refuse_every or 0).run()
        # Also by a key press: half a pick-up would lose orders.
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    return picked_up


@contextmanager
def _reading(connection: sqlite3.Connection, erp_path: Path) -> Iterator[None]:
    """Holds the semaphore, as an ERP should that does not want to read half an export."""
    table = EXPORT_SEMAPHORE.name
    try:
        # Look and take in one statement, so that Kimo cannot come in between.
        take = f"UPDATE {table} SET Status = ? WHERE coalesce(Status, 0) = ?"
        taken = connection.execute(take, [_ERP_READS, _IDLE]).rowcount
        status = connection.execute(f"SELECT Status FROM {table}").fetchone()
    except sqlite3.OperationalError as error:
        raise ConfigError(say("demo.other_version", file=erp_path, error=error)) from None
    if not taken:
        is_kimo = status == (_KIMO_WRITES,)
        message = say(
            "demo.semaphore_taken",
            table=table,
            file=erp_path,
            status=status[0] if status else say("demo.missing"),
            reason=say("demo.kimo_writes" if is_kimo else "demo.somebody_works"),
        )
        raise ConfigError(message)
    try:
        yield
    finally:
        # Only a state of its own is given back: somebody may have set another one by hand.
        connection.execute(f"UPDATE {table} SET Status = ? WHERE Status = ?", [_IDLE, _ERP_READS])


def _is_vat_number(text: str | None) -> bool:
    """Whether it may stand as a partita IVA: none at all, or 11 digits with a right last one."""
    if not text:
        return True
    return (
        len(text) == 11
        and text.isascii()
        and text.isdigit()
        and luhn_check_digit(text[:10]) == int(text[10])
    )


class _PickUp:
    """One pick-up, in the transaction of its caller: whole tables at a time."""

    def __init__(self, connection: sqlite3.Connection, now: str, refuse_every: int) -> None:
        self._connection = connection
        self._values: dict[str, str | int] = {
            "now": now,
            "today": now[:10],
            "year": now[2:4],
            "every": refuse_every,
        }

    def run(self) -> PickedUp:
        # Before all else, because the pick-up itself takes heads and lines away.
        broken = self._count(f"SELECT {_BROKEN}")
        # First, since orders and visits may be of customers that are new.
        customers = self._customers()
        orders = self._orders()
        visits = self._visits()
        payments = self._payments()
        waiting = self._count(
            "SELECT COUNT(*) FROM arrived_order WHERE customer IS NULL AND is_whole"
        )
        waiting += self._count("SELECT COUNT(*) FROM arrived_visit WHERE customer IS NULL")
        return PickedUp(**customers, **orders, **visits, **payments, waiting=waiting, broken=broken)

    def _customers(self) -> dict[str, int]:
        """New and edited customers. One with a wrong VAT number is refused with a reason."""
        self._make("arrived_customer", _ARRIVED_CUSTOMER)
        self._make("customer", _CUSTOMER)
        pairs = _pairs("KIMO_CLIENTI", "ANAGRAFICA_CLIENTI")
        source = "FROM customer AS c JOIN KIMO_CLIENTI AS k ON k.rowid = c.place"
        newcomers = f"{source} WHERE c.known IS NULL AND NOT c.refused"
        new = self._insert(
            "ANAGRAFICA_CLIENTI", {"CODCLI": "c.code", "ATTIVO": "1", **pairs}, newcomers
        )
        self._insert(
            "AGENTI_CLIENTI",
            {
                "CODAGE": "k.CODAGE",
                "CODCLI": "c.code",
                "RUOLO": "'T'",
                "DAL": ":today",
                "CESSATO": "0",
            },
            f"{newcomers} AND k.CODAGE <> ''",
        )
        assigned = ", ".join(f"{column} = {value}" for column, value in pairs.items())
        edited = self._execute(
            f"UPDATE ANAGRAFICA_CLIENTI SET {assigned} {source} "
            "WHERE ANAGRAFICA_CLIENTI.CODCLI = c.code AND c.known IS NOT NULL AND NOT c.refused"
        )
        # Refused ones too. The manual does not say how a refusal is told, so it is an answer
        # without an EntityId (fact sheet, section 9).
        self._answer("Account", "SELECT sync, code, user FROM customer")
        # The ERP may delete what it has read, or mark it, as it prefers (fact sheet, section 2).
        self._execute("DELETE FROM KIMO_CLIENTI")
        refused = self._count("SELECT COUNT(*) FROM customer WHERE refused")
        return {"new_customers": new, "edited_customers": edited, "refused_customers": refused}

    def _orders(self) -> dict[str, int]:
        """Orders with their lines. A repeated one is counted, and not taken twice."""
        self._make("arrived_order", _ARRIVED_ORDER)
        self._make("taken_order", _TAKEN_ORDER)
        orders = self._insert(
            "ORDINI_TESTATE",
            {
                "IDORD": "t.code",
                "NUMERO": "t.number",
                "CODCLI": "t.customer",
                "STATO_EVASIONE": "1",
                "DATA_EVASIONE": "'-1'",
                "RAGSOC": "(SELECT RAGSOC FROM ANAGRAFICA_CLIENTI WHERE CODCLI = t.customer)",
                # By it an order that comes a second time is known.
                "RIF_KIMO": "k.SYNCREF",
                "TIPODOC": "k.TIPODOC",
                "CODAGE": "k.CODAGE",
                **_pairs("KIMO_ORDINI", "ORDINI_TESTATE", but=("AccountId", "Number")),
            },
            "FROM taken_order AS t JOIN KIMO_ORDINI AS k ON k.rowid = t.place",
        )
        # From 90,000,000 on they are rows that are wrong on purpose (invalid_rows.py).
        last = "(SELECT coalesce(MAX(IDRIGA), 0) FROM ORDINI_RIGHE WHERE IDRIGA < 90000000)"
        lines = self._insert(
            "ORDINI_RIGHE",
            {
                "IDRIGA": f"{last} + ROW_NUMBER() OVER (ORDER BY t.number, k.RIGA)",
                "IDORD": "t.code",
                "QTA_EVASA": "0",
                "QTA_RESIDUA": "k.QTA",
                "IN_PROMO": "0",
                **_pairs("KIMO_ORDINI_RIGHE", "ORDINI_RIGHE"),
            },
            "FROM taken_order AS t JOIN KIMO_ORDINI_RIGHE AS k ON k.IDORD_KIMO = t.id",
        )
        done = "SELECT {} FROM arrived_order WHERE customer IS NOT NULL AND is_whole"
        self._execute(f"DELETE FROM KIMO_ORDINI_RIGHE WHERE IDORD_KIMO IN ({done.format('id')})")
        self._execute(f"DELETE FROM KIMO_ORDINI WHERE rowid IN ({done.format('place')})")
        repeated = self._count("SELECT COUNT(*) FROM arrived_order WHERE is_repeated")
        return {"orders": orders, "lines": lines, "repeated": repeated}

    def _visits(self) -> dict[str, int]:
        """Visits of customers that the ERP knows by now."""
        self._make("arrived_visit", _ARRIVED_VISIT)
        taken = (
            "FROM arrived_visit AS v JOIN KIMO_VISITE AS k ON k.rowid = v.place WHERE v.customer IS"
            " NOT NULL"
        )
        visits = self._insert(
            "Activity",
            {
                "Id": "v.number",
                "AccountId": "v.customer",
                **_pairs("KIMO_VISITE", "Activity", but=("AccountId",)),
            },
            taken,
        )
        self._insert(
            "ActivityAssignee",
            {"ActivityId": "v.number", "AssigneeId": "k.CODAGE", "AssigneeType": "1"},
            "FROM arrived_visit AS v JOIN KIMO_VISITE_AGENTI AS k ON k.ID_VISITA = v.id WHERE"
            " v.customer IS NOT NULL",
        )
        self._answer(
            "Activity", "SELECT sync, number, user FROM arrived_visit WHERE customer IS NOT NULL"
        )
        done = "SELECT {} FROM arrived_visit WHERE customer IS NOT NULL"
        self._execute(f"DELETE FROM KIMO_VISITE_AGENTI WHERE ID_VISITA IN ({done.format('id')})")
        self._execute(f"DELETE FROM KIMO_VISITE WHERE rowid IN ({done.format('place')})")
        return {"visits": visits}

    def _payments(self) -> dict[str, int]:
        """Payments of open items. Those of items that the ERP does not know are refused."""
        # An open item may be paid in several parts (fact sheet, section 9).
        paid = (
            "SELECT IDPARTITA AS id, SUM(INCASSATO) AS amount, MAX(DATA_INCASSO) AS day FROM"
            " KIMO_INCASSI GROUP BY 1"
        )
        self._make("paid", paid)
        is_open = "IDPARTITA IN (SELECT IDPARTITA FROM PARTITE_APERTE)"
        payments = self._count(f"SELECT COUNT(*) FROM KIMO_INCASSI WHERE {is_open}")
        refused = self._count(f"SELECT COUNT(*) FROM KIMO_INCASSI WHERE NOT {is_open}")
        self._execute(
            "UPDATE PARTITE_APERTE SET PAGATO = ROUND(PAGATO + paid.amount, 2), RESIDUO ="
            " ROUND(RESIDUO - paid.amount, 2), STATO = CASE WHEN RESIDUO - paid.amount < 0.005"
            f" THEN 1 ELSE STATO END, DATA_PAGAMENTO = {_day('paid.day')} FROM paid WHERE paid.id ="
            " IDPARTITA"
        )
        answers = (
            f"SELECT SYNCREF, CASE WHEN {is_open} THEN IDPARTITA ELSE '' END, UTENTE FROM"
            " KIMO_INCASSI"
        )
        self._answer("ReceivableInstallment", answers)
        self._execute("DELETE FROM KIMO_INCASSI")
        return {"payments": payments, "refused_payments": refused}

    def _answer(self, entity: str, query: str) -> None:
        """Writes what a query of (SyncReference, the ERP's id or nothing, agent) gives: one answer
        to a SyncReference.
        """
        table = f"EntitySyncReferenceFor{entity}"
        # An earlier answer is replaced, because SyncReference is unique (fact sheet, section 9).
        self._make("answer", query, names="sync, entity, user")
        self._execute(
            f"UPDATE {table} SET EntityId = answer.entity, UserId = answer.user,"
            " ElaboratedOnErpTimeStamp = :now FROM answer WHERE answer.sync ="
            f" {table}.SyncReference"
        )
        number = f"(SELECT coalesce(MAX(Id), 0) FROM {table}) + ROW_NUMBER() OVER ()"
        self._execute(
            f"INSERT INTO {table} (Id, SyncReference, EntityId, UserId, ElaboratedOnErpTimeStamp) "
            f"SELECT {number}, sync, entity, user, :now FROM answer "
            f"WHERE sync NOT IN (SELECT SyncReference FROM {table}) GROUP BY sync"
        )

    # --- statements
    # ----------------------------------------------------------------------------------------------

    def _make(self, name: str, query: str, *, names: str = "") -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
        if names:
            query = f"WITH given ({names}) AS ({query}) SELECT * FROM given"
        self._execute(f"CREATE TEMP TABLE {name} AS {query}")

    def _insert(self, table: str, values: dict[str, str], source: str) -> int:
        return self._execute(
            f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())}"
            f" {source}"
        )

    def _execute(self, statement: str) -> int:
        return self._connection.execute(statement, self._used(statement)).rowcount

    def _count(self, query: str) -> int:
        return int(self._connection.execute(query, self._used(query)).fetchone()[0])

    def _used(self, statement: str) -> dict[str, str | int]:
        return {name: value for name, value in self._values.items() if f":{name}" in statement}


def _pairs(source: str, target: str, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """The target's column -> the source's (as `k`), for each field of Kimo's that both have; days
    as the target has them.
    """
    columns = {
        column.field: column
        for column in TABLES[source].columns
        # Kimo's Id stays Kimo's: the ERP answers with a code of its own (fact sheet, section 9).
        if column.field not in (None, "Id", *but)
    }
    pairs = {}
    for column in TABLES[target].columns:
        origin = columns.get(column.field)
        if origin is None:
            continue
        pairs[column.name] = f"k.{origin.name}"
        # Kimo writes days as eight digits there, by the export's formats (mapping.py).
        if origin.type == "VARCHAR(8)":
            pairs[column.name] = _day(f"k.{origin.name}")
    return pairs


def _day(text: str) -> str:
    """An expression that turns yyyyMMdd into an ISO day; anything else into the ERP's "no day"."""
    parts = " || '-' || ".join(f"SUBSTR({text}, {part})" for part in ("1, 4", "5, 2", "7, 2"))
    return f"CASE WHEN LENGTH({text}) = 8 THEN {parts} ELSE '-1' END"


_CODE_OF_CUSTOMER = """
    coalesce((SELECT CODCLI FROM ANAGRAFICA_CLIENTI WHERE CODCLI = {0}),
             (SELECT EntityId FROM EntitySyncReferenceForAccount WHERE SyncReference = {1}
                 AND EntityId <> ''))
"""

_BROKEN = " + ".join(
    f"(SELECT COUNT(*) FROM {table} WHERE coalesce({column}, '') NOT IN (SELECT coalesce({other},"
    f" '') FROM {whole}))"
    for table, column, whole, other in (
        ("KIMO_ORDINI", "ID_KIMO", "KIMO_ORDINI_RIGHE", "IDORD_KIMO"),
        ("KIMO_ORDINI_RIGHE", "IDORD_KIMO", "KIMO_ORDINI", "ID_KIMO"),
        ("KIMO_VISITE_AGENTI", "ID_VISITA", "KIMO_VISITE", "ID_KIMO"),
    )
)

# The last of what came for a customer counts. known: the code that the ERP has for it already.
_ARRIVED_CUSTOMER = f"""
    SELECT *, NOT is_vat_number(piva)
        OR (:every > 0 AND known IS NULL AND SUM(known IS NULL) OVER
            (ORDER BY place) % MAX(:every, 1) = 0) AS refused
    FROM (SELECT rowid AS place, SYNCREF AS sync, UTENTE AS user, PIVA AS piva,
              {_CODE_OF_CUSTOMER.format("ID_KIMO", "SYNCREF")} AS known
          FROM KIMO_CLIENTI WHERE rowid IN (SELECT MAX(rowid) FROM KIMO_CLIENTI GROUP BY SYNCREF))
"""

_CUSTOMER = """
    SELECT *, CASE WHEN refused THEN '' ELSE coalesce(known, 'C' || PRINTF('%06d',
            (SELECT coalesce(MAX(CAST(SUBSTR(CODCLI, 2) AS INTEGER)), 0) FROM ANAGRAFICA_CLIENTI
                WHERE CODCLI LIKE 'C%')
            + SUM(known IS NULL AND NOT refused) OVER (ORDER BY place))) END AS code
    FROM arrived_customer
"""

_ARRIVED_ORDER = f"""
    SELECT rowid AS place, ID_KIMO AS id, {
    _CODE_OF_CUSTOMER.format("KIMO_ORDINI.CODCLI", "KIMO_ORDINI.CODCLI")
} AS customer,
        SYNCREF IN (SELECT RIF_KIMO FROM ORDINI_TESTATE WHERE RIF_KIMO IS NOT NULL)
            OR ROW_NUMBER() OVER (PARTITION BY SYNCREF ORDER BY rowid) > 1 AS is_repeated,
        ID_KIMO IN (SELECT IDORD_KIMO FROM KIMO_ORDINI_RIGHE) AS is_whole
    FROM KIMO_ORDINI
"""

_TAKEN_ORDER = """
    SELECT *, 'OC' || :year || '-' || PRINTF('%06d', number) AS code
    FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY place) + (
              SELECT coalesce(MAX(CAST(NUMERO AS INTEGER)), 0) FROM ORDINI_TESTATE
                  WHERE IDORD LIKE 'OC%') AS number
          FROM arrived_order WHERE customer IS NOT NULL AND is_whole AND NOT is_repeated)
"""

_ARRIVED_VISIT = f"""
    SELECT *, (SELECT coalesce(MAX(Id), 0) FROM Activity WHERE Id < 9000000) + ROW_NUMBER() OVER
        (ORDER BY place) AS number
    FROM (SELECT rowid AS place, ID_KIMO AS id, SYNCREF AS sync, UTENTE AS user,
              {_CODE_OF_CUSTOMER.format("KIMO_VISITE.CODCLI", "KIMO_VISITE.CODCLI")} AS customer
          FROM KIMO_VISITE)
"""
