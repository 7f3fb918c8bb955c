-- The guards are called by their triggers and by nobody else. A function that runs as its owner and
-- that anybody may call could be hung on a table of theirs and be made to move patients.
DO $$
DECLARE
    guard regprocedure;
BEGIN
    FOR guard IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace
            AND p.proname LIKE 'kura\_%' AND p.prorettype = 'trigger'::regtype
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', guard);
    END LOOP;
END $$;
