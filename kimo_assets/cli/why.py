"""kimo why: whether an agent sees a row, and each link that lets it through or stops it."""

import click
from rich.text import Text
from rich.tree import Tree

from kimo_assets.catalog import load_catalog
from kimo_assets.cli.agent import agent_in_words
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.entities import find_entity
from kimo_assets.cli.formatting import moment, plain
from kimo_assets.diagnostics.explain_visibility import Answer, LastChange, explain_visibility
from kimo_assets.sync.visibility.trace import Link
from kimo_assets.texts import say


@click.command()
@click.argument("agent", metavar="AGENT")
@click.argument("entity", metavar="ENTITY")
@click.argument("key", metavar="KEY")
@click.option(
    "--user", metavar="USER", help="As this user of the agent's sees it: by their own warehouse."
)
@common_options
@click.pass_obj
def why(call: Call, agent: str, entity: str, key: str, user: str | None) -> None:
    """Why this agent does (not) see this row.

    Follows the scope of the entity link by link, with the values that decide: the agent's
    customers, a ship-to's head office, filters, trademarks, warehouses, business rules. KEY is the
    row's Id. The answer comes from the code that prepares the payloads (Step 3: Preparazione dati
    di Sync), so the two cannot disagree.
    """
    name = find_entity(load_catalog(), entity)
    answer = explain_visibility(call.config, call.database, agent, name, key, user=user)
    if call.as_json:
        print_json(answer.as_json())
        return
    whose = agent_in_words(agent, user)
    head = f"{whose}, {answer.entity} {plain(key)}: "
    style = "green" if answer.sees else "bold red"
    call.out.say(Text.assemble(head, (answer.sentence, style)))
    if answer.change:
        call.out.say(say("cli.why.last_changed", load=_load_in_words(answer.change)))
    if answer.before:
        sentence_key = "cli.why.saw_before" if answer.before.saw else "cli.why.did_not_see_before"
        call.out.say(say(sentence_key, load=_load_in_words(answer.before.by)))
    call.out.say(_on_the_tablet(answer))
    if answer.chain:
        call.out.print(_tree(answer.chain))


def _load_in_words(load: LastChange) -> str:
    started = moment(load.started_at)
    return say("cli.why.load", load=load.load, title=plain(load.title), started=started)


def _on_the_tablet(answer: Answer) -> str:
    """What the last payload holds, which is not the answer until step 3 has run again."""
    if answer.published is None:
        return say("cli.why.not_prepared")
    # The tables have changed since step 3 last ran, or will be published by a run that goes on.
    is_late = answer.published != bool(answer.sees)
    if answer.published:
        return say("cli.why.still_holds" if is_late else "cli.why.holds")
    return say("cli.why.does_not_hold_yet" if is_late else "cli.why.does_not_hold")


def _tree(link: Link) -> Tree:
    tree = Tree(_label(link), guide_style="dim")
    for fact in link.facts:
        tree.add(Text(plain(fact), style="dim"))
    for below in link.below:
        tree.add(_tree(below))
    return tree


def _label(link: Link) -> Text:
    answer, style = say("cli.no"), "bold red"
    if link.passes:
        answer, style = say("cli.yes"), "green"
    return Text.assemble((f"{answer:<4}", style), plain(link.text))
