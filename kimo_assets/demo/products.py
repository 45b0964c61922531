"""What the demo company sells: ranges of food, drinks and household goods, their makers and
trademarks.

Pure data and how it combines into descriptions; the ERP's item rows are made by `items`.
"""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Range:
    """A product range: every combination of brand, kind, line and size is an item."""

    group: str
    family: str
    subfamily: str
    name: str
    brands: tuple[str, ...]
    kinds: tuple[str, ...]
    lines: tuple[str, ...]
    sizes: tuple[tuple[str, int], ...]
    unit: str
    pack: int
    vat: str
    cents: int
    shape: str
    filters: tuple[str, ...] = ()

    @property
    def combinations(self) -> int:
        return prod(map(len, (self.brands, self.kinds, self.lines, self.sizes)))

    def parts(self, number: int) -> tuple[str, str, str, tuple[str, int]]:
        """Brand, kind, line and size of one combination."""
        # The digits of the number, in a base for each part, so that each number is another item.
        number, brand = divmod(number, len(self.brands))
        number, kind = divmod(number, len(self.kinds))
        size, line = divmod(number, len(self.lines))
        return self.brands[brand], self.kinds[kind], self.lines[line], self.sizes[size]


GROUPS: dict[str, str] = {
    "CAF": "Caffetteria",
    "BEV": "Bevande",
    "VIN": "Vini, birre e spirits",
    "DIS": "Dispensa",
    "FRE": "Freschi e latticini",
    "DOL": "Dolci e snack",
    "PUL": "Detergenza e igiene",
    "MON": "Monouso",
    "CAS": "Casalinghi",
}

ITEM_LINES: dict[str, str] = {
    "Classica": "CLA",
    "Bio": "BIO",
    "Premium": "PRE",
    "Gran Selezione": "GSE",
    "Professionale": "PRO",
    "Tradizione": "TRA",
    "Eco": "ECO",
    "Riviera": "RIV",
    "Murano": "MUR",
    "Portofino": "POR",
    "Sorrento": "SOR",
    "Cortina": "COR",
    "Taormina": "TAO",
}

MAKERS: dict[str, tuple[str, ...]] = {
    "Torrefazione Tre Colli S.r.l.": ("Tre Colli", "Aroma Nero"),
    "Industria Caffè Adria S.p.A.": ("Adria", "Moka d'Oro"),
    "Torrefazione Sant'Emidio S.n.c.": ("Sant'Emidio", "Espresso Marche"),
    "Fonti del Catria S.p.A.": ("Fonte Catria", "Rocciaviva"),
    "Bibite Valdaso S.r.l.": ("Valdaso", "Frizzì"),
    "Succhi del Conero Soc. Agr.": ("Frutteto Conero", "Solefrutta"),
    "Cantina Colle Pagliare": ("Colle Pagliare", "Rosso di Mare"),
    "Tenuta Villa Serrano": ("Villa Serrano", "Borgo Antico"),
    "Birrificio Porto Nuovo S.r.l.": ("Porto Nuovo", "Malto Vivo"),
    "Distillerie Monti Azzurri": ("Monti Azzurri", "Riserva del Doge"),
    "Pastificio Campofiorito S.p.A.": ("Campofiorito", "Trafila Antica"),
    "Molino Fratelli Zanotti": ("Molino Zanotti", "Granoro Bianco"),
    "Oleificio Torre Quercia": ("Torre Quercia", "Verdeuliva"),
    "Conserve Adriatiche S.p.A.": ("Orto Adriatico", "Solerosso"),
    "Riseria Delta Po": ("Delta Riso", "Lagunare"),
    "Ittica Riviera S.r.l.": ("Riviera Mare", "Pescato Blu"),
    "Caseificio Val Metauro": ("Val Metauro", "Latte Nobile"),
    "Salumificio Gualtieri S.p.A.": ("Gualtieri", "Norcineria Antica"),
    "Biscottificio La Spiga": ("La Spiga", "Dolcecasa"),
    "Dolciaria Montanari S.p.A.": ("Montanari", "Cacaonero"),
    "Snack & Co. Italia S.r.l.": ("Croccantì", "Happy Chips"),
    "Chimica Lucente S.p.A.": ("Lucente", "Brillaforte"),
    "Detergenza Professionale Esino": ("Esino Pro", "Igienpiù"),
    "Cartiera Fabrianese S.r.l.": ("Fabricarta", "Soffice Sì"),
    "Monouso Adria S.r.l.": ("Monadria", "Ecotavola"),
    "Vetrerie di Piave S.p.A.": ("Piave Vetro", "Cristallina"),
    "Ceramiche Faventine": ("Faventina", "Bianco Casa"),
    "Acciai Brescia Casa S.p.A.": ("Acciaio Casa", "Chef Inox"),
    "Utensileria Cantù S.r.l.": ("Legno Cantù", "Cucinabella"),
}

