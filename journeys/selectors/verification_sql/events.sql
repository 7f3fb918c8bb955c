-- Every event and whom it speaks of belong to one organization, and so does what caused it.
-- Reads one range of event ids.
WITH placed AS (
    SELECT v.*, p.organization_id AS patient_home,
        parent.organization_id AS parent_home, root.organization_id AS root_home
    FROM system_events v
    LEFT JOIN patients p ON p.id = v.patient_id
    LEFT JOIN system_events parent ON parent.id = v.parent_event_id
    LEFT JOIN system_events root ON root.id = v.root_event_id AND v.root_event_id <> v.id
    WHERE v.id BETWEEN %(low)s AND %(high)s
)
SELECT verdict.code, organization_id::text AS expected, verdict.found,
    e.organization_id, e.patient_id, NULL::uuid AS enrollment_id,
    NULL::bigint AS log_id, e.id AS event_id
FROM placed e
CROSS JOIN LATERAL (VALUES
    ('event_patient_of_other_organization',
        patient_id IS NOT NULL AND patient_home IS DISTINCT FROM organization_id,
        patient_home::text),
    ('event_cause_of_other_organization',
        parent_home <> organization_id OR root_home <> organization_id,
        coalesce(nullif(parent_home, organization_id), root_home)::text)
) AS verdict (code, is_broken, found)
WHERE verdict.is_broken
