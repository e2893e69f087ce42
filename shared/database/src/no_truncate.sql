DO $$
DECLARE
    kept record;
BEGIN
    -- 8 is a trigger on DELETE, 32 one on TRUNCATE (pg_trigger.tgtype).
    FOR kept IN
        SELECT DISTINCT t.tgrelid::regclass AS name FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND t.tgtype & 8 <> 0 AND c.relnamespace = current_schema()::regnamespace
            AND (p.proname = 'append_only' OR p.proname LIKE '%\_is\_immutable')
            AND NOT EXISTS (SELECT 1 FROM pg_trigger o WHERE o.tgrelid = t.tgrelid AND o.tgtype & 32 <> 0)
    LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION append_only()', kept.name);
    END LOOP;
END $$
