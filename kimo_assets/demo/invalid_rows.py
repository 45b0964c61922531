"""Rows that are wrong on purpose, so that refusing, keeping and warning can be seen at work.

Each is a copy of a right row under a key of its own, with one thing spoilt, added at the end of its
table: no other row points to it. The same ones at every scale.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass

from kimo_assets.demo.erp_tables import TABLES

Rule = str

_SAME_KEY = "the key of the row it is copied from"


@dataclass(frozen=True)
class WrongRow:
    """table and rule; `changes`: column -> value put into the copy; `like`: condition on the row to
    copy.
    """

    table: str
    rule: Rule
    changes: dict[str, object]
    like: str = "1 = 1"

    @property
    def entity(self) -> str:
        return TABLES[self.table].entity


# Prices for everybody have no first day but the year's, so that a copy with another day has a key
# of its own.
_PLAIN_PRICE = "CODLIS = 'BASE' AND CODCLI = '' AND CODAGE = '' AND DAQTA = 0"
_CUSTOMER = "TIPO = 1 AND ATTIVO = 1"
# Prospects and completed orders may go tomorrow, with all that hangs on them.
_OF_CUSTOMER = f"AccountId IN (SELECT CODCLI FROM ANAGRAFICA_CLIENTI WHERE {_CUSTOMER})"
_OF_OPEN_ORDER = "IDORD IN (SELECT IDORD FROM ORDINI_TESTATE WHERE STATO_EVASIONE < 3)"

WRONG_ROWS: tuple[WrongRow, ...] = (
    WrongRow(
        "ANAGRAFICA_CLIENTI",
        "text_too_long",
        {
            # Right codes begin otherwise, so that next_day.py can leave these rows as they are.
            "CODCLI": "XC0001",
            "RAGSOC": "Consorzio Ristoratori e Albergatori della Riviera Adriatica " * 2,
        },
        _CUSTOMER,
    ),
    WrongRow(
        "ARTICOLI",
        "text_too_long",
        {"CODART": "XA0001", "DESCRIZIONE": "Cesto Natalizio Assortito " * 7},
    ),
    WrongRow(
        "LISTINI_RIGHE", "not_a_number", {"DAL": "2026-07-01", "PREZZO": "n.d."}, _PLAIN_PRICE
    ),
    WrongRow("PARTITE_APERTE", "not_a_number", {"IDPARTITA": 9_000_001, "IMPORTO": "a saldo"}),
    # What Italian programs write when they export numbers as texts.
    WrongRow("ARTICOLI", "decimal_comma", {"CODART": "XA0002", "PREZZO_PUBBLICO": "12,90"}),
    WrongRow("ItemUom", "decimal_comma", {"Barcode": "8099999999992", "Weight": "0,750"}),
    WrongRow(
        "ORDINI_TESTATE", "impossible_date", {"IDORD": "XO-000001", "DATA_ORDINE": "2026-02-30"}
    ),
    WrongRow(
        "PARTITE_APERTE", "impossible_date", {"IDPARTITA": 9_000_002, "SCADENZA": "2025-11-31"}
    ),
    WrongRow(
        "Activity",
        "impossible_date",
        {"Id": 9_000_001, "StartDate": "2025-13-05 09:00:00"},
        _OF_CUSTOMER,
    ),
    WrongRow("ANAGRAFICA_CLIENTI", "unknown_enum_code", {"CODCLI": "XC0002", "TIPO": 9}, _CUSTOMER),
    # The vendor's types are 0 to 5 (fact sheet, section 12).
    WrongRow("ItemUrl", "unknown_enum_code", {"Id": 9_000_001, "UrlTypeId": 42}),
    WrongRow("Contact", "missing_key", {"Id": None}, _OF_CUSTOMER),
    WrongRow("PARTITE_APERTE", "missing_key", {"IDPARTITA": ""}),
    WrongRow("Contact", "duplicate_key", {"Id": _SAME_KEY, "LastName": "Doppio"}, _OF_CUSTOMER),
    WrongRow("ORDINI_RIGHE", "duplicate_key", {"IDRIGA": _SAME_KEY, "QTA": 999}, _OF_OPEN_ORDER),
    # A zero byte, which old programs leave in texts and PostgreSQL does not take.
    WrongRow(
        "Contact", "invalid_characters", {"Id": 9_000_001, "LastName": "Ros\0si"}, _OF_CUSTOMER
    ),
    WrongRow(
        "ANAGRAFICA_CLIENTI",
        "invalid_characters",
        {"CODCLI": "XC0003", "ANNOTAZIONI": "Orario\0 continuato"},
        _CUSTOMER,
    ),
    # A line without its head is rejected: the head owns it, and no app could show it.
    WrongRow("ORDINI_RIGHE", "missing_owner", {"IDRIGA": 90_000_001, "IDORD": "OC24-999999"}),
    WrongRow(
        "ORDINI_RIGHE", "missing_owner", {"IDRIGA": 90_000_002, "IDORD": "OC24-999999", "RIGA": 2}
    ),
    WrongRow(
        "PromotionLine",
        "missing_owner",
        {"Id": 9_000_001, "PromotionId": 99_999},
        "EncodingType = 'AR'",
    ),
    WrongRow(
        "ANAGRAFICA_CLIENTI",
        # Loaded, with a warning: only a missing owner is a reason to reject a row.
        "dangling_reference",
        {"CODCLI": "XC0004", "CODPAG": "RB999"},
        _CUSTOMER,
    ),
    WrongRow("ARTICOLI", "dangling_reference", {"CODART": "XA0003", "CODPRO": "P999"}),
    WrongRow("ORDINI_TESTATE", "dangling_reference", {"IDORD": "XO-000002", "CODLIS": "LIST99"}),
)


def plant_wrong_rows(connection: sqlite3.Connection) -> dict[tuple[str, Rule], int]:
    """Add the wrong rows; returns how many per entity and rule."""
    for wrong in WRONG_ROWS:
        _plant(connection, wrong)
    return dict(Counter((wrong.entity, wrong.rule) for wrong in WRONG_ROWS))


def _plant(connection: sqlite3.Connection, wrong: WrongRow) -> None:
    columns = [column.name for column in TABLES[wrong.table].columns]
    (right,) = connection.execute(f'SELECT * FROM "{wrong.table}" WHERE {wrong.like} LIMIT 1')
    row = dict(zip(columns, right, strict=True))
    row |= {name: value for name, value in wrong.changes.items() if value is not _SAME_KEY}
    marks = ", ".join("?" * len(columns))
    connection.execute(f'INSERT INTO "{wrong.table}" VALUES ({marks})', list(row.values()))
