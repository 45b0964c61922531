"""The next day in the demo's ERP: prices move, goods come and go, orders are filled, somebody new
appears.

Whole tables are changed by single statements; which rows, follows from their place and the seed.
References still hold afterwards, and wrong rows stay as they are.
"""

import sqlite3
from datetime import timedelta
from pathlib import Path

from kimo_assets.demo.erp_tables import TABLES
from kimo_assets.demo.randomness import TODAY
from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

_PER_MYRIAD = 10_000
# Far below what guards.max_shrink lets pass, as on a usual day.
_NEW_PART, _GONE_PART = 0.1, 0.1
"""How many rows appear and vanish, as a part of those that change."""

# Numbers and codes beyond these are of rows that are wrong on purpose (invalid_rows.py).
_RIGHT_LINES = "IDRIGA < 90000000"
# An ERP does not drop what it still has to deliver.
_OLD_ORDERS = "STATO_EVASIONE = 3 AND IDORD LIKE 'OC%'"
_RIGHT_INSTALLMENTS = "IDPARTITA < 9000000"
_RIGHT_ACCOUNTS = "ATTIVO = 1 AND CODCLI LIKE 'C%'"
_RIGHT_ITEMS = "OBSOLETO = 0 AND CODART NOT LIKE 'XA%'"
_FIRST_PRICES = "DAL = '2026-01-01'"

_UPDATES: dict[str, str] = {
    # Plus a cent, so that even the smallest price changes.
    "LISTINI_RIGHE": f"SET PREZZO = ROUND(PREZZO * 1.03 + 0.01, 4) WHERE {_FIRST_PRICES}",
    "GIACENZE": (
        "SET DISPONIBILE = DISPONIBILE + 1 + rowid % 40, AGGIORNATO_IL = :now WHERE DATA_DISP ="
        " '-1'"
    ),
    "ORDINI_RIGHE": (
        f"SET IN_PROMO = 1 - IN_PROMO, QTA_EVASA = QTA, QTA_RESIDUA = 0 WHERE {_RIGHT_LINES}"
    ),
    "ANAGRAFICA_CLIENTI": (
        f"SET ANNOTAZIONI = 'Sentito il ' || :today, SCONTO2 = SCONTO2 + 1 WHERE {_RIGHT_ACCOUNTS}"
    ),
    "ARTICOLI": f"SET ANNOTAZIONI = 'Scheda rivista il ' || :today WHERE {_RIGHT_ITEMS}",
    "PARTITE_APERTE": (
        "SET PAGATO = PAGATO + 1, RESIDUO = RESIDUO - 1, DATA_PAGAMENTO = :today "
        f"WHERE {_RIGHT_INSTALLMENTS} AND RESIDUO > 1"
    ),
}


def change_company(directory: Path, share: float = 0.02, *, seed: int = 1) -> dict[str, int]:
    """Let a day pass in the ERP of a demo company: about `share` of the rows of its big tables
    change.

    A few rows appear and a few vanish, far below 1 %. seed: which day.
    Returns the rows touched per table. Raises: ConfigError where there is no demo company.
    """
    erp_path = directory / "erp.sqlite"
    if not erp_path.exists():
        raise ConfigError(say("demo.no_company", folder=directory))
    connection = sqlite3.connect(erp_path, isolation_level=None)
    try:
        # One transaction: an import that reads meanwhile sees one day or the other.
        connection.execute("BEGIN IMMEDIATE")
        day = _Day(connection, share, seed)
        day.change_rows()
        day.drop_orders_and_prices()
        day.drop_prospects()
        day.add_prices_and_installments()
        day.add_notes_to_orders()
        day.add_accounts()
        day.add_items()
        connection.execute("COMMIT")
    finally:
        connection.close()
    return day.touched


