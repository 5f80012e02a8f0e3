"""One JSON-RPC endpoint, with errors sorted by what a caller does about them."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from keeper.chain.http import Poster, PostError, PostStatusError, PostTimeoutError
from keeper.chain.websocket import offers_heads
from keeper.errors import KeeperError, UnreachableError

# Client errors that no smaller request would cure: credentials, a wrong path, too many requests.
_NOT_ABOUT_SIZE = frozenset({401, 403, 404, 429})


# What nodes say of a block they do not know, or whose state they pruned: another may have it.
_NO_STATE = (
    "missing trie node",
    "header not found",
    "block not found",
    "unknown block",
    "blockoutofrange",
    "state is not available",
    "state not available",
    "pruned",
    "historical state",
    "distance to target block exceeds",
)


class NodeError(UnreachableError):
    """The node did not give an answer: try another. `refused`: it answered, but not to this request."""

    def __init__(self, what: str, *, where: str, refused: bool = False) -> None:
        super().__init__(what, where=where, remedy="Check the node, or list another under rpc")
        self.refused = refused


class WrongStateError(NodeError):
    """The node answered a pinned read with another block's state, or with none: ask again, or another."""


class RpcError(KeeperError):
    """The node answered with an error; `data` holds a revert's return data when there is any."""

    exit_code = 3

    def __init__(self, method: str, code: int, message: str, data: object, *, where: str) -> None:
        super().__init__(f"{method} was answered with error {code}: {message}", where=where)
        self.code = code
        self.message = message
        self.data = data if isinstance(data, str) else None


class Node:
    """One endpoint. `label` is what may be shown of its URL: host and port, no path, no credentials."""

    def __init__(self, url: str, timeout: Decimal) -> None:
        parts = urlsplit(url)
        self.label = f"node {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self.requests = 0
        self.overrides = True
        """Whether it is thought to take state overrides in `eth_call`."""
        self._url = url
        self._poster = Poster(url, float(timeout))
        self._numbers = count(1)

    def offers_websocket(self) -> bool:
        """Whether new heads can be subscribed to at this address."""
        return offers_heads(self._url)

    def call(self, method: str, params: list[Any]) -> Any:
        """The result of one request. NodeError when there is no answer, RpcError for an error answer."""
        self.requests += 1
        asked = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        try:
            answer = json.loads(self._poster.post(json.dumps(asked).encode()))
        except PostStatusError as error:
            raise NodeError(
                f"answered {method} with HTTP {error.status}",
                where=self.label,
                refused=_about_size(error.status),
            ) from None
        except PostTimeoutError:
            raise NodeError(f"did not answer {method} in time", where=self.label, refused=True) from None
        except PostError:
            raise NodeError(f"cannot be reached ({method})", where=self.label) from None
        except ValueError:
            raise NodeError(f"answered {method} with broken JSON", where=self.label) from None
        if not isinstance(answer, dict) or not ("result" in answer or "error" in answer):
            raise NodeError(f"answered {method} with no result", where=self.label)
        refusal = answer.get("error")
        if refusal:
            if not isinstance(refusal, dict):
                refusal = {"message": str(refusal)}
            code, message = int(refusal.get("code", 0)), str(refusal.get("message", ""))
            if any(sign in message.lower() for sign in _NO_STATE):
                raise NodeError(f"has not the state asked for ({message[:120]})", where=self.label)
            raise RpcError(method, code, message, refusal.get("data"), where=self.label)
        return answer["result"]


def _about_size(status: int) -> bool:
    """Whether a smaller request may be answered where this one was not; 504 is a gateway's timeout."""
    return (400 <= status < 500 and status not in _NOT_ABOUT_SIZE) or status == 504
