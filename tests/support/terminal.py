"""A command at a real terminal: questions are answered as they appear."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

PATIENCE = 20.0


def at_terminal(folder: Path, arguments: list[str], answers: Mapping[str, str]) -> tuple[int, str]:
    """Runs `keeper ARGUMENTS` in `folder`; what the screen ends with → what is typed. (exit code, screen).

    Each answer is typed once; a question asked again gets an empty line."""
    left = dict(answers)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "keeper.cli.main", *arguments])
    screen = ""
    try:
        while True:
            ready, _, _ = select.select([terminal], [], [], PATIENCE)
            if not ready:
                os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"waits for what nobody answers: {screen!r}")
            screen += os.read(terminal, 4096).decode(errors="replace")
            for question in [q for q in answers if screen.endswith(q)]:
                os.write(terminal, left.pop(question, "").encode() + b"\n")
    except OSError:
        pass  # the terminal closes when the command ends
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), screen
