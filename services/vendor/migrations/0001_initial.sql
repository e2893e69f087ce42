-- both
CREATE TABLE vendor (
    id uuid NOT NULL PRIMARY KEY,
    uscc text NOT NULL,
    name text NOT NULL,
    kinds text NOT NULL,
    state text NOT NULL,
    state_reason text NOT NULL,
    blacklisted_until date,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT vendor_uscc_unique UNIQUE (uscc)
)
--;
CREATE TABLE qualification (
    id uuid NOT NULL PRIMARY KEY,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    category text NOT NULL,
    stage text NOT NULL,
    documents text NOT NULL,
    dossier_at bigint NOT NULL,
    verifier text,
    scorer text,
    score_technical bigint,
    score_financial bigint,
    score_quotation bigint,
    score_references bigint,
    score_total bigint,
    place integer NOT NULL,
    review_date date,
    valid_to date,
    findings text NOT NULL
)
--;
CREATE INDEX qualification_vendor ON qualification (vendor_id, id)
--;
CREATE INDEX qualification_category ON qualification (category, stage)
--;
CREATE UNIQUE INDEX qualification_open_unique ON qualification (vendor_id, category) WHERE stage NOT IN ('GRANTED', 'FAILED')
--;
CREATE TABLE contract (
    id uuid NOT NULL PRIMARY KEY,
    contract_no text NOT NULL,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    branch text NOT NULL,
    state text NOT NULL,
    state_reason text NOT NULL,
    category text NOT NULL,
    title text NOT NULL,
    value bigint NOT NULL,
    start_date date NOT NULL,
    end_date date NOT NULL,
    confidentiality_document text NOT NULL,
    data_processing text,
    sla text NOT NULL,
    emergency_plan_document text NOT NULL,
    retention_basis_points integer,
    renewal_notice_days integer NOT NULL,
    exit_plan_document text NOT NULL,
    signed_date date,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT contract_no_unique UNIQUE (contract_no)
)
--;
CREATE INDEX contract_vendor ON contract (vendor_id, id)
--;
CREATE TABLE contract_part (
    contract_id uuid NOT NULL REFERENCES contract (id),
    vendor_id uuid NOT NULL,
    subject text NOT NULL,
    part text NOT NULL,
    taken_at bigint NOT NULL,
    PRIMARY KEY (contract_id, part, subject)
)
--;
CREATE INDEX contract_part_subject ON contract_part (vendor_id, subject)
--;
CREATE TABLE person (
    id uuid NOT NULL PRIMARY KEY,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    name text NOT NULL,
    id_number_sealed bytea NOT NULL,
    id_number_blind bytea NOT NULL,
    phone_sealed bytea NOT NULL,
    field_work boolean NOT NULL,
    key_staff boolean NOT NULL,
    state text NOT NULL,
    confidentiality_date date,
    confidentiality_document text NOT NULL,
    end_reason text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE INDEX person_vendor ON person (vendor_id, id)
--;
CREATE UNIQUE INDEX person_id_number_unique ON person (vendor_id, id_number_blind) WHERE state = 'ACTIVE'
--;
CREATE TABLE training (
    id uuid NOT NULL PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person (id),
    kind text NOT NULL,
    passed_date date NOT NULL,
    authority text NOT NULL
)
--;
CREATE INDEX training_person ON training (person_id, id)
--;
CREATE TABLE certificate (
    id uuid NOT NULL PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person (id),
    kind text NOT NULL,
    number text NOT NULL,
    issuing_body text NOT NULL,
    issued_date date NOT NULL,
    valid_to date NOT NULL,
    revoked_date date,
    revoke_reason text NOT NULL
)
--;
CREATE INDEX certificate_person ON certificate (person_id, id)
--;
CREATE UNIQUE INDEX certificate_number_unique ON certificate (person_id, kind, number) WHERE revoked_date IS NULL
--;
CREATE TABLE access_grant (
    id uuid NOT NULL PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person (id),
    vendor_id uuid NOT NULL,
    purpose text NOT NULL,
    systems text NOT NULL,
    until_date date NOT NULL,
    granted_at bigint NOT NULL,
    granted_by text NOT NULL,
    revoked_at bigint,
    revoke_reason text NOT NULL
)
--;
CREATE INDEX access_grant_person ON access_grant (person_id, id)
--;
CREATE INDEX access_grant_open ON access_grant (vendor_id) WHERE revoked_at IS NULL
--;
CREATE TABLE work_offer (
    id uuid NOT NULL PRIMARY KEY,
    event_id uuid NOT NULL,
    order_id uuid NOT NULL,
    order_no text NOT NULL,
    kind text NOT NULL,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    branch text NOT NULL,
    certificate_kind text,
    planned_date date NOT NULL,
    respond_by bigint NOT NULL,
    state text NOT NULL,
    person_id uuid REFERENCES person (id),
    round integer NOT NULL,
    decline_reason text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT work_offer_event_unique UNIQUE (event_id)
)
--;
CREATE INDEX work_offer_vendor ON work_offer (vendor_id, id)
--;
CREATE INDEX work_offer_order ON work_offer (order_id, id)
--;
CREATE UNIQUE INDEX work_offer_taken_unique ON work_offer (order_id) WHERE state IN ('ACCEPTED', 'REPORTED', 'REWORK', 'APPROVED', 'COMPLETED')
--;
CREATE TABLE work_report (
    offer_id uuid NOT NULL REFERENCES work_offer (id),
    round integer NOT NULL,
    summary text NOT NULL,
    done_date date NOT NULL,
    reported_at bigint NOT NULL,
    reported_by text NOT NULL,
    outcome text NOT NULL,
    findings text NOT NULL,
    decided_at bigint,
    decided_by text,
    PRIMARY KEY (offer_id, round)
)
