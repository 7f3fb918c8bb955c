-- A task that says that nobody has reviewed a block is ended by the act that makes it untrue, in the
-- same transaction and whatever wrote it: a review that keeps the block, or the move of a person that
-- leads out of it. Only tasks of that kind, of that enrollment; what else there is to do stays.
--
-- A move from one on-hold stage into another keeps the patient held: nobody has said yet that this
-- is right, so the task stays until somebody reviews or lifts the block.
CREATE FUNCTION kura_block_reviewed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off  -- as in journey_door.sql
AS $$
BEGIN
    IF TG_RELID <> 'public.block_reviews'::regclass THEN
        PERFORM kura_refuse('block_review_of_block', 'reviews are in block_reviews');
    END IF;
    UPDATE staff_tasks t
    SET done_at = NEW.reviewed_at, done_by_id = NEW.reviewer_id, ended_by_review_id = NEW.id
    FROM journey_enrollments e
    WHERE e.id = NEW.enrollment_id AND t.patient_id = e.patient_id AND t.enrollment_id = e.id
        AND t.kind = 'block_unreviewed' AND t.done_at IS NULL;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION kura_block_reviewed() FROM PUBLIC;

CREATE TRIGGER block_reviewed AFTER INSERT ON block_reviews
    FOR EACH ROW EXECUTE FUNCTION kura_block_reviewed();
ALTER TABLE block_reviews ENABLE ALWAYS TRIGGER block_reviewed;

CREATE FUNCTION kura_block_lifted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off  -- as in journey_door.sql
AS $$
BEGIN
    IF TG_RELID <> 'public.journey_logs'::regclass THEN
        PERFORM kura_refuse('journey_log_append_only', 'moves are in journey_logs');
    END IF;
    UPDATE staff_tasks t
    SET done_at = NEW.recorded_at, done_by_id = NEW.actor_id, ended_by_move_id = NEW.id
    FROM journey_enrollments e
    WHERE e.id = NEW.enrollment_id AND e.status <> 'onhold'
        AND t.patient_id = e.patient_id AND t.enrollment_id = e.id
        AND t.kind = 'block_unreviewed' AND t.done_at IS NULL;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION kura_block_lifted() FROM PUBLIC;

-- The door lets nobody out of an on-hold stage but a person with a reason code: other moves do not
-- pay for the look.
CREATE TRIGGER block_lifted AFTER INSERT ON journey_logs
    FOR EACH ROW
    WHEN (NEW.actor_kind = 'user' AND NEW.reason_code IS NOT NULL AND NEW.from_stage IS NOT NULL)
    EXECUTE FUNCTION kura_block_lifted();
ALTER TABLE journey_logs ENABLE ALWAYS TRIGGER block_lifted;
