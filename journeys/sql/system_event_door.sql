-- An event belongs to one organization, is recorded by the database's clock, and knows its root.
CREATE FUNCTION kura_system_event_door() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NEW.patient_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM patients WHERE id = NEW.patient_id AND organization_id = NEW.organization_id)
    THEN
        PERFORM kura_refuse('system_event_one_organization',
            'event and patient must belong to one organization');
    END IF;
    NEW.created_at := clock_timestamp();
    NEW.root_event_id := coalesce(NEW.root_event_id, NEW.id);
    RETURN NEW;
END $$;

CREATE TRIGGER system_event_door BEFORE INSERT ON system_events
    FOR EACH ROW EXECUTE FUNCTION kura_system_event_door();
ALTER TABLE system_events ENABLE ALWAYS TRIGGER system_event_door;
