-- postgres
CREATE EXTENSION IF NOT EXISTS btree_gist
-- both
CREATE TABLE account (
    id uuid NOT NULL PRIMARY KEY,
    account_no text NOT NULL,
    party_id uuid NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    CONSTRAINT account_no_unique UNIQUE (account_no)
)
--;
CREATE TABLE supply (
    id uuid NOT NULL PRIMARY KEY,
    agreement_no text NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    party_id uuid NOT NULL,
    branch text NOT NULL,
    service text NOT NULL,
    state text NOT NULL,
    from_date date,
    end_date date,
    opened_date date
)
--;
CREATE INDEX supply_account ON supply (account_id)
--;
CREATE INDEX supply_account_no ON supply (account_no)
--;
CREATE TABLE supply_term (
    id uuid NOT NULL PRIMARY KEY,
    agreement_id uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    from_date date NOT NULL,
    until_date date,
    CONSTRAINT supply_term_order CHECK (until_date IS NULL OR until_date > from_date)
)
--;
CREATE INDEX supply_term_agreement ON supply_term (agreement_id)
--;
CREATE TABLE meter (
    id uuid NOT NULL PRIMARY KEY,
    meter_no text NOT NULL,
    kind text NOT NULL,
    model text NOT NULL,
    qmax bigint NOT NULL,
    digits integer NOT NULL,
    manufacturer text NOT NULL,
    seal_no text NOT NULL,
    verified_date date,
    expires_date date,
    branch text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT meter_no_unique UNIQUE (meter_no)
)
--;
CREATE TABLE installation (
    id uuid NOT NULL PRIMARY KEY,
    meter_id uuid NOT NULL REFERENCES meter (id),
    meter_no text NOT NULL,
    agreement_id uuid NOT NULL,
    account_no text NOT NULL,
    branch text NOT NULL,
    from_date date NOT NULL,
    end_date date,
    initial_index bigint NOT NULL,
    final_index bigint,
    photo_file text NOT NULL,
    signed boolean NOT NULL,
    awaits_opening boolean NOT NULL,
    end_reason text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT installation_order CHECK (end_date IS NULL OR end_date >= from_date)
)
--;
CREATE UNIQUE INDEX installation_meter_live_unique ON installation (meter_id) WHERE end_date IS NULL
--;
CREATE UNIQUE INDEX installation_agreement_live_unique ON installation (agreement_id) WHERE end_date IS NULL
--;
CREATE INDEX installation_agreement ON installation (agreement_id)
--;
CREATE INDEX installation_meter ON installation (meter_id)
--;
CREATE TABLE reading (
    id uuid NOT NULL PRIMARY KEY,
    meter_id uuid NOT NULL,
    meter_no text NOT NULL,
    installation_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    branch text NOT NULL,
    read_at bigint NOT NULL,
    read_date date NOT NULL,
    value bigint NOT NULL,
    raw text NOT NULL,
    source text NOT NULL,
    recorded_by text NOT NULL,
    state text NOT NULL,
    conflict boolean NOT NULL,
    rollover boolean NOT NULL,
    codes text NOT NULL,
    exception_id uuid,
    created_at bigint NOT NULL,
    CONSTRAINT reading_not_negative CHECK (value >= 0)
)
--;
CREATE UNIQUE INDEX reading_value_unique ON reading (meter_id, read_at, value)
--;
CREATE UNIQUE INDEX reading_moment_unique ON reading (meter_id, read_at) WHERE NOT conflict AND state <> 'REJECTED' AND state <> 'CORRECTED'
--;
CREATE INDEX reading_installation ON reading (installation_id, read_date)
--;
CREATE INDEX reading_exception_of ON reading (exception_id) WHERE exception_id IS NOT NULL
--;
CREATE TABLE reading_exception (
    id uuid NOT NULL PRIMARY KEY,
    codes text NOT NULL,
    state text NOT NULL,
    meter_no text NOT NULL,
    account_no text NOT NULL,
    installation_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    branch text NOT NULL,
    date date NOT NULL,
    volume bigint,
    largest_before bigint,
    smallest_before bigint,
    recorded_by text NOT NULL,
    decided_by text NOT NULL,
    grounds text NOT NULL,
    created_at bigint NOT NULL,
    decided_at bigint,
    version bigint NOT NULL
)
--;
CREATE UNIQUE INDEX reading_missing_unique ON reading_exception (installation_id, date) WHERE codes = 'MISSING'
--;
CREATE UNIQUE INDEX contract_missing_unique ON reading_exception (agreement_id) WHERE codes = 'CONTRACT_MISSING' AND state = 'OPEN'
--;
CREATE INDEX reading_exception_meter ON reading_exception (meter_no)
--;
CREATE TABLE tariff (
    id uuid NOT NULL PRIMARY KEY,
    name text NOT NULL,
    commodity text NOT NULL,
    from_date date NOT NULL,
    until_date date,
    legal_basis text NOT NULL,
    approved_by text NOT NULL,
    published_date date NOT NULL,
    year_start_month integer NOT NULL,
    year_start_day integer NOT NULL,
    boundary text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT tariff_legal_basis CHECK (length(legal_basis) >= 4),
    CONSTRAINT tariff_order CHECK (until_date IS NULL OR until_date > from_date)
)
--;
CREATE TABLE tariff_price (
    id uuid NOT NULL PRIMARY KEY,
    tariff_id uuid NOT NULL REFERENCES tariff (id),
    commodity text NOT NULL,
    use_class text NOT NULL,
    from_date date NOT NULL,
    until_date date,
    terms text NOT NULL
)
--;
CREATE INDEX tariff_price_tariff ON tariff_price (tariff_id)
--;
CREATE TABLE bill_run (
    id uuid NOT NULL PRIMARY KEY,
    job_id uuid NOT NULL,
    year integer NOT NULL,
    month integer NOT NULL,
    branch text NOT NULL,
    due_days integer NOT NULL,
    state text NOT NULL,
    reached uuid,
    expected bigint NOT NULL,
    produced bigint NOT NULL,
    already bigint NOT NULL,
    held bigint NOT NULL,
    missing bigint NOT NULL,
    parked bigint NOT NULL,
    skipped bigint NOT NULL,
    not_due bigint NOT NULL,
    amount bigint NOT NULL,
    created_at bigint NOT NULL,
    finished_at bigint
)
--;
CREATE TABLE bill_run_item (
    id uuid NOT NULL PRIMARY KEY,
    run_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    account_no text NOT NULL,
    branch text NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL
)
--;
CREATE UNIQUE INDEX bill_run_item_unique ON bill_run_item (run_id, agreement_id)
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
    tariff_id uuid NOT NULL,
    amount bigint NOT NULL,
    paid bigint NOT NULL,
    issue_date date NOT NULL,
    due_date date NOT NULL,
    de_facto boolean NOT NULL,
    low_income boolean NOT NULL,
    persons integer NOT NULL,
    installation_id uuid NOT NULL,
    reading_id uuid NOT NULL,
    run_id uuid NOT NULL,
    credit_note_no text NOT NULL,
    created_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT bill_no_unique UNIQUE (bill_no),
    CONSTRAINT bill_days CHECK (from_date < to_date),
    CONSTRAINT bill_paid CHECK (amount >= 0 AND paid >= 0 AND paid <= amount),
    CONSTRAINT bill_volume CHECK (volume >= 0 AND volume_before >= 0)
)
--;
CREATE INDEX bill_agreement ON bill (agreement_id)
--;
CREATE INDEX bill_account_open ON bill (account_id) WHERE state = 'ISSUED' OR state = 'PARTLY_PAID'
--;
CREATE INDEX bill_account_no ON bill (account_no)
--;
CREATE INDEX bill_party ON bill (party_id)
--;
CREATE TABLE bill_line (
    bill_id uuid NOT NULL,
    ordinal integer NOT NULL,
    tier integer NOT NULL,
    volume bigint NOT NULL,
    price bigint NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    tariff_id uuid NOT NULL,
    tier_year integer NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    PRIMARY KEY (bill_id, ordinal)
)
--;
CREATE TABLE tier_use (
    bill_id uuid NOT NULL,
    tier_year integer NOT NULL,
    agreement_id uuid NOT NULL,
    volume bigint NOT NULL,
    PRIMARY KEY (bill_id, tier_year)
)
--;
CREATE INDEX tier_use_agreement ON tier_use (agreement_id, tier_year)
--;
CREATE TABLE credit_note (
    id uuid NOT NULL PRIMARY KEY,
    credit_note_no text NOT NULL,
    bill_id uuid NOT NULL,
    branch text NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    issued_by text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT credit_note_no_unique UNIQUE (credit_note_no),
    CONSTRAINT credit_note_bill_unique UNIQUE (bill_id)
)
--;
CREATE TABLE payment (
    id uuid NOT NULL PRIMARY KEY,
    receipt_no text NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    party_id uuid NOT NULL,
    branch text NOT NULL,
    amount bigint NOT NULL,
    unallocated bigint NOT NULL,
    channel text NOT NULL,
    channel_reference text NOT NULL,
    state text NOT NULL,
    taken_by text NOT NULL,
    taken_at bigint NOT NULL,
    reversal_reason text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT payment_reference_unique UNIQUE (channel, channel_reference),
    CONSTRAINT payment_receipt_no_unique UNIQUE (receipt_no),
    CONSTRAINT payment_amount CHECK (amount > 0 AND unallocated >= 0 AND unallocated <= amount)
)
--;
CREATE INDEX payment_account ON payment (account_id)
--;
CREATE INDEX payment_party ON payment (party_id)
--;
CREATE TABLE allocation (
    id uuid NOT NULL PRIMARY KEY,
    payment_id uuid NOT NULL,
    bill_id uuid NOT NULL,
    bill_no text NOT NULL,
    amount bigint NOT NULL,
    created_at bigint NOT NULL
)
--;
CREATE INDEX allocation_payment ON allocation (payment_id)
--;
CREATE INDEX allocation_bill ON allocation (bill_id)
--;
CREATE TABLE ledger_transaction (
    id uuid NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    reference uuid NOT NULL,
    branch text NOT NULL,
    date date NOT NULL,
    posted_at bigint NOT NULL,
    sealed boolean NOT NULL
)
--;
CREATE TABLE ledger_entry (
    id uuid NOT NULL PRIMARY KEY,
    transaction_id uuid NOT NULL,
    book text NOT NULL,
    detail text NOT NULL,
    account_id uuid,
    amount bigint NOT NULL
)
--;
CREATE INDEX ledger_entry_transaction ON ledger_entry (transaction_id)
--;
CREATE INDEX ledger_entry_account ON ledger_entry (account_id)
-- sqlite
CREATE TRIGGER tariff_no_overlap BEFORE INSERT ON tariff_price
BEGIN
    SELECT RAISE(ABORT, 'tariff_overlap') WHERE EXISTS (
        SELECT 1 FROM tariff_price p
        WHERE p.commodity = NEW.commodity AND p.use_class = NEW.use_class
        AND (p.until_date IS NULL OR p.until_date > NEW.from_date) AND (NEW.until_date IS NULL OR NEW.until_date > p.from_date));
