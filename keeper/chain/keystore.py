"""Encrypted keystores (Web3 Secret Storage, version 3): created, read, and never readable by others."""

from __future__ import annotations

import getpass
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address

from keeper.errors import ConfigError

PASSWORD_VARIABLE = "KEEPER_KEYSTORE_PASSWORD"  # noqa: S105  (the variable's name)
CREDENTIAL = "keystore-password"
# Others may not touch it at all; a group may read it, as secrets mounted into containers need.
_TOO_OPEN = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP


def create(path: Path, key: LocalAccount, password: str) -> None:
    """Write `key` encrypted to a new file that only its owner may read; never over an existing one."""
    if not password:
        raise ConfigError("an empty password protects nothing", where=str(path), remedy="Choose another")
    content = json.dumps(key.encrypt(password)).encode()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise ConfigError.unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConfigError.unwritable(path, error, "Free some space") from None


def refuse_existing(path: Path) -> None:
    """Raise ConfigError where the file exists, before any password is asked for."""
    if path.exists():
        raise _exists(path)


def _exists(path: Path) -> ConfigError:
    return ConfigError(
        "exists and is not overwritten: the key in it would be lost",
        where=str(path),
        remedy="Name another file with --keystore",
    )


def read(path: Path) -> dict[str, Any]:
    """The keystore's content, still encrypted; ConfigError when missing, unreadable or not a keystore."""
    remedy = "Correct signer.keystore (or --keystore), or make one with `keeper key new`"
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError("there is no such keystore", where=str(path), remedy=remedy) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path), remedy=remedy) from None
    except ValueError:
        raise ConfigError("is not a keystore (no JSON)", where=str(path), remedy=remedy) from None
    if not isinstance(content, dict) or not {"crypto", "Crypto"} & set(content):
        raise ConfigError("is not a keystore of version 3", where=str(path), remedy=remedy)
    return content


def public_address(path: Path) -> str | None:
    """The address that the keystore shows without its password; None when it shows none."""
    address = str(read(path).get("address", ""))
    address = "0x" + address.removeprefix("0x")
    return str(to_checksum_address(address)) if is_address(address) else None


def too_open(path: Path) -> str:
    """How far others may access this file, in words; empty when not at all. Always empty off POSIX."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return ""
    return f"is open to others (mode {mode:04o})" if os.name == "posix" and mode & _TOO_OPEN else ""


def decrypt(path: Path, password_file: Path | None) -> LocalAccount:
    """Decrypt the key; ConfigError says what is wrong without ever quoting key or password."""
    content = read(path)
    opened = too_open(path)
    if opened:
        raise ConfigError(opened, where=str(path), remedy=f"Run: chmod 600 {path}")
    password = existing_password(password_file, path)
    try:
        key = Account.decrypt(content, password)
    except (ValueError, KeyError, TypeError, NotImplementedError, AttributeError) as error:
        wrong = "MAC" in str(error)
        raise ConfigError(
            "the password is wrong" if wrong else "is not a keystore of version 3, or is damaged",
            where=str(path),
            remedy=f"Check the password file, {PASSWORD_VARIABLE}, or what you typed"
            if wrong
            else "Restore it from a copy, or import the key again with `keeper key import`",
        ) from None
    account: LocalAccount = Account.from_key(key)
    return account


def existing_password(file: Path | None, keystore: Path) -> str:
    """A keystore's password: from its file, a systemd credential, the environment, or the terminal."""
    given = _given_or_asked_for(file, keystore)
    return getpass.getpass(f"Password of {keystore.name}: ") if given is None else given


def new_password(file: Path | None, keystore: Path) -> str:
    """A password for a new keystore; at a terminal it is asked for twice."""
    given = _given_or_asked_for(file, keystore)
    if given is not None:
        return given
    first = getpass.getpass(f"New password for {keystore.name}: ")
    if getpass.getpass("The same again: ") != first:
        raise ConfigError("the two passwords differ", where=str(keystore), remedy="Try again")
    return first


def given_password(file: Path | None) -> str | None:
    """The password from a file, a systemd credential or the environment, the first that exists; None when in
    none of them. A last line break is removed."""
    file = file or credential()
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE)
    opened = too_open(file)
    if opened:
        raise ConfigError(f"the password file {opened}", where=str(file), remedy=f"Run: chmod 600 {file}")
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            f"the password file cannot be read: {cause}",
            where=str(file),
            remedy="Correct signer.password_file (or --password-file)",
        ) from None


def credential() -> Path | None:
    """The credential that systemd hands to the service (`LoadCredential=keystore-password:FILE`)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    file = Path(folder) / CREDENTIAL if folder else None
    return file if file is not None and file.exists() else None


def _given_or_asked_for(file: Path | None, keystore: Path) -> str | None:
    """The given password; None where it can be asked for, ConfigError where nobody is at a terminal."""
    given = given_password(file)
    if given is None and not sys.stdin.isatty():
        raise ConfigError(
            "the keystore's password is missing",
            where=str(keystore),
            remedy="Name a password file, give systemd a credential "
            f"{CREDENTIAL}, set {PASSWORD_VARIABLE}, or run from a terminal to be asked",
        )
    return given
