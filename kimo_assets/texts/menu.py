"""Sentences of catalog/menu.py. The titles of the menu are the vendor's Italian in any language."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "menu.busy.run": Sentence(
        en="another import or export is running; wait until it has ended",
        it="è in corso un altro import o export; attendere che sia terminato",
    ),
    "menu.busy.images": Sentence(
        en="another import of pictures is running; wait until it has ended",
        it="è in corso un'altra importazione di immagini; attendere che sia terminata",
    ),
    "menu.busy.geocoding": Sentence(
        en="another geocoding is running; wait until it has ended",
        it="è in corso un'altra geocodifica; attendere che sia terminata",
    ),
    "menu.busy.cleaning": Sentence(
        en="another cleaning is running; wait until it has ended",
        it="è in corso un'altra pulizia; attendere che sia terminata",
    ),
}
