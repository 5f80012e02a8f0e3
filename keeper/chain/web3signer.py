"""An external signer by web3signer's HTTP interface: the key is never in this process.

`POST /api/v1/eth1/sign/{public key}` signs the keccak hash of the bytes it is given, which here are a
transaction's own; `GET /api/v1/eth1/publicKeys` lists its keys.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from eth_keys.datatypes import PublicKey, Signature
from eth_utils.crypto import keccak

from keeper.chain import serializing
from keeper.chain.http import Poster, PostError, PostStatusError
from keeper.errors import ConfigError, KeeperError, UnreachableError

SECONDS = 10.0
# Bytes: a thousand keys.
MOST_ANSWER = 2**20


class Web3Signer:
    """Signs for `address` at `url`. Its signature is only used if it recovers to that address."""

    def __init__(self, url: str, address: str) -> None:
        parts = urlsplit(url)
        self.address = address
        self.label = f"web3signer {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._path = parts.path.rstrip("/")
        self._poster = Poster(url, SECONDS, most=MOST_ANSWER)
        self._identifier = self._find()

    def __repr__(self) -> str:
        return f"Web3Signer({self.address})"

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """(raw transaction, hash) as 0x hex. The transaction must name its chain."""
        return serializing.signed(transaction, self.signature)

    def signature(self, message: bytes) -> tuple[int, int, int]:
        """(recovery bit, r, s) of the keccak hash of `message`; KeeperError if another key made it."""
        answer = self._ask("POST", f"/api/v1/eth1/sign/{self._identifier}", {"data": "0x" + message.hex()})
        try:
            signed = bytes.fromhex(answer.strip().strip('"').removeprefix("0x"))
            bit = signed[64] - 27 if signed[64] >= 27 else signed[64]
            r, s = int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:64], "big")
            found = Signature(vrs=(bit, r, s)).recover_public_key_from_msg_hash(keccak(message))
        except Exception:  # noqa: BLE001  (whatever is wrong with it, it is no signature)
            raise KeeperError("answered with what is no signature", where=self.label) from None
        if found.to_checksum_address() != self.address:
            raise KeeperError(f"signed with another key than {self.address}", where=self.label)
        return bit, r, s

    def _find(self) -> str:
        """Find the signer's name for our key: its public key."""
        answer = self._ask("GET", "/api/v1/eth1/publicKeys", None)
        for key in _listed(answer):
            try:
                public = PublicKey(bytes.fromhex(key.removeprefix("0x"))[-64:])
            except ValueError:
                continue
            if public.to_checksum_address() == self.address:
                return key
        raise ConfigError(
            f"has no key for {self.address}",
            where=self.label,
            remedy="Load the key there, or correct signer.address",
        )

    def _ask(self, method: str, path: str, body: dict[str, str] | None) -> str:
        data = None if body is None else json.dumps(body).encode()
        try:
            return self._poster.ask(method, self._path + path, data).decode("utf-8", "replace")
        except PostStatusError as error:
            raise UnreachableError(
                f"refused with HTTP {error.status}", where=self.label, remedy="See its log"
            ) from None
        except PostError:
            raise UnreachableError(
                "cannot be reached", where=self.label, remedy="Start it, or correct signer.web3signer"
            ) from None


def _listed(answer: str) -> list[str]:
    return [key.strip().strip('"') for key in answer.strip().strip("[]").split(",") if key.strip()]
