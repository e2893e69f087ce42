-- both
ALTER TABLE bill_run ADD COLUMN gap bigint
--;
CREATE TABLE bill_run_part (
    run_id uuid NOT NULL REFERENCES bill_run (id),
    ordinal integer NOT NULL,
    branch text NOT NULL,
    after_account uuid,
    last_account uuid,
    reached_account uuid,
    reached uuid,
    done boolean NOT NULL,
    produced bigint NOT NULL,
    already bigint NOT NULL,
    held bigint NOT NULL,
    missing bigint NOT NULL,
    parked bigint NOT NULL,
    skipped bigint NOT NULL,
    not_due bigint NOT NULL,
    bills_held bigint NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (run_id, ordinal)
)
