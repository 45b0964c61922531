"""What the sensors look at, and what they remember from one look to the next: each a cursor of
JSON.

Nothing is asked for here. What could not be read counts as not looked at: what was known before
stays known.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import requests
from psycopg import Connection

from kimo_assets.catalog import load_catalog, menu
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.config.document import Document
from kimo_assets.defs.automation.run_requests import COMPANY_TAG
from kimo_assets.defs.naming import code_location
from kimo_assets.errors import ConfigError, ImagesError, in_one_line
from kimo_assets.export.ready import count_ready, listed_heads, waiting
from kimo_assets.images.settings import image_settings
from kimo_assets.images.source_folder import Listing, is_url, list_folder
from kimo_assets.maintenance.semaphores import SemaphoreState, inspect_semaphores
from kimo_assets.sources.semaphore import IDLE, IMPORT

_ERP_IS_WRITING = 1


@dataclass
class ErpWriting:
    """writing: source -> since when the ERP is seen writing there. done: what it has finished and
    nobody was told of.
    """

    writing: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, cursor: str | None) -> "ErpWriting":
        return cls(**json.loads(cursor)) if cursor else cls()

    @property
    def cursor(self) -> str:
        return json.dumps({"writing": self.writing, "done": self.done})

    def look(self, config: KimoConfig, now: datetime | None = None) -> str:
        """Takes in how the semaphores stand; what there is to say of it."""
        states = list(inspect_semaphores(config, None, flows=[IMPORT]))
        for state in states:
            if state.error is None:
                self._take_in(
                    state, (now or datetime.now().astimezone()).isoformat(timespec="milliseconds")
                )
        return "; ".join(state.error or _standing(state) for state in states)

    def _take_in(self, state: SemaphoreState, now: str) -> None:
        if state.status == _ERP_IS_WRITING:
            self.writing.setdefault(state.source, now)
        elif (since := self.writing.pop(state.source, None)) and state.status == IDLE:
            self.done.append(f"{state.source} {since}")

    def finished(self) -> str | None:
        """A key of what has finished, once no source is being written any more. Said once."""
        if not self.done or self.writing:
            return None
        key, self.done = " ".join(self.done), []
        return key


def _standing(state: SemaphoreState) -> str:
    status = state.words if state.status is None else f"{state.status} ({state.words})"
    return f"source '{state.source}': {state.semaphore} is {status}"


# --- the export
# --------------------------------------------------------------------------------------------------

_AFTER_A_FAILURE = timedelta(minutes=15)


@dataclass(frozen=True)
class LastExport:
    """The newest run of the export that was asked for by itself, here or by a schedule."""

    record: dg.RunRecord | None

    @classmethod
    def of(cls, instance: dg.DagsterInstance, config: KimoConfig) -> "LastExport":
        mine = dg.RunsFilter(job_name=menu.EXPORT.job, tags={COMPANY_TAG: str(config.path)})
        return cls(next(iter(instance.get_run_records(mine, limit=1)), None))

    def keeps_waiting(self, now: datetime) -> str | None:
        """Why no other one is asked for yet."""
        if self.record is None:
            return None
        run = self.record.dagster_run
        if not run.is_finished:
            return f"run {run.run_id} of the export is not over yet"
        again = datetime.fromtimestamp(self.record.end_time or 0, now.tzinfo) + _AFTER_A_FAILURE
        if run.status is dg.DagsterRunStatus.FAILURE and now < again:
            return (
                f"run {run.run_id} of the export has failed; the next one from {again:%H:%M} UTC on"
            )
        return None


@dataclass(frozen=True)
class Records:
    """In EntityStatus 6. ready: can go now; kept: held back, or waiting for another one."""

    ready: int = 0
    kept: int = 0

    @classmethod
    def read(cls, connection: Connection, config: KimoConfig) -> "Records":
        catalog = load_catalog()
        heads = listed_heads(config, catalog)
        # What is there at all is counted at once; why it stays where it is takes longer to find
        # out.
        if not heads or not (there := count_ready(connection, heads)):
            return cls()
        ready = sum(of.ready for of in waiting(connection, config, catalog).values())
        return cls(ready, max(there - ready, 0))

    @property
    def in_words(self) -> str:
        kept = f"; {self.kept:,} are held back or wait (kimo export status)" if self.kept else ""
        return f"{self.ready or 'no'} records are ready for the ERP{kept}"


# --- pictures
# --------------------------------------------------------------------------------------------------

_URLS_EVERY = timedelta(minutes=15)


@dataclass
class Folders:
    """By place: taken, the digest of the files whose import was asked for last; seen, that of the
    last look; at, its moment.

    settled: the places that have changed, and were the same at two looks in a row.
    """

    taken: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    at: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, cursor: str | None) -> "Folders":
        return cls(**json.loads(cursor)) if cursor else cls()

    @property
    def cursor(self) -> str:
        return json.dumps({"taken": self.taken, "seen": self.seen, "at": self.at})

    def look(self, connection: Connection, config: KimoConfig, now: datetime) -> str:
        """Lists the places whose turn it is; what there is to say of it."""
        try:
            settings = image_settings(connection, config)
        except ConfigError as error:
            return in_one_line(error)
        places = sorted(set(settings.sources.values()))
        return (
            "; ".join(self._look(place, now) for place in places)
            or "no folder is named (images: source:)"
        )

    def _look(self, place: str, now: datetime) -> str:
        last = self.at.get(place)
        if is_url(place) and last and now - datetime.fromisoformat(last) < _URLS_EVERY:
            return f"{place} was looked at {last}"
        try:
            listing = list_folder(place, "images: source:")
        except ImagesError as error:
            return in_one_line(error)
        digest, before = _digest(listing), self.seen.get(place)
        self.seen[place], self.at[place] = digest, now.isoformat(timespec="seconds")
        if digest == self.taken.get(place):
            return f"nothing is new among the {len(listing.files):,} files of {place}"
        if digest != before:
            return f"{place} has changed: its files are imported when the next look sees the same"
        self.settled.add(place)
        return f"{place} has changed"

    def changed(self) -> str | None:
        """A key of the change, once two looks in a row have seen the same. Said once."""
        for place in self.settled:
            self.taken[place] = self.seen[place]
        return (
            " ".join(f"{self.taken[place][:16]} {self.at[place]}" for place in sorted(self.settled))
            or None
        )


def _digest(listing: Listing) -> str:
    lines = (
        f"{path}\0{stamp.size}\0{stamp.modified}\0{stamp.etag}"
        for path, stamp in sorted(listing.files.items())
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# --- kimo.yaml
# --------------------------------------------------------------------------------------------------

_RELOAD = """mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
    ... on ReloadNotSupported { message } ... on RepositoryLocationNotFound { message } } }"""
_RELOAD_TIMEOUT_S = 30


@dataclass
class YamlFiles:
    """file -> the digest of what was last taken over: kimo.yaml, and the mapping that it names."""

    path: Path
    digests: dict[str, str]

    @classmethod
    def of(cls, cursor: str | None, path: Path) -> "YamlFiles":
        known = json.loads(cursor) if cursor else {}
        return cls(path, known if str(path) in known else {})

    @property
    def cursor(self) -> str:
        return json.dumps(self.digests)

    def look(self, location: str | None) -> str:
        """Compares, checks what is new and has the webserver reload it; what there is to say."""
        now = {name: _digest_of(Path(name)) for name in self.digests}
        if self.digests and now == self.digests:
            return f"{self.path.name} is as it was"
        try:
            found = _digests(self.path)
            config = load_config(self.path)
        except ConfigError as error:
            return (
                f"{self.path.name} is not taken over, mend it:"
                f" {' / '.join(str(error).splitlines())}"
            )
        is_first, self.digests = not self.digests, found
        if is_first:
            return f"{self.path.name} is watched from now on"
        reloaded = _reload(config.api.graphql_url, location or code_location(config))
        return f"{self.path.name} has changed and is right; {reloaded}"


def _digests(path: Path) -> dict[str, str]:
    raw = Document.read(path).texts()
    named = (
        [path.parent / str(raw["mapping"])]
        if isinstance(raw, Mapping) and raw.get("mapping")
        else []
    )
    return {str(file): _digest_of(file) for file in (path, *named)}


def _digest_of(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _reload(url: str, location: str) -> str:
    """What came of asking the webserver. The daemon reads the definitions anew each minute by
    itself.
    """
    by_hand = (
        "press Reload in the UI (Deployment) when it runs; the daemon takes it over within a minute"
    )
    try:
        answer = requests.post(
            url, json={"query": _RELOAD, "variables": {"name": location}}, timeout=_RELOAD_TIMEOUT_S
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()["data"]["reloadRepositoryLocation"]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return f"no webserver answered at {url}: {by_hand}"
    error = found.get("message") or found.get("locationOrLoadError", {}).get("message")
    return (
        f"the webserver could not reload it ({' '.join(error.split())}): {by_hand}"
        if error
        else "the UI has reloaded it"
    )
