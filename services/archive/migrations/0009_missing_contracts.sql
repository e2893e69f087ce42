-- both
CREATE TABLE missing_contract (
    id uuid NOT NULL PRIMARY KEY,
    agreement_id uuid NOT NULL REFERENCES agreement (id),
    branch text NOT NULL,
    since_date date NOT NULL,
    bill_id uuid NOT NULL,
    bill_no text NOT NULL,
    opened_at bigint NOT NULL,
    closed_at bigint,
    outcome text,
    version bigint NOT NULL,
    CONSTRAINT missing_contract_outcome CHECK (outcome IN ('CONTRACT_IN_FORCE', 'SUPPLY_ENDED', 'BILLED_IN_ERROR')),
    CONSTRAINT missing_contract_closed CHECK ((closed_at IS NULL) = (outcome IS NULL))
)
--;
CREATE UNIQUE INDEX missing_contract_open_unique ON missing_contract (agreement_id) WHERE closed_at IS NULL
