"""A block of a chain, as far as the keeper looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PreludeCall:
    """What is done before anything is read at a block: a price that is brought to the oracle `target`
    (ERC-7412). The fee that it asks for goes along."""

    target: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A block's identity, what the fees of the next one depend on, and its bloom (None: not told)."""

    number: int
    hash: str
    parent: str
    timestamp: int
    base_fee: int
    gas_limit: int
    bloom: int | None = field(default=None, compare=False, repr=False)
    prelude: tuple[PreludeCall, ...] = field(default=(), compare=False, repr=False)
    """What reads at this block stand behind that ask for it (`Call.behind`); it is the same block with and
    without."""
