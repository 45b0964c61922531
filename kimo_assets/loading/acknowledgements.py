"""What the ERP answers to an export comes back with the import: EntitySyncReferenceFor<X> says what
became of each record.

An answer with an EntityId binds Kimo's record to the ERP's: it goes by that Id from then on,
wherever it is named. One without refuses the record. Each answer counts once: the ERP shows it for
days, and the record may be on its way again. Statements over all answers of an entity, inside the
caller's transaction; what is applied to an entity is all or nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection, sql

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

# Sentences of each kind that a report repeats.
_SAMPLES = 10

# A record's status once the ERP has answered that it has the record.
_AFTERWARDS = sql.SQL(
    "CASE {status} "
    + "".join(f"WHEN {before:d} THEN {after:d} " for before, after in AFTER_ANSWER.items())
    + "ELSE {status} END"
)

# A stored hash that no snapshot's row has: the next comparison takes the ERP's values.
_NO_SNAPSHOTS = sql.SQL("0::bigint")

# Decisions of pg_temp.answer. waiting: its batch is still open, so that the export has to look
# first; the next load applies it.
_REFUSED = "refused"
_APPLIED = ("bound", "known", _REFUSED)
_CONTRADICTIONS = ("ambiguous", "double", "rebound", "taken")


@dataclass(frozen=True)
class Acknowledged:
    """What the answers to one entity's records brought about. repointed: references by which late
    tablets named an old Id.

    failure: why nothing of it could be applied.
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
        return self.bound + self.repointed > 0


def acknowledge(
    connection: Connection, catalog: Catalog, head: str, load: int, *, keep_history: bool
) -> Acknowledged:
    """Applies the answers to one entity's records, as kimo.EntitySyncReferenceFor<head> has them
    now.
    """
    return _Acknowledgement(connection, catalog, head, load, keep_history=keep_history).run()


def to_acknowledge(connection: Connection, catalog: Catalog) -> list[str]:
    """The heads of which there is, or ever was, an answer: of others nothing is looked at."""
    row = connection.execute(
        sql.SQL("SELECT array_remove(ARRAY[{}], NULL)").format(
            sql.SQL(", ").join(
                sql.SQL(
                    "CASE WHEN EXISTS (SELECT FROM {answers}) OR EXISTS (SELECT FROM"
                    " ops.export_answer WHERE entity = {head}) THEN {head}::text END"
                ).format(answers=table(KIMO, answers), head=sql.Literal(head))
                for head, answers in catalog.answers.items()
            )
        )
    ).fetchone()
    return list(row[0]) if row else []


