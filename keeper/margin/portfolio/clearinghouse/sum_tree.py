"""Merkle trees whose nodes commit to sums: as contracts/src/clearinghouse/SumTree.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from eth_utils.crypto import keccak

from keeper.errors import MarginError

WORD = 2**256


@dataclass(frozen=True, slots=True)
class SolvencyFigures:
    """An account's solvency, or a sum of it (money). Of an account's equity one of the two is 0.

    `requirement` is that of the maintenance set, at least 0; `shortfall` what equity lacks of it.
    """

    equity_above: int = 0
    equity_below: int = 0
    requirement: int = 0
    shortfall: int = 0

    def words(self) -> tuple[int, int, int, int]:
        return self.equity_above, self.equity_below, self.requirement, self.shortfall

    def plus(self, other: SolvencyFigures) -> SolvencyFigures:
        """Sums wrap around 2^256, as the contract's do; true ones are far below."""
        pairs = zip(self.words(), other.words(), strict=True)
        return SolvencyFigures(*((one + more) % WORD for one, more in pairs))


@dataclass(frozen=True, slots=True)
class SumNode:
    """A node's hash and the sums below it."""

    hash: bytes
    sums: SolvencyFigures

    def encoded(self) -> bytes:
        return self.hash + b"".join(word.to_bytes(32, "big") for word in self.sums.words())


@dataclass(frozen=True, slots=True)
class SolvencyLeaf:
    """An account's state hash with its figures. The leaf of no account is all zero."""

    state: bytes = bytes(32)
    figures: SolvencyFigures = SolvencyFigures()

    def node(self) -> SumNode:
        return SumNode(keccak(SumNode(self.state, self.figures).encoded()), self.figures)


EMPTY_LEAF = SolvencyLeaf()


@dataclass(frozen=True, slots=True)
class LeafOpening:
    """A leaf with the siblings of its path, from its own up."""

    index: int
    leaf: SolvencyLeaf
    siblings: tuple[SumNode, ...]

    def root(self) -> SumNode:
        node = self.leaf.node()
        for level, sibling in enumerate(self.siblings):
            node = parent(sibling, node) if self.index >> level & 1 else parent(node, sibling)
        return node


def parent(left: SumNode, right: SumNode) -> SumNode:
    """The node above two: the hash of both with their sums, and the sums together."""
    return SumNode(keccak(left.encoded() + right.encoded()), left.sums.plus(right.sums))


def depth_for(leaves: int) -> int:
    """The least depth at which so many leaves have room."""
    return max(leaves - 1, 0).bit_length()


@dataclass(frozen=True)
class SumTree:
    """The tree above leaves, one per account in the order of their numbers."""

    leaves: tuple[SolvencyLeaf, ...]

    @property
    def depth(self) -> int:
        return depth_for(len(self.leaves))

    @cached_property
    def levels(self) -> tuple[tuple[SumNode, ...], ...]:
        """Nodes by level, leaves first, root last. What has no account below it is left out."""
        level = tuple(leaf.node() for leaf in self.leaves)
        levels = [level]
        for height in range(self.depth):
            pairs = range(0, len(level), 2)
            empty = self._empty[height]
            level = tuple(parent(level[i], level[i + 1] if i + 1 < len(level) else empty) for i in pairs)
            levels.append(level)
        return tuple(levels)

    @cached_property
    def _empty(self) -> tuple[SumNode, ...]:
        nodes = [EMPTY_LEAF.node()]
        for _ in range(self.depth):
            nodes.append(parent(nodes[-1], nodes[-1]))
        return tuple(nodes)

    def node(self, height: int, index: int) -> SumNode:
        level = self.levels[height]
        return level[index] if index < len(level) else self._empty[height]

    @property
    def root(self) -> SumNode:
        return self.node(self.depth, 0)

    def opening(self, index: int) -> LeafOpening:
        """The leaf of a number, an empty one's too; MarginError beyond the tree."""
        if not 0 <= index < 1 << self.depth:
            raise MarginError(
                f"leaf {index} is not in a tree of depth {self.depth}", field="index", remedy="Count accounts"
            )
        leaf = self.leaves[index] if index < len(self.leaves) else EMPTY_LEAF
        siblings = (self.node(height, index >> height ^ 1) for height in range(self.depth))
        return LeafOpening(index, leaf, tuple(siblings))

    def next_demand(self, shown: LeafOpening) -> int | None:
        """The leaf to ask a poster for next, below the lowest sibling that differs from this tree's.

        The leaf shown is as in this tree. Each answer leads at least a level down; None: the root is this
        tree's own.
        """
        for height, sibling in enumerate(shown.siblings):
            beside = shown.index >> height ^ 1
            if sibling != self.node(height, beside):
                return beside << height
        return None


def first_false_sums(levels: Sequence[Sequence[SumNode]]) -> tuple[int, tuple[SumNode, ...]] | None:
    """The highest node of a poster's full tree that has other sums than its children.

    `levels` are whole, leaves first. Returns a leaf below it and, two by two from the root's down, the
    children on the way: what `challengeSums` takes. None where every node adds up.
    """
    depth = len(levels) - 1
    for height in range(depth, 0, -1):
        for place, node in enumerate(levels[height]):
            left, right = levels[height - 1][2 * place : 2 * place + 2]
            if parent(left, right).sums == node.sums:
                continue
            index = place << height
            pairs: list[SumNode] = []
            for above in range(depth, height - 1, -1):
                first = index >> above << 1
                pairs += levels[above - 1][first : first + 2]
            return index, tuple(pairs)
    return None
