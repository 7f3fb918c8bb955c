DROP TRIGGER block_review_kept ON block_reviews;
DROP TRIGGER block_review_stays ON block_reviews;
DROP FUNCTION kura_block_review();
