"""What a load would do: which fields change how often, and sample rows of each kind of change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.database.names import ARCHIVED, ID, KIMO, table
from kimo_assets.loading.load import Comparison

Kind = Literal["inserted", "updated", "archived", "held"]

# The fields by which a person recognises a row.
_NAMING = ("Description", "Name", "Label", "Code")
# Of a key of many parts the first ones are enough to recognise a row.
_KEY_PARTS = 4

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """One row. name: its description, or else its key.

    changes: field -> (value in Kimo, value in the snapshot), of updated and held rows. returns: it
    was archived and is back in the snapshot.
    """

    kind: Kind
    id: str
    name: str | None = None
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    returns: bool = False

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        changes = {name: {"from": old, "to": new} for name, (old, new) in self.changes.items()}
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "changes": changes,
            "returns": self.returns,
        }


@dataclass(frozen=True)
class Preview:
    """changed_fields: field -> in how many rows it is updated, the most frequent first."""

    changed_fields: dict[str, int]
    samples: list[Sample]


def preview(connection: Connection, comparison: Comparison, *, samples: int) -> Preview:
    """Of a comparison that is not applied yet. samples: at most so many rows of each kind."""
    if comparison.is_first:
        return Preview({}, _first_rows(connection, comparison, samples))
    fields = _changed_fields(connection, comparison)
    return Preview(fields, _samples(connection, comparison, samples))


def _first_rows(connection: Connection, comparison: Comparison, samples: int) -> list[Sample]:
    statement = sql.SQL(
        "SELECT {id}, to_jsonb(s) FROM {incoming} AS s ORDER BY {id} LIMIT {n}"
    ).format(id=sql.Identifier(ID), incoming=comparison.incoming, n=sql.Literal(samples))
    rows = connection.execute(statement)
    return [Sample("inserted", key, _name_of(row, comparison.entity)) for key, row in rows]


def _changed_fields(connection: Connection, comparison: Comparison) -> dict[str, int]:
    """By one statement over all updated rows, with a count for each field."""
    names = [name for name in comparison.mapped if name != ID]
    if not names:
        return {}
    count = sql.SQL("count(*) FILTER (WHERE k.{0} IS DISTINCT FROM s.{0})")
    counts = [count.format(sql.Identifier(name)) for name in names]
    row = connection.execute(
        sql.SQL("""
            SELECT {counts} FROM difference AS d JOIN {staging} AS s ON s.{id} = d.id
            JOIN {kimo} AS k ON k.{id} = d.id WHERE d.kind = 'updated'
            """).format(
            counts=sql.SQL(", ").join(counts),
            staging=comparison.staging,
            kimo=table(KIMO, comparison.entity.name),
            id=sql.Identifier(ID),
        )
    ).fetchone()
    assert row is not None, "an aggregate without GROUP BY gives a row"  # noqa: S101
    changed = [(name, count) for name, count in zip(names, row, strict=True) if count]
    return dict(sorted(changed, key=lambda item: (-item[1], item[0])))


def _samples(connection: Connection, comparison: Comparison, samples: int) -> list[Sample]:
    """The first rows of each kind by their Id, as they are in Kimo and in the snapshot."""
    rows = connection.execute(
        sql.SQL("""
            SELECT d.kind, d.id, to_jsonb(k), to_jsonb(s), k.{archived} IS NOT NULL
            FROM (SELECT id, kind, row_number() OVER (PARTITION BY kind ORDER BY id) AS n
                  FROM difference) AS d
            LEFT JOIN {staging} AS s ON s.{id} = d.id
            LEFT JOIN {kimo} AS k ON k.{id} = d.id
            WHERE d.n <= {samples} ORDER BY d.kind, d.id
            """).format(
            archived=sql.Identifier(ARCHIVED),
            staging=comparison.staging,
            kimo=table(KIMO, comparison.entity.name),
            id=sql.Identifier(ID),
            samples=sql.Literal(samples),
        )
    )
    return [
        Sample(
            kind,
            key,
            _name_of(new or old or {}, comparison.entity),
            _changes(old, new, comparison.mapped) if kind in ("updated", "held") else {},
            returns=kind == "updated" and was_archived,
        )
        for kind, key, old, new, was_archived in rows
    ]


def _changes(old: Row | None, new: Row | None, mapped: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    if old is None or new is None:
        return {}
    return {
        name: (old.get(name), new.get(name)) for name in mapped if old.get(name) != new.get(name)
    }


def _name_of(row: Row, entity: Entity) -> str | None:
    for name in _NAMING:
        if row.get(name):
            return str(row[name])
    key = [f"{name} {row[name]}" for name in entity.identity if row.get(name) is not None]
    return ", ".join(key[:_KEY_PARTS]) or None
