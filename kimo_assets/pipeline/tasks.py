"""The menu's side jobs: pictures from files, pictures from URLs, coordinates, the morning report.

Each of the first three has a lock of its own and may run beside an import. Its results are kept
in ops at once. The tables that agents get are brought up to date at its end, and at the start of
every step 3.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import Connection

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import MORNING_REPORT
from kimo_assets.config import KimoConfig
from kimo_assets.database import ledger
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database
from kimo_assets.errors import GeocodingError, LockedError
from kimo_assets.geocoding import positions
from kimo_assets.geocoding import run as geocoding
from kimo_assets.images import download, files, references
from kimo_assets.images.settings import image_settings
from kimo_assets.notifications.morning import MorningReport, morning_letter
from kimo_assets.notifications.outbox import Sent, post, send_due
from kimo_assets.notifications.settings import NotificationSettings, notification_settings
from kimo_assets.progress import Progress
from kimo_assets.reports import TaskReport
from kimo_assets.texts import say

# How long a job waits at its end until an import has released the tables.
_PATIENCE_S = 60.0
_PAUSE_S = 1.0

Refresh = Callable[[Connection[Any], int], int]

ReadMorning = Callable[[Connection[Any], KimoConfig, NotificationSettings], MorningReport]


def import_files(
    config: KimoConfig, database: Database, progress: Progress, run_id: str | None = None
) -> TaskReport:
    """Raises: LockedError; ImagesError when a folder cannot be used; ConfigError."""
    with exclusive(database, menu.IMPORT_FILES.lock) as connection:
        report = files.import_files(connection, image_settings(connection, config), progress)
        return _handed_over(database, report, references.refresh, run_id)


def download_images(
    config: KimoConfig, database: Database, progress: Progress, run_id: str | None = None
) -> TaskReport:
    """Raises: LockedError; ImagesError when the public folder cannot be used; ConfigError."""
    with exclusive(database, menu.DOWNLOAD_IMAGES.lock) as connection:
        report = download.download_images(connection, image_settings(connection, config), progress)
        return _handed_over(database, report, references.refresh, run_id)


def geocode_addresses(
    config: KimoConfig, database: Database, progress: Progress, run_id: str | None = None
) -> TaskReport:
    """Raises: LockedError. GeocodingError when Google refuses to go on.

    What was answered before is kept.
    """
    section = config.geocoding
    with exclusive(database, menu.GEOCODE.lock) as connection:
        try:
            report = geocoding.geocode_addresses(
                connection, section, os.environ.get(section.key_variable), progress
            )
        # Answers cost money. Those that came before the refusal reach the tablets all the same.
        except GeocodingError:
            _hand_over(database, menu.GEOCODE.title, positions.refresh, run_id)
            raise
        return _handed_over(database, report, positions.refresh, run_id)


def _handed_over(
    database: Database, report: TaskReport, refresh: Refresh, run_id: str | None
) -> TaskReport:
    report = replace(report, run_id=run_id)
    note = _hand_over(database, report.title, refresh, run_id)
    if note:
        report = replace(report, notes=(*report.notes, note))
    return report


def _hand_over(database: Database, title: str, refresh: Refresh, run_id: str | None) -> str | None:
    """Brings the table that agents get up to date, as a load of its own if anything differs.

    Returns a note when an import held the lock too long, so that the next step 3 does it.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            # The job's own lock does not keep imports out, and they write the same tables.
            with exclusive(database) as connection:
                _refresh_as_a_load(connection, title, refresh, run_id)
            return None
        except LockedError as error:
            if time.monotonic() > deadline:
                return say("pipeline.taken_over_later", reason=error)
            time.sleep(_PAUSE_S)


def _refresh_as_a_load(
    connection: Connection[Any], title: str, refresh: Refresh, run_id: str | None
) -> None:
    # The load is begun before it is known whether anything differs, because rows carry its number.
    with connection.transaction() as transaction:
        load = ledger.begin_load(connection, title, run_id)
        if not refresh(connection, load):
            # A load that changed nothing would only make the operator look for what it did.
            raise psycopg.Rollback(transaction)
        ledger.end_load(connection, load, success=True)


# --- the morning report
# --------------------------------------------------------------------------------------------------


def send_morning_report(
    connection: Connection[Any], config: KimoConfig, key: str, read: ReadMorning
) -> Sent:
    """Writes the report's mail and tries to send it, with the mails that waited before.

    key: the report is sent once under it. read: how the report is put together, which is done only
    when somebody is to get it.
    """
    settings = notification_settings(connection, config)
    if not settings.is_wanted or not settings.everybody:
        return Sent(problems=settings.problems or (say("pipeline.nobody_gets_the_report"),))
    letter = morning_letter(read(connection, config, settings), settings)
    post(connection, letter, settings.everybody, settings, f"{MORNING_REPORT.job}:{key}")
    sent = send_due(connection, settings)
    return replace(sent, problems=tuple(dict.fromkeys((*sent.problems, *settings.problems))))
