-- both
ALTER TABLE cursor ADD COLUMN event_id text
--;
CREATE TABLE anchor (
    source text NOT NULL,
    position bigint NOT NULL,
    hash text NOT NULL,
    kept_at bigint NOT NULL,
    PRIMARY KEY (source, position)
)
-- sqlite
DROP TRIGGER journal_no_update
--;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal WHEN OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.hash IS NULL
    OR NEW.id IS NOT OLD.id OR NEW.written_at IS NOT OLD.written_at OR NEW.actor IS NOT OLD.actor OR NEW.service IS NOT OLD.service
    OR NEW.method IS NOT OLD.method OR NEW.request_id IS NOT OLD.request_id OR NEW.purpose IS NOT OLD.purpose OR NEW.subjects IS NOT OLD.subjects
    OR NEW.digest IS NOT OLD.digest OR NEW.traceparent IS NOT OLD.traceparent
BEGIN SELECT RAISE(ABORT, 'journal_is_append_only'); END
--;
DROP TRIGGER event_no_update
--;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event WHEN OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.sequence IS NULL
    OR NEW.id IS NOT OLD.id OR NEW.journal_id IS NOT OLD.journal_id OR NEW.ordinal IS NOT OLD.ordinal OR NEW.kind IS NOT OLD.kind
    OR NEW.subject IS NOT OLD.subject OR NEW.occurred_at IS NOT OLD.occurred_at OR NEW.data IS NOT OLD.data
BEGIN SELECT RAISE(ABORT, 'event_is_append_only'); END
--;
CREATE TRIGGER anchor_no_update BEFORE UPDATE ON anchor BEGIN SELECT RAISE(ABORT, 'anchor_is_append_only'); END
--;
CREATE TRIGGER anchor_no_delete BEFORE DELETE ON anchor BEGIN SELECT RAISE(ABORT, 'anchor_is_append_only'); END
--;
CREATE TRIGGER seal_no_delete BEFORE DELETE ON seal BEGIN SELECT RAISE(ABORT, 'seal_is_append_only'); END
--;
CREATE TRIGGER seal_no_update BEFORE UPDATE ON seal WHEN NEW.position <= OLD.position OR NEW.event_position < OLD.event_position OR NEW.id IS NOT OLD.id
BEGIN SELECT RAISE(ABORT, 'seal_is_append_only'); END
-- postgres
DROP TRIGGER journal_no_update ON journal
--;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal FOR EACH ROW
WHEN (OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.hash IS NULL OR ROW(NEW.id, NEW.written_at, NEW.actor, NEW.service, NEW.method,
    NEW.request_id, NEW.purpose, NEW.subjects, NEW.digest, NEW.traceparent) IS DISTINCT FROM ROW(OLD.id, OLD.written_at, OLD.actor, OLD.service,
    OLD.method, OLD.request_id, OLD.purpose, OLD.subjects, OLD.digest, OLD.traceparent))
EXECUTE FUNCTION append_only()
--;
DROP TRIGGER event_no_update ON event
--;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event FOR EACH ROW
WHEN (OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.sequence IS NULL OR ROW(NEW.id, NEW.journal_id, NEW.ordinal, NEW.kind, NEW.subject,
    NEW.occurred_at, NEW.data) IS DISTINCT FROM ROW(OLD.id, OLD.journal_id, OLD.ordinal, OLD.kind, OLD.subject, OLD.occurred_at, OLD.data))
EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER anchor_no_change BEFORE UPDATE OR DELETE ON anchor FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER seal_no_delete BEFORE DELETE ON seal FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER seal_no_update BEFORE UPDATE ON seal FOR EACH ROW
WHEN (NEW.position <= OLD.position OR NEW.event_position < OLD.event_position OR NEW.id <> OLD.id)
EXECUTE FUNCTION append_only()
