"""From the columns of an account to what Google is asked: Italian addresses in one spelling, so
that each is asked once.

Only what no reader of the address would miss is changed: abbreviations are written out, case and
punctuation made alike, floors and "presso" left out. What is ambiguous stays as it is. Addresses of
other countries keep all but their blanks. No I/O.
"""

import re
import unicodedata
from dataclasses import dataclass

from kimo_assets.geocoding.places import (
    ITALY,
    SAN_MARINO,
    country_name,
    country_of,
    folded,
    province_of,
)
from kimo_assets.texts import say

# Counted up when what this module makes of an address changes: addresses already prepared are then
# prepared anew.
VERSION = 1
SEPARATOR = "\x1f"

_LONGEST_QUERY = 400
# Ends the rounds, should two rules ever undo each other.
_ROUNDS = 6


@dataclass(frozen=True)
class Address:
    """An address in one spelling. country: ISO code, None where the text names one that is not
    known here.

    country_text: what stands for it in the query. Equal queries have equal values of all but
    `problem`.
    """

    line: str
    post_code: str
    city: str
    province: str
    country: str | None
    country_text: str

    @property
    def query(self) -> str | None:
        """What is asked, None where there is nothing to ask."""
        if self.problem:
            return None
        town = " ".join(part for part in (self.post_code, self.city, self.province) if part)
        return ", ".join(part for part in (self.line, town, self.country_text) if part)[
            :_LONGEST_QUERY
        ]

    @property
    def problem(self) -> str | None:
        """Why there is nothing to ask, in a sentence."""
        if self.post_code or self.city:
            return None
        if not (self.line or self.province):
            return say("geocoding.no_address")
        written = ", ".join(part for part in (self.line, self.province) if part)
        return say("geocoding.no_town", written=written)

    @property
    def components(self) -> dict[str, str]:
        """What the answer is restricted to."""
        return {"country": self.country} if self.country else {}

    @property
    def region(self) -> str | None:
        """Where Google looks first."""
        return self.country.lower() if self.country else None


def normalise(written: str, home: str) -> Address:
    """The address in the one spelling under which it is asked.

    written: the five columns as positions.WRITTEN joins them. home: the country of addresses that
    name none.
    """
    line, post_code, city, province, country = (
        _plain(part) for part in (written.split(SEPARATOR) + [""] * 5)[:5]
    )
    country = _filled(country)
    code = country_of(country) if country else home
    # San Marino writes its addresses as Italy does, with post codes of the same form.
    if code in (ITALY, SAN_MARINO):
        return _settled(_italian(line, post_code, city, province, code))
    return Address(line, post_code, city, province, code, country or code or "")


def _settled(address: Address) -> Address:
    """Normalised until nothing changes, so that two spellings of an address end as one.

    What one change makes recognisable is then recognised too.
    """
    for _ in range(_ROUNDS):
        again = _italian(
            address.line,
            address.post_code,
            address.city,
            address.province,
            address.country or ITALY,
        )
        if again == address:
            break
        address = again
    return address


def _italian(line: str, post_code: str, city: str, province: str, country: str) -> Address:
    # Not the province: NA is Naples there.
    line, city = _filled(line), _filled(city)
    post_code = _post_code(post_code)
    if (tail := _TOWN_AT_END.match(line)) and _repeats(tail, post_code, city):
        line, post_code = tail["line"], tail["cap"]
        city = city or _town_with_province(tail)
    if (head := _CAP_IN_CITY.match(city)) and post_code in ("", head["cap"]):
        post_code, city = head["cap"], head["city"]
    city, in_city = _province_in_city(city, province_of(province) or "")
    code = province_of(province) or in_city
    # San Marino's post codes tell it also where the country says Italy.
    if post_code.startswith("4789") or folded(province) in ("rsm", "san marino"):
        country = SAN_MARINO
    if country == SAN_MARINO:
        code = ""
    town = _in_words(_written_out(_as_words(city), _TOWN_WORDS))
    if not town and not post_code and not code and country != SAN_MARINO and len(province) > 2:
        # A province that is none is kept: it may be a town's or a region's name.
        town = _in_words(_filled(province))
    return Address(
        _street(line),
        post_code,
        town,
        code,
        country,
        country_name(country),
    )


# --- text
# --------------------------------------------------------------------------------------------------

