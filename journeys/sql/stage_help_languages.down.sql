-- One text again: the practice's language first, and below it the other one, so that no word is
-- lost on the way back.

UPDATE journey_stages s SET
    help_text = CASE WHEN o.language = 'en'
        THEN concat_ws(E'\n\n', nullif(s.help_en, ''), nullif(s.help_es, ''))
        ELSE concat_ws(E'\n\n', nullif(s.help_es, ''), nullif(s.help_en, ''))
    END
FROM journey_templates t
JOIN organizations o ON o.id = t.organization_id
WHERE t.id = s.template_id AND (s.help_es <> '' OR s.help_en <> '');
