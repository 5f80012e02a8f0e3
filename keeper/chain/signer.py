"""The key that signs: from an encrypted keystore, or behind an external signer. Never shown, never without a
chain id."""

from __future__ import annotations

from typing import Any, Protocol

from coincurve import PrivateKey
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from keeper.chain import keystore, serializing
from keeper.chain.keystore import PASSWORD_VARIABLE as PASSWORD_VARIABLE
from keeper.chain.web3signer import Web3Signer
from keeper.config import Signer as SignerSettings


class Signing(Protocol):
    """Whatever signs transactions for one address."""

    address: str

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """(raw transaction, hash) as 0x hex. ConfigError for a transaction that does not name its chain."""
        ...


class Signer:
    """Signs transactions with a key in this process."""

    def __init__(self, account: LocalAccount) -> None:
        # Unlike others, this object shows nothing of the key when it is printed.
        self._key = PrivateKey(bytes(account.key))
        self.address: str = account.address

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """(raw transaction, hash) as 0x hex. The transaction must name its chain."""
        return serializing.signed(transaction, self._signature)

    def _signature(self, message: bytes) -> tuple[int, int, int]:
        made = self._key.sign_recoverable(keccak(message), hasher=None)
        return made[64], int.from_bytes(made[:32], "big"), int.from_bytes(made[32:64], "big")


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
