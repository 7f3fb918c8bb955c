DROP FUNCTION kura_record_events(json);
