-- both
ALTER TABLE meter ADD COLUMN multiplier integer NOT NULL DEFAULT 1
--;
ALTER TABLE meter ADD COLUMN gas_kind text
--;
ALTER TABLE meter ADD COLUMN made_date date
--;
ALTER TABLE installation ADD COLUMN commodity text NOT NULL DEFAULT 'GAS'
--;
UPDATE installation SET commodity = 'HEAT' WHERE meter_id IN (SELECT id FROM meter WHERE kind = 'HEAT_KWH' OR kind = 'HEAT_GJ')
--;
DROP INDEX installation_agreement_live_unique
--;
CREATE UNIQUE INDEX installation_agreement_live_unique ON installation (agreement_id, commodity) WHERE end_date IS NULL
--;
CREATE TABLE meter_seal (
    id uuid NOT NULL PRIMARY KEY,
    meter_id uuid NOT NULL REFERENCES meter (id),
    meter_no text NOT NULL,
    seal_no text NOT NULL,
    branch text NOT NULL,
    from_date date NOT NULL,
    end_date date,
    broken boolean NOT NULL,
    recorded_by text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT seal_no_unique UNIQUE (seal_no),
    CONSTRAINT seal_order CHECK (end_date IS NULL OR end_date >= from_date)
)
--;
CREATE UNIQUE INDEX meter_seal_live_unique ON meter_seal (meter_id) WHERE end_date IS NULL
--;
CREATE INDEX meter_seal_meter ON meter_seal (meter_id)
--;
ALTER TABLE reading ADD COLUMN time_twice boolean NOT NULL DEFAULT false
--;
ALTER TABLE reading ADD COLUMN photo_file text NOT NULL DEFAULT ''
--;
ALTER TABLE reading ADD COLUMN method text
--;
ALTER TABLE reading ADD COLUMN lineage text NOT NULL DEFAULT ''
--;
ALTER TABLE reading ADD COLUMN replaced_by uuid
--;
ALTER TABLE reading ADD COLUMN restated bigint
--;
DROP INDEX reading_moment_unique
--;
CREATE UNIQUE INDEX reading_moment_unique ON reading (meter_id, read_at)
    WHERE NOT conflict AND state <> 'REJECTED' AND state <> 'CORRECTED' AND state <> 'REPLACED'
--;
CREATE TABLE abnormal_case (
    id uuid NOT NULL PRIMARY KEY,
    agreement_id uuid NOT NULL,
    account_no text NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    codes text NOT NULL,
    owner text NOT NULL,
    due_date date NOT NULL,
    open_exceptions integer NOT NULL,
    created_at bigint NOT NULL,
    closed_at bigint,
    version bigint NOT NULL,
    CONSTRAINT abnormal_case_open CHECK ((state = 'OPEN') = (closed_at IS NULL))
)
--;
CREATE UNIQUE INDEX abnormal_case_open_unique ON abnormal_case (agreement_id) WHERE state = 'OPEN'
--;
ALTER TABLE reading_exception ADD COLUMN case_id uuid
--;
CREATE INDEX reading_exception_open ON reading_exception (agreement_id) WHERE state = 'OPEN'
--;
CREATE TABLE reading_book (
    id uuid NOT NULL PRIMARY KEY,
    code text NOT NULL,
    name text NOT NULL,
    branch text NOT NULL,
    cycle text NOT NULL,
    read_day integer NOT NULL,
    from_date date NOT NULL,
    reader text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT reading_book_code_unique UNIQUE (code),
    CONSTRAINT reading_book_day CHECK (read_day >= 1 AND read_day <= 31)
)
--;
CREATE INDEX reading_book_branch ON reading_book (branch)
--;
CREATE TABLE book_entry (
    installation_id uuid NOT NULL PRIMARY KEY REFERENCES installation (id),
    book_id uuid NOT NULL REFERENCES reading_book (id),
    walk_order integer NOT NULL
)
--;
CREATE INDEX book_entry_book ON book_entry (book_id, walk_order)
--;
CREATE TABLE reading_task (
    id uuid NOT NULL PRIMARY KEY,
    book_id uuid NOT NULL REFERENCES reading_book (id),
    installation_id uuid NOT NULL,
    meter_no text NOT NULL,
    account_no text NOT NULL,
    agreement_id uuid NOT NULL,
    branch text NOT NULL,
    from_date date NOT NULL,
    until_date date NOT NULL,
    due_date date NOT NULL,
    reader text NOT NULL,
    walk_order integer NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT reading_task_unique UNIQUE (installation_id, due_date),
    CONSTRAINT reading_task_order CHECK (from_date <= due_date AND due_date <= until_date)
)
--;
CREATE INDEX reading_task_book ON reading_task (book_id, due_date)
--;
CREATE TABLE sub_meter (
    id uuid NOT NULL PRIMARY KEY,
    bulk_installation_id uuid NOT NULL REFERENCES installation (id),
    installation_id uuid NOT NULL REFERENCES installation (id),
    meter_no text NOT NULL,
    from_date date NOT NULL,
    end_date date,
    CONSTRAINT sub_meter_order CHECK (end_date IS NULL OR end_date >= from_date),
    CONSTRAINT sub_meter_loop CHECK (bulk_installation_id <> installation_id)
)
--;
CREATE UNIQUE INDEX sub_meter_live_unique ON sub_meter (installation_id) WHERE end_date IS NULL
--;
CREATE INDEX sub_meter_bulk ON sub_meter (bulk_installation_id)
-- sqlite
CREATE TRIGGER reading_raw_immutable BEFORE UPDATE ON reading
WHEN NEW.id IS NOT OLD.id OR NEW.meter_id IS NOT OLD.meter_id OR NEW.installation_id IS NOT OLD.installation_id OR NEW.read_at IS NOT OLD.read_at
    OR NEW.value IS NOT OLD.value OR NEW.raw IS NOT OLD.raw OR NEW.source IS NOT OLD.source OR NEW.recorded_by IS NOT OLD.recorded_by
BEGIN SELECT RAISE(ABORT, 'reading_is_immutable'); END
--;
CREATE TRIGGER reading_no_delete BEFORE DELETE ON reading BEGIN SELECT RAISE(ABORT, 'reading_is_immutable'); END
-- postgres
CREATE FUNCTION reading_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'reading_is_immutable';
END $$
--;
CREATE TRIGGER reading_raw_immutable BEFORE UPDATE ON reading FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.meter_id <> OLD.meter_id OR NEW.installation_id <> OLD.installation_id OR NEW.read_at <> OLD.read_at
    OR NEW.value <> OLD.value OR NEW.raw <> OLD.raw OR NEW.source <> OLD.source OR NEW.recorded_by <> OLD.recorded_by)
EXECUTE FUNCTION reading_is_immutable()
--;
CREATE TRIGGER reading_no_delete BEFORE DELETE ON reading FOR EACH ROW EXECUTE FUNCTION reading_is_immutable()
