"""Processes that tests start. Each ends with its test, whatever becomes of that, and with the test runner."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from keeper.localchain.anvil import dies_with_parent

_started: list[subprocess.Popen[Any]] = []


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """As `subprocess.Popen`. The kernel ends it with the thread that started it; `all_end` with the test."""
    before = dies_with_parent() if sys.platform == "linux" else None
    process = subprocess.Popen(command, preexec_fn=before, **options)
    _started.append(process)
    return process


@contextmanager
def all_end() -> Iterator[None]:
    """What was started within and still runs is killed at the end."""
    first = len(_started)
    try:
        yield
    finally:
        for process in _started[first:]:
            if process.poll() is None:
                process.kill()
            process.wait()
        del _started[first:]
