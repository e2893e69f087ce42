-- both
CREATE TABLE relief (
    id uuid NOT NULL PRIMARY KEY,
    relief_no text NOT NULL,
    agreement_id uuid NOT NULL,
    account_id uuid NOT NULL,
    account_no text NOT NULL,
    party_id uuid NOT NULL,
    branch text NOT NULL,
    tier_year integer NOT NULL,
    turn integer NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    months integer NOT NULL,
    used bigint NOT NULL,
    volume bigint NOT NULL,
    amount bigint NOT NULL,
    returned bigint NOT NULL,
    explanation text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT relief_no_unique UNIQUE (relief_no),
    CONSTRAINT relief_year_unique UNIQUE (agreement_id, tier_year, turn),
    CONSTRAINT relief_turn CHECK (turn > 0),
    CONSTRAINT relief_returned CHECK (returned > 0 AND returned <= amount),
    CONSTRAINT relief_volume CHECK (volume > 0 AND volume <= used)
)
--;
CREATE INDEX relief_account ON relief (account_id)
--;
CREATE INDEX relief_party ON relief (party_id)
--;
CREATE TABLE relief_note (
    relief_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    bill_id uuid NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (relief_id, credit_note_id),
    CONSTRAINT relief_note_amount CHECK (amount > 0)
)
--;
CREATE INDEX supply_term_low_income ON supply_term (agreement_id) WHERE kind = 'LOW_INCOME'
-- sqlite
CREATE TRIGGER relief_no_update BEFORE UPDATE ON relief BEGIN SELECT RAISE(ABORT, 'relief_is_append_only'); END
--;
CREATE TRIGGER relief_no_delete BEFORE DELETE ON relief BEGIN SELECT RAISE(ABORT, 'relief_is_append_only'); END
--;
CREATE TRIGGER relief_note_no_update BEFORE UPDATE ON relief_note BEGIN SELECT RAISE(ABORT, 'relief_note_is_append_only'); END
--;
CREATE TRIGGER relief_note_no_delete BEFORE DELETE ON relief_note BEGIN SELECT RAISE(ABORT, 'relief_note_is_append_only'); END
-- postgres
CREATE TRIGGER relief_no_change BEFORE UPDATE OR DELETE ON relief FOR EACH ROW EXECUTE FUNCTION append_only()
--;
CREATE TRIGGER relief_note_no_change BEFORE UPDATE OR DELETE ON relief_note FOR EACH ROW EXECUTE FUNCTION append_only()
