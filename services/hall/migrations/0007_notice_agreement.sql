-- both
ALTER TABLE customer_notice ADD COLUMN agreement_id text NOT NULL DEFAULT ''
--;
DROP INDEX customer_notice_unique
--;
CREATE UNIQUE INDEX customer_notice_unique ON customer_notice (party_id, kind, agreement_id)
--;
CREATE INDEX customer_notice_agreement ON customer_notice (agreement_id)
