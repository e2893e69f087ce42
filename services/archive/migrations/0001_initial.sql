-- both
CREATE TABLE party (
    id uuid NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    state text NOT NULL,
    branch text NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    address text NOT NULL,
    id_number_sealed bytea NOT NULL,
    id_number_blind bytea NOT NULL,
    phone_sealed bytea NOT NULL,
    phone_blind bytea NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT party_kind CHECK (kind IN ('PERSON', 'ORGANISATION')),
    CONSTRAINT party_state CHECK (state IN ('PROSPECT', 'ACTIVE', 'DORMANT', 'CLOSED'))
)
--;
CREATE UNIQUE INDEX party_identity_unique ON party (id_number_blind) WHERE state <> 'CLOSED'
--;
CREATE INDEX party_phone ON party (phone_blind)
--;
CREATE INDEX party_branch ON party (branch, id)
--;
CREATE TABLE premises (
    id uuid NOT NULL PRIMARY KEY,
    address text NOT NULL,
    community_code text NOT NULL,
    branch text NOT NULL,
    area bigint,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT premises_area CHECK (area > 0)
)
--;
CREATE INDEX premises_branch ON premises (branch, id)
--;
CREATE INDEX premises_community ON premises (community_code, id)
--;
CREATE INDEX premises_address ON premises (address)
--;
CREATE TABLE service_point (
    id uuid NOT NULL PRIMARY KEY,
    premises_id uuid NOT NULL REFERENCES premises (id),
    service text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT service_point_service CHECK (service IN ('GAS', 'HEAT'))
)
--;
CREATE INDEX service_point_premises ON service_point (premises_id)
--;
CREATE TABLE account (
    id uuid NOT NULL PRIMARY KEY,
    account_no text NOT NULL,
    party_id uuid NOT NULL REFERENCES party (id),
    branch text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT account_no_unique UNIQUE (account_no),
    CONSTRAINT account_state CHECK (state IN ('OPENING', 'OPEN', 'SUSPENDED', 'PAUSED', 'CLOSING', 'CLOSED'))
)
--;
CREATE INDEX account_party ON account (party_id, id)
--;
CREATE INDEX account_branch ON account (branch, id)
--;
CREATE TABLE template (
    id uuid NOT NULL PRIMARY KEY,
    code text NOT NULL,
    service text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT template_code_unique UNIQUE (code),
    CONSTRAINT template_service CHECK (service IN ('GAS', 'HEAT'))
)
--;
CREATE TABLE template_version (
    id uuid NOT NULL PRIMARY KEY,
    template_id uuid NOT NULL REFERENCES template (id),
    version integer NOT NULL,
    title text NOT NULL,
    filed_with_authority_no text NOT NULL,
    effective_date date NOT NULL,
    clauses text NOT NULL,
    published_at bigint NOT NULL,
    CONSTRAINT template_version_unique UNIQUE (template_id, version)
)
--;
CREATE TABLE agreement (
    id uuid NOT NULL PRIMARY KEY,
    agreement_no text NOT NULL,
    account_id uuid NOT NULL REFERENCES account (id),
    account_no text NOT NULL,
    party_id uuid NOT NULL REFERENCES party (id),
    premises_id uuid NOT NULL REFERENCES premises (id),
    service_point_id uuid NOT NULL REFERENCES service_point (id),
    service text NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    live_from date NOT NULL,
    live_until date,
    signed_version integer NOT NULL,
    use_class text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT agreement_no_unique UNIQUE (agreement_no),
    CONSTRAINT agreement_state CHECK (state IN ('SIGNED', 'IN_FORCE', 'ENDED', 'VOIDED')),
    CONSTRAINT agreement_period CHECK (live_until > live_from)
)
--;
CREATE INDEX agreement_account ON agreement (account_id, id)
--;
CREATE INDEX agreement_party ON agreement (party_id, id)
--;
CREATE INDEX agreement_service_point ON agreement (service_point_id, id)
--;
CREATE INDEX agreement_branch ON agreement (branch, id)
--;
CREATE TABLE agreement_version (
    agreement_id uuid NOT NULL REFERENCES agreement (id),
    version integer NOT NULL,
    use_class text NOT NULL,
    from_date date NOT NULL,
    template_id uuid NOT NULL,
    template_version integer NOT NULL,
    sign_method text NOT NULL,
    signed_date date NOT NULL,
    acknowledged text NOT NULL,
    reason text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (agreement_id, version),
    FOREIGN KEY (template_id, template_version) REFERENCES template_version (template_id, version),
    CONSTRAINT agreement_version_method CHECK (sign_method IN ('PAPER', 'ELECTRONIC', 'TAKEN_OVER'))
)
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
    CONSTRAINT entitlement_kind CHECK (kind IN ('HOUSEHOLD_SIZE', 'LOW_INCOME')),
    CONSTRAINT entitlement_state CHECK (state IN ('GRANTED', 'WITHDRAWN')),
    CONSTRAINT entitlement_period CHECK (until_date > from_date)
)
--;
CREATE INDEX entitlement_agreement ON entitlement (agreement_id, id)
-- sqlite
CREATE TRIGGER agreement_overlap_insert BEFORE INSERT ON agreement
WHEN NEW.state <> 'VOIDED' AND EXISTS (
    SELECT 1 FROM agreement other
    WHERE other.service_point_id = NEW.service_point_id AND other.service = NEW.service AND other.state <> 'VOIDED' AND other.id <> NEW.id
    AND (other.live_until IS NULL OR NEW.live_from < other.live_until) AND (NEW.live_until IS NULL OR other.live_from < NEW.live_until)
)
BEGIN SELECT RAISE(ABORT, 'agreement_overlap'); END
--;
CREATE TRIGGER agreement_overlap_update BEFORE UPDATE OF service_point_id, service, state, live_from, live_until ON agreement
WHEN NEW.state <> 'VOIDED' AND EXISTS (
    SELECT 1 FROM agreement other
    WHERE other.service_point_id = NEW.service_point_id AND other.service = NEW.service AND other.state <> 'VOIDED' AND other.id <> NEW.id
    AND (other.live_until IS NULL OR NEW.live_from < other.live_until) AND (NEW.live_until IS NULL OR other.live_from < NEW.live_until)
)
BEGIN SELECT RAISE(ABORT, 'agreement_overlap'); END
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
--;
CREATE TRIGGER agreement_version_no_update BEFORE UPDATE ON agreement_version BEGIN SELECT RAISE(ABORT, 'agreement_version_is_append_only'); END
--;
CREATE TRIGGER agreement_version_no_delete BEFORE DELETE ON agreement_version BEGIN SELECT RAISE(ABORT, 'agreement_version_is_append_only'); END
--;
CREATE TRIGGER template_version_no_update BEFORE UPDATE ON template_version BEGIN SELECT RAISE(ABORT, 'template_version_is_append_only'); END
--;
CREATE TRIGGER template_version_no_delete BEFORE DELETE ON template_version BEGIN SELECT RAISE(ABORT, 'template_version_is_append_only'); END
-- postgres
CREATE EXTENSION IF NOT EXISTS btree_gist
--;
ALTER TABLE agreement ADD CONSTRAINT agreement_overlap
EXCLUDE USING gist (service_point_id WITH =, service WITH =, daterange(live_from, live_until) WITH &&) WHERE (state <> 'VOIDED')
--;
ALTER TABLE entitlement ADD CONSTRAINT entitlement_overlap
EXCLUDE USING gist (agreement_id WITH =, kind WITH =, daterange(from_date, until_date) WITH &&) WHERE (state <> 'WITHDRAWN')
--;
CREATE TRIGGER agreement_version_no_update BEFORE UPDATE ON agreement_version FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER agreement_version_no_delete BEFORE DELETE ON agreement_version FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER template_version_no_update BEFORE UPDATE ON template_version FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER template_version_no_delete BEFORE DELETE ON template_version FOR EACH ROW EXECUTE FUNCTION append_only()
