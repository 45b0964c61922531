"""Addresses as ERPs hold them, and the one spelling that is asked."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kimo_assets.geocoding.addresses import SEPARATOR, Address, normalise
from kimo_assets.geocoding.places import country_name, country_of, province_name, province_of


def address(
    line: str = "", post_code: str = "", city: str = "", province: str = "", country: str = ""
) -> Address:
    return normalise(SEPARATOR.join((line, post_code, city, province, country)), "IT")


STREETS = {
    "V.LE DELLA VITTORIA, 12": "Viale della Vittoria 12",
    "VLE TRIESTE 3": "Viale Trieste 3",
    "V. LE TRIESTE N. 3": "Viale Trieste 3",
    "V. ROMA 3": "Via Roma 3",
    "VIA ROMA,12": "Via Roma 12",
    "Via  Roma ,12": "Via Roma 12",
    "via roma n°12": "Via Roma 12",
    "Via Roma, n. 12/b": "Via Roma 12/B",
    "VIA ROMA NR 12 B": "Via Roma 12/B",
    "VIA ROMA 12b": "Via Roma 12/B",
    "VIA ROMA 12 / 14": "Via Roma 12/14",
    "VIA ROMA 12 - 14": "Via Roma 12-14",
    "VIA ROMA 12 BIS": "Via Roma 12 bis",
    "P.ZZA DEL POPOLO, N° 4": "Piazza del Popolo 4",
    "P.ZA CAVOUR 1": "Piazza Cavour 1",
    "PZA CAVOUR 1": "Piazza Cavour 1",
    "P.LE LORETO 1": "Piazzale Loreto 1",
    "P.TTA S. LUCIA": "Piazzetta Santa Lucia",
    "C.SO GARIBALDI 12/A": "Corso Garibaldi 12/A",
    "C.so Garibaldi 12": "Corso Garibaldi 12",
    "L.GO AUGUSTO 1": "Largo Augusto 1",
    "STR. PROV. 12": "Strada Provinciale 12",
    "S.P. 12 KM 3": "Strada Provinciale 12 km 3",
    "S.S. 16 KM 293,500": "Strada Statale 16 km 293+500",
    "SS16 n. 4": "Strada Statale 16, 4",
    "SS 16 ADRIATICA": "Strada Statale 16 Adriatica",
    "STR. DELLE MARCHE 3": "Strada delle Marche 3",
    "LOC. PIANO 5": "Località Piano 5",
    "FRAZ. S. MARIA 3": "Frazione Santa Maria 3",
    "C.DA S. ANTONIO": "Contrada Sant'Antonio",
    "CDA FONTE SNC": "Contrada Fonte",
    "VIA S. MARTINO, 4 S.N.C.": "Via San Martino 4",
    "VIA S.ANGELO 1": "Via Sant'Angelo 1",
    "VIA S. STEFANO 1": "Via Santo Stefano 1",
    "VIA S. PANTALEO 1": "Via S. Pantaleo 1",
    "VIA SS. ANNUNZIATA 3": "Via SS. Annunziata 3",
    "PIAZZA S.S. TRINITA' 1": "Piazza SS. Trinità 1",
    "VIA ROMA SNC": "Via Roma",
    "VIA ROMA, S.N.": "Via Roma",
    "Via Roma senza numero": "Via Roma",
    "Via Roma 12 int. 4": "Via Roma 12",
    "Via Roma 12, interno 4/B": "Via Roma 12",
    "Via Roma 12, scala B, piano 2": "Via Roma 12",
    "VIA ROMA 12 - 2° PIANO": "Via Roma 12",
    "Via Roma 12 (piano terra)": "Via Roma 12",
    "Via Mazzini 3, Palazzina C": "Via Mazzini 3",
    "Z.I. BARACCOLA": "Zona Industriale Baraccola",
    "VIA ALBERTINI 3 - Z.I.": "Via Albertini 3, Zona Industriale",
    "VIA 1° MAGGIO 4": "Via Primo Maggio 4",
    "VIA I MAGGIO 4": "Via Primo Maggio 4",
    "VIA XX SETTEMBRE 5": "Via XX Settembre 5",
    "VIA IV NOVEMBRE": "Via IV Novembre",
    "VIA 25 APRILE, 12": "Via 25 Aprile 12",
    "VIA VITTORIO EMANUELE II, 4": "Via Vittorio Emanuele II 4",
    "C/O CENTRO COMMERCIALE LE PIAZZE": "Centro Commerciale Le Piazze",
    "C/O BAR SPORT VIA ROMA 3": "Via Roma 3",
    "VIA ROMA 3 C/O BAR SPORT": "Via Roma 3",
    "PRESSO STAZIONE - VIA ROMA 3": "Via Roma 3",
    "VIA F.LLI CERVI 12": "Via Fratelli Cervi 12",
    "VIA GEN. CANTORE 3": "Via Generale Cantore 3",
    "VIA G.GARIBALDI 5": "Via G. Garibaldi 5",
    "VIA L. DA VINCI 3": "Via L. da Vinci 3",
    "VIA C. COLOMBO 5": "Via C. Colombo 5",
    "VIA NAZ.LE 4": "Via Nazionale 4",
    "via dell'artigianato, 8": "Via dell'Artigianato 8",
    "VIA DELL’INDUSTRIA 3": "Via dell'Industria 3",
    "VIA CADUTI LIBERTA' 3": "Via Caduti Libertà 3",
    "VIA CA' BIANCA 3": "Via Ca' Bianca 3",
    "VIA DE GASPERI 4": "Via De Gasperi 4",
    "S. Marco 1234": "San Marco 1234",
    "-": "",
    "N.D.": "",
    "***": "",
    "x": "",
}


@pytest.mark.parametrize(("written", "line"), STREETS.items(), ids=list(STREETS))
def test_streets(written: str, line: str) -> None:
    assert address(written, "60121", "Ancona", "AN").line == line


TOWNS = {
    ("", "60121", "ANCONA", "AN"): "60121 Ancona AN",
    ("", "187", "ROMA", "RM"): "00187 Roma RM",
    ("", "6121.0", "Perugia", "pg"): "06121 Perugia PG",
    ("", "I-60035", "Jesi", "(AN)"): "60035 Jesi AN",
    ("", "60121", "Ancona (AN)", ""): "60121 Ancona AN",
    ("", "60121", "ANCONA AN", "AN"): "60121 Ancona AN",
    ("", "60121", "ANCONA AN", ""): "60121 Ancona AN",
    ("", "61121", "PESARO - PU", ""): "61121 Pesaro PU",
    ("", "61121", "Pesaro", "PS"): "61121 Pesaro PU",
    ("", "47121", "FORLI'", "FO"): "47121 Forlì FC",
    ("", "47121", "Forlì", "Forlì-Cesena"): "47121 Forlì FC",
    ("", "60121", "Ancona", "ANCONA"): "60121 Ancona AN",
    ("", "60121", "Ancona", "Prov. di Ancona"): "60121 Ancona AN",
    ("", "", "60121 ANCONA", "AN"): "60121 Ancona AN",
    ("", "63074", "S.BENEDETTO DEL TRONTO", "AP"): "63074 San Benedetto del Tronto AP",
    ("", "63822", "P.TO S. GIORGIO", "FM"): "63822 Porto San Giorgio FM",
    ("", "63811", "S. ELPIDIO A MARE", "FM"): "63811 Sant'Elpidio a Mare FM",
    ("", "46027", "SAN BENEDETTO PO", "MN"): "46027 San Benedetto Po MN",
    ("", "46027", "SAN BENEDETTO PO", ""): "46027 San Benedetto Po",
    ("", "59100", "PRATO PO", ""): "59100 Prato PO",
    ("", "39100", "Bozen", "Südtirol"): "39100 Bozen BZ",
    ("", "67100", "L'AQUILA", "AQ"): "67100 L'Aquila AQ",
    ("", "42121", "REGGIO NELL'EMILIA", "RE"): "42121 Reggio nell'Emilia RE",
    ("", "99999", "Jesi", "AN"): "Jesi AN",
    ("", "0", "Jesi", "AN"): "Jesi AN",
    ("", "", "Jesi", ""): "Jesi",
    ("", "60035", "", ""): "60035",
    ("", "06121", "Perugia", "Umbria"): "06121 Perugia",
}


@pytest.mark.parametrize(
    ("written", "town"), TOWNS.items(), ids=[" ".join(written[1:]) for written in TOWNS]
)
def test_towns_post_codes_and_provinces(written: tuple[str, ...], town: str) -> None:
    assert address(*written).query == f"{town}, Italia"


@pytest.mark.parametrize(
    "parts",
    [
        ("VIA ROMA 1 - 60121 ANCONA (AN)",),
        ("Via Roma, 1, 60121 Ancona (AN)", "60121", "Ancona", "AN"),
        ("Via Roma 1 60121 ANCONA", "", "ANCONA", "AN"),
    ],
)
def test_a_town_that_the_street_line_repeats_or_alone_has_is_taken_out_of_it(
    parts: tuple[str, ...],
) -> None:
    assert address(*parts).query == "Via Roma 1, 60121 Ancona AN, Italia"


@pytest.mark.parametrize("country", ["", "IT", "it", "ITA", "I", "ITALIA", "Italy", "380", "-"])
def test_all_names_of_italy_are_one_and_none_is_the_configured_one(country: str) -> None:
    found = address("Via Roma 1", "60121", "Ancona", "AN", country)
    assert (found.query, found.components, found.region) == (
        "Via Roma 1, 60121 Ancona AN, Italia",
        {"country": "IT"},
        "it",
    )


@pytest.mark.parametrize(
    ("parts", "query", "country"),
    [
        (
            ("10 rue de  Rivoli", "75001", "PARIS", "", "FR"),
            "10 rue de Rivoli, 75001 PARIS, FR",
            "FR",
        ),
        (
            ("Bahnhofstr. 3", "8001", "Zürich", "ZH", "Svizzera"),
            "Bahnhofstr. 3, 8001 Zürich ZH, Svizzera",
            "CH",
        ),
        (("V.le Neki 3", "1000", "Ljubljana", "", "SVN"), "V.le Neki 3, 1000 Ljubljana, SVN", "SI"),
        (("Some St. 1", "", "Accra", "", "Ghana"), "Some St. 1, Accra, Ghana", None),
        (
            ("V. ROMA 1", "47890", "SAN MARINO", "RSM", ""),
            "Via Roma 1, 47890 San Marino, San Marino",
            "SM",
        ),
        (
            ("V. ROMA 1", "47891", "Dogana", "", "San Marino"),
            "Via Roma 1, 47891 Dogana, San Marino",
            "SM",
        ),
    ],
)
def test_addresses_abroad_keep_all_but_their_blanks(
    parts: tuple[str, ...], query: str, country: str | None
) -> None:
    found = address(*parts)
    assert (found.query, found.country) == (query, country)


def test_the_home_country_may_be_another() -> None:
    found = normalise(SEPARATOR.join(("Hauptstr. 1", "8001", "Zürich", "", "")), "CH")
    assert (found.query, found.components) == ("Hauptstr. 1, 8001 Zürich, CH", {"country": "CH"})


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((), "There is no address"),
        (("-", "", "N.D.", "", "IT"), "There is no address"),
        (("Via Roma 1", "", "", "", "IT"), "Neither a town nor a post code, only 'Via Roma 1'"),
        (
            ("Via Roma 1", "00000", ".", "AN", ""),
            "Neither a town nor a post code, only 'Via Roma 1, AN'",
        ),
    ],
)
def test_what_cannot_be_asked_says_why(parts: tuple[str, ...], said: str) -> None:
    found = address(*parts)
    assert found.query is None
    assert found.problem is not None
    assert said in found.problem


# --- properties
# --------------------------------------------------------------------------------------------------

_KINDS = [
    "VIA",
    "V.LE",
    "P.ZZA",
    "C.so",
    "L.GO",
    "S.S.",
    "SP",
    "LOC.",
    "fraz.",
    "C.DA",
    "Z.I.",
    "Vico",
    "STR.",
    "",
]
_NAMES = [
    "ROMA",
    "S. MARTINO",
    "s.anna",
    "DELLA LIBERTA'",
    "XX Settembre",
    "F.LLI CERVI",
    "G.B. VICO",
    "D'AZEGLIO",
    "16",
    "1° MAGGIO",
    "De Gasperi",
    "S.S. TRINITA'",
    "GEN. CANTORE",
    "DELL’ARTIGIANATO",
    "PIANO",
    "Km 3,200",
    "C/O BAR SPORT",
    "Ca' Bianca",
]
_NUMBERS = [
    "",
    "12",
    ", 12",
    "N. 12/A",
    "n° 12 b",
    "12-14",
    "12 BIS",
    "SNC",
    "S.N.C.",
    ", s.n.",
    "12 int. 4",
    "12 SC. B",
    "- 2° PIANO",
]
_TOWNS = [
    "ANCONA",
    "Ancona (AN)",
    "ANCONA AN",
    "60121 ANCONA",
    "S.BENEDETTO DEL TRONTO",
    "San Benedetto Po",
    "FORLI'",
    "L'AQUILA",
    "",
    "-",
]

_words = (st.sampled_from(_KINDS), st.sampled_from(_NAMES), st.sampled_from(_NUMBERS))
_lines = st.builds(lambda *parts: " ".join(parts), *_words)
_texts = st.text(
    st.sampled_from(string.ascii_letters + "0123456789 .,'/-()°àèìòùÀÉ;:&"), max_size=30
)
_written = st.tuples(
    st.one_of(_lines, st.builds(lambda one, other: f"{one} - {other}", _lines, _lines), _texts),
    st.one_of(st.sampled_from(["", "60121", "187", "00187", "I-60121", "99999", "0"]), _texts),
    st.one_of(st.sampled_from(_TOWNS), _texts),
    st.one_of(st.sampled_from(["", "AN", "(AN)", "Ancona", "PS", "Marche", "RSM"]), _texts),
    st.one_of(
        st.sampled_from(["", "IT", "ITALIA", "FR", "Svizzera", "San Marino", "Ghana"]), _texts
    ),
)


@settings(max_examples=600, deadline=None)
@given(_written)
@example(("VIA S.S. S. ANNA", "", "A", "", ""))
def test_a_normalised_address_is_itself(parts: tuple[str, ...]) -> None:
    once = address(*parts)
    again = address(once.line, once.post_code, once.city, once.province, once.country_text)
    assert again == once
    assert (once.query is None) != (once.problem is None)
    assert once.query is None or once.query == " ".join(once.query.split())


@settings(max_examples=200, deadline=None)
@given(_lines)
def test_case_and_blanks_do_not_matter(line: str) -> None:
    spellings = {
        address(spelling, "60121", "Ancona").query
        for spelling in (line, line.upper(), line.lower(), f" {line}  ")
    }
    assert len(spellings) == 1


def test_provinces_and_countries_are_known_in_both_directions() -> None:
    assert [province_of(name) for name in ("an", "ANCONA", "Valle d'Aosta", "XX")] == [
        "AN",
        "AN",
        "AO",
        None,
    ]
    assert [country_of(name) for name in ("fra", "DEUTSCHLAND", "österreich", "Atlantis")] == [
        "FR",
        "DE",
        "AT",
        None,
    ]
    assert (province_name("MB"), province_name("XX")) == ("Monza e della Brianza", "XX")
    assert (country_name("HR"), country_name("XX")) == ("Croazia", "XX")
