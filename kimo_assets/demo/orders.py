"""What agents would have made on their tablets, in schema kimo as the Kimo server leaves it (fact
sheet, sections 9 and 10).

Orders with their lines, new and edited customers, visits, cashings, and what is not to be sent.
Sending is the export's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import dict_row

from kimo_assets.catalog.lifecycle import EntityStatus
from kimo_assets.database import ledger
from kimo_assets.database.names import CHANGED, ID, KIMO, columns, table
from kimo_assets.database.queries import note_changed_rows
from kimo_assets.demo import lookups
from kimo_assets.demo.accounts import company_name, slug
from kimo_assets.demo.codes import vat_number
from kimo_assets.demo.names import PROVINCES, STREETS
from kimo_assets.demo.randomness import TODAY, Draws, draws_for, weighted
from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

TITLE = "demo: orders"

Row = dict[str, Any]

_TO_EXPORT, _EDITING = EntityStatus.TO_EXPORT_TO_ERP, EntityStatus.EDITING
# A record that somebody edits must not be edited a second time.
_AT_REST = (EntityStatus.IMPORTED_FROM_ERP, EntityStatus.IMPORTED_BY_ERP)
# The codes of DocumentStatus (fact sheet, section 10).
_OPEN, _CONFIRMED = 0, 1
_ORDER, _QUOTE = ("ORD", 1), ("PRE", 2)
"""DocumentTypeId of settings.yaml, and its family."""
# The codes of Account.CreationReason (fact sheet, section 9).
_ACCOUNT_EDITED, _NEW_ACCOUNT = 1, 2
_COMPLETED = 2
# Of ReceivableInstallment.PaymentStatus (fact sheet, section 9).
_PAID_ON_KIMO = 3
# What agents have with them: of a large company not everything.
_ASSORTMENT = 3_000
_MOST_LINES = 12
_DISCOUNTS, _DISCOUNT_WEIGHTS = (0, 3, 5, 10, 15), [60, 12, 14, 10, 4]
# Of the new customers, every so many has a VAT number that the ERP will not take, beginning with
# the second.
_WRONG_VAT_EVERY = 5
# Line breaks, accents and emoji, which the export has to bring into a line of the ERP's
# (SingleLineStrings: fact sheet, section 7).
_NOTES = (
    "",
    "",
    "",
    "Consegnare entro le 10\nsuonare al cancello 🚚",
    "Merce da lasciare al bar accanto se chiuso",
    "Chiama Ö. Müller prima di partire; 2ª consegna dell'anno",
    "Auguri 🎉\r\n\r\nSconto già concordato col capoarea",
)
_OF_THE_TOWN = ("AddressPostCode", "AddressCity", "AddressCountrySubdivision", "ZoneId")
_REFERENCES = ("", "", "Vs. mail", "WhatsApp", "Ordine a voce")
# The ERP's column takes 200 characters, so that the export has to hold the order back.
_TOO_LONG = (
    "Il cliente ha dettato: consegnare solo di mattina, mai di lunedì, e chiamare sempre prima. "
    * 4
)
_SUBJECTS = ("Giro visite", "Presentazione novità", "Raccolta ordine", "Degustazione caffè")
_VISIT_NOTES = (
    "Tutto bene",
    "Richiama lunedì 📞",
    "Vuole lo sconto su acqua e bibite\nne parlo col capoarea",
    "",
)


# Of a record that is edited, not made: when, by whom, and that it waits for the ERP.
_EDITED_FIELDS = (
    "SyncReference",
    "EntityStatus",
    "LastModifiedUserId",
    "LastModifiedTimeStamp",
)


@dataclass(frozen=True)
class MadeOrders:
    """What was made. orders, lines: of orders that are ready and that the ERP can take.

    too_long: orders with a note longer than the ERP's column; editing: orders that the agent has
    not finished; quotes: of a type that is not sent; wrong_vat_numbers: of the new customers, those
    that the ERP will refuse.
    """

    load: int
    orders: int
    lines: int
    too_long: int
    editing: int
    quotes: int
    new_customers: int
    wrong_vat_numbers: int
    edited_customers: int
    visits: int
    cashings: int


def make_orders(connection: Connection, count: int, *, seed: int = 20260101) -> MadeOrders:
    """Makes `count` orders that are ready, one in ten of them for a new customer, and what else
    agents do; as a load.

    The same for the same seed and data; called again, others. The caller holds the lock of
    database/locks.py.
    Raises: ConfigError where no company is imported.
    """
    if count < 1:
        raise ConfigError(say("demo.no_orders", count=count))
    with connection.transaction():
        # Rows carry the load that changed them, so that step 3 finds these too.
        load = ledger.begin_load(connection, TITLE, None)
        made = _Tour(connection, load, seed).make(count)
        ledger.end_load(connection, load, success=True)
    return made


class _Tour:
    """A day on the road: what all agents make of it. made: rows by entity."""

    def __init__(self, connection: Connection, load: int, seed: int) -> None:
        self._connection, self._load = connection, load
        # Part of the seed below, so that a second call makes other orders.
        self._before = _count(connection, "Document")
        self._draws = draws_for(seed, f"Document/{self._before}")
        self._pairs = _followed_customers(connection)
        self._made: dict[str, list[Row]] = {}

    def make(self, count: int) -> MadeOrders:
        """Everything that agents did today: orders, quotes, new customers, visits, payments."""
        newcomers, quotes, visits = (max(1, count // part) for part in (10, 10, 5))
        # Two more: the one whose note is too long, and the one that is not finished.
        orders = count + 2 + quotes
        pairs = self._choose(self._pairs, orders + visits + 1)
        customers = _rows_of(self._connection, "Account", [customer for _, customer in pairs])
        owners = [(agent, customers[customer]) for agent, customer in pairs[:orders]]
        for index in sorted(self._draws.permutation(count)[:newcomers].tolist()):
            agent, neighbour = owners[index]
            made = len(self._made.get("Account", []))
            owners[index] = (agent, self._newcomer(agent, neighbour, made))
        lines = self._sell(owners, [count, count + 1, *range(count + 2, orders)])
        self._visit(pairs[orders : orders + visits])
        self._write()
        return MadeOrders(
            load=self._load,
            orders=count,
            lines=lines,
            too_long=1,
            editing=1,
            quotes=quotes,
            new_customers=newcomers,
            wrong_vat_numbers=len(range(1, newcomers, _WRONG_VAT_EVERY)),
            edited_customers=self._edit(*pairs[-1]),
            visits=visits,
            cashings=self._cash(max(1, count // 10)),
        )

    # --- customers
    # ----------------------------------------------------------------------------------------------

    def _newcomer(self, agent: str, neighbour: Mapping[str, Any], number: int) -> Row:
        """A customer nobody knew, in the town of one that the agent follows."""
        dice = self._draws.integers(0, 1_000_000, 8).tolist()
        group = dice[0] % len(lookups.CUSTOMER_GROUPS)
        name = company_name(group, *dice[1:5])[:100]
        province = next(
            (p for p in PROVINCES if p.code == neighbour["AddressCountrySubdivision"]), PROVINCES[0]
        )
        # Beyond the numbers of customers and agents that the ERP has.
        vat = vat_number(3_000_000 + dice[5] * 7 % 7_000_000, province.vat_office)
        if number % _WRONG_VAT_EVERY == 1:
            # A wrong check digit, for which fake_erp.py refuses the customer.
            vat = vat[:-1] + str((int(vat[-1]) + 1) % 10)
        row = {
            **self._life(agent),
            "Name": name,
            "NickName": name.split(" di ")[0][:100],
            "AccountTypeId": 1,
            "CreationReason": _NEW_ACCOUNT,
            "AddressLine": f"{STREETS[dice[6] % len(STREETS)]} {1 + dice[7] % 200}",
            **{field: neighbour[field] for field in _OF_THE_TOWN},
            "AddressCountry": "IT",
            "VatNumber": vat,
            "FiscalCode": vat,
            "Phone": f"07{dice[5] % 40 + 10} {dice[6]:06d}",
            "Mail": f"info@{slug(name)}.example",
            "CertifiedMail": f"{slug(name)}@pec.example",
            "UniqueOfficeCode": f"K{dice[7]:06d}",
            "CustomerTypeId": 1 if " di " in name and "& C." not in name else 2,
            "SalesAgentId": agent,
            "CustomerGroupId": lookups.CUSTOMER_GROUPS[group][0],
            # Who is not known yet pays in cash.
            "PaymentMethodId": "CONT",
            "PriceListId": lookups.PRICE_LISTS[0][0],
            "CurrencyId": "EUR",
            "LanguageId": "IT",
            "Locked": False,
            "LogisticOpeningTimes": "8:00-12:00",
            "Notes": "Aperto da poco ☕\nprovare con l'acqua" if number % 2 else "",
            "IsDeleted": False,
        }
        self._made.setdefault("Account", []).append(row)
        return row

    def _edit(self, agent: str, customer: str) -> int:
        """An existing customer is edited, so that the export has an edit to send too."""
        edited = {
            **self._life(agent),
            "CreationReason": _ACCOUNT_EDITED,
            "Phone": "071 200300",
            "Notes": "Nuovo numero di telefono\nchiuso anche il martedì",
        }
        # An edit does not change who made the customer, and when.
        kept = {
            field: value
            for field, value in edited.items()
            if field not in (ID, "CreatorId", "CreationDate")
        }
        return self._update("Account", [{ID: customer, **kept}])

    # --- documents
    # ----------------------------------------------------------------------------------------------

    def _sell(self, owners: Sequence[tuple[str, Mapping[str, Any]]], special: Sequence[int]) -> int:
        """A document for each owner; special: places of the too long one, of the unfinished one, of
        the quotes.

        Returns how many lines the others have.
        """
        too_long, editing, *quotes = special
        sites = _sites_of(self._connection, [customer[ID] for _, customer in owners])
        assortment = _Assortment(self._connection, self._draws)
        sizes = self._draws.integers(1, _MOST_LINES + 1, len(owners)).tolist()
        ids = self._ids(len(owners) + sum(sizes))
        dice = self._draws.integers(0, 1_000_000, (len(owners), 4)).tolist()
        lines = 0
        for place, (agent, customer) in enumerate(owners):
            kind, family = _QUOTE if place in quotes else _ORDER
            head = {
                **self._life(agent, next(ids), status=_EDITING if place == editing else _TO_EXPORT),
                # T is the prefix of the series TABLET (settings.py), which the export takes off
                # (mapping.py).
                "Number": f"T{self._before + place + 1}",
                "NumbersRegistryId": "TABLET",
                "DocumentTypeId": kind,
                "DocumentFamilyId": family,
                "DocumentStatus": _OPEN if place == editing else _CONFIRMED,
                **_of_customer(customer, sites.get(customer[ID]), dice[place]),
                "Notes": _TOO_LONG if place == too_long else _NOTES[dice[place][1] % len(_NOTES)],
            }
            sold = list(
                _lines(head, assortment.lines(agent, head["PriceListId"], sizes[place]), ids)
            )
            head |= {
                total: sum(line[total] for line in sold)
                for total in ("Amount", "VatAmount", "AmountIncludingVat")
            }
            self._made.setdefault("Document", []).append(head)
            self._made.setdefault("DocumentLine", []).extend(sold)
            lines += len(sold) if place not in special else 0
        return lines

    # --- visits and cashings
    # ------------------------------------------------------------------------------------------

    def _visit(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Visits with their assignees."""
        ids = self._ids(2 * len(pairs))
        for agent, customer in pairs:
            die = int(self._draws.integers(0, 1_000_000))
            kind, _, duration, _ = lookups.ACTIVITY_TYPES[die % len(lookups.ACTIVITY_TYPES)]
            hour = 8 + die % 9
            visit = {
                **self._life(agent, next(ids)),
                "ActivityTypeId": kind,
                "AccountId": customer,
                "Status": _COMPLETED,
                "Duration": duration,
                "Subject": _SUBJECTS[die % len(_SUBJECTS)],
                "Notes": _VISIT_NOTES[die // 7 % len(_VISIT_NOTES)],
                "StartDate": f"{TODAY} {hour:02d}:00:00",
                "EndDate": f"{TODAY} {hour + 1:02d}:30:00",
                "IsDeleted": False,
            }
            reference = next(ids)
            assignee = {
                ID: reference,
                "SyncReference": reference,
                "ActivityId": visit[ID],
                "AssigneeId": agent,
                "AssigneeType": 1,
                "CreatorId": agent,
                "CreationDate": visit["CreationDate"],
                "IsDeleted": False,
            }
            self._made.setdefault("Activity", []).append(visit)
            self._made.setdefault("ActivityAssignee", []).append(assignee)

    def _cash(self, count: int) -> int:
        """Open items paid into an agent's hands; every third one only by half."""
        paid = []
        cashable = _cashable(self._connection, count, int(self._draws.integers(0, 1_000)))
        for index, (key, due, agent) in enumerate(cashable):
            life = self._life(agent)
            amount = _rounded(due / 2, 2) if index % 3 == 2 else due
            paid.append(
                {
                    ID: key,
                    **{field: life[field] for field in _EDITED_FIELDS},
                    "PaymentStatus": _PAID_ON_KIMO,
                    "ActualPaymentAmount": amount,
                    "ActualPaymentDate": TODAY,
                    "ActualPaymentTypeId": "AS" if index % 2 else "CO",
                    "ActualPaymentReference": f"Ricevuta {index + 1}/{self._before}",
                }
            )
        return self._update("ReceivableInstallment", paid)

    # --- rows
    # ----------------------------------------------------------------------------------------------

    def _life(self, agent: str, reference: str | None = None, *, status: int = _TO_EXPORT) -> Row:
        """What the Kimo server writes into everything that comes from a tablet."""
        # Id and SyncReference are one until the ERP answers (fact sheet, section 9).
        reference = reference or next(self._ids(1))
        minute = int(self._draws.integers(0, 600))
        moment = f"{TODAY} {8 + minute // 60:02d}:{minute % 60:02d}:00"
        return {
            ID: reference,
            "SyncReference": reference,
            "EntityStatus": status,
            "CreatorId": agent,
            "CreationDate": moment,
            "LastModifiedUserId": agent,
            "LastModifiedTimeStamp": moment,
            "UploadToServerTimeStamp": moment,
        }

    def _ids(self, count: int) -> Iterator[str]:
        # Not uuid4(): ids come of the seed as well.
        data = self._draws.bytes(16 * count)
        return (
            str(UUID(bytes=data[start : start + 16], version=4))
            for start in range(0, len(data), 16)
        )

    def _choose(self, values: Sequence[Any], count: int) -> list[Any]:
        indexes = self._draws.integers(0, len(values), count).tolist()
        return [values[index] for index in indexes]

    def _write(self) -> None:
        """New records by COPY, as many may be wanted for a benchmark."""
        for entity, rows in self._made.items():
            names = [*rows[0], CHANGED]
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                table(KIMO, entity), columns(names)
            )
            with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(
                        # In Kimo's tables no value is NULL, and never an empty text.
                        (*(None if value == "" else value for value in row.values()), self._load)
                    )
            self._tell(entity)

    def _update(self, entity: str, rows: Sequence[Row]) -> int:
        """Changes rows by their Id, and returns how many."""
        if not rows:
            return 0
        given = [name for name in rows[0] if name != ID]
        assigned = sql.SQL(", ").join(
            sql.SQL("{} = %s").format(sql.Identifier(name)) for name in (*given, CHANGED)
        )
        statement = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(
            table(KIMO, entity), assigned, sql.Identifier(ID)
        )
        with self._connection.cursor() as cursor:
            cursor.executemany(
                statement, [(*(row[name] for name in given), self._load, row[ID]) for row in rows]
            )
        self._tell(entity)
        return len(rows)

    def _tell(self, entity: str) -> None:
        note_changed_rows(self._connection, entity, self._load)


