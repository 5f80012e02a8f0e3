"""The signing key: from an encrypted keystore, or behind an external signer. Never shown, never without a
chain id."""

from __future__ import annotations

from typing import Any, Protocol

from eth_account.signers.local import LocalAccount

from keeper.chain import keystore
from keeper.chain.keystore import PASSWORD_VARIABLE as PASSWORD_VARIABLE
from keeper.chain.web3signer import Web3Signer
from keeper.config import SignerSettings as SignerSettings
from keeper.errors import ConfigError


class Signing(Protocol):
    """An object that signs transactions for one address."""

    address: str

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """(raw transaction, hash) as 0x hex. ConfigError for a transaction that does not name its chain."""
        ...


class Signer:
    """Signs transactions with a key in this process."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self.address: str = account.address

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """(raw transaction, hash) as 0x hex. The transaction must name its chain."""
        if not transaction.get("chainId"):
            raise ConfigError("a transaction without chain id is never signed", where="signer")
        signed = self._account.sign_transaction(transaction)
        return "0x" + bytes(signed.raw_transaction).hex(), "0x" + bytes(signed.hash).hex()


def load(settings: SignerSettings) -> Signing:
    """Decrypt the keystore, or find the external signer; ConfigError says what is wrong without ever quoting
    key or password."""
    if settings.web3signer is not None:
        assert settings.address is not None
        return Web3Signer(settings.web3signer, settings.address)
    assert settings.keystore is not None
    return Signer(keystore.decrypt(settings.keystore, settings.password_file))


def public_address(settings: SignerSettings) -> str | None:
    """The address that acts, without a password: what the keystore shows, or the external signer's."""
    if settings.web3signer is not None:
        return settings.address
    assert settings.keystore is not None
    return keystore.public_address(settings.keystore)
