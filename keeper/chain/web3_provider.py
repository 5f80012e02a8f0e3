"""The node pool as a provider of web3's own kind: contracts, codecs and middleware of web3 work over it.

Failover, the meaning of answers, budgets, deadlines and size limits stay in the pool. Its errors about nodes
in trouble pass through web3 unchanged; a revert or refusal by the chain becomes the error that web3 reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from web3 import Web3
from web3.middleware import AttributeDictMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCError, RPCResponse

from keeper.chain.answers import RevertError, RpcError
from keeper.chain.calls import CALL_GAS, Answer, Call, Reads
from keeper.chain.head import Head
from keeper.chain.pool import NodePool

# Where the block stands among the parameters of a method that reads a state.
_BLOCK_PLACES = {
    "eth_call": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
}
_HASH_DIGITS = 66
_REVERT_CODE = 3
_NO_CODE = -32000


class PoolProvider(JSONBaseProvider):
    """Answers web3's requests from a pool. With a `head`, plain reads of contracts at its hash share one
    request and are remembered."""

    # A contract's answer (EIP-3668) must not send this process to addresses of the contract's choosing.
    global_ccip_read_enabled = False

    def __init__(self, pool: NodePool, head: Head | None = None) -> None:
        super().__init__()
        self._pool = pool
        self._reads = Reads(pool, head) if head is not None else None

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self.make_batch_request([(method, params)])[0]

    def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """An answer to each request, in order."""
        plain = [(method, self._plain(method, params)) for method, params in requests]
        pinned = [self._pinned(method, params) for method, params in plain]
        wanted = [call for call in pinned if call is not None]
        answers = self._reads.answers_to(wanted) if self._reads is not None else {}
        return [
            _of_answer(answers[call]) if call is not None else self._ask(method, params)
            for (method, params), call in zip(plain, pinned, strict=True)
        ]

    def _plain(self, method: RPCEndpoint, params: Any) -> list[Any]:
        """The parameters in JSON's types; a block's hash as EIP-1898 requires."""
        found: list[Any] = orjson.loads(self.encode_rpc_request(method, params))["params"]
        place = _BLOCK_PLACES.get(method)
        if place is not None and place < len(found) and len(found[place]) == _HASH_DIGITS:
            found[place] = {"blockHash": found[place]}
        return found

    def _pinned(self, method: RPCEndpoint, params: list[Any]) -> Call | None:
        """The request as a read that can be combined with others; None for any other."""
        if (
            self._reads is None
            or method != "eth_call"
            or params[1:] != [{"blockHash": self._reads.head.hash}]
        ):
            return None
        asked = params[0]
        if not {"to", "data"} <= set(asked) <= {"to", "data", "gas"}:
            return None
        gas = int(asked["gas"], 16) if "gas" in asked else CALL_GAS
        return Call(asked["to"], bytes.fromhex(asked["data"][2:]), gas)

    def _ask(self, method: RPCEndpoint, params: Sequence[Any]) -> RPCResponse:
        if method == "eth_chainId":
            # The pool asks every node before anything else.
            return _result(hex(self._pool.chain_id))
        try:
            if method == "eth_sendRawTransaction":
                return _result(self._pool.send(params[0]))
            return _result(self._pool.call(method, *params))
        except RpcError as error:
            code = _REVERT_CODE if isinstance(error, RevertError) else error.code
            return _error(_NO_CODE if code is None else code, error.message, error.data)


def web3_over(pool: NodePool, head: Head | None = None) -> Web3:
    """web3 over a chain's nodes; with a `head`, requests that name no block are read at its hash.

    A hash named in a contract's call does not work: web3 turns it into a number, by a request of its own.
    """
    # Prices of gas, names and the chain's identity are the keeper's own matter.
    chain = Web3(PoolProvider(pool, head), middleware=[(AttributeDictMiddleware, "attrdict")])
    if head is not None:
        chain.eth.default_block = Web3.to_hex(hexstr=head.hash)  # type: ignore[arg-type]
    return chain


def _of_answer(answer: Answer) -> RPCResponse:
    data = "0x" + answer.data.hex()
    return _result(data) if answer.ok else _error(_REVERT_CODE, "execution reverted", data)


def _result(found: Any) -> RPCResponse:
    return {"jsonrpc": "2.0", "id": 1, "result": found}


def _error(code: int, message: str, data: str | None) -> RPCResponse:
    said: RPCError = {"code": code, "message": message}
    # Where there are no data, web3 takes them for a revert's if they are named.
    if data is not None:
        said["data"] = data
    return {"jsonrpc": "2.0", "id": 1, "error": said}
