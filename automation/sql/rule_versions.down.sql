ALTER TABLE messages RESET (fillfactor);
ALTER TABLE event_dispatches RESET (
    fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
DROP TRIGGER event_decision_append_only ON event_decisions;
DROP TRIGGER rule_version_append_only ON automation_rule_versions;
