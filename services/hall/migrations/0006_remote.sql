-- both
ALTER TABLE sla_policy ADD COLUMN remote boolean NOT NULL DEFAULT FALSE
--;
DROP INDEX sla_policy_date_unique
--;
CREATE UNIQUE INDEX sla_policy_date_unique ON sla_policy (subject, clock, season_days, remote, effective_on)
--;
ALTER TABLE service_case ADD COLUMN remote boolean NOT NULL DEFAULT FALSE
--;
ALTER TABLE complaint ADD COLUMN remote boolean NOT NULL DEFAULT FALSE
