"""`dev.py run`: what a person sees from `git clone` to Ctrl-C, and what a killed one leaves."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.sizes import FULL

pytestmark = [pytest.mark.machine, pytest.mark.soak]


def test_run_serves_the_login_page_and_a_signal_stops_all_of_it(clone):
    run = clone.start("run", "--port", "0")
    page = run.page()
    url_code, url = clone.dev("url")
    manage_code, _ = clone.dev("manage", "check")
    again_code, again = clone.dev("run", "--port", "0")
    code = run.stop(signal.SIGTERM)

    assert "/admin/login/" in page
    assert (url_code, url.split("?")[0]) == (0, "postgres://postgres@/kura")
    assert manage_code == 0
    assert again_code == 1
    assert "already runs in this clone" in again
    assert code == 0
    assert clone.leaves_nothing()

    second = clone.start("run", "--port", "0")
    second.page(seconds=8)

    assert second.stop(signal.SIGINT) == 0
    assert clone.leaves_nothing()


def test_kill_9_of_run_leaves_nothing_and_the_next_start_works(clone):
    first = clone.start("run", "--port", "0")
    first.page()
    first.stop(signal.SIGKILL)
    next_one = clone.start("run", "--port", "0")

    assert "/admin/login/" in next_one.page()

    everything = [*clone.processes()]
    own_group = [pid for pid in everything if b"dev.py" in cmdline(pid)]
    for pid in own_group:  # the watchdog with it
        os.kill(pid, signal.SIGKILL)
    next_one.wait()
    last = clone.start("run", "--port", "0")

    assert "/admin/login/" in last.page()
    assert last.stop() == 0
    assert clone.leaves_nothing()


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("name", ["web", "cluster", "postgres"] if FULL else ["cluster"])
def test_a_child_that_dies_is_named_and_ends_the_command(clone, name):
    words = {"web": b"gunicorn", "cluster": b"manage.py", "postgres": b"listen_addresses="}
    run = clone.start("run", "--port", "0")
    run.page()
    victim = min(pid for pid in clone.processes() if words[name] in cmdline(pid))
    os.kill(victim, signal.SIGKILL)

    assert run.wait() == 1
    assert f"{name} has ended" in run.output()
    assert "Traceback" not in run.output().rpartition("dev.py:")[2]
    assert clone.leaves_nothing()


def test_a_taken_port_is_named_before_any_long_step(clone):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, output = clone.dev("run", "--port", str(port), bare="yes")

    assert code == 1
    assert output.strip() == (
        f"dev.py: Port {port} is taken: choose another with --port, for example --port 8010."
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me@here/kura", "is not a PostgreSQL URL"),
        ("postgres://me:hidden@127.0.0.1:9/kura", "Connection refused"),
        ("postgres://me@/kura?host=/nowhere", "No such file or directory"),
    ],
)
def test_a_wrong_database_url_says_so_in_one_sentence(clone, url, words):
    code, output = clone.dev("run", "--port", "0", DATABASE_URL=url)

    assert code == 1
    assert len(output.strip().splitlines()) == 1
    assert words in output
    assert "hidden" not in output


def test_a_database_url_replaces_the_embedded_database(clone):
    owner = clone.start("run", "--port", "0")
    owner.page()
    _, url = clone.dev("url")
    guest = clone.start(
        "run", "--port", "0", DATABASE_URL=url.strip(), KURA_HOME=str(clone.path / "second")
    )

    assert "/admin/login/" in guest.page()
    assert not (clone.path / "second/postgres").exists()
    assert guest.stop() == 0
    assert owner.stop() == 0
    assert clone.leaves_nothing()


def test_url_and_manage_without_a_run_say_what_to_start(clone):
    for word in ("url", "manage"):
        code, output = clone.dev(word)

        assert code == 1
        assert "python3 dev.py run" in output
