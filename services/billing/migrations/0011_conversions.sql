-- both
CREATE TABLE conversion (
    id uuid NOT NULL PRIMARY KEY,
    installation_id uuid NOT NULL REFERENCES installation (id),
    meter_no text NOT NULL,
    branch text NOT NULL,
    from_date date NOT NULL,
    gauge_pressure bigint NOT NULL,
    air_pressure bigint NOT NULL,
    temperature bigint NOT NULL,
    compressibility bigint NOT NULL,
    factor bigint NOT NULL,
    basis text NOT NULL,
    recorded_by text NOT NULL,
    live boolean NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT conversion_factor CHECK (factor > 0)
)
--;
CREATE UNIQUE INDEX conversion_day_unique ON conversion (installation_id, from_date) WHERE live
--;
CREATE INDEX conversion_meter ON conversion (meter_no, id)
