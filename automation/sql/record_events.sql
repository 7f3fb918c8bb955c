-- Stores events, each with what it said and its place in the queue, in one call: all of it or
-- nothing, and once per (organization, source, idempotency key), however often it is delivered.
-- A function, so that its plans are kept: planning it anew costs more than running it.
--
-- drafts: [{id, organization_id, event_type, patient_id, journey_key, source, idempotency_key,
--   occurred_at, parent_event_id, payload, subject, derived}]
-- derived: made by Kura from a move; nobody has to look at it unless a rule listens.
-- An event outside the budget of its chain (8 deep, 32 from one root) is kept and goes no further.
CREATE FUNCTION kura_record_events(drafts json)
RETURNS TABLE (event_id uuid, status varchar)
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off  -- as in journey_door.sql
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT d.*,
            coalesce(p.root_event_id, d.id) AS root_id,
            coalesce(p.depth + 1, 0) AS below
        FROM json_to_recordset(drafts) AS d (
            id uuid, organization_id uuid, event_type text, patient_id uuid, journey_key text,
            source text, idempotency_key text, occurred_at timestamptz, parent_event_id uuid,
            payload jsonb, subject jsonb, derived boolean)
        LEFT JOIN system_events p ON p.id = d.parent_event_id
    ), stored AS (
        INSERT INTO system_events AS e (
            id, organization_id, event_type, patient_id, journey_key, source, idempotency_key,
            occurred_at, parent_event_id, root_event_id, depth)
        SELECT id, organization_id, event_type, patient_id, journey_key, source, idempotency_key,
            occurred_at, parent_event_id, root_id, below
        FROM given
        ON CONFLICT ON CONSTRAINT system_event_once DO NOTHING
        RETURNING e.id
    ), told AS (
        INSERT INTO system_event_payloads (event_id, payload, subject, facts)
        SELECT g.id, g.payload, g.subject, '{}' FROM stored s JOIN given g ON g.id = s.id
    ), queued AS (
        INSERT INTO event_dispatches AS q (
            event_id, organization_id, patient_id, status, attempts, next_attempt_at, replay,
            last_error, finished_at)
        SELECT g.id, g.organization_id, g.patient_id, place.status, 0, clock_timestamp(), FALSE,
            CASE place.status WHEN 'skipped' THEN 'loop_budget' ELSE '' END,
            CASE WHEN place.status IN ('skipped', 'done') THEN clock_timestamp() END
        FROM stored s
        JOIN given g ON g.id = s.id
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN g.patient_id IS NULL THEN 'unmatched'
                WHEN g.below > 8 OR (g.below > 0 AND 31 <= (
                    SELECT count(*) FROM system_events k
                    WHERE k.root_event_id = g.root_id AND k.depth > 0)) THEN 'skipped'
                WHEN g.derived AND NOT EXISTS (
                    SELECT FROM automation_rules r
                    WHERE r.organization_id = g.organization_id
                        AND r.trigger_event = g.event_type AND r.is_active) THEN 'done'
                ELSE 'queued'
            END AS status
        ) place
        RETURNING q.event_id, q.status
    )
    SELECT queued.event_id, queued.status FROM queued;
END $$;
