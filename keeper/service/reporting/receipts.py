"""What a receipt says of money: tokens that moved, and what the transaction paid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from eth_abi.exceptions import DecodingError
from web3 import Web3
from web3.contract.contract import ContractEvent
from web3.exceptions import LogTopicError, MismatchedABI

from keeper.chain.fees import data_fee_of
from keeper.contracts import artifact


@cache
def _transfer() -> ContractEvent:
    return Web3().eth.contract(abi=artifact("ERC20")["abi"]).events.Transfer()


def _transfers(logs: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, int]]:
    """(token, from, to, units) of each log that is a transfer of ERC-20 tokens; addresses in lower case."""
    for log in logs:
        try:
            event = _transfer().process_log(log)
        except (MismatchedABI, LogTopicError, DecodingError):
            continue
        moved = event["args"]
        yield str(log["address"]).lower(), moved["from"].lower(), moved["to"].lower(), moved["value"]


def movements(logs: Iterable[Mapping[str, Any]], ours: set[str]) -> dict[str, int]:
    """Units of each token (lower case) that came to us, less those that left, by the Transfer logs."""
    moved: dict[str, int] = {}
    for token, source, target, units in _transfers(logs):
        moved[token] = moved.get(token, 0) + units * (int(target in ours) - int(source in ours))
    return {token: units for token, units in moved.items() if units}


def gas_wei(receipt: Mapping[str, Any]) -> int:
    """Wei that the transaction paid: gas at its price, and what the chain charged besides."""
    used, price = int(receipt["gasUsed"], 16), int(receipt.get("effectiveGasPrice") or "0x0", 16)
    return used * price + data_fee_of(receipt)
