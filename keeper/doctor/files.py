"""The files: whether others can read secret ones, and whether those to be written can be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from keeper.chain import keystore
from keeper.config import Settings
from keeper.model.finding import Finding

_OTHERS = stat.S_IRWXO


def files(settings: Settings, config: Path) -> Iterator[Finding]:
    """Check the configuration, the password file and the files that the keeper writes."""
    mode = stat.S_IMODE(config.stat().st_mode)
    if os.name == "posix" and mode & _OTHERS and _holds_secrets(settings):
        yield Finding.warning(
            "file",
            f"{config} is valid, but holds access keys and is open to others (mode {mode:04o})",
            f"Run: chmod 600 {config}",
        )
    elif os.name == "posix" and mode & (stat.S_IWOTH | stat.S_IWGRP):
        yield Finding.warning(
            "file", f"{config} is valid, but others may change it", f"Run: chmod go-w {config}"
        )
    else:
        yield Finding.ok("file", f"{config} is valid")
    password = settings.signer.password_file if settings.signer else None
    if password is not None and password.exists() and keystore.too_open(password):
        yield Finding.warning(
            "signer, password file", f"{password} {keystore.too_open(password)}", f"Run: chmod 600 {password}"
        )
    for key, path in (
        ("service.alerts_file", settings.service.alerts_file),
        ("service.record", settings.service.record),
    ):
        if path is not None and not _writable(path):
            yield Finding.fault(key, f"{path} cannot be written", "Make its folder, or correct the path")


def _holds_secrets(settings: Settings) -> bool:
    """Whether a URL in it carries more than a place: a path or parameters (keys), a user, a channel."""
    for chain in settings.chains.values():
        for url in (*chain.rpc, *([chain.relay.url] if chain.relay else [])):
            parts = urlsplit(url)
            if parts.path.strip("/") or parts.query or parts.username or parts.password:
                return True
    return bool(settings.alerts) or bool(urlsplit(settings.store.url).password)


def _writable(path: Path) -> bool:
    if path.exists():
        return path.is_file() and os.access(path, os.W_OK)
    return path.parent.is_dir() and os.access(path.parent, os.W_OK)