def _of_customer(customer: Mapping[str, Any], site: str | None, dice: Sequence[int]) -> Row:
    """The fields of a document that come of whose it is. dice: four numbers."""
    delivery: date = TODAY + timedelta(days=1 + dice[0] % 6)
    return {
        "AccountId": customer[ID],
        **{
            f"Account{field}": customer[field]
            for field in ("Name", "VatNumber", "AddressLine", "AddressCity")
        },
        "DocumentDate": TODAY,
        "DocumentConfirmationTimeStamp": TODAY,
        "DeliveryDate": delivery,
        "ShipmentSiteType": 0,
        "ShipmentSiteId": site if dice[2] % 2 else None,
        "PaymentMethodId": customer["PaymentMethodId"],
        "PriceListId": customer["PriceListId"] or lookups.PRICE_LISTS[0][0],
        "CurrencyId": "EUR",
        "WarehouseId": lookups.WAREHOUSES[0][0],
        "DocumentReference": _REFERENCES[dice[3] % len(_REFERENCES)],
        "TotalFulfillment": dice[3] % 4 == 0,
        "IsDeleted": False,
    }


@dataclass(frozen=True)
class _Sold:
    """An item sold: its own row of the assortment, how many, at which price and discount."""

    item: Mapping[str, Any]
    quantity: Decimal
    price_list: str
    price: Decimal
    discount: int


