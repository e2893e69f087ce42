-- both
CREATE INDEX party_identity ON party (id_number_blind)
--;
CREATE TABLE key_account (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    account_manager text NOT NULL,
    segment text NOT NULL,
    basis text NOT NULL,
    since_date date NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT key_account_state CHECK (state IN ('ACTIVE', 'DOWNGRADED', 'WITHDRAWN'))
)
--;
CREATE UNIQUE INDEX key_account_unique ON key_account (party_id) WHERE state = 'ACTIVE'
--;
CREATE TABLE credit_model (
    version integer NOT NULL PRIMARY KEY,
    effective_date date NOT NULL,
    weights text NOT NULL,
    bands text NOT NULL,
    mass_breach_parties integer NOT NULL,
    published_by text NOT NULL,
    created_at bigint NOT NULL
)
--;
INSERT INTO credit_model (version, effective_date, weights, bands, mass_breach_parties, published_by, created_at) VALUES (
    1, '2000-01-01',
    '[["ON_TIME_PAYMENT",35],["DAYS_OVERDUE",15],["CONTRACT_PERFORMANCE",15],["FILE_COMPLETENESS",10],["CONSUMPTION_STABILITY",10],["YEARS_OF_SUPPLY",5],["EXTERNAL_SIGNALS",10]]',
    '[["AAA",9000,15000,30000],["AA",8000,10000,10000],["A",7000,8000,8000],["B",6000,6000,6000],["C",0,0,0]]',
    5, 'service:archive', 0
)
--;
CREATE TABLE credit_rating (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    period text NOT NULL,
    state text NOT NULL,
    model_version integer NOT NULL,
    measures text NOT NULL,
    scores text NOT NULL,
    total bigint NOT NULL,
    scored_grade text NOT NULL,
    grade text NOT NULL,
    hard_stops text NOT NULL,
    caps text NOT NULL,
    evidence text NOT NULL,
    rated_by text NOT NULL,
    reviewed_by text NOT NULL,
    approved_by text NOT NULL,
    exception_by text NOT NULL,
    return_reason text NOT NULL,
    effective_date date,
    next_review_date date,
    review_reason text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT credit_rating_state CHECK (state IN ('COLLECTING', 'SCORED', 'RETURNED', 'REVIEWED', 'APPROVED', 'EFFECTIVE', 'REVIEW_DUE', 'SUPERSEDED')),
    CONSTRAINT credit_rating_grade CHECK (grade IN ('', 'AAA', 'AA', 'A', 'B', 'C'))
)
--;
CREATE UNIQUE INDEX credit_rating_open ON credit_rating (party_id) WHERE state IN ('COLLECTING', 'SCORED', 'RETURNED', 'REVIEWED', 'APPROVED')
--;
CREATE UNIQUE INDEX credit_rating_in_effect ON credit_rating (party_id) WHERE state IN ('EFFECTIVE', 'REVIEW_DUE')
--;
CREATE INDEX credit_rating_due ON credit_rating (state, next_review_date)
--;
CREATE TABLE credit_line (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    rating_id uuid NOT NULL REFERENCES credit_rating (id),
    limit_fen bigint NOT NULL,
    term_days integer NOT NULL,
    delivered_fen bigint NOT NULL,
    delivering_months integer NOT NULL,
    all_months integer NOT NULL,
    factor_bp integer NOT NULL,
    valid_from date NOT NULL,
    valid_until date NOT NULL,
    state text NOT NULL,
    checked_on date,
    proposed_by text NOT NULL,
    approved_by text NOT NULL,
    reason text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT credit_line_state CHECK (state IN ('PROPOSED', 'APPROVED', 'ACTIVE', 'FROZEN', 'EXPIRED', 'CANCELLED')),
    CONSTRAINT credit_line_limit CHECK (limit_fen >= 0 AND limit_fen % 10000 = 0),
    CONSTRAINT credit_line_period CHECK (valid_until > valid_from)
)
--;
CREATE UNIQUE INDEX credit_line_live ON credit_line (party_id) WHERE state IN ('ACTIVE', 'FROZEN')
--;
CREATE INDEX credit_line_state_index ON credit_line (state, valid_until)
--;
CREATE TABLE guarantee (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    last_date date,
    document_id text NOT NULL,
    receipt_no text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT guarantee_kind CHECK (kind IN ('DEPOSIT', 'BANK_LETTER', 'PLEDGE')),
    CONSTRAINT guarantee_state CHECK (state IN ('HELD', 'RELEASED')),
    CONSTRAINT guarantee_amount CHECK (amount > 0)
)
--;
CREATE INDEX guarantee_party ON guarantee (party_id, id)
--;
CREATE TABLE credit_bill (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL,
    account_id uuid NOT NULL,
    year integer NOT NULL,
    month integer NOT NULL,
    amount bigint NOT NULL,
    credited bigint NOT NULL,
    issue_date date NOT NULL,
    due_date date NOT NULL,
    paid_date date
)
--;
CREATE INDEX credit_bill_party ON credit_bill (party_id, id)
--;
CREATE TABLE credit_payment (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL,
    account_id uuid NOT NULL,
    receipt_no text NOT NULL,
    amount bigint NOT NULL,
    reversed bigint NOT NULL,
    paid_date date NOT NULL
)
--;
CREATE INDEX credit_payment_party ON credit_payment (party_id, id)
--;
CREATE TABLE credit_hold (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    lock_kind text NOT NULL,
    state text NOT NULL,
    breach_date date NOT NULL,
    exposure bigint NOT NULL,
    limit_fen bigint NOT NULL,
    cleared_date date,
    reviewed_by text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT credit_hold_lock CHECK (lock_kind IN ('LIMIT', 'TERM')),
    CONSTRAINT credit_hold_state CHECK (state IN ('RAISED', 'IN_REVIEW', 'WAIVED', 'CLEARED'))
)
--;
CREATE UNIQUE INDEX credit_hold_open ON credit_hold (party_id, lock_kind) WHERE state <> 'CLEARED'
--;
CREATE INDEX credit_hold_day ON credit_hold (branch, breach_date)
--;
CREATE TABLE conduct (
    code text NOT NULL PRIMARY KEY,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    about_debt boolean NOT NULL,
    months_after_demand integer NOT NULL
)
--;
INSERT INTO conduct (code, name_zh, name_en, about_debt, months_after_demand) VALUES
    ('GAS_THEFT', '盗用燃气', 'gas theft', false, 0),
    ('SELF_MODIFICATION', '私自改装', 'self-modification', false, 0),
    ('FORGED_PAPERS', '伪造证件', 'forged papers', false, 0),
    ('MALICIOUS_ARREARS', '恶意拖欠', 'malicious arrears', true, 12),
    ('VIOLENCE_TO_STAFF', '暴力对待员工', 'violence to staff', false, 0),
    ('FORGED_IC_CHARGE', '伪造IC卡充值', 'forged IC charge', false, 0)