TRADEMARKS: tuple[str, ...] = tuple(brand for brands in MAKERS.values() for brand in brands)
MAKER_OF: dict[str, str] = {brand: maker for maker, brands in MAKERS.items() for brand in brands}

_BRANDS: dict[str, tuple[str, ...]] = {
    "coffee": ("Tre Colli", "Aroma Nero", "Adria", "Moka d'Oro", "Sant'Emidio", "Espresso Marche"),
    "water": ("Fonte Catria", "Rocciaviva"),
    "soft": ("Valdaso", "Frizzì", "Fonte Catria", "Frutteto Conero", "Solefrutta"),
    "juice": ("Frutteto Conero", "Solefrutta", "Valdaso"),
    "wine": ("Colle Pagliare", "Rosso di Mare", "Villa Serrano", "Borgo Antico"),
    "beer": ("Porto Nuovo", "Malto Vivo"),
    "spirits": ("Monti Azzurri", "Riserva del Doge"),
    "pasta": ("Campofiorito", "Trafila Antica", "Molino Zanotti"),
    "mill": ("Molino Zanotti", "Granoro Bianco", "Campofiorito"),
    "oil": ("Torre Quercia", "Verdeuliva", "Orto Adriatico"),
    "preserves": ("Orto Adriatico", "Solerosso", "Verdeuliva"),
    "rice": ("Delta Riso", "Lagunare"),
    "fish": ("Riviera Mare", "Pescato Blu"),
    "milk": ("Val Metauro", "Latte Nobile"),
    "meat": ("Gualtieri", "Norcineria Antica"),
    "sweet": ("La Spiga", "Dolcecasa", "Montanari", "Cacaonero"),
    "snack": ("Croccantì", "Happy Chips", "Dolcecasa"),
    "cleaning": ("Lucente", "Brillaforte", "Esino Pro", "Igienpiù"),
    "paper": ("Fabricarta", "Soffice Sì", "Igienpiù", "Ecotavola"),
    "disposable": ("Monadria", "Ecotavola", "Fabricarta"),
    "glass": ("Piave Vetro", "Cristallina", "Bianco Casa"),
    "china": ("Faventina", "Bianco Casa", "Cristallina"),
    "steel": ("Acciaio Casa", "Chef Inox", "Cucinabella"),
    "wood": ("Legno Cantù", "Cucinabella", "Chef Inox"),
    "kitchen": (
        "Legno Cantù",
        "Cucinabella",
        "Chef Inox",
        "Piave Vetro",
        "Cristallina",
        "Bianco Casa",
    ),
}

_LINES: dict[str, str] = {
    "C": "Classica",
    "B": "Bio",
    "P": "Premium",
    "G": "Gran Selezione",
    "T": "Tradizione",
    "F": "Professionale",
    "E": "Eco",
}
_TABLE_LINES = (
    "Riviera",
    "Murano",
    "Portofino",
    "Sorrento",
    "Cortina",
    "Taormina",
    "Professionale",
    "Classica",
)

FORMATS: tuple[tuple[str, int], ...] = (
    ("", 100),
    ("Bipack", 190),
    ("Multipack x4", 370),
    ("Espositore", 1100),
)
"""How an item may be packed, and its price in hundredths of the single one's."""

