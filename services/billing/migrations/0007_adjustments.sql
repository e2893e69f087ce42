-- both
CREATE TABLE adjustment (
    id uuid NOT NULL PRIMARY KEY,
    adjustment_no text NOT NULL,
    agreement_id uuid NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    party_id uuid NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    grounds text NOT NULL,
    method text NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    volume bigint NOT NULL,
    computation text NOT NULL,
    expected bigint NOT NULL,
    statement text NOT NULL,
    evidence text NOT NULL,
    makers text NOT NULL,
    informed_date date,
    levels integer NOT NULL,
    roles text NOT NULL,
    requested_by text NOT NULL,
    requested_at bigint NOT NULL,
    decided_by text NOT NULL,
    reason text NOT NULL,
    posted_at bigint,
    difference bigint,
    bill_id uuid,
    theft_case_id uuid,
    test_fee_bill_id uuid,
    version bigint NOT NULL,
    CONSTRAINT adjustment_no_unique UNIQUE (adjustment_no),
    CONSTRAINT adjustment_days CHECK (from_date < to_date),
    CONSTRAINT adjustment_volume CHECK (volume <> 0),
    CONSTRAINT adjustment_posted CHECK ((state = 'POSTED' OR state = 'REVERSED') = (posted_at IS NOT NULL)),
    CONSTRAINT adjustment_theft CHECK ((grounds = 'THEFT') = (theft_case_id IS NOT NULL))
)
--;
CREATE UNIQUE INDEX adjustment_open_unique ON adjustment (agreement_id) WHERE state <> 'POSTED' AND state <> 'REVERSED' AND state <> 'REJECTED'
--;
CREATE INDEX adjustment_agreement ON adjustment (agreement_id)
--;
CREATE TABLE adjustment_part (
    adjustment_id uuid NOT NULL REFERENCES adjustment (id),
    from_date date NOT NULL,
    to_date date NOT NULL,
    volume bigint NOT NULL,
    PRIMARY KEY (adjustment_id, from_date),
    CONSTRAINT adjustment_part_days CHECK (from_date < to_date)
)
--;
CREATE TABLE adjustment_approval (
    id uuid NOT NULL PRIMARY KEY,
    adjustment_id uuid NOT NULL REFERENCES adjustment (id),
    level integer NOT NULL,
    role text NOT NULL,
    approved_by text NOT NULL,
    approved_at bigint NOT NULL,
    CONSTRAINT adjustment_approval_role_unique UNIQUE (adjustment_id, level, role),
    CONSTRAINT adjustment_approval_person_unique UNIQUE (adjustment_id, approved_by)
)
--;
CREATE TABLE theft_case (
    id uuid NOT NULL PRIMARY KEY,
    agreement_id uuid NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    party_id uuid NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    conduct text NOT NULL,
    found_date date NOT NULL,
    statement text NOT NULL,
    evidence text NOT NULL,
    witnesses text NOT NULL,
    police_report_no text NOT NULL,
    reported_date date,
    adjustment_id uuid,
    opened_by text NOT NULL,
    opened_at bigint NOT NULL,
    reason text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT theft_reported CHECK (reported_date IS NOT NULL OR state = 'OPENED' OR state = 'DISMISSED')
)
--;
CREATE UNIQUE INDEX theft_open_unique ON theft_case (agreement_id) WHERE state = 'OPENED' OR state = 'REPORTED' OR state = 'DETERMINED'
-- sqlite
CREATE TRIGGER adjustment_immutable BEFORE UPDATE ON adjustment
WHEN OLD.state = 'REVERSED' OR OLD.state = 'REJECTED' OR (OLD.state = 'POSTED' AND NEW.state IS NOT 'REVERSED')
    OR NEW.id IS NOT OLD.id OR NEW.agreement_id IS NOT OLD.agreement_id OR NEW.grounds IS NOT OLD.grounds OR NEW.method IS NOT OLD.method
    OR NEW.from_date IS NOT OLD.from_date OR NEW.to_date IS NOT OLD.to_date OR NEW.volume IS NOT OLD.volume OR NEW.expected IS NOT OLD.expected
    OR NEW.levels IS NOT OLD.levels OR NEW.roles IS NOT OLD.roles OR NEW.requested_by IS NOT OLD.requested_by
    OR (OLD.posted_at IS NOT NULL AND NEW.difference IS NOT OLD.difference)
BEGIN SELECT RAISE(ABORT, 'adjustment_is_immutable'); END
--;
CREATE TRIGGER adjustment_no_delete BEFORE DELETE ON adjustment BEGIN SELECT RAISE(ABORT, 'adjustment_is_immutable'); END
--;
CREATE TRIGGER adjustment_part_no_update BEFORE UPDATE ON adjustment_part BEGIN SELECT RAISE(ABORT, 'adjustment_part_is_append_only'); END
--;
CREATE TRIGGER adjustment_part_no_delete BEFORE DELETE ON adjustment_part BEGIN SELECT RAISE(ABORT, 'adjustment_part_is_append_only'); END
--;
CREATE TRIGGER adjustment_approval_no_update BEFORE UPDATE ON adjustment_approval BEGIN SELECT RAISE(ABORT, 'adjustment_approval_is_append_only'); END
--;
CREATE TRIGGER adjustment_approval_no_delete BEFORE DELETE ON adjustment_approval BEGIN SELECT RAISE(ABORT, 'adjustment_approval_is_append_only'); END
--;
CREATE TRIGGER theft_case_no_delete BEFORE DELETE ON theft_case BEGIN SELECT RAISE(ABORT, 'theft_case_is_append_only'); END
-- postgres
CREATE FUNCTION adjustment_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'adjustment_is_immutable';
END $$
--;
CREATE TRIGGER adjustment_immutable BEFORE UPDATE ON adjustment FOR EACH ROW
WHEN (OLD.state = 'REVERSED' OR OLD.state = 'REJECTED' OR (OLD.state = 'POSTED' AND NEW.state <> 'REVERSED')
    OR NEW.id <> OLD.id OR NEW.agreement_id <> OLD.agreement_id OR NEW.grounds <> OLD.grounds OR NEW.method <> OLD.method
    OR NEW.from_date <> OLD.from_date OR NEW.to_date <> OLD.to_date OR NEW.volume <> OLD.volume OR NEW.expected <> OLD.expected
    OR NEW.levels <> OLD.levels OR NEW.roles <> OLD.roles OR NEW.requested_by <> OLD.requested_by
    OR (OLD.posted_at IS NOT NULL AND NEW.difference IS DISTINCT FROM OLD.difference))
EXECUTE FUNCTION adjustment_is_immutable()
--;
CREATE TRIGGER adjustment_no_delete BEFORE DELETE ON adjustment FOR EACH ROW EXECUTE FUNCTION adjustment_is_immutable()
--;
CREATE TRIGGER adjustment_part_no_change BEFORE UPDATE OR DELETE ON adjustment_part FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER adjustment_approval_no_change BEFORE UPDATE OR DELETE ON adjustment_approval FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER theft_case_no_delete BEFORE DELETE ON theft_case FOR EACH ROW EXECUTE FUNCTION append_only()
