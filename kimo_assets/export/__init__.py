"""Export to the ERP: what Kimo created or edited, exactly once (docs/export.md).

targets.py: the ERP's tables as they are, and what is written into them. formats.py: a value of
Kimo's as the ERP wants it. columns.py: what a column can hold. reflection.py: the tables as the
database describes them. doubts.py: what is to be said of them beforehand. ready.py: what may go,
and why the rest waits. outbox.py: Kimo's side of a batch: marked, copied, recorded, settled.
erp.py: the ERP as a run finds it. marker.py: our table there, by which a batch is known to have
arrived. send.py: one batch into the ERP, in one transaction. recovery.py: what a run that was
killed has left. run.py: the job, and what an operator settles. status.py: what became of a record.
"""
