"""JSON-RPC to a local node: one request, or thousands in a batch. No retries and no failover."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TypeAlias

from keeper.errors import KeeperError, UnreachableError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Request: TypeAlias = "tuple[str, Sequence[Json]]"

BATCH_LIMIT = 1000
"""Most requests in one HTTP body; larger batches are split. Anvil limits a body to about 2 MB."""
_BODY_LIMIT = 1_500_000


class RpcRefusedError(KeeperError):
    """The node answered with a JSON-RPC error; `data` is its revert data (0x…), or empty."""

    def __init__(self, what: str, *, where: str, data: str = "") -> None:
        super().__init__(what, where=where, remedy="This is the local node's own answer")
        self.data = data


@dataclass(frozen=True)
class LocalRpc:
    """A local node at `host:port`. It keeps no connection, so threads may share it."""

    host: str
    port: int
    timeout: float = 120.0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def call(self, method: str, *params: Json) -> Json:
        """The result of one request; RpcRefusedError when the node answers with an error, UnreachableError
        when it does not answer."""
        return self.batch([(method, params)])[0]

    def batch(self, requests: Sequence[Request]) -> list[Json]:
        """Results in the order of the requests.

        RpcRefusedError for the first that failed: all requests of its HTTP body were sent. UnreachableError
        when the node does not answer.
        """
        results: list[Json] = []
        for chunk in _chunks(requests):
            answers = self._post(b"[" + b",".join(body for _, body in chunk) + b"]")
            results.extend(_result(method, answers[i]) for i, (method, _) in enumerate(chunk))
        return results

    def integer(self, method: str, *params: Json) -> int:
        """A result that is a quantity (0x…)."""
        return as_int(self.call(method, *params))

    def text(self, method: str, *params: Json) -> str:
        """A result that is a string (hash, address, data)."""
        return as_str(self.call(method, *params))

    def _post(self, body: bytes) -> dict[int, dict[str, Json]]:
        connection = HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except (OSError, HTTPException, ValueError) as error:
            raise UnreachableError(
                f"the local node did not answer ({error})", where=self.url, remedy="Look at its log"
            ) from error
        finally:
            connection.close()
        if not isinstance(answer, list):
            raise RpcRefusedError(f"not an answer to a batch: {json.dumps(answer)[:300]}", where=self.url)
        return {item["id"]: item for item in answer}


def as_int(value: Json) -> int:
    """A JSON-RPC quantity (0x…, or a number) as an integer; KeeperError for any other type."""
    if isinstance(value, str):
        return int(value, 16)
    if isinstance(value, int):
        return value
    raise KeeperError(f"the local node answered {value!r} where a quantity belongs")


def as_str(value: Json) -> str:
    """A JSON-RPC string; KeeperError for anything else."""
    if not isinstance(value, str):
        raise KeeperError(f"the local node answered {value!r} where a string belongs")
    return value


def as_dict(value: Json) -> dict[str, Json]:
    """A JSON-RPC object; KeeperError for anything else (a receipt not yet there is null)."""
    if not isinstance(value, dict):
        raise KeeperError(f"the local node answered {value!r} where an object belongs")
    return value


def as_list(value: Json) -> list[Json]:
    """A JSON-RPC array; KeeperError for anything else."""
    if not isinstance(value, list):
        raise KeeperError(f"the local node answered {value!r} where an array belongs")
    return value


def _chunks(requests: Sequence[Request]) -> list[list[tuple[str, bytes]]]:
    chunks: list[list[tuple[str, bytes]]] = []
    size = _BODY_LIMIT
    for method, params in requests:
        if not chunks or len(chunks[-1]) == BATCH_LIMIT or size >= _BODY_LIMIT:
            chunks.append([])
            size = 0
        request = {"jsonrpc": "2.0", "id": len(chunks[-1]), "method": method, "params": list(params)}
        body = json.dumps(request).encode()
        chunks[-1].append((method, body))
        size += len(body)
    return chunks


def _result(method: str, answer: dict[str, Json]) -> Json:
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    detail = as_dict(error)
    data = detail.get("data")
    raise RpcRefusedError(
        str(detail.get("message")), where=method, data=data if isinstance(data, str) else ""
    )
