-- both
ALTER TABLE work_order ADD COLUMN utility text NOT NULL DEFAULT 'GAS'
--;
UPDATE work_order SET utility = 'HEAT' WHERE case_id IN (SELECT id FROM service_case WHERE category IN ('HEAT_QUERY', 'HEAT_LEAK', 'HEAT_STATION_OPINION'))
--;
ALTER TABLE callback_task ADD COLUMN utility text
--;
UPDATE callback_task SET utility = COALESCE(
    (SELECT complaint.utility FROM complaint WHERE complaint.id = callback_task.about_id),
    (SELECT work_order.utility FROM work_order WHERE work_order.id = callback_task.about_id),
    CASE WHEN cause = 'GAS_OPENED' THEN 'GAS' END)
--;
DROP INDEX callback_draw_once
--;
CREATE UNIQUE INDEX callback_draw_once ON callback_draw (about_id, cause, rate_bp)
--;
ALTER TABLE sla_policy ADD COLUMN season_days integer NOT NULL DEFAULT 0
--;
DROP INDEX sla_policy_date_unique
--;
CREATE UNIQUE INDEX sla_policy_date_unique ON sla_policy (subject, clock, season_days, effective_on)
--;
CREATE TABLE heat_season (
    id uuid NOT NULL PRIMARY KEY,
    branch text NOT NULL,
    season text NOT NULL,
    start_on date NOT NULL,
    end_on date NOT NULL
)
--;
CREATE INDEX heat_season_branch ON heat_season (branch, start_on)
--;
CREATE TABLE key_account (
    id uuid NOT NULL PRIMARY KEY,
    branch text NOT NULL,
    manager text NOT NULL,
    live boolean NOT NULL,
    planned_on date
)
--;
CREATE INDEX key_account_live ON key_account (planned_on) WHERE live
--;
ALTER TABLE complaint ADD COLUMN told_vendor_id uuid
--;
ALTER TABLE complaint ADD COLUMN told_finding text
--;
UPDATE complaint SET told_vendor_id = vendor_id, told_finding = finding WHERE upheld_told
--;
CREATE INDEX customer_account_party ON customer_account (party_id)
