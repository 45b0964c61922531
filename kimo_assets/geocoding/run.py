"""geocode_addresses: asks the addresses that are new, changed or too old, and keeps each answer.

One call after the other: with several on their way, a run that is killed would lose as many
answers. Google answers in a tenth or a fifth of a second, so that a day's budget of thousands takes
minutes.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog.menu import GEOCODE
from kimo_assets.config.models import GeocodingConfig
from kimo_assets.errors import GeocodingError
from kimo_assets.geocoding.addresses import VERSION, normalise
from kimo_assets.geocoding.client import Answer, Geocoder, Reply, ReplyKind
from kimo_assets.geocoding.positions import ACCOUNT_TYPES, SET_BY_PERSON, WRITTEN
from kimo_assets.geocoding.report import corrections, totals
from kimo_assets.progress import Progress
from kimo_assets.reports import Problem, TaskReport
from kimo_assets.texts import say

# Answers are asked for again in the last tenth of the days that they may be kept, so that none is
# missing in between.
_REFRESHED_AFTER = 0.9
# So many addresses in a row without an answer: the service is down, not the addresses wrong.
_FAILED_IN_A_ROW = 5
_SECONDS_OF_DAY = 86_400

Clock = Callable[[], float]
Sleep = Callable[[float], None]


def geocode_addresses(
    connection: Connection,
    config: GeocodingConfig,
    key: str | None,
    listener: Progress,
    *,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> TaskReport:
    """Asks what is due, as far as the day's budget goes.

    connection: in autocommit mode, so that each answer is kept at once.
    Raises: GeocodingError when Google refuses the key or does not answer. Answers until then are
    kept.
    """
    began = time.monotonic()
    prepare_addresses(connection, config)
    # After the addresses, because an answer that none of them needs goes altogether.
    expired = forget_expired(connection, config)
    outcome = _Outcome()
    if key and key.strip():
        _ask_all(connection, config, key, listener, outcome, clock, sleep)
        # Answers may reach their age while others are asked for.
        expired += forget_expired(connection, config)
    else:
        outcome.notes.append(say("geocoding.no_key", variable=config.key_variable))
    return _report(connection, outcome, expired, time.monotonic() - began)


@dataclass(frozen=True)
class Preview:
    """What a run would ask now.

    today: how many calls are left of the day's budget. cost: of all calls, by price_per_1000,
    before what Google grants free of charge. days: how many days with calls it takes.
    """

    calls: int
    new: int
    expiring: int
    today: int
    fits: int
    cost: float
    days: int

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return asdict(self)


def preview(connection: Connection, config: GeocodingConfig) -> Preview:
    """Asks nothing and leaves nothing behind."""
    with connection.transaction(force_rollback=True):
        prepare_addresses(connection, config)
        due = _due(connection, config)
    left = max(config.daily_budget - calls_today(connection), 0)
    new = sum(is_new for _, _, is_new in due)
    calls = len(due)
    later = max(calls - left, 0)
    days = math.ceil(later / config.daily_budget)
    if min(calls, left):
        days += 1
    return Preview(
        calls=calls,
        new=new,
        expiring=calls - new,
        today=left,
        fits=min(calls, left),
        cost=round(calls * config.price_per_1000 / 1000, 2),
        days=days,
    )


# --- addresses
# --------------------------------------------------------------------------------------------------

_LIVE = sql.SQL("""
    SELECT DISTINCT {written} AS written FROM kimo."Account" AS a
    WHERE a._archived_load IS NULL AND a."AccountTypeId" = ANY({types}) AND NOT {by_person}
    """).format(written=WRITTEN, types=sql.Literal(list(ACCOUNT_TYPES)), by_person=SET_BY_PERSON)


def prepare_addresses(connection: Connection, config: GeocodingConfig) -> None:
    """Fills ops.address with today's customers' addresses, but for positions set by a person."""
    rules = f"{VERSION} {config.country}"
    with connection.transaction():
        connection.execute(
            sql.SQL("CREATE TEMP TABLE live_address ON COMMIT DROP AS {}").format(_LIVE)
        )
        connection.execute(
            "DELETE FROM ops.address AS d WHERE rules <> %s "
            "OR NOT EXISTS (SELECT FROM live_address AS l WHERE l.written = d.written)",
            [rules],
        )
        new = connection.execute(
            "SELECT written FROM live_address AS l WHERE NOT EXISTS (SELECT FROM ops.address AS d"
            " WHERE d.written = l.written) ORDER BY written"
        ).fetchall()
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY ops.address (written, query, problem, province, rules) FROM STDIN"
            ) as copy,
        ):
            for row in _prepared((written for (written,) in new), config.country):
                copy.write_row((*row, rules))
        connection.execute("DROP TABLE live_address")


def _prepared(addresses: Iterable[str], home: str) -> Iterable[tuple[str | None, ...]]:
    for written in addresses:
        address = normalise(written, home)
        yield written, address.query, address.problem, address.province or None


# --- asking
# --------------------------------------------------------------------------------------------------


@dataclass
class _Outcome:
    """What a run did so far. failed: query -> the reason why it has no answer."""

    asked: int = 0
    answered: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _ask_all(
    connection: Connection,
    config: GeocodingConfig,
    key: str,
    listener: Progress,
    outcome: _Outcome,
    clock: Clock,
    sleep: Sleep,
) -> None:
    """Asks what is due, until the budget is used up or the service seems to be down."""
    due = _due(connection, config)
    listener.task_started(GEOCODE.title, len(due))
    geocoder = Geocoder(
        config,
        key,
        lambda: _count_call(connection, config.daily_budget),
        log=listener.log,
        clock=clock,
        sleep=sleep,
    )
    in_a_row = 0
    try:
        for query, written, _ in due:
            reply = geocoder.ask(normalise(written, config.country))
            in_a_row += 1
            if reply.kind is not ReplyKind.FAILED:
                in_a_row = 0
            if not _take(connection, config, query, reply, outcome):
                break
            if in_a_row == _FAILED_IN_A_ROW:
                message = say(
                    "geocoding.no_answers",
                    server=config.base_url,
                    count=in_a_row,
                    reason=reply.reason,
                    kept=_kept(outcome),
                )
                raise GeocodingError(message)
            listener.task_advanced(1)
    finally:
        geocoder.close()


def _take(
    connection: Connection, config: GeocodingConfig, query: str, reply: Reply, outcome: _Outcome
) -> bool:
    """Keeps what became of one address. Says whether the run goes on. Raises: GeocodingError."""
    outcome.asked += reply.kind is not ReplyKind.NO_BUDGET
    match reply.kind:
        case ReplyKind.ANSWERED if reply.answer:
            _keep(connection, query, reply.answer)
            outcome.answered += 1
        case ReplyKind.REFUSED:
            kept = _kept(outcome)
            raise GeocodingError(say("geocoding.stopped", reason=reply.reason, kept=kept))
        case ReplyKind.NO_BUDGET:
            outcome.notes.append(say("geocoding.budget_used_up", budget=config.daily_budget))
            return False
        case ReplyKind.OVER_LIMIT:
            reason = _as_sentence(reply.reason)
            outcome.notes.append(say("geocoding.still_too_fast", reason=reason))
            return False
        case _:
            reason = _as_sentence(reply.reason)
            outcome.failed[query] = say("geocoding.tried_again_later", reason=reason)
    return True


def _as_sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _kept(outcome: _Outcome) -> str:
    if not outcome.answered:
        return say("geocoding.nothing_answered")
    return say("geocoding.answers_kept", count=outcome.answered)


def _due(connection: Connection, config: GeocodingConfig) -> Sequence[tuple[str, str, bool]]:
    """What to ask: (query, an address that is asked so, whether it is new), new ones first.

    After these come the oldest answers.
    """
    return connection.execute(
        """
        SELECT d.query, min(d.written), min(g.answered_at) IS NULL
        FROM ops.address AS d LEFT JOIN ops.geocode AS g ON g.query = d.query
        WHERE d.query IS NOT NULL AND (g.query IS NULL
            OR g.answered_at <= now() - make_interval(secs => %s))
        GROUP BY d.query ORDER BY min(g.answered_at) NULLS FIRST, d.query
        """,
        [config.keep_days * _REFRESHED_AFTER * _SECONDS_OF_DAY],
    ).fetchall()


# Google counts its days by Pacific time.
_TODAY = "(now() AT TIME ZONE 'America/Los_Angeles')::date"


def _count_call(connection: Connection, budget: int) -> bool:
    """Counts a call before it is made, committed. Says whether the day has it left."""
    counted = connection.execute(
        f"INSERT INTO ops.geocode_call AS c (day, calls) VALUES ({_TODAY}, 1) "
        "ON CONFLICT (day) DO UPDATE SET calls = c.calls + 1 WHERE c.calls < %s RETURNING calls",
        [budget],
    )
    return counted.fetchone() is not None


def calls_today(connection: Connection) -> int:
    """Calls made on this day of Google's clock."""
    row = connection.execute(f"SELECT calls FROM ops.geocode_call WHERE day = {_TODAY}").fetchone()
    return row[0] if row else 0


