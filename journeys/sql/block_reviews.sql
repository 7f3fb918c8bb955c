-- A review of a block is written once, by an active person of the organization whose patient it is,
-- and stays: who looked and when. Only its note can be erased, because it may name people.
CREATE FUNCTION kura_block_review() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF EXISTS (
            SELECT FROM journey_enrollments
            WHERE id = NEW.enrollment_id AND organization_id = NEW.organization_id
                AND seq = NEW.seq AND status = 'onhold' AND closed_at IS NULL)
            AND kura_active_colleague(NEW.reviewer_id, NEW.organization_id)
        THEN
            NEW.reviewed_at := clock_timestamp();
            RETURN NEW;
        END IF;
        PERFORM kura_refuse('block_review_of_block',
            'a review is about the present block of an enrollment, by somebody of its practice');
    ELSIF TG_OP = 'UPDATE' AND to_jsonb(NEW) ->> 'note' = ''
        AND to_jsonb(NEW) - 'note' = to_jsonb(OLD) - 'note'
    THEN
        RETURN NEW;
    END IF;
    PERFORM kura_refuse('block_review_erase_only',
        'a review is written once; only its note can be erased');
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION kura_block_review() FROM PUBLIC;

CREATE TRIGGER block_review_stays BEFORE INSERT OR UPDATE OR DELETE ON block_reviews
    FOR EACH ROW EXECUTE FUNCTION kura_block_review();
ALTER TABLE block_reviews ENABLE ALWAYS TRIGGER block_review_stays;

CREATE TRIGGER block_review_kept BEFORE TRUNCATE ON block_reviews
    FOR EACH STATEMENT EXECUTE FUNCTION kura_block_review();
ALTER TABLE block_reviews ENABLE ALWAYS TRIGGER block_review_kept;
