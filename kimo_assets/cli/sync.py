"""kimo sync: what tablets get, as operators see it: how heavy, what the next sync brings, whether
it is whole.
"""

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.text import Text

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

_KEYS_SHOWN = 10
_DAMAGES_SHOWN = 20
_Function = TypeVar("_Function", bound=Callable[..., Any])


@click.group()
@common_options
def sync() -> None:
    """What tablets get: its weight, the next sync, whether it is whole.

    Of what Step 3: Preparazione dati di Sync has prepared. Nothing is changed by looking.
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
    median over the days with loads of what these brought to a tablet that is synced daily. Seconds:
    the bytes at --mbit, and 50 ms of waiting for each object, 4 at a time, and for the two files
    before them; what the tablet itself needs to unpack and store them comes on top.
    """
    store = Store(call.config.sync_store)
    if agent is None and user is None:
        _weigh_all(call, store, mbit, days)
        return
    path, manifest = find_manifest(store, agent, user)
    loads, daily = _days(call, path, days)
    found = weights.weigh(manifest, len(store.read_or_none(path) or b""), loads, daily.get(path))
    if call.as_json:
        print_json(weights.as_json(found, mbit))
    else:
        _print_weight(call.out, found, mbit)


def _days(call: Call, path: str | None, days: int) -> tuple[dict[int, Any], dict[str, int]]:
    """The loads (with their days) of one manifest, and all manifests' usual days; nothing without a
    database.
    """
    if not has_database(call.config):
        return {}, {}
    with call.database.connect() as connection:
        loads = weights.days_of_loads(connection, path, days) if path else {}
        return loads, weights.daily_bytes(connection, days)


def _print_weight(out: Terminal, found: Weight, mbit: float) -> None:
    shown = table(
        _whose(found),
        ("Entity", "Rows", "Objects", "First sync", "Share", "A day"),
        left=("Entity",),
    )
    quiet = 0
    for entity in found.entities:
        if not entity.objects and not entity.daily_bytes:
            quiet += 1
            continue
        share = f"{100 * entity.bytes / found.bytes:.1f} %"
        shown.add_row(
            entity.entity,
            number(entity.rows),
            number(entity.objects),
            size(entity.bytes),
            share,
            _day(entity.daily_bytes),
        )
    share = f"{100 * found.manifest_bytes / found.bytes:.1f} %"
    shown.add_row(
        Text("the manifest", style="dim"), NONE, NONE, size(found.manifest_bytes), share, ""
    )
    if quiet:
        shown.add_row(Text(f"{plural(quiet, 'entity', 'entities')} without rows", style="dim"))
    out.print(shown)
    heaviest = f" {found.heaviest} weighs most." if found.heaviest else ""
    out.say(
        f"First sync: {plural(found.rows, 'row')}, {size(found.bytes)} in"
        f" {plural(found.objects, 'object')}, {seconds(found.seconds(mbit))} s at {mbit:g}"
        f" Mbit/s.{heaviest}"
    )
    if found.daily_bytes is None:
        out.say("A usual day: not enough loads yet.")
    else:
        out.say(f"A usual day brings {size(found.daily_bytes)}.")


def _whose(found: Weight | Difference) -> str:
    user = f", user {plain(found.user)}" if found.user is not None else ""
    return f"Agent {plain(found.agent)}{user}, load {found.load}"


def _day(count: int | None) -> str:
    return NONE if count is None else size(count)


def _weigh_all(call: Call, store: Store, mbit: float, days: int) -> None:
    _, daily = _days(call, None, days)
    found: list[Weight] = []
    with _shown(call, "Manifests") as advance:
        names = [*paths(store, AGENTS), *paths(store, USERS)]
        for done, path in enumerate(names, 1):
            data = store.read_or_none(path)
            if data is not None:
                found.append(
                    weights.weigh(decode(store, path, data), len(data), None, daily.get(path))
                )
            advance(done, len(names))
    if not found:
        raise StoreError(
            f"{store.url} holds no payload yet. Prepare them: {call.kimo('import', '--step', '3')}."
        )
    found.sort(key=lambda one: (-one.bytes, one.agent, one.user or ""))
    objects = store.listing("objects")
    if call.as_json:
        print_json(
            {
                "store": {
                    "url": store.url,
                    "objects": len(objects),
                    "bytes": sum(objects.values()),
                },
                "agents": [weights.as_json(one, mbit) for one in found],
            }
        )
        return
    words = ("Agent", "User", "Weighs most")
    shown = table(
        None, ("Agent", "User", "Rows", "First sync", "Seconds", "A day", "Weighs most"), left=words
    )
    for one in found:
        shown.add_row(
            plain(one.agent),
            plain(one.user),
            number(one.rows),
            size(one.bytes),
            seconds(one.seconds(mbit)),
            _day(one.daily_bytes),
            one.heaviest or NONE,
        )
    call.out.print(shown)
    agents = [one for one in found if one.user is None]
    call.out.say(
        f"{plural(len(agents), 'agent')}, {plural(len(found) - len(agents), 'user')}: first syncs"
        f" of {size(sum(one.bytes for one in found))} altogether, at {mbit:g} Mbit/s. The store"
        f" holds {plural(len(objects), 'object')}, {size(sum(objects.values()))}."
    )
    if not any(one.daily_bytes is not None for one in found):
        call.out.say("A usual day: not enough loads yet.")


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
        "For a tablet that has synced after this load; 0: never. Default: the load that was"
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
        raise click.UsageError("--to knows since when; leave --since out.")
    store = Store(call.config.sync_store)
    path, manifest = find_manifest(store, agent, user)
    keys = _KEYS_SHOWN if rows else 0
    if file is not None:
        tablet = differences.read_tablet(file, manifest)
        found = differences.difference(
            store, manifest, differences.fetches_for(manifest, tablet), tablet=tablet, keys=keys
        )
    else:
        published = _publications(call)
        since = differences.before_last(manifest, published) if since is None else since
        if since > manifest["load"] and since not in published:
            raise ConfigError(
                f"--since: no load {since} has published yet; the last that did is"
                f" {manifest['load']}."
            )
        parts = differences.fetches_since(manifest, since, published)
        found = differences.difference(store, manifest, parts, keys=keys)
    manifest_bytes = len(store.read_or_none(path) or b"")
    if call.as_json:
        known = {
            "since": since,
            "file": str(file) if file else None,
            "manifest_bytes": manifest_bytes,
        }
        print_json({**found.as_json(), **known})
    else:
        _print_difference(call.out, found, _tablet(file, since), rows)
        if found.entities:
            fetched = f"{size(found.bytes)} in {plural(found.objects, 'object')}"
            call.out.say(
                f"The next sync fetches {fetched}, and the manifest: {size(manifest_bytes)}."
            )


