"""`keeper pause` and `keeper resume`: stop all sending, and go on. Watching never stops."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

from keeper.cli.output import console, print_json
from keeper.execution import pause_file
from keeper.protocols.registry import load
from keeper.store.database import open_store


def pause(config: Path, why: str, *, as_json: bool) -> None:
    with open_store(load(config).store.url).session() as session:
        done = pause_file.pause(session, _who(), why)
        standing = pause_file.paused(session, None)
    _say(done, standing if done else f"was already {standing}", as_json=as_json)


def resume(config: Path, *, as_json: bool) -> None:
    settings = load(config)
    with open_store(settings.store.url).session() as session:
        done = pause_file.resume(session, _who())
        left = pause_file.paused(session, settings.service.pause_file)
    text = "resumed" if done else "was not paused by `keeper pause`"
    _say(done, f"{text}; still {left}" if left else text, as_json=as_json)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def _say(done: bool, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"changed": done, "state": text})
    else:
        console.print(text, markup=False)
