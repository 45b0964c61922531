"""The states of what Kimo creates or edits, on its way to the ERP and back, as data.

EntityStatus is the vendor's, of a record. BatchState and RecordOutcome are ours: of a batch that
goes to the ERP, and of a record in one batch. TRANSITIONS says which status follows which, and who
sets it (fact sheet, section 9). docs/export.md and its picture show the same. No database here: SQL
takes these values as parameters or literals.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple

# The columns of an editable row that say where it is between Kimo and the ERP. Kimo sets them.
LIFECYCLE = ("EntityStatus", "SyncReference", "UploadToServerTimeStamp")

# The ERP's answers come in tables of their own, one for each head: EntitySyncReferenceForAccount.
ANSWER_PREFIX = "EntitySyncReferenceFor"


class EntityStatus(IntEnum):
    """The vendor's codes, by the vendor's names (catalog/data/enums.yaml)."""

    UNDEFINED = -1
    IMPORTED_FROM_ERP = 0
    EXPORTED_TO_ERP = 1
    IMPORTED_BY_ERP = 2
    EXPORTING_TO_ERP = 3
    DELETED = 4
    COMMITTING_EXPORT_TO_ERP = 5
    TO_EXPORT_TO_ERP = 6
    EDITING = 7
    UPLOADED_TO_SERVER = 8
    STARTED_UPLOAD_TO_SERVER = 9
    EDITING_PENDING = 10

    @property
    def vendor_name(self) -> str:
        """As the vendor spells it: ToExportToErp."""
        return "".join(word.capitalize() for word in self.name.split("_"))


# Kimo has touched these records, and the ERP does not have their values yet. An import leaves
# them alone.
PENDING = (
    EntityStatus.EXPORTING_TO_ERP,
    EntityStatus.COMMITTING_EXPORT_TO_ERP,
    EntityStatus.TO_EXPORT_TO_ERP,
    EntityStatus.EDITING,
    EntityStatus.UPLOADED_TO_SERVER,
    EntityStatus.STARTED_UPLOAD_TO_SERVER,
    EntityStatus.EDITING_PENDING,
)

# In a batch whose end is not known yet.
IN_FLIGHT = (EntityStatus.EXPORTING_TO_ERP, EntityStatus.COMMITTING_EXPORT_TO_ERP)

# The ERP has the record, so that another one may refer to it.
KNOWN_TO_ERP = (
    EntityStatus.IMPORTED_FROM_ERP,
    EntityStatus.EXPORTED_TO_ERP,
    EntityStatus.IMPORTED_BY_ERP,
)

# The ERP's answer with an Id changes these. Every other status stays: a record that is being
# edited, or waits to be sent once more, only gets the Id.
AFTER_ANSWER = {
    EntityStatus.EXPORTED_TO_ERP: EntityStatus.IMPORTED_BY_ERP,
    EntityStatus.EDITING_PENDING: EntityStatus.TO_EXPORT_TO_ERP,
}


class BatchState(StrEnum):
    """Of a batch, as ops.export_batch stores it."""

    # Nothing of it is committed at the ERP.
    EXPORTING = "exporting"
    # It may be: the ERP has been asked to commit. In doubt, if no run is at work on it.
    COMMITTING = "committing"
    EXPORTED = "exported"
    # Nothing of it arrived. Its records are to be sent again.
    TAKEN_BACK = "taken back"


OPEN_BATCH_STATES = (BatchState.EXPORTING, BatchState.COMMITTING)
ENDED_BATCH_STATES = (BatchState.EXPORTED, BatchState.TAKEN_BACK)


class RecordOutcome(StrEnum):
    """Of a record in one batch, as ops.export_record stores it. NULL while the batch is open."""

    SENT = "sent"
    HELD = "held"
    TAKEN_BACK = "taken back"
    # The ERP answered with an Id, or without one.
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


# The record is, or was, at the ERP.
ARRIVED = (RecordOutcome.SENT, RecordOutcome.ACKNOWLEDGED, RecordOutcome.REFUSED)

# An answer may still come: the ERP may also take a record that it refused at first.
MAY_BE_ANSWERED = (RecordOutcome.SENT, RecordOutcome.REFUSED)

# Nothing more happens to the record by this batch.
SETTLED = (
    RecordOutcome.ACKNOWLEDGED,
    RecordOutcome.REFUSED,
    RecordOutcome.TAKEN_BACK,
    RecordOutcome.HELD,
)


class Actor(StrEnum):
    """Who sets a status: tablets and the Kimo server, our export, or our import."""

    KIMO = "kimo"
    EXPORT = "export"
    IMPORT = "import"


class Transition(NamedTuple):
    """A record's status before and after, and who changes it.

    A record may change its row meanwhile. An answer gives it the ERP's Id, and the row of the old
    Id is archived as IMPORTED_BY_ERP.
    """

    before: EntityStatus
    after: EntityStatus
    by: Actor


def _transitions(by: Actor, *pairs: tuple[EntityStatus, EntityStatus]) -> frozenset[Transition]:
    return frozenset(Transition(before, after, by) for before, after in pairs)


TRANSITIONS = (
    _transitions(
        Actor.KIMO,
        # An edit, its upload, and its release for the export.
        (EntityStatus.IMPORTED_FROM_ERP, EntityStatus.EDITING),
        (EntityStatus.IMPORTED_BY_ERP, EntityStatus.EDITING),
        (EntityStatus.EDITING, EntityStatus.STARTED_UPLOAD_TO_SERVER),
        (EntityStatus.STARTED_UPLOAD_TO_SERVER, EntityStatus.UPLOADED_TO_SERVER),
        (EntityStatus.UPLOADED_TO_SERVER, EntityStatus.TO_EXPORT_TO_ERP),
        # Edited after an export took it. The edit waits for the answer, or is to be sent at once.
        (EntityStatus.EXPORTING_TO_ERP, EntityStatus.EDITING_PENDING),
        (EntityStatus.COMMITTING_EXPORT_TO_ERP, EntityStatus.EDITING_PENDING),
        (EntityStatus.EXPORTED_TO_ERP, EntityStatus.EDITING_PENDING),
        (EntityStatus.EXPORTING_TO_ERP, EntityStatus.TO_EXPORT_TO_ERP),
        (EntityStatus.COMMITTING_EXPORT_TO_ERP, EntityStatus.TO_EXPORT_TO_ERP),
        (EntityStatus.EXPORTED_TO_ERP, EntityStatus.TO_EXPORT_TO_ERP),
    )
    | _transitions(
        Actor.EXPORT,
        (EntityStatus.TO_EXPORT_TO_ERP, EntityStatus.EXPORTING_TO_ERP),
        (EntityStatus.EXPORTING_TO_ERP, EntityStatus.COMMITTING_EXPORT_TO_ERP),
        (EntityStatus.COMMITTING_EXPORT_TO_ERP, EntityStatus.EXPORTED_TO_ERP),
        # Nothing arrived, or a value does not fit the ERP's column.
        (EntityStatus.EXPORTING_TO_ERP, EntityStatus.TO_EXPORT_TO_ERP),
        (EntityStatus.COMMITTING_EXPORT_TO_ERP, EntityStatus.TO_EXPORT_TO_ERP),
        # Nothing ever arrived, so no answer will release the edit.
        (EntityStatus.EDITING_PENDING, EntityStatus.TO_EXPORT_TO_ERP),
    )
    | _transitions(Actor.IMPORT, *AFTER_ANSWER.items())
    | _transitions(
        Actor.IMPORT,
        # The ERP's row came before its answer.
        (EntityStatus.IMPORTED_FROM_ERP, EntityStatus.IMPORTED_BY_ERP),
        # The snapshot's row takes the place of every record that is not held.
        (EntityStatus.IMPORTED_BY_ERP, EntityStatus.IMPORTED_FROM_ERP),
        (EntityStatus.EXPORTED_TO_ERP, EntityStatus.IMPORTED_FROM_ERP),
        (EntityStatus.DELETED, EntityStatus.IMPORTED_FROM_ERP),
        (EntityStatus.UNDEFINED, EntityStatus.IMPORTED_FROM_ERP),
    )
)