_QUOTES = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "`": "'",
        "´": "'",
        "º": "°",
        "–": "-",
        "—": "-",
        "_": " ",
        "\\": "/",
        '"': " ",
    }
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\ufeff]")
_NOTHING = re.compile(r"(?i)^(n\.?d\.?|n\.?a\.?|x+|nd|null|none|nessuno|da definire|-+)$")


def _town_with_province(tail: re.Match[str]) -> str:
    if tail["province"]:
        return f"{tail['city']} ({tail['province']})"
    return tail["city"]


def _plain(text: str) -> str:
    """One line of single blanks, in composed letters."""
    # Signs come first: NFKC makes an o of º, and a blank with an accent of ´.
    without_controls = _CONTROLS.sub(" ", text.translate(_QUOTES))
    return " ".join(unicodedata.normalize("NFKC", without_controls).split())


def _filled(text: str) -> str:
    """Empty for what people type into a field that must not be empty."""
    is_filler = _NOTHING.match(text) or not re.search(r"[^\W_]", text)
    return "" if is_filler else text


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(" ,;:-/.")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words that Italian writes small inside names.
_SMALL = _set(
    "a ad al allo alla ai agli alle da dal dallo dalla dai dagli dalle di del dello della dei degli"
    " delle e ed in nel nello nella nei negli nelle con su sul sullo sulla sui sugli sulle tra fra"
    " per bis ter quater km"
)
_ROMAN = re.compile(r"^(?=[ivxlc])(xc|xl|l?x{0,3})(ix|iv|v?i{0,3})$")
# Roman figures that are Italian words too, small or not: only the first letter is certain.
_NOT_ROMAN = _set("li di mi ci vi c l")
_WORD = re.compile(r"[^\W_]+(?:'(?=\W|$))?")


def _in_words(text: str) -> str:
    """Every word with a capital, but for those that Italian writes small.

    Roman figures of popes and of dates stand in capitals.
    """
    return _WORD.sub(lambda match: _cased(match, text), _trimmed(text))


def _cased(match: re.Match[str], text: str) -> str:
    """One word of _in_words. What follows it decides: D'Annunzio, SS. Trinità."""
    word = match[0].lower()
    follower = text[match.end() : match.end() + 1]
    is_first = match.start() == 0
    before_apostrophe = follower == "'"
    if word == "ss" and follower == ".":
        return "SS"
    if _ROMAN.match(word) and word not in _NOT_ROMAN and not before_apostrophe:
        return word.upper()
    if not is_first and (word in _SMALL or (before_apostrophe and word in _ELIDED)):
        return word
    if word[0].isdigit():
        return word if word[-1:] in "0123456789" else word.upper()
    return word[0].upper() + word[1:]


_ELIDED = _set("d dell all dall sull nell l")


# --- abbreviations
# --------------------------------------------------------------------------------------------------


def _pattern(form: str) -> str:
    """v.le: dots are optional, and blanks after them. A form ending with ! needs its dots."""
    if form.endswith("!"):
        return r"\.\s*".join(map(re.escape, form[:-1].split(".")))
    return r"\.?\s*".join(map(re.escape, form.split(".")))


def _compiled(table: dict[str, str], *, only_first: bool) -> list[tuple[re.Pattern[str], str]]:
    start = "^" if only_first else r"(?<![\w'])"
    end = r"(?![\w'/]|\.[^\W\d])\.?\s*"
    compiled = []
    for word, forms in table.items():
        alternatives = "|".join(_pattern(form) for form in forms.split())
        compiled.append((re.compile(rf"(?i){start}(?:{alternatives}){end}"), word))
    return compiled


