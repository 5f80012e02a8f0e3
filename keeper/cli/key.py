"""`keeper key new|import|show`: the keystore. The key itself is never printed and never an argument."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from keeper.chain import keystore
from keeper.cli.output import print_json
from keeper.errors import ConfigError

_DIGITS = 64


def new(path: Path, password_file: Path | None, *, as_json: bool) -> None:
    """Make a new random key."""
    keystore.refuse_existing(path)
    password = keystore.new_password(password_file, path)
    key: LocalAccount = Account.create()
    keystore.create(path, key, password)
    _tell(path, key.address, "made", as_json=as_json)


def import_key(path: Path, password_file: Path | None, *, as_json: bool) -> None:
    """Import a key: asked for at a terminal, else the first line of standard input."""
    keystore.refuse_existing(path)
    if sys.stdin.isatty():
        text = getpass.getpass("Private key (hexadecimal, not shown): ")
    else:
        text = sys.stdin.readline()
    key = parse_key(text)
    keystore.create(path, key, keystore.new_password(password_file, path))
    _tell(path, key.address, "imported", as_json=as_json)


def show(path: Path, password_file: Path | None, *, as_json: bool) -> None:
    """The address only; the password is needed only by a keystore that does not show it."""
    address = keystore.public_address(path) or keystore.decrypt(path, password_file).address
    if as_json:
        print_json({"address": address, "keystore": str(path)})
    else:
        print(address)


def parse_key(text: str) -> LocalAccount:
    """A key of 32 bytes as hexadecimal, with or without 0x; ConfigError never quotes it."""
    digits = text.strip().removeprefix("0x").removeprefix("0X")
    try:
        raw = bytes.fromhex(digits) if len(digits) == _DIGITS else b""
        if raw:
            key: LocalAccount = Account.from_key(raw)
            return key
    except ValueError:
        pass
    raise ConfigError(
        "what was given is not a private key",
        where="standard input",
        remedy="Give 64 hexadecimal digits (32 bytes), with or without 0x",
    )


def _tell(path: Path, address: str, verb: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"address": address, "keystore": str(path)})
        return
    print(f"{address} {verb}, encrypted in {path}")
    print(f'Keep a copy of that file and its password. In keeper.toml: [signer] keystore = "{path}"')