class _Assortment:
    """Items with their prices, and which of them each agent may sell."""

    def __init__(self, connection: Connection, draws: Draws) -> None:
        """Raises: ConfigError when nothing was imported yet."""
        self._draws = draws
        self._items = _items(connection, int(draws.integers(0, 1_000)))
        self._prices = _prices(connection, [item[ID] for item in self._items])
        self._items = [
            item for item in self._items if (item[ID], lookups.PRICE_LISTS[0][0]) in self._prices
        ]
        self._trademarks: dict[str, set[str]] = {}
        for agent, trademark in _live(
            connection, "TrademarkPerUser", "SalesAgentId", "TrademarkId"
        ):
            self._trademarks.setdefault(agent, set()).add(trademark)
        self._of_agent: dict[str, list[Row]] = {}
        if not self._items:
            raise ConfigError(say("demo.no_priced_items"))

    def lines(self, agent: str, price_list: str, count: int) -> Iterator[_Sold]:
        """`count` items or, where chance takes one twice, fewer."""
        items = self._sellable(agent)
        chosen = dict.fromkeys(self._draws.integers(0, len(items), count).tolist())
        packs = self._draws.integers(1, 11, len(chosen)).tolist()
        discounts = weighted(self._draws, _DISCOUNT_WEIGHTS, len(chosen)).tolist()
        for index, pack, discount in zip(chosen, packs, discounts, strict=True):
            item = items[index]
            used = price_list
            if (item[ID], price_list) not in self._prices:
                # Only the first lists hold every item.
                used = lookups.PRICE_LISTS[0][0]
            quantity = pack * (item["UnitsPerPack"] or Decimal(1))
            yield _Sold(item, quantity, used, self._prices[item[ID], used], _DISCOUNTS[discount])

    def _sellable(self, agent: str) -> list[Row]:
        if agent not in self._of_agent:
            # An agent without any trademark sells all of them (docs/sync-format.md, "Who sees a
            # row").
            allowed = self._trademarks.get(agent)
            items = [
                item for item in self._items if allowed is None or item["TrademarkId"] in allowed
            ]
            self._of_agent[agent] = items or self._items
        return self._of_agent[agent]


