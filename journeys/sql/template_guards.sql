-- The history is read through its templates: a stage that a patient ever stood in keeps its code
-- and its status, and stays while somebody stands there. Every edit makes a new version.

-- The transaction that made the present version: an edit counts once, however many rows it
-- touches, and readers do not cache a version that their own transaction is still making.
ALTER TABLE journey_templates ADD COLUMN version_txid bigint
    NOT NULL DEFAULT pg_current_xact_id()::text::bigint;

-- The initial stage is one of the template's stages, checked at commit.
ALTER TABLE journey_templates ADD CONSTRAINT journey_template_initial_stage
    FOREIGN KEY (id, initial_stage) REFERENCES journey_stages (template_id, code)
    DEFERRABLE INITIALLY DEFERRED;

-- Waits for every move of this template under way, and holds new ones off until the edit is
-- decided: a patient cannot step into a stage that is being removed. Other templates move on.
CREATE FUNCTION kura_lock_out_moves(template uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM kura_refuse('journey_log_read_committed',
            'templates are edited in READ COMMITTED transactions');
    END IF;
    PERFORM pg_advisory_xact_lock(kura_template_lock(template));
END $$;

CREATE FUNCTION kura_template_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    used boolean;
BEGIN
    IF TG_OP = 'DELETE' OR NEW.id <> OLD.id OR NEW.key <> OLD.key
        OR NEW.organization_id <> OLD.organization_id
    THEN
        PERFORM kura_lock_out_moves(OLD.id);
        used := EXISTS (SELECT FROM journey_enrollments WHERE template_id = OLD.id);
        IF used THEN
            PERFORM kura_refuse('journey_template_in_use',
                'patients are or were enrolled: key, organization and template stay');
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF OLD.version_txid = pg_current_xact_id()::text::bigint THEN
        NEW.version := OLD.version;
    ELSE
        NEW.version := OLD.version + 1;
    END IF;
    NEW.version_txid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;

CREATE TRIGGER template_change BEFORE UPDATE OR DELETE ON journey_templates
    FOR EACH ROW EXECUTE FUNCTION kura_template_change();
ALTER TABLE journey_templates ENABLE ALWAYS TRIGGER template_change;

CREATE FUNCTION kura_part_of_template_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE journey_templates SET version = version
    WHERE id IN (NEW.template_id, OLD.template_id)
        AND version_txid <> pg_current_xact_id()::text::bigint;
    RETURN NULL;
END $$;

CREATE TRIGGER stage_makes_version AFTER INSERT OR UPDATE OR DELETE ON journey_stages
    FOR EACH ROW EXECUTE FUNCTION kura_part_of_template_changed();
ALTER TABLE journey_stages ENABLE ALWAYS TRIGGER stage_makes_version;

CREATE TRIGGER transition_makes_version AFTER INSERT OR UPDATE OR DELETE ON journey_transitions
    FOR EACH ROW EXECUTE FUNCTION kura_part_of_template_changed();
ALTER TABLE journey_transitions ENABLE ALWAYS TRIGGER transition_makes_version;

CREATE FUNCTION kura_stage_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    redefined boolean := TG_OP = 'DELETE' OR NEW.id <> OLD.id OR NEW.code <> OLD.code
        OR NEW.status <> OLD.status OR NEW.template_id <> OLD.template_id;
    retired   boolean := TG_OP = 'UPDATE' AND OLD.retired_at IS NULL AND NEW.retired_at IS NOT NULL;
    standing  bigint;
BEGIN
    IF redefined OR retired THEN
        PERFORM kura_lock_out_moves(OLD.template_id);
        SELECT count(*) INTO standing FROM journey_enrollments
        WHERE template_id = OLD.template_id AND stage = OLD.code AND closed_at IS NULL;
        IF standing > 0 OR (redefined AND EXISTS (
            SELECT FROM journey_templates t
            JOIN journey_logs l ON l.organization_id = t.organization_id
                AND l.journey_key = t.key AND l.to_stage = OLD.code AND l.first_reach
            WHERE t.id = OLD.template_id))
        THEN
            PERFORM kura_refuse('journey_stage_in_use',
                format('stage %s is part of the history', OLD.code), standing::text);
        END IF;
        IF retired AND EXISTS (
            SELECT FROM journey_templates WHERE id = OLD.template_id AND initial_stage = OLD.code)
        THEN
            PERFORM kura_refuse('journey_template_initial_stage',
                'patients begin in this stage: choose another initial stage first');
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER stage_change BEFORE UPDATE OR DELETE ON journey_stages
    FOR EACH ROW EXECUTE FUNCTION kura_stage_change();
ALTER TABLE journey_stages ENABLE ALWAYS TRIGGER stage_change;

-- An emptied graph would allow every move.
CREATE FUNCTION kura_template_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM kura_refuse('journey_template_in_use', 'templates are edited row by row');
    RETURN NULL;
END $$;

CREATE TRIGGER template_kept BEFORE TRUNCATE ON journey_templates
    FOR EACH STATEMENT EXECUTE FUNCTION kura_template_kept();
ALTER TABLE journey_templates ENABLE ALWAYS TRIGGER template_kept;
CREATE TRIGGER stage_kept BEFORE TRUNCATE ON journey_stages
    FOR EACH STATEMENT EXECUTE FUNCTION kura_template_kept();
ALTER TABLE journey_stages ENABLE ALWAYS TRIGGER stage_kept;
CREATE TRIGGER transition_kept BEFORE TRUNCATE ON journey_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION kura_template_kept();
ALTER TABLE journey_transitions ENABLE ALWAYS TRIGGER transition_kept;
