"""Italian names: people, towns, streets, shops and bars. Pure lists.

Products have a module of their own, `products`.
"""

from dataclasses import dataclass

COMPANY = "Distribuzioni Adriatiche S.p.A."

# Where the demo plays the web site of the makers of its goods (fake_image_site.py).
MAKERS_SITE = "127.0.0.1:8417"


@dataclass(frozen=True)
class Province:
    """A province of the sales network: its code, name, VAT office and towns with their post
    code.
    """

    code: str
    name: str
    vat_office: str
    towns: tuple[tuple[str, str], ...]


def _province(code: str, name: str, vat_office: str, towns: str) -> Province:
    pairs = (town.strip().rsplit(" ", 1) for town in towns.split(","))
    return Province(code, name, vat_office, tuple((town, post_code) for town, post_code in pairs))


PROVINCES: tuple[Province, ...] = (
    _province(
        "AN",
        "Ancona",
        "042",
        "Ancona 60121, Senigallia 60019, Jesi 60035, Osimo 60027, Fabriano 60044, Falconara"
        " Marittima 60015, Loreto 60025, Castelfidardo 60022",
    ),
    _province(
        "PU", "Pesaro e Urbino", "041", "Pesaro 61121, Fano 61032, Urbino 61029, Fossombrone 61034"
    ),
    _province(
        "MC",
        "Macerata",
        "043",
        "Macerata 62100, Civitanova Marche 62012, Recanati 62019, Tolentino 62029, Porto Recanati"
        " 62017",
    ),
    _province(
        # The province is younger than the offices, and has that of Ascoli Piceno.
        "FM",
        "Fermo",
        "044",
        "Fermo 63900, Porto San Giorgio 63822, Porto Sant'Elpidio 63821, Sant'Elpidio a Mare 63811",
    ),
    _province(
        "AP",
        "Ascoli Piceno",
        "044",
        "Ascoli Piceno 63100, San Benedetto del Tronto 63074, Grottammare 63066",
    ),
    _province(
        # Younger too: it has the office of Forlì.
        "RN",
        "Rimini",
        "040",
        "Rimini 47921, Riccione 47838, Cattolica 47841, Bellaria-Igea Marina 47814, "
        "Santarcangelo di Romagna 47822",
    ),
    _province("FC", "Forlì-Cesena", "040", "Forlì 47121, Cesena 47521, Cesenatico 47042"),
    _province("RA", "Ravenna", "039", "Ravenna 48121, Faenza 48018, Cervia 48015, Lugo 48022"),
    _province("PE", "Pescara", "068", "Pescara 65121, Montesilvano 65015"),
    _province("TE", "Teramo", "067", "Teramo 64100, Giulianova 64021, Roseto degli Abruzzi 64026"),
    _province(
        "CH",
        "Chieti",
        "069",
        "Chieti 66100, Vasto 66054, Ortona 66026, Lanciano 66034, Francavilla al Mare 66023",
    ),
    _province("AQ", "L'Aquila", "066", "L'Aquila 67100, Avezzano 67051, Sulmona 67039"),
    _province("BO", "Bologna", "037", "Bologna 40121, Imola 40026, Casalecchio di Reno 40033"),
    _province("MO", "Modena", "036", "Modena 41121, Carpi 41012, Sassuolo 41049"),
    _province("FE", "Ferrara", "038", "Ferrara 44121, Comacchio 44022, Cento 44042"),
    _province(
        "PG",
        "Perugia",
        "054",
        "Perugia 06121, Assisi 06081, Foligno 06034, Città di Castello 06012",
    ),
    _province("PD", "Padova", "028", "Padova 35121, Abano Terme 35031, Este 35042"),
    _province("VE", "Venezia", "027", "Venezia 30121, Chioggia 30015, Jesolo 30016"),
    _province("TV", "Treviso", "026", "Treviso 31100, Conegliano 31015, Castelfranco Veneto 31033"),
    _province("VR", "Verona", "023", "Verona 37121, Peschiera del Garda 37019, Legnago 37045"),
    _province("UD", "Udine", "030", "Udine 33100, Lignano Sabbiadoro 33054"),
    _province("TS", "Trieste", "032", "Trieste 34121"),
    _province("CO", "Como", "013", "Como 22100, Cantù 22063, Erba 22036"),
    _province("BS", "Brescia", "017", "Brescia 25121, Desenzano del Garda 25015, Sirmione 25019"),
    _province("TN", "Trento", "022", "Trento 38121, Riva del Garda 38066"),
    _province("CB", "Campobasso", "070", "Campobasso 86100, Termoli 86039"),
    _province(
        "FG", "Foggia", "071", "Foggia 71121, Vieste 71019, Manfredonia 71043, San Severo 71016"
    ),
    _province(
        "BA", "Bari", "072", "Bari 70121, Monopoli 70043, Polignano a Mare 70044, Altamura 70022"
    ),
    _province("LE", "Lecce", "075", "Lecce 73100, Gallipoli 73014, Otranto 73028"),
    _province("RM", "Roma", "058", "Roma 00184, Fiumicino 00054"),
)

