"""The nodes that serve one chain: the first that answers, checked for the chain id before it is used."""

from __future__ import annotations

import threading
from typing import Any

import structlog

from keeper.chain.node import Node, NodeError
from keeper.config import Chain
from keeper.errors import ConfigError

log = structlog.get_logger()


class NodePool:
    """Requests go to the current node; when it fails they go to the next, and stay there."""

    def __init__(self, name: str, chain: Chain) -> None:
        self.name = name
        self.chain_id = chain.chain_id
        self.nodes = [Node(url, chain.timeout) for url in chain.rpc]
        self._current = 0
        self._checked: set[int] = set()
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        return sum(node.requests for node in self.nodes)

    def call(self, method: str, *params: Any) -> Any:
        """One request at the current node or, where it gives no answer, at the others in turn."""
        failure: NodeError | None = None
        for offset in range(len(self.nodes)):
            index = (self._current + offset) % len(self.nodes)
            try:
                self._check_chain(index)
                result = self.nodes[index].call(method, list(params))
            except NodeError as error:
                failure = error
                continue
            if index != self._current:
                log.warning("failover", chain=self.name, node=self.nodes[index].label)
                self._current = index
            return result
        assert failure is not None
        raise failure

    def call_another(self, method: str, *params: Any) -> Any:
        """One request, at another node than the current one where another answers."""
        for offset in range(1, len(self.nodes)):
            index = (self._current + offset) % len(self.nodes)
            try:
                self._check_chain(index)
                return self.nodes[index].call(method, list(params))
            except NodeError:
                continue
        return self.call(method, *params)

    def call_each(self, method: str, *params: Any) -> list[Any]:
        """The same request at every node; what they answer, errors included, in order."""
        answers: list[Any] = []
        for index, node in enumerate(self.nodes):
            try:
                self._check_chain(index)
                answers.append(node.call(method, list(params)))
            except NodeError as error:
                answers.append(error)
        return answers

    def _check_chain(self, index: int) -> None:
        with self._lock:
            if index in self._checked:
                return
            node = self.nodes[index]
            found = int(node.call("eth_chainId", []), 16)
            if found != self.chain_id:
                raise ConfigError(
                    f"serves chain {found}, but chain_id says {self.chain_id}",
                    where=f"chains.{self.name}, {node.label}",
                    remedy="Correct chain_id or the rpc entry",
                )
            self._checked.add(index)
