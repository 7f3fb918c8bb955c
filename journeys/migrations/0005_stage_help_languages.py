"""What a stage asks for, in Spanish and in English. The text that was there is kept."""

from django.db import migrations, models

from journeys.sql import SQL
from kura.sql import RunSqlFile


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_roles"), ("journeys", "0004_event_subject")]

    operations = [
        migrations.AddField(
            model_name="journeystage",
            name="help_es",
            field=models.TextField(blank=True, default="", verbose_name="help in Spanish"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="journeystage",
            name="help_en",
            field=models.TextField(blank=True, default="", verbose_name="help in English"),
            preserve_default=False,
        ),
        RunSqlFile(SQL, "stage_help_languages"),
        migrations.RemoveField(model_name="journeystage", name="help_text"),
    ]
