-- both
CREATE TABLE replay (
    caller text NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    digest bytea NOT NULL,
    response bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (caller, request_id)
)
--;
CREATE TABLE journal (
    id uuid NOT NULL PRIMARY KEY,
    written_at bigint NOT NULL,
    actor text NOT NULL,
    service text,
    method text NOT NULL,
    request_id text,
    purpose text,
    subjects text NOT NULL,
    digest bytea NOT NULL,
    traceparent text,
    position bigint,
    hash bytea
)
--;
CREATE UNIQUE INDEX journal_position ON journal (position)
--;
CREATE INDEX journal_unsealed ON journal (id) WHERE position IS NULL
--;
CREATE TABLE event (
    id uuid NOT NULL PRIMARY KEY,
    journal_id uuid NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    occurred_at bigint NOT NULL,
    data bytea NOT NULL,
    position bigint,
    sequence bigint
)
--;
CREATE UNIQUE INDEX event_position ON event (position)
--;
CREATE UNIQUE INDEX event_sequence ON event (subject, sequence)
--;
CREATE INDEX event_journal ON event (journal_id)
--;
CREATE TABLE seal (
    id integer NOT NULL PRIMARY KEY,
    position bigint NOT NULL,
    event_position bigint NOT NULL,
    hash bytea NOT NULL
)
--;
CREATE TABLE cursor (
    source text NOT NULL PRIMARY KEY,
    position bigint NOT NULL
)
--;
CREATE TABLE parked_event (
    source text NOT NULL,
    position bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    data bytea NOT NULL,
    reason text NOT NULL,
    parked_at bigint NOT NULL,
    PRIMARY KEY (source, position)
)
--;
CREATE TABLE lease (
    name text NOT NULL PRIMARY KEY,
    holder text NOT NULL,
    until bigint NOT NULL
)
--;
CREATE TABLE number (
    series text NOT NULL,
    branch text NOT NULL,
    year integer NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (series, branch, year)
)
--;
CREATE TABLE job (
    id uuid NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    state text NOT NULL,
    request bytea NOT NULL,
    done bigint NOT NULL,
    total bigint NOT NULL,
    note text NOT NULL,
    requested_by text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    failures integer NOT NULL
)
--;
CREATE TABLE subject_key (
    subject uuid NOT NULL PRIMARY KEY,
    key_id text NOT NULL,
    wrapped bytea NOT NULL,
    created_at bigint NOT NULL
)
-- sqlite
INSERT INTO seal (id, position, event_position, hash) VALUES (1, 0, 0, X'')
--;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'journal_is_append_only'); END
--;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal WHEN OLD.position IS NOT NULL OR NEW.digest IS NOT OLD.digest OR NEW.actor IS NOT OLD.actor OR NEW.method IS NOT OLD.method OR NEW.subjects IS NOT OLD.subjects OR NEW.written_at IS NOT OLD.written_at
BEGIN SELECT RAISE(ABORT, 'journal_is_append_only'); END
--;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event_is_append_only'); END
--;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event WHEN OLD.position IS NOT NULL OR NEW.data IS NOT OLD.data OR NEW.subject IS NOT OLD.subject
BEGIN SELECT RAISE(ABORT, 'event_is_append_only'); END
-- postgres
INSERT INTO seal (id, position, event_position, hash) VALUES (1, 0, 0, '')
--;
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%_is_append_only', TG_TABLE_NAME;
END $$
--;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal FOR EACH ROW
WHEN (OLD.position IS NOT NULL OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.actor IS DISTINCT FROM OLD.actor OR NEW.method IS DISTINCT FROM OLD.method OR NEW.subjects IS DISTINCT FROM OLD.subjects OR NEW.written_at IS DISTINCT FROM OLD.written_at)
EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event FOR EACH ROW
WHEN (OLD.position IS NOT NULL OR NEW.data IS DISTINCT FROM OLD.data OR NEW.subject IS DISTINCT FROM OLD.subject)
EXECUTE FUNCTION append_only()