class _Acknowledgement:
    def __init__(
        self, connection: Connection, catalog: Catalog, head: str, load: int, *, keep_history: bool
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._head: Entity = catalog[head]
        self._load = load
        self._keep_history = keep_history

    def run(self) -> Acknowledged:
        self._decide()
        counts: dict[str, int] = dict(
            self._execute("SELECT decision, count(*) FROM answer GROUP BY decision").fetchall()
        )
        if counts.keys() & {"known", "refused", "amended"}:
            self._settle()
        if counts.get("bound"):
            self._bind()
        repointed = self._repoint_late()
        self._record()
        return Acknowledged(
            acknowledged=counts.get("bound", 0) + counts.get("known", 0),
            bound=counts.get("bound", 0),
            refused_by_erp=counts.get("refused", 0),
            not_bound=sum(counts.get(kind, 0) for kind in _CONTRADICTIONS),
            unknown=counts.get("unknown", 0),
            repointed=repointed,
            notes=self._notes(counts, repointed),
        )

    # --- what each answer means
    # -------------------------------------------------------------------------------------

    def _decide(self) -> None:
        """pg_temp.answer: every answer that was not applied yet, what is to be done about it, and
        why not, in words.
        """
        self._execute("DROP TABLE IF EXISTS pg_temp.fresh, pg_temp.answer, pg_temp.settled")
        self._execute(_FRESH)
        # Of a table whose size it does not know the planner takes one row for all: it would look
        # through Kimo's for each.
        self._execute("ANALYZE fresh")
        self._execute(_DECIDED)
        self._execute("""
            UPDATE answer AS a SET decision = 'taken' FROM (
                SELECT sync_reference,
                       row_number() OVER (PARTITION BY erp_id ORDER BY elaborated_at,
                           sync_reference) AS place
                FROM answer WHERE decision = 'bound'
            ) AS b WHERE b.sync_reference = a.sync_reference AND b.place > 1
            """)
        self._execute(_AMENDED)
        self._execute(_PROBLEMS)
        self._execute("ANALYZE answer")

    # --- records that keep their Id
    # ---------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Statuses of records that the ERP knew by their Id, of those it refused, and of those
        amended since.
        """
        self._execute(
            """
            CREATE TEMPORARY TABLE settled ON COMMIT DROP AS
            SELECT a.id, a.decision, CASE WHEN a.decision = 'known' THEN {afterwards}
                WHEN a.status = {edited} THEN {ready} ELSE a.status
                   END AS status
            FROM answer AS a WHERE a.decision IN ('known', 'amended') OR a.decision = 'refused'
                AND a.status = {edited}
            """,
            afterwards=_AFTERWARDS.format(status=sql.SQL("a.status")),
        )
        # The image is marked as well: a row that an undo brings back is compared with the next
        # snapshot.
        self._execute("""
            UPDATE {kimo} AS k SET {hash} = {no_snapshots} FROM settled AS s
            WHERE s.decision = 'known' AND k.{id} = s.id AND
                (k.{hash} IS NOT NULL OR s.status IN {pending})
            """)
        if self._keep_history:
            history.keep(self._connection, self._head, self._load, sql.Identifier("settled"))
        changed = self._execute(
            'UPDATE {kimo} AS k SET "EntityStatus" = nullif(s.status, {undefined}), {changed} = {load} '
            "FROM settled AS s WHERE k.{id} = s.id"
        ).rowcount
        for part in self._catalog.sent_with(self._head.name):
            self._execute(
                "UPDATE {part} AS p SET {hash} = {no_snapshots} FROM settled AS s "
                "WHERE s.decision = 'known' AND p.{owner} = s.id AND p.{hash} IS NOT NULL",
                part=table(KIMO, part),
                owner=sql.Identifier(self._catalog[part].owner_field or ""),
            )
        history.record(
            self._connection,
            self._head.name,
            self._load,
            LoadedEntity(self._head.name, updated=changed),
        )
        self._note_change(self._head.name, compare=True)

    # --- records that get the ERP's Id
    # ------------------------------------------------------------------------------

    def _bind(self) -> None:
        """The record goes on under the ERP's Id; the old one is archived, so that it leaves the
        tablets.
        """
        fields = [name for name in self._head.fields if name not in (ID, "EntityStatus")]
        stored = [*fields, "EntityStatus", HASH, CHANGED, ARCHIVED]
        self._execute(
            """
            INSERT INTO {kimo} ({id}, {stored})
            SELECT a.erp_id, {values}, nullif(a.status_afterwards, {undefined}),
                   CASE WHEN a.status IN {pending} THEN {no_snapshots} END, {load}, NULL
            FROM answer AS a JOIN {kimo} AS k ON k.{id} = a.id WHERE a.decision = 'bound' AND
                NOT a.erp_wins
            ON CONFLICT ({id}) DO UPDATE SET ({stored}) = ROW ({excluded})
            """,
            stored=columns(stored),
            values=columns(fields, of="k"),
            excluded=columns(stored, of="excluded"),
        )
        self._execute("""
            UPDATE {kimo} AS e SET "SyncReference" = k."SyncReference", {changed} = {load},
                "UploadToServerTimeStamp" = k."UploadToServerTimeStamp",
                "EntityStatus" = CASE WHEN e."EntityStatus" IN {pending} THEN e."EntityStatus"
                    ELSE {acknowledged} END
            FROM answer AS a JOIN {kimo} AS k ON k.{id} = a.id
            WHERE a.decision = 'bound' AND a.erp_wins AND e.{id} = a.erp_id
            """)
        self._execute("""
            UPDATE {kimo} AS k SET "SyncReference" = NULL, "EntityStatus" = {acknowledged},
                {archived} = {load}, {changed} = {load}
            FROM answer AS a WHERE a.decision = 'bound' AND k.{id} = a.id
            """)
        self._note_change(self._head.name, compare=True)
        self._remember_ids()
        bound = sql.SQL("(SELECT id, erp_id FROM answer WHERE decision = 'bound')")
        # What only the ERP writes says what the ERP says, where it knew the old Id.
        new = sql.SQL("(SELECT id, erp_id FROM answer WHERE decision = 'bound' AND is_new)")
        for referrer in self._referrers():
            only_erp = self._catalog[referrer.entity].direction == "import"
            self._repoint(referrer, new if only_erp else bound)

    def _remember_ids(self) -> None:
        self._execute(
            "UPDATE ops.bound_id AS b SET erp_id = a.erp_id FROM answer AS a "
            "WHERE a.decision = 'bound' AND b.entity = {head} AND b.erp_id = a.id"
        )
        self._execute("""
            INSERT INTO ops.bound_id (entity, id, erp_id, load)
            SELECT {head}, id, erp_id, {load} FROM answer WHERE decision = 'bound'
            ON CONFLICT (entity, id) DO UPDATE SET (erp_id, load) = (excluded.erp_id, excluded.load)
            """)
        self._execute(
            "DELETE FROM ops.export_held AS h USING answer AS a "
            "WHERE a.decision = 'bound' AND h.entity = {head} AND h.id = a.id"
        )

    def _referrers(self) -> Sequence[Referrer]:
        answers = set(self._catalog.answers.values())
        return [
            found
            for found in self._catalog.referrers(self._head.name)
            if found.entity not in answers
        ]

    def _repoint(
        self, referrer: Referrer, bound: sql.Composable, *, only_pending: bool = False
    ) -> int:
        """References to the old Ids become such to the ERP's; how many. bound: a subquery (id,
        erp_id).
        """
        conditions: list[sql.Composable] = [
            sql.SQL("AND t.{}::text IN ({})").format(
                sql.Identifier(column), sql.SQL(", ").join(map(sql.Literal, codes))
            )
            for column, codes in referrer.when.items()
        ]
        conditions += [
            sql.SQL("AND coalesce(t.{}::text, '') NOT IN ({})").format(
                sql.Identifier(column), sql.SQL(", ").join(map(sql.Literal, codes))
            )
            for column, codes in referrer.unless.items()
        ]
        if only_pending and "EntityStatus" in self._catalog[referrer.entity].fields:
            conditions.append(sql.SQL('AND t."EntityStatus" IN {}').format(literals(PENDING)))
        found = self._execute(
            "UPDATE {referring} AS t SET {field} = b.erp_id, {changed} = {load} FROM {bound} AS b "
            "WHERE t.{field} = b.id {conditions}",
            referring=table(KIMO, referrer.entity),
            field=sql.Identifier(referrer.column),
            bound=bound,
            conditions=sql.SQL(" ").join(conditions),
        ).rowcount
        if found:
            self._note_change(referrer.entity)
        return found

    def _repoint_late(self) -> int:
        """A tablet that has not synced since still writes the old Id: into orders, visits, contacts
        of a known customer.
        """
        bound = self._part(
            "(SELECT b.id, b.erp_id FROM ops.bound_id AS b LEFT JOIN {kimo} AS k ON k.{id} = b.id"
            " AND k.{archived} IS NULL WHERE b.entity = {head} AND k.{id} IS NULL)"
        )
        row = self._execute(
            "SELECT EXISTS (SELECT FROM ops.bound_id WHERE entity = {head})"
        ).fetchone()
        if row is None or not row[0]:
            return 0
        return sum(
            self._repoint(referrer, bound, only_pending=True)
            for referrer in self._referrers()
            if self._catalog[referrer.entity].direction != "import"
        )

    # --- bookkeeping
    # ----------------------------------------------------------------------------------------------

    def _note_change(self, entity: str, *, compare: bool = False) -> None:
        """Step 3 goes by this. compare: the next load of the entity looks at its rows, also where
        the snapshot is equal.
        """
        self._execute(
            "UPDATE ops.loaded SET changed_load = {load}, rows_live = (SELECT count(*) FROM"
            " {changed_table} WHERE {archived} IS NULL) {checksum} WHERE entity = {entity}",
            changed_table=table(KIMO, entity),
            entity=sql.Literal(entity),
            checksum=(
                sql.SQL(", checksum = {}").format(sql.Literal(f"answered by load {self._load}"))
                if compare
                else sql.SQL("")
            ),
        )

    def _record(self) -> None:
        self._execute(
            """
            INSERT INTO ops.export_answer (entity, sync_reference, elaborated_at, erp_id, id, load)
            SELECT {head}, sync_reference, elaborated_at, erp_id, id, {load} FROM answer
                WHERE decision = ANY({applied})
            ON CONFLICT (entity, sync_reference) DO UPDATE SET
                (elaborated_at, erp_id, id, load, at) =
                (excluded.elaborated_at, excluded.erp_id, excluded.id, excluded.load, now())
            """,
            applied=sql.Literal(list(_APPLIED)),
        )
        self._execute(
            """
            UPDATE ops.export_record AS r SET problem = n.problem, answered_at = now(),
                erp_id = CASE WHEN n.decision = ANY({applied}) THEN n.erp_id END,
                outcome = CASE WHEN n.decision = {no_id} THEN {refused}
                               WHEN n.decision = ANY({applied}) THEN {answered}
                                   ELSE r.outcome END
            FROM (
                SELECT DISTINCT ON (sent.sync_reference) sent.id AS sent_id, sent.batch, a.*
                FROM answer AS a JOIN ops.export_record AS sent
                    ON sent.entity = {head} AND sent.sync_reference = a.sync_reference
                WHERE a.decision = ANY({told}) AND sent.outcome IN {arrived}
                ORDER BY sent.sync_reference, sent.batch DESC
            ) AS n WHERE r.entity = {head} AND r.id = n.sent_id AND r.batch = n.batch
                AND r.outcome IN {unanswered}
                AND (n.decision = ANY({applied}) OR r.problem IS DISTINCT FROM n.problem)
            """,
            applied=sql.Literal(list(_APPLIED)),
            told=sql.Literal([*_APPLIED, *_CONTRADICTIONS]),
            no_id=sql.Literal(_REFUSED),
            refused=sql.Literal(RecordOutcome.REFUSED),
            answered=sql.Literal(RecordOutcome.ACKNOWLEDGED),
            arrived=literals(ARRIVED),
            unanswered=literals(MAY_BE_ANSWERED),
        )

    def _notes(self, counts: dict[str, int], repointed: int) -> tuple[str, ...]:
        name = self._head.name
        rows = self._execute(
            """
            SELECT decision, id, sync_reference, agent, problem FROM (
                SELECT a.*, row_number() OVER (PARTITION BY decision ORDER BY sync_reference)
                    AS place FROM answer AS a
                WHERE problem IS NOT NULL
            ) AS told WHERE place <= {samples} ORDER BY decision, sync_reference
            """,
            samples=sql.Literal(_SAMPLES),
        ).fetchall()
        notes = [_sentence(name, *row) for row in rows]
        for kind, count in counts.items():
            shown = sum(decision == kind for decision, *_ in rows)
            if 0 < shown < count:
                notes.append(
                    f"{count - shown:,} more answers of the ERP to {name} like these ({kind})."
                )
        if repointed:
            notes.append(
                f"{repointed:,} references to {name} by an Id of before the ERP's answer now name"
                " the ERP's."
            )
        return tuple(notes)

    def _execute(self, statement: str, **parts: sql.Composable):  # type: ignore[no-untyped-def]
        return self._connection.execute(self._part(statement, **parts))

    def _part(self, statement: str, **parts: sql.Composable) -> sql.Composed:
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
            "was_refused": sql.Literal(RecordOutcome.REFUSED),
            "no_snapshots": _NO_SNAPSHOTS,
            "afterwards": _AFTERWARDS.format(status=sql.SQL("k.status")),
        }
        return sql.SQL(statement).format(**(names | parts))  # type: ignore[arg-type]


def _sentence(
    entity: str, decision: str, key: str | None, reference: str, agent: str | None, problem: str
) -> str:
    of_whom = f" (agent {agent})" if agent else ""
    if decision == "refused":
        return (
            f"The ERP refused {entity} {key}{of_whom}: amend it in Kimo; `kimo export status"
            f" {reference}` tells more."
        )
    return f"{entity} {key or reference}{of_whom}: {problem}"


# The newest answer to each SyncReference, unless it was applied: an old one never acknowledges what
# was sent after it. Which is newest tells the ERP's clock alone.
_FRESH = """
    CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
    WITH newest AS (
        SELECT sync_reference, elaborated_at, max(erp_id) AS erp_id, max(agent) AS agent,
               count(DISTINCT coalesce(erp_id, '')) AS answers
        FROM (
            SELECT "SyncReference" AS sync_reference, "ElaboratedOnErpTimeStamp"::timestamp
                AS elaborated_at,
                   nullif(nullif(btrim("EntityId"), ''), '0') COLLATE "C" AS erp_id, "UserId"
                       AS agent,
                   rank() OVER (PARTITION BY "SyncReference"
                       ORDER BY "ElaboratedOnErpTimeStamp" DESC) AS place
            FROM {answers} WHERE {archived} IS NULL AND "ElaboratedOnErpTimeStamp" IS NOT NULL
                AND "SyncReference" <> ''
        ) AS given WHERE place = 1 GROUP BY 1, 2
    )
    SELECT n.*, p.erp_id AS erp_id_before
    FROM newest AS n LEFT JOIN ops.export_answer AS p ON p.entity = {head}
        AND p.sync_reference = n.sync_reference
    WHERE p.sync_reference IS NULL OR p.elaborated_at <> n.elaborated_at OR p.erp_id IS DISTINCT
        FROM n.erp_id
       OR n.answers > 1
