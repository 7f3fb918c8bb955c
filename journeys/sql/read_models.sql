-- patients.journey_status and journey_enrollments are what the log says, never what a writer says.

-- No flag and no session variable says who may write: the value is compared with the truth.
CREATE FUNCTION kura_journey_status_follows_log() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    truth jsonb;
BEGIN
    -- Of each journey the newest enrollment: an open one is always the newest.
    SELECT coalesce(jsonb_object_agg(journey_key, stage), '{}'::jsonb) INTO truth
    FROM (
        SELECT DISTINCT ON (journey_key) journey_key, stage
        FROM journey_enrollments
        WHERE patient_id = NEW.id
        ORDER BY journey_key, number DESC
    ) newest;
    IF NEW.journey_status IS DISTINCT FROM truth THEN
        PERFORM kura_refuse('journey_status_follows_log',
            'journey_status says what the journey log says; append to journey_logs instead');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER journey_status_of_new_patient BEFORE INSERT ON patients
    FOR EACH ROW WHEN (NEW.journey_status <> '{}'::jsonb)
    EXECUTE FUNCTION kura_journey_status_follows_log();
ALTER TABLE patients ENABLE ALWAYS TRIGGER journey_status_of_new_patient;

CREATE TRIGGER journey_status_follows_log BEFORE UPDATE ON patients
    FOR EACH ROW WHEN (NEW.journey_status IS DISTINCT FROM OLD.journey_status)
    EXECUTE FUNCTION kura_journey_status_follows_log();
ALTER TABLE patients ENABLE ALWAYS TRIGGER journey_status_follows_log;

-- Only the door writes enrollments: it is a trigger, so the write comes from inside one. That
-- stops a shell at once; what else may come from inside a trigger is caught at commit, below.
CREATE FUNCTION kura_enrollment_follows_log() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP IN ('INSERT', 'UPDATE') AND pg_trigger_depth() > 1 THEN
        RETURN NEW;
    END IF;
    PERFORM kura_refuse('journey_enrollment_follows_log',
        'enrollments say what the journey log says; append to journey_logs instead');
    RETURN NULL;
END $$;

CREATE TRIGGER enrollment_follows_log BEFORE INSERT OR UPDATE OR DELETE ON journey_enrollments
    FOR EACH ROW EXECUTE FUNCTION kura_enrollment_follows_log();
ALTER TABLE journey_enrollments ENABLE ALWAYS TRIGGER enrollment_follows_log;

CREATE TRIGGER enrollment_kept BEFORE TRUNCATE ON journey_enrollments
    FOR EACH STATEMENT EXECUTE FUNCTION kura_enrollment_follows_log();
ALTER TABLE journey_enrollments ENABLE ALWAYS TRIGGER enrollment_kept;

-- At commit: where an enrollment says a patient stands, the last row of its log says so too. It
-- catches whatever moved an enrollment without a row that stays: another trigger, or an INSERT
-- whose row ON CONFLICT dropped.
CREATE FUNCTION kura_enrollment_is_logged() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off  -- as in journey_door.sql
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM journey_enrollments e
        JOIN journey_logs l ON l.enrollment_id = e.id AND l.seq = e.seq
            AND l.to_stage = e.stage AND l.changed_at = e.entered_at
        JOIN journey_stages s ON s.template_id = e.template_id AND s.code = e.stage
            AND s.status = e.status
        WHERE e.id = NEW.id AND NOT EXISTS (
            SELECT FROM journey_logs later
            WHERE later.enrollment_id = e.id AND later.seq > e.seq))
    THEN
        PERFORM kura_refuse('journey_enrollment_follows_log',
            'the enrollment says something else than the last row of its log');
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER enrollment_is_logged AFTER INSERT OR UPDATE ON journey_enrollments
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION kura_enrollment_is_logged();
ALTER TABLE journey_enrollments ENABLE ALWAYS TRIGGER enrollment_is_logged;

ALTER TABLE journey_enrollments SET (fillfactor = 85);