class _Day:
    """One day's changes, counted per table."""

    def __init__(self, connection: sqlite3.Connection, share: float, seed: int):
        self._connection, self._share, self._seed = connection, share, seed
        # By the seed and not by the clock, so that a day can be repeated.
        date = (TODAY + timedelta(days=1 + seed % 300)).isoformat()
        self._values = {"today": date, "now": f"{date} 05:30:00"}
        self.touched: dict[str, int] = {}

    def change_rows(self) -> None:
        for table, change in _UPDATES.items():
            self._change(table, f"UPDATE {table} {change} AND {self._some(1, 0)}")

    def drop_orders_and_prices(self) -> None:
        """Old orders go with their lines; some agreed prices and settled invoices just go."""
        some = self._some(_GONE_PART, 1)
        self._choose(
            "gone", f"SELECT IDORD AS code FROM ORDINI_TESTATE WHERE {_OLD_ORDERS} AND {some}"
        )
        self._change(
            "ORDINI_RIGHE",
            f"DELETE FROM ORDINI_RIGHE WHERE {_RIGHT_LINES} AND IDORD IN (SELECT code FROM gone)",
        )
        self._change(
            "ORDINI_TESTATE", "DELETE FROM ORDINI_TESTATE WHERE IDORD IN (SELECT code FROM gone)"
        )
        self._change(
            "LISTINI_RIGHE",
            f"DELETE FROM LISTINI_RIGHE WHERE {_FIRST_PRICES} AND CODCLI <> '' AND {some}",
        )
        self._change(
            "PARTITE_APERTE", f"DELETE FROM PARTITE_APERTE WHERE {_RIGHT_INSTALLMENTS} AND {some}"
        )

    def drop_prospects(self) -> None:
        """Prospects that came to nothing, with all that hangs on them."""
        prospects = f"FROM ANAGRAFICA_CLIENTI WHERE TIPO = 3 AND {_RIGHT_ACCOUNTS}"
        self._choose(
            "gone", f"SELECT CODCLI AS code {prospects} {self._few('ANAGRAFICA_CLIENTI', 4)}"
        )
        visits = "SELECT Id FROM Activity WHERE AccountId IN (SELECT code FROM gone)"
        self._change(
            "ActivityAssignee", f"DELETE FROM ActivityAssignee WHERE ActivityId IN ({visits})"
        )
        # After the assignees, which are found by their visits.
        for table, column in (("Activity", "AccountId"), ("Contact", "AccountId")):
            self._change(table, f"DELETE FROM {table} WHERE {column} IN (SELECT code FROM gone)")
        for table in ("AGENTI_CLIENTI", "ANAGRAFICA_CLIENTI"):
            self._change(table, f"DELETE FROM {table} WHERE CODCLI IN (SELECT code FROM gone)")

    def add_prices_and_installments(self) -> None:
        # A day's prices are added once, or a day lived twice would have two prices under one key.
        prices = f"{_FIRST_PRICES} AND NOT EXISTS (SELECT 1 FROM LISTINI_RIGHE WHERE DAL = :today)"
        some = self._some(_NEW_PART, 2)
        self._copy("LISTINI_RIGHE", {"DAL": ":today"}, f"WHERE {prices} AND {some}")
        number = _next("IDPARTITA", "PARTITE_APERTE", _RIGHT_INSTALLMENTS)
        self._copy(
            "PARTITE_APERTE",
            {"IDPARTITA": number, "RATA": "RATA + 1"},
            f"WHERE {_RIGHT_INSTALLMENTS} AND {some}",
        )

    def add_notes_to_orders(self) -> None:
        """Lines without goods, so that the orders' totals stay right."""
        zeros = dict.fromkeys(
            ("QTA", "QTA_EVASA", "QTA_RESIDUA", "PREZZO", "SC1", "SC2", "IMPORTO", "IN_PROMO"), "0"
        )
        number = _next("IDRIGA", "ORDINI_RIGHE", _RIGHT_LINES)
        texts = {"CODART": "''", "DESCRIZIONE": "'Nota del ' || :today", "UM": "''", "CODIVA": "''"}
        changes = {"IDRIGA": number, "RIGA": "RIGA + 100", "TIPORIGA": "2", **texts, **zeros}
        self._copy("ORDINI_RIGHE", changes, f"WHERE {_RIGHT_LINES} AND {self._some(_NEW_PART, 3)}")

    def add_accounts(self) -> None:
        """New customers, each followed by an agent."""
        number = (
            "(SELECT MAX(CAST(SUBSTR(CODCLI, 2) AS INTEGER)) FROM ANAGRAFICA_CLIENTI WHERE CODCLI"
            " LIKE 'C%')"
        )
        self._choose(
            "newcomers",
            f"SELECT code AS old, 'C' || PRINTF('%06d', {number} + ROW_NUMBER() OVER (ORDER BY"
            " code)) AS new FROM (SELECT CODCLI AS code FROM ANAGRAFICA_CLIENTI WHERE TIPO = 1 AND"
            f" CODAGE <> '' AND {_RIGHT_ACCOUNTS} {self._few('ANAGRAFICA_CLIENTI', 5)})",
        )
        source = "JOIN newcomers ON newcomers.old = CODCLI"
        # A new owner takes over neither the VAT number nor the bank account.
        empty = dict.fromkeys(
            ("PIVA", "CODFISC", "IBAN", "ABI", "CAB", "CIN", "CONTO", "PEC"), "''"
        )
        name = "SUBSTR('Nuova Gestione ' || RAGSOC, 1, 100)"
        self._copy(
            "ANAGRAFICA_CLIENTI", {"CODCLI": "newcomers.new", "RAGSOC": name, **empty}, source
        )
        self._change(
            "AGENTI_CLIENTI",
            "INSERT INTO AGENTI_CLIENTI (CODAGE, CODCLI, RUOLO, DAL, CESSATO) "
            "SELECT CODAGE, CODCLI, 'T', :today, 0 FROM ANAGRAFICA_CLIENTI "
            "WHERE CODCLI IN (SELECT new FROM newcomers)",
        )

    def add_items(self) -> None:
        """New items with their unit, base price and stock."""
        number = (
            "(SELECT MAX(CAST(SUBSTR(CODART, 4) AS INTEGER)) FROM ARTICOLI WHERE CODART NOT LIKE"
            " 'XA%')"
        )
        self._choose(
            "newcomers",
            "SELECT code AS old, SUBSTR(code, 1, 3) || "
            f"PRINTF('%06d', {number} + ROW_NUMBER() OVER (ORDER BY code)) AS new FROM ("
            f"SELECT CODART AS code FROM ARTICOLI WHERE {_RIGHT_ITEMS} {self._few('ARTICOLI', 6)})",
        )
        by_code, by_id = (
            "JOIN newcomers ON newcomers.old = CODART",
            "JOIN newcomers ON newcomers.old = ItemId",
        )
        name = "SUBSTR('Nuovo ' || DESCRIZIONE, 1, 130)"
        new = {"CODART": "newcomers.new"}
        self._copy("ARTICOLI", {**new, "DESCRIZIONE": name, "DATA_CREAZIONE": ":now"}, by_code)
        self._copy(
            "ItemUom",
            {"ItemId": "newcomers.new", "Barcode": "''"},
            # That barcode is a wrong row's (invalid_rows.py).
            f"{by_id} WHERE Priority = 1 AND Barcode <> '8099999999992'",
        )
        base = f"{_FIRST_PRICES} AND CODLIS = 'BASE' AND DAQTA = 0 AND CODCLI = '' AND CODAGE = ''"
        self._copy("LISTINI_RIGHE", new, f"{by_code} WHERE {base}")
        self._copy(
            "GIACENZE", {**new, "AGGIORNATO_IL": ":now"}, f"{by_code} WHERE DATA_DISP = '-1'"
        )

    def _some(self, part: float, turn: int) -> str:
        """A condition true for about `part` of the day's share of the rows, others every day and
        turn.
        """
        limit = max(1, round(self._share * part * _PER_MYRIAD))
        return f"({self._dice(turn)}) % {_PER_MYRIAD} < {limit}"

    def _few(self, table: str, turn: int) -> str:
        """The end of a query that takes a few of its rows, and one at least."""
        (count,) = self._connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        return (
            f"ORDER BY ({self._dice(turn)}) % 1000003 LIMIT"
            f" {max(1, round(count * self._share * _NEW_PART))}"
        )

    def _dice(self, turn: int) -> str:
        # Knuth's multiplicative hash: rows that stand side by side do not change together.
        return f"(rowid * 2654435761 + {self._seed * 7_919 + turn * 104_729}) >> 7"

    def _choose(self, name: str, query: str) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
        self._connection.execute(f"CREATE TEMP TABLE {name} AS {query}")

    def _copy(self, table: str, changes: dict[str, str], source: str) -> None:
        """Add rows like some there are; changes: column -> expression that takes its place."""
        columns = [column.name for column in TABLES[table].columns]
        values = ", ".join(changes.get(column, column) for column in columns)
        self._change(table, f"INSERT INTO {table} SELECT {values} FROM {table} {source}")

    def _change(self, table: str, statement: str) -> None:
        values = {name: value for name, value in self._values.items() if f":{name}" in statement}
        changed = self._connection.execute(statement, values).rowcount
        self.touched[table] = self.touched.get(table, 0) + changed


def _next(column: str, table: str, condition: str) -> str:
    """An expression that numbers new rows on from those there are."""
    return f"(SELECT MAX({column}) FROM {table} WHERE {condition}) + ROW_NUMBER() OVER ()"
