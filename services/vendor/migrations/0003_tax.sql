-- both
ALTER TABLE vendor_rate ADD COLUMN tax integer NOT NULL DEFAULT 0
