"""A node whose every answer a test writes: no network, milliseconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from keeper.chain.http import PostStatusError
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.config import Chain

CHAIN_ID = 7


@dataclass(frozen=True, slots=True)
class Say:
    """An answer: JSON-RPC (`result` or `error`), or raw `body`, with an HTTP status."""

    result: Any = None
    error: Any = None
    status: int = 200
    body: bytes | None = None

    def bytes(self) -> bytes:
        if self.body is not None:
            return self.body
        answer = {"error": self.error} if self.error is not None else {"result": self.result}
        return json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode()


Script = Callable[[str, list[Any]], Say | Exception]


@dataclass
class ScriptedPoster:
    script: Script
    asked: list[tuple[str, list[Any]]] = field(default_factory=list)

    def post(self, body: bytes) -> bytes:
        request = json.loads(body)
        self.asked.append((request["method"], request["params"]))
        if request["method"] == "eth_chainId":
            said = self.script("eth_chainId", [])
            if isinstance(said, Say) and said.error is None and said.status == 200 and said.body is None:
                said = Say(hex(CHAIN_ID))
        else:
            said = self.script(request["method"], request["params"])
        if isinstance(said, Exception):
            raise said
        if said.status >= 300:
            raise PostStatusError(said.status, said.bytes() if said.error is not None or said.body else b"")
        return said.bytes()


def scripted(script: Script) -> tuple[Node, ScriptedPoster]:
    """A node that answers as the script says; what it was asked is kept."""
    node = Node("http://node.invalid", Decimal(1))
    poster = ScriptedPoster(script)
    node._poster = poster  # type: ignore[assignment]
    return node, poster


def scripted_pool(*scripts: Script) -> tuple[NodePool, list[ScriptedPoster]]:
    """A chain's pool of such nodes, in order."""
    urls = [f"http://node{number}.invalid" for number in range(len(scripts))]
    pool = NodePool("x", Chain(chain_id=CHAIN_ID, rpc=urls))
    posters = [ScriptedPoster(script) for script in scripts]
    for node, poster in zip(pool.nodes, posters, strict=True):
        node._poster = poster  # type: ignore[assignment]
    return pool, posters


def healthy(method: str, params: list[Any]) -> Say:
    """What a node in order answers, where only the shape matters."""
    results: dict[str, Any] = {
        "eth_call": "0x",
        "eth_getLogs": [],
        "eth_getBlockByNumber": {"number": "0x1"},
        "eth_getBlockByHash": {"number": "0x1"},
        "eth_sendRawTransaction": "0x" + "ab" * 32,
        "eth_simulateV1": [{"calls": []}],
        "eth_feeHistory": {},
        "eth_getTransactionReceipt": None,
    }
    return Say(results.get(method, "0x1"))