# Kinds of streets, where a line or a part of it begins.
_KINDS = _compiled(
    {
        "Viale": "v.le",
        "Via": "via v",
        "Piazza": "p.zza p.za p.zz pzza",
        "Piazzale": "p.le p.zzale",
        "Piazzetta": "p.tta p.zzetta",
        "Corso": "c.so",
        "Largo": "l.go",
        "Lungomare": "lungom l.mare",
        "Borgo": "b.go",
        "Vicolo": "v.lo vic",
        "Galleria": "gall",
        "Contrada": "c.da contr ctr",
        "Località": "loc loc.tà loc.ta localita localita'",
        "Frazione": "fraz fr f.ne fraz.ne",
        "Strada Provinciale": "s.p strada.prov str.prov",
        "Strada Statale": "s.s strada.stat str.stat",
        "Strada Regionale": "s.r!",
        "Strada": "str s.da",
        "Traversa": "trav",
        "Salita": "sal",
        "Regione": "reg",
        "Circonvallazione": "circ circonv",
        "Zona Industriale": "z.i z.ind zona.ind zona.ind.le zona.industr zona.i!",
        "Zona Artigianale": "z.a zona.art zona.art.le",
        "Centro Commerciale": "c.c centro.comm centro.comm.le centro.c!",
        "Calle": "c.lle",
        "Fondamenta": "fond f.ta",
    },
    only_first=True,
)
_ROADS = ("Strada Provinciale", "Strada Statale", "Strada Regionale")
# Words inside a line.
_WORDS = _compiled(
    {
        "Fratelli": "f.lli",
        "Generale": "gen!",
        "Martiri": "mart!",
        "Madonna": "mad!",
        "Monsignor": "mons!",
        "Ingegner": "ing!",
        "Professor": "prof!",
        "Dottor": "dott! dr!",
        "Avvocato": "avv!",
        "Cavalier": "cav!",
        "Onorevole": "on!",
        "Santissima": "ss.ma",
        "Santissimo": "ss.mo",
        "Zona Industriale": "z.i!",
        "Porto": "p.to",
        "Monte": "m.te",
        "Castello": "cast!",
        "Ponte": "p.te",
        "Nazionale": "naz.le",
        "Provinciale": "prov.le",
        "Comunale": "com.le",
        "Industriale": "ind.le",
        "Artigianale": "art.le",
    },
    only_first=False,
)
_TOWN_WORDS = _compiled(
    {
        "Porto": "p.to",
        "Monte": "m.te",
        "Castello": "c.llo cast!",
        "Borgo": "b.go",
        "Ponte": "p.te",
        "Marina": "mna!",
    },
    only_first=False,
)

_SAINT = re.compile(r"(?i)(?<![\w'.])s\.\s*(?=([^\W\d_]+))")
_MEN = _set(
    "benedetto bernardino bernardo biagio carlo casciano cataldo cesario cipriano colombano"
    " cristoforo daniele damiano demetrio dionigi domenico donato donà felice ferdinando filippo"
    " fermo floriano francesco gabriele gaetano gavino gennaro genesio germano giacomo gimignano"
    " giorgio giovanni girolamo giuliano giuseppe giustino giusto gottardo gregorio lazzaro leo"
    " leonardo leone leucio liberale lorenzo luca luigi marcello marco mariano marino martino"
    " marzano massimo matteo mauro maurizio michele miniato nazario nazzaro nicola nicolò nicolo"
    " niccolò pancrazio paolo pellegrino pier pietro pio polo prospero quirico remo rocco romano"
    " romualdo ruffillo sabino salvatore salvo sebastiano secondo severino severo sisto silvestro"
    " teodoro tommaso valentino venanzio vendemiano vincenzo vitale vito vittore vittorino zeno"
    " zenone stino"
)
_WOMEN = _set(
    "barbara brigida caterina cecilia chiara colomba croce cristina domenica fiora fosca francesca"
    " giuliana giusta giustina liberata lucia marcella margherita maria marina marinella marta"
    " martina monica ninfa paola reparata rita rosa rosalia severa sofia teresa tecla venera"
    " vittoria viola"
)


def _saint(match: re.Match[str]) -> str:
    """S. as the saint's name wants it.

    It stays S. before a name that could be a man's or a woman's, or is unknown.
    """
    name = match[1].lower()
    if len(name) < 3:
        return "S. "
    if name in ("stefano", "spirito", "strato"):
        return "Santo "
    if name[0] in "aeiouàèéìòù" and not (name[0] == "i" and name[1:2] in "aeou"):
        return "Sant'"
    if name in _MEN:
        return "San "
    return "Santa " if name in _WOMEN else "S. "


def _as_words(text: str) -> str:
    """Blanks where typists save them, so that abbreviations are words: S.BENEDETTO, 12,Bari."""
    text = re.sub(r"(?<=[^\W\d_]{2})\.(?=[^\W\d_]{3})", ". ", text)
    return re.sub(r"\s*,\s*(?!\d{3}\b)", ", ", text)


_SAINTS = re.compile(r"(?i)(?<![\w'.])s\.\s*s\.\s*(?=[^\W\d_])|(?<![\w'.])ss\.\s*(?=[^\W\d_])")
_FIRST_OF_MAY = re.compile(r"(?i)(?<!\w)(?:1\s?°?|i°?|primo) maggio(?!\w)")
# An accent typed as an apostrophe, as on the keyboards of old; Ca' and De' are words.
_TYPED_ACCENT = re.compile(r"(?i)(?<=[^\W\d_]{3})([aeiou])'(?=\s|,|$|-)")
_ACCENTED = str.maketrans("aeiouAEIOU", "àèìòùÀÈÌÒÙ")


