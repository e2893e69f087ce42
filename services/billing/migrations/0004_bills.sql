-- both
CREATE TABLE dishonest_listing (
    party_id text NOT NULL PRIMARY KEY,
    branch text NOT NULL,
    conduct_code text NOT NULL,
    from_date date NOT NULL,
    until_date date,
    live boolean NOT NULL
)
--;
ALTER TABLE bill ADD COLUMN replaces_bill_id uuid
--;
CREATE UNIQUE INDEX bill_replaces_unique ON bill (replaces_bill_id) WHERE replaces_bill_id IS NOT NULL
--;
ALTER TABLE bill_run ADD COLUMN started_by text
--;
ALTER TABLE bill_run ADD COLUMN bills_held bigint
--;
CREATE TABLE bill_explanation (
    bill_id uuid NOT NULL PRIMARY KEY,
    content text NOT NULL
)
--;
CREATE TABLE bill_check_set (
    id uuid NOT NULL PRIMARY KEY,
    branch text NOT NULL,
    from_date date NOT NULL,
    document_reference text NOT NULL,
    checks text NOT NULL,
    published_by text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT check_set_unique UNIQUE (branch, from_date)
)
--;
CREATE TABLE held_bill (
    id uuid NOT NULL PRIMARY KEY,
    run_id uuid NOT NULL,
    state text NOT NULL,
    agreement_id uuid NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    branch text NOT NULL,
    year integer NOT NULL,
    month integer NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    from_index bigint NOT NULL,
    to_index bigint NOT NULL,
    volume bigint NOT NULL,
    amount bigint NOT NULL,
    use_class text NOT NULL,
    reading_id uuid NOT NULL,
    codes text NOT NULL,
    findings text NOT NULL,
    explanation text NOT NULL,
    started_by text NOT NULL,
    created_at bigint NOT NULL,
    decided_by text NOT NULL,
    grounds text NOT NULL,
    decided_at bigint,
    bill_id uuid,
    version bigint NOT NULL,
    CONSTRAINT held_bill_issued CHECK ((state = 'RELEASED') = (bill_id IS NOT NULL))
)
--;
CREATE UNIQUE INDEX held_bill_open_unique ON held_bill (agreement_id) WHERE state = 'HELD'
--;
CREATE INDEX held_bill_account_no ON held_bill (account_no)
-- sqlite
CREATE TRIGGER bill_replaces_immutable BEFORE UPDATE ON bill WHEN NEW.replaces_bill_id IS NOT OLD.replaces_bill_id
BEGIN SELECT RAISE(ABORT, 'bill_is_immutable'); END
--;
CREATE TRIGGER bill_explanation_no_update BEFORE UPDATE ON bill_explanation BEGIN SELECT RAISE(ABORT, 'bill_explanation_is_append_only'); END
--;
CREATE TRIGGER bill_explanation_no_delete BEFORE DELETE ON bill_explanation BEGIN SELECT RAISE(ABORT, 'bill_explanation_is_append_only'); END
--;
CREATE TRIGGER bill_check_set_no_update BEFORE UPDATE ON bill_check_set BEGIN SELECT RAISE(ABORT, 'bill_check_set_is_append_only'); END
--;
CREATE TRIGGER bill_check_set_no_delete BEFORE DELETE ON bill_check_set BEGIN SELECT RAISE(ABORT, 'bill_check_set_is_append_only'); END
--;
CREATE TRIGGER held_bill_decided_once BEFORE UPDATE ON held_bill
WHEN OLD.state <> 'HELD' OR NEW.id IS NOT OLD.id OR NEW.agreement_id IS NOT OLD.agreement_id OR NEW.volume IS NOT OLD.volume OR NEW.amount IS NOT OLD.amount
    OR NEW.reading_id IS NOT OLD.reading_id OR NEW.findings IS NOT OLD.findings OR NEW.started_by IS NOT OLD.started_by
BEGIN SELECT RAISE(ABORT, 'held_bill_is_append_only'); END
--;
CREATE TRIGGER held_bill_no_delete BEFORE DELETE ON held_bill BEGIN SELECT RAISE(ABORT, 'held_bill_is_append_only'); END
-- postgres
CREATE TRIGGER bill_replaces_immutable BEFORE UPDATE ON bill FOR EACH ROW
WHEN (NEW.replaces_bill_id IS DISTINCT FROM OLD.replaces_bill_id) EXECUTE FUNCTION bill_is_immutable()
--;
CREATE TRIGGER bill_explanation_no_change BEFORE UPDATE OR DELETE ON bill_explanation FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER bill_check_set_no_change BEFORE UPDATE OR DELETE ON bill_check_set FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER held_bill_decided_once BEFORE UPDATE ON held_bill FOR EACH ROW
WHEN (OLD.state <> 'HELD' OR NEW.id <> OLD.id OR NEW.agreement_id <> OLD.agreement_id OR NEW.volume <> OLD.volume OR NEW.amount <> OLD.amount
    OR NEW.reading_id <> OLD.reading_id OR NEW.findings <> OLD.findings OR NEW.started_by <> OLD.started_by)
EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER held_bill_no_delete BEFORE DELETE ON held_bill FOR EACH ROW EXECUTE FUNCTION append_only()
