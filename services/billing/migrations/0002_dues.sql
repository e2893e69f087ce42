-- both
CREATE TABLE fee_item (
    id uuid NOT NULL PRIMARY KEY,
    code text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    price bigint NOT NULL,
    legal_basis text NOT NULL,
    approving_body text NOT NULL,
    from_date date NOT NULL,
    until_date date,
    customer_classes text NOT NULL,
    published_by text NOT NULL,
    created_at bigint NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT fee_item_version_unique UNIQUE (code, version),
    CONSTRAINT fee_item_legal_basis CHECK (length(legal_basis) >= 4 AND length(approving_body) >= 2),
    CONSTRAINT fee_item_price CHECK (price > 0),
    CONSTRAINT fee_item_order CHECK (until_date IS NULL OR until_date >= from_date)
)
--;
CREATE TABLE profile (
    id uuid NOT NULL PRIMARY KEY,
    branch text NOT NULL,
    name text NOT NULL,
    from_date date NOT NULL,
    terms text NOT NULL,
    source text NOT NULL,
    published_by text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT profile_day_unique UNIQUE (branch, from_date)
)
--;
CREATE TABLE late_fee (
    bill_id uuid NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL,
    branch text NOT NULL,
    to_date date NOT NULL,
    principal bigint NOT NULL,
    accrued bigint NOT NULL,
    paid bigint NOT NULL,
    waived bigint NOT NULL,
    CONSTRAINT late_fee_cap CHECK (accrued >= 0 AND accrued <= principal),
    CONSTRAINT late_fee_paid CHECK (paid >= 0 AND waived >= 0 AND paid + waived <= accrued)
)
--;
CREATE INDEX late_fee_account ON late_fee (account_id)
--;
CREATE TABLE late_fee_entry (
    id uuid NOT NULL PRIMARY KEY,
    bill_id uuid NOT NULL,
    to_date date NOT NULL,
    amount bigint NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE INDEX late_fee_entry_bill ON late_fee_entry (bill_id)
--;
CREATE TABLE late_fee_waiver (
    id uuid NOT NULL PRIMARY KEY,
    bill_id uuid NOT NULL,
    account_id uuid NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    amount bigint,
    waived bigint NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at bigint NOT NULL,
    decided_by text NOT NULL,
    decided_at bigint,
    version bigint NOT NULL,
    CONSTRAINT waiver_other_person CHECK (decided_by <> proposed_by)
)
--;
CREATE UNIQUE INDEX waiver_open_unique ON late_fee_waiver (bill_id) WHERE state = 'PROPOSED'
--;
CREATE INDEX late_fee_waiver_bill ON late_fee_waiver (bill_id)
--;
CREATE TABLE dispute (
    id uuid NOT NULL PRIMARY KEY,
    bill_id uuid NOT NULL,
    bill_no text NOT NULL,
    account_id uuid NOT NULL,
    party_id text NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    opened_by text NOT NULL,
    opened_at bigint NOT NULL,
    opened_date date NOT NULL,
    reread_by bigint NOT NULL,
    answered_by text NOT NULL,
    answer text NOT NULL,
    answered_at bigint,
    answered_date date,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX dispute_open_unique ON dispute (bill_id) WHERE state = 'OPEN'
--;
CREATE INDEX dispute_bill ON dispute (bill_id)
--;
CREATE TABLE dunning (
    bill_id uuid NOT NULL PRIMARY KEY,
    next_date date
)
--;
CREATE TABLE dunning_step (
    id uuid NOT NULL PRIMARY KEY,
    bill_id uuid NOT NULL,
    bill_no text NOT NULL,
    account_id uuid NOT NULL,
    branch text NOT NULL,
    kind text NOT NULL,
    days integer NOT NULL,
    taken_date date NOT NULL,
    skipped boolean NOT NULL,
    open_amount bigint NOT NULL,
    CONSTRAINT dunning_step_unique UNIQUE (bill_id, kind, days)
)
--;
CREATE INDEX dunning_step_ended ON dunning_step (bill_id) WHERE kind = 'SUSPENSION'
--;
CREATE TABLE suspension_request (
    id uuid NOT NULL PRIMARY KEY,
    agreement_id uuid NOT NULL,
    account_id uuid NOT NULL,
    party_id text NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    amount bigint NOT NULL,
    since_date date NOT NULL,
    requested_at bigint NOT NULL,
    withdrawn_at bigint
)
--;
CREATE UNIQUE INDEX suspension_requested_unique ON suspension_request (agreement_id) WHERE state = 'REQUESTED'
--;
CREATE INDEX suspension_request_account ON suspension_request (account_id)
--;
CREATE TABLE credit_hold (
    party_id text NOT NULL PRIMARY KEY,
    branch text NOT NULL,
    cause text NOT NULL,
    raised_date date NOT NULL,
    cleared_date date
)
--;
ALTER TABLE allocation ADD COLUMN part text
-- sqlite
ALTER TABLE bill RENAME TO bill_before
--;
CREATE TABLE bill (
    id uuid NOT NULL PRIMARY KEY,
    bill_no text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    agreement_id uuid NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    party_id uuid NOT NULL,
    branch text NOT NULL,
    year integer NOT NULL,
    month integer NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    from_index bigint NOT NULL,
    to_index bigint NOT NULL,
    volume bigint NOT NULL,
    volume_before bigint NOT NULL,
    tier_year integer NOT NULL,
    use_class text NOT NULL,
    tariff_id uuid,
    amount bigint NOT NULL,
    paid bigint NOT NULL,
    issue_date date NOT NULL,
    due_date date NOT NULL,
    de_facto boolean NOT NULL,
    low_income boolean NOT NULL,
    persons integer NOT NULL,
    installation_id uuid,
    reading_id uuid,
    run_id uuid,
    credit_note_no text NOT NULL,
    created_at bigint NOT NULL,
    version bigint NOT NULL,
    fee_item_id uuid,
    delivered_date date,
    CONSTRAINT bill_no_unique UNIQUE (bill_no),
    CONSTRAINT bill_days CHECK (from_date < to_date),
    CONSTRAINT bill_paid CHECK (amount >= 0 AND paid >= 0 AND paid <= amount),
    CONSTRAINT bill_volume CHECK (volume >= 0 AND volume_before >= 0)
)
--;
INSERT INTO bill (id, bill_no, kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index, to_index, volume, volume_before, tier_year, use_class, tariff_id, amount, paid, issue_date, due_date, de_facto, low_income, persons, installation_id, reading_id, run_id, credit_note_no, created_at, version)
SELECT id, bill_no, kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index, to_index, volume, volume_before, tier_year, use_class, tariff_id, amount, paid, issue_date, due_date, de_facto, low_income, persons, installation_id, reading_id, run_id, credit_note_no, created_at, version FROM bill_before
--;
DROP TABLE bill_before
--;
CREATE INDEX bill_agreement ON bill (agreement_id)
--;
CREATE INDEX bill_account_open ON bill (account_id) WHERE state = 'ISSUED' OR state = 'PARTLY_PAID'
--;
CREATE INDEX bill_account_no ON bill (account_no)
--;
CREATE INDEX bill_party ON bill (party_id)
--;
ALTER TABLE bill_line RENAME TO bill_line_before
--;
CREATE TABLE bill_line (
    bill_id uuid NOT NULL,
    ordinal integer NOT NULL,
    tier integer NOT NULL,
    volume bigint NOT NULL,
    price bigint NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    tariff_id uuid,
    tier_year integer NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    PRIMARY KEY (bill_id, ordinal)
)
--;
INSERT INTO bill_line (bill_id, ordinal, tier, volume, price, amount, reason, tariff_id, tier_year, from_date, to_date)
SELECT bill_id, ordinal, tier, volume, price, amount, reason, tariff_id, tier_year, from_date, to_date FROM bill_line_before
--;
DROP TABLE bill_line_before
--;
CREATE TRIGGER bill_no_overlap BEFORE INSERT ON bill WHEN NEW.kind = 'REGULAR' AND NEW.state <> 'REVERSED'
BEGIN
    SELECT RAISE(ABORT, 'bill_period_overlap') WHERE EXISTS (
        SELECT 1 FROM bill b
        WHERE b.agreement_id = NEW.agreement_id AND b.kind = 'REGULAR' AND b.state <> 'REVERSED' AND b.from_date < NEW.to_date AND NEW.from_date < b.to_date);
END
--;
CREATE TRIGGER bill_immutable BEFORE UPDATE ON bill
WHEN OLD.state = 'REVERSED' OR NEW.id IS NOT OLD.id OR NEW.bill_no IS NOT OLD.bill_no OR NEW.kind IS NOT OLD.kind OR NEW.agreement_id IS NOT OLD.agreement_id
    OR NEW.account_id IS NOT OLD.account_id OR NEW.party_id IS NOT OLD.party_id OR NEW.branch IS NOT OLD.branch OR NEW.from_date IS NOT OLD.from_date
    OR NEW.to_date IS NOT OLD.to_date OR NEW.from_index IS NOT OLD.from_index OR NEW.to_index IS NOT OLD.to_index OR NEW.volume IS NOT OLD.volume
    OR NEW.volume_before IS NOT OLD.volume_before OR NEW.tier_year IS NOT OLD.tier_year OR NEW.tariff_id IS NOT OLD.tariff_id OR NEW.amount IS NOT OLD.amount
    OR NEW.issue_date IS NOT OLD.issue_date OR NEW.due_date IS NOT OLD.due_date
BEGIN SELECT RAISE(ABORT, 'bill_is_immutable'); END
--;
CREATE TRIGGER bill_no_delete BEFORE DELETE ON bill BEGIN SELECT RAISE(ABORT, 'bill_is_immutable'); END
--;
CREATE TRIGGER bill_line_no_update BEFORE UPDATE ON bill_line BEGIN SELECT RAISE(ABORT, 'bill_line_is_append_only'); END
--;
CREATE TRIGGER bill_line_no_delete BEFORE DELETE ON bill_line BEGIN SELECT RAISE(ABORT, 'bill_line_is_append_only'); END
--;
CREATE TRIGGER fee_item_no_overlap BEFORE INSERT ON fee_item
BEGIN
    SELECT RAISE(ABORT, 'fee_item_overlap') WHERE EXISTS (
        SELECT 1 FROM fee_item f
        WHERE f.code = NEW.code AND (f.until_date IS NULL OR f.until_date > NEW.from_date) AND (f.until_date IS NULL OR f.until_date > f.from_date)
        AND (NEW.until_date IS NULL OR NEW.until_date > f.from_date));
END
--;
CREATE TRIGGER fee_item_immutable BEFORE UPDATE ON fee_item
WHEN NEW.until_date IS NULL OR (OLD.until_date IS NOT NULL AND NEW.until_date > OLD.until_date) OR NEW.id IS NOT OLD.id OR NEW.code IS NOT OLD.code
    OR NEW.version IS NOT OLD.version OR NEW.name IS NOT OLD.name OR NEW.unit IS NOT OLD.unit OR NEW.price IS NOT OLD.price
    OR NEW.legal_basis IS NOT OLD.legal_basis OR NEW.approving_body IS NOT OLD.approving_body OR NEW.from_date IS NOT OLD.from_date
    OR NEW.customer_classes IS NOT OLD.customer_classes
BEGIN SELECT RAISE(ABORT, 'fee_item_is_immutable'); END
--;
CREATE TRIGGER fee_item_no_delete BEFORE DELETE ON fee_item BEGIN SELECT RAISE(ABORT, 'fee_item_is_immutable'); END
--;
CREATE TRIGGER profile_no_update BEFORE UPDATE ON profile BEGIN SELECT RAISE(ABORT, 'profile_is_append_only'); END
--;
CREATE TRIGGER profile_no_delete BEFORE DELETE ON profile BEGIN SELECT RAISE(ABORT, 'profile_is_append_only'); END
--;
CREATE TRIGGER late_fee_entry_no_update BEFORE UPDATE ON late_fee_entry BEGIN SELECT RAISE(ABORT, 'late_fee_entry_is_append_only'); END
--;
CREATE TRIGGER late_fee_entry_no_delete BEFORE DELETE ON late_fee_entry BEGIN SELECT RAISE(ABORT, 'late_fee_entry_is_append_only'); END
--;
CREATE TRIGGER dunning_step_no_update BEFORE UPDATE ON dunning_step BEGIN SELECT RAISE(ABORT, 'dunning_step_is_append_only'); END
--;
CREATE TRIGGER dunning_step_no_delete BEFORE DELETE ON dunning_step BEGIN SELECT RAISE(ABORT, 'dunning_step_is_append_only'); END
-- postgres
ALTER TABLE bill ALTER COLUMN tariff_id DROP NOT NULL, ALTER COLUMN installation_id DROP NOT NULL, ALTER COLUMN reading_id DROP NOT NULL,
    ALTER COLUMN run_id DROP NOT NULL, ADD COLUMN fee_item_id uuid, ADD COLUMN delivered_date date
--;
ALTER TABLE bill_line ALTER COLUMN tariff_id DROP NOT NULL
--;
ALTER TABLE fee_item ADD CONSTRAINT fee_item_overlap EXCLUDE USING gist (code WITH =, daterange(from_date, until_date, '[)') WITH &&)
--;
CREATE FUNCTION fee_item_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'fee_item_is_immutable';
END $$
--;
CREATE TRIGGER fee_item_immutable BEFORE UPDATE ON fee_item FOR EACH ROW
WHEN (NEW.until_date IS NULL OR (OLD.until_date IS NOT NULL AND NEW.until_date > OLD.until_date) OR NEW.id <> OLD.id OR NEW.code <> OLD.code
    OR NEW.version <> OLD.version OR NEW.name <> OLD.name OR NEW.unit <> OLD.unit OR NEW.price <> OLD.price
    OR NEW.legal_basis <> OLD.legal_basis OR NEW.approving_body <> OLD.approving_body OR NEW.from_date <> OLD.from_date
    OR NEW.customer_classes <> OLD.customer_classes)
EXECUTE FUNCTION fee_item_is_immutable()
--;
CREATE TRIGGER fee_item_no_delete BEFORE DELETE ON fee_item FOR EACH ROW EXECUTE FUNCTION fee_item_is_immutable()
--;
CREATE TRIGGER profile_no_change BEFORE UPDATE OR DELETE ON profile FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER late_fee_entry_no_change BEFORE UPDATE OR DELETE ON late_fee_entry FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER dunning_step_no_change BEFORE UPDATE OR DELETE ON dunning_step FOR EACH ROW EXECUTE FUNCTION append_only()
-- both
CREATE INDEX bill_due_open ON bill (due_date) WHERE state = 'ISSUED' OR state = 'PARTLY_PAID'
--;
CREATE INDEX bill_fee_item ON bill (fee_item_id) WHERE fee_item_id IS NOT NULL
