-- both
ALTER TABLE reading ADD COLUMN cause text
--;
ALTER TABLE adjustment ADD COLUMN case_id uuid
--;
ALTER TABLE theft_case ADD COLUMN case_id uuid
--;
CREATE INDEX reading_task_agreement ON reading_task (agreement_id, due_date)
--;
CREATE INDEX installation_account ON installation (account_no)
--;
UPDATE reading_task SET state = 'DROPPED', version = version + 1 WHERE state IN ('DUE', 'NO_ACCESS', 'METER_FAULT')
    AND EXISTS (SELECT 1 FROM installation i WHERE i.id = reading_task.installation_id AND i.from_date > reading_task.until_date)
--;
UPDATE sub_meter SET meter_no = (SELECT i.meter_no FROM installation i WHERE i.id = sub_meter.installation_id)
