"""A task that nobody has reviewed a block is a kind of its own, ended by a review or a lift."""

import django.db.models.deletion
from django.db import migrations, models

from automation.sql import SQL
from kura.sql import RunSqlFile

KINDS = {
    "rule": "A rule asks for it",
    "block_unreviewed": "Nobody has reviewed the block",
    "no_address": "No e-mail address",
    "message_failed": "Message could not be delivered",
    "block_refused": "A block could not be set",
    "held_back": "Held back by a block",
    "event_failed": "An event could not be processed",
}


def ended_by(model: str, name: str) -> models.ForeignKey:
    return models.ForeignKey(
        to=model,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=name,
    )


class Migration(migrations.Migration):
    dependencies = [("automation", "0011_reminder_pauses"), ("journeys", "0006_block_reviews")]

    operations = [
        migrations.RemoveConstraint(model_name="stafftask", name="staff_task_kind_known"),
        migrations.AlterField(
            model_name="stafftask",
            name="kind",
            field=models.CharField(choices=list(KINDS.items()), max_length=16, verbose_name="kind"),
        ),
        migrations.AddConstraint(
            model_name="stafftask",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", list(KINDS))), name="staff_task_kind_known"
            ),
        ),
        migrations.AddField(
            model_name="stafftask",
            name="ended_by_review",
            field=ended_by("journeys.blockreview", "ended by the review"),
        ),
        migrations.AddField(
            model_name="stafftask",
            name="ended_by_move",
            field=ended_by("journeys.journeylog", "ended by the move"),
        ),
        migrations.AddConstraint(
            model_name="stafftask",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_by_move__isnull", True), ("ended_by_review__isnull", True)
                )
                | models.Q(
                    models.Q(
                        ("ended_by_move__isnull", True),
                        ("ended_by_review__isnull", True),
                        _connector="OR",
                    ),
                    ("done_at__isnull", False),
                    ("kind", "block_unreviewed"),
                ),
                name="staff_task_ended_by_one_act",
            ),
        ),
        RunSqlFile(SQL, "unreviewed_tasks"),
    ]
