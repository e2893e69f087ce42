-- both
ALTER TABLE bill ADD COLUMN credited bigint NOT NULL DEFAULT 0 CONSTRAINT bill_credited CHECK (credited >= 0 AND credited + paid <= amount)
--;
CREATE TABLE credit_note_line (
    credit_note_id uuid NOT NULL,
    ordinal integer NOT NULL,
    bill_id uuid NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (credit_note_id, ordinal)
)
--;
CREATE INDEX credit_note_line_bill ON credit_note_line (bill_id)
-- sqlite
ALTER TABLE credit_note RENAME TO credit_note_before
--;
CREATE TABLE credit_note (
    id uuid NOT NULL PRIMARY KEY,
    credit_note_no text NOT NULL,
    bill_id uuid NOT NULL,
    branch text NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    issued_by text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT credit_note_no_unique UNIQUE (credit_note_no)
)
--;
INSERT INTO credit_note (id, credit_note_no, bill_id, branch, amount, reason, issued_by, created_at)
SELECT id, credit_note_no, bill_id, branch, amount, reason, issued_by, created_at FROM credit_note_before
--;
DROP TABLE credit_note_before
--;
CREATE INDEX credit_note_bill ON credit_note (bill_id)
--;
CREATE TRIGGER credit_note_no_update BEFORE UPDATE ON credit_note BEGIN SELECT RAISE(ABORT, 'credit_note_is_append_only'); END
--;
CREATE TRIGGER credit_note_no_delete BEFORE DELETE ON credit_note BEGIN SELECT RAISE(ABORT, 'credit_note_is_append_only'); END
--;
CREATE TRIGGER credit_note_line_no_update BEFORE UPDATE ON credit_note_line BEGIN SELECT RAISE(ABORT, 'credit_note_line_is_append_only'); END
--;
CREATE TRIGGER credit_note_line_no_delete BEFORE DELETE ON credit_note_line BEGIN SELECT RAISE(ABORT, 'credit_note_line_is_append_only'); END
-- postgres
ALTER TABLE credit_note DROP CONSTRAINT credit_note_bill_unique
--;
CREATE INDEX credit_note_bill ON credit_note (bill_id)
--;
CREATE TRIGGER credit_note_no_change BEFORE UPDATE OR DELETE ON credit_note FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER credit_note_line_no_change BEFORE UPDATE OR DELETE ON credit_note_line FOR EACH ROW EXECUTE FUNCTION append_only()
