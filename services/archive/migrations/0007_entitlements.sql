-- sqlite
DROP TRIGGER entitlement_overlap_insert
--;
DROP TRIGGER entitlement_overlap_update
--;
DROP INDEX entitlement_agreement
--;
ALTER TABLE entitlement RENAME TO entitlement_before
--;
CREATE TABLE entitlement (
    id uuid NOT NULL PRIMARY KEY,
    agreement_id uuid NOT NULL REFERENCES agreement (id),
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    kind text NOT NULL,
    persons integer NOT NULL,
    from_date date NOT NULL,
    until_date date,
    proof_sealed bytea NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    destitute boolean NOT NULL DEFAULT false,
    CONSTRAINT entitlement_kind CHECK (kind IN ('HOUSEHOLD_SIZE', 'LOW_INCOME', 'FLAT_PRICE')),
    CONSTRAINT entitlement_destitute CHECK (NOT destitute OR kind = 'LOW_INCOME'),
    CONSTRAINT entitlement_state CHECK (state IN ('GRANTED', 'WITHDRAWN')),
    CONSTRAINT entitlement_period CHECK (until_date > from_date)
)
--;
INSERT INTO entitlement (id, agreement_id, party_id, branch, kind, persons, from_date, until_date, proof_sealed, state, version, created_at, updated_at)
SELECT id, agreement_id, party_id, branch, kind, persons, from_date, until_date, proof_sealed, state, version, created_at, updated_at FROM entitlement_before
--;
DROP TABLE entitlement_before
--;
CREATE INDEX entitlement_agreement ON entitlement (agreement_id, id)
--;
CREATE TRIGGER entitlement_overlap_insert BEFORE INSERT ON entitlement
WHEN NEW.state <> 'WITHDRAWN' AND EXISTS (
    SELECT 1 FROM entitlement other
    WHERE other.agreement_id = NEW.agreement_id AND other.kind = NEW.kind AND other.state <> 'WITHDRAWN' AND other.id <> NEW.id
    AND (other.until_date IS NULL OR NEW.from_date < other.until_date) AND (NEW.until_date IS NULL OR other.from_date < NEW.until_date)
)
BEGIN SELECT RAISE(ABORT, 'entitlement_overlap'); END
--;
CREATE TRIGGER entitlement_overlap_update BEFORE UPDATE OF agreement_id, kind, state, from_date, until_date ON entitlement
WHEN NEW.state <> 'WITHDRAWN' AND EXISTS (
    SELECT 1 FROM entitlement other
    WHERE other.agreement_id = NEW.agreement_id AND other.kind = NEW.kind AND other.state <> 'WITHDRAWN' AND other.id <> NEW.id
    AND (other.until_date IS NULL OR NEW.from_date < other.until_date) AND (NEW.until_date IS NULL OR other.from_date < NEW.until_date)
)
BEGIN SELECT RAISE(ABORT, 'entitlement_overlap'); END
-- postgres
ALTER TABLE entitlement ADD COLUMN destitute boolean NOT NULL DEFAULT false, DROP CONSTRAINT entitlement_kind,
    ADD CONSTRAINT entitlement_kind CHECK (kind IN ('HOUSEHOLD_SIZE', 'LOW_INCOME', 'FLAT_PRICE')),
    ADD CONSTRAINT entitlement_destitute CHECK (NOT destitute OR kind = 'LOW_INCOME')
