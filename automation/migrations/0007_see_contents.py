"""What an event said is for those who work with the patient; a viewer sees that it happened."""

from django.db import migrations

from kura.accounts.roles import grant

CONTENTS = ["journeys.systemeventpayload.view_systemeventpayload"]


class Migration(migrations.Migration):
    dependencies = [
        ("automation", "0006_moves_are_events"),
        ("journeys", "0003_roles"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [grant({"therapist": CONTENTS, "manager": CONTENTS})]
