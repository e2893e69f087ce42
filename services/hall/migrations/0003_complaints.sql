-- both
CREATE TABLE complaint (
    id uuid NOT NULL PRIMARY KEY,
    complaint_no text NOT NULL,
    channel text NOT NULL,
    utility text NOT NULL,
    category text,
    branch text NOT NULL,
    account_id uuid,
    premises_id uuid,
    anonymous boolean NOT NULL,
    no_callback boolean NOT NULL,
    reporter_name bytea,
    reporter_phone bytea,
    reporter_address bytea,
    reporter_key text NOT NULL,
    detail text NOT NULL,
    state text NOT NULL,
    owner_staff_id uuid REFERENCES staff (id),
    master_id uuid REFERENCES complaint (id),
    callback_task_id uuid REFERENCES callback_task (id),
    finding text,
    summary text NOT NULL,
    proposed_by text NOT NULL,
    vendor_id uuid,
    order_id uuid REFERENCES work_order (id),
    upheld_told boolean NOT NULL,
    reply_channel text,
    reply_at bigint,
    reply_text text NOT NULL,
    reopened integer NOT NULL,
    received_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT complaint_linked_has_master CHECK ((state = 'LINKED') = (master_id IS NOT NULL)),
    CONSTRAINT complaint_replied CHECK (state NOT IN ('REPLIED', 'CALLBACK', 'CLOSED') OR (reply_at IS NOT NULL AND reply_text <> '')),
    CONSTRAINT complaint_anonymous_unknown CHECK (NOT anonymous OR (account_id IS NULL AND reporter_name IS NULL AND reporter_phone IS NULL AND reporter_address IS NULL))
)
--;
CREATE UNIQUE INDEX complaint_no_unique ON complaint (complaint_no)
--;
CREATE UNIQUE INDEX complaint_master_unique ON complaint (branch, reporter_key, category)
    WHERE reporter_key <> '' AND category IS NOT NULL AND state NOT IN ('RECEIVED', 'LINKED', 'CLOSED')
