"""Sentences of errors.py: those that belong to no single package."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "errors.unknown_entity": Sentence(
        en="'{name}' is not an entity of {where}.{hint} `kimo entities` lists them.",
        it="'{name}' non è un'entità: non si trova in {where}.{hint} `kimo entities` le elenca.",
    ),
    "errors.the_catalogue": Sentence(en="the catalogue", it="catalogo"),
    "errors.did_you_mean": Sentence(en=" Did you mean {names}?", it=" Forse {names}?"),
    "errors.or": Sentence(en=" or ", it=" o "),
    "errors.entities_failed": Sentence(
        en="{step}: {count} entities failed, the others were kept.\n{lines}",
        it="{step}: {count} entità non riuscite, le altre sono conservate.\n{lines}",
        one_en="{step}: {count} entity failed, the others were kept.\n{lines}",
    ),
}