"""

# Of the records only live ones count.
_DECIDED = """
    CREATE TEMPORARY TABLE answer ON COMMIT DROP AS
    WITH meant AS (
        SELECT f.sync_reference, count(*) FILTER (WHERE k.{id} IS DISTINCT FROM f.erp_id) AS others,
               coalesce(min(k.{id}::text) FILTER (WHERE k.{id} IS DISTINCT FROM f.erp_id),
                   min(k.{id}::text)) AS id
        FROM fresh AS f JOIN {kimo} AS k ON k."SyncReference" = f.sync_reference AND k.{archived}
            IS NULL GROUP BY 1
    ), found AS (
        SELECT f.*, m.id, coalesce(m.others, 0) AS others, coalesce(r."EntityStatus"::integer,
            {undefined}) AS status,
               r.{hash} IS NULL AS is_new, e.{id} IS NOT NULL AS is_there,
               e."SyncReference" AS reference_there, e.{hash} IS NULL AS is_kimos_there,
               EXISTS (SELECT FROM ops.bound_id AS b WHERE b.entity = {head}
                   AND b.erp_id = f.erp_id) AS was_given
        FROM fresh AS f LEFT JOIN meant AS m USING (sync_reference) LEFT JOIN {kimo} AS r
            ON r.{id} = m.id
        LEFT JOIN {kimo} AS e ON e.{id} = f.erp_id AND e.{archived} IS NULL
    )
    SELECT k.sync_reference, k.elaborated_at, k.erp_id, k.agent, k.id, k.status, k.is_new,
        k.erp_id_before,
           {afterwards} AS status_afterwards, k.is_there AND k.status NOT IN {pending} AS erp_wins,
           CASE WHEN k.answers > 1 THEN 'ambiguous' WHEN k.id IS NULL THEN 'unknown'
               WHEN k.others > 1 THEN 'double'
                WHEN k.status IN {in_flight} THEN 'waiting' WHEN k.erp_id IS NULL THEN 'refused'
                    WHEN k.id = k.erp_id THEN 'known'
                WHEN k.erp_id_before <> k.erp_id THEN 'rebound'
                WHEN k.is_there AND (k.reference_there <> k.sync_reference OR k.was_given
                    OR k.is_kimos_there AND k.reference_there IS NULL) THEN 'taken'
                ELSE 'bound' END AS decision,
           NULL::text AS problem
    FROM found AS k
