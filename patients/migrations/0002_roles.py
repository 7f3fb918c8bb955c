"""What each role may do with patients."""

from django.db import migrations

from kura.accounts.roles import grant


class Migration(migrations.Migration):
    dependencies = [("patients", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        grant(
            {
                "viewer": ["patients.patient.view_patient"],
                "therapist": [
                    "patients.patient.view_patient",
                    "patients.patient.add_patient",
                    "patients.patient.change_patient",
                ],
                "manager": [
                    "patients.patient.view_patient",
                    "patients.patient.add_patient",
                    "patients.patient.change_patient",
                ],
            }
        )
    ]
