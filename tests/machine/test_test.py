"""`dev.py test`: a throw-away database that is thrown away however the command ends."""

from __future__ import annotations

import signal

import pytest

from tests.sizes import FULL

pytestmark = [pytest.mark.machine, pytest.mark.soak]
QUICK = ("-n0", "-s", "-q")


def test_tests_run_on_a_database_of_their_own_and_their_exit_code_is_ours(clone):
    code, output = clone.dev("test", *QUICK)
    failing, _ = clone.dev("test", *QUICK, FAIL="yes")

    assert code == 0, output
    assert "DATABASE postgres://postgres@/kura?host=" in output
    assert "DEMO None" in output
    assert failing == 1
    assert clone.leaves_nothing()


ENDS = [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), ENDS if FULL else ENDS[:2])
def test_a_stopped_test_run_leaves_nothing(clone, number, code):
    test = clone.start("test", *QUICK, NAP="60")
    while "DATABASE" not in test.output():
        assert not test.ended(), test.output()

    assert test.stop(number) == code
    assert clone.leaves_nothing()


def test_a_run_and_tests_beside_it_do_not_notice_each_other(clone):
    run = clone.start("run", "--port", "0")
    run.page()
    _, url = clone.dev("url")
    own_code, own = clone.dev("test", *QUICK)
    brought_code, brought = clone.dev("test", *QUICK, TEST_DATABASE_URL=url.strip())

    assert own_code == 0, own
    assert url.strip() not in own
    assert brought_code == 0, brought
    assert f"DATABASE {url.strip()} " in brought
    assert "/admin/login/" in run.page()
    assert run.stop() == 0
    assert clone.leaves_nothing()


def test_a_wrong_brought_database_is_named(clone):
    code, output = clone.dev("test", TEST_DATABASE_URL="postgres://me@127.0.0.1:9/kura")

    assert code == 1
    assert "TEST_DATABASE_URL leads to no database" in output


if FULL:

    def test_two_workers_share_the_throwaway_server(clone):
        code, output = clone.dev("test", "-n", "2", "--dist", "loadgroup")

        assert code == 0, output
        assert "2 workers" in output
