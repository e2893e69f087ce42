-- both
CREATE TABLE staff (
    id uuid NOT NULL PRIMARY KEY,
    name text NOT NULL,
    posts text NOT NULL,
    badge_no text NOT NULL,
    login text NOT NULL,
    employer text NOT NULL,
    vendor_id uuid,
    vendor_person_id uuid,
    branch text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE UNIQUE INDEX staff_badge_unique ON staff (badge_no)
--;
CREATE UNIQUE INDEX staff_login_unique ON staff (login)
--;
CREATE TABLE certificate (
    id uuid NOT NULL PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff (id),
    branch text NOT NULL,
    kind text NOT NULL,
    certificate_no text NOT NULL,
    issuing_body text NOT NULL,
    issued_on date NOT NULL,
    valid_to date NOT NULL,
    scan_file_id text NOT NULL,
    state text NOT NULL,
    revoked_on date,
    recorded_by text NOT NULL,
    warned integer NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT certificate_validity_order CHECK (valid_to >= issued_on)
)
--;
CREATE UNIQUE INDEX certificate_no_unique ON certificate (kind, certificate_no)
--;
CREATE INDEX certificate_staff ON certificate (staff_id)
--;
CREATE INDEX certificate_ending ON certificate (valid_to) WHERE state IN ('VALID', 'EXPIRING')
--;
CREATE TABLE training (
    id uuid NOT NULL PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff (id),
    kind text NOT NULL,
    authority text NOT NULL,
    passed_on date NOT NULL
)
--;
CREATE INDEX training_staff ON training (staff_id)
--;
CREATE TABLE certificate_warning (
    id uuid NOT NULL PRIMARY KEY,
    branch text NOT NULL,
    staff_id uuid NOT NULL REFERENCES staff (id),
    certificate_id uuid NOT NULL REFERENCES certificate (id),
    kind text NOT NULL,
    days_before integer NOT NULL,
    valid_to date NOT NULL,
    warned_on date NOT NULL
)
--;
CREATE UNIQUE INDEX certificate_warning_once ON certificate_warning (certificate_id, days_before)
--;
CREATE TABLE service_case (
    id uuid NOT NULL PRIMARY KEY,
    case_no text NOT NULL,
    channel text NOT NULL,
    category text NOT NULL,
    branch text NOT NULL,
    account_id uuid,
    caller_name text NOT NULL,
    caller_phone bytea,
    address text NOT NULL,
    detail text NOT NULL,
    state text NOT NULL,
    owner_staff_id uuid REFERENCES staff (id),
    outcome text,
    reply_channel text,
    reply_at bigint,
    reply_text text NOT NULL,
    rule_cited text NOT NULL,
    reopened integer NOT NULL,
    received_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT service_case_answered CHECK (state NOT IN ('ANSWERED', 'CLOSED') OR (outcome IS NOT NULL AND reply_channel IS NOT NULL AND reply_at IS NOT NULL))
)
--;
CREATE UNIQUE INDEX service_case_no_unique ON service_case (case_no)
--;
CREATE INDEX service_case_account ON service_case (account_id)
--;
CREATE TABLE sla_policy (
    id uuid NOT NULL PRIMARY KEY,
    subject text NOT NULL,
    clock text NOT NULL,
    unit text NOT NULL,
    amount integer NOT NULL,
    pausable boolean NOT NULL,
    effective_on date NOT NULL,
    source text NOT NULL
)
--;
CREATE UNIQUE INDEX sla_policy_date_unique ON sla_policy (subject, clock, effective_on)
--;
CREATE TABLE deadline (
    id uuid NOT NULL PRIMARY KEY,
    owner_id uuid NOT NULL,
    branch text NOT NULL,
    subject text NOT NULL,
    clock text NOT NULL,
    policy_id uuid NOT NULL REFERENCES sla_policy (id),
    pausable boolean NOT NULL,
    due_at bigint NOT NULL,
    live boolean NOT NULL,
    breached boolean NOT NULL,
    ended_at bigint,
    sla text NOT NULL,
    version bigint NOT NULL
)
--;
CREATE INDEX deadline_owner ON deadline (owner_id)
--;
CREATE INDEX deadline_due ON deadline (due_at) WHERE live AND NOT breached
--;
CREATE TABLE work_order (
    id uuid NOT NULL PRIMARY KEY,
    order_no text NOT NULL,
    kind text NOT NULL,
    case_id uuid REFERENCES service_case (id),
    account_id uuid,
    opening_id uuid,
    branch text NOT NULL,
    planned_on date NOT NULL,
    state text NOT NULL,
    crew text NOT NULL,
    vendor_id uuid,
    vendor_person_id uuid,
    respond_by bigint,
    round integer NOT NULL,
    no_access integer NOT NULL,
    task text NOT NULL,
    report text,
    reported_by text NOT NULL,
    returned_reason text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE UNIQUE INDEX work_order_no_unique ON work_order (order_no)
--;
CREATE INDEX work_order_case ON work_order (case_id)
--;
CREATE INDEX work_order_offered ON work_order (respond_by) WHERE state = 'OFFERED'
--;
CREATE TABLE move (
    id uuid NOT NULL PRIMARY KEY,
    story_id uuid NOT NULL,
    moved_at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    reason text NOT NULL
)
--;
CREATE INDEX move_story ON move (story_id)
--;
CREATE TABLE pipe_acceptance (
    id uuid NOT NULL PRIMARY KEY,
    service_point_id uuid NOT NULL,
    branch text NOT NULL,
    report_no text NOT NULL,
    report_file_id text NOT NULL,
    passed boolean NOT NULL,
    inspector_id uuid NOT NULL REFERENCES staff (id),
    tested_on date NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE UNIQUE INDEX pipe_acceptance_report_unique ON pipe_acceptance (report_no)
--;
CREATE INDEX pipe_acceptance_point ON pipe_acceptance (service_point_id)
--;
CREATE TABLE appliance_acceptance (
    id uuid NOT NULL PRIMARY KEY,
    service_point_id uuid NOT NULL,
    branch text NOT NULL,
    appliance text NOT NULL,
    passed boolean NOT NULL,
    rejects text NOT NULL,
    inspector_id uuid NOT NULL REFERENCES staff (id),
    visited_on date NOT NULL,
    replaces_id uuid REFERENCES appliance_acceptance (id),
    created_at bigint NOT NULL
)
--;
CREATE UNIQUE INDEX appliance_acceptance_replaced_once ON appliance_acceptance (replaces_id)
--;
CREATE INDEX appliance_acceptance_point ON appliance_acceptance (service_point_id)
--;
CREATE TABLE safety_profile (
    id uuid NOT NULL PRIMARY KEY,
    household boolean NOT NULL,
    gas_kind text NOT NULL,
    hoses text NOT NULL,
    auto_shut_valve boolean NOT NULL,
    gas_alarm boolean NOT NULL,
    openers integer NOT NULL,
    effective_on date NOT NULL
)
--;
CREATE UNIQUE INDEX safety_profile_date_unique ON safety_profile (household, effective_on)
--;
CREATE TABLE estate (
    id uuid NOT NULL PRIMARY KEY,
    community_code text NOT NULL,
    name text NOT NULL,
    branch text NOT NULL,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX estate_community_unique ON estate (community_code)
--;
CREATE TABLE estate_inspection (
    id uuid NOT NULL PRIMARY KEY,
    estate_id uuid NOT NULL REFERENCES estate (id),
    inspector_id uuid NOT NULL REFERENCES staff (id),
    inspected_on date NOT NULL,
    passed boolean NOT NULL,
    findings text NOT NULL,
    panel_distance_mm integer NOT NULL,
    papers_due_on date NOT NULL,
    CONSTRAINT estate_inspection_panel_distance CHECK (NOT passed OR panel_distance_mm >= 300)
)
--;
CREATE INDEX estate_inspection_estate ON estate_inspection (estate_id)
--;
CREATE TABLE callback_task (
    id uuid NOT NULL PRIMARY KEY,
    cause text NOT NULL,
    about_id uuid NOT NULL,
    account_id uuid,
    branch text NOT NULL,
    due_at bigint NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE UNIQUE INDEX callback_task_once ON callback_task (about_id, cause)
--;
CREATE TABLE opening (
    id uuid NOT NULL PRIMARY KEY,
    opening_no text NOT NULL,
    account_id uuid NOT NULL,
    premises_id uuid NOT NULL,
    service_point_id uuid NOT NULL,
    community_code text NOT NULL,
    use_class text NOT NULL,
    non_resident boolean NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    standing_alerts text NOT NULL,
    papers text NOT NULL,
    receipts text NOT NULL,
    agreement_id uuid,
    meter_no text NOT NULL,
    appliances text NOT NULL,
    review text NOT NULL,
    order_id uuid REFERENCES work_order (id),
    planned_on date,
    tightness text NOT NULL,
    initial_index bigint,
    photo_file_id text NOT NULL,
    signature_file_id text NOT NULL,
    opened_on date,
    unsafe_cause text,
    refusal_id uuid,
    booklet_no text NOT NULL,
    installed boolean NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT opening_signed_evidence CHECK (state NOT IN ('SIGNED', 'OPENED')
        OR (initial_index IS NOT NULL AND opened_on IS NOT NULL AND photo_file_id <> '' AND signature_file_id <> '' AND booklet_no <> ''))
)
--;
CREATE UNIQUE INDEX opening_no_unique ON opening (opening_no)
--;
CREATE UNIQUE INDEX opening_live_unique ON opening (service_point_id) WHERE state NOT IN ('OPENED', 'CANCELLED')
--;
CREATE INDEX opening_account ON opening (account_id)
--;
CREATE TABLE safety_review (
    id uuid NOT NULL PRIMARY KEY,
    opening_id uuid NOT NULL REFERENCES opening (id),
    inspector_id uuid NOT NULL REFERENCES staff (id),
    reviewed_on date NOT NULL,
    passed boolean NOT NULL,
    findings text NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE INDEX safety_review_opening ON safety_review (opening_id)
--;
CREATE TABLE presence (
    id uuid NOT NULL PRIMARY KEY,
    opening_id uuid NOT NULL REFERENCES opening (id),
    relation text NOT NULL,
    adult boolean NOT NULL,
    visited_on date NOT NULL,
    witness_id uuid NOT NULL REFERENCES staff (id),
    created_at bigint NOT NULL
)
--;
CREATE INDEX presence_opening ON presence (opening_id)
--;
CREATE TABLE step (
    id uuid NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    story_id uuid NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    input text NOT NULL,
    attempts integer NOT NULL,
    next_attempt_at bigint NOT NULL,
    claimed_until bigint NOT NULL,
    last_reason text NOT NULL,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX step_open_unique ON step (story_id) WHERE state IN ('PENDING', 'PARKED')
--;
CREATE INDEX step_due ON step (next_attempt_at) WHERE state = 'PENDING'
-- sqlite
CREATE TRIGGER move_no_update BEFORE UPDATE ON move BEGIN SELECT RAISE(ABORT, 'move_is_append_only'); END
--;
CREATE TRIGGER move_no_delete BEFORE DELETE ON move BEGIN SELECT RAISE(ABORT, 'move_is_append_only'); END
--;
CREATE TRIGGER pipe_acceptance_no_update BEFORE UPDATE ON pipe_acceptance BEGIN SELECT RAISE(ABORT, 'pipe_acceptance_is_append_only'); END
--;
CREATE TRIGGER pipe_acceptance_no_delete BEFORE DELETE ON pipe_acceptance BEGIN SELECT RAISE(ABORT, 'pipe_acceptance_is_append_only'); END
--;
CREATE TRIGGER appliance_acceptance_no_update BEFORE UPDATE ON appliance_acceptance BEGIN SELECT RAISE(ABORT, 'appliance_acceptance_is_append_only'); END
--;
CREATE TRIGGER appliance_acceptance_no_delete BEFORE DELETE ON appliance_acceptance BEGIN SELECT RAISE(ABORT, 'appliance_acceptance_is_append_only'); END
--;
CREATE TRIGGER estate_inspection_no_update BEFORE UPDATE ON estate_inspection BEGIN SELECT RAISE(ABORT, 'estate_inspection_is_append_only'); END
--;
CREATE TRIGGER estate_inspection_no_delete BEFORE DELETE ON estate_inspection BEGIN SELECT RAISE(ABORT, 'estate_inspection_is_append_only'); END
-- postgres
CREATE TRIGGER move_append_only BEFORE UPDATE OR DELETE ON move FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER pipe_acceptance_append_only BEFORE UPDATE OR DELETE ON pipe_acceptance FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER appliance_acceptance_append_only BEFORE UPDATE OR DELETE ON appliance_acceptance FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER estate_inspection_append_only BEFORE UPDATE OR DELETE ON estate_inspection FOR EACH ROW EXECUTE FUNCTION append_only()
