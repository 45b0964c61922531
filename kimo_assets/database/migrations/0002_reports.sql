-- Reports are read back from the ledger whole: their class, the guard that was lifted, their notes.
ALTER TABLE IF EXISTS ops.step_result
    ADD COLUMN IF NOT EXISTS kind text,
    ADD COLUMN IF NOT EXISTS guard text,
    ADD COLUMN IF NOT EXISTS cause text,
    ADD COLUMN IF NOT EXISTS notes text[];
