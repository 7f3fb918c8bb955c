DROP TRIGGER journey_log_note_kept ON journey_log_notes;
DROP TRIGGER journey_log_note_with_move ON journey_log_notes;
DROP FUNCTION kura_note_erase_only();
DROP TRIGGER organization_is_logged ON organizations;
DROP TRIGGER patient_is_logged ON patients;
DROP FUNCTION kura_keep_who_is_logged();
DROP TRIGGER system_event_append_only ON system_events;
DROP TRIGGER journey_log_append_only ON journey_logs;
DROP FUNCTION kura_append_only();
