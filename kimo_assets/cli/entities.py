"""kimo entities: the catalogue, and what a run of an entity would pull along."""

from itertools import groupby
from typing import Any

import click
from rich.text import Text

from kimo_assets.catalog import Catalog, Entity, load_catalog
from kimo_assets.catalog.wording import describe_reference, describe_scope, describe_type
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import NONE, Terminal, category_title, plural, some, table
from kimo_assets.cli.import_ import names_of
from kimo_assets.config import KimoConfig, is_configured
from kimo_assets.errors import UnknownEntityError
from kimo_assets.texts import say

# Dozens of entities point to Item. A few show why it is taken.
_POINTING_SHOWN = 3


@click.command()
@click.argument("name", required=False)
@click.option(
    "--linked",
    metavar="A,B",
    help=(
        "What a run of these entities pulls along: what they point to, what they own, what that"
        " points to."
    ),
)
@common_options
@click.pass_obj
def entities(call: Call, name: str | None, linked: str | None) -> None:
    """The catalogue: Kimo's entities, their fields, who sees their rows.

    Without NAME: all of them by category, and which are mapped in kimo.yaml. With NAME: the fields,
    types, codes and references of that entity. Works without a kimo.yaml too.

    --linked shows what the menu's mask "entità specifiche" takes along with the named entities.
    """
    if name and linked:
        raise click.UsageError(say("cli.entities.name_and_linked"))
    catalog = load_catalog()
    config = _config_if_any(call)
    if linked is not None:
        _show_linked(call, catalog, config, names_of(linked, "--linked"))
    elif name:
        _show_entity(call, find_entity(catalog, name), config)
    else:
        _show_all(call, catalog, config)


def _config_if_any(call: Call) -> KimoConfig | None:
    """The catalogue can be read before there is a kimo.yaml, but a kimo.yaml must be right."""
    return call.config if is_configured(call.config_path) else None


def find_entity(catalog: Catalog, name: str) -> Entity:
    """By name, ignoring case. Raises: UnknownEntityError with the nearest names."""
    # The vendor's names are written in mixed case, and nobody types them so.
    by_fold = {entity.casefold(): entity for entity in catalog.all}
    if name.casefold() not in by_fold:
        raise UnknownEntityError(name, catalog.all)
    return catalog[by_fold[name.casefold()]]


def _mapped_from(entity: str, config: KimoConfig | None) -> str | None:
    """The tables (or that it is a query) from which an entity is read. None: it is not mapped."""
    if config is None or entity not in config.entities:
        return None
    origins = []
    for mapping in config.entities[entity]:
        if mapping.query:
            origins.append(say("cli.entities.a_query"))
        else:
            origins.append(mapping.table or entity)
    return ", ".join(origins)


# --- all
# --------------------------------------------------------------------------------------------------


def _show_all(call: Call, catalog: Catalog, config: KimoConfig | None) -> None:
    """A table by category, then how many are mapped."""
    if call.as_json:
        print_json([_summary(entity, config) for entity in catalog.all.values()])
        return
    words = ("entity", "mapped_from", "direction", "part_of")
    shown = table(None, (*words, "fields"), left=words)
    ordered = sorted(catalog.all.values(), key=lambda entity: (entity.category, entity.name))
    for category, group in groupby(ordered, key=lambda entity: entity.category):
        shown.add_row(Text(category_title(category), style="bold"))
        for entity in group:
            origin = _mapped_from(entity.name, config)
            # Without a kimo.yaml nothing is mapped, and a page all in grey would say nothing.
            is_left_out = config is not None and not origin
            shown.add_row(
                Text(f"  {entity.name}", style="dim" if is_left_out else ""),
                origin or NONE,
                _direction(entity),
                entity.owner or "",
                str(len(entity.fields)),
            )
    call.out.print(shown)
    mapped = say("cli.entities.no_config")
    if config is not None:
        mapped = say("cli.entities.mapped_in", mapped=len(config.entities), file=config.path)
    total = plural(len(catalog.entities), "entity")
    derived = len(catalog.derived)
    call.out.say(say("cli.entities.total", entities=total, derived=derived, mapped=mapped))


def _direction(entity: Entity) -> str:
    return say(f"cli.entities.direction.{entity.direction}")


def _summary(entity: Entity, config: KimoConfig | None) -> dict[str, Any]:
    return {
        "name": entity.name,
        "category": entity.category,
        "direction": entity.direction,
        "owner": entity.owner,
        "fields": len(entity.fields),
        "mapped": None if config is None else entity.name in config.entities,
    }


# --- one
# --------------------------------------------------------------------------------------------------


