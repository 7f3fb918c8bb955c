-- Where patients stand in one journey, read under the patients' locks (taken in order of their
-- ids, so two bulk moves cannot deadlock). The lock comes first and the reading second, each with
-- a snapshot of its own: what was committed while this waited is seen.
-- home: only patients of this organization; NULL means of any.
CREATE FUNCTION kura_journey_position(home uuid, patient_ids uuid[], key text)
RETURNS TABLE (
    patient_id uuid, organization_id uuid,
    template_id uuid, template_version integer, template_settled boolean,
    enrollment_id uuid, number integer, stage varchar, status varchar, entered_at timestamptz,
    blocked_from varchar, seq integer, closed_at timestamptz
)
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off  -- as in journey_door.sql
SET plan_cache_mode = force_generic_plan  -- planning anew for each call costs more than the call
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM patients p
    WHERE p.id = ANY (patient_ids) AND (home IS NULL OR p.organization_id = home)
    ORDER BY p.id
    FOR NO KEY UPDATE;
    RETURN QUERY
    SELECT p.id, p.organization_id,
        t.id, t.version,
        t.version_txid IS DISTINCT FROM pg_current_xact_id_if_assigned()::text::bigint,
        e.id, e.number, e.stage, e.status, e.entered_at, e.blocked_from, e.seq, e.closed_at
    FROM patients p
    LEFT JOIN journey_templates t ON t.organization_id = p.organization_id AND t.key = $3
    LEFT JOIN LATERAL (
        SELECT * FROM journey_enrollments n
        WHERE n.patient_id = p.id AND n.journey_key = $3
        ORDER BY n.number DESC LIMIT 1
    ) e ON TRUE
    WHERE p.id = ANY (patient_ids) AND (home IS NULL OR p.organization_id = home)
    ORDER BY p.id;
END $$;
