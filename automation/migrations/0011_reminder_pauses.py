"""A person may pause the reminders to a patient; who may, and the table that remembers it."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import kura.ids
from kura.accounts.roles import grant

READ = ["automation.reminderpause.view_reminderpause"]
PAUSE = ["automation.reminderpause.pause_reminders"]


def to(model: str, **fields: Any) -> models.ForeignKey:
    fields = {"db_index": False, "on_delete": django.db.models.deletion.PROTECT, **fields}
    return models.ForeignKey(to=model, **fields)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_roles"),
        ("automation", "0010_stage_timers"),
        ("journeys", "0004_event_subject"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReminderPause",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=kura.ids.time_ordered_uuid,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("stage_seq", models.PositiveIntegerField(verbose_name="move number")),
                ("until", models.DateTimeField(verbose_name="until")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "created_by",
                    to(settings.AUTH_USER_MODEL, related_name="+", verbose_name="paused by"),
                ),
                (
                    "ended_by",
                    to(
                        settings.AUTH_USER_MODEL,
                        null=True,
                        related_name="+",
                        verbose_name="ended by",
                    ),
                ),
                (
                    "enrollment",
                    to(
                        "journeys.enrollment",
                        related_name="reminder_pauses",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "organization",
                    to("accounts.organization", related_name="+", verbose_name="organization"),
                ),
            ],
            options={
                "verbose_name": "pause of reminders",
                "verbose_name_plural": "pauses of reminders",
                "db_table": "reminder_pauses",
                "ordering": ("-created_at", "-id"),
                "permissions": [("pause_reminders", "Can pause the reminders to a patient")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("enrollment",),
                        name="reminder_pause_one_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until__gt", models.F("created_at"))),
                        name="reminder_pause_has_length",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_by__isnull", True),
                            ("ended_at__isnull", False),
                            _connector="OR",
                        ),
                        name="reminder_pause_ended_by_when_ended",
                    ),
                ],
            },
        ),
        grant({"viewer": READ, "therapist": READ + PAUSE, "manager": READ + PAUSE}),
    ]
