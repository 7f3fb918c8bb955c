DROP TRIGGER block_lifted ON journey_logs;
DROP FUNCTION kura_block_lifted();
DROP TRIGGER block_reviewed ON block_reviews;
DROP FUNCTION kura_block_reviewed();
