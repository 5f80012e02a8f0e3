"""The program as a process of its own that need not read all its modules anew: most tests of commands ask
what a command does, not how it starts. Each is forked from one process that has imported the program."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

import keeper.cli
from tests.support import processes

_MODULES = [f"keeper.cli.{each.name}" for each in pkgutil.iter_modules(keeper.cli.__path__)]
_CONTEXT: list[ForkServerContext] = []

Prelude = Callable[[], None]


class Running:
    """A process of the program: as much of `subprocess.Popen` as tests need."""

    def __init__(
        self,
        process: ForkServerProcess,
        arguments: tuple[str, ...],
        out: Path,
        err: Path,
        kept: tempfile.TemporaryDirectory[str],
    ) -> None:
        self._process, self._arguments = process, arguments
        # The folder goes with this object.
        self._out, self._err, self._kept = out, err, kept

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            assert timeout is not None
            raise TimeoutExpired(["keeper", *self._arguments], timeout)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote, once it has ended."""
        self.wait(timeout)
        return self._out.read_text(), self._err.read_text()


def start_keeper(
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    log: Path | None = None,
    before: Prelude | None = None,
) -> Running:
    """`keeper` with these arguments, in `folder` (else here) and in this environment (else ours). What it
    writes is added to `log`, where one is named. `before` is called in the process first. It ends with its
    test."""
    said = tempfile.TemporaryDirectory(prefix="keeper-said-")
    kept = Path(said.name)
    (kept / "in").write_text(stdin)
    out, err = (log, log) if log is not None else (kept / "out", kept / "err")
    process = _context().Process(
        target=_be_keeper,
        args=(
            arguments,
            str(folder or Path.cwd()),
            dict(os.environ if environment is None else environment),
            tuple(str(each) for each in (kept / "in", out, err)),
            _umask(),
            before,
        ),
        daemon=True,
    )
    process.start()
    running = Running(process, arguments, out, err, said)
    processes.ends_with_test(running)
    return running


def run_keeper(
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 120,
) -> CompletedProcess[str]:
    """As `start_keeper`, and what came of it."""
    running = start_keeper(*arguments, folder=folder, environment=environment, stdin=stdin)
    try:
        said = running.communicate(timeout)
    finally:
        running.kill()
    assert running.returncode is not None
    return CompletedProcess(["keeper", *arguments], running.returncode, *said)


def _context() -> ForkServerContext:
    if not _CONTEXT:
        found = multiprocessing.get_context("forkserver")
        found.set_forkserver_preload(_MODULES)
        _CONTEXT.append(found)
    return _CONTEXT[0]


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def _be_keeper(
    arguments: tuple[str, ...],
    folder: str,
    environment: dict[str, str],
    files: tuple[str, ...],
    umask: int,
    before: Prelude | None,
) -> None:
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, flags in enumerate((os.O_RDONLY, writing, writing)):
        os.dup2(os.open(files[number], flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, buffering=1, closefd=False) for number, mode in enumerate(("r", "w", "w"))
    )
    os.umask(umask)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["keeper", *arguments]
    if before is not None:
        before()
    from keeper.cli.main import main

    main()
