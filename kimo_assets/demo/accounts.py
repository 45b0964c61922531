"""The customers: head offices, shipment sites, prospects; their agents, credit and contacts.

What they buy is in `documents`, what they owe too.
"""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kimo_assets.demo import lookups
from kimo_assets.demo.agents import Agents
from kimo_assets.demo.codes import cin, iban, vat_number
from kimo_assets.demo.erp_database import Chunk, ErpWriter
from kimo_assets.demo.names import (
    BANKS,
    CHAIN_FORMS,
    LEGAL_FORMS,
    MEN,
    PLACES,
    PROVINCES,
    SHOP_KINDS,
    STREETS,
    SURNAMES,
    WOMEN,
)
from kimo_assets.demo.randomness import (
    Draws,
    chance,
    choose,
    day,
    days,
    draws_for,
    slices,
    weighted,
)
from kimo_assets.demo.scales import Scale

# The codes of Account.AccountTypeId, which this ERP happens to use as well.
CUSTOMER, SITE, PROSPECT = 1, 2, 3
_TOWNS = [
    (town, post_code, i)
    for i, province in enumerate(PROVINCES)
    for town, post_code in province.towns
]
_TOWNS_OF = [[t for t, (_, _, p) in enumerate(_TOWNS) if p == i] for i in range(len(PROVINCES))]
# Canteens, supermarkets and wholesalers are companies, and not named after an owner.
_CHAIN_GROUPS = (5, 6, 7)
_OPENING_TIMES = (
    "8:00-12:00",
    "7:30-11:00 / 15:00-17:00",
    "solo mattina",
    "9:00-13:00, no sabato",
    "",
)
# Most have none: an empty text is the agreed "no value" (fact sheet, section 8).
_NOTES = (
    "",
    "",
    "",
    "",
    "Consegnare sul retro",
    "Chiuso il lunedì",
    "Chiedere di far arrivare prima delle 10",
    "ZTL: furgone",
)


@dataclass(frozen=True)
class Accounts:
    """Head offices first, then their sites (by head office), then prospects, then the inactive
    ones.
    """

    codes: list[str]
    names: list[str]
    kinds: np.ndarray
    heads: np.ndarray
    towns: np.ndarray
    groups: np.ndarray
    price_lists: np.ndarray
    payments: np.ndarray
    agents: np.ndarray
    """Index of the agent who follows the account, -1 for none."""
    active: int
    """How many of them are active; the others come last."""

    @property
    def customers(self) -> int:
        """How many head offices there are: the first ones."""
        return int(np.count_nonzero(self.kinds[: self.active] == CUSTOMER))

    @property
    def size(self) -> int:
        return len(self.codes)

    def provinces(self) -> list[int]:
        return [_TOWNS[town][2] for town in self.towns.tolist()]


def draw_accounts(scale: Scale, agents: Agents, seed: int) -> Accounts:
    """Customers, their ship-to sites, prospects and some customers that are no longer active.

    A site shares group, agent, price list and payment with its head, as in a real ERP.
    """
    draws = draws_for(seed, "ANAGRAFICA_CLIENTI")
    # Inactive ones are there for the mapping's `where` to leave out.
    active, inactive = scale.accounts, scale.accounts // 30
    sites, prospects = active * 22 // 100, active * 6 // 100
    customers = active - sites - prospects
    kinds = np.repeat([CUSTOMER, SITE, PROSPECT, CUSTOMER], [customers, sites, prospects, inactive])
    size = len(kinds)
    heads = np.full(size, -1)
    # Sorted, so that the sites of a head office stand together (_is_first_site).
    heads[kinds == SITE] = np.sort(draws.integers(0, customers, sites))
    groups = weighted(draws, lookups.GROUP_WEIGHTS, size)
    followers = draws.integers(0, agents.in_the_field, size)
    # Some that nobody follows, so that there are rows which no tablet gets.
    followers[chance(draws, 1, size)] = -1
    price_lists = np.array(lookups.PRICE_LIST_OF_GROUP)[groups]
    price_lists[chance(draws, 15, size)] = 0
    payments = weighted(draws, [18, 14, 12, 3, 14, 8, 2, 9, 4, 8, 4, 4], size)
    for of_site in (groups, followers, price_lists, payments):
        of_site[kinds == SITE] = of_site[heads[kinds == SITE]]
    towns = _draw_towns(draws, agents, followers)
    names = _draw_names(draws, kinds, heads, groups, towns)
    codes = [f"C{i:06d}" for i in range(1, size + 1)]
    return Accounts(
        codes, names, kinds, heads, towns, groups, price_lists, payments, followers, active
    )


