"""Published rules and people's decisions stay; the way in for events; the queues tuned."""

from django.db import migrations

from automation.sql import SQL
from kura.sql import RunSqlFile


class Migration(migrations.Migration):
    dependencies = [("automation", "0001_initial"), ("journeys", "0002_guard_the_logs")]

    operations = [RunSqlFile(SQL, "rule_versions"), RunSqlFile(SQL, "record_events")]