END
--;
CREATE TRIGGER tariff_price_immutable BEFORE UPDATE ON tariff_price
WHEN OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.until_date <= OLD.from_date OR NEW.id IS NOT OLD.id OR NEW.tariff_id IS NOT OLD.tariff_id
    OR NEW.commodity IS NOT OLD.commodity OR NEW.use_class IS NOT OLD.use_class OR NEW.from_date IS NOT OLD.from_date OR NEW.terms IS NOT OLD.terms
BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
--;
CREATE TRIGGER tariff_price_no_delete BEFORE DELETE ON tariff_price BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
--;
CREATE TRIGGER tariff_immutable BEFORE UPDATE ON tariff
WHEN OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.id IS NOT OLD.id OR NEW.from_date IS NOT OLD.from_date OR NEW.legal_basis IS NOT OLD.legal_basis
    OR NEW.published_date IS NOT OLD.published_date OR NEW.boundary IS NOT OLD.boundary OR NEW.year_start_month IS NOT OLD.year_start_month OR NEW.year_start_day IS NOT OLD.year_start_day
BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
--;
CREATE TRIGGER tariff_no_delete BEFORE DELETE ON tariff BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
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
CREATE TRIGGER allocation_no_update BEFORE UPDATE ON allocation BEGIN SELECT RAISE(ABORT, 'allocation_is_append_only'); END
--;
CREATE TRIGGER allocation_no_delete BEFORE DELETE ON allocation BEGIN SELECT RAISE(ABORT, 'allocation_is_append_only'); END
--;
CREATE TRIGGER payment_no_delete BEFORE DELETE ON payment BEGIN SELECT RAISE(ABORT, 'payment_is_append_only'); END
--;
CREATE TRIGGER ledger_transaction_unsealed BEFORE INSERT ON ledger_transaction WHEN NEW.sealed
BEGIN SELECT RAISE(ABORT, 'ledger_is_sealed_last'); END
--;
CREATE TRIGGER ledger_transaction_seal BEFORE UPDATE ON ledger_transaction
BEGIN
    SELECT RAISE(ABORT, 'ledger_transaction_is_append_only') WHERE OLD.sealed OR NOT NEW.sealed OR NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind
        OR NEW.reference IS NOT OLD.reference OR NEW.branch IS NOT OLD.branch OR NEW.date IS NOT OLD.date OR NEW.posted_at IS NOT OLD.posted_at;
    SELECT RAISE(ABORT, 'ledger_balance') WHERE (SELECT count(*) < 2 OR sum(amount) <> 0 FROM ledger_entry WHERE transaction_id = NEW.id);
