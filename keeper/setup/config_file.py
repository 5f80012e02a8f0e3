"""Putting the configuration where it belongs: checked before it is there, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keeper.errors import ConfigError
from keeper.protocols.registry import load


def check(path: Path, text: str) -> None:
    """ConfigError when `load` would not accept what `path` would say; nothing is left written."""
    with _beside(path, text):
        pass


def write(path: Path, text: str, *, force: bool) -> None:
    """Write a configuration that `load` accepts, readable by its owner only (it may hold access keys).

    ConfigError when the file exists and `force` is not given, or what it would hold is wrong.
    """
    refuse_existing(path, force=force)
    with _beside(path, text) as temporary:
        if force:
            temporary.replace(path)
        else:
            # Unlike a rename, a link refuses a file that came into being meanwhile.
            os.link(temporary, path)


@contextmanager
def _beside(path: Path, text: str) -> Iterator[Path]:
    """A file beside `path` with this text, which `load` accepts, for the block. ConfigError where it does
    not, where it cannot be written, and where the block finds that `path` exists."""
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            load(temporary)
        except ConfigError as error:
            raise ConfigError(error.what, where=f"what {path} would say", remedy=error.remedy) from None
        yield temporary
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise ConfigError.unwritable(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def refuse_existing(path: Path, *, force: bool) -> None:
    """ConfigError when there is a file already and it may not be replaced."""
    if path.exists() and not force:
        raise _exists(path)


def _exists(path: Path) -> ConfigError:
    return ConfigError(
        "exists already", where=str(path), remedy="Give --force to replace it, or another --config"
    )
