"""Export to the ERP: what Kimo created or edited, exactly once (docs/export.md).

run.py: the job, and what an operator settles by hand.
ready.py: which records may go now, and why the others wait.
outbox.py: Kimo's side of a batch: mark it, copy it, record it, end it.
erp.py: the ERP as a run finds it. marker.py: our table there, which proves that a batch arrived.
send.py: one batch into the ERP, in one transaction. recovery.py: what a killed run has left.
targets.py: the ERP's tables, and what is written into them. reflection.py: the tables as the
database describes them. columns.py: what a column can hold. formats.py: how a value is written.
target_checks.py: what `kimo check` reports about the tables beforehand.
status.py: what became of a record. points.py: where a test may kill an export.
"""
