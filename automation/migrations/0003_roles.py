"""What each role may do with automation: rules are a manager's, dead events also a therapist's."""

from django.db import migrations

from kura.accounts.roles import grant

READ = [
    f"automation.{model}.view_{model}"
    for model in (
        "automationrule", "ruleversion", "rulerun", "message", "eventdispatch",
        "dispatchdecision", "stafftask", "heartbeat",
    )
]  # fmt: skip
WORK = ["automation.eventdispatch.decide_event", "automation.stafftask.change_stafftask"]
DESIGN = [f"automation.automationrule.{verb}_automationrule" for verb in ("add", "change")]


class Migration(migrations.Migration):
    dependencies = [
        ("automation", "0002_guard_what_is_kept"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        grant({"viewer": READ, "therapist": READ + WORK, "manager": READ + WORK + DESIGN})
    ]
