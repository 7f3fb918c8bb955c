-- What a patient row guarantees by itself, against any writer.

-- search_key and sort_key follow the name; version and updated_at follow every change, and the
-- clock is the database's. Nobody supplies them. A patient stays in the organization the row was made in (its log, events and therapist
-- belong there too).
CREATE FUNCTION kura_patient_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Not generated columns: those are computed anew on every update, that is with every move,
    -- which costs more than the move itself.
    IF TG_OP = 'INSERT' OR (NEW.full_name, NEW.email, NEW.phone, NEW.external_id)
        IS DISTINCT FROM (OLD.full_name, OLD.email, OLD.phone, OLD.external_id)
    THEN
        NEW.search_key := kura_search_key(NEW.full_name, NEW.email, NEW.phone, NEW.external_id);
        NEW.sort_key := kura_sort_key(NEW.full_name);
    ELSE
        NEW.search_key := OLD.search_key;
        NEW.sort_key := OLD.sort_key;
    END IF;
    IF TG_OP = 'INSERT' THEN
        NEW.version := 1;
        RETURN NEW;
    END IF;
    IF NEW.organization_id <> OLD.organization_id OR NEW.id <> OLD.id THEN
        RAISE EXCEPTION 'a patient stays in the organization it was made in'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'patient_keeps_organization',
                  TABLE = 'patients';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    NEW.created_at := OLD.created_at;
    RETURN NEW;
END $$;

CREATE TRIGGER patient_change BEFORE INSERT OR UPDATE ON patients
    FOR EACH ROW EXECUTE FUNCTION kura_patient_change();
ALTER TABLE patients ENABLE ALWAYS TRIGGER patient_change;

-- Every stage change rewrites the row; with room left on the page it stays on it (HOT), and no
-- index is touched.
ALTER TABLE patients SET (fillfactor = 85);
