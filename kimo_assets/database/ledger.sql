-- Schemas, the value domains that let COPY refuse a bad value by itself, and the ledger of what happened.
CREATE SCHEMA IF NOT EXISTS ops;
CREATE SCHEMA IF NOT EXISTS integrator;
CREATE SCHEMA IF NOT EXISTS kimo;
CREATE SCHEMA IF NOT EXISTS plan;
CREATE TABLE IF NOT EXISTS ops.schema_version (version text NOT NULL);
-- The numbered migrations (database/migrations) that this database needs no more.
CREATE TABLE IF NOT EXISTS ops.migration (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());

DO $$ BEGIN
    IF to_regtype('ops.key') IS NULL THEN
        CREATE DOMAIN ops.key AS varchar(50) COLLATE "C" NOT NULL;
    END IF;
    IF to_regtype('ops.dec') IS NULL THEN
        CREATE DOMAIN ops.dec AS numeric CHECK (VALUE <> 'NaN' AND VALUE < 'Infinity' AND VALUE > '-Infinity');
    END IF;
    IF to_regtype('ops.day') IS NULL THEN
        CREATE DOMAIN ops.day AS date CHECK (isfinite(VALUE));
    END IF;
    IF to_regtype('ops.moment') IS NULL THEN
        CREATE DOMAIN ops.moment AS timestamp CHECK (isfinite(VALUE));
    END IF;
END $$;

-- One row per run that moves data; its number is what rows and payloads carry.
CREATE TABLE IF NOT EXISTS ops.load (
    load bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text,
    title text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    success boolean
);

-- What each step of a load did with each entity: the report, kept. kind: the report's class.
CREATE TABLE IF NOT EXISTS ops.step_result (
    load bigint NOT NULL REFERENCES ops.load ON DELETE CASCADE,
    step smallint NOT NULL,
    entity text NOT NULL,
    status text NOT NULL,
    seconds double precision NOT NULL,
    counts jsonb NOT NULL,
    error text,
    at timestamptz NOT NULL DEFAULT now(),
    kind text,
    guard text,
    cause text,
    notes text[],
    PRIMARY KEY (load, step, entity)
);

