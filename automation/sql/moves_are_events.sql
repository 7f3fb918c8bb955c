-- A move is an event: whatever appends to journey_logs, the event stands beside the row at the end of
-- the same statement, once (its key is the row's id). A service, psql and a bulk insert alike: a
-- rule that follows moves cannot be passed by, and nobody pays another round trip for it.
CREATE FUNCTION kura_moves_are_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off  -- as in journey_door.sql
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF TG_RELID <> 'public.journey_logs'::regclass THEN
        PERFORM kura_refuse('journey_log_append_only', 'moves are in journey_logs');
    END IF;
    PERFORM FROM kura_record_events((
        SELECT json_agg(json_build_object(
            'id', kura_time_ordered_uuid(),
            'organization_id', m.organization_id,
            'event_type', CASE WHEN m.from_stage IS NULL THEN 'JOURNEY_ENROLLED'
                ELSE 'JOURNEY_STAGE_CHANGED' END,
            'patient_id', m.patient_id,
            'journey_key', m.journey_key,
            'source', 'system:transitions',
            'idempotency_key', m.id::text,
            'occurred_at', m.changed_at,
            'parent_event_id', m.trigger_event_id,
            'payload', json_strip_nulls(json_build_object(
                'log_id', m.id, 'from_stage', m.from_stage, 'to_stage', m.to_stage,
                'actor_kind', m.actor_kind)),
            'subject', json_build_object('id', m.patient_id),
            'derived', TRUE) ORDER BY m.id)
        FROM moves m));
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION kura_moves_are_events() FROM PUBLIC;

CREATE TRIGGER moves_are_events AFTER INSERT ON journey_logs
    REFERENCING NEW TABLE AS moves
    FOR EACH STATEMENT EXECUTE FUNCTION kura_moves_are_events();
ALTER TABLE journey_logs ENABLE ALWAYS TRIGGER moves_are_events;
