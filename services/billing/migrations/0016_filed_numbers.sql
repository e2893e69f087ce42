-- both
ALTER TABLE supply ADD COLUMN filed_no bigint NOT NULL DEFAULT 0
--;
ALTER TABLE bill_run ADD COLUMN filed_until bigint
