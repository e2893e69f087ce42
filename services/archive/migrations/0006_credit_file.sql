-- postgres
ALTER TABLE credit_file DROP CONSTRAINT credit_file_party_unique
-- sqlite
ALTER TABLE credit_file RENAME TO credit_file_before
--;
ALTER TABLE credit_fact RENAME TO credit_fact_before
--;
ALTER TABLE licence_watch RENAME TO licence_watch_before
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
    CONSTRAINT credit_file_state CHECK (state IN ('OPENED', 'COLLECTING', 'COMPLETE', 'STALE', 'RE_VERIFIED', 'CLOSED'))
)
--;
INSERT INTO credit_file (id, file_no, party_id, party_kind, branch, state, last_verified_on, next_check_on, lapses_on, version, created_at, updated_at)
SELECT id, file_no, party_id, party_kind, branch, state, last_verified_on, next_check_on, lapses_on, version, created_at, updated_at FROM credit_file_before
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
INSERT INTO credit_fact (id, file_id, party_id, branch, kind, item, content_sealed, source, as_of, valid_to, long_term, entered_by, created_at)
SELECT id, file_id, party_id, branch, kind, item, content_sealed, source, as_of, valid_to, long_term, entered_by, created_at FROM credit_fact_before
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
INSERT INTO licence_watch (id, fact_id, file_id, party_id, branch, kind, valid_to, warned, next_mark_on)
SELECT id, fact_id, file_id, party_id, branch, kind, valid_to, warned, next_mark_on FROM licence_watch_before
--;
DROP TABLE licence_watch_before
--;
DROP TABLE credit_fact_before
--;
DROP TABLE credit_file_before
--;
CREATE INDEX credit_file_branch ON credit_file (branch, id)
--;
CREATE INDEX credit_file_lapse ON credit_file (state, lapses_on)
--;
CREATE INDEX credit_fact_file ON credit_fact (file_id, id)
--;
CREATE INDEX licence_watch_due ON licence_watch (next_mark_on)
--;
CREATE INDEX licence_watch_file ON licence_watch (file_id)
--;
CREATE INDEX licence_watch_end ON licence_watch (valid_to)
--;
CREATE TRIGGER credit_fact_no_update BEFORE UPDATE ON credit_fact BEGIN SELECT RAISE(ABORT, 'credit_fact_is_append_only'); END
--;
CREATE TRIGGER credit_fact_no_delete BEFORE DELETE ON credit_fact BEGIN SELECT RAISE(ABORT, 'credit_fact_is_append_only'); END
-- both
CREATE UNIQUE INDEX credit_file_party_unique ON credit_file (party_id) WHERE state <> 'CLOSED'
--;
CREATE INDEX credit_fact_party ON credit_fact (party_id, id)
--;
CREATE INDEX licence_watch_party ON licence_watch (party_id)
