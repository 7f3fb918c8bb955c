"""The outbox: fair between practices, sure about how long it has tried, and resent by people."""

from django.db import migrations, models

from kura.accounts.roles import grant

RESEND = ["automation.message.resend_message"]
DECISIONS = [
    ("retry", "Tried again"),
    ("skip", "Skipped"),
    ("link", "Linked to a patient"),
    ("replay", "Replayed"),
    ("resend", "Message sent again"),
]


class Migration(migrations.Migration):
    dependencies = [("automation", "0004_rule_switches")]

    operations = [
        migrations.AlterModelOptions(
            name="message",
            options={
                "ordering": ("-created_at", "-id"),
                "permissions": [("resend_message", "Can send a message again")],
                "verbose_name": "message",
                "verbose_name_plural": "messages",
            },
        ),
        migrations.RemoveIndex(model_name="message", name="ix_messages_waiting"),
        migrations.AddField(
            model_name="message",
            name="tried_since",
            field=models.DateTimeField(null=True, verbose_name="first attempt"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("state", "queued")),
                fields=["organization", "next_attempt_at", "id"],
                name="ix_messages_queued",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("state", "sending")),
                fields=["claimed_at"],
                name="ix_messages_sending",
            ),
        ),
        migrations.AddField(
            model_name="dispatchdecision",
            name="message_id",
            field=models.UUIDField(editable=False, null=True, verbose_name="message"),
        ),
        migrations.AlterField(
            model_name="dispatchdecision",
            name="kind",
            field=models.CharField(choices=DECISIONS, max_length=12, verbose_name="decision"),
        ),
        grant({"therapist": RESEND, "manager": RESEND}),
    ]
