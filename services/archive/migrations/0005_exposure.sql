-- both
ALTER TABLE credit_bill ADD COLUMN kind text NOT NULL DEFAULT ''
--;
ALTER TABLE credit_bill ADD COLUMN agreement_id uuid
--;
ALTER TABLE credit_bill ADD COLUMN used_from date
--;
ALTER TABLE credit_bill ADD COLUMN used_to date
--;
ALTER TABLE debt_dispute ADD COLUMN taken_by text NOT NULL DEFAULT 'ARCHIVE' CONSTRAINT debt_dispute_taken_by CHECK (taken_by IN ('ARCHIVE', 'BILLING'))
--;
DROP INDEX debt_dispute_unique
--;
CREATE UNIQUE INDEX debt_dispute_unique ON debt_dispute (bill_id, taken_by) WHERE closed_date IS NULL
--;
UPDATE credit_line SET checked_on = NULL WHERE state IN ('EXPIRED', 'CANCELLED') AND EXISTS (
    SELECT 1 FROM credit_line later
    WHERE later.party_id = credit_line.party_id AND later.id > credit_line.id AND later.checked_on IS NOT NULL
)
--;
CREATE INDEX credit_line_checked ON credit_line (checked_on)
--;
CREATE INDEX licence_watch_end ON licence_watch (valid_to)
