"""Every move is an event, whatever appended it."""

from django.db import migrations

from automation.sql import SQL
from kura.sql import RunSqlFile


class Migration(migrations.Migration):
    dependencies = [("automation", "0005_outbox"), ("journeys", "0004_event_subject")]

    operations = [RunSqlFile(SQL, "moves_are_events")]
