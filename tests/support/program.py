"""The program as a process of its own that need not read all its modules anew: most tests of commands ask
what a command does, not how it starts. Each is forked from one process that has imported the program."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

import keeper.cli

_MODULES = [f"keeper.cli.{each.name}" for each in pkgutil.iter_modules(keeper.cli.__path__)]
_CONTEXT: list[ForkServerContext] = []


def run_keeper(
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 120,
) -> CompletedProcess[str]:
    """`keeper` with these arguments, in `folder` (else here) and in this environment (else ours)."""
    with tempfile.TemporaryDirectory() as kept:
        inside = Path(kept)
        (inside / "0").write_text(stdin)
        process = _context().Process(
            target=_be_keeper,
            args=(
                arguments,
                str(folder or Path.cwd()),
                dict(os.environ if environment is None else environment),
                kept,
                _umask(),
            ),
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(["keeper", *arguments], timeout)
        said = [(inside / name).read_text() for name in ("1", "2")]
    return CompletedProcess(["keeper", *arguments], process.exitcode, *said)


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
    arguments: tuple[str, ...], folder: str, environment: dict[str, str], kept: str, umask: int
) -> None:
    os.umask(umask)
    for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)):
        os.dup2(os.open(f"{kept}/{number}", flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, buffering=1, closefd=False) for number, mode in enumerate(("r", "w", "w"))
    )
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["keeper", *arguments]
    from keeper.cli.main import main

    main()
