"""The meaning of an answer: the chain's word, or one node's trouble. Everything that asks a node builds on
this.

A result, a revert and a refusal of the request on its merits are the chain's. A node that cannot do
something, is behind, busy or broken has trouble of its own: another is asked. Unknown words count as the
node's trouble, never as the chain's answer; where words leave it open, the node is asked something smaller
(`keeper.chain.diagnosis`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from keeper.errors import KeeperError, UnreachableError

# Letters of what a node says that are kept.
MOST_WORDS = 1_000
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
_REVERT_CODES = frozenset({3, -32015})
# `eth_simulateV1`: the calls themselves are at fault (nonce, funds, intrinsic gas, block gas, overrides).
_SIMULATION_CODES = frozenset({-32003, *range(-38026, -38009)})
_TOO_MANY_REQUESTS = 429
_NEEDS_LEAVE = frozenset({401, 402, 407})

# Without these nothing works: a node that refuses one of them is in trouble, whatever it says.
CORE = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_sendRawTransaction",
    }
)
_MAY_BE_NULL = frozenset(
    {"eth_getBlockByHash", "eth_getBlockByNumber", "eth_getTransactionByHash", "eth_getTransactionReceipt"}
)
_QUANTITIES = frozenset(
    {
        "eth_blockNumber",
        "eth_chainId",
        "eth_estimateGas",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getTransactionCount",
        "eth_maxPriorityFeePerGas",
    }
)
_BYTES = frozenset({"eth_call", "eth_getCode", "eth_sendRawTransaction"})
_LISTS = frozenset({"eth_getBlockReceipts", "eth_getLogs", "eth_simulateV1"})
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_REVERT_DATA = re.compile(r"(?:Reverted )?(0x[0-9a-fA-F]{8,})")
_EVM = re.compile(
    r"revert|invalid opcode|bad instruction|invalid jump|bad jump|stack (?:over|under)flow"
    r"|write protection|execution error"
)
_OUT_OF_GAS = re.compile(r"out of gas|gas exhausted")

# A node that refuses a transaction names what is wrong with it; a node in trouble speaks of itself or of us.
_NAMED = re.compile(
    r"nonce|already known|already imported|known transaction|underpriced|insufficient|intrinsic"
    r"|gas tip|tip cap|priority fee|max fee|fee cap|gas price|base ?fee|replac|delegat|in-flight"
    r"|exceeds block|oversized|invalid sender|chain ?id|tx type|transaction type|too low|minimum needed"
)
_ABOUT_TRANSACTION = re.compile(
    r"\btx\b|transaction|sender|signature|fee|gas|price|funds|balance|rlp|overdraft"
)
_LIMITED = re.compile(r"\brate|too many|quota|capacity|credit|throttl|requests|per (?:second|minute|day)|429")
_ABOUT_NODE = re.compile(
    _LIMITED.pattern + r"|time[d ]*-?out|unavailable|overload|busy|try again|retry|internal|forbidden"
    r"|unauthori[sz]ed|exceeded|upstream|gateway|connection|maintenance|sync"
)

What = Literal["method", "size", "gas", "overrides", "block"]


class NodeError(UnreachableError):
    """No answer of the chain's came from the node; another may give one.

    `refused`: a smaller request may be answered where this one was not. `reached`: the request may have
    arrived although no answer came back.
    """

    def __init__(self, what: str, *, where: str, refused: bool = False, reached: bool = True) -> None:
        super().__init__(what, where=where, remedy="Check the node, or list another under rpc")
        self.refused = refused
        self.reached = reached


class BusyError(NodeError):
    """The node is busy or broken, whatever it answered, if anything. Counts as its fault."""


class WrongStateError(NodeError):
    """The node is behind: it lacks the block or the state asked for, or answered for another block."""


class CannotError(NodeError):
    """The node cannot do this: it lacks the method, or grants less size or gas. Not its fault."""

    def __init__(self, what: str, *, where: str, about: What) -> None:
        super().__init__(what, where=where, refused=about == "size")
        self.about = about


class RpcError(KeeperError):
    """The chain's own answer, an error; `data` holds a revert's return data when there is any."""

    exit_code = 3

    def __init__(self, method: str, code: int | None, message: str, data: object, *, where: str) -> None:
        super().__init__(f"{method} was answered with error {code}: {message[:300]}", where=where)
        self.code = code
        self.message = message
        self.data = data if isinstance(data, str) else None


class RevertError(RpcError):
    """The called contract reverted."""


class RefusedError(RpcError):
    """The request was refused on its merits. Not the node's fault, nor proof that no other node accepted
    it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer as received: over HTTP (`status`), as JSON-RPC (`code`, `message`, `data`), or both.
    `code` is None where none was given, or one that is no number."""

    status: int
    code: int | None
    message: str
    data: object

    @property
    def words(self) -> str:
        """The failure in one line for people."""
        said = self.message[:160] or "no reason"
        if self.code is not None:
            said = f"error {self.code}: {said}"
        return said if self.status < 300 else f"HTTP {self.status}, {said}"


def plain(text: str, most: int = MOST_WORDS) -> str:
    """The beginning of a stranger's text, without what must not be printed or stored."""
    return "".join(each for each in text[: 2 * most] if each.isprintable())[:most]


