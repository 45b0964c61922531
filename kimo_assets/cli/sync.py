"""kimo sync: what tablets get: how big it is, what the next sync brings, whether it is whole."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.table import Table
from rich.text import Text

from kimo_assets.cli.agent import agent_in_words
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import (
    NONE,
    Terminal,
    number,
    plain,
    plural,
    seconds,
    size,
    some,
    table,
)
from kimo_assets.cli.progress import bars
from kimo_assets.diagnostics.status import has_database
from kimo_assets.errors import ConfigError, StoreError
from kimo_assets.sync.inspection import payload_size as weights
from kimo_assets.sync.inspection import sync_preview as differences
from kimo_assets.sync.inspection.payload_size import Weight
from kimo_assets.sync.inspection.sync_preview import Difference, EntityDifference
from kimo_assets.sync.inspection.verify import VerificationReport, all_manifests, verify_published
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.store.stored_manifests import AGENTS, USERS, decode, find_manifest, paths
from kimo_assets.texts import say

_KEYS_SHOWN = 10
# One lost object damages the manifests of all agents who share it.
_DAMAGES_SHOWN = 20
_Function = TypeVar("_Function", bound=Callable[..., Any])


@click.group()
@common_options
def sync() -> None:
    """What tablets get: how heavy it is, what the next sync brings, whether it is whole.

    All of it was prepared by Step 3: Preparazione dati di Sync. These commands change nothing.
    """


def user_option(function: _Function) -> _Function:
    return click.option(
        "--user",
        metavar="USER",
        help="The data of this user of the app (Id of User) instead of their agent's.",
    )(function)


# --- weight
# --------------------------------------------------------------------------------------------------


@sync.command("weight")
@click.argument("agent", metavar="[AGENT]", required=False)
@user_option
@click.option(
    "--mbit",
    type=click.FloatRange(min=0, min_open=True),
    default=weights.DEFAULT_MBIT,
    show_default=True,
    help="The network's speed in Mbit/s. The default is an ordinary 4G connection.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=weights.DEFAULT_DAYS,
    show_default=True,
    help="Over how many days back a usual day's changes are looked for.",
)
@common_options
@click.pass_obj
def weight(call: Call, agent: str | None, user: str | None, mbit: float, days: int) -> None:
    """How heavy tablets' data are: an agent's by entity, or all agents', the heaviest first.

    "First sync" is what a tablet without data fetches, compressed as it travels. "A day" is the
    median, over the days with loads, of what their changes cost a tablet that is synced daily.
    Seconds: the bytes at --mbit, and 50 ms of waiting for each object, 4 at a time, and for the two
    files before them. The tablet's own time to unpack and store them comes on top.
    """
    store = Store(call.config.sync_store)
    if agent is None and user is None:
        _weigh_all(call, store, mbit, days)
        return
    path, manifest = find_manifest(store, agent, user)
    loads, daily = _days(call, path, days)
    manifest_bytes = len(store.read_or_none(path) or b"")
    payload = weights.weigh(manifest, manifest_bytes, loads, daily.get(path))
    if call.as_json:
        print_json(weights.as_json(payload, mbit))
    else:
        _print_weight(call.out, payload, mbit)


def _days(call: Call, path: str | None, days: int) -> tuple[dict[int, Any], dict[str, int]]:
    """The loads (with their days) of one manifest, and all manifests' usual days. Both are empty
    without a database.
    """
    if not has_database(call.config):
        return {}, {}
    with call.database.connect() as connection:
        loads = weights.days_of_loads(connection, path, days) if path else {}
        return loads, weights.daily_bytes(connection, days)


def _print_weight(out: Terminal, payload: Weight, mbit: float) -> None:
    """A table by entity, with the manifest as its last line, then the totals."""
    out.print(_weight_table(payload))
    totals = say(
        "cli.sync.first_sync",
        rows=plural(payload.rows, "row"),
        size=size(payload.bytes),
        objects=plural(payload.objects, "object"),
        seconds=seconds(payload.seconds(mbit)),
        mbit=mbit,
    )
    if payload.heaviest:
        heaviest = say("cli.sync.heaviest", entity=payload.heaviest)
        totals = f"{totals} {heaviest}"
    out.say(totals)
    if payload.daily_bytes is None:
        out.say(say("cli.sync.no_usual_day"))
    else:
        out.say(say("cli.sync.usual_day", size=size(payload.daily_bytes)))


def _weight_table(payload: Weight) -> Table:
    """Entities that bring nothing, neither at once nor on a usual day, share a line."""
    columns = ("entity", "rows", "objects", "first_sync", "share", "a_day")
    shown = table(_title(payload), columns, left=("entity",))
    quiet = 0
    for entity in payload.entities:
        if not entity.objects and not entity.daily_bytes:
            quiet += 1
            continue
        shown.add_row(
            entity.entity,
            number(entity.rows),
            number(entity.objects),
            size(entity.bytes),
            _percent(entity.bytes, payload.bytes),
            _day(entity.daily_bytes),
        )
    label = Text(say("cli.sync.the_manifest"), style="dim")
    share = _percent(payload.manifest_bytes, payload.bytes)
    shown.add_row(label, NONE, NONE, size(payload.manifest_bytes), share, "")
    if quiet:
        shown.add_row(Text(say("cli.sync.without_rows", count=quiet), style="dim"))
    return shown


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _title(payload: Weight | Difference) -> str:
    whose = agent_in_words(payload.agent, payload.user)
    return say("cli.sync.whose", whose=whose, load=payload.load)


def _day(count: int | None) -> str:
    return NONE if count is None else size(count)


def _weigh_all(call: Call, store: Store, mbit: float, days: int) -> None:
    """All agents and users, the heaviest first. Raises: StoreError when there is no payload."""
    payloads = _all_weights(call, store, days)
    if not payloads:
        raise _empty_store(call, store)
    payloads.sort(key=lambda payload: (-payload.bytes, payload.agent, payload.user or ""))
    objects = store.listing("objects")
    stored_bytes = sum(objects.values())
    if call.as_json:
        document = {
            "store": {"url": store.url, "objects": len(objects), "bytes": stored_bytes},
            "agents": [weights.as_json(payload, mbit) for payload in payloads],
        }
        print_json(document)
        return
    call.out.print(_all_weights_table(payloads, mbit))
    agents = sum(payload.user is None for payload in payloads)
    totals = say(
        "cli.sync.all_first_syncs",
        agents=plural(agents, "agent"),
        users=plural(len(payloads) - agents, "user"),
        size=size(sum(payload.bytes for payload in payloads)),
        mbit=mbit,
        objects=plural(len(objects), "object"),
        stored=size(stored_bytes),
    )
    call.out.say(totals)
    if all(payload.daily_bytes is None for payload in payloads):
        call.out.say(say("cli.sync.no_usual_day"))


def _all_weights(call: Call, store: Store, days: int) -> list[Weight]:
    """Of every manifest of the store. One that goes meanwhile is passed over."""
    _, daily = _days(call, None, days)
    payloads: list[Weight] = []
    with _shown(call, say("cli.progress.manifests")) as advance:
        names = [*paths(store, AGENTS), *paths(store, USERS)]
        for done, path in enumerate(names, 1):
            # A publication that goes on meanwhile may replace or remove manifests.
            data = store.read_or_none(path)
            if data is not None:
                manifest = decode(store, path, data)
                payloads.append(weights.weigh(manifest, len(data), None, daily.get(path)))
            advance(done, len(names))
    return payloads


def _all_weights_table(payloads: list[Weight], mbit: float) -> Table:
    """A line per agent and per user with data of their own."""
    columns = ("agent", "user", "rows", "first_sync", "seconds", "a_day", "heaviest")
    shown = table(None, columns, left=("agent", "user", "heaviest"))
    for payload in payloads:
        shown.add_row(
            plain(payload.agent),
            plain(payload.user),
            number(payload.rows),
            size(payload.bytes),
            seconds(payload.seconds(mbit)),
            _day(payload.daily_bytes),
            payload.heaviest or NONE,
        )
    return shown


def _empty_store(call: Call, store: Store) -> StoreError:
    command = call.kimo("import", "--step", "3")
    return StoreError(say("cli.sync.empty_store", url=store.url, command=command))


# --- diff
# --------------------------------------------------------------------------------------------------


@sync.command("diff")
@click.argument("agent", metavar="AGENT")
@user_option
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The SQLite file of `kimo agent`: exactly what its next sync does.",
)
@click.option(
    "--since",
    type=click.IntRange(min=0),
    metavar="LOAD",
    help=(
        "For a tablet that has synced after this load. 0: never. Default: the load that was"
        " published before the last one."
    ),
)
@click.option(
    "--rows", is_flag=True, help=f"Name the rows: of each entity the first {_KEYS_SHOWN} keys."
)
@common_options
@click.pass_obj
def diff(
    call: Call, agent: str, user: str | None, file: Path | None, since: int | None, rows: bool
) -> None:
    """What the next sync of an agent will bring, without doing it.

    By entity: rows that come new or changed, rows that go, bytes and objects, whether as changes or
    as whole bases, and why whole. With --to for a file of `kimo agent`, else for a tablet that has
    synced after a load.
    """
    if file is not None and since is not None:
        raise click.UsageError(say("cli.sync.to_and_since"))
    store = Store(call.config.sync_store)
    path, manifest = find_manifest(store, agent, user)
    keys = _KEYS_SHOWN if rows else 0
    if file is not None:
        tablet = differences.read_tablet(file, manifest)
        parts = differences.fetches_for(manifest, tablet)
        changes = differences.difference(store, manifest, parts, tablet=tablet, keys=keys)
    else:
        published = _publications(call)
        if since is None:
            since = differences.before_last(manifest, published)
        _require_published(since, published, manifest["load"])
        parts = differences.fetches_since(manifest, since, published)
        changes = differences.difference(store, manifest, parts, keys=keys)
    manifest_bytes = len(store.read_or_none(path) or b"")
    if call.as_json:
        document = changes.as_json()
        document["since"] = since
        document["file"] = str(file) if file else None
        document["manifest_bytes"] = manifest_bytes
        print_json(document)
        return
    _print_difference(call.out, changes, _tablet(file, since), rows)
    if changes.entities:
        objects, fetched = plural(changes.objects, "object"), size(changes.bytes)
        manifest_size = size(manifest_bytes)
        call.out.say(say("cli.sync.fetches", size=fetched, objects=objects, manifest=manifest_size))


def _require_published(since: int, published: Collection[int], last: int) -> None:
    """Raises: ConfigError for a load after the last one that has published."""
    # A later load may have published other agents and left this manifest as it was.
    if since > last and since not in published:
        raise ConfigError(say("cli.sync.not_published", load=since, last=last))


def _publications(call: Call) -> list[int]:
    if not has_database(call.config):
        return []
    with call.database.connect() as connection:
        return differences.publications(connection)


def _tablet(file: Path | None, since: int | None) -> str:
    """Which tablet is meant: a file of this machine, or one that has synced after a load."""
    if file is not None and file.exists():
        return str(file)
    if file is not None:
        return say("cli.sync.new_file", file=file)
    if since:
        return say("cli.sync.tablet_since", load=since)
    return say("cli.sync.new_tablet")


def _print_difference(out: Terminal, changes: Difference, tablet: str, rows: bool) -> None:
    """A table by entity, and with `rows` the first keys of each."""
    if not changes.entities:
        out.say(say("cli.sync.brings_nothing", title=_title(changes), tablet=tablet))
        return
    title = say("cli.sync.to_tablet", title=_title(changes), tablet=tablet)
    columns = ("entity", "put", "removed", "objects", "bytes", "how")
    shown = table(title, columns, left=("entity", "how"))
    for entity in changes.entities:
        shown.add_row(
            _named(entity),
            number(entity.put),
            number(entity.removed),
            number(entity.objects),
            size(entity.bytes),
            _how(entity),
        )
    out.print(shown)
    if rows:
        for entity in changes.entities:
            _print_keys(out, entity, "+", "green", entity.put_keys, entity.put)
            _print_keys(out, entity, "-", "red", entity.removed_keys, entity.removed)


def _named(entity: EntityDifference) -> str:
    if entity.is_private:
        return say("cli.sync.private", entity=entity.entity)
    return entity.entity


def _how(entity: EntityDifference) -> str:
    """As changes or as whole bases, and the reasons for the latter."""
    parts = []
    if entity.by_changes:
        parts.append(say("cli.sync.by_changes", buckets=plural(entity.by_changes, "bucket")))
    if entity.by_base:
        buckets, reasons = plural(entity.by_base, "bucket"), "; ".join(entity.reasons)
        parts.append(say("cli.sync.by_base", buckets=buckets, reasons=reasons))
    if entity.dropped:
        parts.append(say("cli.sync.dropped", buckets=plural(entity.dropped, "bucket")))
    return ", ".join(parts)


def _print_keys(
    out: Terminal,
    entity: EntityDifference,
    sign: str,
    style: str,
    keys: Sequence[str],
    count: int,
) -> None:
    """The first keys of the rows that come (+) or go (-). count: of all of them."""
    if not keys:
        return
    names = ", ".join(map(plain, keys))
    if count > len(keys):
        names = say("cli.and_more", names=names, more=count - len(keys))
    out.say(Text.assemble(f"{_named(entity)} ", (f"{sign} {names}", style)))


# --- verify
# --------------------------------------------------------------------------------------------------


@sync.command("verify")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="All manifests and all their objects, instead of a sample.",
)
@common_options
@click.pass_obj
def verify(call: Call, everything: bool) -> None:
    """Whether the store holds what its manifests promise.

    Re-reads manifests (the biggest agents' and some at random, or all) and their objects: that each
    is there with its size, its SHA-256 and its rows, that changes lead where they should, and that
    every agent has a manifest. Exit code 1 when something is damaged. The output says what it is
    and what to do. The check `payloads_are_whole` in the UI is the sample.
    """
    store = Store(call.config.sync_store)
    total = len(all_manifests(store))
    if not total:
        raise _empty_store(call, store)
    with ExitStack() as stack:
        connection = None
        # A store can be verified on another machine. Then nobody knows which agents should be
        # there.
        if has_database(call.config):
            connection = stack.enter_context(call.database.connect())
        advance = stack.enter_context(_shown(call, say("cli.sync.objects")))
        verdict = verify_published(connection, store, everything=everything, on_object=advance)
    if call.as_json:
        print_json(verdict.as_json())
    else:
        _print_verdict(call, verdict, total)
    if not verdict.is_whole:
        click.get_current_context().exit(EXIT_FAILED)


def _print_verdict(call: Call, verdict: VerificationReport, manifests: int) -> None:
    """The damages, then how much was read. manifests: how many the store has."""
    for damage in verdict.damages[:_DAMAGES_SHOWN]:
        sentence = say(
            "cli.sync.damage",
            path=damage.path,
            problem=plain(damage.sentence),
            remedy=damage.remedy,
            names=some(damage.concerns),
        )
        call.out.say(sentence, style="red")
    if len(verdict.damages) > _DAMAGES_SHOWN:
        more = len(verdict.damages) - _DAMAGES_SHOWN
        call.out.say(say("cli.and_more_listed_in_json", more=more), style="red")
    read = say(
        "cli.sync.read",
        read=verdict.manifests,
        manifests=plural(manifests, "manifest"),
        objects=plural(verdict.objects_found, "object"),
        read_objects=verdict.objects,
        size=size(verdict.bytes),
    )
    if verdict.is_whole:
        call.out.say(say("cli.sync.whole", read=read), style="green")
    else:
        damaged = say("cli.sync.damaged", count=len(verdict.damages), read=read)
        call.out.say(damaged, style="bold red")


@contextmanager
def _shown(call: Call, title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere. Gives the function that takes how many are done, and
    of how many.
    """
    if not call.err.is_terminal:
        yield lambda done, total: None
        return
    with bars(call.err) as shown:
        task = shown.add_task(title, total=None, detail="")

        def advance(done: int, total: int) -> None:
            detail = say("cli.progress.done_of", done=f"{done:,}", total=f"{total:,}")
            shown.update(task, completed=done, total=total, detail=detail)

        yield advance