# Each range in three lines: group.family.subfamily | name | makers | lines | unit, units per pack,
# VAT, cents | shape | visibility filters. Then its kinds. Then its sizes, with the price in
# hundredths of the common one.
_RANGES = """
CAF.MAC.MOK | Caffè Macinato Moka | coffee | CBPGT | PZ 12 22 345 | bag
  Arabica/Intenso/Decaffeinato/Cremoso/Ginseng/Robusta
  250 g 100/500 g 190/1 kg 360/3 kg 1020
CAF.GRA.BAR | Caffè in Grani Bar | coffee | CBPGT | PZ 6 22 520 | bag | HORECA
  Arabica 100%/Miscela Oro/Miscela Rossa/Decaffeinato/Napoli/Etiopia
  250 g 100/500 g 190/1 kg 360/3 kg 1020
CAF.CAP.CAP | Capsule Caffè Compatibili | coffee | CBPGT | CF 10 22 249 | box
  Ristretto/Lungo/Decaffeinato/Cortado/Orzo/Nocciola
  10 pz 100/30 pz 270/50 pz 420/100 pz 800
CAF.SOL.ORZ | Orzo Solubile | coffee | CBPGT | PZ 12 10 289 | jar
  Classico/al Cacao/Integrale/Intenso
  120 g 100/200 g 150/500 g 340
CAF.ZUC.BUS | Zucchero in Bustine | mill | CFEP | CF 10 10 189 | bag | HORECA
  Bianco/di Canna/a Velo/Semolato
  1 kg 100/5 kg 470/10 kg 900
CAF.INF.THE | Tè e Infusi in Filtri | coffee | CBPGT | CF 12 22 215 | box
  Tè Nero/Tè Verde/Camomilla/Finocchio/Frutti di Bosco/Limone e Zenzero/Menta
  20 filtri 100/50 filtri 220/100 filtri 400
BEV.ACQ.PET | Acqua Minerale PET | water | CPE | CF 6 22 39 | bottle
  Naturale/Frizzante/Leggermente Frizzante
  50 cl 60/1 L 80/1,5 L 100/2 L 120
BEV.ACQ.VET | Acqua Minerale Vetro | water | CPG | CF 12 22 62 | bottle | HORECA
  Naturale/Frizzante/Leggermente Frizzante
  25 cl 60/50 cl 80/75 cl 100/1 L 120
BEV.BIB.GAS | Bibita Gassata | soft | CBPT | CF 6 22 98 | bottle
  Cola/Aranciata/Limonata/Chinotto/Gassosa/Cedrata/Tonica/Ginger
  33 cl 55/1 L 100/1,5 L 130
BEV.BIB.LAT | Bibita in Lattina | soft | CPB | CF 24 22 58 | can
  Cola/Cola Zero/Aranciata/Limone/Tè Pesca/Tè Limone/Energy
  15 cl 60/25 cl 85/33 cl 100/50 cl 140
BEV.SUC.BRI | Succo di Frutta | juice | CBPGT | CF 12 22 119 | carton
  Pera/Pesca/Albicocca/Ananas/Mela/ACE/Arancia Rossa/Mirtillo/Pompelmo
  200 ml 45/1 L 100/1,5 L 140
BEV.SCI.SCI | Sciroppo per Cocktail | soft | CPF | PZ 6 22 389 | bottle | HORECA
  Menta/Orzata/Amarena/Fragola/Sambuco/Zucchero/Granatina
  560 ml 100/1 L 160
VIN.BIA.DOC | Vino Bianco | wine | CBPGT | PZ 6 22 525 | bottle | ALCOLICI
  Verdicchio dei Castelli di Jesi DOC/Pecorino Offida DOCG/Passerina Marche IGT/Falanghina
  375 ml 60/75 cl 100/1,5 L 210
VIN.ROS.DOC | Vino Rosso | wine | CBPGT | PZ 6 22 575 | bottle | ALCOLICI
  Rosso Conero DOC/Rosso Piceno DOC/Montepulciano d'Abruzzo DOC/Sangiovese di Romagna DOC
  375 ml 60/75 cl 100/1,5 L 210
VIN.SPU.SPU | Spumante | wine | CBPG | PZ 6 22 690 | bottle | ALCOLICI
  Prosecco DOC Extra Dry/Brut Millesimato/Moscato Dolce/Rosé Brut
  20 cl 40/75 cl 100/1,5 L 220
VIN.BAG.BOX | Vino in Bag-in-Box | wine | CBT | PZ 4 22 780 | box | ALCOLICI HORECA
  Bianco/Rosso/Rosato
  3 L 100/5 L 155/10 L 290/20 L 550
VIN.BIR.BOT | Birra Artigianale | beer | CBPG | CF 12 22 215 | bottle | ALCOLICI
  Bionda/Rossa/IPA/Weiss/Stout/Senza Glutine/Ambrata
  33 cl 100/50 cl 140/75 cl 195
VIN.BIR.LAT | Birra in Lattina | beer | CP | CF 24 22 89 | can | ALCOLICI
  Lager/Pils/Radler/Analcolica/Doppio Malto
  33 cl 100/50 cl 140
VIN.LIQ.AMA | Amaro e Liquore | spirits | CBPGT | PZ 6 22 980 | bottle | ALCOLICI
  Amaro alle Erbe/Mistrà/Limoncello/Anisetta/Genepì/Nocino/Caffè Sport/Sambuca
  50 cl 75/70 cl 100/1 L 135/2 L 250
DIS.PAS.SEC | Pasta di Semola | pasta | CBPGT | PZ 20 04 89 | bag
  Spaghetti/Penne Rigate/Fusilli/Rigatoni/Farfalle/Linguine/Bucatini/Paccheri/Conchiglie/Tortiglioni
  500 g 100/1 kg 190/3 kg 540/5 kg 870
DIS.PAS.UOV | Pasta all'Uovo | pasta | CBPGT | PZ 12 04 185 | box
  Tagliatelle/Pappardelle/Maccheroncini di Campofilone/Quadrucci/Lasagne/Tagliolini
  250 g 100/500 g 180/1 kg 340/2,5 kg 800
DIS.FAR.FAR | Farina | mill | CBPGT | PZ 10 04 95 | bag
  Tipo 00/Tipo 0 Manitoba/Integrale/per Pizza/di Ceci/di Mais/Semola Rimacinata/Senza Glutine
  1 kg 100/5 kg 460/10 kg 880/25 kg 2050
DIS.RIS.RIS | Riso | rice | CBPGT | PZ 10 04 239 | box
  Arborio/Carnaroli/Vialone Nano/Basmati/Parboiled/Venere/Integrale/per Sushi
  500 g 60/1 kg 100/5 kg 470
DIS.OLI.EVO | Olio Extravergine di Oliva | oil | CBPGT | PZ 6 04 895 | bottle
  Fruttato/Delicato/100% Italiano/DOP Cartoceto/Non Filtrato/al Limone
  500 ml 60/750 ml 85/1 L 100/3 L 280/5 L 450
DIS.OLI.SEM | Olio di Semi | oil | CFB | PZ 12 10 219 | bottle
  Girasole/Arachide/Mais/per Frittura
  1 L 100/5 L 480/10 L 930/25 L 2250
DIS.ACE.ACE | Aceto | oil | CBPGT | PZ 12 22 159 | bottle
  di Vino Bianco/di Vino Rosso/di Mele/Balsamico di Modena IGP/Glassa Balsamica
  250 ml 60/500 ml 100/1 L 170/5 L 720
DIS.POM.POM | Pomodoro | preserves | CBPGT | PZ 12 04 129 | jar
  Passata/Polpa/Pelati/Datterini/Doppio Concentrato/Pizza Sauce
  400 g 60/700 g 100/2,5 kg 290/5 kg 560
DIS.LEG.LEG | Legumi in Scatola | preserves | CBPGT | PZ 24 04 79 | can
  Ceci/Fagioli Borlotti/Fagioli Cannellini/Lenticchie/Piselli/Mais Dolce/Roveja
  400 g 100/800 g 180/2,5 kg 520
DIS.SOT.OLI | Sott'olio | preserves | CBPGT | PZ 6 10 379 | jar
  Carciofi/Funghi Porcini/Pomodori Secchi/Melanzane/Peperoni/Olive Ascolane/Cipolline
  180 g 70/290 g 100/580 g 185/1,5 kg 430/3 kg 800
DIS.SAL.SUG | Sugo Pronto | preserves | CBPGT | PZ 12 10 249 | jar
  alla Marchigiana/al Ragù/al Basilico/all'Arrabbiata/Pesto alla Genovese/Vincisgrassi/alle Vongole
  180 g 70/290 g 100/580 g 185/1,5 kg 430/3 kg 800
DIS.SAL.MON | Salsa | preserves | CFEP | PZ 12 10 149 | bottle
  Maionese/Ketchup/Senape/Barbecue/Cocktail/Tartara/Piccante
  250 ml 100/500 ml 170/1 kg 300/5 kg 1290
DIS.PES.SCA | Tonno e Pesce in Scatola | fish | CBPGT | PZ 24 10 329 | can
  Tonno all'Olio d'Oliva/Tonno al Naturale/Sgombro/Acciughe di Sciacca/Sardine/Vongole al Naturale
  80 g 60/160 g 100/500 g 280/1,7 kg 890
DIS.SPE.SPE | Spezie e Aromi | preserves | CBPGT | PZ 12 10 199 | jar
  Pepe Nero/Origano/Peperoncino/Rosmarino/Noce Moscata/Curcuma/Sale Iodato/Zafferano
  20 g 50/50 g 100/500 g 690/1 kg 1290
FRE.LAT.UHT | Latte UHT | milk | CBPF | CF 12 04 109 | carton
  Intero/Parzialmente Scremato/Scremato/Senza Lattosio/per Cappuccino
  200 ml 35/500 ml 60/1 L 100
FRE.LAT.VEG | Bevanda Vegetale | milk | CBF | CF 12 22 189 | carton
  Soia/Avena/Mandorla/Riso/Cocco/Avena Barista
  250 ml 40/1 L 100
FRE.LAT.PAN | Panna | milk | CBF | PZ 12 10 175 | carton
  da Cucina/da Montare/Spray/Acida/Vegetale
  200 ml 55/500 ml 100/1 L 185
FRE.FOR.STA | Formaggio | milk | CBPGT | KG 4 04 489 | wedge | FRESCHI
  Pecorino/Grana/Casciotta d'Urbino DOP/Provolone/Formaggio di Fossa/Caciocavallo/\
Scamorza Affumicata
  250 g 100/500 g 195/1 kg 380/5 kg 1820
FRE.FOR.FRE | Formaggio Fresco | milk | CBPGT | PZ 8 04 219 | tub | FRESCHI
  Mozzarella/Ricotta/Stracchino/Mascarpone/Squacquerone/Burrata/Caprino
  100 g 45/250 g 100/1 kg 370/2,5 kg 890
FRE.SAL.SAL | Salume | meat | CBPGT | KG 2 10 690 | bag | FRESCHI
  Prosciutto Crudo/Prosciutto Cotto/Ciauscolo IGP/Mortadella/Salame Lardellato/Lonza/Speck/Guanciale
  100 g 30/250 g 70/1 kg 260/7 kg 1750
DOL.BIS.BIS | Biscotti | sweet | CBPGT | PZ 12 10 239 | bag
  Frollini al Latte/Integrali/con Gocce di Cioccolato/al Miele/Savoiardi/Cantucci/\
Ciambelline al Vino
  200 g 60/350 g 100/700 g 185/1 kg 250
DOL.CIO.TAV | Cioccolato | sweet | CBPGT | PZ 20 10 189 | box
  Fondente 70%/al Latte/Bianco/Nocciole/Gianduia/Pistacchio/Sale e Caramello
  50 g 60/100 g 100/250 g 235/1 kg 860
DOL.RIC.PAN | Panettone e Colomba | sweet | CPGT | PZ 6 10 790 | box
  Panettone Classico/Panettone al Cioccolato/Pandoro/Colomba Classica/Colomba al Pistacchio/\
Veneziana
  100 g 25/500 g 70/750 g 100/1 kg 128
DOL.MAR.MAR | Confettura | sweet | CBPGT | PZ 12 10 279 | jar
  Albicocca/Visciola/Fichi/Arancia/Frutti di Bosco/Mela Rosa dei Sibillini/Pesca
  25 g 18/220 g 70/340 g 100/3 kg 720
DOL.CRE.SPA | Crema Spalmabile | sweet | CBPGT | PZ 12 10 389 | jar
  Nocciola/Pistacchio/Cacao/Bianca/Gianduia
  200 g 70/350 g 100/1 kg 260/3 kg 720/5 kg 1150
DOL.SNA.SAL | Snack Salati | snack | CBPF | PZ 20 10 159 | bag
  Patatine Classiche/Patatine Rustiche/Tarallini/Grissini/Crackers/Arachidi Tostate/Mix Aperitivo/\
Nachos
  25 g 20/150 g 70/300 g 100/1 kg 290
PUL.PIA.LIQ | Detersivo Piatti | cleaning | CFEP | PZ 12 22 179 | bottle
  Limone/Aloe/Aceto/Menta/Neutro
  500 ml 60/750 ml 85/1 L 100/3 L 280/5 L 450
PUL.LAV.BUC | Detersivo Bucato | cleaning | CFEP | PZ 6 22 369 | bottle
  Lavanda/Marsiglia/Muschio Bianco/Colorati/Igienizzante
  1 L 100/3 L 270/5 L 430/20 L 1650
PUL.SUP.SGR | Sgrassatore | cleaning | CFEP | PZ 12 22 219 | spray
  Universale/Cucina/Forno/Vetri/Inox/Pavimenti
  500 ml 60/750 ml 85/1 L 100/3 L 280/5 L 450
PUL.SUP.IGI | Igienizzante Superfici | cleaning | CFEP | PZ 12 22 259 | spray | HORECA
  Fresh/Limone/Eucalipto/Senza Profumo/Cloro Attivo
  500 ml 60/750 ml 85/1 L 100/3 L 280/5 L 450
PUL.LST.LST | Detergente Lavastoviglie | cleaning | CFEP | PZ 4 22 459 | bottle | HORECA
  Liquido/Polvere/Brillantante/Pastiglie/Sale Rigenerante
  1 kg 100/6 kg 520/12 kg 980/25 kg 1890
PUL.CAR.IGI | Carta Igienica | paper | CFEP | CF 10 22 189 | box
  2 Veli/3 Veli/Maxi Rotolo/Interfogliata/Profumata
  4 rotoli 100/10 rotoli 230/12 rotoli 270/96 rotoli 1980
PUL.CAR.ASC | Asciugamani e Bobine | paper | CFEP | CF 6 22 249 | box
  Piegati a V/Piegati a Z/Bobina Industriale/Rotolo Cucina
  2 rotoli 100/6 rotoli 280/150 fogli 120/4000 fogli 2300
MON.TOV.TOV | Tovaglioli | disposable | CFEP | CF 24 22 138 | box
  Bianco/Bordeaux/Blu Notte/Verde Bosco/Nero/Arancio/Fantasia Limoni/Natale
  20 pz 40/50 pz 90/100 pz 165/500 pz 760/1000 pz 1450
MON.BIC.BIC | Bicchieri Monouso | disposable | CFEP | CF 20 22 212 | cup
  Caffè 80 ml/Acqua 200 ml/Birra 400 ml/Cappuccino 240 ml/Vino 150 ml
  20 pz 40/50 pz 90/100 pz 165/500 pz 760/1000 pz 1450
MON.PIA.PIA | Piatti Monouso | disposable | CFEP | CF 20 22 265 | plate
  Piano 22 cm/Fondo 20 cm/Dessert 17 cm/Ovale/Quadrato/Tris
  20 pz 40/50 pz 90/100 pz 165/500 pz 760/1000 pz 1450
MON.ASP.ASP | Contenitori Asporto | disposable | CFEP | CF 10 22 418 | box | HORECA
  Pizza 33 cm/Pizza 40 cm/Vaschetta Alluminio/Ciotola Insalata/Sacchetto Pane/Vassoio Pasticceria
  20 pz 40/50 pz 90/100 pz 165/500 pz 760/1000 pz 1450
MON.POS.POS | Posate Monouso | disposable | CFEP | CF 20 22 174 | box
  Forchetta/Coltello/Cucchiaio/Cucchiaino/Bis/Tris con Tovagliolo/Palettina Caffè
  20 pz 40/50 pz 90/100 pz 165/500 pz 760/1000 pz 1450
MON.FIL.PEL | Pellicola e Alluminio | disposable | CFEP | PZ 12 22 299 | box
  Pellicola PVC/Alluminio/Carta Forno/Sacchetti Freezer/Sacchi Nettezza
  10 m 40/30 m 100/150 m 420/300 m 790
CAS.VET.BIC | Bicchiere | glass | table | PZ 6 22 165 | cup
  Bianco/Avorio/Rosso/Blu/Verde Salvia/Grigio/Tortora/Nero/Giallo/Trasparente
  Acqua 25 cl 100/Vino 35 cl 150/Calice 45 cl 210/Flûte 17 cl 180/Tumbler 30 cl 140
CAS.VET.BRO | Brocca e Caraffa | glass | table | PZ 4 22 690 | cup
  Bianco/Avorio/Rosso/Blu/Verde Salvia/Grigio/Tortora/Nero/Giallo/Trasparente
  50 cl 70/1 L 100/1,5 L 130/2 L 160
CAS.POR.PIA | Piatto in Porcellana | china | table | PZ 6 22 420 | plate
  Bianco/Avorio/Rosso/Blu/Verde Salvia/Grigio/Tortora/Nero/Giallo
  Piano 27 cm 100/Fondo 23 cm 95/Dessert 20 cm 75/Pizza 33 cm 180/Pane 16 cm 55
CAS.POR.TAZ | Tazza in Porcellana | china | table | PZ 6 22 298 | cup
  Bianco/Avorio/Rosso/Blu/Verde Salvia/Grigio/Tortora/Nero/Giallo
  Caffè 60/Cappuccino 90/Colazione 120/Tè 100/Mug 35 cl 130
CAS.ACC.PEN | Pentola in Acciaio | steel | table | PZ 2 22 1890 | pot
  Casseruola/Pentola Alta/Tegame/Padella/Bollilatte/Pastaiola
  16 cm 64/20 cm 100/24 cm 144/28 cm 196/32 cm 256/40 cm 400
CAS.ACC.POS | Posata in Acciaio | steel | table | CF 6 22 1049 | box
  Forchetta/Coltello/Cucchiaio/Cucchiaino/Forchettina Dolce/Mestolo/Pala Torta
  1 pz 20/6 pz 100/12 pz 190/24 pz 360
CAS.LEG.UTE | Utensile in Legno | wood | table | PZ 6 22 540 | board
  Cucchiaio/Tagliere/Mattarello/Spatola/Macinapepe/Vassoio
  20 cm 60/30 cm 100/40 cm 150/50 cm 210
CAS.CON.CON | Contenitore Ermetico | kitchen | table | PZ 6 22 389 | tub
  Bianco/Avorio/Rosso/Blu/Verde Salvia/Grigio/Tortora/Nero/Giallo/Trasparente
  300 ml 50/700 ml 80/1 L 100/2 L 150/5 L 290
CAS.TES.TEX | Tovaglia e Strofinaccio | wood | table | PZ 5 22 990 | board
  Bianco/Avorio/Rosso/Blu/Verde Salvia/Grigio/Tortora/Nero/Giallo
  50x70 cm 40/140x140 cm 100/140x180 cm 130/150x250 cm 190
"""


