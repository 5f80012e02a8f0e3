"""Processes that tests start. Each ends with its test, whatever becomes of that, and with the test runner."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from keeper.localchain.anvil import dies_with_parent


class Process(Protocol):
    """What ends with its test."""

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


_started: list[Process] = []


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """As `subprocess.Popen`. The kernel ends it with the thread that started it; `all_end` with the test."""
    before = dies_with_parent() if sys.platform == "linux" else None
    process = subprocess.Popen(command, preexec_fn=before, **options)
    ends_with_test(process)
    return process


def ends_with_test(process: Process) -> None:
    _started.append(process)


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
