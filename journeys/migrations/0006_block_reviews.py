"""Who looked at a block and kept it: written once, its note erasable, readable by every role."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import kura.ids
from journeys.sql import SQL
from kura.accounts.roles import grant
from kura.sql import RunSqlFile

READ = ["journeys.blockreview.view_blockreview"]


class Migration(migrations.Migration):
    dependencies = [
        ("journeys", "0005_stage_help_languages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BlockReview",
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
                ("seq", models.PositiveIntegerField(verbose_name="move number")),
                ("note", models.TextField(blank=True, default="", verbose_name="note")),
                (
                    "reviewed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="reviewed",
                    ),
                ),
                (
                    "enrollment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="block_reviews",
                        to="journeys.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                        verbose_name="organization",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="reviewed by",
                    ),
                ),
            ],
            options={
                "verbose_name": "review of a block",
                "verbose_name_plural": "reviews of blocks",
                "db_table": "block_reviews",
                "ordering": ("-reviewed_at", "-id"),
                "indexes": [
                    models.Index(
                        fields=["enrollment", "seq", "-reviewed_at"], name="ix_block_reviews"
                    )
                ],
            },
        ),
        RunSqlFile(SQL, "block_reviews"),
        grant(dict.fromkeys(("viewer", "therapist", "manager"), READ)),
    ]