WOMEN = [
    "Anna",
    "Maria",
    "Giulia",
    "Francesca",
    "Chiara",
    "Elena",
    "Paola",
    "Laura",
    "Silvia",
    "Federica",
    "Alessandra",
    "Martina",
    "Valentina",
    "Roberta",
    "Cristina",
    "Monica",
    "Barbara",
    "Daniela",
    "Ilaria",
    "Simona",
    "Lucia",
    "Sofia",
    "Beatrice",
    "Noemi",
]
MEN = [
    "Marco",
    "Andrea",
    "Giuseppe",
    "Luca",
    "Giovanni",
    "Francesco",
    "Paolo",
    "Alessandro",
    "Matteo",
    "Stefano",
    "Davide",
    "Roberto",
    "Fabio",
    "Simone",
    "Lorenzo",
    "Gabriele",
    "Antonio",
    "Mario",
    "Claudio",
    "Massimo",
    "Niccolò",
    "Gianluca",
    "Enrico",
    "Tommaso",
]
SURNAMES = [
    "Rossi",
    "Bianchi",
    "Ferrari",
    "Esposito",
    "Romano",
    "Colombo",
    "Ricci",
    "Marino",
    "Greco",
    "Bruno",
    "Gallo",
    "Conti",
    "De Luca",
    "Mancini",
    "Costa",
    "Giordano",
    "Rizzo",
    "Lombardi",
    "Moretti",
    "Barbieri",
    "Fontana",
    "Santoro",
    "Mariani",
    "Rinaldi",
    "Caruso",
    "Ferrara",
    "Galli",
    "Martini",
    "Leone",
    "Longo",
    "Gentile",
    "Martinelli",
    "Vitale",
    "Lombardo",
    "Serra",
    "Coppola",
    "De Santis",
    "D'Angelo",
    "Marchetti",
    "Parisi",
    "Villa",
    "Conte",
    "Ferraro",
    "Ferri",
    "Fabbri",
    "Bianco",
    "Marini",
    "Grasso",
    "Valentini",
    "Messina",
    "Sala",
    "De Angelis",
    "Gatti",
    "Pellegrini",
    "Palumbo",
    "Sanna",
    "Farina",
    "Rizzi",
    "Monti",
    "Cattaneo",
    "Morelli",
    "Amato",
    "Silvestri",
    "Mazza",
    "Testa",
    "Grassi",
    "Pagano",
    "Nicolò",
    "Donà",
    "D'Amico",
    "Battistini",
    "Foglietti",
    "Sabbatini",
    "Montanari",
    "Zanotti",
    "Baldassarri",
    "Giuliani",
    "Pierantoni",
    "Cesaretti",
    "Piersanti",
]

STREETS = [
    "Via Roma",
    "Corso Garibaldi",
    "Via Mazzini",
    "Piazza del Popolo",
    "Via Cavour",
    "Viale della Vittoria",
    "Via XX Settembre",
    "Lungomare Marconi",
    "Via Dante Alighieri",
    "Corso Matteotti",
    "Via dell'Artigianato",
    "Via Flaminia",
    "Via Adriatica",
    "Piazza della Libertà",
    "Via Verdi",
    "Via San Martino",
    "Via dei Mille",
    "Via Giacomo Leopardi",
    "Strada Statale 16",
    "Via della Repubblica",
    "Borgo Sant'Antonio",
    "Via IV Novembre",
    "Viale Trieste",
    "Via Gramsci",
    "Via del Porto",
]

PLACES = [
    "Centrale",
    "del Porto",
    "della Stazione",
    "Miramare",
    "Belvedere",
    "Adriatico",
    "Italia",
    "San Marco",
    "dell'Angolo",
    "del Corso",
    "Garibaldi",
    "La Pergola",
    "Il Gabbiano",
    "Sport",
    "Duomo",
    "Europa",
    "Aurora",
    "Vecchio Mulino",
    "La Rotonda",
    "Due Torri",
    "Bella Vista",
    "Il Faro",
    "La Conchiglia",
    "Conero",
    "Riviera",
    "dei Tigli",
    "Villa Fiorita",
    "Moderno",
    "Imperiale",
    "del Borgo",
    "Stella Marina",
    "Tre Ponti",
    "La Lanterna",
    "Piccolo Mondo",
    "Il Girasole",
    "Santa Lucia",
    "Quattro Stagioni",
    "Portonovo",
    "Al Castello",
    "Felicità",
]

SHOP_KINDS: tuple[tuple[str, ...], ...] = (
    ("Bar", "Caffè", "Bar Pasticceria", "Gran Caffè", "Bar Tabacchi"),
    ("Ristorante", "Trattoria", "Osteria", "Pizzeria", "Agriturismo"),
    ("Hotel", "Albergo", "Residence", "Hotel Ristorante", "Camping Village"),
    ("Alimentari", "Minimarket", "Panificio", "Gastronomia", "Bottega", "Frutta e Verdura"),
    ("Casalinghi", "Ferramenta e Casalinghi", "Articoli per la Casa", "Detersivi & Casa"),
    ("Mensa", "Casa di Riposo", "Istituto Scolastico", "Clinica"),
    ("Supermercati", "Centro Commerciale", "Iper", "Discount"),
    ("Ingrosso", "Cash & Carry", "Commerciale"),
)
"""What customers of each group call themselves, in the order of `lookups.CUSTOMER_GROUPS`."""

LEGAL_FORMS = (
    "S.r.l.",
    "s.n.c.",
    "s.a.s.",
    "S.r.l.s.",
    "di {surname} {name}",
    "di {surname} {name} & C. s.n.c.",
    "dei F.lli {surname}",
    "",
)
CHAIN_FORMS = ("S.p.A.", "S.r.l.", "Soc. Coop.", "Soc. Cons. a r.l.")

BANKS = ("01030", "02008", "03069", "05034", "05387", "06230", "08549", "03332", "07601", "05696")
"""ABI codes."""
