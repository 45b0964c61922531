"""The ERP's answers to an export, which come back with the import.

EntitySyncReferenceFor<X> says what became of each record of X. An answer with an EntityId binds
Kimo's record to the ERP's: from then on it goes by that Id, wherever it is named. An answer without
one refuses the record. Each answer counts once: the ERP shows it for days, and the record may be on
its way again meanwhile.

Everything is done by statements over all answers of an entity, inside the caller's transaction.
What is applied to an entity is all or nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, Cursor, sql

from kimo_assets.catalog import Catalog, Entity
from kimo_assets.catalog.lifecycle import (
    AFTER_ANSWER,
    ARRIVED,
    IN_FLIGHT,
    MAY_BE_ANSWERED,
    PENDING,
    EntityStatus,
    RecordOutcome,
)
from kimo_assets.catalog.model import Referrer
from kimo_assets.database.names import ARCHIVED, CHANGED, HASH, ID, KIMO, columns, literals, table
from kimo_assets.loading import history
from kimo_assets.reports import LoadedEntity
from kimo_assets.texts import say

# Sentences of each kind that a report repeats.
_SAMPLES = 10

# A stored hash that no row of a snapshot has. The next comparison then takes the ERP's values.
_NO_SNAPSHOTS = sql.SQL("0::bigint")

# What is done about an answer (pg_temp.answer).
# bound: the record gets the ERP's Id. known: it has that Id already. refused: no Id was given.
_REFUSED = "refused"
_APPLIED = ("bound", "known", _REFUSED)
# ambiguous: two answers at one moment. double: two records with the SyncReference. rebound: a
# second Id for a record. taken: an Id that another record has.
_CONTRADICTIONS = ("ambiguous", "double", "rebound", "taken")
# unknown: no record has the SyncReference. waiting: the batch is still open, so that the export has
# to look first, and a later load applies the answer. amended: no answer, but the record was edited
# after the ERP had refused it.


@dataclass(frozen=True)
class Acknowledged:
    """What the answers to one entity's records brought about.

    repointed: references that late tablets had written with an old Id. notes: sentences for the
    operator. failure: why nothing of it could be applied.
    """

    acknowledged: int = 0
    bound: int = 0
    refused_by_erp: int = 0
    not_bound: int = 0
    unknown: int = 0
    repointed: int = 0
    notes: tuple[str, ...] = ()
    failure: str | None = None
    seconds: float = 0.0

    @property
    def cannot_be_undone(self) -> bool:
        """Ids were replaced wherever they stand, and nobody could tell the old ones again."""
        return self.bound + self.repointed > 0


def acknowledge(
    connection: Connection, catalog: Catalog, head: str, load: int, *, keep_history: bool
) -> Acknowledged:
    """Applies the answers to one entity's records: those in kimo.EntitySyncReferenceFor<head>."""
    return _Acknowledgement(connection, catalog, head, load, keep_history=keep_history).run()


def to_acknowledge(connection: Connection, catalog: Catalog) -> list[str]:
    """The heads for which there is, or ever was, an answer. The others need no look at all."""
    exists = sql.SQL("""
        CASE WHEN EXISTS (SELECT FROM {answers})
                  OR EXISTS (SELECT FROM ops.export_answer WHERE entity = {head})
             THEN {head}::text END
        """)
    cases = [
        exists.format(answers=table(KIMO, answers), head=sql.Literal(head))
        for head, answers in catalog.answers.items()
    ]
    statement = sql.SQL("SELECT array_remove(ARRAY[{}], NULL)").format(sql.SQL(", ").join(cases))
    row = connection.execute(statement).fetchone()
    return list(row[0]) if row else []


