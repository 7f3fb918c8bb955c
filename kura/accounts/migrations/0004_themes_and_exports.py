"""A theme for each person, and who may download lists: therapists and managers."""

from django.db import migrations, models

from kura.accounts.roles import grant


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_credentials")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="theme",
            field=models.CharField(
                choices=[("auto", "As the device"), ("light", "Light"), ("dark", "Dark")],
                db_default="auto",
                default="auto",
                max_length=5,
                verbose_name="theme",
            ),
        ),
        migrations.AlterModelOptions(
            name="organization",
            options={
                "ordering": ("name", "id"),
                "permissions": [("export_records", "Can download lists as a file")],
                "verbose_name": "organization",
                "verbose_name_plural": "organizations",
            },
        ),
        grant(
            {
                "therapist": ["accounts.organization.export_records"],
                "manager": ["accounts.organization.export_records"],
            }
        ),
    ]
