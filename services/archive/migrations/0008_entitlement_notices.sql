-- both
ALTER TABLE entitlement ADD COLUMN next_mark_on date
-- sqlite
UPDATE entitlement SET next_mark_on = date(until_date, '-61 days') WHERE state = 'GRANTED' AND until_date >= CURRENT_DATE
-- postgres
UPDATE entitlement SET next_mark_on = until_date - 61 WHERE state = 'GRANTED' AND until_date >= CURRENT_DATE
-- both
CREATE INDEX entitlement_mark ON entitlement (next_mark_on) WHERE next_mark_on IS NOT NULL
