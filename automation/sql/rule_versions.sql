-- A published version of a rule stays as it was published: runs are read with it for ever.
CREATE TRIGGER rule_version_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON automation_rule_versions
    FOR EACH STATEMENT EXECUTE FUNCTION kura_append_only('rule_version_append_only');
ALTER TABLE automation_rule_versions ENABLE ALWAYS TRIGGER rule_version_append_only;

-- What a person decided about an event, and why, is kept as well.
CREATE TRIGGER event_decision_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON event_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION kura_append_only('event_decision_append_only');
ALTER TABLE event_decisions ENABLE ALWAYS TRIGGER event_decision_append_only;

-- The queues are written all day: room for updates in place, and no long wait for a clean-up.
ALTER TABLE event_dispatches SET (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE messages SET (fillfactor = 85);
