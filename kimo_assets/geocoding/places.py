"""Names of places as addresses write them: Italy's provinces and the countries of Europe. Lists,
and looking things up.
"""

import re
import unicodedata

ITALY, SAN_MARINO = "IT", "SM"

# Codes and names in both languages where a province has two.
# CI, OG, OT and VS, abolished in 2016, stay: address lists still hold them.
_PROVINCES = """
AG Agrigento; AL Alessandria; AN Ancona; AO Aosta/Valle d'Aosta/Aoste; AP Ascoli Piceno;
AQ L'Aquila; AR Arezzo; AT Asti; AV Avellino; BA Bari; BG Bergamo; BI Biella; BL Belluno;
BN Benevento; BO Bologna; BR Brindisi; BS Brescia; BT Barletta-Andria-Trani;
BZ Bolzano/Bozen/Alto Adige/Südtirol; CA Cagliari; CB Campobasso; CE Caserta; CH Chieti;
CI Carbonia-Iglesias; CL Caltanissetta; CN Cuneo; CO Como; CR Cremona; CS Cosenza; CT Catania;
CZ Catanzaro; EN Enna; FC Forlì-Cesena; FE Ferrara; FG Foggia; FI Firenze; FM Fermo; FR Frosinone;
GE Genova; GO Gorizia; GR Grosseto; IM Imperia; IS Isernia; KR Crotone; LC Lecco; LE Lecce;
LI Livorno; LO Lodi; LT Latina; LU Lucca; MB Monza e della Brianza/Monza e Brianza; MC Macerata;
ME Messina; MI Milano; MN Mantova; MO Modena; MS Massa-Carrara/Massa Carrara; MT Matera;
NA Napoli; NO Novara; NU Nuoro; OG Ogliastra; OR Oristano; OT Olbia-Tempio; PA Palermo;
PC Piacenza; PD Padova; PE Pescara; PG Perugia; PI Pisa; PN Pordenone; PO Prato; PR Parma;
PT Pistoia; PU Pesaro e Urbino/Pesaro-Urbino/Pesaro; PV Pavia; PZ Potenza; RA Ravenna;
RC Reggio di Calabria/Reggio Calabria; RE Reggio nell'Emilia/Reggio Emilia; RG Ragusa; RI Rieti;
RM Roma; RN Rimini; RO Rovigo; SA Salerno; SI Siena; SO Sondrio; SP La Spezia; SR Siracusa;
SS Sassari; SU Sud Sardegna; SV Savona; TA Taranto; TE Teramo; TN Trento; TO Torino; TP Trapani;
TR Terni; TS Trieste; TV Treviso; UD Udine; VA Varese; VB Verbano-Cusio-Ossola; VC Vercelli;
VE Venezia; VI Vicenza; VR Verona; VS Medio Campidano; VT Viterbo; VV Vibo Valentia
"""
# Codes of before 1999 that address lists still hold.
_RENAMED = {"PS": "PU", "FO": "FC"}

# ISO codes and the names in Italian, English and the country's own language.
_COUNTRIES = """
IT ITA Italia/Italy/Italien/Italie; SM SMR San Marino/Repubblica di San Marino/RSM;
VA VAT Città del Vaticano/Vatican City; AL ALB Albania; AT AUT Austria/Österreich;
BA BIH Bosnia ed Erzegovina/Bosnia-Erzegovina/Bosnia and Herzegovina/Bosnia;
BE BEL Belgio/Belgium/Belgique/België; BG BGR Bulgaria;
CH CHE Svizzera/Switzerland/Schweiz/Suisse; CY CYP Cipro/Cyprus;
CZ CZE Repubblica Ceca/Czech Republic/Czechia/Cechia; DE DEU Germania/Germany/Deutschland;
DK DNK Danimarca/Denmark/Danmark; EE EST Estonia; ES ESP Spagna/Spain/España;
FI FIN Finlandia/Finland; FR FRA Francia/France;
GB GBR Regno Unito/Gran Bretagna/Inghilterra/United Kingdom/Great Britain/UK;
GR GRC Grecia/Greece; HR HRV Croazia/Croatia/Hrvatska; HU HUN Ungheria/Hungary;
IE IRL Irlanda/Ireland; IS ISL Islanda/Iceland; LI LIE Liechtenstein; LT LTU Lituania/Lithuania;
LU LUX Lussemburgo/Luxembourg; LV LVA Lettonia/Latvia; MC MCO Principato di Monaco/Monaco;
MD MDA Moldavia/Moldova; ME MNE Montenegro; MK MKD Macedonia/Macedonia del Nord/North Macedonia;
MT MLT Malta; NL NLD Paesi Bassi/Olanda/Netherlands; NO NOR Norvegia/Norway;
PL POL Polonia/Poland/Polska; PT PRT Portogallo/Portugal; RO ROU Romania; RS SRB Serbia;
RU RUS Russia; SE SWE Svezia/Sweden/Sverige; SI SVN Slovenia/Slovenija;
SK SVK Slovacchia/Slovakia; TR TUR Turchia/Turkey; UA UKR Ucraina/Ukraine;
US USA Stati Uniti/Stati Uniti d'America/United States; CA CAN Canada; CN CHN Cina/China;
JP JPN Giappone/Japan
"""
# A single letter as on cars, and the number of ISO.
_OTHER_CODES = {"i": "IT", "380": "IT", "d": "DE", "f": "FR", "a": "AT"}


def folded(text: str) -> str:
    """For comparing names: without case, accents, punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(
        re.sub(
            r"[^a-z0-9]+", " ", "".join(c for c in plain if not unicodedata.combining(c))
        ).split()
    )


def _read(table: str, codes: int) -> dict[str, list[str]]:
    """First code -> the other codes and the names."""
    entries = [entry.split(maxsplit=codes) for entry in table.split(";")]
    return {first: [*others, *names.split("/")] for first, *others, names in entries}


_PROVINCE_NAMES = _read(_PROVINCES, 1)
_PROVINCE_OF = {
    folded(name): code for code, names in _PROVINCE_NAMES.items() for name in (code, *names)
} | {folded(old): new for old, new in _RENAMED.items()}
_COUNTRY_NAMES = _read(_COUNTRIES, 2)
_COUNTRY_OF = {
    folded(name): code for code, names in _COUNTRY_NAMES.items() for name in (code, *names)
} | _OTHER_CODES
_PROVINCE_WORDS = re.compile(r"^(provincia|prov)\b( (di|dell|del|della))?( |$)")


def province_of(text: str) -> str | None:
    """The two letters of an Italian province given by them or by its name."""
    return _PROVINCE_OF.get(_PROVINCE_WORDS.sub("", folded(text)))


def province_name(code: str) -> str:
    """In Italian, where it is known."""
    names = _PROVINCE_NAMES.get(code, (code,))
    return names[0]


def country_of(text: str) -> str | None:
    """The ISO code of a country given by a code or a name."""
    return _COUNTRY_OF.get(folded(text))


def country_name(code: str) -> str:
    """In Italian, where it is known."""
    names = _COUNTRY_NAMES.get(code, (code, code))
    return names[1]
