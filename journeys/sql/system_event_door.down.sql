DROP TRIGGER system_event_door ON system_events;
DROP FUNCTION kura_system_event_door();
