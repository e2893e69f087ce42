-- both
ALTER TABLE parked_event ADD COLUMN tries integer NOT NULL DEFAULT 1
--;
ALTER TABLE parked_event ADD COLUMN next_at bigint NOT NULL DEFAULT 0