def write_accounts(
    erp: ErpWriter, accounts: Accounts, agents: Agents, scale: Scale, seed: int
) -> None:
    erp.fill_from("ANAGRAFICA_CLIENTI", _account_chunks(accounts, agents, seed))
    erp.fill_from(
        "AGENTI_CLIENTI", _link_chunks(accounts, agents, draws_for(seed, "AGENTI_CLIENTI"))
    )
    erp.fill_from("FIDI_CLIENTI", _credit_chunks(accounts, draws_for(seed, "FIDI_CLIENTI")))
    erp.fill_from("Contact", _contact_chunks(accounts, scale, draws_for(seed, "Contact")))


def slug(name: str) -> str:
    """The letters and digits of a name, as used in a mail domain."""
    # Mail addresses have no accents, and Italian names are full of them.
    plain = unicodedata.normalize("NFKD", name.lower())
    return "".join(c for c in plain if c.isascii() and c.isalnum())[:40]


def _draw_towns(draws: Draws, agents: Agents, followers: np.ndarray) -> np.ndarray:
    """Each account lives in a town of its agent's provinces, most of all the first."""
    provinces = agents.territories[followers, weighted(draws, [6, 2, 2], len(followers))]
    places = draws.integers(0, 1_000, len(followers))
    return np.array(
        [
            _TOWNS_OF[p][town % len(_TOWNS_OF[p])]
            for p, town in zip(provinces.tolist(), places.tolist(), strict=True)
        ]
    )


def _draw_names(
    draws: Draws, kinds: np.ndarray, heads: np.ndarray, groups: np.ndarray, towns: np.ndarray
) -> list[str]:
    dice = draws.integers(0, 1_000_000, (len(kinds), 4)).tolist()
    names: list[str] = []
    for i, (kind, group) in enumerate(zip(kinds.tolist(), groups.tolist(), strict=True)):
        if kind == SITE:
            # RAGSOC takes 100 characters. A longer one would be rejected, and only wrong rows
            # should be.
            names.append(f"{names[heads[i]]} - {_TOWNS[towns[i]][0]}"[:100])
        else:
            names.append(company_name(group, *dice[i]))
    return names


