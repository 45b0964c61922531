"""Which table is which entity, and which column is which field, by their names alone.

A table is an entity's for certain when it has the entity's name, ignoring case and underscores. A
prefix or suffix may stand around it: one without meaning (KIMO_, V_, _VIEW), or one that several
other tables have too (ACME_ITEM, ACME_ZONE, ACME_ACCOUNT). A name that is only similar, or with a
word like old or backup, is a guess. Guesses are shown, never used.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from functools import cache
from itertools import combinations

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.sources.discovery import Offered

# Words around a table's name that do not mean another content.
_NEUTRAL_WORDS = frozenset(
    {
        "kimo",
        "erp",
        "crm",
        "sfa",
        "int",
        "integration",
        "integrazione",
        "integrator",
        "stg",
        "staging",
        "sync",
        "data",
    }
    | {
        "exp",
        "export",
        "imp",
        "import",
        "v",
        "vw",
        "view",
        "views",
        "vista",
        "mv",
        "t",
        "tb",
        "tbl",
        "tab",
        "table",
        "dati",
    }
)
# Words that mean another content, e.g. of last year.
_OTHER_CONTENT_WORDS = frozenset(
    {
        "old",
        "vecchio",
        "vecchia",
        "bak",
        "bck",
        "bkp",
        "backup",
        "copy",
        "copia",
        "tmp",
        "temp",
        "test",
        "prova",
        "log",
    }
    | {
        "hist",
        "history",
        "storico",
        "archive",
        "archivio",
        "deleted",
        "new",
        "nuovo",
        "nuova",
        "error",
        "errors",
    }
)
# So many tables with the same prefix make it the prefix of all of them.
_MIN_TABLES_OF_AFFIX = 3
# difflib's ratio: an Italian plural or a typing mistake passes, another word does not.
_MIN_SIMILARITY = 0.88


class Tier(IntEnum):
    """How certain a name is. A lower one is more certain."""

    EXACT = 0
    CASE = 1
    UNDERSCORES = 2
    AFFIX = 3
    GUESS = 4


@dataclass(frozen=True)
class Match:
    """A table with an entity's name. affix: the words around it, e.g. `KIMO_…`."""

    entity: str
    offered: Offered
    tier: Tier
    affix: str = ""


def fold(name: str) -> str:
    """The name without case, underscores and other separators."""
    return re.sub(r"[\W_]+", "", name).casefold()


@cache
def _entities_by_fold() -> dict[str, str]:
    return {fold(name): name for name in load_catalog().entities}


def match_tables(tables: Sequence[Offered]) -> dict[str, list[Match]]:
    """entity -> the tables with its name, the most certain first."""
    matches: list[Match] = []
    # Only tables without a match take part in the search for shared prefixes.
    rest: list[Offered] = []
    for offered in tables:
        match = _by_whole_name(offered)
        if match:
            matches.append(match)
        else:
            rest.append(offered)
    matches += _by_affix(rest)
    matches.sort(key=lambda match: (match.tier, match.offered.written))
    by_entity: dict[str, list[Match]] = {}
    for match in matches:
        by_entity.setdefault(match.entity, []).append(match)
    return by_entity


def certain(matches: Sequence[Match]) -> Match | None:
    """The table that is more certain than all others; None for a guess, or for several equal."""
    first, *others = matches
    if first.tier == Tier.GUESS:
        return None
    if others and others[0].tier == first.tier:
        return None
    return first


def _by_whole_name(offered: Offered) -> Match | None:
    entity = _entities_by_fold().get(fold(offered.name))
    if entity is None:
        return None
    if offered.name == entity:
        return Match(entity, offered, Tier.EXACT)
    is_case = offered.name.casefold() == entity.casefold()
    return Match(entity, offered, Tier.CASE if is_case else Tier.UNDERSCORES)


def _by_affix(tables: Iterable[Offered]) -> Iterator[Match]:
    parted = {offered: _parted(offered.name) for offered in tables}
    shared = Counter(affix.pattern for _, affix in filter(None, parted.values()))
    for offered, parts in parted.items():
        entity, affix = parts or ("", None)
        similar = _similar(offered.name)
        if affix and affix.is_certain(shared[affix.pattern]):
            yield Match(entity, offered, Tier.AFFIX, affix.pattern)
        # ItemGroups is more likely ItemGroup than an Item with a suffix.
        elif similar and len(similar) > len(entity):
            yield Match(similar, offered, Tier.GUESS)
        elif affix:
            yield Match(entity, offered, Tier.GUESS, affix.pattern)


