"""A transaction's bytes, before and after it is signed: EIP-1559 (type 2) and EIP-155 (without a type)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rlp
from eth_utils.crypto import keccak

from keeper.errors import ConfigError

Fields = dict[str, Any]
"""Fields by their JSON-RPC names: chainId, nonce, to, value, data, gas; type 2 with its two fees, or
gasPrice."""
Sign = Callable[[bytes], tuple[int, int, int]]
"""Sign the keccak hash of some bytes: (recovery bit, r, s)."""


def signed(transaction: Fields, sign: Sign) -> tuple[str, str]:
    """Sign a transaction: (raw transaction, hash) as 0x hex. ConfigError for one that does not name its
    chain."""
    if not transaction.get("chainId"):
        raise ConfigError("a transaction without chain id is never signed", where="signer")
    raw = _typed(transaction, sign) if "type" in transaction else _legacy(transaction, sign)
    return "0x" + raw.hex(), "0x" + keccak(raw).hex()


def _typed(transaction: Fields, sign: Sign) -> bytes:
    """EIP-1559 (type 2)."""
    fields: list[Any] = [
        _number(transaction["chainId"]),
        _number(transaction["nonce"]),
        _number(transaction["maxPriorityFeePerGas"]),
        _number(transaction["maxFeePerGas"]),
        *_common(transaction),
        [],
    ]
    bit, r, s = sign(b"\x02" + rlp.encode(fields))
    return b"\x02" + bytes(rlp.encode([*fields, _number(bit), _number(r), _number(s)]))


def _legacy(transaction: Fields, sign: Sign) -> bytes:
    """EIP-155: the chain id is part of what is signed."""
    chain = int(transaction["chainId"])
    fields = [_number(transaction["nonce"]), _number(transaction["gasPrice"]), *_common(transaction)]
    bit, r, s = sign(rlp.encode([*fields, _number(chain), b"", b""]))
    return bytes(rlp.encode([*fields, _number(chain * 2 + 35 + bit), _number(r), _number(s)]))


def _common(transaction: Fields) -> list[bytes]:
    """Gas, receiver (empty: contract creation), value and data."""
    return [
        _number(transaction["gas"]),
        bytes.fromhex(str(transaction.get("to") or "").removeprefix("0x")),
        _number(transaction.get("value", 0)),
        bytes.fromhex(str(transaction.get("data") or "").removeprefix("0x")),
    ]


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
