DROP TRIGGER stage_change ON journey_stages;
DROP FUNCTION kura_stage_change();
DROP TRIGGER transition_makes_version ON journey_transitions;
DROP TRIGGER stage_makes_version ON journey_stages;
DROP FUNCTION kura_part_of_template_changed();
DROP TRIGGER template_change ON journey_templates;
DROP FUNCTION kura_template_change();
ALTER TABLE journey_templates DROP CONSTRAINT journey_template_initial_stage;
ALTER TABLE journey_templates DROP COLUMN version_txid;
