-- both
CREATE TABLE policy_requirement (
    kind text NOT NULL PRIMARY KEY,
    parts text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT policy_requirement_kind CHECK (kind IN ('MANAGEMENT', 'TECHNICAL', 'WORK'))
)
--;
INSERT INTO policy_requirement (kind, parts, version) VALUES
    ('MANAGEMENT', '["PREFACE","PURPOSE","OBJECTIVE","PRINCIPLE"]', 1),
    ('TECHNICAL', '["PREFACE"]', 1),
    ('WORK', '[]', 1)
--;
CREATE TABLE policy (
    id uuid NOT NULL PRIMARY KEY,
    doc_no text NOT NULL,
    title text NOT NULL,
    kind text NOT NULL,
    level text NOT NULL,
    owner_department text NOT NULL,
    secrecy integer NOT NULL,
    code_of_conduct boolean NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT policy_doc_no_unique UNIQUE (doc_no),
    CONSTRAINT policy_kind CHECK (kind IN ('MANAGEMENT', 'TECHNICAL', 'WORK')),
    CONSTRAINT policy_level CHECK (level IN ('GROUP', 'COMPANY', 'DEPARTMENT')),
    CONSTRAINT policy_secrecy CHECK (secrecy BETWEEN 1 AND 4)
)
--;
CREATE TABLE policy_version (
    id uuid NOT NULL PRIMARY KEY,
    policy_id uuid NOT NULL REFERENCES policy (id),
    label text NOT NULL,
    label_rank bigint NOT NULL,
    state text NOT NULL,
    control text NOT NULL,
    sections text NOT NULL,
    content_digest text NOT NULL,
    drafter text NOT NULL,
    reviewer text NOT NULL,
    approver text NOT NULL,
    countersigners text NOT NULL,
    added_departments text NOT NULL,
    reason text NOT NULL,
    issued_on date,
    live_from date,
    live_until date,
    supersedes_id uuid REFERENCES policy_version (id),
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT policy_version_label_unique UNIQUE (policy_id, label_rank),
    CONSTRAINT policy_version_state
        CHECK (state IN ('DRAFT', 'REVIEWING', 'COUNTERSIGNING', 'APPROVED', 'ISSUED', 'EFFECTIVE', 'SUPERSEDED', 'WITHDRAWN')),
    CONSTRAINT policy_version_live CHECK (state NOT IN ('ISSUED', 'EFFECTIVE', 'SUPERSEDED') OR live_from IS NOT NULL),
    CONSTRAINT policy_version_not_retroactive CHECK (live_from >= issued_on),
    CONSTRAINT policy_version_days CHECK (live_until > live_from)
)
--;
CREATE UNIQUE INDEX policy_version_one_effective ON policy_version (policy_id) WHERE state = 'EFFECTIVE'
--;
CREATE INDEX policy_version_due ON policy_version (state, live_from, live_until)
--;
CREATE TABLE policy_duty (
    id uuid NOT NULL PRIMARY KEY,
    policy_id uuid NOT NULL REFERENCES policy (id),
    version_id uuid NOT NULL REFERENCES policy_version (id),
    kind text NOT NULL,
    department text NOT NULL,
    due_on date NOT NULL,
    state text NOT NULL,
    done_on date,
    done_by text NOT NULL,
    evidence text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT policy_duty_kind CHECK (kind IN ('TRAINING', 'EXAM', 'INSPECTION', 'REVIEW', 'NOTIFICATION')),
    CONSTRAINT policy_duty_state CHECK (state IN ('OPEN', 'OVERDUE', 'DONE', 'CANCELLED'))
)
--;
CREATE UNIQUE INDEX policy_duty_one_open ON policy_duty (version_id, kind, department) WHERE state IN ('OPEN', 'OVERDUE')
--;
CREATE INDEX policy_duty_policy ON policy_duty (policy_id, id)
--;
CREATE INDEX policy_duty_due ON policy_duty (state, due_on)
--;
CREATE TABLE policy_acknowledgement (
    id uuid NOT NULL PRIMARY KEY,
    version_id uuid NOT NULL REFERENCES policy_version (id),
    staff text NOT NULL,
    acknowledged_on date NOT NULL,
    renew_on date,
    acknowledged_at bigint NOT NULL,
    CONSTRAINT policy_acknowledgement_unique UNIQUE (version_id, staff, acknowledged_on)
)
--;
CREATE TABLE policy_conflict (
    id uuid NOT NULL PRIMARY KEY,
    first_version_id uuid NOT NULL REFERENCES policy_version (id),
    second_version_id uuid NOT NULL REFERENCES policy_version (id),
    clause text NOT NULL,
    rule text NOT NULL,
    prevailing_version_id uuid REFERENCES policy_version (id),
    department text NOT NULL,
    decided_by text NOT NULL,
    grounds text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT policy_conflict_sides CHECK (first_version_id <> second_version_id),
    CONSTRAINT policy_conflict_rule CHECK (rule IN ('OPEN', 'HIGHER_LEVEL', 'LATER_EFFECTIVE', 'INTERPRETING_DEPARTMENT')),
    CONSTRAINT policy_conflict_resolved CHECK ((rule = 'OPEN') = (prevailing_version_id IS NULL))
)
--;
CREATE TABLE credit_file (
    id uuid NOT NULL PRIMARY KEY,
    file_no text NOT NULL,
    party_id uuid NOT NULL REFERENCES party (id),
    party_kind text NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    last_verified_on date,
    next_check_on date,
    lapses_on date,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT credit_file_no_unique UNIQUE (file_no),
    CONSTRAINT credit_file_party_unique UNIQUE (party_id),
    CONSTRAINT credit_file_state CHECK (state IN ('OPENED', 'COLLECTING', 'COMPLETE', 'STALE', 'RE_VERIFIED', 'CLOSED'))
)
--;
CREATE INDEX credit_file_branch ON credit_file (branch, id)
--;
CREATE INDEX credit_file_lapse ON credit_file (state, lapses_on)
--;
CREATE TABLE credit_fact (
    id uuid NOT NULL PRIMARY KEY,
    file_id uuid NOT NULL REFERENCES credit_file (id),
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    kind text NOT NULL,
    item text NOT NULL,
    content_sealed bytea NOT NULL,
    source text NOT NULL,
    as_of date NOT NULL,
    valid_to date,
    long_term boolean NOT NULL,
    entered_by text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT credit_fact_validity CHECK (NOT long_term OR valid_to IS NULL)
)
--;
CREATE INDEX credit_fact_file ON credit_fact (file_id, id)
--;
CREATE TABLE licence_watch (
    id uuid NOT NULL PRIMARY KEY,
    fact_id uuid NOT NULL REFERENCES credit_fact (id),
    file_id uuid NOT NULL REFERENCES credit_file (id),
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    kind text NOT NULL,
    valid_to date NOT NULL,
    warned integer,
    next_mark_on date,
    CONSTRAINT licence_watch_fact_unique UNIQUE (fact_id)
)
--;
CREATE INDEX licence_watch_due ON licence_watch (next_mark_on)
--;
CREATE INDEX licence_watch_file ON licence_watch (file_id)
-- sqlite
CREATE TRIGGER policy_version_overlap_insert BEFORE INSERT ON policy_version
WHEN NEW.live_from IS NOT NULL AND EXISTS (
    SELECT 1 FROM policy_version other
    WHERE other.policy_id = NEW.policy_id AND other.live_from IS NOT NULL AND other.id <> NEW.id
    AND (other.live_until IS NULL OR NEW.live_from < other.live_until) AND (NEW.live_until IS NULL OR other.live_from < NEW.live_until)
)
BEGIN SELECT RAISE(ABORT, 'policy_version_overlap'); END
--;
CREATE TRIGGER policy_version_overlap_update BEFORE UPDATE OF policy_id, live_from, live_until ON policy_version
WHEN NEW.live_from IS NOT NULL AND EXISTS (
    SELECT 1 FROM policy_version other
    WHERE other.policy_id = NEW.policy_id AND other.live_from IS NOT NULL AND other.id <> NEW.id
    AND (other.live_until IS NULL OR NEW.live_from < other.live_until) AND (NEW.live_until IS NULL OR other.live_from < NEW.live_until)
)
BEGIN SELECT RAISE(ABORT, 'policy_version_overlap'); END
--;
CREATE TRIGGER policy_acknowledgement_no_update BEFORE UPDATE ON policy_acknowledgement
BEGIN SELECT RAISE(ABORT, 'policy_acknowledgement_is_append_only'); END
--;
CREATE TRIGGER policy_acknowledgement_no_delete BEFORE DELETE ON policy_acknowledgement
BEGIN SELECT RAISE(ABORT, 'policy_acknowledgement_is_append_only'); END
--;
CREATE TRIGGER credit_fact_no_update BEFORE UPDATE ON credit_fact BEGIN SELECT RAISE(ABORT, 'credit_fact_is_append_only'); END
--;
CREATE TRIGGER credit_fact_no_delete BEFORE DELETE ON credit_fact BEGIN SELECT RAISE(ABORT, 'credit_fact_is_append_only'); END
-- postgres
ALTER TABLE policy_version ADD CONSTRAINT policy_version_overlap
EXCLUDE USING gist (policy_id WITH =, daterange(live_from, live_until) WITH &&) WHERE (live_from IS NOT NULL)
--;
CREATE TRIGGER policy_acknowledgement_no_update BEFORE UPDATE ON policy_acknowledgement FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER policy_acknowledgement_no_delete BEFORE DELETE ON policy_acknowledgement FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER credit_fact_no_update BEFORE UPDATE ON credit_fact FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER credit_fact_no_delete BEFORE DELETE ON credit_fact FOR EACH ROW EXECUTE FUNCTION append_only()
