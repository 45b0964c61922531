"""kimo entities: the catalogue, and what a run of an entity would pull along."""

from typing import Any

import click
from rich.text import Text

from kimo_assets.catalog import Catalog, Entity, load_catalog
from kimo_assets.catalog.wording import describe_reference, describe_scope, describe_type
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import NONE, Terminal, category_title, plural, table
from kimo_assets.cli.import_ import names_of
from kimo_assets.config import KimoConfig, is_configured
from kimo_assets.errors import UnknownEntityError

_DIRECTIONS = {
    "import": "import",
    "import+export": "import, export",
    "export": "export",
    "made": "made by Kimo",
}


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
        raise click.UsageError("Give NAME or --linked, not both.")
    catalog = load_catalog()
    config = _config_if_any(call)
    if linked is not None:
        _show_linked(call, catalog, config, names_of(linked, "--linked"))
    elif name:
        _show_entity(call, find_entity(catalog, name), config)
    else:
        _show_all(call, catalog, config)


def _config_if_any(call: Call) -> KimoConfig | None:
    """The catalogue can be read before there is a kimo.yaml; one that is there must be right."""
    return call.config if is_configured(call.config_path) else None


def find_entity(catalog: Catalog, name: str) -> Entity:
    """By name, ignoring case. Raises: UnknownEntityError with the nearest names."""
    by_fold = {known.casefold(): known for known in catalog.all}
    if name.casefold() not in by_fold:
        raise UnknownEntityError(name, catalog.all)
    return catalog[by_fold[name.casefold()]]


def _mapped_from(entity: str, config: KimoConfig | None) -> str | None:
    if config is None or entity not in config.entities:
        return None
    mappings = config.entities[entity]
    return ", ".join(
        "a query" if mapping.query else mapping.table or entity for mapping in mappings
    )


# --- all
# --------------------------------------------------------------------------------------------------


def _show_all(call: Call, catalog: Catalog, config: KimoConfig | None) -> None:
    if call.as_json:
        print_json([_summary(entity, config) for entity in catalog.all.values()])
        return
    words = ("Entity", "Mapped from", "Direction", "Part of")
    shown = table(None, (*words, "Fields"), left=words)
    category = None
    for entity in sorted(catalog.all.values(), key=lambda found: (found.category, found.name)):
        if entity.category != category:
            category = entity.category
            shown.add_row(Text(category_title(category), style="bold"))
        origin = _mapped_from(entity.name, config)
        shown.add_row(
            Text(f"  {entity.name}", style="" if origin or config is None else "dim"),
            origin or NONE,
            _DIRECTIONS[entity.direction],
            entity.owner or "",
            str(len(entity.fields)),
        )
    call.out.print(shown)
    mapped = (
        "there is no kimo.yaml here"
        if config is None
        else f"{len(config.entities)} mapped in {config.path}"
    )
    call.out.say(
        f"{plural(len(catalog.entities), 'entity', 'entities')} and {len(catalog.derived)} that Kimo"
        f" makes; {mapped}."
    )


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
    if call.as_json:
        print_json(_as_json(entity, config))
        return
    out = call.out
    origin = _mapped_from(entity.name, config)
    out.print(Text(entity.name, style="bold"))
    for label, value in (
        ("Category", category_title(entity.category)),
        ("Direction", _DIRECTIONS[entity.direction]),
        (
            "Mapped from",
            origin or ("not mapped" if config else "unknown: there is no kimo.yaml here"),
        ),
        ("Part of", f"{entity.owner} (by {entity.owner_field})" if entity.owner else ""),
        ("Key", ", ".join(entity.primary_key)),
        ("Without Id", f"derived from {', '.join(entity.identity)}" if entity.identity else ""),
    ):
        if value:
            out.say(f"  {label:<12} {value}")
    out.say("  Seen by      " + "\n               ".join(describe_scope(entity.scope)))
    _show_fields(out, entity, config)
    _show_codes(out, entity)


def _show_fields(out: Terminal, entity: Entity, config: KimoConfig | None) -> None:
    mappings = config.entities.get(entity.name, ()) if config else ()
    words = ("Field", "Type", "Points to", "Column")
    shown = table(None, words, left=words)
    for field in entity.fields.values():
        column = ", ".join(
            mapping.fields[field.name] for mapping in mappings if field.name in mapping.fields
        )
        shown.add_row(field.name, describe_type(field), describe_reference(field), column)
    out.print(shown)


def _show_codes(out: Terminal, entity: Entity) -> None:
    for field in entity.fields.values():
        if field.codes:
            codes = ", ".join(f"{code} {label}" for code, label in field.codes.items())
            out.print(f"{field.name}: {codes}")


def _as_json(entity: Entity, config: KimoConfig | None) -> dict[str, Any]:
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
    chosen = {find_entity(catalog, name).name for name in names}
    linked = catalog.in_load_order(catalog.linked(chosen))
    mapped = set(config.entities) if config else set(linked)
    if call.as_json:
        print_json(
            {
                "entities": sorted(chosen),
                "run": [name for name in linked if name in mapped],
                "not_mapped": [name for name in linked if name not in mapped],
            }
        )
        return
    shown = table(None, ("Entity", "Category", "Why"), left=("Entity", "Category", "Why"))
    for name in linked:
        style = "bold" if name in chosen else "" if name in mapped else "dim"
        why = _why(name, chosen, catalog, linked, mapped)
        shown.add_row(Text(name, style=style), category_title(catalog[name].category), why)
    call.out.print(shown)
    run = [name for name in linked if name in mapped]
    call.out.say(
        f"A run of {', '.join(sorted(chosen))} takes {plural(len(run), 'entity', 'entities')}; "
        "with --only-listed just the named ones."
    )


def _why(name: str, chosen: set[str], catalog: Catalog, linked: list[str], mapped: set[str]) -> str:
    if name in chosen:
        reason = "named"
    elif _is_owned(name, chosen, catalog):
        reason = f"part of {catalog[name].owner}"
    else:
        pointing = [other for other in linked if other != name and _points(catalog[other], name)]
        more = f" and {len(pointing) - 3} more" if len(pointing) > 3 else ""
        reason = f"{', '.join(pointing[:3])}{more} point{'s' if len(pointing) == 1 else ''} to it"
    return reason if name in mapped else f"{reason}; not mapped, left out"


def _points(entity: Entity, target: str) -> bool:
    return any(reference.target == target for reference in entity.hard_references.values())


def _is_owned(name: str, chosen: set[str], catalog: Catalog) -> bool:
    owner = catalog[name].owner
    return owner is not None and (owner in chosen or _is_owned(owner, chosen, catalog))
