"""The small tables everything else points to: VAT, payments, customer groups, warehouses, price
lists.

The same at every scale. Zones depend on the agents and are written with them.
"""

from typing import Any

from kimo_assets.demo.erp_database import ErpWriter

LANGUAGES = [("IT", "Italiano"), ("EN", "English"), ("DE", "Deutsch"), ("FR", "Français")]
CURRENCIES = [
    ("EUR", "Euro", "€"),
    ("CHF", "Franco svizzero", "CHF"),
    ("GBP", "Sterlina", "£"),
    ("USD", "Dollaro", "$"),
]
VAT_RATES = [
    ("22", "IVA 22 % ordinaria", 22, 0),
    ("10", "IVA 10 % ridotta", 10, 0),
    ("04", "IVA 4 % minima", 4, 0),
    ("N31", "Non imponibile art. 8", 0, 1),
    ("E10", "Esente art. 10", 0, 1),
]
PAYMENT_TYPES = [
    ("RB", "Ricevuta bancaria"),
    ("BB", "Bonifico bancario"),
    ("RD", "Addebito SDD"),
    ("CO", "Contanti"),
    ("AS", "Assegno"),
]
PAYMENT_METHODS = [
    ("RB30", "Ri.Ba. 30 gg f.m.", "RB", 0),
    ("RB60", "Ri.Ba. 60 gg f.m.", "RB", 0),
    ("RB3060", "Ri.Ba. 30/60 gg f.m.", "RB", 0),
    ("RB90", "Ri.Ba. 90 gg f.m.", "RB", 0),
    ("BB30", "Bonifico 30 gg data fattura", "BB", 0),
    ("BB60", "Bonifico 60 gg f.m.", "BB", 0),
    ("BBANT", "Bonifico anticipato", "BB", 3),
    ("SDD30", "SDD 30 gg", "RD", 1),
    ("SDD15", "SDD 15 gg", "RD", 1.5),
    ("CONT", "Contanti alla consegna", "CO", 2),
    ("ASS", "Assegno alla consegna", "AS", 0),
    ("ASSPD", "Assegno a 30 gg", "AS", 0),
]
CUSTOMER_GROUPS = [
    ("BAR", "Bar e caffetterie", "Bars and cafés", "Bars und Cafés"),
    ("RIST", "Ristoranti e pizzerie", "Restaurants and pizzerias", "Restaurants und Pizzerien"),
    ("HOTEL", "Alberghi e villaggi", "Hotels and resorts", "Hotels und Ferienanlagen"),
    ("NEG", "Negozi alimentari", "Grocery shops", "Lebensmittelgeschäfte"),
    ("CASA", "Casalinghi e ferramenta", "Household shops", "Haushaltswaren"),
    ("COLL", "Mense e collettività", "Canteens and institutions", "Kantinen"),
    ("GDO", "Grande distribuzione", "Supermarket chains", "Supermarktketten"),
    ("ING", "Grossisti", "Wholesalers", "Großhändler"),
]
GROUP_WEIGHTS = [28, 26, 10, 18, 7, 5, 3, 3]
PRICE_GROUPS = [("A", "Fascia A"), ("B", "Fascia B"), ("C", "Fascia C"), ("D", "Direzionali")]
STATISTIC_CLASSES = [
    ("ORO", "Clienti oro"),
    ("ARG", "Clienti argento"),
    ("BRO", "Clienti bronzo"),
    ("OCC", "Occasionali"),
]

PRICE_LISTS = [
    ("BASE", "Listino Base", 100),
    ("HORECA", "Listino HORECA", 92),
    ("BAR", "Listino Bar e Caffè", 94),
    ("NEG", "Listino Negozi", 96),
    ("GC", "Listino Grandi Clienti", 84),
    ("EXP", "Listino Export", 88),
    ("ROM", "Listino Romagna", 95),
    ("ABR", "Listino Abruzzo e Molise", 96),
    ("VEN", "Listino Veneto", 97),
    ("PUG", "Listino Puglia", 95),
    ("EST", "Listino Stagionali Riviera", 93),
    ("COLL", "Listino Mense e Collettività", 90),
    ("ING", "Listino Grossisti", 80),
    ("DIP", "Listino Dipendenti", 86),
    ("WEB", "Listino B2B Web", 98),
    # A draft, which no customer has yet.
    ("2027", "Listino 2027 (bozza)", 102),
]
"""Code, description, price in hundredths of the base price. The first hold every item."""
COMPLETE_PRICE_LISTS = 5
# Only lists that hold every item, so that each customer has a price for everything.
PRICE_LIST_OF_GROUP = [2, 1, 1, 3, 0, 0, 4, 4]

