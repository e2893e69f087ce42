-- both
CREATE UNIQUE INDEX reading_source_unique ON reading (meter_id, read_at, value, source)
--;
DROP INDEX reading_value_unique
