-- The one door: a stage changes by appending one row to journey_logs, and in no other way.
-- Guarantees, against any writer (service, admin, bulk insert, psql): exactly one log row per
-- move; journey_enrollments and patients.journey_status always say what the log says; no move
-- outside the template, against the clock, across organizations, or out of a block without a
-- person. One statement, one lock: the patient's row, so the moves of a patient queue up.
--
-- read_models.sql checks at commit that the row is really there (ON CONFLICT may drop it).
--
-- The door works before the row is stored, not after: the rows of one multi-row INSERT are then
-- handled one after the other, and several moves of one patient in one statement are right.

-- Raises under a constraint name that kura.errors turns into an error with words.
CREATE FUNCTION kura_refuse(constraint_name text, message text, detail text DEFAULT '')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', CONSTRAINT = constraint_name,
        MESSAGE = message, DETAIL = detail;
END $$;

-- A person who may lift a block: named, active, of this organization.
CREATE FUNCTION kura_active_colleague(person uuid, organization uuid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM users
        WHERE id = person AND is_active AND organization_id = organization
    )
$$;

-- Sequential scans are off: a session keeps its plans, and one that began on empty tables would
-- go on reading whole tables for each move until the next ANALYZE.
CREATE FUNCTION kura_journey_door() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    home       uuid;                          -- the patient's organization
    blueprint  uuid;                          -- the template
    takes_new  boolean;                       -- does the template take new patients?
    new_status text;                          -- status of the stage moved to
    here       journey_enrollments%ROWTYPE;   -- the newest enrollment, open or closed
    is_open    boolean;
    this_time  timestamptz;
