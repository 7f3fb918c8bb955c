-- A stage's help was one text: whoever wrote it spoke the practice's language. The other language
-- stays empty, and readers of it are shown this text until somebody writes theirs.

UPDATE journey_stages s SET
    help_es = CASE WHEN o.language = 'en' THEN '' ELSE s.help_text END,
    help_en = CASE WHEN o.language = 'en' THEN s.help_text ELSE '' END
FROM journey_templates t
JOIN organizations o ON o.id = t.organization_id
WHERE t.id = s.template_id AND s.help_text <> '';
