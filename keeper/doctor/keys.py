"""The key: whether it can be used, and who else could read it."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import signer as keys
from keeper.config import Settings
from keeper.errors import ConfigError, KeeperError
from keeper.model.finding import Finding


def signer(settings: Settings) -> Iterator[Finding]:
    """Check the keystore's file, and whether its password opens it."""
    if settings.signer is None:
        yield Finding.warning("signer", "none: the keeper can only watch", "Make one with `keeper key new`")
        return
    try:
        loaded = keys.load(settings.signer)
    except KeeperError as error:
        yield Finding.fault("signer", f"{error.where}: {error.what}", error.remedy)
        return
    where = (
        f"{settings.signer.keystore} is its owner's only"
        if settings.signer.keystore
        else "signed for by web3signer"
    )
    yield Finding.ok("signer", f"{loaded.address}, {where}")


def address_of(settings: Settings) -> str | None:
    """The address that would act, as the keystore shows it; None without one."""
    if settings.signer is None:
        return None
    try:
        return keys.public_address(settings.signer)
    except ConfigError:
        return None
