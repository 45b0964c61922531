"""The state of the outside world as the sensors see it: each keeps it in a cursor of JSON.

No run is asked for here. What could not be read counts as not looked at: the state of before stays.
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
from kimo_assets.texts import say

# A semaphore's Status while the ERP writes (fact sheet, section 4).
_ERP_IS_WRITING = 1


@dataclass
class ErpWriting:
    """The ERP's exports into its integration database.

    writing: source -> since when the ERP is seen writing there. done: finished exports for which
    no import was asked yet.
    """

    writing: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, cursor: str | None) -> "ErpWriting":
        return cls(**json.loads(cursor)) if cursor else cls()

    @property
    def cursor(self) -> str:
        """The state as Dagster keeps it."""
        return json.dumps({"writing": self.writing, "done": self.done})

    def update(self, config: KimoConfig, now: datetime | None = None) -> str:
        """Reads the semaphores. Returns their states in words."""
        states = list(inspect_semaphores(config, None, flows=[IMPORT]))
        at = (now or datetime.now().astimezone()).isoformat(timespec="milliseconds")
        for state in states:
            if state.error is None:
                self._update_source(state, at)
        return "; ".join(state.error or _status(state) for state in states)

    def _update_source(self, state: SemaphoreState, at: str) -> None:
        if state.status == _ERP_IS_WRITING:
            self.writing.setdefault(state.source, at)
            return
        since = self.writing.pop(state.source, None)
        # From writing straight to another status, an import of ours has taken the semaphore. It
        # reads what the ERP wrote, so no other one is needed.
        if since and state.status == IDLE:
            self.done.append(f"{state.source} {since}")

    def finished(self) -> str | None:
        """A key of the finished exports, once no source is being written any more.

        Each finished export is in one key only.
        """
        # The CRM may still be writing when the ERP has finished. Its part would be read half done.
        if not self.done or self.writing:
            return None
        key, self.done = " ".join(self.done), []
        return key


def _status(state: SemaphoreState) -> str:
    status = state.words if state.status is None else f"{state.status} ({state.words})"
    return say("defs.semaphore", source=state.source, semaphore=state.semaphore, status=status)


# --- the export
# --------------------------------------------------------------------------------------------------

# The sensor looks every minute. What fails an export is seldom mended so soon, and each failed run
# means a mail or a line in the log.
_AFTER_A_FAILURE = timedelta(minutes=15)


@dataclass(frozen=True)
class LastExport:
    """The newest run of the export that the sensor or a schedule asked for."""

    record: dg.RunRecord | None

    @classmethod
    def of(cls, instance: dg.DagsterInstance, config: KimoConfig) -> "LastExport":
        own = dg.RunsFilter(job_name=menu.EXPORT.job, tags={COMPANY_TAG: str(config.path)})
        return cls(next(iter(instance.get_run_records(own, limit=1)), None))

    def keeps_waiting(self, now: datetime) -> str | None:
        """Why no other one is asked for yet. None: one may be."""
        if self.record is None:
            return None
        run = self.record.dagster_run
        if not run.is_finished:
            return say("defs.export_not_over", run_id=run.run_id)
        again = datetime.fromtimestamp(self.record.end_time or 0, now.tzinfo) + _AFTER_A_FAILURE
        if run.status is dg.DagsterRunStatus.FAILURE and now < again:
            return say("defs.export_failed", run_id=run.run_id, again=f"{again:%H:%M}")
        return None


@dataclass(frozen=True)
class Records:
    """Records in EntityStatus 6. ready: can go now. kept: held back, or waiting for another one."""

    ready: int = 0
    kept: int = 0

    @classmethod
    def read(cls, connection: Connection, config: KimoConfig) -> "Records":
        """How many there are, and how many of them an export could send now."""
        catalog = load_catalog()
        heads = listed_heads(config, catalog)
        # Counting is quick, and mostly there are none. The reasons why records stay take longer.
        count = count_ready(connection, heads) if heads else 0
        if not count:
            return cls()
        entities = waiting(connection, config, catalog).values()
        ready = sum(entity.ready for entity in entities)
        return cls(ready, max(count - ready, 0))

    @property
    def in_words(self) -> str:
        """What waits for an export, in a sentence of the tick."""
        ready = say("defs.no_records_ready")
        if self.ready:
            ready = say("defs.records_ready", count=self.ready)
        if not self.kept:
            return ready
        kept = say("defs.records_kept", count=self.kept)
        return f"{ready}; {kept}"


# --- pictures
# --------------------------------------------------------------------------------------------------

# Listing a bucket costs requests, which are paid for.
_URLS_EVERY = timedelta(minutes=15)


@dataclass
class Folders:
    """The source folders of pictures.

    taken: folder -> the digest of the files whose import was asked for last. seen: folder -> the
    digest of the last look, at: its moment. settled: the folders that have changed, and were the
    same at two looks in a row.
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
        """The state as Dagster keeps it."""
        # `settled` is of one look only, and belongs to no cursor.
        return json.dumps({"taken": self.taken, "seen": self.seen, "at": self.at})

    def update(self, connection: Connection, config: KimoConfig, now: datetime) -> str:
        """Lists the folders that are due. Returns their states in words."""
        try:
            settings = image_settings(connection, config)
        except ConfigError as error:
            return in_one_line(error)
        folders = sorted(set(settings.sources.values()))
        if not folders:
            return say("defs.no_folder")
        return "; ".join(self._update_folder(folder, now) for folder in folders)

    def _update_folder(self, folder: str, now: datetime) -> str:
        """A changed folder is settled once two looks in a row have seen the same files."""
        last = self.at.get(folder)
        if is_url(folder) and last and now - datetime.fromisoformat(last) < _URLS_EVERY:
            return say("defs.folder_not_due", folder=folder, at=last)
        try:
            listing = list_folder(folder, "images: source:")
        except ImagesError as error:
            return in_one_line(error)
        digest, before = _digest(listing), self.seen.get(folder)
        self.seen[folder], self.at[folder] = digest, now.isoformat(timespec="seconds")
        if digest == self.taken.get(folder):
            return say("defs.folder_unchanged", folder=folder, count=len(listing.files))
        # Files are copied one by one. An import in the middle would take a half-written picture.
        if digest != before:
            return say("defs.folder_changing", folder=folder)
        self.settled.add(folder)
        return say("defs.folder_changed", folder=folder)

    def changed(self) -> str | None:
        """A key of the settled changes, which count as taken from now on. None: there are none."""
        for folder in self.settled:
            self.taken[folder] = self.seen[folder]
        # With the moment, because Dagster takes a run key only once. A folder that returns to an
        # earlier content has changed again.
        parts = [f"{self.taken[folder][:16]} {self.at[folder]}" for folder in sorted(self.settled)]
        return " ".join(parts) or None


