"""`keeper run`: the daemon in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path

import structlog

from keeper.chain import signer as keys
from keeper.config import Settings, SignerSettings
from keeper.errors import ConfigError
from keeper.protocols.registry import load
from keeper.service.daemon import Daemon
from keeper.store.database import open_store

log = structlog.get_logger()


def run(config: Path, *, live: bool, for_blocks: int | None, as_json: bool) -> None:
    settings = load(config)
    signer = None
    if live:
        signer = keys.load(signer_of(settings, config, "--live"))
    payer = signer.address if signer else public_address(settings)
    store = open_store(settings.store.url)
    daemon = Daemon(settings, store, payer, signer, config)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: daemon.stop())
    try:
        daemon.run(for_blocks)
    finally:
        store.close()


def signer_of(settings: Settings, config: Path, what: str) -> SignerSettings:
    """The configured signer, which `what` needs; ConfigError where there is none."""
    if settings.signer is None:
        raise ConfigError(
            f"{what} needs a key to sign with",
            where=str(config),
            remedy='Add [signer] with keystore = "path"',
        )
    return settings.signer


def public_address(settings: Settings) -> str | None:
    """The address that would act, without a password; a dry run needs no more."""
    if settings.signer is None:
        return None
    try:
        return keys.public_address(settings.signer)
    except ConfigError as error:
        log.warning("keystore cannot be read: watching without planning", error=str(error))
        return None
