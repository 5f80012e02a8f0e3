"""A block of a chain, as far as the keeper looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field


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