def failure_of(status: int, error: object) -> Failure:
    """The failure in a JSON-RPC answer's `error`, whatever its shape."""
    if not isinstance(error, dict):
        return Failure(status, None, plain(str(error)), None)
    code = error.get("code")
    if isinstance(code, str) and re.fullmatch(r"-?[0-9]{1,9}", code):
        code = int(code)
    number = code if isinstance(code, int) and not isinstance(code, bool) else None
    message = error.get("message")
    said = "" if message is None else str(message)
    if number is None and code is not None:
        said = f"{code}: {said}"
    return Failure(status, number, plain(said), error.get("data"))


def is_result(method: str, result: object) -> bool:
    """Whether a result has the shape that this method's results have."""
    if result is None:
        return method in _MAY_BE_NULL
    if method in _QUANTITIES:
        return isinstance(result, str) and _QUANTITY.fullmatch(result) is not None
    if method in _BYTES:
        return isinstance(result, str) and result.startswith("0x") and len(result) % 2 == 0
    if method in _LISTS:
        return isinstance(result, list) and all(isinstance(each, dict) for each in result)
    if method in _MAY_BE_NULL or method == "eth_feeHistory":
        return isinstance(result, dict)
    return True


def chains_answer(method: str, failure: Failure, where: str) -> RpcError | None:
    """The error, where it surely is the chain's answer; None where it may be the node's trouble."""
    said = failure.message.lower()
    if method in ("eth_call", "eth_estimateGas"):
        data = _revert_data(failure.data)
        reverts = failure.code in _REVERT_CODES or data is not None or _EVM.search(said)
        if reverts and not _OUT_OF_GAS.search(said):
            return RevertError(method, failure.code, failure.message, data, where=where)
    # What is asked of every node is valid: there no code says that it is not.
    invalid = failure.code == INVALID_PARAMS and method not in CORE and not _ABOUT_NODE.search(said)
    refused = (
        (method == "eth_sendRawTransaction" and _about_transaction(said))
        or (method == "eth_estimateGas" and re.search(r"insufficient|gas required exceeds|allowance", said))
        or (method == "eth_simulateV1" and (failure.code in _SIMULATION_CODES or _is_named(said)))
        or invalid
    )
    if refused and not is_busy(failure):
        return RefusedError(method, failure.code, failure.message, failure.data, where=where)
    return None


def is_busy(failure: Failure) -> bool:
    """Whether it says, by numeric code, that there were too many requests or that permission is missing."""
    return _TOO_MANY_REQUESTS in (failure.status, failure.code) or failure.status in _NEEDS_LEAVE


def _is_named(said: str) -> bool:
    """Whether the words name what is wrong with a transaction, and no limit of the node's."""
    return _NAMED.search(said) is not None and not _LIMITED.search(said)


def about_node(words: str) -> bool:
    """Whether words are about the node, or about how much it is asked for."""
    return _ABOUT_NODE.search(words.lower()) is not None


def _about_transaction(said: str) -> bool:
    """Whether words that refuse a transaction are about the transaction."""
    if _NAMED.search(said):
        return _is_named(said)
    return _ABOUT_TRANSACTION.search(said) is not None and not _ABOUT_NODE.search(said)


def _revert_data(data: object) -> str | None:
    """Return data of a revert (0x hex), as geth and as Parity's heirs give it; else None."""
    if isinstance(data, dict):
        # Hardhat's kind: the data within an object.
        data = data.get("data") or data.get("result")
    found: Any = _REVERT_DATA.fullmatch(data) if isinstance(data, str) else None
    return None if found is None else str(found[1])
