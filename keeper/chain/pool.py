"""The nodes that serve one chain: the best of those that answer, each checked for its chain id first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from keeper.chain.budget import Budget
from keeper.chain.node import Node, NodeError
from keeper.config import Chain
from keeper.errors import ConfigError

log = structlog.get_logger()

# Faults count half after so many seconds.
FAULT_HALF_LIFE = 60.0
# A node with so many faults more, or so many blocks less, than another is left for it.
LEFT_FOR_FAULTS = 1.5
LEFT_FOR_BLOCKS = 2
# One that answers in this part of the time is gone to, if both have answered often enough to tell.
MUCH_FASTER = 0.3
OFTEN_ENOUGH = 20


class Standing:
    """What a pool knows of one node: its head, how fast it answers and how often it did not."""

    def __init__(self) -> None:
        self.head = 0
        self.latency = 0.0
        self.answers = 0
        self._faults = 0.0
        self._faulted_at = 0.0
        self.excluded = ""

    @property
    def faults(self) -> float:
        """How many of late; each counts half after a minute."""
        gone = time.monotonic() - self._faulted_at
        return float(self._faults * 0.5 ** (gone / FAULT_HALF_LIFE))

    def failed(self, weight: float = 1.0) -> None:
        self._faults = self.faults + weight
        self._faulted_at = time.monotonic()

    def answered(self, seconds: float) -> None:
        share = 1 / min(self.answers + 1, 50)
        self.latency += (seconds - self.latency) * share
        self.answers += 1


class NodePool:
    """Requests go to the current node; when it fails, or another is better, they go there and stay."""

    def __init__(self, name: str, chain: Chain) -> None:
        self.name = name
        self.chain_id = chain.chain_id
        self.nodes = [Node(url, chain.timeout) for url in chain.rpc]
        self.standings = [Standing() for _ in self.nodes]
        self.budget = Budget(chain.requests_per_second)
        self._current = 0
        self._checked: set[int] = set()
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        return sum(node.requests for node in self.nodes)

    @property
    def current(self) -> Node:
        return self.nodes[self._current]

    def call(self, method: str, *params: Any) -> Any:
        """One request at the current node or, where it gives no answer, at the others in turn."""
        return self.call_by(lambda node: node.call(method, list(params)))

    def call_by(self, ask: Callable[[Node], Any]) -> Any:
        """As `call`, for a request that depends on what the node can do; `ask` makes it."""
        failure: NodeError | None = None
        for index in self._order():
            try:
                result = self._ask(index, ask)
            except NodeError as error:
                failure = error
                continue
            if index != self._current:
                self._go(index, "failover")
            return result
        if failure is None:
            raise self._nobody()
        raise failure

    def call_another(self, method: str, *params: Any) -> Any:
        """One request, at another node than the current one where another answers."""
        for index in self._order()[1:]:
            try:
                return self._ask(index, lambda node: node.call(method, list(params)))
            except NodeError:
                continue
        return self.call(method, *params)

    def call_each(self, method: str, *params: Any) -> list[Any]:
        """The same request at every node; what they answer, errors included, in order."""
        answers: list[Any] = []
        for index in range(len(self.nodes)):
            try:
                answers.append(self._ask(index, lambda node: node.call(method, list(params))))
            except (NodeError, ConfigError) as error:
                answers.append(error)
        return answers

    def saw_head(self, index: int | None, number: int) -> None:
        """Note the newest block that a node (else the current one) gave."""
        standing = self.standings[self._current if index is None else index]
        standing.head = max(standing.head, number)

    def leave(self, better: int, why: str) -> None:
        """Go to another node from now on: the current one is behind, or silent."""
        self.standings[self._current].failed(2.0)
        self._go(better, why)

    def doubt(self) -> None:
        """The current node's head was none: forget it, and remember for minutes that it said so."""
        standing = self.standings[self._current]
        standing.head = 0
        standing.failed(8.0)

    def reconsider(self) -> None:
        """Go to the best node, where one is clearly better than the current."""
        best = self._current
        for index in range(len(self.nodes)):
            if index != best and not self.standings[index].excluded and self._better(index, best):
                best = index
        if best != self._current:
            self._go(best, "better")

    def _better(self, one: int, other: int) -> bool:
        mine, theirs = self.standings[one], self.standings[other]
        if mine.faults > theirs.faults - LEFT_FOR_FAULTS and mine.head < theirs.head + LEFT_FOR_BLOCKS:
            often = min(mine.answers, theirs.answers) >= OFTEN_ENOUGH
            calm = mine.faults < theirs.faults + 0.5 and mine.head >= theirs.head
            return often and calm and mine.latency < theirs.latency * MUCH_FASTER
        return mine.head + 1 >= theirs.head and mine.faults < theirs.faults + 0.5

    def _order(self) -> list[int]:
        """The current node first, then the others by their faults."""
        others = [i for i in range(len(self.nodes)) if i != self._current]
        order = [self._current, *sorted(others, key=lambda i: self.standings[i].faults)]
        return [index for index in order if not self.standings[index].excluded]

    def _ask(self, index: int, ask: Callable[[Node], Any]) -> Any:
        standing = self.standings[index]
        try:
            self._check_chain(index)
            self.budget.take()
            started = time.monotonic()
            result = ask(self.nodes[index])
        except NodeError as error:
            # What was too large for it is no fault of the node's; and it may be another when it is back.
            if not error.refused:
                standing.failed()
                self._checked.discard(index)
            raise
        standing.answered(time.monotonic() - started)
        return result

    def _go(self, index: int, why: str) -> None:
        log.warning(
            "failover", chain=self.name, node=self.nodes[index].label, left=self.current.label, why=why
        )
        self._current = index

    def _check_chain(self, index: int) -> None:
        """NodeError for a node of another chain, which is asked no more; ConfigError when it is the only."""
        with self._lock:
            if index in self._checked:
                return
            node, standing = self.nodes[index], self.standings[index]
            if standing.excluded:
                raise NodeError(standing.excluded, where=node.label)
            self.budget.take()
            found = int(node.call("eth_chainId", []), 16)
            if found != self.chain_id:
                standing.excluded = f"serves chain {found}, but chain_id says {self.chain_id}"
                if all(each.excluded for each in self.standings):
                    raise self._nobody()
                log.error("wrong chain", chain=self.name, node=node.label, found=found)
                raise NodeError(standing.excluded, where=f"chains.{self.name}, {node.label}")
            self._checked.add(index)

    def _nobody(self) -> ConfigError:
        reasons: Sequence[str] = [each.excluded for each in self.standings]
        node = self.nodes[0]
        return ConfigError(
            reasons[0],
            where=f"chains.{self.name}, {node.label}",
            remedy="Correct chain_id or the rpc entry",
        )