def _lines(head: Row, sold: Iterator[_Sold], ids: Iterator[str]) -> Iterator[Row]:
    """The lines of a document, with amounts rounded as the ERP rounds them."""
    for number, line in enumerate(sold, 1):
        reference, item = next(ids), line.item
        amount = _rounded(line.quantity * line.price * (100 - line.discount) / 100, 2)
        vat = _rounded(amount * item["Value"] / 100, 2)
        yield {
            ID: reference,
            "SyncReference": reference,
            "DocumentId": head[ID],
            "LineNumber": number,
            "LineType": 0,
            "ItemId": item[ID],
            "ItemDescription": item["Description"],
            # The console's code. The export writes the ERP's (mapping.py).
            "SaleTypeId": "VEN",
            "SaleTypeMode": 0,
            "SalesUomId": item["SalesUomId"],
            "SalesQty": line.quantity,
            "PriceListId": line.price_list,
            "UnitPrice": line.price,
            "Discount1": line.discount,
            "Discount2": 0,
            "NetUnitPrice": _rounded(line.price * (100 - line.discount) / 100, 5),
            "Amount": amount,
            "VatAmount": vat,
            "AmountIncludingVat": amount + vat,
            "VatRateId": item["VatRateId"],
            "VatRateValue": item["Value"],
            "Notes": "Omaggio a parte 🎁" if number % 7 == 0 else "",
            "CreatorId": head["CreatorId"],
            "CreationDate": head["CreationDate"],
            "IsDeleted": False,
        }


