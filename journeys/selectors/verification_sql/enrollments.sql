-- Every enrollment against what its log rows imply, and against patient and template.
-- Reads one range of enrollment ids.
WITH placed AS (
    SELECT e.*,
        latest.to_stage AS told_stage, latest.seq AS told_seq, latest.changed_at AS told_entered,
        earliest.changed_at AS told_opened,
        told.status AS told_status,
        CASE WHEN told.status = 'onhold' THEN (
            SELECT l.to_stage FROM journey_logs l
            JOIN journey_stages s ON s.template_id = e.template_id AND s.code = l.to_stage
            WHERE l.enrollment_id = e.id AND s.status <> 'onhold'
            ORDER BY l.seq DESC LIMIT 1) END AS told_blocked_from,
        CASE WHEN told.status IN ('finished', 'cancelled') THEN latest.changed_at END AS told_closed,
        p.id AS known_patient, p.organization_id AS home,
        t.organization_id AS template_home, t.key AS template_key,
        own.code AS known_stage, own.retired_at
    FROM journey_enrollments e
    LEFT JOIN LATERAL (
        SELECT l.to_stage, l.seq, l.changed_at FROM journey_logs l
        WHERE l.enrollment_id = e.id ORDER BY l.seq DESC LIMIT 1) latest ON TRUE
    LEFT JOIN LATERAL (
        SELECT l.changed_at FROM journey_logs l
        WHERE l.enrollment_id = e.id ORDER BY l.seq LIMIT 1) earliest ON TRUE
    LEFT JOIN journey_stages told ON told.template_id = e.template_id AND told.code = latest.to_stage
    LEFT JOIN journey_stages own ON own.template_id = e.template_id AND own.code = e.stage
    LEFT JOIN journey_templates t ON t.id = e.template_id
    LEFT JOIN patients p ON p.id = e.patient_id
    WHERE e.id BETWEEN %(low)s AND %(high)s
), judged AS (
    SELECT p.*,
        told_seq IS NULL AS no_log,
        stage <> told_stage AS wrong_stage,
        seq <> told_seq AS wrong_seq,
        entered_at <> told_entered AS wrong_entered,
        opened_at <> told_opened AS wrong_opened,
        status <> told_status AS wrong_status,
        told_status IS NOT NULL AND closed_at IS DISTINCT FROM told_closed AS wrong_closed,
        told_status IS NOT NULL
            AND blocked_from IS DISTINCT FROM told_blocked_from AS wrong_blocked_from,
        known_stage IS NULL AS illegal_stage,
        retired_at IS NOT NULL AND closed_at IS NULL AS retired_stage,
        known_patient IS NULL AS no_patient,
        organization_id <> home AS wrong_organization,
        template_home <> home AS wrong_template,
        journey_key IS DISTINCT FROM template_key AS wrong_journey
    FROM placed p
)
SELECT verdict.code, verdict.expected, verdict.found,
    j.organization_id, j.patient_id, j.id AS enrollment_id, NULL::bigint AS log_id,
    NULL::uuid AS event_id
FROM judged j
CROSS JOIN LATERAL (VALUES
    ('enrollment_without_log', no_log, NULL, NULL),
    ('enrollment_wrong_stage', wrong_stage, told_stage, stage),
    ('enrollment_wrong_seq', wrong_seq, told_seq::text, seq::text),
    ('enrollment_wrong_entered_at', wrong_entered, told_entered::text, entered_at::text),
    ('enrollment_wrong_opened_at', wrong_opened, told_opened::text, opened_at::text),
    ('enrollment_wrong_status', wrong_status, told_status, status),
    ('enrollment_wrong_closed_at', wrong_closed, told_closed::text, closed_at::text),
    ('enrollment_wrong_blocked_from', wrong_blocked_from, told_blocked_from, blocked_from),
    ('enrollment_illegal_stage', illegal_stage, NULL, stage),
    ('enrollment_retired_stage', retired_stage, NULL, stage),
    ('enrollment_without_patient', no_patient, NULL, patient_id::text),
    ('enrollment_wrong_organization', wrong_organization, home::text, organization_id::text),
    ('enrollment_template_of_other_organization',
        wrong_template, home::text, template_home::text),
    ('enrollment_wrong_journey', wrong_journey, template_key, journey_key)
) AS verdict (code, is_broken, expected, found)
WHERE (no_log OR wrong_stage OR wrong_seq OR wrong_entered OR wrong_opened OR wrong_status
    OR wrong_closed OR wrong_blocked_from OR illegal_stage OR retired_stage OR no_patient
    OR wrong_organization OR wrong_template OR wrong_journey)
    AND verdict.is_broken
