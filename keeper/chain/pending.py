"""Pending transactions with their contents, as a websocket node announces them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import rlp
from eth_utils.crypto import keccak

from keeper.chain.backrun import PendingUpdate
from keeper.chain.stream import RefusesError, Stream

ASK_PENDING = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newPendingTransactions", True]}
)
# The fields that are signed, by type, before call and signature (EIP-155, 2930, 1559).
_PRICED = {
    0: ("nonce", "gasPrice", "gas"),
    1: ("chainId", "nonce", "gasPrice", "gas"),
    2: ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas"),
}
_SELECTOR_DIGITS = 10


def pending(
    chain: str,
    chain_id: int,
    url: str,
    wanted: Callable[[PendingUpdate], bool],
    on_told: Callable[[PendingUpdate], None],
) -> Stream:
    """The stream of pending transactions from a node that announces whole ones; for those that are `wanted`,
    `on_told` also gets the bytes. Both are called from the stream's thread."""

    def told(transaction: Any) -> None:
        found = parse(transaction)
        if found is not None and wanted(found):
            on_told(replace(found, raw=raw_of(transaction)))

    return Stream(chain, chain_id, [url], ASK_PENDING, "pending transactions", told)


def parse(transaction: Any) -> PendingUpdate | None:
    """Parse a transaction as nodes announce it, without its bytes; None for one without a target.
    RefusesError where a node announces only hashes: asking for each would cost a request per transaction."""
    if isinstance(transaction, str):
        raise RefusesError("tells of pending transactions by their hash only", where="relay.mempool_ws")
    target, data = transaction.get("to"), transaction.get("input") or transaction.get("data") or "0x"
    if not target or len(data) < _SELECTOR_DIGITS:
        return None
    return PendingUpdate(
        sender=transaction["from"].lower(),
        target=target.lower(),
        data=data.lower(),
        hash=transaction["hash"],
        value=int(transaction.get("value", "0x0"), 16),
        nonce=int(transaction.get("nonce") or "0x0", 16),
    )


def raw_of(transaction: dict[str, Any]) -> str:
    """The signed bytes (0x hex), assembled from the fields; empty where they do not give the hash, as with
    transaction types that are unknown here."""
    kind = int(transaction.get("type", "0x0"), 16)
    try:
        fields = [_number(transaction, name) for name in _PRICED[kind]]
        called = [_bytes(transaction["to"]), _number(transaction, "value"), _bytes(transaction["input"])]
        listed = [] if kind == 0 else [_accessed(transaction.get("accessList") or [])]
        parity = transaction["v"] if kind == 0 else transaction.get("yParity", transaction["v"])
        signed = [int(parity, 16), _number(transaction, "r"), _number(transaction, "s")]
        raw = (bytes([kind]) if kind else b"") + rlp.encode([*fields, *called, *listed, *signed])
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
    return "0x" + raw.hex() if "0x" + keccak(raw).hex() == transaction["hash"] else ""


def _number(transaction: dict[str, Any], name: str) -> int:
    return int(transaction[name], 16)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _accessed(entries: list[dict[str, Any]]) -> list[list[Any]]:
    return [[_bytes(each["address"]), [_bytes(key) for key in each["storageKeys"]]] for each in entries]