WAREHOUSES = [
    ("ANC", "Deposito centrale Ancona", "Via Albertini 36", "60131", "Ancona", "AN", 1, 1, 1),
    ("RIM", "Filiale Rimini", "Via Coriano 58", "47924", "Rimini", "RN", 1, 1, 1),
    ("PES", "Filiale Pescara", "Via Tiburtina 321", "65128", "Pescara", "PE", 1, 1, 1),
    ("PAD", "Filiale Padova", "Corso Stati Uniti 18", "35127", "Padova", "PD", 1, 0, 2),
    ("BAR", "Filiale Bari", "Via delle Margherite 12", "70132", "Bari", "BA", 1, 0, 2),
]
WAREHOUSE_OF_PROVINCE = {
    **dict.fromkeys(("RN", "FC", "RA", "BO", "MO", "FE", "PU"), 1),
    **dict.fromkeys(("PE", "TE", "CH", "AQ", "CB", "RM"), 2),
    **dict.fromkeys(("PD", "VE", "TV", "VR", "UD", "TS", "CO", "BS", "TN"), 3),
    **dict.fromkeys(("FG", "BA", "LE"), 4),
}
"""Index into WAREHOUSES; the other provinces are served by the central one alone."""

ACTIVITY_TYPES = [
    ("VIS", "Visita cliente", 45, 1),
    ("TEL", "Telefonata", 15, 2),
    ("DEG", "Degustazione", 90, 3),
    ("INC", "Incasso", 20, 4),
    ("REC", "Reclamo", 30, 5),
]
VISIBILITY_FILTERS = [
    ("HORECA", "Riservato HORECA"),
    ("ALCOLICI", "Bevande alcoliche"),
    ("FRESCHI", "Freschi con furgone refrigerato"),
    ("EXPORT", "Solo export"),
    ("NOVITA", "Novità in anteprima"),
]
SEASONS = [
    ("ANN", "Continuativo"),
    ("NAT25", "Natale 2025"),
    ("PAS26", "Pasqua 2026"),
    ("EST26", "Estate 2026"),
    ("INV26", "Inverno 2026"),
]

# Kimo's defaults, spelled out so that the ERP is seen to set rules.
_BUSINESS_RULES = [
    ("ErpDocument\\FilterPerUser", "1"),
    ("ItemAvailability\\FilterMode", "0"),
    ("ItemAvailability\\GlobalAvailabilityMode", "0"),
    ("ItemImage\\ShouldFilterByActiveItems", "False"),
    ("Vat\\AccountVatRateId", "22"),
    ("Vat\\ItemVatRateId", "22"),
    # The manual gives no defaults for these two (fact sheet, section 11).
    ("Sync\\MaxHoursWithoutSync", "72"),
    ("Sync\\WarningHoursWithoutSync", "24"),
]


def write_lookups(erp: ErpWriter) -> None:
    """Fills the ERP's small tables, which all others point to."""
    erp.fill_rows("Language", LANGUAGES)
    erp.fill_rows("Currency", CURRENCIES)
    erp.fill_rows("ALIQUOTE_IVA", VAT_RATES)
    erp.fill_rows("PaymentType", PAYMENT_TYPES)
    erp.fill_rows("CONDIZIONI_PAGAMENTO", PAYMENT_METHODS)
    erp.fill_rows(
        "CustomerGroup", [(code, name, i) for i, (code, name, *_) in enumerate(CUSTOMER_GROUPS, 1)]
    )
    erp.fill_rows("CustomerGroupTranslation", _group_translations())
    erp.fill_rows(
        "CustomerPriceGroup", [(code, name, i) for i, (code, name) in enumerate(PRICE_GROUPS, 1)]
    )
    erp.fill_rows("StatisticClass", STATISTIC_CLASSES)
    erp.fill_rows("BusinessRuleFromErp", _BUSINESS_RULES)
    erp.fill_rows("ActivityType", ACTIVITY_TYPES)
    erp.fill_rows("Season", SEASONS)
    erp.fill_rows("VisibilityFilter", VISIBILITY_FILTERS)
    erp.fill_rows("MAGAZZINI", WAREHOUSES)
    # Idle. The manual does not say who writes the first row (fact sheet, section 4).
    erp.fill_rows("ExportToErpSemaphore", [(0,)])
    erp.fill_rows("LISTINI", [(code, name, i) for i, (code, name, _) in enumerate(PRICE_LISTS, 1)])


def codes(rows: list[tuple[Any, ...]]) -> list[str]:
    """The codes of a lookup, in order."""
    return [row[0] for row in rows]


def _group_translations() -> list[tuple[str, str, str]]:
    return [
        (code, language, name)
        for code, _, english, german in CUSTOMER_GROUPS
        for language, name in (("EN", english), ("DE", german))
    ]
