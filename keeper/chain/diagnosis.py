"""Diagnosis of what a node cannot do, by asking it something smaller: words and codes are no proof.

A refused request is followed by the smallest of its kind. Where that is answered, the size was at fault;
where only another block is, the node is behind; where nothing is, it is busy. At most a dozen short requests,
and only after a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from keeper.chain.answers import (
    CORE,
    METHOD_NOT_FOUND,
    BusyError,
    CannotError,
    Failure,
    NodeError,
    WrongStateError,
)

Probe = Callable[[str, list[Any]], bool]
"""Whether the node answers a request (method, parameters) with a result."""

NOBODY = "0x00000000000000000000000000000000ba7c0003"
# What a node may be found to grant, in steps of a sixteenth; less than the least reads nothing.
LEAST_GAS = 1_000_000
_ABOUT_STATE = re.compile(r"header|\bhash|canonical|unknown block|trie|prun|\bstate\b|not found|missing")
# STOP: code that may lie anywhere in an override.
_STOP = {NOBODY: {"code": "0x00"}}


def diagnose(method: str, params: list[Any], failure: Failure, where: str, probe: Probe) -> NodeError:
    """Why a node did not answer, as an error of the kind that says how to proceed."""
    if method == "eth_call":
        return _of_call(params, failure, where, probe)
    if method == "eth_getLogs":
        return _of_logs(params[0], failure, where, probe)
    pinned = [each for each in params if isinstance(each, dict | str) and _block_of(each) is not None]
    if pinned and method != "eth_sendRawTransaction" and _is_behind(pinned[-1], probe):
        return _behind(failure, where)
    if method not in CORE:
        if failure.code == METHOD_NOT_FOUND or probe("eth_chainId", []):
            return CannotError(f"offers no {method} ({failure.words})", where=where, about="method")
        return _busy(method, failure, where)
    if params and params[0] in ("finalized", "safe") and probe(method, ["latest", *params[1:]]):
        return CannotError(f"names no {params[0]} block ({failure.words})", where=where, about="block")
    return _busy(method, failure, where)


def granted_gas(most: int, params: list[Any], probe: Probe) -> int | None:
    """The most gas that a node takes in a call, at most a sixteenth too little; None where it takes none.
    `params` are a refused call's: the same block is asked for."""

    def takes(gas: int) -> bool:
        return probe("eth_call", [{"to": NOBODY, "data": "0x", "gas": hex(gas)}, params[1]])

    high = most
    low = most // 2
    while not takes(low):
        high, low = low, low // 2
        if low < LEAST_GAS:
            return None
    while high - low > high // 16:
        middle = (high + low) // 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return low


def _of_call(params: list[Any], failure: Failure, where: str, probe: Probe) -> NodeError:
    call, block = params[0], params[1] if len(params) > 1 else "latest"
    if not probe("eth_call", [{"to": NOBODY, "data": "0x"}, block]):
        if block != "latest" and probe("eth_call", [{"to": NOBODY, "data": "0x"}, "latest"]):
            return _behind(failure, where)
        return _busy("eth_call", failure, where)
    said = failure.words
    if "gas" in call and not probe("eth_call", [{"to": NOBODY, "data": "0x", "gas": call["gas"]}, block]):
        return CannotError(
            f"grants less than {int(call['gas'], 16):,} gas ({said})", where=where, about="gas"
        )
    if len(params) > 2 and not probe("eth_call", [{"to": NOBODY, "data": "0x"}, block, _STOP, *params[3:]]):
        return CannotError(f"takes no state overrides ({said})", where=where, about="overrides")
    if block != "latest" and _ABOUT_STATE.search(failure.message.lower()):
        # One address may have several backends: what was refused and what answered were not the same.
        return _behind(failure, where)
    return CannotError(f"refuses a call of this size ({said})", where=where, about="size")


def _of_logs(query: dict[str, Any], failure: Failure, where: str, probe: Probe) -> NodeError:
    if "blockHash" in query:
        known = not _is_behind(query, probe)
        return _busy("eth_getLogs", failure, where) if known else _behind(failure, where)
    last = query["toBlock"]
    if query.get("fromBlock") != last and probe("eth_getLogs", [{**query, "fromBlock": last}]):
        return CannotError(f"refuses so many blocks of logs ({failure.words})", where=where, about="size")
    return _behind(failure, where) if _is_behind(last, probe) else _busy("eth_getLogs", failure, where)


def _block_of(param: dict[str, Any] | str) -> tuple[str, str] | None:
    """The method and block name that ask for the block named by a parameter."""
    if isinstance(param, dict):
        found = param.get("blockHash")
        return ("eth_getBlockByHash", found) if isinstance(found, str) else None
    if param.startswith("0x") and len(param) <= 18:
        return "eth_getBlockByNumber", param
    return None


def _is_behind(param: dict[str, Any] | str, probe: Probe) -> bool:
    """Whether the node answers but lacks the block that the parameter names."""
    named = _block_of(param)
    if named is None:
        return False
    return not probe(named[0], [named[1], False]) and probe("eth_getBlockByNumber", ["latest", False])


def _behind(failure: Failure, where: str) -> WrongStateError:
    return WrongStateError(f"has not the block or state asked for ({failure.words})", where=where)


def _busy(method: str, failure: Failure, where: str) -> BusyError:
    return BusyError(f"did not answer {method} ({failure.words})", where=where)