END
--;
CREATE TRIGGER ledger_transaction_no_delete BEFORE DELETE ON ledger_transaction BEGIN SELECT RAISE(ABORT, 'ledger_transaction_is_append_only'); END
--;
CREATE TRIGGER ledger_entry_of_unsealed BEFORE INSERT ON ledger_entry
BEGIN
    SELECT RAISE(ABORT, 'ledger_entry_is_append_only') WHERE NOT EXISTS (SELECT 1 FROM ledger_transaction WHERE id = NEW.transaction_id AND NOT sealed);
END
--;
CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry_is_append_only'); END
--;
CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry_is_append_only'); END
-- postgres
ALTER TABLE tariff_price ADD CONSTRAINT tariff_overlap
    EXCLUDE USING gist (commodity WITH =, use_class WITH =, daterange(from_date, until_date, '[)') WITH &&)
--;
CREATE FUNCTION tariff_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tariff_is_immutable';
END $$
--;
CREATE TRIGGER tariff_price_immutable BEFORE UPDATE ON tariff_price FOR EACH ROW
WHEN (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.until_date <= OLD.from_date OR NEW.id <> OLD.id OR NEW.tariff_id <> OLD.tariff_id
    OR NEW.commodity <> OLD.commodity OR NEW.use_class <> OLD.use_class OR NEW.from_date <> OLD.from_date OR NEW.terms <> OLD.terms)
