"""Tricks of emulated nodes, one function each: limits, lags, missing data and wrong answers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection
from typing import Any

import rlp
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from keeper.localchain.world.node import Next, Reply, Request, Trick, error, result

GAS_METHODS = frozenset({"eth_call", "eth_estimateGas"})
_TYPED = (1, 2, 3)


def _chance(dice: random.Random, often: float) -> Callable[[], bool]:
    """A function that returns True with this probability; the node's threads may share it."""
    guard = threading.Lock()

    def met() -> bool:
        with guard:
            return dice.random() < often

    return met


def now_and_then(dice: random.Random, often: float, reply: Callable[[], Reply]) -> Trick:
    """Answer each request with `reply`, with this probability."""
    unlucky = _chance(dice, often)
    return lambda request, onward: reply() if unlucky() else onward(request)


def quota(most: int, reply: Callable[[], Reply]) -> Trick:
    """Answer with `reply` after `most` requests."""
    count = [0]

    def trick(request: Request, onward: Next) -> Reply:
        count[0] += 1
        return onward(request) if count[0] <= most else reply()

    return trick


def without(methods: Collection[str], reply: Callable[[], Reply]) -> Trick:
    """Answer these methods with `reply`."""
    return lambda request, onward: reply() if request["method"] in methods else onward(request)


def not_indexed(reply: Callable[[], Reply]) -> Trick:
    """Answer lookups of transactions and receipts by hash with `reply`, but find pending transactions."""

    def trick(request: Request, onward: Next) -> Reply:
        if request["method"] == "eth_getTransactionReceipt":
            return reply()
        found = onward(request)
        if request["method"] == "eth_getTransactionByHash":
            return found if found.result and found.result.get("blockNumber") is None else reply()
        return found

    return trick


def gas_cap(most: int, words: str) -> Trick:
    """Refuse calls with more than `most` gas instead of capping them."""

    def trick(request: Request, onward: Next) -> Reply:
        if request["method"] in GAS_METHODS and _gas(request["params"][0]) > most:
            return error(-32000, words)
        return onward(request)

    return trick


def lagging(dice: random.Random, often: float) -> Trick:
    """A load balancer: a request meets a backend that is one block behind with this probability."""
    behind = _chance(dice, often)
    return lambda request, onward: _a_block_behind(request, onward) if behind() else onward(request)


def _a_block_behind(request: Request, onward: Next) -> Reply:
    head = int(onward({"method": "eth_blockNumber", "params": []}).result, 16)
    hidden = onward({"method": "eth_getBlockByNumber", "params": [hex(head), False]}).result["hash"]
    method, params = request["method"], list(request.get("params") or [])
    if method == "eth_blockNumber":
        return result(hex(head - 1))
    for place, param in enumerate(params):
        if param == "latest":
            params[place] = hex(head - 1)
        elif isinstance(param, dict) and param.get("blockHash") == hidden:
            return error(-32000, "header for hash not found")
        elif param in (hidden, hex(head)):
            return result(None)
    answer = onward({**request, "params": params})
    found = answer.result
    if method == "eth_getTransactionReceipt" and found and found.get("blockHash") == hidden:
        return result(None)
    return answer


def mangled(dice: random.Random, often: float, *, size: int = 0) -> Trick:
    """With this probability an answer trickles or, with `size`, has that many bytes appended."""
    unlucky = _chance(dice, often)

    def trick(request: Request, onward: Next) -> Reply:
        answer = onward(request)
        if not unlucky():
            return answer
        return Reply(raw=answer.body(request) + b" " * (size or 50_000), trickles=not size)

    return trick


def pending_ahead(by: int) -> Trick:
    """Count `by` pending transactions that no other node knows."""

    def trick(request: Request, onward: Next) -> Reply:
        answer = onward(request)
        if request["method"] == "eth_getTransactionCount" and request["params"][1:] == ["pending"]:
            return result(hex(int(answer.result, 16) + by))
        return answer

    return trick


