"""What a block held back is a task for a person, until the event is replayed."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_roles"),
        ("automation", "0008_dead_of_patient"),
        ("journeys", "0004_event_subject"),
        ("patients", "0003_find_by_email"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="stafftask",
            name="staff_task_kind_known",
        ),
        migrations.AlterField(
            model_name="stafftask",
            name="kind",
            field=models.CharField(
                choices=[
                    ("rule", "A rule asks for it"),
                    ("no_address", "No e-mail address"),
                    ("message_failed", "Message could not be delivered"),
                    ("block_refused", "A block could not be set"),
                    ("held_back", "Held back by a block"),
                    ("event_failed", "An event could not be processed"),
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="stafftask",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "rule",
                            "no_address",
                            "message_failed",
                            "block_refused",
                            "held_back",
                            "event_failed",
                        ],
                    )
                ),
                name="staff_task_kind_known",
            ),
        ),
    ]
