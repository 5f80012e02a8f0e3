"""Writing of the configuration file: checked before it is in place, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keeper.errors import ConfigError
from keeper.protocols.registry import load


def check(path: Path, text: str) -> None:
    """Raise ConfigError when `load` would not accept `text` at `path`; nothing is left written."""
    with _beside(path, text):
        pass


def write(path: Path, text: str, *, force: bool) -> None:
    """Write a configuration that `load` accepts, readable by its owner only (it may hold access keys).

    ConfigError when the file exists and `force` is not given, or when the content is invalid.
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
    """A file beside `path` with this text, which `load` accepts, for the length of a with-block. ConfigError
    where `load` refuses it, where it cannot be written, and where the with-block finds that `path` exists."""
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
    """Raise ConfigError when a file exists already and may not be replaced."""
    if path.exists() and not force:
        raise _exists(path)


def _exists(path: Path) -> ConfigError:
    return ConfigError(
        "exists already", where=str(path), remedy="Give --force to replace it, or another --config"
    )
