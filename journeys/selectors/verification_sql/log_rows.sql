-- Every row of the log against the row before it, its enrollment, its template and its cause.
-- Reads the log rows of one range of enrollment ids, known to journey_enrollments or not.
WITH moves AS (
    SELECT l.*,
        coalesce(lag(l.seq) OVER moves_before, 0) + 1 AS next_seq,
        lag(l.to_stage) OVER moves_before AS previous_stage,
        lag(l.changed_at) OVER moves_before AS previous_at,
        row_number() OVER (
            PARTITION BY l.enrollment_id, l.to_stage ORDER BY l.seq, l.id) = 1 AS reaches_first
    FROM journey_logs l
    WHERE l.enrollment_id BETWEEN %(low)s AND %(high)s
    WINDOW moves_before AS (PARTITION BY l.enrollment_id ORDER BY l.seq, l.id)
), placed AS (
    SELECT m.*,
        e.id AS known_enrollment, e.patient_id AS enrolled_patient, e.journey_key AS enrolled_in,
        p.id AS known_patient, p.organization_id AS home,
        here.code AS known_stage,
        before.status AS left_status,
        a.id AS known_actor, a.organization_id AS actor_home,
        v.organization_id AS event_home,
        CASE WHEN isfinite(m.changed_at) AND isfinite(m.previous_at)
            THEN m.changed_at - m.previous_at END AS time_before
    FROM moves m
    LEFT JOIN journey_enrollments e ON e.id = m.enrollment_id
    LEFT JOIN patients p ON p.id = m.patient_id
    LEFT JOIN journey_stages here ON here.template_id = e.template_id AND here.code = m.to_stage
    LEFT JOIN journey_stages before
        ON before.template_id = e.template_id AND before.code = m.previous_stage
    LEFT JOIN users a ON m.actor_kind = 'user' AND a.id = m.actor_id
    LEFT JOIN system_events v ON v.id = m.trigger_event_id
), judged AS (
    SELECT p.*,
        seq <> next_seq AS wrong_seq,
        from_stage IS DISTINCT FROM previous_stage AS wrong_from,
        NOT isfinite(changed_at) OR changed_at < previous_at AS wrong_time,
        dwell IS DISTINCT FROM time_before AS wrong_dwell,
        first_reach <> reaches_first AS wrong_reach,
        known_enrollment IS NULL AS no_enrollment,
        known_patient IS NULL AS no_patient,
        patient_id <> enrolled_patient AS wrong_patient,
        journey_key <> enrolled_in AS wrong_journey,
        organization_id <> home AS wrong_organization,
        known_enrollment IS NOT NULL AND known_stage IS NULL AS wrong_stage,
        left_status IN ('finished', 'cancelled') AS goes_on,
        -- The door asks for a person of this very organization; platform staff lifts no block.
        left_status = 'onhold' AND (actor_kind <> 'user'
            OR actor_home IS DISTINCT FROM home) AS no_person,
        left_status = 'onhold' AND coalesce(btrim(reason_code), '') = '' AS no_reason,
        trigger_event_id IS NOT NULL AND event_home IS DISTINCT FROM home AS wrong_event,
        actor_kind = 'user' AND known_actor IS NULL AS no_actor,
        actor_home <> home AS wrong_actor
    FROM placed p
)
SELECT verdict.code, verdict.expected, verdict.found,
    j.organization_id, j.patient_id, j.enrollment_id, j.id AS log_id, NULL::uuid AS event_id
FROM judged j
CROSS JOIN LATERAL (VALUES
    ('log_seq_gap', wrong_seq, next_seq::text, seq::text),
    ('log_broken_link', wrong_from, previous_stage, from_stage),
    ('log_time_order', wrong_time, previous_at::text, changed_at::text),
    ('log_wrong_dwell', wrong_dwell,
        extract(epoch FROM time_before)::text, extract(epoch FROM dwell)::text),
    ('log_wrong_first_reach', wrong_reach, reaches_first::text, first_reach::text),
    ('log_without_enrollment', no_enrollment, NULL, enrollment_id::text),
    ('log_without_patient', no_patient, NULL, patient_id::text),
    ('log_wrong_patient', wrong_patient, enrolled_patient::text, patient_id::text),
    ('log_wrong_journey', wrong_journey, enrolled_in, journey_key),
    ('log_wrong_organization', wrong_organization, home::text, organization_id::text),
    ('log_illegal_stage', wrong_stage, NULL, to_stage),
    ('log_after_close', goes_on, NULL, previous_stage),
    ('log_unblocked_without_person', no_person, NULL, actor_kind),
    ('log_unblocked_without_reason', no_reason, NULL, previous_stage),
    ('log_event_of_other_organization', wrong_event, home::text, event_home::text),
    ('log_actor_unknown', no_actor, NULL, actor_id::text),
    ('log_actor_of_other_organization', wrong_actor, home::text, actor_home::text)
) AS verdict (code, is_broken, expected, found)
-- The long condition first: a sound row costs no text.
WHERE (wrong_seq OR wrong_from OR wrong_time OR wrong_dwell OR wrong_reach OR no_enrollment
    OR no_patient OR wrong_patient OR wrong_journey OR wrong_organization OR wrong_stage OR goes_on
    OR no_person OR no_reason OR wrong_event OR no_actor OR wrong_actor)
    AND verdict.is_broken
