"""The door, the append-only guards and the read models: what PostgreSQL itself guarantees."""

from django.db import migrations

from journeys.sql import SQL
from kura.sql import RunSqlFile


class Migration(migrations.Migration):
    dependencies = [("journeys", "0001_initial"), ("patients", "0001_initial")]

    operations = [
        RunSqlFile(SQL, "time_ordered_uuid"),
        RunSqlFile(SQL, "journey_door"),
        RunSqlFile(SQL, "append_only"),
        RunSqlFile(SQL, "read_models"),
        RunSqlFile(SQL, "system_event_door"),
        RunSqlFile(SQL, "template_guards"),
        RunSqlFile(SQL, "journey_position"),
        RunSqlFile(SQL, "privileges"),
    ]