--;
CREATE TABLE integrity_case (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    conduct_code text NOT NULL REFERENCES conduct (code),
    act_date date NOT NULL,
    facts_sealed bytea NOT NULL,
    evidence text NOT NULL,
    bills text NOT NULL,
    state text NOT NULL,
    reported_by text NOT NULL,
    notice_at bigint,
    statement_due date,
    statement_sealed bytea,
    decided_by text NOT NULL,
    severity text NOT NULL,
    term_months integer NOT NULL,
    from_date date,
    until_date date,
    appeal_due date,
    appeal_decided_by text NOT NULL,
    reason text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT integrity_case_state CHECK (state IN ('REPORTED', 'INVESTIGATING', 'NOTIFIED', 'HEARD', 'LISTED', 'DISMISSED', 'APPEALED', 'UPHELD', 'REVERSED', 'EXPIRED', 'REMOVED')),
    CONSTRAINT integrity_case_evidence CHECK (evidence <> '[]' OR state IN ('REPORTED', 'INVESTIGATING', 'DISMISSED')),
    CONSTRAINT integrity_case_term CHECK (term_months <= 60)
)
--;
CREATE UNIQUE INDEX integrity_case_act_unique ON integrity_case (party_id, conduct_code, act_date) WHERE state NOT IN ('DISMISSED', 'REVERSED')
--;
CREATE INDEX integrity_case_party ON integrity_case (party_id, id)
--;
CREATE INDEX integrity_case_state_index ON integrity_case (state, until_date)
--;
CREATE TABLE debt_dispute (
    id uuid NOT NULL PRIMARY KEY,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    bill_id uuid NOT NULL,
    reference text NOT NULL,
    opened_date date NOT NULL,
    closed_date date,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
)
--;
CREATE UNIQUE INDEX debt_dispute_unique ON debt_dispute (bill_id) WHERE closed_date IS NULL