def _read_range(header: str, kinds: str, sizes: str) -> Range:
    """A range from its three lines, in the notation described above the ranges."""
    group_path, name, makers, lines, sale, shape, *filters = (
        part.strip() for part in header.split("|")
    )
    group, family, subfamily = group_path.split(".")
    unit, pack, vat, cents = sale.split()
    return Range(
        group=group,
        family=family,
        subfamily=subfamily,
        name=name,
        brands=_BRANDS[makers],
        kinds=tuple(kind.strip() for kind in kinds.split("/")),
        lines=_TABLE_LINES if lines == "table" else tuple(_LINES[letter] for letter in lines),
        sizes=tuple(_read_size(size.strip()) for size in sizes.split("/")),
        unit=unit,
        pack=int(pack),
        vat=vat,
        cents=int(cents),
        shape=shape,
        filters=tuple(" ".join(filters).split()),
    )


def _read_size(text: str) -> tuple[str, int]:
    size, percent = text.rsplit(" ", 1)
    return size, int(percent)


def _read_ranges(text: str) -> tuple[Range, ...]:
    lines = text.strip().splitlines()
    return tuple(_read_range(*lines[start : start + 3]) for start in range(0, len(lines), 3))


RANGES: tuple[Range, ...] = _read_ranges(_RANGES)

