"""What may be missing on a fresh machine: one sentence each, and no traceback.

At full size (`dev.py soak`) also the real thing: packages from the index, paths with spaces and
beyond 120 characters, without uv, as an ordinary user.
"""

from __future__ import annotations

import ast
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sizes import FULL

pytestmark = pytest.mark.machine
WITHOUT_UV = "/usr/bin:/bin"


def one_sentence(output: str) -> str:
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if line.startswith("dev.py: ")]
    assert len(lines) == 1, output
    return lines[0]


def test_an_old_python_reads_far_enough_to_say_which_one_is_needed(clone):
    ast.parse((clone.path / "dev.py").read_text(), feature_version=(3, 6))
    old = (
        "import runpy, sys; sys.version_info = (3, 6, 15); "
        "runpy.run_path('dev.py', run_name='__main__')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", old], cwd=clone.path, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 1
    assert "needs Python 3.11 or newer, and this is 3.6" in one_sentence(answer.stderr)


def test_a_missing_venv_module_is_named(clone):
    (clone.path / "without").mkdir()
    (clone.path / "without/sitecustomize.py").write_text(
        "import sys; sys.modules['ensurepip'] = None"
    )
    code, output = clone.dev(
        "run", "--port", "0", bare="yes", PATH=WITHOUT_UV, PYTHONPATH="without"
    )

    assert code == 1
    assert "venv module is missing" in one_sentence(output)


def test_no_network_is_named_with_the_log(clone):
    nowhere = "http://127.0.0.1:9/simple"
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    offline |= {"PIP_INDEX_URL": nowhere, "UV_INDEX_URL": nowhere, "PIP_RETRIES": "0"}
    offline |= {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    code, output = clone.dev("run", "--port", "0", bare="yes", **offline)

    assert code == 1
    assert "network or the package index cannot be reached" in one_sentence(output)
    assert str(clone.path / ".kura/log/install.log") in output


def test_a_home_that_cannot_be_made_is_one_sentence(clone):
    code, output = clone.dev("run", "--port", "0", KURA_HOME="/proc/kura")

    assert code == 1
    assert "/proc/kura" in one_sentence(output)


def test_commands_work_from_another_directory(clone):
    answer = subprocess.run(
        [sys.executable, clone.path / "dev.py", "url"],
        cwd="/",
        env=clone.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "No embedded database runs here" in one_sentence(answer.stderr)


if FULL:

    @pytest.mark.soak
    @pytest.mark.parametrize("name", ["a clone with spaces", "long/" + "x" * 130 + "/clone"])
    @pytest.mark.parametrize("path", [os.environ["PATH"], WITHOUT_UV], ids=["path", "without-uv"])
    def test_a_fresh_clone_starts_twice_and_tests(make_clone, name, path):
        clone = make_clone(name)
        for seconds in (300, 8):
            run = clone.start("run", "--port", "0", bare="yes", PATH=path)
            assert "/admin/login/" in run.page(seconds)
            assert run.stop() == 0
        run = clone.start("run", "--port", "0", bare="yes", PATH=path)
        run.page()
        code, output = clone.dev("test", bare="yes", PATH=path, seconds=300)

        assert code == 0, output
        assert "/admin/login/" in run.page()
        assert run.stop() == 0
        assert clone.leaves_nothing()

    @pytest.mark.soak
    def test_a_killed_installation_is_made_again(clone):
        first = clone.start("run", "--port", "0", bare="yes", PATH=WITHOUT_UV)
        while "Python packages" not in first.output():
            assert not first.ended()
        first.stop(signal.SIGKILL)
        second = clone.start("run", "--port", "0", bare="yes", PATH=WITHOUT_UV)

        assert "/admin/login/" in second.page(300)
        assert second.stop() == 0

    @pytest.mark.soak
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_an_ordinary_user_needs_nothing_from_root(make_clone):
        clone = make_clone()
        nobody = pwd.getpwnam("nobody")
        subprocess.run(["chown", "-R", f"{nobody.pw_uid}", clone.path], check=True)
        words = ["setpriv", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid)]
        words += ["--clear-groups", shutil.which("python3", path=WITHOUT_UV) or sys.executable]
        words += [str(Path(clone.path, "dev.py")), "run", "--port", "0"]
        env = {"PATH": WITHOUT_UV, "HOME": str(clone.path), "bare": "yes"}
        run = clone.start_words(words, **env)

        assert "/admin/login/" in run.page(300)
        assert run.stop() == 0
        assert clone.leaves_nothing()