def _written_out(text: str, words: list[tuple[re.Pattern[str], str]]) -> str:
    text = _TYPED_ACCENT.sub(lambda match: match[1].translate(_ACCENTED), text)
    text = _SAINT.sub(_saint, _SAINTS.sub("SS. ", _FIRST_OF_MAY.sub("Primo Maggio", text)))
    for pattern, word in words:
        text = pattern.sub(f"{word} ", text)
    return " ".join(text.split())


# --- post code, town and province
# -----------------------------------------------------------------------------------

_SPACES_OR_COMMAS = r"(?:[\s,;-]+)"
_TOWN_AT_END = re.compile(
    rf"^(?P<line>.*?){_SPACES_OR_COMMAS}(?:I[T]?-)?(?P<cap>\d{{5}}){_SPACES_OR_COMMAS}(?P<city>[^\W\d_][^\d,()]*?)"
    r"(?:\s*[,(-]\s*(?P<province>[A-Za-z]{2})\s*\)?)?\s*$"
)
_CAP_IN_CITY = re.compile(r"^(?:I[T]?-)?(?P<cap>\d{5})[\s,-]+(?P<city>\D.*)$")
_IN_PARENTHESES = re.compile(r"^(?P<city>.*?)\s*[([/-]\s*(?P<province>[^()\[\]/-]+?)\s*[)\]]?\s*$")
_LAST_WORD = re.compile(r"^(?P<city>.*\S)[\s,]+(?P<province>[A-Za-z]{2})\.?$")
# Italy's post codes run from 00010 near Rome to 98168 in Messina.
_LARGEST_CAP = 98168
_SMALLEST_CAP = 10


def _post_code(text: str) -> str:
    """Five digits, with the zeros that an ERP's number has lost.

    Empty for what cannot be an Italian post code.
    """
    text = re.sub(r"(?i)^(cap|it?)[\s.:-]*(?=\d)", "", text)
    digits = re.sub(r"\s", "", re.sub(r"[.,]0+$", "", text))
    if not re.fullmatch(r"\d{2,5}", digits) or not _SMALLEST_CAP <= int(digits) <= _LARGEST_CAP:
        return ""
    return digits.zfill(5)


def _repeats(tail: re.Match[str], post_code: str, city: str) -> bool:
    """Whether a street line ends with the town that the other columns name, or they name none."""
    in_line, in_column = folded(tail["city"]), folded(city)
    is_same_town = not city or in_line.startswith(in_column) or in_column.startswith(in_line)
    return is_same_town and post_code in ("", tail["cap"])


def _province_in_city(city: str, of_column: str) -> tuple[str, str]:
    """Splits off a province that stands behind the town. of_column: the one in its own column.

    Without parentheses it must be that one, or no end of a town's name: San Benedetto Po is not in
    Prato.
    """
    if (enclosed := _IN_PARENTHESES.match(city)) and enclosed["city"]:
        code = province_of(enclosed["province"])
        if code and (city.rstrip()[-1] in ")]" or len(enclosed["province"]) == 2):
            return _province_in_city(enclosed["city"], of_column or code)[0], code
    if last := _LAST_WORD.match(city):
        code = province_of(last["province"])
        is_free = not of_column and (code != "PO" or folded(last["city"]) == "prato")
        if code and (code == of_column or is_free):
            return last["city"], code
    return city, ""


# --- street
# --------------------------------------------------------------------------------------------------