def _publications(call: Call) -> list[int]:
    if not has_database(call.config):
        return []
    with call.database.connect() as connection:
        return differences.publications(connection)


def _tablet(file: Path | None, since: int | None) -> str:
    if file is not None:
        return str(file) if file.exists() else f"{file}, which is not there yet"
    return (
        f"a tablet that has synced after load {since}"
        if since
        else "a tablet that has never synced"
    )


def _print_difference(out: Terminal, found: Difference, tablet: str, rows: bool) -> None:
    if not found.entities:
        out.say(f"{_whose(found)}: the next sync brings nothing to {tablet}.")
        return
    shown = table(
        f"{_whose(found)}: to {tablet}",
        ("Entity", "Put", "Removed", "Objects", "Bytes", "How"),
        left=("Entity", "How"),
    )
    for entity in found.entities:
        shown.add_row(
            _named(entity),
            number(entity.put),
            number(entity.removed),
            number(entity.objects),
            size(entity.bytes),
            _how(entity),
        )
    out.print(shown)
    for entity in found.entities if rows else ():
        _print_keys(out, entity)


def _named(entity: EntityDifference) -> str:
    return f"{entity.entity} (private)" if entity.is_private else entity.entity


def _how(entity: EntityDifference) -> str:
    parts = [f"changes of {plural(entity.by_changes, 'bucket')}"] if entity.by_changes else []
    if entity.by_base:
        parts.append(f"{plural(entity.by_base, 'bucket')} whole ({'; '.join(entity.reasons)})")
    if entity.dropped:
        parts.append(f"{plural(entity.dropped, 'bucket')} no longer theirs: the rows go")
    return ", ".join(parts)


def _print_keys(out: Terminal, entity: EntityDifference) -> None:
    for sign, style, keys, count in (
        ("+", "green", entity.put_keys, entity.put),
        ("-", "red", entity.removed_keys, entity.removed),
    ):
        if keys:
            more = f" and {count - len(keys):,} more" if count > len(keys) else ""
            out.say(
                Text.assemble(
                    f"{_named(entity)} ", (f"{sign} {', '.join(map(plain, keys))}{more}", style)
                )
            )


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
    every agent has a manifest. Exit code 1 when something is damaged; it says what and what to do.
    The check `payloads_are_whole` in the UI is the sample.
    """
    store = Store(call.config.sync_store)
    total = len(all_manifests(store))
    if not total:
        raise StoreError(
            f"{store.url} holds no payload yet. Prepare them: {call.kimo('import', '--step', '3')}."
        )
    with ExitStack() as stack:
        connection = (
            stack.enter_context(call.database.connect()) if has_database(call.config) else None
        )
        advance = stack.enter_context(_shown(call, "Objects"))
        verdict = verify_published(connection, store, everything=everything, on_object=advance)
    if call.as_json:
        print_json(verdict.as_json())
    else:
        _print_verdict(call, verdict, total)
    if not verdict.is_whole:
        click.get_current_context().exit(EXIT_FAILED)


def _print_verdict(call: Call, verdict: VerificationReport, manifests: int) -> None:
    for damage in verdict.damages[:_DAMAGES_SHOWN]:
        call.out.say(
            f"{damage.path}: {plain(damage.sentence)}; {damage.remedy}. Concerns"
            f" {some(damage.concerns)}.",
            style="red",
        )
    if len(verdict.damages) > _DAMAGES_SHOWN:
        call.out.say(
            f"and {len(verdict.damages) - _DAMAGES_SHOWN:,} more: --json lists all.", style="red"
        )
    read = (
        f"{verdict.manifests:,} of {plural(manifests, 'manifest')} read, with"
        f" {plural(verdict.objects_found, 'object')}, {verdict.objects:,} of them read too"
        f" ({size(verdict.bytes)})"
    )
    if verdict.is_whole:
        call.out.say(f"All is whole: {read}.", style="green")
    else:
        call.out.say(f"{plural(len(verdict.damages), 'damage')}: {read}.", style="bold red")


@contextmanager
def _shown(call: Call, what: str) -> Any:
    """A bar on a terminal, nothing elsewhere; gives what is to be told how many of how many are
    done.
    """
    if not call.err.is_terminal:
        yield lambda done, total: None
        return
    with bars(call.err) as shown:
        task = shown.add_task(what, total=None, detail="")
        yield lambda done, total: shown.update(
            task, completed=done, total=total, detail=f"{done:,} of {total:,}"
        )
