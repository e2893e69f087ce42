-- both
CREATE TABLE remedy (
    id uuid NOT NULL PRIMARY KEY,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    contract_id uuid REFERENCES contract (id),
    branch text NOT NULL,
    kind text NOT NULL,
    severity text,
    assessment_id uuid REFERENCES assessment (id),
    complaint_id text,
    description text NOT NULL,
    state text NOT NULL,
    opened_by text NOT NULL,
    opened_at bigint NOT NULL,
    due_at bigint,
    report text NOT NULL,
    reported_at bigint,
    opinion text NOT NULL,
    closed_by text,
    closed_at bigint,
    version bigint NOT NULL
)
--;
CREATE INDEX remedy_vendor ON remedy (vendor_id, id)
--;
CREATE INDEX remedy_due ON remedy (due_at) WHERE state IN ('OPEN', 'REPORTED')
--;
CREATE UNIQUE INDEX remedy_assessment_unique ON remedy (assessment_id) WHERE assessment_id IS NOT NULL AND state <> 'CANCELLED'
--;
CREATE UNIQUE INDEX remedy_complaint_unique ON remedy (complaint_id) WHERE complaint_id IS NOT NULL AND state <> 'CANCELLED'
--;
CREATE TABLE proceeding (
    id uuid NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    contract_id uuid NOT NULL REFERENCES contract (id),
    branch text NOT NULL,
    assessment_id uuid REFERENCES assessment (id),
    opened_at bigint NOT NULL,
    due_date date NOT NULL,
    state text NOT NULL,
    measure text,
    reason text NOT NULL,
    decider text,
    closed_at bigint,
    version bigint NOT NULL
)
--;
CREATE INDEX proceeding_vendor ON proceeding (vendor_id, id)
--;
CREATE UNIQUE INDEX proceeding_assessment_unique ON proceeding (assessment_id, kind) WHERE assessment_id IS NOT NULL AND state <> 'DROPPED'
--;
CREATE UNIQUE INDEX proceeding_contract_unique ON proceeding (contract_id) WHERE assessment_id IS NULL AND state = 'OPEN'
--;
CREATE TABLE vendor_name (
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    until_date date NOT NULL,
    name text NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (vendor_id, until_date)
)
--;
CREATE TABLE legal_representative (
    id uuid NOT NULL PRIMARY KEY REFERENCES vendor (id),
    id_number_sealed bytea NOT NULL,
    id_number_blind bytea NOT NULL
)
--;
CREATE INDEX legal_representative_blind ON legal_representative (id_number_blind)
--;
ALTER TABLE contract ADD COLUMN authorities text NOT NULL DEFAULT '[]'
--;
ALTER TABLE upheld_complaint ADD COLUMN contract_id uuid
--;
ALTER TABLE upheld_complaint ADD COLUMN order_id text NOT NULL DEFAULT ''
--;
ALTER TABLE upheld_complaint ADD COLUMN fact text NOT NULL DEFAULT 'COMPLAINT_QUALITY'
--;
ALTER TABLE upheld_complaint ADD COLUMN in_part boolean NOT NULL DEFAULT FALSE
--;
ALTER TABLE upheld_complaint ADD COLUMN reversed boolean NOT NULL DEFAULT FALSE
--;
ALTER TABLE work_offer ADD COLUMN broken_clocks integer NOT NULL DEFAULT 0
--;
ALTER TABLE work_offer ADD COLUMN completed_date date
