-- patients.journey_status against the newest enrollment of each journey, in both directions.
-- Reads one range of patient ids. Whatever a key or value is, it is compared and never trusted.
WITH persons AS (
    SELECT id AS patient_id, organization_id, journey_status,
        jsonb_typeof(journey_status) = 'object' AS is_object
    FROM patients
    WHERE id BETWEEN %(low)s AND %(high)s
), said AS (
    SELECT p.patient_id, entry.key::text AS journey_key, entry.value
    FROM persons p
    CROSS JOIN LATERAL jsonb_each(CASE WHEN is_object THEN journey_status ELSE '{}' END) entry
), newest AS (
    SELECT DISTINCT ON (e.patient_id, e.journey_key)
        e.patient_id, e.journey_key::text AS journey_key, e.id AS enrollment_id, e.stage
    FROM journey_enrollments e
    WHERE e.patient_id BETWEEN %(low)s AND %(high)s
    ORDER BY e.patient_id, e.journey_key, e.number DESC, e.id DESC
)
SELECT
    CASE
        WHEN said.value IS NULL THEN 'journey_status_missing'
        WHEN newest.stage IS NULL THEN 'journey_status_unknown'
        ELSE 'journey_status_differs'
    END AS code,
    newest.stage AS expected,
    CASE WHEN newest.stage IS NULL THEN said.journey_key ELSE said.value #>> '{}' END AS found,
    p.organization_id, patient_id, newest.enrollment_id,
    NULL::bigint AS log_id, NULL::uuid AS event_id
FROM said
FULL JOIN newest USING (patient_id, journey_key)
JOIN persons p USING (patient_id)
WHERE said.value IS DISTINCT FROM to_jsonb(newest.stage::text)
UNION ALL
SELECT 'journey_status_malformed', 'object', jsonb_typeof(journey_status),
    organization_id, patient_id, NULL, NULL, NULL
FROM persons
WHERE NOT is_object
