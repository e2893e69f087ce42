-- both
CREATE TABLE rerating (
    id uuid NOT NULL PRIMARY KEY,
    job_id uuid NOT NULL,
    tariff_id uuid NOT NULL REFERENCES tariff (id),
    replacement_id uuid NOT NULL REFERENCES tariff (id),
    branch text NOT NULL,
    reason text NOT NULL,
    dry_run boolean NOT NULL,
    tried_id uuid,
    state text NOT NULL,
    reached uuid,
    expected bigint,
    corrected bigint NOT NULL,
    unchanged bigint NOT NULL,
    parked bigint NOT NULL,
    credited bigint NOT NULL,
    debited bigint NOT NULL,
    started_by text NOT NULL,
    created_at bigint NOT NULL,
    finished_at bigint,
    CONSTRAINT rerating_tried CHECK (dry_run OR tried_id IS NOT NULL)
)
--;
CREATE UNIQUE INDEX rerating_running_unique ON rerating (tariff_id) WHERE state = 'RUNNING'
--;
CREATE TABLE rerating_item (
    rerating_id uuid NOT NULL REFERENCES rerating (id),
    agreement_id uuid NOT NULL,
    account_no text NOT NULL,
    branch text NOT NULL,
    outcome text,
    reason text NOT NULL,
    bills integer NOT NULL,
    credited bigint NOT NULL,
    debited bigint NOT NULL,
    PRIMARY KEY (rerating_id, agreement_id)
)
