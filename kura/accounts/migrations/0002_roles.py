"""The roles, and what each may do with the team. People are switched off, not deleted."""

from django.db import migrations

from kura.accounts.roles import grant


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        grant(
            {
                "viewer": [],
                "therapist": ["accounts.user.view_user"],
                "manager": [
                    "accounts.user.view_user",
                    "accounts.user.add_user",
                    "accounts.user.change_user",
                    "accounts.organization.view_organization",
                    "accounts.organization.change_organization",
                ],
            }
        )
    ]
