"""Processes that tests start end with their test, and with whoever runs the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import all_end, start

pytestmark = pytest.mark.unit

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_what_a_failing_test_leaves_running_is_ended() -> None:
    started = []

    def fails() -> None:
        with all_end():
            started.append(start(SLEEPS))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert [each.returncode for each in started] == [-signal.SIGKILL]


def test_what_a_killed_runner_leaves_is_ended_by_the_kernel(tmp_path: Path) -> None:
    program = (
        "from tests.support.processes import start\n"
        f"print(start({SLEEPS!r}).pid, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    root = str(Path(__file__).parents[2])
    runner = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert runner.stdout is not None
    child = int(runner.stdout.readline())
    runner.kill()
    runner.communicate()
    limit = time.monotonic() + 10
    while alive(child):
        assert time.monotonic() < limit, "it outlives its runner"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
