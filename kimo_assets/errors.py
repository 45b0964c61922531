"""The error tree, by what the reader has to do next.

KimoError
├── ConfigError            kimo.yaml or a mapping is wrong: mend the file
│   ├── UnknownEntityError a name that is not in the catalogue or not mapped
│   └── MigrationError     Kimo's database cannot become one of this version yet
├── ContractError          the program's own data break a promise: report it
├── SourceError            the ERP's side
│   ├── TransientSourceError   cannot be reached now: trying again later may help
│   ├── PermanentSourceError   a table, a column, a password: trying again does not help
│   ├── ReaderError            a fast reader cannot read what is there: the plain cursor reads it
│   ├── TableLockedError       somebody's transaction holds a table: end it, or wait longer for it
│   ├── SemaphoreError         the ERP did not give its semaphore free: wait, or set it free by hand
│   └── CustomTaskError        the program that prepares data at the ERP failed: mend it
├── GuardError             a snapshot looks wrong; yesterday's data stay
├── PlanMovedError         what a saved plan was about has changed since: plan again
├── LockedError            another import or export is running
├── ImagesError            the pictures' folder, or the public one, cannot be used: mend it
├── GeocodingError         Google refuses to go on: the key, its rights or its budget
├── WebserverError         Dagster's webserver does not answer, or refuses: start it, look at it
├── ExportError            the export cannot go on: the ERP's tables, or a batch in doubt
├── StoreError             the sync store lacks an object, or holds a damaged one
└── RunFailedError         a run ended with failed entities, each named

Every message says what, where, what was expected and what to do next, in words an operator
understands.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from kimo_assets.texts import say


class KimoError(Exception):
    """Root of everything this package raises on purpose."""


class ConfigError(KimoError):
    """kimo.yaml, or a value given on the command line, cannot be used."""


class UnknownEntityError(ConfigError):
    """A name that is no entity here; the message suggests the nearest ones."""

    def __init__(self, name: str, candidates: Iterable[str], *, where: str | None = None) -> None:
        self.name = name
        self.suggestions = nearest(name, candidates)
        hint = ""
        if self.suggestions:
            hint = say("errors.did_you_mean", names=say("errors.or").join(self.suggestions))
        where = where or say("errors.the_catalogue")
        super().__init__(say("errors.unknown_entity", name=name, where=where, hint=hint))


class MigrationError(ConfigError):
    """Kimo's database cannot be brought up to date now, or it is of a later version. It was left as
    it is.
    """


class ContractError(KimoError):
    """Data of our own that break a promise of this package."""


class NotStagedError(ContractError):
    """Step 2 was asked for an entity that step 1 has never read."""


class SourceError(KimoError):
    """The ERP's (or CRM's) database could not give what was asked. source: which one, where that is
    known.

    said_by_database: it refused a statement; otherwise we refuse what we found there.
    """

    source: str | None = None
    said_by_database: bool = False


class TransientSourceError(SourceError):
    """The source cannot be reached now; trying again later may help."""


class PermanentSourceError(SourceError):
    """The source will answer the same until somebody changes it or the mapping."""


class ReaderError(SourceError):
    """A fast reader met what only the plain cursor can read: the entity is then read by that."""


class TableLockedError(SourceError):
    """A statement waited for a locked table as long as `lock_timeout_s` allows."""


class SemaphoreError(SourceError):
    """A semaphore of the ERP's was not to be had within the time that is allowed."""


class CustomTaskError(SourceError):
    """The custom task could not be started, took too long or said that it failed."""


class GuardError(KimoError):
    """A snapshot looks wrong, so it was not taken; the data of the last good load stay."""


class PlanMovedError(KimoError):
    """A saved plan cannot be applied as it was seen; nothing was changed."""


class LockedError(KimoError):
    """Another import or export holds the lock."""


class ImagesError(KimoError):
    """A folder of pictures, or the public folder, cannot be read or written at all. Single pictures
    are never an error.
    """


class GeocodingError(KimoError):
    """Google's service refuses to go on, or cannot be reached at all. What it answered before is
    kept.
    """


class WebserverError(KimoError):
    """Dagster's webserver, which carries out what the web API is asked for, cannot do it now."""


class ExportError(KimoError):
    """The export as a whole cannot go on. Single records that cannot be sent are held back and
    reported, no error.
    """


class StoreError(KimoError):
    """The sync store lacks an object, or holds one whose content is not what its name says."""


class RunFailedError(KimoError):
    """Some entities of a run failed; the others were kept. `failures`: entity -> reason."""

    def __init__(self, step: str, failures: dict[str, str]) -> None:
        self.step = step
        self.failures = failures
        lines = "\n".join(f"  {entity}: {reason}" for entity, reason in failures.items())
        super().__init__(say("errors.entities_failed", step=step, count=len(failures), lines=lines))


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """Up to three candidates that look like `name`, ignoring case."""
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    return [by_fold[fold] for fold in get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.6)]


def in_one_line(error: Exception) -> str:
    """The error's message as one sentence of a report."""
    # Some exceptions of drivers carry no message at all.
    return " ".join(str(error).split()) or type(error).__name__


def reason(error: Exception) -> str:
    """The same of an error of somebody else's, whose kind is half of what it says."""
    return f"{type(error).__name__}: {in_one_line(error)}"


def error_class(name: str | None) -> type[KimoError]:
    """The class of ours that has this name. KimoError stands for any other, and for none."""
    classes: list[type[KimoError]] = [KimoError]
    for candidate in classes:
        if candidate.__name__ == name:
            return candidate
        classes += candidate.__subclasses__()
    return KimoError


def error_of_record(kind: str, message: str) -> KimoError:
    """An error that was recorded by the name of its class and its message, to be raised again."""
    recorded = error_class(kind)
    # Not by its __init__, which may take other arguments: the message is made already.
    error = recorded.__new__(recorded)
    Exception.__init__(error, message)
    return error
