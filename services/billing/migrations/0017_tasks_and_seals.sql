-- both
DELETE FROM reading_task WHERE state <> 'DROPPED' AND EXISTS (SELECT 1 FROM reading_task o
    WHERE o.installation_id = reading_task.installation_id AND o.from_date = reading_task.from_date AND o.state <> 'DROPPED' AND o.id <> reading_task.id
    AND (CASE o.state WHEN 'READ' THEN 2 WHEN 'DUE' THEN 0 ELSE 1 END > CASE reading_task.state WHEN 'READ' THEN 2 WHEN 'DUE' THEN 0 ELSE 1 END
    OR (CASE o.state WHEN 'READ' THEN 2 WHEN 'DUE' THEN 0 ELSE 1 END = CASE reading_task.state WHEN 'READ' THEN 2 WHEN 'DUE' THEN 0 ELSE 1 END
    AND o.id < reading_task.id)))
--;
CREATE UNIQUE INDEX reading_task_cycle_unique ON reading_task (installation_id, from_date) WHERE state <> 'DROPPED'
--;
UPDATE meter SET seal_no = '', version = version + 1 WHERE seal_no <> '' AND EXISTS (SELECT 1 FROM meter_seal s WHERE s.meter_id = meter.id)
    AND NOT EXISTS (SELECT 1 FROM meter_seal s WHERE s.meter_id = meter.id AND s.end_date IS NULL)
-- sqlite
INSERT INTO meter_seal (id, meter_id, meter_no, seal_no, branch, from_date, end_date, broken, recorded_by, created_at)
    SELECT m.id, m.id, m.meter_no, m.seal_no, m.branch, coalesce(m.verified_date, m.made_date, date(m.created_at / 1000000 + 28800, 'unixepoch')), NULL, false, '', m.created_at
    FROM meter m WHERE m.seal_no <> '' AND NOT EXISTS (SELECT 1 FROM meter_seal s WHERE s.meter_id = m.id) ORDER BY m.created_at, m.id ON CONFLICT DO NOTHING
-- postgres
INSERT INTO meter_seal (id, meter_id, meter_no, seal_no, branch, from_date, end_date, broken, recorded_by, created_at)
    SELECT m.id, m.id, m.meter_no, m.seal_no, m.branch,
    coalesce(m.verified_date, m.made_date, (to_timestamp(m.created_at / 1000000) AT TIME ZONE 'Asia/Shanghai')::date), NULL, false, '', m.created_at
    FROM meter m WHERE m.seal_no <> '' AND NOT EXISTS (SELECT 1 FROM meter_seal s WHERE s.meter_id = m.id) ORDER BY m.created_at, m.id ON CONFLICT DO NOTHING
