"""Who switched which rule on or off: kept, and readable by every role."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import kura.ids
from automation.sql import SQL
from kura.accounts.roles import grant
from kura.sql import RunSqlFile

READ = ["automation.ruleswitch.view_ruleswitch"]


class Migration(migrations.Migration):
    dependencies = [
        ("automation", "0003_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RuleSwitch",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("on", "Switched on"),
                            ("off", "Switched off"),
                            ("archived", "Archived"),
                        ],
                        max_length=12,
                        verbose_name="change",
                    ),
                ),
                (
                    "switched_at",
                    models.DateTimeField(auto_now_add=True, verbose_name="switched"),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="switches",
                        to="automation.automationrule",
                        verbose_name="rule",
                    ),
                ),
                (
                    "switched_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="switched by",
                    ),
                ),
            ],
            options={
                "verbose_name": "switch of a rule",
                "verbose_name_plural": "switches of rules",
                "db_table": "automation_rule_switches",
                "ordering": ("-switched_at", "-id"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["on", "off", "archived"])),
                        name="rule_switch_kind_known",
                    )
                ],
            },
        ),
        RunSqlFile(SQL, "rule_switches"),
        grant(dict.fromkeys(("viewer", "therapist", "manager"), READ)),
    ]
