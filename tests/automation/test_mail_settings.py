"""Mail as operators set it up: EMAIL_URL, or a warning that nobody can overlook."""

from __future__ import annotations

import pytest

from tests.test_settings import PRODUCTION, manage

SHOW = (
    "from django.conf import settings as s; print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.EMAIL_PORT,"
    " s.EMAIL_USE_TLS, s.EMAIL_USE_SSL, s.EMAIL_TIMEOUT)"
)
WITHOUT = {name: value for name, value in PRODUCTION.items() if name != "EMAIL_URL"}
SMTP = "automation.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smtp+tls://u:p@mail.example.org", f"{SMTP} mail.example.org 587 True False 10"),
        ("smtp+ssl://u:p@mail.example.org", f"{SMTP} mail.example.org 465 False True 10"),
        ("smtp://127.0.0.1:2525", f"{SMTP} 127.0.0.1 2525 False False 10"),
    ],
)
def test_one_url_sets_up_the_mail_server(url, shown):
    done = manage("shell", "-v", "0", "-c", SHOW, **WITHOUT, EMAIL_URL=url)

    assert done.stdout.strip() == shown


def test_production_without_a_mail_server_is_warned_about():
    done = manage("check", **WITHOUT)

    assert "EMAIL_URL is not set" in done.stderr


def test_the_demo_writes_mails_to_a_folder_and_needs_no_warning(tmp_path):
    folder = str(tmp_path / "mail")
    shown = "from django.conf import settings as s; print(s.EMAIL_BACKEND, s.EMAIL_FILE_PATH)"

    done = manage("shell", "-v", "0", "-c", shown, **WITHOUT, KURA_DEMO="1", KURA_MAIL_DIR=folder)
    checked = manage("check", **WITHOUT, KURA_DEMO="1")

    assert done.stdout.split() == ["django.core.mail.backends.filebased.EmailBackend", folder]
    assert "EMAIL_URL" not in checked.stderr
