-- both
ALTER TABLE person ADD COLUMN replaces_id uuid REFERENCES person (id)
--;
ALTER TABLE person ADD COLUMN registrar text NOT NULL DEFAULT ''
--;
ALTER TABLE person ADD COLUMN approver text
--;
ALTER TABLE person ADD COLUMN approval_opinion text NOT NULL DEFAULT ''
--;
ALTER TABLE person ADD COLUMN ended_date date
--;
DROP INDEX person_id_number_unique
--;
CREATE UNIQUE INDEX person_id_number_unique ON person (vendor_id, id_number_blind) WHERE state IN ('ACTIVE', 'AWAITING_APPROVAL')