def _rounded(value: Decimal, places: int) -> Decimal:
    # Half up, as on an invoice. Python would round half to even.
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


# --- what is there
# --------------------------------------------------------------------------------------------------


def _count(connection: Connection, entity: str) -> int:
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(table(KIMO, entity))
    ).fetchone()
    return int(row[0]) if row else 0


def _followed_customers(connection: Connection) -> list[tuple[str, str]]:
    """(agent, customer) of customers that may buy and that nobody is editing."""
    # A row without a hash was made on a tablet, and the ERP does not have it yet.
    pairs = connection.execute(
        """
        SELECT l."SalesAgentId", a."Id"
        FROM kimo."SalesAgentPerAccount" AS l JOIN kimo."Account" AS a ON a."Id" = l."AccountId"
        WHERE l._archived_load IS NULL AND a._archived_load IS NULL AND a._hash IS NOT NULL
            AND a."AccountTypeId" = 1
          AND a."Locked" IS NOT TRUE AND (a."EntityStatus" IS NULL OR a."EntityStatus" = ANY(%s))
        ORDER BY 1, 2
        """,
        [list(_AT_REST)],
    ).fetchall()
    if not pairs:
        raise ConfigError(say("demo.no_followed_customers"))
    return pairs


def _rows_of(connection: Connection, entity: str, ids: Sequence[str]) -> dict[str, Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        statement = sql.SQL('SELECT * FROM {} WHERE "Id" = ANY(%s)').format(table(KIMO, entity))
        return {row[ID]: row for row in cursor.execute(statement, [list(set(ids))])}


def _sites_of(connection: Connection, customers: Sequence[str]) -> dict[str, str]:
    """One shipment site of each customer that has any."""
    rows = connection.execute(
        'SELECT "HeadOfficeId", min("Id") FROM kimo."Account" WHERE "AccountTypeId" = 2 AND'
        ' "HeadOfficeId" = ANY(%s) AND _archived_load IS NULL GROUP BY 1',
        [list(set(customers))],
    )
    return dict(rows.fetchall())


def _live(connection: Connection, entity: str, *fields: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        sql.SQL("SELECT {} FROM {} WHERE _archived_load IS NULL ORDER BY 1, 2").format(
            columns(fields), table(KIMO, entity)
        )
    ).fetchall()


def _items(connection: Connection, die: int) -> list[Row]:
    """A random assortment of items that can be sold, each in its first unit of sale."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            WITH chosen AS (
                SELECT * FROM kimo."Item" WHERE _archived_load IS NULL AND "ItemType" = 0
                ORDER BY md5("Id" || %s), "Id" LIMIT %s
            )
            SELECT DISTINCT ON (i."Id") i."Id", i."Description", i."TrademarkId", i."VatRateId",
                v."Value",
                u."SalesUomId", u."UnitsPerPack"
            FROM chosen AS i JOIN kimo."VatRate" AS v ON v."Id" = i."VatRateId"
            JOIN kimo."ItemUom" AS u ON u."ItemId" = i."Id"
            WHERE v._archived_load IS NULL AND u._archived_load IS NULL
            ORDER BY i."Id", u."Priority", u."Id"
            """,
            [str(die), _ASSORTMENT],
        ).fetchall()


