"""Settings: safe by default, no secret of their own, and every one of them documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "SECRET_KEY": "k7Qw-3vZ_9sLr2TnY8bXe5HcPm1GdJf6UaVo0WiNqRtCzBxKyE4",
    "DATABASE_URL": "postgres://kura@/kura?host=/nowhere",
    "ALLOWED_HOSTS": "journeys.example.org",
    "EMAIL_URL": "smtp+tls://mail.example.org",
    "DEFAULT_FROM_EMAIL": "journeys@example.org",
}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def read_in(module: str) -> set[str]:
    return set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", (ROOT / module).read_text("utf-8")))


def test_production_settings_pass_the_deployment_check_without_a_warning():
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize("missing", ["SECRET_KEY", "DATABASE_URL"])
def test_what_must_be_set_has_no_default(missing):
    done = manage("check", **{k: v for k, v in PRODUCTION.items() if k != missing})

    assert done.returncode != 0
    assert missing in done.stderr


def test_debug_is_off_unless_asked_for():
    program = "from django.conf import settings; print(settings.DEBUG, settings.DEMO)"

    done = manage("shell", "-v", "0", "-c", program, **PRODUCTION)

    assert done.stdout.strip() == "False False"


def test_every_setting_is_in_the_example_file():
    example = (ROOT / ".env.example").read_text("utf-8")
    listed = set(re.findall(r"^(?:# )?([A-Z_]{4,})=", example, flags=re.MULTILINE))

    assert listed == read_in("kura/settings.py")