_AT = re.compile(
    r"(?i)(?<!\w)(?:c/\s*o\.?|presso|p/o)\s+[^,;]*?"
    r"(?=\s+-\s|,|;|\s+(?=(?:via|v\.le|viale|p\.?zza|piazza|corso|c\.so)\b)|$)"
)
_NO_NUMBER = re.compile(
    r"(?i)[\s,]+(?:s\.?\s?n\.?\s?c\.?|s\.\s?n\.?|s/n|senza numero(?: civico)?|sn)\s*(?=,|;|\s-\s|$)"
)
_FLOOR = re.compile(
    r"(?i)[\s,;(-]+(?:(?:int(?:erno)?|sc(?:ala)?|pal(?:azzina)?|edificio|ed|app(?:artamento)?|uff(?:icio)?|stanza)\.?\s*"
    r"(?:n\.?\s*)?(?:\d+\s?/?\s?[a-z]?|[a-z])|(?:piano|p\.no)\s*(?:terra|rialzato|primo|secondo|terzo|quarto|quinto|(?P<level>\d+)\s?°?)|"
    r"(?:primo|secondo|terzo|quarto|quinto|\d+\s?°)\s*piano|p\.\s?(?:t|terra)\.?)\)?(?=[\s,;)-]|$)"
)
_NUMBER_SIGN = re.compile(
    r"(?i)(?:\s*,\s*|\s+|^)(?:n\s*[.°]+|nr\.?|num\.?|numero|civ(?:ico)?\.?|n)\s*[.°]*\s*(?=\d)"
)
_COMMA_BEFORE_NUMBER = re.compile(
    r"(?<!\d)\s*,\s*(?=\d+(?:\s?/?\s?[^\W\d_]{1,3})?(?:\s*[-/]\s*\d+)?(?:\s?/?\s?[^\W\d_])?\s*(?:,|$))"
)
_LETTER_OF_NUMBER = re.compile(
    r"(?<=\d)\s*[/ ]?\s*(?:([^\W\d_])(?=\s*(?:,|$))|/\s*([^\W\d_])(?![^\W_]))"
)
_RANGE = re.compile(r"(?<=\d)\s*([-/])\s*(?=\d)")
_DOT_BEFORE_LETTER = re.compile(r"(?<=[^\W\d_])\.\s*(?=[^\W_])")
_DOT_AFTER_WORD = re.compile(r"(?<=[^\W\d_]{4})\.(?=\s|,|$)")
_KM = re.compile(r"(?i)(?<!\w)(?:km|chilometro)\.?\s*(\d+)\s*(?:[,.+]\s*(\d+))?")
_ROAD_NUMBER = re.compile(rf"(?i)\b({'|'.join(_ROADS)})\s+(?:n[.°]*\s*)?(\d+)")
_GLUED = re.compile(r"(?i)^(s\.?[sp]\.?|sr|s\.r\.?)\s?(?:n\.?°?\s*)?(?=\d)")


def _street(line: str) -> str:
    line = re.sub(r"(?<=\d)\s+-\s+(?=\d{1,3}\b)", "-", _without_host(line))
    line = re.sub(r"\s+[-;]\s+|\s*;\s*|\s*[()]\s*", ", ", line)
    line = _FLOOR.sub(_floor, _NO_NUMBER.sub("", _FLOOR.sub(_floor, line)))
    parts = [part for part in (_part(part) for part in _as_words(line).split(", ")) if part]
    joined = _COMMA_BEFORE_NUMBER.sub(" ", ", ".join(parts))
    return _LETTER_OF_NUMBER.sub(lambda match: f"/{(match[1] or match[2]).upper()}", joined)


def _floor(match: re.Match[str]) -> str:
    """Piano is a floor behind a house number. Before one it may be a place, and stays."""
    if match["level"] and not re.search(r"\d", match.string[: match.start()]):
        return match[0]
    return ""


def _without_host(line: str) -> str:
    """Without "c/o somebody". Where that is all there is, Google is asked for somebody."""
    rest = _trimmed(_AT.sub(" ", line))
    if _filled(rest):
        return rest
    return re.sub(r"(?i)(?<!\w)(?:c/\s*o\.?|presso|p/o)\s+", "", line)


def _part(text: str) -> str:
    """What stands between two commas."""
    text = _GLUED.sub(lambda match: f"S.{match[1].upper().strip('.')[-1]}. ", text)
    text = _kind_written_out(_trimmed(_NUMBER_SIGN.sub(", ", f" {text} ")))
    text = _written_out(text, _WORDS)
    text = _DOT_AFTER_WORD.sub("", _DOT_BEFORE_LETTER.sub(". ", text))
    text = _RANGE.sub(r"\1", _ROAD_NUMBER.sub(r"\1 \2", text))
    text = _KM.sub(lambda match: "+".join(filter(None, (f"km {match[1]}", match[2]))), text)
    return _in_words(text)


def _kind_written_out(text: str) -> str:
    """The kind of the street in full. S.S. and the like are roads only before a number.

    Others are saints.
    """
    for pattern, kind in _KINDS:
        match = pattern.match(text)
        if match and (kind not in _ROADS or _is_road(text, match)):
            return f"{kind} {text[match.end() :]}"
    return text


def _is_road(text: str, match: re.Match[str]) -> bool:
    return text[match.end() : match.end() + 1].isdigit() or match[0].lower().startswith("str")