def withheld_logs(dice: random.Random, often: float) -> Trick:
    """Leave out some or all logs of a single block, with this probability."""

    def trick(request: Request, onward: Next) -> Reply:
        answer = onward(request)
        of_block = request["method"] == "eth_getLogs" and "blockHash" in request["params"][0]
        if not of_block or not answer.result or dice.random() > often:
            return answer
        keep = dice.randrange(len(answer.result))
        return result(dice.sample(answer.result, keep))

    return trick


Changed = Callable[[dict[str, Any]], dict[str, Any]]


def headers(change: Changed) -> Trick:
    """Change blocks in answers."""
    return _results("eth_getBlockBy", change)


def receipts(change: Changed) -> Trick:
    """Change receipts in answers."""
    return _results("eth_getTransactionReceipt", change)


def _results(method: str, change: Changed) -> Trick:
    """Change the results of methods whose names begin with `method`."""

    def trick(request: Request, onward: Next) -> Reply:
        answer = onward(request)
        if request["method"].startswith(method) and isinstance(answer.result, dict):
            return result(change(answer.result))
        return answer

    return trick


def parent_numbers(parent: Callable[[int], int]) -> Trick:
    """As on Arbitrum: contracts see the parent chain's block number; `ArbSys` returns the chain's own."""

    def trick(request: Request, onward: Next) -> Reply:
        method, params = request["method"], list(request.get("params") or [])
        if method not in ("eth_call", "eth_simulateV1", "eth_estimateGas"):
            return onward(request)
        own = _number_of(params[1] if len(params) > 1 else "latest", onward)
        if own is None:
            return onward(request)
        code = {ARB_SYS: {"code": "0x63" + f"{own:08x}" + "60005260206000f3"}}
        if method == "eth_simulateV1":
            for block in params[0]["blockStateCalls"]:
                block["stateOverrides"] = {**block.get("stateOverrides", {}), **code}
                block["blockOverrides"] = {**block.get("blockOverrides", {}), "number": hex(parent(own))}
            return onward({**request, "params": params})
        while len(params) < 4:
            params.append("latest" if len(params) == 1 else {})
        params[2] = {**(params[2] or {}), **code}
        params[3] = {**(params[3] or {}), "number": hex(parent(own))}
        return onward({**request, "params": params})

    return trick


def sends(refusal: Callable[[dict[str, Any], Next], Reply | None]) -> Trick:
    """Refuse a signed transaction where `refusal` of its fields (with `sender` and `type`) is a reply."""

    def trick(request: Request, onward: Next) -> Reply:
        if request["method"] != "eth_sendRawTransaction":
            return onward(request)
        raw = request["params"][0]
        return refusal({**_fields(raw), "sender": Account.recover_transaction(raw)}, onward) or onward(
            request
        )

    return trick


def estimates(change: Callable[[int], int]) -> Trick:
    """Change gas figures of estimates and simulations; those of receipts by `receipts`."""

    def trick(request: Request, onward: Next) -> Reply:
        answer = onward(request)
        found = answer.result
        if request["method"] == "eth_estimateGas" and isinstance(found, str):
            return result(hex(change(int(found, 16))))
        if request["method"] == "eth_simulateV1" and found:
            for call in found[0]["calls"]:
                call["gasUsed"] = hex(change(int(call["gasUsed"], 16)))
        return answer

    return trick


ARB_SYS = "0x" + "0" * 38 + "64"


def _number_of(block: Any, onward: Next) -> int | None:
    if isinstance(block, dict):
        found = onward({"method": "eth_getBlockByHash", "params": [block.get("blockHash"), False]}).result
    else:
        found = onward({"method": "eth_getBlockByNumber", "params": [block, False]}).result
    return int(found["number"], 16) if found else None


def _gas(call: dict[str, Any]) -> int:
    return int(call.get("gas", "0x0"), 16)


def _fields(raw: str) -> dict[str, Any]:
    kind = int(raw[2:4], 16)
    if kind in _TYPED:
        return {**TypedTransaction.from_bytes(HexBytes(raw)).as_dict(), "type": kind}
    names = ("nonce", "gasPrice", "gas", "to", "value", "data")
    values = rlp.decode(bytes.fromhex(raw[2:]))
    found = {name: int.from_bytes(each, "big") for name, each in zip(names[:3], values, strict=False)}
    return {**found, "data": values[5], "type": 0}
