-- both
ALTER TABLE supply ADD COLUMN premises_id uuid