--;
CREATE INDEX complaint_master ON complaint (master_id)
--;
CREATE INDEX complaint_account ON complaint (account_id)
--;
CREATE TABLE callback_policy (
    id uuid NOT NULL PRIMARY KEY,
    cause text NOT NULL,
    policy_version integer NOT NULL,
    rate_bp integer NOT NULL,
    hazard_rate_bp integer NOT NULL,
    unit text NOT NULL,
    amount integer NOT NULL,
    channel text NOT NULL,
    fallback text,
    min_rank text NOT NULL,
    max_attempts integer NOT NULL,
    attempt_days integer NOT NULL,
    safety boolean NOT NULL,
    effective_on date NOT NULL,
    source text NOT NULL,
    published_by text NOT NULL,
    CONSTRAINT callback_policy_rates CHECK (rate_bp BETWEEN 0 AND 10000 AND hazard_rate_bp BETWEEN 0 AND 10000)
)
--;
CREATE UNIQUE INDEX callback_policy_version_unique ON callback_policy (cause, policy_version)
--;
CREATE UNIQUE INDEX callback_policy_date_unique ON callback_policy (cause, effective_on)
--;
CREATE TABLE callback_draw (
    id uuid NOT NULL PRIMARY KEY,
    cause text NOT NULL,
    about_id uuid NOT NULL,
    branch text NOT NULL,
    policy_id uuid NOT NULL REFERENCES callback_policy (id),
    seed text NOT NULL,
    draw integer NOT NULL,
    rate_bp integer NOT NULL,
    verdict text NOT NULL,
    drawn_at bigint NOT NULL,
    CONSTRAINT callback_draw_kept CHECK (verdict <> 'NOT_DRAWN' OR draw >= rate_bp),
    CONSTRAINT callback_draw_range CHECK (draw BETWEEN 0 AND 9999)
)
--;
CREATE UNIQUE INDEX callback_draw_once ON callback_draw (about_id, cause)
--;
CREATE TABLE callback_attempt (
    id uuid NOT NULL PRIMARY KEY,
    task_id uuid NOT NULL REFERENCES callback_task (id),
    round integer NOT NULL,
    attempted_at bigint NOT NULL,
    channel text NOT NULL,
    outcome text NOT NULL,
    agent text NOT NULL
)
--;
CREATE INDEX callback_attempt_task ON callback_attempt (task_id)
--;
CREATE TABLE callback_record (
    id uuid NOT NULL PRIMARY KEY,
    task_id uuid NOT NULL REFERENCES callback_task (id),
    round integer NOT NULL,
    recorded_at bigint NOT NULL,
    channel text NOT NULL,
    score integer NOT NULL,
    solved boolean NOT NULL,
    courtesy text NOT NULL,
    reasons text NOT NULL,
    verbatim text NOT NULL,
    signature_file_id text NOT NULL,
    agent text NOT NULL,
    state text NOT NULL,
    rework text NOT NULL,
    rework_task text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT callback_record_score CHECK (score BETWEEN 1 AND 5),
    CONSTRAINT callback_record_visit_signed CHECK (channel <> 'VISIT' OR state <> 'COMPLETE' OR signature_file_id <> '')
)
--;
CREATE UNIQUE INDEX callback_record_once ON callback_record (task_id, round)
--;
CREATE TABLE call_objection (
    id uuid NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL,
    branch text NOT NULL,
    note text NOT NULL,
    recorded_by text NOT NULL,
    recorded_at bigint NOT NULL,
    lifted_by text NOT NULL,
    lifted_note text NOT NULL,
    lifted_at bigint,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX call_objection_unique ON call_objection (account_id) WHERE lifted_at IS NULL
--;
ALTER TABLE callback_task ADD COLUMN state text
--;
ALTER TABLE callback_task ADD COLUMN policy_id uuid REFERENCES callback_policy (id)
--;
ALTER TABLE callback_task ADD COLUMN channel text
--;
ALTER TABLE callback_task ADD COLUMN fallback text
--;
ALTER TABLE callback_task ADD COLUMN min_rank text
--;
ALTER TABLE callback_task ADD COLUMN safety boolean
--;
ALTER TABLE callback_task ADD COLUMN handlers text
--;
ALTER TABLE callback_task ADD COLUMN vendor_id uuid
--;
ALTER TABLE callback_task ADD COLUMN assignee_staff_id uuid REFERENCES staff (id)
--;
ALTER TABLE callback_task ADD COLUMN round integer
--;
ALTER TABLE callback_task ADD COLUMN outcome text
--;
ALTER TABLE callback_task ADD COLUMN satisfied boolean
--;
ALTER TABLE callback_task ADD COLUMN discourteous boolean
--;
ALTER TABLE callback_task ADD COLUMN rework text
--;
ALTER TABLE callback_task ADD COLUMN rework_id uuid
--;
ALTER TABLE callback_task ADD COLUMN version bigint
--;
UPDATE callback_task SET state = 'PLANNED', channel = 'PHONE', min_rank = 'AGENT', safety = (cause = 'LEAK'), handlers = '[]', round = 1, version = 1
--;
CREATE INDEX callback_task_open ON callback_task (branch, due_at) WHERE state IN ('PLANNED', 'SECOND_CALLBACK')
--;
CREATE INDEX callback_task_account ON callback_task (account_id) WHERE state <> 'CLOSED'
--;
CREATE INDEX callback_task_rework ON callback_task (rework_id)
-- sqlite
CREATE TRIGGER callback_policy_no_update BEFORE UPDATE ON callback_policy BEGIN SELECT RAISE(ABORT, 'callback_policy_is_append_only'); END
--;
CREATE TRIGGER callback_policy_no_delete BEFORE DELETE ON callback_policy BEGIN SELECT RAISE(ABORT, 'callback_policy_is_append_only'); END
--;
CREATE TRIGGER callback_draw_no_update BEFORE UPDATE ON callback_draw BEGIN SELECT RAISE(ABORT, 'callback_draw_is_append_only'); END
--;
CREATE TRIGGER callback_draw_no_delete BEFORE DELETE ON callback_draw BEGIN SELECT RAISE(ABORT, 'callback_draw_is_append_only'); END
--;
CREATE TRIGGER callback_attempt_no_update BEFORE UPDATE ON callback_attempt BEGIN SELECT RAISE(ABORT, 'callback_attempt_is_append_only'); END
--;
CREATE TRIGGER callback_attempt_no_delete BEFORE DELETE ON callback_attempt BEGIN SELECT RAISE(ABORT, 'callback_attempt_is_append_only'); END
-- postgres
CREATE TRIGGER callback_policy_append_only BEFORE UPDATE OR DELETE ON callback_policy FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER callback_draw_append_only BEFORE UPDATE OR DELETE ON callback_draw FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER callback_attempt_append_only BEFORE UPDATE OR DELETE ON callback_attempt FOR EACH ROW EXECUTE FUNCTION append_only()