_COLUMNS = [column.name for column in fields(Answer)]
_KEEP = sql.SQL(
    "INSERT INTO ops.geocode (query, {columns}) VALUES (%s, {marks}) ON CONFLICT (query) DO UPDATE"
    " SET ({columns}, answered_at) = ({new}, now())"
).format(
    columns=sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)),
    marks=sql.SQL(", ").join([sql.Placeholder()] * len(_COLUMNS)),
    new=sql.SQL(", ").join(sql.Identifier("excluded", column) for column in _COLUMNS),
)


def _keep(connection: Connection, query: str, answer: Answer) -> None:
    connection.execute(_KEEP, [query, *astuple(answer)])


def forget_expired(connection: Connection, config: GeocodingConfig) -> int:
    """Forgets coordinates that Google's terms allow to keep no longer, and says how many.

    Place ids stay. What no customer has any more goes altogether.
    """
    with connection.transaction():
        interval = [config.keep_days * _SECONDS_OF_DAY]
        connection.execute(
            "DELETE FROM ops.geocode AS g WHERE answered_at <= now() - make_interval(secs => %s) "
            "AND NOT EXISTS (SELECT FROM ops.address AS d WHERE d.query = g.query)",
            interval,
        )
        return connection.execute(
            "UPDATE ops.geocode SET (status, latitude, longitude, location_type, partial_match,"
            " formatted_address, province) = ('EXPIRED', NULL, NULL, NULL, NULL, NULL, NULL) WHERE"
            " latitude IS NOT NULL AND answered_at <= now() - make_interval(secs => %s)",
            interval,
        ).rowcount


