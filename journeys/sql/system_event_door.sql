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
    IF NOT isfinite(NEW.occurred_at) OR NEW.occurred_at < '1900-01-01Z'
        OR NEW.occurred_at > clock_timestamp() + interval '1 day'
    THEN
        PERFORM kura_refuse('system_event_time', 'an event lies in the past, after 1900');
    END IF;
    NEW.created_at := clock_timestamp();
    NEW.txid := pg_current_xact_id()::text::bigint;
    NEW.root_event_id := coalesce(NEW.root_event_id, NEW.id);
    RETURN NEW;
END $$;

CREATE TRIGGER system_event_door BEFORE INSERT ON system_events
    FOR EACH ROW EXECUTE FUNCTION kura_system_event_door();
ALTER TABLE system_events ENABLE ALWAYS TRIGGER system_event_door;