@dataclass(frozen=True)
class _Affix:
    """The words around an entity's name in a table's name."""

    before: str
    after: str

    @property
    def pattern(self) -> str:
        return f"{self.before}…{self.after}".upper()

    @property
    def _words(self) -> list[str]:
        words = re.split(r"[\W_]+", f"{self.before} {self.after}")
        return [word.casefold() for word in words if word]

    def is_certain(self, tables: int) -> bool:
        """Whether the table still is the entity's. tables: how many have the same affix."""
        if all(word in _NEUTRAL_WORDS for word in self._words):
            return True
        # A number is a year or a version: ITEM_2019.
        if any(word in _OTHER_CONTENT_WORDS or word.isdigit() for word in self._words):
            return False
        return tables >= _MIN_TABLES_OF_AFFIX


def _parted(name: str) -> tuple[str, _Affix] | None:
    """The longest entity's name within a name, and the words around it. Only whole words count."""
    entities = _entities_by_fold()
    # KIMOACCOUNT, in which nothing separates the words.
    if name.casefold().startswith("kimo") and fold(name[4:]) in entities:
        return entities[fold(name[4:])], _Affix(name[:4], "")
    longest: tuple[str, _Affix] | None = None
    for start, end in combinations(_word_starts(name), 2):
        entity = entities.get(fold(name[start:end]))
        if entity and (longest is None or len(entity) > len(longest[0])):
            longest = entity, _Affix(name[:start], name[end:])
    return longest


# Between words: beside a separator, before a capital after a small letter (vwAccount), and before
# the last of several capitals (KIMOAccount).
_BETWEEN_WORDS = re.compile(
    r"(?<=[\W_])(?=[^\W_])|(?<=[^\W_])(?=[\W_])"
    r"|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
)


def _word_starts(name: str) -> list[int]:
    """The positions at which words start, and the end of the name."""
    inner = (match.start() for match in _BETWEEN_WORDS.finditer(name))
    return [0, *inner, len(name)]


def _similar(name: str) -> str | None:
    """An entity whose name differs in a letter or two, like a plural or a typing mistake."""
    folded = fold(name)
    # In a short name a letter or two make another word.
    if len(folded) <= 3:
        return None
    entities = _entities_by_fold()
    close = get_close_matches(folded, entities, n=1, cutoff=_MIN_SIMILARITY)
    return entities[close[0]] if close else None


# --- columns
# ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Columns:
    """fields: field -> its column. renamed: those that kimo.yaml has to name.

    unclear: field -> the columns it might be. unused: columns that no field takes.
    """

    fields: Mapping[str, str]
    renamed: Mapping[str, str]
    unclear: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]

    def resemble(self) -> bool:
        """Whether the columns support a name that is only similar: at least a third must match."""
        columns = len(self.fields) + len(self.unused)
        return len(self.fields) >= 2 and 3 * len(self.fields) >= columns


def match_columns(entity: Entity, available: Sequence[str]) -> Columns:
    """Matches names ignoring case, and where that fails, ignoring underscores too."""
    # By case first: a column Name must win over a column NAME_.
    by_case = {name.casefold(): name for name in available}
    in_case = {name: by_case.get(name.casefold()) for name in entity.fields}
    by_fold: dict[str, list[str]] = {}
    for column in available:
        if column not in in_case.values():
            by_fold.setdefault(fold(column), []).append(column)
    fields: dict[str, str] = {}
    renamed: dict[str, str] = {}
    unclear: dict[str, tuple[str, ...]] = {}
    for name, own in in_case.items():
        candidates = by_fold.get(fold(name), [])
        if own is not None:
            fields[name] = own
        elif len(candidates) == 1:
            fields[name] = renamed[name] = candidates[0]
        elif candidates:
            unclear[name] = tuple(candidates)
    unused = tuple(column for column in available if column not in fields.values())
    return Columns(fields, renamed, unclear, unused)
