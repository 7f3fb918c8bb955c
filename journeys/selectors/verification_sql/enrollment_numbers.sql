-- The enrollments of a patient in a journey: numbered 1, 2, …, one after the other, and only the
-- newest may be open. Reads one range of patient ids.
WITH counted AS (
    SELECT e.*,
        coalesce(lag(number) OVER enrollments_before, 0) + 1 AS next_number,
        lag(closed_at) OVER enrollments_before AS previous_closed,
        lead(number) OVER enrollments_before AS newer
    FROM journey_enrollments e
    WHERE e.patient_id BETWEEN %(low)s AND %(high)s
    WINDOW enrollments_before AS (PARTITION BY patient_id, journey_key ORDER BY number, id)
)
SELECT verdict.code, verdict.expected, verdict.found,
    c.organization_id, c.patient_id, c.id AS enrollment_id,
    NULL::bigint AS log_id, NULL::uuid AS event_id
FROM counted c
CROSS JOIN LATERAL (VALUES
    ('enrollment_number_gap', number <> next_number, next_number::text, number::text),
    ('enrollment_open_not_newest', closed_at IS NULL AND newer IS NOT NULL,
        newer::text, number::text),
    ('enrollment_time_order', opened_at < previous_closed,
        previous_closed::text, opened_at::text)
) AS verdict (code, is_broken, expected, found)
WHERE (number <> next_number OR newer IS NOT NULL OR previous_closed IS NOT NULL)
    AND verdict.is_broken
