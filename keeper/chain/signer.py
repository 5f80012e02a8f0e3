"""The key that signs: loaded from an encrypted keystore, never shown, never without a chain id."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from keeper.config import Signer as SignerSettings
from keeper.errors import ConfigError

PASSWORD_VARIABLE = "KEEPER_KEYSTORE_PASSWORD"  # noqa: S105  (the variable's name)


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
    path = settings.keystore
    try:
        keystore = json.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(
            "there is no such keystore", where=str(path), remedy="Correct signer.keystore"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except ValueError:
        raise ConfigError("is not a keystore (no JSON)", where=str(path)) from None
    password = _password(settings.password_file, path)
    try:
        key = Account.decrypt(keystore, password)
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        wrong = "MAC" in str(error)
        raise ConfigError(
            "the password is wrong" if wrong else "is not a keystore of version 3",
            where=str(path),
            remedy=f"Check the password file, {PASSWORD_VARIABLE}, or what you typed" if wrong else "",
        ) from None
    return Signer(Account.from_key(key))


def _password(file: Path | None, keystore: Path) -> str:
    if file is not None:
        try:
            return file.read_text().rstrip("\r\n")
        except OSError as error:
            raise ConfigError(
                f"the password file cannot be read: {error.strerror}", where=str(file)
            ) from None
    from_environment = os.environ.get(PASSWORD_VARIABLE)
    if from_environment is not None:
        return from_environment
    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {keystore.name}: ")
    raise ConfigError(
        "the keystore's password is missing",
        where=str(keystore),
        remedy=f"Set signer.password_file or {PASSWORD_VARIABLE}, or run from a terminal to be asked",
    )
