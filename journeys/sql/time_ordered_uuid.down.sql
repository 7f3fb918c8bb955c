DROP FUNCTION kura_time_ordered_uuid();
