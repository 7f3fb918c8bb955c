"""Real dev.py processes in a copy of the repository, each findable by a mark in its environment.

The copy's `tests/` holds one tiny test. To stay short, the commands use the packages and the
PostgreSQL that run this suite (`KURA_VENV`, `KURA_PG_BIN`); `bare` is the environment without them.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sizes import FULL

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = [".git", ".kura", ".env", "tests", ".*_cache", ".hypothesis"]
NOT_COPIED += ["__pycache__"] if FULL else []  # a fresh clone compiles for some seconds
OURS = ("KURA_", "DATABASE_URL", "TEST_DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS", "PYTEST_")
# Reduced it reaches the server; at full size it has a database of its own, with all migrations.
TINY_TEST = f"""
import os, time
import pytest
from django.db import connection

@pytest.fixture
def reached(django_db_blocker):
    with django_db_blocker.unblock():
        connection.ensure_connection()
        connection.close()

def test_tiny({"db" if FULL else "reached"}):
    print("DATABASE", os.environ["DATABASE_URL"], "DEMO", os.environ.get("KURA_DEMO"))
    time.sleep(float(os.environ.get("NAP", "0")))
    assert not os.environ.get("FAIL")
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One worker runs them all: they would take the two cores from each other."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.xdist_group("machine"))


class Clone:
    """`first_postgres`: what it begins with, as soon as a command needs a PostgreSQL of its own."""

    def __init__(self, base: Path, name: str, first_postgres: Path) -> None:
        self.first_postgres = first_postgres
        self.path, self.mark = base / name, f"KURA_MACHINE={secrets.token_hex(8)}"
        shutil.copytree(ROOT, self.path, ignore=shutil.ignore_patterns(*NOT_COPIED))
        (self.path / "tests").mkdir()
        (self.path / "tests" / "test_tiny.py").write_text(TINY_TEST)
        self.bare = {n: v for n, v in os.environ.items() if not n.startswith(OURS)}
        self.bare |= dict([self.mark.split("=")])
        self.env = {**self.bare, "KURA_VENV": sys.prefix}
        if "KURA_PG_BIN" in os.environ:
            self.env["KURA_PG_BIN"] = os.environ["KURA_PG_BIN"]
        self.commands: list[Command] = []

    def start(self, *words: str, **env: str) -> Command:
        brought = {"bare", "DATABASE_URL", "TEST_DATABASE_URL"} & env.keys()
        if words[0] in {"run", "test"} and not brought:
            copy_postgres(self.first_postgres, self.path / ".kura/postgres")
        return self.start_words([sys.executable, "dev.py", *words], **env)

    def start_words(self, words: list[str], **env: str) -> Command:
        self.commands.append(Command(self, words, env))
        return self.commands[-1]

    def dev(self, *words: str, seconds: float = 60, **env: str) -> tuple[int, str]:
        command = self.start(*words, **env)
        return command.wait(seconds), command.output()

    def processes(self) -> list[int]:
        names = [path.name for path in Path("/proc").iterdir()]
        return [pid for pid in map(int, filter(str.isdigit, names)) if self.owns(pid)]

    def owns(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return self.mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return False

    def socket_directories(self) -> list[str]:
        """Named in the logs of this clone's servers, and still there."""
        logs = "".join(p.read_text() for p in (self.path / ".kura/log").glob("postgres*.log"))
        return [name for name in re.findall(r'"(/[^"]*/kura-\w+)/\.s', logs) if Path(name).exists()]

    def leaves_nothing(self) -> bool:
        left = within(20, lambda: not self.processes() and not self.socket_directories())
        return left and not list((self.path / ".kura/postgres/clusters").glob("throwaway-*"))

    def clear(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for command in self.commands:
            command.wait(10)


class Command:
    """One running dev.py; its output goes to a file, as no pipe may outlive it."""

    def __init__(self, clone: Clone, words: list[str], env: dict[str, str]) -> None:
        self.clone, self.started = clone, time.monotonic()
        self.file = clone.path / f"output-{secrets.token_hex(4)}"
        base = clone.bare if env.pop("bare", "") else clone.env
        with self.file.open("wb") as output:
            self.process = subprocess.Popen(
                words,
                cwd=clone.path,
                env={**base, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.file.read_text()

    def wait(self, seconds: float = 30) -> int:
        return self.process.wait(seconds)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def page(self, seconds: float = 60) -> str:
        """The log-in page, once `run` has printed its address."""
        assert within(seconds, lambda: self.ended() or "Ctrl-C stops it" in self.output())
        assert not self.ended(), self.output()
        address = re.search(r"http://\S+", self.output())
        assert address, self.output()
        with urllib.request.urlopen(address.group()) as answer:
            return f"{answer.url}\n{answer.read().decode()}"

    def ended(self) -> bool:
        return self.process.poll() is not None


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="session")
def first_postgres() -> Iterator[Path]:
    """What the first clone that ran has made: an empty cluster, and one with the demo in it.

    Reduced, the next clones begin with a copy: no `initdb`, no migrations, no demo to be made.
    """
    place = Path(tempfile.mkdtemp(prefix="kura-machine-", dir="/tmp"))
    yield place / "postgres"
    shutil.rmtree(place)


def copy_postgres(source: Path, target: Path) -> None:
    if FULL or target.exists() or not list(source.glob("clusters/data-*")):
        return
    target.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)
    for path in target.glob("clusters/*"):
        if not path.is_dir():
            path.unlink()
        elif not path.name.startswith(("template-", "data-")):
            shutil.rmtree(path)


@pytest.fixture
def make_clone(first_postgres: Path) -> Iterator[Callable[..., Clone]]:
    """Clones below a directory that PostgreSQL's user may walk through."""
    base = Path(tempfile.mkdtemp(prefix="kura-machine-", dir="/tmp"))
    base.chmod(0o755)
    made: list[Clone] = []

    def make(name: str = "clone") -> Clone:
        made.append(Clone(base, name, first_postgres))
        return made[-1]

    yield make
    for clone in made:
        clone.clear()
        copy_postgres(clone.path / ".kura/postgres", first_postgres)
    shutil.rmtree(base)


@pytest.fixture
def clone(make_clone: Callable[..., Clone]) -> Clone:
    return make_clone()
