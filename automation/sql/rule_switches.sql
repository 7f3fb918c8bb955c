-- Who switched a rule on or off, and when, stays: a rule that was off protected nobody.
CREATE TRIGGER rule_switch_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON automation_rule_switches
    FOR EACH STATEMENT EXECUTE FUNCTION kura_append_only('rule_switch_append_only');
ALTER TABLE automation_rule_switches ENABLE ALWAYS TRIGGER rule_switch_append_only;
