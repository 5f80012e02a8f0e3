"""The choice of the node to ask first, by how a chain's nodes answered recently."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from keeper.chain.answers import BusyError, NodeError
from keeper.chain.node import Node
from keeper.chain.node_health import NodeHealth

log = structlog.get_logger()

# A node with so many faults more, or so many blocks less, than another is left for it.
LEFT_FOR_FAULTS = 1.5
LEFT_FOR_BLOCKS = 2
# One that answers in this part of the time is gone to, if both have answered often enough to tell.
MUCH_FASTER = 0.3
OFTEN_ENOUGH = 20
# One with so many faults more than another is in trouble.
IN_TROUBLE = 3.0


class NodeChoice:
    """The current node and what is known of all; it changes where another answered in its place or is clearly
    better."""

    def __init__(self, name: str, nodes: list[Node]) -> None:
        self.name = name
        self.nodes = nodes
        self.standings = [NodeHealth() for _ in nodes]
        self._current = 0

    @property
    def current(self) -> Node:
        return self.nodes[self._current]

    def saw_head(self, index: int | None, number: int) -> None:
        """Record the newest block that a node (by default the current one) gave."""
        standing = self.standings[self._current if index is None else index]
        standing.head = max(standing.head, number)

    def leave(self, better: int, why: str) -> None:
        """Change to another node: the current one is behind, or silent."""
        self.standings[self._current].failed(2.0)
        self._go(better, why)

    def doubt(self) -> None:
        """Discard the current node's head as no block, and distrust the node for some minutes."""
        standing = self.standings[self._current]
        standing.head = 0
        standing.failed(8.0)

    def reconsider(self) -> None:
        """Change to the best node, where one is clearly better than the current."""
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
        """Nodes in order: the current one first, then the others by their faults."""
        others = [i for i in range(len(self.nodes)) if i != self._current]
        order = [self._current, *sorted(others, key=lambda i: self.standings[i].faults)]
        return [index for index in order if not self.standings[index].excluded]

    def _is_in_trouble(self, index: int) -> bool:
        """Whether a node had many more faults recently than another."""
        return self.standings[index].faults > min(each.faults for each in self.standings) + IN_TROUBLE

    def _failover(self, index: int, failures: Sequence[NodeError]) -> None:
        """Change to a node that answered where the current did not, unless it had more recent faults; not
        where the current one lacks an ability or does not have a block yet."""
        current, other = self.standings[self._current], self.standings[index]
        broke = any(isinstance(each, BusyError) for each in failures) and other.faults <= current.faults
        if current.excluded or broke or self._better(index, self._current):
            self._go(index, "failover")

    def _go(self, index: int, why: str) -> None:
        log.warning(
            "failover", chain=self.name, node=self.nodes[index].label, left=self.current.label, why=why
        )
        self._current = index
