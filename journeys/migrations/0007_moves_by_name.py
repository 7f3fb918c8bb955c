"""A row of the log is called a move, in both languages: a list says how many there are of them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("journeys", "0006_block_reviews")]

    operations = [
        migrations.AlterModelOptions(
            name="journeylog",
            options={
                "ordering": ("-id",),
                "verbose_name": "move",
                "verbose_name_plural": "moves",
            },
        ),
    ]