def _show_entity(call: Call, entity: Entity, config: KimoConfig | None) -> None:
    """What the entity is, line by line, then its fields and the codes of these."""
    if call.as_json:
        print_json(_as_json(entity, config))
        return
    out = call.out
    out.print(Text(entity.name, style="bold"))
    for key, value in _labelled(entity, config).items():
        label = say(f"cli.entities.label.{key}")
        out.say(f"  {label:<12} {value}")
    seen_by = say("cli.entities.label.seen_by")
    scope = f"\n{'':<15}".join(describe_scope(entity.scope))
    out.say(f"  {seen_by:<12} {scope}")
    _show_fields(out, entity, config)
    _show_codes(out, entity)


def _labelled(entity: Entity, config: KimoConfig | None) -> dict[str, str]:
    """The values of an entity's lines by the keys of their labels, in the order of the lines."""
    origin = _mapped_from(entity.name, config)
    if origin is None and config is None:
        origin = say("cli.entities.mapping_unknown")
    elif origin is None:
        origin = say("cli.entities.not_mapped")
    lines = {
        "category": category_title(entity.category),
        "direction": _direction(entity),
        "mapped_from": origin,
    }
    if entity.owner:
        lines["part_of"] = say("cli.entities.owner", owner=entity.owner, field=entity.owner_field)
    if entity.primary_key:
        lines["key"] = ", ".join(entity.primary_key)
    if entity.identity:
        columns = ", ".join(entity.identity)
        lines["without_id"] = say("cli.entities.derived_from", columns=columns)
    return lines


def _show_fields(out: Terminal, entity: Entity, config: KimoConfig | None) -> None:
    mappings = config.entities.get(entity.name, ()) if config else ()
    words = ("field", "type", "points_to", "column")
    shown = table(None, words, left=words)
    for field in entity.fields.values():
        columns = [m.fields[field.name] for m in mappings if field.name in m.fields]
        reference = describe_reference(field)
        shown.add_row(field.name, describe_type(field), reference, ", ".join(columns))
    out.print(shown)


def _show_codes(out: Terminal, entity: Entity) -> None:
    for field in entity.fields.values():
        if field.codes:
            codes = ", ".join(f"{code} {label}" for code, label in field.codes.items())
            out.print(f"{field.name}: {codes}")


def _as_json(entity: Entity, config: KimoConfig | None) -> dict[str, Any]:
    """The summary, and what is shown of one entity alone."""
    return {
        **_summary(entity, config),
        "primary_key": entity.primary_key,
        "derived_id_from": entity.identity,
        "seen_by": describe_scope(entity.scope),
        "scope": entity.scope.model_dump(),
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "size": field.size,
                "codes": dict(field.codes),
                "flags": field.flags,
                "references": describe_reference(field) or None,
            }
            for field in entity.fields.values()
        ],
    }


# --- linked
# -------------------------------------------------------------------------------------------------


def _show_linked(call: Call, catalog: Catalog, config: KimoConfig | None, names: list[str]) -> None:
    """What a run takes along with the named entities, each with the reason.

    Without a kimo.yaml all entities count as mapped.
    """
    chosen = {find_entity(catalog, name).name for name in names}
    linked = catalog.in_load_order(catalog.linked(chosen))
    mapped = set(config.entities) if config else set(linked)
    run = [name for name in linked if name in mapped]
    if call.as_json:
        not_mapped = [name for name in linked if name not in mapped]
        print_json({"entities": sorted(chosen), "run": run, "not_mapped": not_mapped})
        return
    columns = ("entity", "category", "why")
    shown = table(None, columns, left=columns)
    for name in linked:
        style = ""
        if name in chosen:
            style = "bold"
        elif name not in mapped:
            style = "dim"
        reason = _reason(name, chosen, catalog, linked)
        if name not in mapped:
            reason = say("cli.entities.left_out", reason=reason)
        shown.add_row(Text(name, style=style), category_title(catalog[name].category), reason)
    call.out.print(shown)
    names_chosen = ", ".join(sorted(chosen))
    run_size = plural(len(run), "entity")
    call.out.say(say("cli.entities.run_takes", names=names_chosen, entities=run_size))


def _reason(name: str, chosen: set[str], catalog: Catalog, linked: list[str]) -> str:
    """Why a run takes an entity: it was named, is part of a named one, or others point to it."""
    if name in chosen:
        return say("cli.entities.named")
    # Before the references: a line also points to its order, but is taken because it is part of it.
    if _is_owned(name, chosen, catalog):
        return say("cli.entities.part_of", owner=catalog[name].owner)
    pointing = [other for other in linked if other != name and _points(catalog[other], name)]
    names = some(pointing, _POINTING_SHOWN)
    return say("cli.entities.pointed_to", count=len(pointing), names=names)


def _points(entity: Entity, target: str) -> bool:
    return any(reference.target == target for reference in entity.hard_references.values())


def _is_owned(name: str, chosen: set[str], catalog: Catalog) -> bool:
    owner = catalog[name].owner
    return owner is not None and (owner in chosen or _is_owned(owner, chosen, catalog))