BEGIN
    -- Lock. Every query below takes a fresh snapshot, so it sees what was committed while
    -- this one waited. Only READ COMMITTED does that: an older snapshot would let a patient
    -- step into a stage that was removed, or that blocks since.
    IF TG_RELID <> 'public.journey_logs'::regclass THEN
        PERFORM kura_refuse('journey_log_append_only', 'the door belongs to journey_logs');
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM kura_refuse('journey_log_read_committed',
            'moves are made in READ COMMITTED transactions');
    END IF;
    SELECT organization_id INTO home FROM patients WHERE id = NEW.patient_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM kura_refuse('journey_log_known_patient', 'this patient does not exist');
    END IF;
    this_time := clock_timestamp();

    SELECT t.id, t.is_active INTO blueprint, takes_new
    FROM journey_templates t
    WHERE t.organization_id = home AND t.key = NEW.journey_key;
    IF NOT FOUND THEN
        PERFORM kura_refuse('journey_log_known_journey',
            format('the patient''s organization has no journey template %L', NEW.journey_key));
    END IF;
    -- Shared with all moves of this template; an edit that redefines a stage takes it alone.
    PERFORM pg_advisory_xact_lock_shared(kura_template_lock(blueprint));
    SELECT s.status INTO new_status FROM journey_stages s
    WHERE s.template_id = blueprint AND s.code = NEW.to_stage AND s.retired_at IS NULL;

    SELECT * INTO here FROM journey_enrollments
    WHERE patient_id = NEW.patient_id AND journey_key = NEW.journey_key
    ORDER BY number DESC LIMIT 1;
    is_open := FOUND AND here.closed_at IS NULL;

    -- Compare-and-set: whatever the caller believed must still be true.
    IF is_open THEN
        IF NEW.enrollment_id <> here.id OR NEW.seq <> here.seq + 1
            OR NEW.from_stage <> here.stage
        THEN
            PERFORM kura_refuse('journey_log_stage_moved', 'the patient is no longer there',
                format('stage %s, move %s', here.stage, here.seq));
        END IF;
    ELSIF NEW.enrollment_id IS NOT NULL OR NEW.from_stage IS NOT NULL OR NEW.seq <> 1 THEN
        PERFORM kura_refuse('journey_log_stage_moved', 'the patient is not in this journey now');
    END IF;

    IF new_status IS NULL THEN
        PERFORM kura_refuse('journey_log_allowed_stage',
            format('%s is no stage of journey %L', NEW.to_stage, NEW.journey_key));
    END IF;
    IF NOT is_open AND NOT takes_new THEN
        PERFORM kura_refuse('journey_template_inactive',
            format('journey %L takes no new patients', NEW.journey_key));
    END IF;
    IF is_open AND here.stage = NEW.to_stage THEN
        PERFORM kura_refuse('journey_log_is_move', 'the patient is in this stage already');
    END IF;
    IF is_open AND here.status = 'onhold' AND NOT (
        NEW.actor_kind = 'user'
        AND coalesce(btrim(NEW.reason_code), '') <> ''
        AND kura_active_colleague(NEW.actor_id, home)
    ) THEN
        PERFORM kura_refuse('journey_log_unblock_needs_person',
            'leaving an on-hold stage needs an active person of the organization and a reason');
    END IF;

    -- References stay inside one organization; replica mode switches foreign keys off, not this.
    IF NEW.organization_id <> home
        OR (NEW.trigger_event_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM system_events
            WHERE id = NEW.trigger_event_id AND organization_id = home))
        OR (NEW.actor_kind = 'user' AND NEW.actor_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM users WHERE id = NEW.actor_id
            AND (organization_id = home OR organization_id IS NULL)))
    THEN
        PERFORM kura_refuse('journey_log_one_organization',
            'patient, template, event and actor must belong to one organization');
    END IF;

    -- A move that gives no time happens now; now is never before the previous move, even when
    -- the clock was set back.
    IF NEW.changed_at IS NULL THEN
        NEW.changed_at := greatest(this_time, here.entered_at);
    ELSIF NOT isfinite(NEW.changed_at) OR NEW.changed_at > this_time
        OR NEW.changed_at < here.entered_at OR NEW.changed_at < '1900-01-01Z'
    THEN
        PERFORM kura_refuse('journey_log_time_order',
            'a move cannot lie in the future or before the previous move');
    END IF;

    -- The log gives its ids itself, under the patient's lock: in their order lies the order of
    -- a patient's moves.
    IF NEW.id IS NOT NULL THEN
        PERFORM kura_refuse('journey_log_append_only', 'the log gives its ids itself');
    END IF;
    NEW.id := nextval('journey_logs_id_seq');

    NEW.organization_id := home;
    NEW.enrollment_id := CASE WHEN is_open THEN here.id ELSE kura_time_ordered_uuid() END;
    NEW.seq := CASE WHEN is_open THEN here.seq + 1 ELSE 1 END;
    NEW.from_stage := CASE WHEN is_open THEN here.stage END;
    NEW.dwell := CASE WHEN is_open THEN NEW.changed_at - here.entered_at END;
    NEW.first_reach := NOT is_open OR NOT EXISTS (
        SELECT FROM journey_logs WHERE enrollment_id = here.id AND to_stage = NEW.to_stage);
    NEW.recorded_at := this_time;
    NEW.db_user := session_user;
    NEW.txid := pg_current_xact_id()::text::bigint;

    IF is_open THEN
        UPDATE journey_enrollments SET
            stage = NEW.to_stage,
            status = new_status,
            entered_at = NEW.changed_at,
            seq = NEW.seq,
            blocked_from = CASE
                WHEN new_status <> 'onhold' THEN NULL
                WHEN here.status = 'onhold' THEN here.blocked_from
                ELSE here.stage
            END,
            closed_at = CASE WHEN new_status IN ('finished', 'cancelled') THEN NEW.changed_at END
        WHERE id = here.id;
    ELSE
        INSERT INTO journey_enrollments (
            id, organization_id, patient_id, template_id, journey_key, number,
            stage, status, entered_at, blocked_from, seq, opened_at, closed_at)
        VALUES (
            NEW.enrollment_id, home, NEW.patient_id, blueprint, NEW.journey_key,
            coalesce(here.number, 0) + 1,
            NEW.to_stage, new_status, NEW.changed_at, NULL, 1, NEW.changed_at,
            CASE WHEN new_status IN ('finished', 'cancelled') THEN NEW.changed_at END);
    END IF;
    UPDATE patients
    SET journey_status = journey_status || jsonb_build_object(NEW.journey_key, NEW.to_stage)
    WHERE id = NEW.patient_id;
    RETURN NEW;
END $$;

-- The number under which moves of a template and edits of it lock one another out.
CREATE FUNCTION kura_template_lock(template uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT hashtextextended(template::text, 0) $$;

-- Not an identity column: that draws its number before the door has the patient's lock.
ALTER TABLE journey_logs ALTER COLUMN id DROP IDENTITY;
CREATE SEQUENCE journey_logs_id_seq OWNED BY journey_logs.id;
ALTER TABLE journey_logs ADD CONSTRAINT journey_log_reason_code_form
    CHECK (reason_code ~ '^[a-z0-9_]{1,60}$');

CREATE TRIGGER journey_door BEFORE INSERT ON journey_logs
    FOR EACH ROW EXECUTE FUNCTION kura_journey_door();
ALTER TABLE journey_logs ENABLE ALWAYS TRIGGER journey_door;
