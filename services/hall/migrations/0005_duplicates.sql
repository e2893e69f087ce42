-- both
DROP INDEX complaint_master_unique
--;
CREATE UNIQUE INDEX complaint_master_unique ON complaint (branch, reporter_key, utility, category)
    WHERE reporter_key <> '' AND category IS NOT NULL AND state NOT IN ('RECEIVED', 'LINKED', 'CLOSED')
