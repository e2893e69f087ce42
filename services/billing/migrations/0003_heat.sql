-- both
ALTER TABLE bill ADD COLUMN service text
--;
ALTER TABLE bill ADD COLUMN season text
--;
ALTER TABLE bill ADD COLUMN unit text
--;
ALTER TABLE bill_line ADD COLUMN unit text
--;
ALTER TABLE payment ADD COLUMN service text
--;
ALTER TABLE bill_run ADD COLUMN purpose text
--;
ALTER TABLE bill_run ADD COLUMN season text
--;
CREATE UNIQUE INDEX bill_season_unique ON bill (agreement_id, season) WHERE season IS NOT NULL AND state <> 'REVERSED'
--;
CREATE TABLE heat_season (
    id uuid NOT NULL PRIMARY KEY,
    season text NOT NULL,
    branch text NOT NULL,
    start_date date NOT NULL,
    end_date date NOT NULL,
    due_date date NOT NULL,
    document_reference text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT heat_season_unique UNIQUE (branch, season),
    CONSTRAINT heat_season_order CHECK (start_date < end_date)
)
--;
CREATE TABLE heat_account (
    id uuid NOT NULL PRIMARY KEY,
    season_id uuid NOT NULL REFERENCES heat_season (id),
    season text NOT NULL,
    branch text NOT NULL,
    agreement_id uuid NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    party_id text NOT NULL,
    state text NOT NULL,
    method text NOT NULL,
    area bigint NOT NULL,
    height bigint,
    correction bigint NOT NULL,
    document_reference text NOT NULL,
    meter_fault text NOT NULL,
    bill_id uuid,
    by_area bigint,
    by_meter bigint,
    charged bigint,
    energy bigint,
    energy_unit text NOT NULL,
    settled_date date,
    entered_by text NOT NULL,
    created_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT heat_account_unique UNIQUE (season_id, agreement_id),
    CONSTRAINT heat_account_area CHECK (area > 0 AND correction > 0)
)
--;
CREATE INDEX heat_account_agreement ON heat_account (agreement_id)
--;
CREATE INDEX heat_account_account_no ON heat_account (account_no)
--;
CREATE INDEX heat_account_party ON heat_account (party_id)
--;
CREATE TABLE season_reading (
    id uuid NOT NULL PRIMARY KEY,
    season_id uuid NOT NULL REFERENCES heat_season (id),
    season text NOT NULL,
    branch text NOT NULL,
    agreement_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    meter_no text NOT NULL,
    moment text NOT NULL,
    read_date date NOT NULL,
    value bigint NOT NULL,
    unit text NOT NULL,
    recorded_by text NOT NULL,
    grounds text NOT NULL,
    superseded boolean NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT season_reading_not_negative CHECK (value >= 0)
)
--;
CREATE UNIQUE INDEX season_reading_unique ON season_reading (season_id, agreement_id, meter_id, moment) WHERE NOT superseded
--;
CREATE INDEX season_reading_agreement ON season_reading (agreement_id)
--;
CREATE TABLE opening (
    agreement_id uuid NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL,
    branch text NOT NULL,
    as_of date NOT NULL,
    installation_id uuid,
    value bigint,
    tier_year integer NOT NULL,
    volume bigint NOT NULL,
    owed bigint NOT NULL,
    prepaid bigint NOT NULL,
    content text NOT NULL,
    entered_by text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT opening_not_negative CHECK (volume >= 0 AND owed >= 0 AND prepaid >= 0)
)
-- sqlite
CREATE TRIGGER opening_no_update BEFORE UPDATE ON opening BEGIN SELECT RAISE(ABORT, 'opening_is_append_only'); END
--;
CREATE TRIGGER opening_no_delete BEFORE DELETE ON opening BEGIN SELECT RAISE(ABORT, 'opening_is_append_only'); END
--;
CREATE TRIGGER season_reading_no_delete BEFORE DELETE ON season_reading BEGIN SELECT RAISE(ABORT, 'season_reading_is_append_only'); END
--;
CREATE TRIGGER season_reading_superseded_only BEFORE UPDATE ON season_reading
WHEN OLD.superseded OR NOT NEW.superseded OR NEW.id IS NOT OLD.id OR NEW.season_id IS NOT OLD.season_id OR NEW.agreement_id IS NOT OLD.agreement_id
    OR NEW.meter_id IS NOT OLD.meter_id OR NEW.moment IS NOT OLD.moment OR NEW.read_date IS NOT OLD.read_date OR NEW.value IS NOT OLD.value
BEGIN SELECT RAISE(ABORT, 'season_reading_is_append_only'); END
-- postgres
CREATE TRIGGER opening_no_change BEFORE UPDATE OR DELETE ON opening FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER season_reading_no_delete BEFORE DELETE ON season_reading FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER season_reading_superseded_only BEFORE UPDATE ON season_reading FOR EACH ROW
WHEN (OLD.superseded OR NOT NEW.superseded OR NEW.id <> OLD.id OR NEW.season_id <> OLD.season_id OR NEW.agreement_id <> OLD.agreement_id
    OR NEW.meter_id <> OLD.meter_id OR NEW.moment <> OLD.moment OR NEW.read_date <> OLD.read_date OR NEW.value <> OLD.value)
EXECUTE FUNCTION append_only()
