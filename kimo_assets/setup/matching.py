"""Which table of a database is which entity, and which of its columns is which field, by their
names alone.

A table is an entity's for certain when its name is the entity's, ignoring case and underscores, or
that with a prefix or suffix that says nothing (KIMO_, V_, _VIEW), or that many of its neighbours
carry too (ACME_ITEM, ACME_ZONE, ACME_ACCOUNT). A name that is only alike, or that says old or
backup, is a guess: shown, never taken.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from functools import cache

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.sources.discovery import Offered

# What people put around a table's name without meaning another content.
_SAYS_NOTHING = frozenset(
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
# What makes another content of it.
_SAYS_OLD = frozenset(
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
_NEIGHBOURS = 3
_ALIKE = 0.88


class Tier(IntEnum):
    """How sure a name is; less is surer."""

    EXACT = 0
    CASE = 1
    UNDERSCORES = 2
    AFFIX = 3
    GUESS = 4


@dataclass(frozen=True)
class Match:
    """A table that carries an entity's name. affix: what stands around it, e.g. `KIMO_…`."""

    entity: str
    offered: Offered
    tier: Tier
    affix: str = ""


def fold(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


@cache
def _entities_by_fold() -> dict[str, str]:
    return {fold(name): name for name in load_catalog().entities}


def match_tables(tables: Sequence[Offered]) -> dict[str, list[Match]]:
    """entity -> the tables that carry its name, the surest first."""
    whole = [_by_whole_name(offered) for offered in tables]
    rest = [offered for offered, match in zip(tables, whole, strict=True) if match is None]
    matches = [match for match in whole if match] + list(_by_affix(rest))
    found: dict[str, list[Match]] = {}
    for match in sorted(matches, key=lambda match: (match.tier, match.offered.written)):
        found.setdefault(match.entity, []).append(match)
    return found


def certain(matches: Sequence[Match]) -> Match | None:
    """The one table that is surer than all others, if it is sure at all."""
    first, *others = matches
    is_alone = not others or others[0].tier > first.tier
    return first if first.tier < Tier.GUESS and is_alone else None


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
    for offered, found in parted.items():
        entity, affix = found or ("", None)
        alike = _alike(offered.name)
        if affix and (
            affix.says_nothing or (not affix.says_old and shared[affix.pattern] >= _NEIGHBOURS)
        ):
            yield Match(entity, offered, Tier.AFFIX, affix.pattern)
        elif alike and len(alike) > len(
            entity
        ):  # ItemGroups is rather ItemGroup than an Item of groups
            yield Match(alike, offered, Tier.GUESS)
        elif affix:
            yield Match(entity, offered, Tier.GUESS, affix.pattern)


@dataclass(frozen=True)
class _Affix:
    before: str
    after: str

    @property
    def pattern(self) -> str:
        return f"{self.before}…{self.after}".upper()

    @property
    def _words(self) -> list[str]:
        return [
            word.casefold()
            for part in (self.before, self.after)
            for word in re.split(r"[\W_]+", part)
            if word
        ]

    @property
    def says_nothing(self) -> bool:
        return all(word in _SAYS_NOTHING for word in self._words)

    @property
    def says_old(self) -> bool:
        return any(word in _SAYS_OLD or word.isdigit() for word in self._words)


def _parted(name: str) -> tuple[str, _Affix] | None:
    """The longest entity's name within a name, and what stands around it; only whole words
    count.
    """
    if name.casefold().startswith("kimo") and fold(name[4:]) in _entities_by_fold():  # KIMOACCOUNT
        return _entities_by_fold()[fold(name[4:])], _Affix(name[:4], "")
    starts = _word_starts(name)
    best: tuple[int, str, _Affix] | None = None
    for start in starts[:-1]:
        for end in starts:
            entity = _entities_by_fold().get(fold(name[start:end])) if end > start else None
            if entity and (best is None or len(entity) > best[0]):
                best = len(entity), entity, _Affix(name[:start], name[end:])
    return best[1:] if best else None


def _word_starts(name: str) -> list[int]:
    """Where words start: after a separator, and where small letters become capitals (vwAccount,
    KIMOAccount).
    """
    inner = re.finditer(
        r"(?<=[\W_])(?=[^\W_])|(?<=[^\W_])(?=[\W_])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])",
        name,
    )
    return [0, *(found.start() for found in inner), len(name)]


def _alike(name: str) -> str | None:
    """An entity whose name differs in a letter or two: a plural, a slip."""
    folded = fold(name)
    close = (
        get_close_matches(folded, _entities_by_fold(), n=1, cutoff=_ALIKE)
        if len(folded) > 3
        else []
    )
    return _entities_by_fold()[close[0]] if close else None


# --- columns
# ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Columns:
    """fields: those filled -> the column. renamed: the part of it that kimo.yaml has to say.
    unclear: field -> the columns it might be. unused: columns that no field takes.
    """

    fields: Mapping[str, str]
    renamed: Mapping[str, str]
    unclear: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]

    def resemble(self) -> bool:
        """Whether the columns speak for a table whose name is only alike."""
        given = len(self.fields) + len(self.unused)
        return len(self.fields) >= 2 and 3 * len(self.fields) >= given


def match_columns(entity: Entity, available: Sequence[str]) -> Columns:
    """Names match ignoring case, and where that finds nothing, ignoring underscores too."""
    by_case = {name.casefold(): name for name in available}
    fields = {
        field: by_case[field.casefold()] for field in entity.fields if field.casefold() in by_case
    }
    taken = set(fields.values())
    by_fold: dict[str, list[str]] = {}
    for name in available:
        if name not in taken:
            by_fold.setdefault(fold(name), []).append(name)
    found = {f: by_fold[fold(f)] for f in entity.fields if f not in fields and fold(f) in by_fold}
    renamed = {field: names[0] for field, names in found.items() if len(names) == 1}
    unclear = {field: tuple(names) for field, names in found.items() if len(names) > 1}
    fields |= renamed
    unused = tuple(name for name in available if name not in fields.values())
    return Columns({f: fields[f] for f in entity.fields if f in fields}, renamed, unclear, unused)