EXECUTE FUNCTION tariff_is_immutable()
--;
CREATE TRIGGER tariff_price_no_delete BEFORE DELETE ON tariff_price FOR EACH ROW EXECUTE FUNCTION tariff_is_immutable()
--;
CREATE TRIGGER tariff_immutable BEFORE UPDATE ON tariff FOR EACH ROW
WHEN (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.id <> OLD.id OR NEW.from_date <> OLD.from_date OR NEW.legal_basis <> OLD.legal_basis
    OR NEW.published_date <> OLD.published_date OR NEW.boundary <> OLD.boundary OR NEW.year_start_month <> OLD.year_start_month OR NEW.year_start_day <> OLD.year_start_day)
EXECUTE FUNCTION tariff_is_immutable()
--;
CREATE TRIGGER tariff_no_delete BEFORE DELETE ON tariff FOR EACH ROW EXECUTE FUNCTION tariff_is_immutable()
--;
ALTER TABLE bill ADD CONSTRAINT bill_period_overlap
    EXCLUDE USING gist (agreement_id WITH =, daterange(from_date, to_date, '[)') WITH &&) WHERE (kind = 'REGULAR' AND state <> 'REVERSED')
--;
CREATE FUNCTION bill_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'bill_is_immutable';
END $$
--;
CREATE TRIGGER bill_immutable BEFORE UPDATE ON bill FOR EACH ROW
WHEN (OLD.state = 'REVERSED' OR NEW.id <> OLD.id OR NEW.bill_no <> OLD.bill_no OR NEW.kind <> OLD.kind OR NEW.agreement_id <> OLD.agreement_id
    OR NEW.account_id <> OLD.account_id OR NEW.party_id <> OLD.party_id OR NEW.branch <> OLD.branch OR NEW.from_date <> OLD.from_date
    OR NEW.to_date <> OLD.to_date OR NEW.from_index <> OLD.from_index OR NEW.to_index <> OLD.to_index OR NEW.volume <> OLD.volume
    OR NEW.volume_before <> OLD.volume_before OR NEW.tier_year <> OLD.tier_year OR NEW.tariff_id <> OLD.tariff_id OR NEW.amount <> OLD.amount
    OR NEW.issue_date <> OLD.issue_date OR NEW.due_date <> OLD.due_date)
