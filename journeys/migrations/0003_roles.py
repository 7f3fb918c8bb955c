"""What each role may do with journeys. Nobody may add, change or delete a log row."""

from django.db import migrations

from kura.accounts.roles import grant

READ = [
    "journeys.journeytemplate.view_journeytemplate",
    "journeys.journeystage.view_journeystage",
    "journeys.journeytransition.view_journeytransition",
    "journeys.enrollment.view_enrollment",
    "journeys.journeylog.view_journeylog",
    "journeys.journeylognote.view_journeylognote",
    "journeys.systemeventlog.view_systemeventlog",
]
MOVE = [
    "journeys.enrollment.transition_enrollment",
    "journeys.enrollment.enroll_patient",
    "journeys.enrollment.unblock_enrollment",
]
DESIGN = [
    f"journeys.{model}.{verb}_{model}"
    for model in ("journeytemplate", "journeystage", "journeytransition")
    for verb in ("add", "change", "delete")
]


class Migration(migrations.Migration):
    dependencies = [
        ("journeys", "0002_guard_the_logs"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        grant({"viewer": READ, "therapist": READ + MOVE, "manager": READ + MOVE + DESIGN})
    ]
