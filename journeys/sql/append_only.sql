-- The two logs are appended to and never changed (Spec 6.1): no UPDATE, DELETE or TRUNCATE, by any
-- role, in any session mode, directly or by a cascade from patients or organizations.
CREATE FUNCTION kura_append_only() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM kura_refuse(TG_ARGV[0], format('%s on %s: rows are appended and never changed',
        TG_OP, TG_TABLE_NAME));
    RETURN NULL;
END $$;

CREATE TRIGGER journey_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journey_logs
    FOR EACH STATEMENT EXECUTE FUNCTION kura_append_only('journey_log_append_only');
ALTER TABLE journey_logs ENABLE ALWAYS TRIGGER journey_log_append_only;

CREATE TRIGGER system_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON system_events
    FOR EACH STATEMENT EXECUTE FUNCTION kura_append_only('system_event_append_only');
ALTER TABLE system_events ENABLE ALWAYS TRIGGER system_event_append_only;

-- Whoever the logs speak of stays. Foreign keys say so too, except in replica mode.
CREATE FUNCTION kura_keep_who_is_logged() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    moved boolean;
    acted boolean;
BEGIN
    -- A save writes all columns; only other values are a change.
    IF TG_OP = 'UPDATE' AND NEW.id = OLD.id
        AND to_jsonb(NEW) -> 'organization_id' IS NOT DISTINCT FROM
            to_jsonb(OLD) -> 'organization_id'
    THEN
        RETURN NEW;
    END IF;
    IF TG_TABLE_NAME = 'users' THEN
        -- Rare and slow on purpose: no index for it, so that moves do not pay for one.
        moved := EXISTS (SELECT FROM journey_logs WHERE actor_id = OLD.id);
    ELSIF TG_TABLE_NAME = 'patients' THEN
        moved := EXISTS (SELECT FROM journey_logs WHERE patient_id = OLD.id);
        acted := EXISTS (SELECT FROM system_events WHERE patient_id = OLD.id);
    ELSE
        moved := EXISTS (SELECT FROM journey_logs WHERE organization_id = OLD.id AND first_reach);
        acted := EXISTS (SELECT FROM system_events WHERE organization_id = OLD.id);
    END IF;
    IF moved THEN
        PERFORM kura_refuse('journey_log_append_only',
            format('the journey log speaks of this row of %s', TG_TABLE_NAME));
    ELSIF acted THEN
        PERFORM kura_refuse('system_event_append_only',
            format('the event log speaks of this row of %s', TG_TABLE_NAME));
    END IF;
    IF TG_OP = 'UPDATE' THEN
        RETURN NEW;
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER patient_is_logged BEFORE DELETE OR UPDATE OF id ON patients
    FOR EACH ROW EXECUTE FUNCTION kura_keep_who_is_logged();
ALTER TABLE patients ENABLE ALWAYS TRIGGER patient_is_logged;

CREATE TRIGGER organization_is_logged BEFORE DELETE OR UPDATE OF id ON organizations
    FOR EACH ROW EXECUTE FUNCTION kura_keep_who_is_logged();
ALTER TABLE organizations ENABLE ALWAYS TRIGGER organization_is_logged;

CREATE TRIGGER user_is_logged BEFORE DELETE OR UPDATE OF id, organization_id ON users
    FOR EACH ROW EXECUTE FUNCTION kura_keep_who_is_logged();
ALTER TABLE users ENABLE ALWAYS TRIGGER user_is_logged;

-- A reason is written with its move, in the same transaction, and can only be erased afterwards.
CREATE FUNCTION kura_note_erase_only() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM journey_logs
        WHERE id = NEW.log_id AND txid = pg_current_xact_id()::text::bigint)
    THEN
        RETURN NEW;
    END IF;
    PERFORM kura_refuse('journey_log_note_erase_only',
        'a reason is written with its move and can only be erased afterwards');
    RETURN NULL;
END $$;

CREATE TRIGGER journey_log_note_with_move BEFORE INSERT OR UPDATE ON journey_log_notes
    FOR EACH ROW EXECUTE FUNCTION kura_note_erase_only();
ALTER TABLE journey_log_notes ENABLE ALWAYS TRIGGER journey_log_note_with_move;

CREATE TRIGGER journey_log_note_kept BEFORE TRUNCATE ON journey_log_notes
    FOR EACH STATEMENT EXECUTE FUNCTION kura_note_erase_only();
ALTER TABLE journey_log_notes ENABLE ALWAYS TRIGGER journey_log_note_kept;

-- What an event said is written with it and can only be erased; what rules could see (`facts`) is
-- added once, when they look.
CREATE FUNCTION kura_payload_erase_only() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM system_events
        WHERE id = NEW.event_id AND txid = pg_current_xact_id()::text::bigint)
    THEN
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'facts' = to_jsonb(OLD) - 'facts'
        AND OLD.facts IN ('{}'::jsonb, NEW.facts)
    THEN
        RETURN NEW;
    END IF;
    PERFORM kura_refuse('system_event_payload_erase_only',
        'what an event said is written with it and can only be erased afterwards');
    RETURN NULL;
END $$;

CREATE TRIGGER payload_with_event BEFORE INSERT OR UPDATE ON system_event_payloads
    FOR EACH ROW EXECUTE FUNCTION kura_payload_erase_only();
ALTER TABLE system_event_payloads ENABLE ALWAYS TRIGGER payload_with_event;

CREATE TRIGGER payload_kept BEFORE TRUNCATE ON system_event_payloads
    FOR EACH STATEMENT EXECUTE FUNCTION kura_payload_erase_only();
ALTER TABLE system_event_payloads ENABLE ALWAYS TRIGGER payload_kept;
