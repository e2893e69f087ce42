-- both
ALTER TABLE bill_run ADD COLUMN filed bigint
--;
ALTER TABLE bill_run ADD COLUMN voided bigint
--;
ALTER TABLE bill_run ADD COLUMN book_id uuid
--;
ALTER TABLE bill_run ADD COLUMN cycle text
--;
ALTER TABLE bill_run_part ADD COLUMN voided bigint NOT NULL DEFAULT 0
--;
CREATE TABLE bill_run_account (
    run_id uuid NOT NULL REFERENCES bill_run (id),
    account_id uuid NOT NULL,
    PRIMARY KEY (run_id, account_id)
)
--;
ALTER TABLE bill ADD COLUMN estimated boolean NOT NULL DEFAULT false