"""

# A record that was refused waits for nobody: what was edited after that goes out again.
_AMENDED = """
    INSERT INTO answer (sync_reference, id, status, decision)
    SELECT k."SyncReference", k.{id}, {edited}, 'amended' FROM {kimo} AS k
    WHERE k."EntityStatus" = {edited} AND k.{archived} IS NULL AND NOT EXISTS
        (SELECT FROM answer AS a WHERE a.id = k.{id})
      AND (SELECT r.outcome FROM ops.export_record AS r WHERE r.entity = {head}
          AND r.sync_reference = k."SyncReference"
           ORDER BY r.batch DESC LIMIT 1) = {was_refused}
"""

_PROBLEMS = """
    UPDATE answer AS a SET problem = CASE decision
        WHEN 'refused' THEN format(
            'the ERP has elaborated it on %s without giving it an Id: it refused the record. Amend it in Kimo, and it goes '
            'out again.', to_char(elaborated_at, 'YYYY-MM-DD HH24:MI'))
        WHEN 'ambiguous' THEN
            'the ERP gives several answers at one time to this SyncReference. It stays as it is until the ERP keeps one of '
            'them.'
        WHEN 'double' THEN format(
            'several records of Kimo have the SyncReference %s, so that nobody can tell which of them the ERP means. None '
            'is bound.', sync_reference)
        WHEN 'rebound' THEN format(
            'the ERP now gives it the Id %s, but it has %s already. It keeps that one: mend the answer in the ERP.',
            erp_id, erp_id_before)
        WHEN 'taken' THEN format(
            'the ERP gives it the Id %s, which another record of Kimo has already. It keeps its own: mend the answer in '
            'the ERP.', erp_id)
        WHEN 'unknown' THEN format('the ERP answers to SyncReference %s, which no record of Kimo has.', sync_reference)
    END WHERE decision NOT IN ('bound', 'known', 'waiting', 'amended')
"""
