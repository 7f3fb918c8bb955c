"""`dev.py test`: a throw-away database that is thrown away however the command ends."""

from __future__ import annotations

import signal

import pytest

pytestmark = pytest.mark.machine
QUICK = ("-n0", "-s", "-q")


def test_tests_run_on_a_database_of_their_own_and_their_exit_code_is_ours(clone):
    code, output = clone.dev("test", *QUICK)
    failing, _ = clone.dev("test", *QUICK, FAIL="yes")

    assert code == 0, output
    assert "DATABASE postgres://postgres@/kura?host=" in output
    assert "DEMO None" in output
    assert failing == 1
    assert clone.leaves_nothing()


def test_two_workers_share_the_throwaway_server(clone):
    code, output = clone.dev("test", "-n", "2", "--dist", "loadgroup")

    assert code == 0, output
    assert "2 workers" in output


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_stopped_test_run_leaves_nothing(clone, number, code):
    test = clone.start("test", *QUICK, NAP="60")
    while "DATABASE" not in test.output():
        assert not test.ended(), test.output()

    assert test.stop(number) == code
    assert clone.leaves_nothing()


def test_a_run_does_not_notice_tests_beside_it(clone):
    run = clone.start("run", "--port", "0")
    run.page()
    code, output = clone.dev("test", *QUICK)

    assert code == 0, output
    assert "/admin/login/" in run.page()
    assert run.stop() == 0
    assert clone.leaves_nothing()


def test_a_brought_database_is_used_and_a_wrong_one_named(clone):
    run = clone.start("run", "--port", "0")
    run.page()
    _, url = clone.dev("url")
    code, output = clone.dev("test", *QUICK, TEST_DATABASE_URL=url.strip())
    wrong_code, wrong = clone.dev("test", TEST_DATABASE_URL="postgres://me@127.0.0.1:9/kura")

    assert code == 0, output
    assert f"DATABASE {url.strip()} " in output
    assert (wrong_code, "TEST_DATABASE_URL leads to no database" in wrong) == (1, True)
    assert run.stop() == 0
