"""A node that answers the dispatcher of `keeper.chain.calls` with what a test says of each contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_abi.abi import decode, encode

from keeper.chain.calls import BATCH_ADDRESS
from keeper.chain.head import Head
from tests.support.scripted_node import Say, Script, healthy

Contract = Callable[[str, bytes], bytes | None]
"""What a contract (lower case) answers to calldata; None: it reverts without a word."""
HEAD = Head(100, "0x" + "ab" * 32, "0x" + "00" * 32, 1_700_000_000, 0, 30_000_000)


class Reverted(Exception):
    """A contract reverts with these data."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data.hex())
        self.data = data


def node_of(contract: Contract, head: Head = HEAD) -> Script:
    """A node whose reads at `head` are answered by `contract`."""

    def script(method: str, params: list[Any]) -> Say | Exception:
        if method == "eth_getCode":
            return Say("0x6000")
        if method != "eth_call" or params[0]["to"] != BATCH_ADDRESS:
            return healthy(method, params)
        assert params[1] == {"blockHash": head.hash}
        (asked,) = decode(["(address,uint256,bytes)[]"], bytes.fromhex(params[0]["data"][10:]))
        answers = [(*_answer(contract, target, data),) for target, _, data in asked]
        found = encode(["uint256", "uint256", "(bool,bool,bytes)[]"], [head.number, head.timestamp, answers])
        return Say("0x" + found.hex())

    return script


def _answer(contract: Contract, target: str, data: bytes) -> tuple[bool, bool, bytes]:
    try:
        said = contract(target, data)
    except Reverted as reverted:
        return False, False, reverted.data
    return said is not None, False, said or b""
