"""kimo why: whether an agent sees a row, and each link that lets it through or stops it."""

import click
from rich.text import Text
from rich.tree import Tree

from kimo_assets.catalog import load_catalog
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.entities import find_entity
from kimo_assets.cli.formatting import moment, plain
from kimo_assets.diagnostics.explain_visibility import Answer, explain_visibility
from kimo_assets.sync.visibility.trace import Link


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
    row's Id. The answer is made by what prepares the payloads (Step 3: Preparazione dati di Sync),
    so the two cannot disagree.
    """
    answer = explain_visibility(
        call.config, call.database, agent, find_entity(load_catalog(), entity), key, user=user
    )
    if call.as_json:
        print_json(answer.as_json())
        return
    style = "green" if answer.sees else "bold red"
    out = call.out
    whose = f"Agent {agent}, user {user}" if user else f"Agent {agent}"
    out.say(Text.assemble(f"{whose}, {answer.entity} {plain(key)}: ", (answer.sentence, style)))
    if answer.change:
        change = answer.change
        out.say(
            f"Last changed by load {change.load}, {plain(change.title)},"
            f" {moment(change.started_at)}."
        )
    if answer.before:
        saw = "saw it" if answer.before.saw else "did not see it"
        by = answer.before.by
        when = f"load {by.load}, {plain(by.title)}, {moment(by.started_at)}"
        out.say(f"Who sees it changed with {when}: before, the agent {saw}.")
    out.say(_on_the_tablet(answer))
    if answer.chain:
        out.print(_tree(answer.chain))


def _on_the_tablet(answer: Answer) -> str:
    if answer.published is None:
        return "Nothing was prepared for this agent yet: step 3 has not run."
    held = "holds the row" if answer.published else "does not hold the row"
    late = (
        ""
        if answer.published == bool(answer.sees)
        else ", because step 3 has not run since that changed"
    )
    return f"What was last prepared for the agent's tablet {held}{late}."


def _tree(link: Link) -> Tree:
    tree = Tree(_label(link), guide_style="dim")
    for fact in link.facts:
        tree.add(Text(plain(fact), style="dim"))
    for below in link.below:
        tree.add(_tree(below))
    return tree


def _label(link: Link) -> Text:
    answer, style = ("yes", "green") if link.passes else ("no", "bold red")
    return Text.assemble((f"{answer:<4}", style), plain(link.text))