FAMILIES: dict[tuple[str, str], str] = {
    ("CAF", "MAC"): "Caffè macinato",
    ("CAF", "GRA"): "Caffè in grani",
    ("CAF", "CAP"): "Capsule e cialde",
    ("CAF", "SOL"): "Solubili",
    ("CAF", "ZUC"): "Zucchero",
    ("CAF", "INF"): "Tè e infusi",
    ("BEV", "ACQ"): "Acque minerali",
    ("BEV", "BIB"): "Bibite",
    ("BEV", "SUC"): "Succhi",
    ("BEV", "SCI"): "Sciroppi",
    ("VIN", "BIA"): "Vini bianchi",
    ("VIN", "ROS"): "Vini rossi",
    ("VIN", "SPU"): "Spumanti",
    ("VIN", "BAG"): "Vini sfusi",
    ("VIN", "BIR"): "Birre",
    ("VIN", "LIQ"): "Liquori e amari",
    ("DIS", "PAS"): "Pasta",
    ("DIS", "FAR"): "Farine",
    ("DIS", "RIS"): "Riso",
    ("DIS", "OLI"): "Oli",
    ("DIS", "ACE"): "Aceti",
    ("DIS", "POM"): "Pomodoro",
    ("DIS", "LEG"): "Legumi",
    ("DIS", "SOT"): "Sottoli",
    ("DIS", "SAL"): "Sughi e salse",
    ("DIS", "PES"): "Conserve di pesce",
    ("DIS", "SPE"): "Spezie",
    ("FRE", "LAT"): "Latte e panna",
    ("FRE", "FOR"): "Formaggi",
    ("FRE", "SAL"): "Salumi",
    ("DOL", "BIS"): "Biscotti",
    ("DOL", "CIO"): "Cioccolato",
    ("DOL", "RIC"): "Ricorrenze",
    ("DOL", "MAR"): "Confetture",
    ("DOL", "CRE"): "Creme",
    ("DOL", "SNA"): "Snack salati",
    ("PUL", "PIA"): "Piatti",
    ("PUL", "LAV"): "Bucato",
    ("PUL", "SUP"): "Superfici",
    ("PUL", "LST"): "Lavastoviglie",
    ("PUL", "CAR"): "Carta",
    ("MON", "TOV"): "Tovaglioli",
    ("MON", "BIC"): "Bicchieri",
    ("MON", "PIA"): "Piatti",
    ("MON", "ASP"): "Asporto",
    ("MON", "POS"): "Posate",
    ("MON", "FIL"): "Pellicole e fogli",
    ("CAS", "VET"): "Vetro",
    ("CAS", "POR"): "Porcellana",
    ("CAS", "ACC"): "Acciaio",
    ("CAS", "LEG"): "Legno",
    ("CAS", "CON"): "Contenitori",
    ("CAS", "TES"): "Tessili",
}

ENGLISH: dict[str, str] = {
    "CAF": "coffee and tea",
    "BEV": "soft drinks",
    "VIN": "wine, beer and spirits",
    "DIS": "pantry",
    "FRE": "dairy and deli",
    "DOL": "sweets and snacks",
    "PUL": "cleaning",
    "MON": "disposables",
    "CAS": "tableware",
}
GERMAN: dict[str, str] = {
    "CAF": "Kaffee und Tee",
    "BEV": "Getränke",
    "VIN": "Wein, Bier und Spirituosen",
    "DIS": "Vorrat",
    "FRE": "Milchprodukte und Wurstwaren",
    "DOL": "Süßes und Snacks",
    "PUL": "Reinigung",
    "MON": "Einweg",
    "CAS": "Tischkultur",
}
