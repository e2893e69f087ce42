-- both
ALTER TABLE credit_payment ADD COLUMN late_fee bigint NOT NULL DEFAULT 0