def _prices(connection: Connection, items: Sequence[str]) -> dict[tuple[str, str], Decimal]:
    """(item, price list) -> the price for everybody, without quantities, that holds today."""
    rows = connection.execute(
        """
        SELECT DISTINCT ON ("ItemId", "PriceListId") "ItemId", "PriceListId", "UnitPrice"
            FROM kimo."ItemListPrice"
        WHERE _archived_load IS NULL AND "ItemId" = ANY(%s) AND "UnitPrice" > 0 AND "AccountId"
            IS NULL
          AND "SalesAgentId" IS NULL AND coalesce("StartQuantityRange", 0) = 0 AND "StartDate" <= %s
        ORDER BY "ItemId", "PriceListId", "StartDate" DESC, "Id"
        """,
        [list(items), TODAY],
    )
    return {(item, price_list): price for item, price_list, price in rows}


def _cashable(connection: Connection, count: int, die: int) -> list[tuple[str, Decimal, str]]:
    """(open item, what is due, an agent of the customer)."""
    return connection.execute(
        """
        SELECT r."Id", r."ResidualDueAmount", min(l."SalesAgentId")
        FROM kimo."ReceivableInstallment" AS r JOIN kimo."SalesAgentPerAccount" AS l
            ON l."AccountId" = r."CustomerId"
        WHERE r._archived_load IS NULL AND l._archived_load IS NULL AND r."IsCashableBySalesAgent"
            AND r."PaymentStatus" = 0
          AND r."ResidualDueAmount" > 0
          AND (r."EntityStatus" IS NULL OR r."EntityStatus" = ANY(%s))
        GROUP BY r."Id" ORDER BY md5(r."Id" || %s), r."Id" LIMIT %s
        """,
        [list(_AT_REST), str(die), count],
    ).fetchall()
