"""A block of a chain, as far as the keeper looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PreludeCall:
    """A call made before anything is read at a block: it brings a price to the oracle `target` (ERC-7412).
    The fee that the oracle asks for goes along."""

    target: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A block's identity, what the fees of the next block depend on, and its bloom (None: not known)."""

    number: int
    hash: str
    parent: str
    timestamp: int
    base_fee: int
    gas_limit: int
    bloom: int | None = field(default=None, compare=False, repr=False)
    prelude: tuple[PreludeCall, ...] = field(default=(), compare=False, repr=False)
    """Calls made before those reads at this block that ask for it (`Call.behind`); the block is the same with
    and without."""
