-- What the ledgers of the first commits lacked. What can be prepared anew is dropped: the next step 3 makes it again.
DO $$ BEGIN
    IF to_regclass('ops.payload') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = 'ops.payload'::regclass AND attname = 'for_all' AND NOT attisdropped
    ) THEN
        DROP TABLE ops.payload;
    END IF;
    IF to_regclass('ops.manifest_file') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = 'ops.manifest_file'::regclass AND attname = 'bytes' AND NOT attisdropped
    ) THEN
        DROP TABLE ops.manifest_file;
    END IF;
    -- That outbox was never written to: the engine of the export came with the new one.
    IF to_regclass('integrator.outbox') IS NOT NULL AND EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = 'integrator.outbox'::regclass AND attname = 'fields' AND NOT attisdropped
    ) THEN
        DROP TABLE integrator.outbox;
    END IF;
END $$;
ALTER TABLE IF EXISTS ops.address
    ADD COLUMN IF NOT EXISTS province text,
    ADD COLUMN IF NOT EXISTS rules text NOT NULL DEFAULT '';
ALTER TABLE IF EXISTS ops.export_batch
    ADD COLUMN IF NOT EXISTS is_unproved boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS fields jsonb NOT NULL DEFAULT '{}';
ALTER TABLE IF EXISTS ops.export_record ADD COLUMN IF NOT EXISTS written_reference text;
ALTER TABLE IF EXISTS ops.planned_rejected_row
    ADD COLUMN IF NOT EXISTS source text,
    ADD COLUMN IF NOT EXISTS since timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS since_load bigint,
    ADD COLUMN IF NOT EXISTS detail text;
