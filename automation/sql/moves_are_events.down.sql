DROP TRIGGER moves_are_events ON journey_logs;
DROP FUNCTION kura_moves_are_events();