# --- report
# --------------------------------------------------------------------------------------------------


def _report(connection: Connection, outcome: _Outcome, expired: int, seconds: float) -> TaskReport:
    """The figures stand for all addresses, not only for those of this run."""
    figures = totals(connection)
    counts = {
        "accounts": figures.accounts,
        "addresses": figures.addresses,
        "asked": outcome.asked,
        "answered": outcome.answered,
        "found": figures.found,
        "zero results": figures.zero_results,
        "coarse": figures.coarse,
        "partial": figures.partial,
        "not askable": figures.not_askable,
        "by person": figures.by_person,
        "waiting": figures.waiting,
        "expired": expired,
    }
    notes = list(outcome.notes)
    if figures.waiting and notes:
        notes.append(say("geocoding.waiting", count=figures.waiting))
    problems = [
        *_failures(connection, outcome),
        *(Problem(address.what, address.why) for address in corrections(connection)),
    ]
    return TaskReport(GEOCODE.title, seconds, counts, tuple(problems), tuple(notes))


def _failures(connection: Connection, outcome: _Outcome) -> Iterable[Problem]:
    """Each failed address by the names of its accounts."""
    if not outcome.failed:
        return []
    failed = corrections(connection, only=list(outcome.failed))
    names = {correction.query: correction.what for correction in failed}
    return [Problem(names.get(query, query), reason) for query, reason in outcome.failed.items()]
