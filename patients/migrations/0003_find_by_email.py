"""An event may name its patient by address: found without reading all patients."""

from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("patients", "0002_roles"), ("accounts", "0002_roles")]

    operations = [
        migrations.AddIndex(
            model_name="patient",
            index=models.Index("organization", Upper("email"), name="ix_patients_by_email"),
        ),
    ]