def _digest(listing: Listing) -> str:
    lines = (
        f"{path}\0{stamp.size}\0{stamp.modified}\0{stamp.etag}"
        for path, stamp in sorted(listing.files.items())
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# --- kimo.yaml
# --------------------------------------------------------------------------------------------------

_RELOAD = """
mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) {
    __typename
    ... on WorkspaceLocationEntry {
        locationOrLoadError { __typename ... on PythonError { message } } }
    ... on ReloadNotSupported { message }
    ... on RepositoryLocationNotFound { message } } }
"""
# A reload imports the definitions anew, which takes seconds.
_RELOAD_TIMEOUT_S = 30


@dataclass
class YamlFiles:
    """file -> the digest of its last valid content: kimo.yaml, and the mapping that it names."""

    path: Path
    digests: dict[str, str]

    @classmethod
    def of(cls, cursor: str | None, path: Path) -> "YamlFiles":
        digests = json.loads(cursor) if cursor else {}
        # The cursor outlives a code location that is pointed to another kimo.yaml.
        return cls(path, digests if str(path) in digests else {})

    @property
    def cursor(self) -> str:
        """The state as Dagster keeps it."""
        return json.dumps(self.digests)

    def update(self, location: str | None) -> str:
        """Compares the files, checks a change and has the webserver reload it.

        Returns the result in words.
        """
        name = self.path.name
        now = {file: _digest_of(Path(file)) for file in self.digests}
        if self.digests and now == self.digests:
            return say("defs.yaml_unchanged", name=name)
        try:
            digests = _digests(self.path)
            config = load_config(self.path)
        except ConfigError as error:
            problem = " / ".join(str(error).splitlines())
            return say("defs.yaml_wrong", name=name, problem=problem)
        is_first, self.digests = not self.digests, digests
        if is_first:
            return say("defs.yaml_watched", name=name)
        reloaded = _reload(config.api.graphql_url, location or code_location(config))
        return say("defs.yaml_changed", name=name, reloaded=reloaded)


def _digests(path: Path) -> dict[str, str]:
    # As it is written: a variable that is not set must not hide that the file has changed.
    raw = Document.read(path).texts()
    files = [path]
    if isinstance(raw, Mapping) and raw.get("mapping"):
        files.append(path.parent / str(raw["mapping"]))
    return {str(file): _digest_of(file) for file in files}


def _digest_of(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        # An editor may be replacing the file just now. The next look sees the new one.
        return ""


def _reload(url: str, location: str) -> str:
    """Asks the webserver, and returns the result in words.

    The daemon needs no request: it reads the definitions anew each minute.
    """
    request = {"query": _RELOAD, "variables": {"name": location}}
    try:
        response = requests.post(url, json=request, timeout=_RELOAD_TIMEOUT_S)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()["data"]["reloadRepositoryLocation"]
    # The answer may be a proxy's page, or GraphQL's errors without data.
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return say("defs.no_webserver", url=url)
    error = answer.get("message") or answer.get("locationOrLoadError", {}).get("message")
    if error:
        return say("defs.not_reloaded", error=" ".join(error.split()))
    return say("defs.reloaded")
