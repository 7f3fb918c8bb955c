"""What failed for good about a patient is asked before a rule moves them on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("automation", "0007_see_contents")]

    operations = [
        migrations.AddIndex(
            model_name="eventdispatch",
            index=models.Index(
                condition=models.Q(("status", "dead")),
                fields=["patient_id"],
                name="ix_dispatches_dead_of_patient",
            ),
        ),
    ]
