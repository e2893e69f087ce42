-- both
ALTER TABLE reading_exception ADD COLUMN bill_id uuid
--;
CREATE UNIQUE INDEX reading_exception_bill_unique ON reading_exception (bill_id, date) WHERE bill_id IS NOT NULL AND state <> 'RESOLVED'
--;
DROP INDEX bill_agreement
--;
CREATE INDEX bill_agreement_days ON bill (agreement_id, to_date)