class _Acknowledgement:
    """The answers to one entity, from the decision about each to the report."""

    def __init__(
        self, connection: Connection, catalog: Catalog, head: str, load: int, *, keep_history: bool
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._head: Entity = catalog[head]
        self._load = load
        self._keep_history = keep_history

    def run(self) -> Acknowledged:
        """Applies the answers. References by an old Id follow even when no new answer came."""
        self._decide()
        rows = self._execute("SELECT decision, count(*) FROM answer GROUP BY decision").fetchall()
        counts: dict[str, int] = dict(rows)
        # Most loads bring no new answer. Then nothing is written.
        if counts.keys() & {"known", _REFUSED, "amended"}:
            self._settle()
        if counts.get("bound"):
            self._bind()
        repointed = self._repoint_late()
        self._record()
        return Acknowledged(
            acknowledged=counts.get("bound", 0) + counts.get("known", 0),
            bound=counts.get("bound", 0),
            refused_by_erp=counts.get(_REFUSED, 0),
            not_bound=sum(counts.get(kind, 0) for kind in _CONTRADICTIONS),
            unknown=counts.get("unknown", 0),
            repointed=repointed,
            notes=tuple(self._notes(counts, repointed)),
        )

    # --- what each answer means
    # ----------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        """Makes pg_temp.answer: every answer that was not applied yet, with its decision.

        Where the decision is a problem, there is a sentence too.
        """
        self._execute("DROP TABLE IF EXISTS pg_temp.fresh, pg_temp.answer, pg_temp.settled")
        self._execute(_FRESH)
        # The planner takes a table without statistics for one row, and would look through Kimo's
        # rows once for each answer.
        self._execute("ANALYZE fresh")
        self._execute(_DECIDED)
        self._execute(_TAKEN_TWICE)
        self._execute(_AMENDED)
        self._execute(_PROBLEMS, **_sentences())
        self._execute("ANALYZE answer")

    # --- records that keep their Id
    # ----------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Sets the status of records that keep their Id: known, refused, or amended since."""
        self._execute(_SETTLED, after_answer=_after_answer("a.status"))
        # The image in the history gets the hash as well: a row that an undo brings back is compared
        # with the next snapshot too.
        self._execute("""
            UPDATE {kimo} AS k SET {hash} = {no_snapshots} FROM settled AS s
            WHERE s.decision = 'known' AND k.{id} = s.id
              AND (k.{hash} IS NOT NULL OR s.status IN {pending})
            """)
        if self._keep_history:
            history.keep(self._connection, self._head, self._load, sql.Identifier("settled"))
        changed = self._execute("""
            UPDATE {kimo} AS k
            SET "EntityStatus" = nullif(s.status, {undefined}), {changed} = {load}
            FROM settled AS s WHERE k.{id} = s.id
            """).rowcount
        # Parts are held with their head, so they too have values of Kimo's that the ERP now
        # replaces.
        for part in self._catalog.sent_with(self._head.name):
            self._compare_part_again(part)
        report = LoadedEntity(self._head.name, updated=changed)
        history.record(self._connection, self._head.name, self._load, report)
        self._note_change(self._head.name, compare=True)

    def _compare_part_again(self, part: str) -> None:
        """The lines of an acknowledged head take the ERP's values with the next snapshot."""
        self._execute(
            """
            UPDATE {part} AS p SET {hash} = {no_snapshots} FROM settled AS s
            WHERE s.decision = 'known' AND p.{owner} = s.id AND p.{hash} IS NOT NULL
            """,
            part=table(KIMO, part),
            owner=sql.Identifier(self._catalog[part].owner_field or ""),
        )

    # --- records that get the ERP's Id
    # ----------------------------------------------------------------------------------------------

    def _bind(self) -> None:
        """The record goes on under the ERP's Id, and the old row is archived.

        So the old one leaves the tablets as the new one comes.
        """
        # Both read Kimo's row as it was, so they come before its SyncReference goes.
        self._insert_under_new_id()
        self._execute(_ERP_WINS)
        # One row alone may have the SyncReference, or the next answer could mean either.
        self._execute("""
            UPDATE {kimo} AS k SET "SyncReference" = NULL, "EntityStatus" = {acknowledged},
                {archived} = {load}, {changed} = {load}
            FROM answer AS a WHERE a.decision = 'bound' AND k.{id} = a.id
            """)
        self._note_change(self._head.name, compare=True)
        self._remember_ids()
        bound = sql.SQL("(SELECT id, erp_id FROM answer WHERE decision = 'bound')")
        # Rows that only the ERP writes name the Id that the ERP uses. They change only where the
        # old Id never was the ERP's.
        new = sql.SQL("(SELECT id, erp_id FROM answer WHERE decision = 'bound' AND is_new)")
        for referrer in self._referrers():
            is_erps = self._catalog[referrer.entity].direction == "import"
            self._repoint(referrer, new if is_erps else bound)

    def _insert_under_new_id(self) -> None:
        """A copy of Kimo's row under the ERP's Id, unless the ERP's own row is there and wins."""
        fields = [name for name in self._head.fields if name not in (ID, "EntityStatus")]
        stored = [*fields, "EntityStatus", HASH, CHANGED, ARCHIVED]
        self._execute(
            """
            INSERT INTO {kimo} ({id}, {stored})
            SELECT a.erp_id, {values}, nullif(a.status_after, {undefined}),
                   CASE WHEN a.status IN {pending} THEN {no_snapshots} END, {load}, NULL
            FROM answer AS a JOIN {kimo} AS k ON k.{id} = a.id
            WHERE a.decision = 'bound' AND NOT a.erp_wins
            ON CONFLICT ({id}) DO UPDATE SET ({stored}) = ROW ({excluded})
            """,
            stored=columns(stored),
            values=columns(fields, of="k"),
            excluded=columns(stored, of="excluded"),
        )

    def _remember_ids(self) -> None:
        """Which Id gave way to which: tablets go on writing the old one until their next sync."""
        # An Id that gave way before gives way to the newest one.
        self._execute("""
            UPDATE ops.bound_id AS b SET erp_id = a.erp_id FROM answer AS a
            WHERE a.decision = 'bound' AND b.entity = {head} AND b.erp_id = a.id
            """)
        self._execute("""
            INSERT INTO ops.bound_id (entity, id, erp_id, load)
            SELECT {head}, id, erp_id, {load} FROM answer WHERE decision = 'bound'
            ON CONFLICT (entity, id) DO UPDATE SET (erp_id, load) = (excluded.erp_id, excluded.load)
            """)
        # What was held under the old Id is looked at anew by the next export.
        self._execute("""
            DELETE FROM ops.export_held AS h USING answer AS a
            WHERE a.decision = 'bound' AND h.entity = {head} AND h.id = a.id
            """)

    # --- references to them
    # ----------------------------------------------------------------------------------------------

    def _referrers(self) -> Sequence[Referrer]:
        """Every column that may hold an Id of the head, but for the answers themselves."""
        answers = set(self._catalog.answers.values())
        referrers = self._catalog.referrers(self._head.name)
        return [referrer for referrer in referrers if referrer.entity not in answers]

    def _repoint(
        self, referrer: Referrer, bound: sql.Composable, *, only_pending: bool = False
    ) -> int:
        """Replaces the old Ids in a column by the ERP's. Returns in how many rows.

        bound: a subquery (id, erp_id).
        """
        conditions = list(_conditions(referrer))
        if only_pending and "EntityStatus" in self._catalog[referrer.entity].fields:
            conditions.append(sql.SQL('AND t."EntityStatus" IN {}').format(literals(PENDING)))
        rows = self._execute(
            """
            UPDATE {referring} AS t SET {field} = b.erp_id, {changed} = {load}
            FROM {bound} AS b WHERE t.{field} = b.id {conditions}
            """,
            referring=table(KIMO, referrer.entity),
            field=sql.Identifier(referrer.column),
            bound=bound,
            conditions=sql.SQL(" ").join(conditions),
        ).rowcount
        if rows:
            self._note_change(referrer.entity)
        return rows

    def _repoint_late(self) -> int:
        """References by an old Id that tablets have written since, in orders, visits, contacts."""
        row = self._execute(
            "SELECT EXISTS (SELECT FROM ops.bound_id WHERE entity = {head})"
        ).fetchone()
        if row is None or not row[0]:
            return 0
        # Where the old Id is a live row again, the ERP uses it for another record.
        bound = self._compose("""
            (SELECT b.id, b.erp_id FROM ops.bound_id AS b
             LEFT JOIN {kimo} AS k ON k.{id} = b.id AND k.{archived} IS NULL
             WHERE b.entity = {head} AND k.{id} IS NULL)
            """)
        repointed = 0
        for referrer in self._referrers():
            if self._catalog[referrer.entity].direction != "import":
                repointed += self._repoint(referrer, bound, only_pending=True)
        return repointed

    # --- bookkeeping
    # ----------------------------------------------------------------------------------------------

    def _note_change(self, entity: str, *, compare: bool = False) -> None:
        """Step 3 publishes what has changed since.

        compare: the next load compares the entity's rows, even if the snapshot is the same.
        """
        checksum: sql.Composable = sql.SQL("")
        if compare:
            note = sql.Literal(f"answered by load {self._load}")
            checksum = sql.SQL(", checksum = {}").format(note)
        self._execute(
            """
            UPDATE ops.loaded SET changed_load = {load},
                rows_live = (SELECT count(*) FROM {changed_table} WHERE {archived} IS NULL)
                {checksum}
            WHERE entity = {entity}
            """,
            changed_table=table(KIMO, entity),
            entity=sql.Literal(entity),
            checksum=checksum,
        )

    def _record(self) -> None:
        """The answers that were applied, and what they mean to the records that were sent."""
        applied = sql.Literal(list(_APPLIED))
        self._execute(_RECORD_ANSWERS, applied=applied)
        self._execute(
            _RECORD_OUTCOMES,
            applied=applied,
            decided=sql.Literal([*_APPLIED, *_CONTRADICTIONS]),
            without_id=sql.Literal(_REFUSED),
            refused=sql.Literal(RecordOutcome.REFUSED),
            answered=sql.Literal(RecordOutcome.ACKNOWLEDGED),
            arrived=literals(ARRIVED),
            may_be_answered=literals(MAY_BE_ANSWERED),
        )

    def _notes(self, counts: Mapping[str, int], repointed: int) -> Iterator[str]:
        """A sentence for each problem, for the first of each kind. And how many more there are."""
        name = self._head.name
        rows = self._execute(_SHOWN_PROBLEMS, samples=sql.Literal(_SAMPLES)).fetchall()
        for row in rows:
            yield _note(name, *row)
        for kind, count in counts.items():
            shown = sum(decision == kind for decision, *_ in rows)
            if 0 < shown < count:
                yield say("loading.answer.more", count=count - shown, entity=name, kind=kind)
        if repointed:
            yield say("loading.answer.repointed", count=repointed, entity=name)

    def _execute(self, statement: str, **parts: sql.Composable) -> Cursor[Any]:
        return self._connection.execute(self._compose(statement, **parts))

    def _compose(self, statement: str, **parts: sql.Composable) -> sql.Composed:
        """The statement with the names and values that it has in braces."""
        names: dict[str, sql.Composable] = {
            "kimo": table(KIMO, self._head.name),
            "answers": table(KIMO, self._catalog.answers[self._head.name]),
            "head": sql.Literal(self._head.name),
            "id": sql.Identifier(ID),
            "hash": sql.Identifier(HASH),
            "changed": sql.Identifier(CHANGED),
            "archived": sql.Identifier(ARCHIVED),
            "load": sql.Literal(self._load),
            "pending": literals(PENDING),
            "in_flight": literals(IN_FLIGHT),
            "undefined": sql.Literal(EntityStatus.UNDEFINED),
            "acknowledged": sql.Literal(EntityStatus.IMPORTED_BY_ERP),
            "edited": sql.Literal(EntityStatus.EDITING_PENDING),
            "ready": sql.Literal(EntityStatus.TO_EXPORT_TO_ERP),
            "refused_by_erp": sql.Literal(RecordOutcome.REFUSED),
            "no_snapshots": _NO_SNAPSHOTS,
            "after_answer": _after_answer("k.status"),
        }
        return sql.SQL(statement).format(**(names | parts))


def _after_answer(status: str) -> sql.Composed:
    """A record's status once the ERP has answered that it has the record."""
    cases = [
        sql.SQL("WHEN {} THEN {}").format(sql.Literal(before), sql.Literal(after))
        for before, after in AFTER_ANSWER.items()
    ]
    column = sql.SQL(status)
    return sql.SQL("CASE {0} {1} ELSE {0} END").format(column, sql.SQL(" ").join(cases))


def _conditions(referrer: Referrer) -> Iterator[sql.Composed]:
    """Under which the column holds an Id of the head, and not of another entity."""
    for column, codes in referrer.when.items():
        condition = sql.SQL("AND t.{}::text IN {}")
        yield condition.format(sql.Identifier(column), literals(codes))
    for column, codes in referrer.unless.items():
        condition = sql.SQL("AND coalesce(t.{}::text, '') NOT IN {}")
        yield condition.format(sql.Identifier(column), literals(codes))


# --- sentences
# --------------------------------------------------------------------------------------------------


def _sentences() -> dict[str, sql.Composable]:
    """The problems in words, as PostgreSQL's format() takes them: %1$s is its first argument."""
    sentences = {
        "refused": say("loading.answer.refused", moment="%1$s"),
        "ambiguous": say("loading.answer.ambiguous"),
        "double": say("loading.answer.double", reference="%1$s"),
        "rebound": say("loading.answer.rebound", id="%1$s", before="%2$s"),
        "taken": say("loading.answer.taken", id="%1$s"),
        "unknown": say("loading.answer.unknown", reference="%1$s"),
    }
    return {f"sentence_{kind}": sql.Literal(text) for kind, text in sentences.items()}


def _note(
    entity: str, decision: str, key: str | None, reference: str, agent: str | None, problem: str
) -> str:
    """A line for the operator: which record, of which agent, and the problem."""
    record = f"{entity} {key or reference}"
    if agent:
        record = say("loading.answer.record_of_agent", record=record, agent=agent)
    if decision == _REFUSED:
        return say("loading.answer.refused_note", record=record, reference=reference)
    return f"{record}: {problem}"


# --- statements
# --------------------------------------------------------------------------------------------------

# The newest answer to each SyncReference, unless it was applied already. An old answer never
# acknowledges what was sent after it. Which is the newest, only the ERP's clock tells.
# rank() keeps every row of the newest moment, so that two answers at one moment are noticed. They
# come up at each load until the ERP has corrected them. An Id of 0 is none (fact sheet, section 8).
_FRESH = """
    CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
    WITH ranked AS (
        SELECT "SyncReference" AS sync_reference,
               "ElaboratedOnErpTimeStamp"::timestamp AS elaborated_at,
               nullif(nullif(btrim("EntityId"), ''), '0') COLLATE "C" AS erp_id,
               "UserId" AS agent,
               rank() OVER (PARTITION BY "SyncReference"
                            ORDER BY "ElaboratedOnErpTimeStamp" DESC) AS age
        FROM {answers}
        WHERE {archived} IS NULL AND "ElaboratedOnErpTimeStamp" IS NOT NULL
          AND "SyncReference" <> ''
    ), newest AS (
        SELECT sync_reference, elaborated_at, max(erp_id) AS erp_id, max(agent) AS agent,
               count(DISTINCT coalesce(erp_id, '')) AS answers
        FROM ranked WHERE age = 1 GROUP BY 1, 2
    )
    SELECT n.*, p.erp_id AS erp_id_before
    FROM newest AS n LEFT JOIN ops.export_answer AS p
        ON p.entity = {head} AND p.sync_reference = n.sync_reference
    WHERE p.sync_reference IS NULL OR p.elaborated_at <> n.elaborated_at
       OR p.erp_id IS DISTINCT FROM n.erp_id OR n.answers > 1
"""

# Only live records count. k: the record that is meant; e: what has the ERP's Id already.
_DECIDED = """
    CREATE TEMPORARY TABLE answer ON COMMIT DROP AS
    WITH meant AS (
        SELECT f.sync_reference,
               count(*) FILTER (WHERE k.{id} IS DISTINCT FROM f.erp_id) AS others,
               coalesce(min(k.{id}::text) FILTER (WHERE k.{id} IS DISTINCT FROM f.erp_id),
                        min(k.{id}::text)) AS id
        FROM fresh AS f JOIN {kimo} AS k
            ON k."SyncReference" = f.sync_reference AND k.{archived} IS NULL GROUP BY 1
    ), record AS (
        SELECT f.*, m.id, coalesce(m.others, 0) AS others,
               coalesce(r."EntityStatus"::integer, {undefined}) AS status,
               r.{hash} IS NULL AS is_new,
               e.{id} IS NOT NULL AS is_there,
               e."SyncReference" AS reference_there,
               e.{hash} IS NULL AS is_kimos_there,
               EXISTS (SELECT FROM ops.bound_id AS b
                       WHERE b.entity = {head} AND b.erp_id = f.erp_id) AS was_given
        FROM fresh AS f LEFT JOIN meant AS m USING (sync_reference)
        LEFT JOIN {kimo} AS r ON r.{id} = m.id
        LEFT JOIN {kimo} AS e ON e.{id} = f.erp_id AND e.{archived} IS NULL
    )
    SELECT k.sync_reference, k.elaborated_at, k.erp_id, k.agent, k.id, k.status, k.is_new,
           k.erp_id_before, {after_answer} AS status_after,
           k.is_there AND k.status NOT IN {pending} AS erp_wins,
           CASE WHEN k.answers > 1 THEN 'ambiguous'
                WHEN k.id IS NULL THEN 'unknown'
                WHEN k.others > 1 THEN 'double'
                WHEN k.status IN {in_flight} THEN 'waiting'
                WHEN k.erp_id IS NULL THEN 'refused'
                WHEN k.id = k.erp_id THEN 'known'
                WHEN k.erp_id_before <> k.erp_id THEN 'rebound'
                WHEN k.is_there AND (k.reference_there <> k.sync_reference OR k.was_given
                    OR k.is_kimos_there AND k.reference_there IS NULL) THEN 'taken'
                ELSE 'bound' END AS decision,
           NULL::text AS problem
    FROM record AS k
"""

# Of two records that get one Id, the one elaborated first keeps it.
_TAKEN_TWICE = """
    UPDATE answer AS a SET decision = 'taken' FROM (
        SELECT sync_reference,
               row_number() OVER (PARTITION BY erp_id ORDER BY elaborated_at, sync_reference) AS n
        FROM answer WHERE decision = 'bound'
    ) AS b WHERE b.sync_reference = a.sync_reference AND b.n > 1
"""

# A record that the ERP refused waits for no answer: what was edited after that goes out again.
_AMENDED = """
    INSERT INTO answer (sync_reference, id, status, decision)
    SELECT k."SyncReference", k.{id}, {edited}, 'amended' FROM {kimo} AS k
    WHERE k."EntityStatus" = {edited} AND k.{archived} IS NULL
      AND NOT EXISTS (SELECT FROM answer AS a WHERE a.id = k.{id})
      AND (SELECT r.outcome FROM ops.export_record AS r
           WHERE r.entity = {head} AND r.sync_reference = k."SyncReference"
           ORDER BY r.batch DESC LIMIT 1) = {refused_by_erp}
"""

_PROBLEMS = """
    UPDATE answer AS a SET problem = CASE decision
        WHEN 'refused' THEN
            format({sentence_refused}, to_char(elaborated_at, 'YYYY-MM-DD HH24:MI'))
        WHEN 'ambiguous' THEN {sentence_ambiguous}
        WHEN 'double' THEN format({sentence_double}, sync_reference)
        WHEN 'rebound' THEN format({sentence_rebound}, erp_id, erp_id_before)
        WHEN 'taken' THEN format({sentence_taken}, erp_id)
        WHEN 'unknown' THEN format({sentence_unknown}, sync_reference)
    END WHERE decision NOT IN ('bound', 'known', 'waiting', 'amended')
"""

_SETTLED = """
    CREATE TEMPORARY TABLE settled ON COMMIT DROP AS
    SELECT a.id, a.decision,
           CASE WHEN a.decision = 'known' THEN {after_answer}
                WHEN a.status = {edited} THEN {ready}
                ELSE a.status END AS status
    FROM answer AS a
    WHERE a.decision IN ('known', 'amended') OR a.decision = 'refused' AND a.status = {edited}
"""

# The ERP's own row is there: its values stay, and it takes Kimo's SyncReference over.
_ERP_WINS = """
    UPDATE {kimo} AS e SET "SyncReference" = k."SyncReference", {changed} = {load},
        "UploadToServerTimeStamp" = k."UploadToServerTimeStamp",
        "EntityStatus" = CASE WHEN e."EntityStatus" IN {pending} THEN e."EntityStatus"
                              ELSE {acknowledged} END
    FROM answer AS a JOIN {kimo} AS k ON k.{id} = a.id
    WHERE a.decision = 'bound' AND a.erp_wins AND e.{id} = a.erp_id
"""

_RECORD_ANSWERS = """
    INSERT INTO ops.export_answer (entity, sync_reference, elaborated_at, erp_id, id, load)
    SELECT {head}, sync_reference, elaborated_at, erp_id, id, {load} FROM answer
    WHERE decision = ANY({applied})
    ON CONFLICT (entity, sync_reference) DO UPDATE SET
        (elaborated_at, erp_id, id, load, at) =
        (excluded.elaborated_at, excluded.erp_id, excluded.id, excluded.load, now())
"""

# An answer is about the last batch in which the record went.
_RECORD_OUTCOMES = """
    UPDATE ops.export_record AS r SET problem = n.problem, answered_at = now(),
        erp_id = CASE WHEN n.decision = ANY({applied}) THEN n.erp_id END,
        outcome = CASE WHEN n.decision = {without_id} THEN {refused}
                       WHEN n.decision = ANY({applied}) THEN {answered}
                       ELSE r.outcome END
    FROM (
        SELECT DISTINCT ON (sent.sync_reference) sent.id AS sent_id, sent.batch, a.*
        FROM answer AS a JOIN ops.export_record AS sent
            ON sent.entity = {head} AND sent.sync_reference = a.sync_reference
        WHERE a.decision = ANY({decided}) AND sent.outcome IN {arrived}
        ORDER BY sent.sync_reference, sent.batch DESC
    ) AS n
    WHERE r.entity = {head} AND r.id = n.sent_id AND r.batch = n.batch
      AND r.outcome IN {may_be_answered}
      AND (n.decision = ANY({applied}) OR r.problem IS DISTINCT FROM n.problem)
"""

_SHOWN_PROBLEMS = """
    SELECT decision, id, sync_reference, agent, problem FROM (
        SELECT a.*, row_number() OVER (PARTITION BY decision ORDER BY sync_reference) AS n
        FROM answer AS a WHERE problem IS NOT NULL
    ) AS numbered WHERE n <= {samples} ORDER BY decision, sync_reference
"""