def company_name(group: int, kind: int, location: int, form: int, person: int) -> str:
    """What a customer of the group calls itself; the other numbers are dice."""
    people = MEN if person % 2 else WOMEN
    name, surname = people[person % len(people)], SURNAMES[person // 7 % len(SURNAMES)]
    shop = f"{SHOP_KINDS[group][kind % len(SHOP_KINDS[group])]} {_location(location, surname)}"
    forms = CHAIN_FORMS if group in _CHAIN_GROUPS else LEGAL_FORMS
    return f"{shop} {forms[form % len(forms)].format(name=name, surname=surname)}".strip()


def _location(dice: int, surname: str) -> str:
    """In a shop's name: one of four has its owner's name in place of a street's or square's."""
    if dice % 4 == 0:
        return surname
    return PLACES[dice // 4 % len(PLACES)]


def _account_chunks(accounts: Accounts, agents: Agents, seed: int) -> Iterator[Chunk]:
    """The rows of ANAGRAFICA_CLIENTI, a chunk at a time, so that memory stays bounded."""
    draws = draws_for(seed, "ANAGRAFICA_CLIENTI/details")
    for rows in slices(accounts.size):
        size = rows.stop - rows.start
        yield {
            **_identity(accounts, rows, draws, size),
            **_terms(accounts, agents, rows, draws, size),
            **_bank(rows, draws, accounts.kinds[rows]),
            "BLOCCATO": chance(draws, 2, size).astype(int),
            # One site of a customer may be the default (fact sheet, section 10).
            "DEST_PREDEF": (accounts.kinds[rows] == SITE) * _is_first_site(accounts.heads)[rows],
            "ORARIO_SCARICO": choose(
                list(_OPENING_TIMES), draws.integers(0, len(_OPENING_TIMES), size)
            ),
            "ANNOTAZIONI": choose(list(_NOTES), draws.integers(0, len(_NOTES), size)),
            "DATA_INSERIMENTO": [f"{d} 09:00:00" for d in days(-draws.integers(30, 3_000, size))],
            "ATTIVO": [int(i < accounts.active) for i in range(rows.start, rows.stop)],
        }


def _identity(accounts: Accounts, rows: slice, draws: Draws, size: int) -> Chunk:
    """Who an account is and where. A site has the VAT number of its head, a prospect has none."""
    kinds, heads, names = (
        accounts.kinds[rows].tolist(),
        accounts.heads[rows].tolist(),
        accounts.names[rows],
    )
    towns = [_TOWNS[t] for t in accounts.towns[rows].tolist()]
    numbers = range(rows.start, rows.stop)
    owners = [
        head if kind == SITE else i for i, head, kind in zip(numbers, heads, kinds, strict=True)
    ]
    pivas = [
        "" if kind == PROSPECT else _piva(accounts, owner)
        for owner, kind in zip(owners, kinds, strict=True)
    ]
    slugs = [slug(accounts.names[owner]) for owner in owners]
    streets, civic = (
        draws.integers(0, len(STREETS), size).tolist(),
        draws.integers(1, 220, size).tolist(),
    )
    phones = draws.integers(100_000, 999_999, size).tolist()
    mobiles = draws.integers(1_000_000, 9_999_999, size).tolist()
    has_mobile = chance(draws, 70, size).tolist()
    mobiles_or_none = [m if has else None for m, has in zip(mobiles, has_mobile, strict=True)]
    return {
        "CODCLI": accounts.codes[rows],
        "TIPO": kinds,
        "CODSEDE": [accounts.codes[head] if head >= 0 else "" for head in heads],
        "RAGSOC": names,
        "INSEGNA": [
            " ".join(name.split()[:3]) if i % 4 == 0 else "" for i, name in enumerate(names)
        ],
        "INDIRIZZO": [f"{STREETS[s]} {n}" for s, n in zip(streets, civic, strict=True)],
        "CAP": [post_code for _, post_code, _ in towns],
        "CITTA": [town for town, _, _ in towns],
        "PROV": [PROVINCES[p].code for _, _, p in towns],
        "NAZIONE": "IT",
        "PIVA": pivas,
        # The tax code of an Italian company is its VAT number.
        "CODFISC": pivas,
        **_contacts(slugs, kinds, towns, phones, mobiles_or_none),
        # Seven characters, as Italy's exchange of electronic invoices has them.
        "CODSDI": [
            f"{'MUTX'[i % 4]}{i * 7919 % 1_000_000:06d}" if k == CUSTOMER else ""
            for i, k in zip(numbers, kinds, strict=True)
        ],
        "NATURA": [1 if " di " in name and "& C." not in name else 2 for name in names],
    }


def _contacts(
    slugs: list[str],
    kinds: list[int],
    towns: list[tuple[str, str, int]],
    phones: list[int],
    mobiles: list[int | None],
) -> Chunk:
    return {
        "TELEFONO": [
            f"07{p % 40 + 10} {phone}" for (_, _, p), phone in zip(towns, phones, strict=True)
        ],
        "CELLULARE": [f"34{m % 10} {m}" if m is not None else "" for m in mobiles],
        # Nobody owns the domain .example (RFC 2606), so that no mail of a demo reaches anybody.
        "EMAIL": [f"info@{s}.example" for s in slugs],
        "PEC": [
            f"{s}@pec.example" if kind == CUSTOMER else ""
            for s, kind in zip(slugs, kinds, strict=True)
        ],
    }


def _piva(accounts: Accounts, account: int) -> str:
    # The stride has no factor in common with the span, so that no number comes twice.
    number = 1_000_000 + account * 7_919 % 1_000_000
    return vat_number(number, PROVINCES[_TOWNS[accounts.towns[account]][2]].vat_office)


def _terms(accounts: Accounts, agents: Agents, rows: slice, draws: Draws, size: int) -> Chunk:
    """Whom the account belongs to and how it buys; sites and prospects have no terms of their own
    ('0').
    """
    kinds, followers = accounts.kinds[rows], accounts.agents[rows]
    own = kinds == CUSTOMER
    provinces = accounts.provinces()[rows]
    classes = weighted(draws, [8, 20, 42, 30], size)
    warehouses = lookups.codes(lookups.WAREHOUSES)
    return {
        "LIVELLO": np.where(own, np.array([5, 4, 3, 0])[classes], 0),
        "CODAGE": [agents.codes[a] if a >= 0 else "" for a in followers.tolist()],
        "CODZONA": [PROVINCES[p].code for p in provinces],
        "CATCLI": choose(lookups.codes(lookups.CUSTOMER_GROUPS), accounts.groups[rows]),
        "CATPREZZO": _where(
            own,
            choose(lookups.codes(lookups.PRICE_GROUPS), weighted(draws, [10, 40, 45, 5], size)),
            "",
        ),
        # NULL here, "0" and empty texts in the columns beside it: an import has to take each for no
        # value (fact sheet, section 8).
        "CLASTAT": _where(own, choose(lookups.codes(lookups.STATISTIC_CLASSES), classes), None),
        "CODPAG": _where(
            own, choose(lookups.codes(lookups.PAYMENT_METHODS), accounts.payments[rows]), "0"
        ),
        "CODLIS": _where(
            own, choose(lookups.codes(lookups.PRICE_LISTS), accounts.price_lists[rows]), "0"
        ),
        "CODVAL": "EUR",
        "CODLINGUA": choose(["IT", "DE", "EN"], weighted(draws, [96, 3, 1], size)),
        # Empty for the central warehouse, as ERPs leave out what goes without saying.
        "CODMAG": [
            warehouses[w] if (w := lookups.WAREHOUSE_OF_PROVINCE.get(PROVINCES[p].code, 0)) else ""
            for p in provinces
        ],
        "SCONTO1": np.where(
            own, np.array([0, 5, 10, 12.5])[weighted(draws, [60, 20, 15, 5], size)], 0
        ),
        "SCONTO2": np.where(own, np.array([0, 3])[weighted(draws, [90, 10], size)], 0),
    }


def _where(condition: np.ndarray, values: list[Any], otherwise: str | None) -> list[Any]:
    return [
        value if held else otherwise for value, held in zip(values, condition.tolist(), strict=True)
    ]


def _bank(rows: slice, draws: Draws, kinds: np.ndarray) -> Chunk:
    """The bank of the customers who pay through it."""
    size = len(kinds)
    has = ((kinds == CUSTOMER) & chance(draws, 65, size)).tolist()
    abis = choose(list(BANKS), draws.integers(0, len(BANKS), size))
    cabs = [f"{cab:05d}" for cab in draws.integers(1_000, 99_999, size).tolist()]
    conti = [f"{conto:012d}" for conto in draws.integers(1_000, 9_999_999, size).tolist()]
    parts = [part if part[0] else None for part in zip(has, abis, cabs, conti, strict=True)]
    return {
        "IBAN": [iban(p[1], p[2], p[3]) if p else "" for p in parts],
        "ABI": [p[1] if p else "" for p in parts],
        "CAB": [p[2] if p else "" for p in parts],
        "CIN": [cin(p[1], p[2], p[3]) if p else "" for p in parts],
        "CONTO": [p[3] if p else "" for p in parts],
    }


def _is_first_site(heads: np.ndarray) -> np.ndarray:
    return np.concatenate([[True], heads[1:] != heads[:-1]]).astype(int)


def _link_chunks(accounts: Accounts, agents: Agents, draws: Draws) -> Iterator[Chunk]:
    """Who follows whom: the agent, the area manager, sometimes a second agent or a former one."""
    # A site has no link of its own. It is seen through its head office.
    linked = np.flatnonzero((accounts.kinds != SITE) & (accounts.agents >= 0))
    own = accounts.agents[linked]
    # From 1 on, so that the other agent is never the same one.
    other = (own + draws.integers(1, agents.in_the_field, len(linked))) % agents.in_the_field
    second, former = chance(draws, 12, len(linked)), chance(draws, 6, len(linked))
    yield _links(accounts, agents, linked, own, "T", 0, draws)
    yield _links(accounts, agents, linked, agents.manager_of(own), "C", 0, draws)
    yield _links(accounts, agents, linked[second], other[second], "S", 0, draws)
    # Both would be the same agent, and so the same key twice.
    former &= ~second
    yield _links(accounts, agents, linked[former], other[former], "T", 1, draws)


def _links(
    accounts: Accounts,
    agents: Agents,
    rows: np.ndarray,
    followers: np.ndarray,
    role: str,
    ended: int,
    draws: Draws,
) -> Chunk:
    """Rows of AGENTI_CLIENTI. ended: 1 for links of the past, which an import must ignore."""
    return {
        "CODAGE": choose(agents.codes, followers),
        "CODCLI": choose(accounts.codes, rows),
        "RUOLO": role,
        "DAL": days(-draws.integers(30, 2_500, len(rows))),
        "CESSATO": ended,
    }


def _credit_chunks(accounts: Accounts, draws: Draws) -> Iterator[Chunk]:
    """Credit limits and turnovers of customers. Sites and prospects have none."""
    customers = np.flatnonzero(accounts.kinds == CUSTOMER)
    for part in slices(len(customers)):
        chosen = customers[part]
        size = len(chosen)
        limits = draws.integers(1, 60, size) * 500
        this_year, last_year = draws.integers(0, 9_000_000, (2, size))
        yield {
            "CODCLI": choose(accounts.codes, chosen),
            "CODVAL": "EUR",
            "FIDO": limits,
            # Some customers are beyond their limit, as everywhere.
            "ESPOSIZIONE": limits * draws.integers(0, 115, size) / 100,
            "FATTURATO_ANNO": this_year / 100,
            "FATTURATO_ANNO_PREC": last_year / 100,
            # Below zero is none, so that most have no unpaid invoice.
            "NUM_INSOLUTI": np.maximum(draws.integers(-9, 4, size), 0),
            "AGGIORNATO_IL": day(-1),
            "STATISTICHE": [
                _statistics(*years)
                for years in zip(this_year.tolist(), last_year.tolist(), strict=True)
            ],
        }


def _statistics(this_year: int, last_year: int) -> str:
    """The JSON the apps show as the customer's statistics, empty for who bought nothing."""
    if not this_year:
        return ""
    # The apps take it only as valid JSON (fact sheet, section 11).
    return json.dumps({"fatturato": {"2025": this_year / 100, "2024": last_year / 100}})


def _contact_chunks(accounts: Accounts, scale: Scale, draws: Draws) -> Iterator[Chunk]:
    """People at customers. Two in three have no birthday, written as the ERP's "no value"."""
    followed = np.flatnonzero(accounts.kinds[: accounts.active] != SITE)
    for part in slices(scale.contacts):
        size = part.stop - part.start
        owners = followed[draws.integers(0, len(followed), size)]
        women = chance(draws, 48, size).tolist()
        firsts, lasts = (
            draws.integers(0, 1_000, size).tolist(),
            draws.integers(0, len(SURNAMES), size).tolist(),
        )
        names = [
            (WOMEN if w else MEN)[f % len(WOMEN if w else MEN)]
            for w, f in zip(women, firsts, strict=True)
        ]
        surnames = [SURNAMES[last] for last in lasts]
        mobiles = draws.integers(1_000_000, 9_999_999, size).tolist()
        birthdays = days(-draws.integers(8_000, 25_000, size))
        yield {
            "Id": list(range(part.start + 1, part.stop + 1)),
            "AccountId": choose(accounts.codes, owners),
            "FirstName": names,
            "LastName": surnames,
            "Gender": ["F" if w else "M" for w in women],
            "Birthday": [d if i % 3 == 0 else "-1" for i, d in enumerate(birthdays)],
            "Phone": "",
            "MobilePhone": [f"32{m % 10} {m}" for m in mobiles],
            "Mail": [
                f"{slug(n)}.{slug(s)}@mail.example" for n, s in zip(names, surnames, strict=True)
            ],
            "MarketingConsent": chance(draws, 40, size).astype(int),
            "PrivacyConsent": 1,
            "Notes": choose(
                ["", "", "Titolare", "Responsabile acquisti", "Barista", "Chef"],
                draws.integers(0, 6, size),
            ),
            "CreationDate": [f"{d} 10:00:00" for d in days(-draws.integers(30, 2_000, size))],
        }
