DROP FUNCTION kura_journey_position(uuid, uuid[], text);