-- The report of a run that does other work than steps over entities. kind: the report's class.
CREATE TABLE IF NOT EXISTS ops.run_report (
    run_id text PRIMARY KEY,
    kind text NOT NULL,
    report jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

-- The snapshot that integrator.<entity> holds. segments: a digest per piece of the stream it was read from.
CREATE TABLE IF NOT EXISTS ops.staged (
    entity text PRIMARY KEY,
    load bigint NOT NULL,
    definition text NOT NULL,
    segments text[] NOT NULL,
    rows_read bigint NOT NULL,
    rows_staged bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    checksum text NOT NULL,
    staged_at timestamptz NOT NULL DEFAULT now()
);

-- The rows refused from the snapshot now in place: the whole row as the source gave it, and why.
-- since, since_load: when this row was first refused for this; kept as long as every load refuses it again. detail: what was
-- expected in particular, or went wrong: a date's format, a lookup's codes.
CREATE TABLE IF NOT EXISTS ops.rejected_row (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity text NOT NULL,
    source text,
    step smallint NOT NULL,
    load bigint NOT NULL,
    rule text NOT NULL,
    field text,
    source_column text,
    source_key text,
    value text,
    source_row jsonb NOT NULL,
    segment integer,
    at timestamptz NOT NULL DEFAULT now(),
    since timestamptz NOT NULL DEFAULT now(),
    since_load bigint,
    detail text
);
-- A database of before these columns were there is completed: nothing that was refused is lost.
ALTER TABLE ops.rejected_row
    ADD COLUMN IF NOT EXISTS source text,
    ADD COLUMN IF NOT EXISTS since timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS since_load bigint,
    ADD COLUMN IF NOT EXISTS detail text;
UPDATE ops.rejected_row SET since_load = load, since = at WHERE since_load IS NULL;
CREATE INDEX IF NOT EXISTS rejected_row_entity ON ops.rejected_row (entity, step);

-- The same of what a plan has read: the snapshots in schema plan.
CREATE TABLE IF NOT EXISTS ops.planned (LIKE ops.staged INCLUDING ALL);
CREATE TABLE IF NOT EXISTS ops.planned_rejected_row (LIKE ops.rejected_row INCLUDING ALL);

-- The state of kimo.<entity> after its last load. changed_load: the last load that changed any of its rows.
CREATE TABLE IF NOT EXISTS ops.loaded (
    entity text PRIMARY KEY,
    load bigint NOT NULL,
    checksum text NOT NULL,
    held bigint NOT NULL,
    rows_live bigint NOT NULL,
    changed_load bigint NOT NULL,
    owner_changed_load bigint,
    loaded_at timestamptz NOT NULL DEFAULT now()
);

-- Loads whose changes can be taken back: what each did to kimo.<entity>. The rows as they were before are in schema history,
-- one table an entity. undone_by: the load that has taken it back.
CREATE SCHEMA IF NOT EXISTS history;
CREATE TABLE IF NOT EXISTS ops.change (
    load bigint NOT NULL REFERENCES ops.load ON DELETE CASCADE,
    entity text NOT NULL,
    inserted bigint NOT NULL,
    updated bigint NOT NULL,
    archived bigint NOT NULL,
    undone_by bigint,
    PRIMARY KEY (load, entity)
);

-- The newest load that can no longer be taken back, because its history was given up. why: unless for its age.
CREATE TABLE IF NOT EXISTS ops.horizon (load bigint NOT NULL);
ALTER TABLE ops.horizon ADD COLUMN IF NOT EXISTS why text;

-- The plan whose snapshots schema plan keeps: one at a time. document: what `kimo plan --save` wrote into the file.
CREATE TABLE IF NOT EXISTS ops.plan (
    id text PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now(),
    document jsonb NOT NULL,
    applied_load bigint
);

-- Pictures. One row per place that one comes from: a file's path (with its folder) or a URL. What is public of it stays also
-- when the place cannot be read any more. size, modified: of the file; etag, last_modified: what the server said.
-- recipe: by what settings it was made. status: ok, failed (why: problem), missing. kind, source_width, source_height: of the original.
CREATE TABLE IF NOT EXISTS ops.picture (
    source text COLLATE "C" PRIMARY KEY,
    size bigint,
    modified bigint,
    etag text,
    last_modified text,
    sha256 text,
    recipe text,
    kind text,
    source_width integer,
    source_height integer,
    status text NOT NULL,
    problem text,
    path text,
    thumbnail_path text,
    width integer,
    height integer,
    bytes bigint,
    media_type text,
    checked_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- What a row's FilePath, or Url, means: the place of a picture, and why there is none or which other files would fit as well.
CREATE TABLE IF NOT EXISTS ops.picture_name (
    entity text NOT NULL,
    written text COLLATE "C" NOT NULL,
    source text COLLATE "C",
    problem text,
    PRIMARY KEY (entity, written)
);

-- Public files that no row needs any more, and since when.
CREATE TABLE IF NOT EXISTS ops.unused_picture (path text PRIMARY KEY, since timestamptz NOT NULL DEFAULT now());

-- Addresses. written: as the customer's row has it, its parts joined (geocoding.positions); query: what Google is asked for it,
-- NULL when there is nothing to ask, and then why; rules: by which version of the rules, and for which country, it was made.
CREATE TABLE IF NOT EXISTS ops.address (
    written text COLLATE "C" PRIMARY KEY,
    query text COLLATE "C",
    problem text,
    province text,
    rules text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS address_query ON ops.address (query);

-- Google's answers. status: Google's own word, or EXPIRED: after the days that its terms allow, all but the place id is forgotten.
CREATE TABLE IF NOT EXISTS ops.geocode (
    query text COLLATE "C" PRIMARY KEY,
    status text NOT NULL,
    latitude double precision,
    longitude double precision,
    location_type text,
    partial_match boolean,
    place_id text,
    formatted_address text,
    province text,
    answered_at timestamptz NOT NULL DEFAULT now()
);

-- Calls of Google's service, by day of its own clock (Pacific time), for the daily budget.
CREATE TABLE IF NOT EXISTS ops.geocode_call (day date PRIMARY KEY, calls bigint NOT NULL);

-- Export. A batch goes to the ERP in one transaction of the ERP's. state: exporting (nothing of it is committed there),
-- committing (it may be), exported, or taken back (nothing of it arrived: its records are to be sent again).
-- is_unproved: while it was committing the ERP was free to take its rows away, so that their absence tells nothing.
-- fields: of the outbox's rows, by entity, in the order of their values.
CREATE TABLE IF NOT EXISTS ops.export_batch (
    batch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    load bigint NOT NULL,
    run_id text,
    source text NOT NULL,
    entity text NOT NULL,
    state text NOT NULL,
    records bigint NOT NULL DEFAULT 0,
    has_marker boolean NOT NULL DEFAULT false,
    is_unproved boolean NOT NULL DEFAULT false,
    fields jsonb NOT NULL DEFAULT '{}',
    began_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE INDEX IF NOT EXISTS export_batch_open ON ops.export_batch (state) WHERE state IN ('exporting', 'committing');

-- KimoIntegrator's outbox: the rows of a batch as they were when it was made, head and parts, in the order of the ERP's tables.
-- values: as PostgreSQL writes them. Not logged: a batch that the server's own crash interrupts is made anew.
CREATE UNLOGGED TABLE IF NOT EXISTS integrator.outbox (
    batch bigint NOT NULL,
    position bigint NOT NULL,
    entity text NOT NULL,
    id text NOT NULL,
    head_id text NOT NULL,
    values text[] NOT NULL,
    PRIMARY KEY (batch, position)
);

-- One row per head and batch it went with: the life of a record between Kimo and the ERP. id: Kimo's, as it was then.
-- outcome: sent, held (why: problem), taken back, acknowledged (erp_id), refused by the ERP (problem).
-- written_reference: what the ERP's row has for a SyncReference, where no marker tells of the batch.
CREATE TABLE IF NOT EXISTS ops.export_record (
    entity text NOT NULL,
    id text NOT NULL,
    batch bigint NOT NULL,
    sync_reference text,
    parts bigint NOT NULL DEFAULT 0,
    outcome text,
    problem text,
    erp_id text,
    written_reference text,
    marked_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    answered_at timestamptz,
    PRIMARY KEY (entity, id, batch)
);
CREATE INDEX IF NOT EXISTS export_record_batch ON ops.export_record (batch);
CREATE INDEX IF NOT EXISTS export_record_reference ON ops.export_record (sync_reference);

-- Records that cannot be sent as they are, and why: as of the last export. since: when that was first found.
CREATE TABLE IF NOT EXISTS ops.export_held (
    entity text NOT NULL,
    id text NOT NULL,
    sync_reference text,
    why text NOT NULL,
    is_waiting boolean NOT NULL DEFAULT false,
    since timestamptz NOT NULL DEFAULT now(),
    load bigint NOT NULL,
    PRIMARY KEY (entity, id)
);

-- The ERP's answers that imports have applied, the last one to each record: each counts once. erp_id: NULL when it refused.
-- id: the record's when it came.
CREATE TABLE IF NOT EXISTS ops.export_answer (
    entity text NOT NULL,
    sync_reference text COLLATE "C" NOT NULL,
    elaborated_at timestamp NOT NULL,
    erp_id text COLLATE "C",
    id text COLLATE "C" NOT NULL,
    load bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entity, sync_reference)
);
CREATE INDEX IF NOT EXISTS export_answer_erp_id ON ops.export_answer (entity, erp_id);

-- Ids of Kimo's that gave way to the ERP's. Tablets that have not synced since still write the old ones.
CREATE TABLE IF NOT EXISTS ops.bound_id (
    entity text NOT NULL,
    id text COLLATE "C" NOT NULL,
    erp_id text COLLATE "C" NOT NULL,
    load bigint NOT NULL,
    PRIMARY KEY (entity, id)
);
CREATE INDEX IF NOT EXISTS bound_id_erp_id ON ops.bound_id (entity, erp_id);

-- References that point nowhere, per referencing field, as last counted.
CREATE TABLE IF NOT EXISTS ops.reference_check (
    entity text NOT NULL,
    field text NOT NULL,
    target text NOT NULL,
    dangling bigint NOT NULL,
    samples text[] NOT NULL,
    checked_load bigint NOT NULL,
    PRIMARY KEY (entity, field)
);

-- Whose the sync store is: this database's.
CREATE TABLE IF NOT EXISTS ops.installation (id text PRIMARY KEY);

-- What the first commits kept of step 3; it is prepared anew.
DROP TABLE IF EXISTS ops.published_object, ops.published, ops.visibility, ops.manifest;

-- Who sees what, kept from one preparation to the next; one table a lookup.
CREATE SCHEMA IF NOT EXISTS sync;

-- The different views on the data: agents, and agents with a user's own warehouse. position: the bit in masks, never given again.
CREATE TABLE IF NOT EXISTS ops.profile (
    position integer PRIMARY KEY,
    agent text NOT NULL,
    warehouse text,
    since bigint NOT NULL,
    retired bigint
);

-- Numbers of sets of profiles. mask: hexadecimal; with a minus sign it is all but some, whoever comes.
CREATE TABLE IF NOT EXISTS ops.audience (number integer PRIMARY KEY, mask text NOT NULL UNIQUE);

-- The tables of schema sync. definition: a digest of all that decides their content, beside tables.
CREATE TABLE IF NOT EXISTS ops.lookup (
    name text PRIMARY KEY,
    definition text NOT NULL,
    refreshed_load bigint NOT NULL,
    changed_load bigint NOT NULL
);

-- What step 3 published per entity: when it last looked, and when it last changed anything. description: as in manifests.
-- for_all: whoever comes sees all of it.
CREATE TABLE IF NOT EXISTS ops.payload (
    entity text PRIMARY KEY,
    checked_load bigint NOT NULL,
    changed_load bigint NOT NULL,
    definition text NOT NULL,
    description json NOT NULL,
    for_all boolean NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);

-- Which profiles an entity has been published for, and since which load.
CREATE TABLE IF NOT EXISTS ops.covered (
    entity text NOT NULL,
    position integer NOT NULL,
    load bigint NOT NULL,
    PRIMARY KEY (entity, position)
);

-- The buckets of the published entities: pieces that go to the same profiles, each a base and the changes since.
CREATE SEQUENCE IF NOT EXISTS ops.bucket_number;
CREATE TABLE IF NOT EXISTS ops.bucket (
    id bigint PRIMARY KEY,
    entity text NOT NULL,
    private boolean NOT NULL,
    mask text NOT NULL,
    state text NOT NULL,
    rows bigint NOT NULL,
    removed bigint NOT NULL,
    base_load bigint NOT NULL,
    base_state text NOT NULL
);
CREATE INDEX IF NOT EXISTS bucket_entity ON ops.bucket (entity);
CREATE TABLE IF NOT EXISTS ops.bucket_object (
    bucket bigint NOT NULL,
    position integer NOT NULL,
    is_base boolean NOT NULL,
    load bigint NOT NULL,
    from_state text,
    state text,
    sha256 text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (bucket, position)
);

-- Into which buckets rows of an audience go: one of their own (shared), or one of each profile. rows: how many there are.
CREATE TABLE IF NOT EXISTS ops.placement (
    entity text NOT NULL,
    private boolean NOT NULL,
    audience integer NOT NULL,
    shared boolean NOT NULL,
    rows bigint NOT NULL,
    PRIMARY KEY (entity, private, audience)
);

-- The manifests as last written, so that equal ones are not written again.
CREATE TABLE IF NOT EXISTS ops.manifest_file (
    path text PRIMARY KEY,
    store text NOT NULL,
    digest text NOT NULL,
    bytes bigint NOT NULL
);

-- Objects in a store that no manifest lists, and since when that is known: removed after a grace period.
CREATE TABLE IF NOT EXISTS ops.unlisted_object (
    store text NOT NULL,
    path text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (store, path)
);

-- The ERP's semaphores: which are ours (since is set, released_at is not), and what we saw when one was not to be had.
CREATE TABLE IF NOT EXISTS ops.semaphore (
    source text NOT NULL,
    semaphore text NOT NULL,
    status integer,
    load bigint,
    run_id text,
    since timestamptz,
    released_at timestamptz,
    seen_status integer,
    seen_since timestamptz,
    PRIMARY KEY (source, semaphore)
);

-- The objects that settings.json lists, one of each table of the console's that has rows.
CREATE TABLE IF NOT EXISTS ops.settings_object (
    entity text PRIMARY KEY,
    sha256 text NOT NULL
);

-- What each manifest (agents/<code>.json, users/<code>.json) weighed after each load, of the last 400. bytes: of a first sync;
-- changed_bytes: what the load brought to a tablet that had synced before it.
CREATE TABLE IF NOT EXISTS ops.agent_weight (
    load bigint NOT NULL,
    manifest text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    changed_bytes bigint NOT NULL,
    PRIMARY KEY (load, manifest)
);

-- Mails to operators. How the runs of one kind (a job, by one schedule) have ended, as last told: state ok or failing, since when.
-- failures: runs in a row that have failed. last_told_at: of the last mail about it.
CREATE TABLE IF NOT EXISTS ops.notification (
    job text PRIMARY KEY,
    state text NOT NULL,
    since timestamptz NOT NULL,
    failures bigint NOT NULL DEFAULT 0,
    last_told_at timestamptz
);

-- The mails themselves: one per run at most. message: as it goes out; recipients: who does not have it yet.
-- problem: why the last attempt brought it to nobody, or not to all. ended_at: it is sent, or was given up.
CREATE TABLE IF NOT EXISTS ops.mail (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text UNIQUE,
    subject text NOT NULL,
    message bytea NOT NULL,
    recipients text[] NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    problem text,
    made_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE INDEX IF NOT EXISTS mail_due ON ops.mail (due_at) WHERE ended_at IS NULL;

-- When a tablet was last synced. Kimo's server, which the tablets ask, is to write it; nothing here does.
CREATE TABLE IF NOT EXISTS ops.tablet_sync (
    user_name text NOT NULL,
    device text NOT NULL DEFAULT '',
    agent text NOT NULL,
    last_sync_at timestamptz NOT NULL,
    PRIMARY KEY (user_name, device)
);