EXECUTE FUNCTION bill_is_immutable()
--;
CREATE TRIGGER bill_no_delete BEFORE DELETE ON bill FOR EACH ROW EXECUTE FUNCTION bill_is_immutable()
--;
CREATE TRIGGER bill_line_no_change BEFORE UPDATE OR DELETE ON bill_line FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER allocation_no_change BEFORE UPDATE OR DELETE ON allocation FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER payment_no_delete BEFORE DELETE ON payment FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE FUNCTION ledger_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lines bigint;
    total numeric;
    closed boolean;
BEGIN
    SELECT count(*), coalesce(sum(amount), 0) INTO lines, total FROM ledger_entry WHERE transaction_id = NEW.id;
    IF lines < 2 OR total <> 0 THEN
        RAISE EXCEPTION 'ledger_balance';
    END IF;
    SELECT sealed INTO closed FROM ledger_transaction WHERE id = NEW.id;
    IF NOT closed THEN
        RAISE EXCEPTION 'ledger_is_not_sealed';
    END IF;
    RETURN NULL;
END $$
--;
CREATE CONSTRAINT TRIGGER ledger_balance AFTER INSERT ON ledger_transaction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balance()
--;
CREATE FUNCTION ledger_is_sealed_last() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger_is_sealed_last';
END $$
--;
CREATE TRIGGER ledger_transaction_unsealed BEFORE INSERT ON ledger_transaction FOR EACH ROW WHEN (NEW.sealed) EXECUTE FUNCTION ledger_is_sealed_last()
--;
CREATE TRIGGER ledger_transaction_no_update BEFORE UPDATE ON ledger_transaction FOR EACH ROW
WHEN (OLD.sealed OR NOT NEW.sealed OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.reference <> OLD.reference OR NEW.branch <> OLD.branch
    OR NEW.date <> OLD.date OR NEW.posted_at <> OLD.posted_at)
EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER ledger_transaction_no_delete BEFORE DELETE ON ledger_transaction FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE FUNCTION ledger_entry_of_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a LEFT JOIN ledger_transaction t ON t.id = a.transaction_id WHERE t.id IS NULL OR t.sealed) THEN
        RAISE EXCEPTION 'ledger_entry_is_append_only';
    END IF;
    RETURN NULL;
END $$
--;
CREATE TRIGGER ledger_entry_of_unsealed AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_of_unsealed()
--;
CREATE TRIGGER ledger_entry_no_change BEFORE UPDATE OR DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION append_only()
