"""The key that signs: loaded from an encrypted keystore, never shown, never without a chain id."""

from __future__ import annotations

from typing import Any

from eth_account.signers.local import LocalAccount

from keeper.chain import keystore
from keeper.chain.keystore import PASSWORD_VARIABLE as PASSWORD_VARIABLE
from keeper.config import Signer as SignerSettings
from keeper.errors import ConfigError


class Signer:
    """Signs transactions for one address."""

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


def load(settings: SignerSettings) -> Signer:
    """Decrypt the keystore; ConfigError says what is wrong without ever quoting key or password."""
    return Signer(keystore.decrypt(settings.keystore, settings.password_file))
