-- both
ALTER TABLE work_order ADD COLUMN agreement_id uuid
--;
CREATE UNIQUE INDEX work_order_visit_unique ON work_order (agreement_id) WHERE agreement_id IS NOT NULL AND state NOT IN ('COMPLETED', 'CANCELLED')
