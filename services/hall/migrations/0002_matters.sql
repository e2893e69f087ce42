-- both
CREATE TABLE matter (
    id uuid NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    code text NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    promise_subject text NOT NULL,
    effective_on date NOT NULL,
    until_on date,
    channels text NOT NULL,
    document_file_id text NOT NULL,
    state text NOT NULL,
    drafted_by text NOT NULL,
    published_by text NOT NULL,
    published_at bigint,
    withdrawn_at bigint,
    withdrawn_reason text NOT NULL,
    created_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT matter_days_order CHECK (until_on IS NULL OR until_on > effective_on),
    CONSTRAINT matter_second_person CHECK (published_by <> drafted_by)
)
--;
CREATE UNIQUE INDEX matter_number_unique ON matter (kind, code, number)
--;
CREATE UNIQUE INDEX matter_effective_unique ON matter (kind, code, effective_on) WHERE state = 'PUBLISHED'
--;
CREATE TABLE fee_item (
    id uuid NOT NULL PRIMARY KEY,
    code text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    price text NOT NULL,
    legal_basis text NOT NULL,
    approving_body text NOT NULL,
    from_on date NOT NULL,
    until_on date,
    customer_classes text NOT NULL
)
--;
CREATE UNIQUE INDEX fee_item_number_unique ON fee_item (code, number)
--;
ALTER TABLE deadline ADD COLUMN figure_month date
--;
CREATE INDEX deadline_uncounted ON deadline (id) WHERE figure_month IS NULL
--;
CREATE TABLE promise_month (
    id uuid NOT NULL PRIMARY KEY,
    month date NOT NULL,
    published_at bigint NOT NULL
)
--;
CREATE UNIQUE INDEX promise_month_unique ON promise_month (month)
--;
CREATE TABLE promise_figure (
    id uuid NOT NULL PRIMARY KEY,
    month date NOT NULL,
    subject text NOT NULL,
    clock text NOT NULL,
    kept bigint NOT NULL,
    broken bigint NOT NULL
)
--;
CREATE UNIQUE INDEX promise_figure_unique ON promise_figure (month, subject, clock)
--;
CREATE TABLE interaction (
    id uuid NOT NULL PRIMARY KEY,
    interaction_no text NOT NULL,
    channel text NOT NULL,
    branch text NOT NULL,
    received_at bigint NOT NULL,
    handler text NOT NULL,
    badge_no text NOT NULL,
    party_id text NOT NULL,
    account_id text NOT NULL,
    caller_name bytea,
    caller_phone bytea,
    category text,
    detail text NOT NULL,
    state text NOT NULL,
    case_id uuid REFERENCES service_case (id),
    complaint_id uuid,
    station text NOT NULL,
    opinion text NOT NULL,
    opinion_at bigint,
    outcome text,
    reply_channel text,
    reply_at bigint,
    reply_text text NOT NULL,
    rule_cited text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT interaction_recorded CHECK (state = 'RECEIVED' OR (category IS NOT NULL AND detail <> '')),
    CONSTRAINT interaction_replied CHECK (state <> 'CLOSED' OR (outcome IS NOT NULL AND reply_channel IS NOT NULL AND reply_at IS NOT NULL)),
    CONSTRAINT interaction_explained CHECK (outcome IS NULL OR outcome <> 'DECLINED_EXPLAINED' OR (rule_cited <> '' AND reply_text <> ''))
)
--;
CREATE UNIQUE INDEX interaction_no_unique ON interaction (interaction_no)
--;
CREATE INDEX interaction_party ON interaction (party_id)
--;
CREATE INDEX interaction_case ON interaction (case_id)
--;
CREATE TABLE customer_account (
    id uuid NOT NULL PRIMARY KEY,
    party_id text NOT NULL
)
--;
CREATE TABLE customer_notice (
    id uuid NOT NULL PRIMARY KEY,
    party_id text NOT NULL,
    kind text NOT NULL,
    cause text NOT NULL,
    since_on date NOT NULL,
    until_on date,
    live boolean NOT NULL
)
--;
CREATE UNIQUE INDEX customer_notice_unique ON customer_notice (party_id, kind)
--;
CREATE TABLE escalation (
    id uuid NOT NULL PRIMARY KEY,
    deadline_id uuid NOT NULL REFERENCES deadline (id),
    branch text NOT NULL,
    subject text NOT NULL,
    clock text NOT NULL,
    due_at bigint NOT NULL,
    raised_at bigint NOT NULL,
    taken_by text NOT NULL,
    taken_at bigint,
    note text NOT NULL,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX escalation_once ON escalation (deadline_id)
--;
CREATE TABLE badge_check (
    id uuid NOT NULL PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff (id),
    badge_no text NOT NULL,
    occasion text NOT NULL,
    order_id uuid REFERENCES work_order (id),
    branch text NOT NULL,
    confirmed_at bigint NOT NULL,
    CONSTRAINT badge_check_order CHECK ((occasion = 'VISIT') = (order_id IS NOT NULL))
)
--;
CREATE INDEX badge_check_staff ON badge_check (staff_id)
--;
CREATE TABLE conduct_fact (
    id uuid NOT NULL PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff (id),
    kind text NOT NULL,
    happened_on date NOT NULL,
    detail text NOT NULL,
    evidence_file_id text NOT NULL,
    case_id uuid REFERENCES service_case (id),
    branch text NOT NULL,
    recorded_by text NOT NULL,
    recorded_at bigint NOT NULL,
    answer text NOT NULL,
    answered_at bigint,
    version bigint NOT NULL
)
--;
CREATE INDEX conduct_fact_staff ON conduct_fact (staff_id)
-- sqlite
CREATE TRIGGER promise_figure_no_update BEFORE UPDATE ON promise_figure BEGIN SELECT RAISE(ABORT, 'promise_figure_is_append_only'); END
--;
CREATE TRIGGER promise_figure_no_delete BEFORE DELETE ON promise_figure BEGIN SELECT RAISE(ABORT, 'promise_figure_is_append_only'); END
--;
CREATE TRIGGER badge_check_no_update BEFORE UPDATE ON badge_check BEGIN SELECT RAISE(ABORT, 'badge_check_is_append_only'); END
--;
CREATE TRIGGER badge_check_no_delete BEFORE DELETE ON badge_check BEGIN SELECT RAISE(ABORT, 'badge_check_is_append_only'); END
-- postgres
CREATE TRIGGER promise_figure_append_only BEFORE UPDATE OR DELETE ON promise_figure FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER badge_check_append_only BEFORE UPDATE OR DELETE ON badge_check FOR EACH ROW EXECUTE FUNCTION append_only()
