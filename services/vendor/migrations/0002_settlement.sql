-- both
ALTER TABLE contract ADD COLUMN ended_date date
--;
CREATE TABLE upheld_complaint (
    complaint_id text NOT NULL PRIMARY KEY,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    upheld_date date NOT NULL
)
--;
CREATE INDEX upheld_complaint_vendor ON upheld_complaint (vendor_id, upheld_date)
--;
CREATE TABLE assessment (
    id uuid NOT NULL PRIMARY KEY,
    contract_id uuid NOT NULL REFERENCES contract (id),
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    branch text NOT NULL,
    milestone text NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    state text NOT NULL,
    timeliness bigint,
    quality bigint,
    service_level bigint,
    staff_safety bigint,
    documents bigint,
    grade text NOT NULL,
    findings text NOT NULL,
    orders integer NOT NULL,
    assessor text NOT NULL,
    assessed_at bigint NOT NULL,
    objection_due date NOT NULL,
    objection text NOT NULL,
    objected_at bigint,
    upheld boolean,
    decision_reason text NOT NULL,
    decider text,
    version bigint NOT NULL,
    CONSTRAINT assessment_period_unique UNIQUE (contract_id, from_date, milestone)
)
--;
CREATE INDEX assessment_vendor ON assessment (vendor_id, id)
--;
CREATE TABLE vendor_rate (
    id uuid NOT NULL PRIMARY KEY,
    contract_id uuid NOT NULL REFERENCES contract (id),
    basis text NOT NULL,
    work_kind text NOT NULL,
    unit_price bigint NOT NULL,
    from_date date NOT NULL,
    set_by text NOT NULL,
    CONSTRAINT vendor_rate_unique UNIQUE (contract_id, basis, work_kind, from_date)
)
--;
CREATE TABLE lent_asset (
    id uuid NOT NULL PRIMARY KEY,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    branch text NOT NULL,
    asset_no text NOT NULL,
    description text NOT NULL,
    lent_date date NOT NULL,
    return_by date NOT NULL,
    returned_date date,
    return_condition text NOT NULL,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX lent_asset_open_unique ON lent_asset (asset_no) WHERE returned_date IS NULL
--;
CREATE INDEX lent_asset_vendor ON lent_asset (vendor_id, id)
--;
CREATE TABLE payment_request (
    id uuid NOT NULL PRIMARY KEY,
    payment_no text NOT NULL,
    contract_id uuid NOT NULL REFERENCES contract (id),
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    branch text NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    state text NOT NULL,
    lines text NOT NULL,
    due bigint NOT NULL,
    factor integer NOT NULL,
    earned bigint NOT NULL,
    deducted bigint NOT NULL,
    carried bigint NOT NULL,
    retained bigint NOT NULL,
    payable bigint NOT NULL,
    invoice_no text NOT NULL,
    invoice_date date,
    preparer text NOT NULL,
    submitter text,
    approver text,
    state_reason text NOT NULL,
    paid_date date,
    voucher_no text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT payment_request_no_unique UNIQUE (payment_no)
)
--;
CREATE UNIQUE INDEX payment_request_period_unique ON payment_request (contract_id, from_date) WHERE state <> 'CANCELLED'
--;
CREATE INDEX payment_request_vendor ON payment_request (vendor_id, id)
--;
CREATE TABLE sla_deduction (
    id uuid NOT NULL PRIMARY KEY,
    payment_request_id uuid NOT NULL REFERENCES payment_request (id),
    metric text NOT NULL,
    basis_points integer NOT NULL,
    misses integer NOT NULL,
    evidence text NOT NULL,
    reason text NOT NULL,
    recorder text NOT NULL,
    recorded_at bigint NOT NULL
)
--;
CREATE INDEX sla_deduction_request ON sla_deduction (payment_request_id, id)
--;
CREATE TABLE payment_adjustment (
    payment_request_id uuid NOT NULL REFERENCES payment_request (id),
    earlier_id uuid NOT NULL REFERENCES payment_request (id),
    factor integer NOT NULL,
    amount bigint NOT NULL,
    retained bigint NOT NULL,
    PRIMARY KEY (payment_request_id, earlier_id)
)
--;
CREATE INDEX payment_adjustment_earlier ON payment_adjustment (earlier_id)
--;
CREATE TABLE payment_hold (
    id uuid NOT NULL PRIMARY KEY,
    payment_request_id uuid NOT NULL REFERENCES payment_request (id),
    cause text NOT NULL,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at bigint NOT NULL,
    released_at bigint,
    released_by text,
    release_reason text NOT NULL
)
--;
CREATE UNIQUE INDEX payment_hold_open_unique ON payment_hold (payment_request_id, cause) WHERE released_at IS NULL
--;
CREATE INDEX payment_hold_request ON payment_hold (payment_request_id, id)
--;
CREATE TABLE trade (
    id uuid NOT NULL PRIMARY KEY,
    reference text NOT NULL,
    trade_date date NOT NULL,
    counted_date date NOT NULL,
    company text NOT NULL,
    uscc text NOT NULL,
    amount bigint NOT NULL,
    quality_fault bigint NOT NULL,
    reverses text NOT NULL,
    cooperative boolean,
    cooperation_statement text NOT NULL,
    cooperation_by text,
    recorded_at bigint NOT NULL,
    CONSTRAINT trade_reference_unique UNIQUE (reference)
)
--;
CREATE INDEX trade_uscc ON trade (uscc, trade_date)
--;
CREATE TABLE vip_case (
    id uuid NOT NULL PRIMARY KEY,
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    route text NOT NULL,
    state text NOT NULL,
    attestation_document text NOT NULL,
    attestation_date date NOT NULL,
    applicant text NOT NULL,
    submitted_at bigint NOT NULL,
    listed_date date,
    review_due date,
    closed_date date,
    close_reason text NOT NULL,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX vip_case_open_unique ON vip_case (vendor_id) WHERE state IN ('SUBMITTED', 'LISTED')
--;
CREATE INDEX vip_case_vendor ON vip_case (vendor_id, id)
--;
CREATE TABLE vip_step (
    vip_case_id uuid NOT NULL REFERENCES vip_case (id),
    ordinal integer NOT NULL,
    office text NOT NULL,
    subject text NOT NULL,
    approved boolean NOT NULL,
    opinion text NOT NULL,
    decided_at bigint NOT NULL,
    PRIMARY KEY (vip_case_id, ordinal),
    CONSTRAINT vip_step_subject_unique UNIQUE (vip_case_id, subject)
)
--;
CREATE TABLE vip_evidence (
    id uuid NOT NULL PRIMARY KEY,
    vip_case_id uuid NOT NULL REFERENCES vip_case (id),
    moment text NOT NULL,
    as_of date NOT NULL,
    trade_total bigint NOT NULL,
    quality_fault bigint NOT NULL,
    problems integer NOT NULL,
    unassessed integer NOT NULL,
    uncooperative integer NOT NULL,
    culture boolean NOT NULL
)
--;
CREATE INDEX vip_evidence_case ON vip_evidence (vip_case_id, id)
--;
CREATE TABLE tender (
    id uuid NOT NULL PRIMARY KEY,
    tender_no text NOT NULL,
    branch text NOT NULL,
    title text NOT NULL,
    compulsory boolean NOT NULL,
    quote_deadline bigint NOT NULL,
    state text NOT NULL,
    state_reason text NOT NULL,
    winner_quote_id uuid,
    lowest_quote_id uuid,
    preference_applied boolean NOT NULL,
    preferred_vendors text NOT NULL,
    evaluator text,
    evaluated_at bigint,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT tender_no_unique UNIQUE (tender_no)
)
--;
CREATE TABLE tender_quote (
    id uuid NOT NULL PRIMARY KEY,
    tender_id uuid NOT NULL REFERENCES tender (id),
    vendor_id uuid NOT NULL REFERENCES vendor (id),
    price bigint NOT NULL,
    submitted_at bigint NOT NULL,
    meets_tech boolean,
    tech_findings text NOT NULL,
    reviewer text,
    withdrawn boolean NOT NULL
)
--;
CREATE UNIQUE INDEX tender_quote_live_unique ON tender_quote (tender_id, vendor_id) WHERE NOT withdrawn
--;
CREATE INDEX tender_quote_tender ON tender_quote (tender_id, id)
