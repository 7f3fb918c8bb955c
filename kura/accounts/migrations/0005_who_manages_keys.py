"""Who sees, makes and revokes integration keys: managers, of their own practice."""

from django.db import migrations

from kura.accounts.roles import grant


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_themes_and_exports")]

    operations = [
        grant(
            {
                "manager": [
                    "accounts.integrationkey.view_integrationkey",
                    "accounts.integrationkey.add_integrationkey",
                    "accounts.integrationkey.change_integrationkey",
                ],
            }
        ),
    ]
