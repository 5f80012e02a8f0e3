"""A block's bloom filter: what it says is not there is not there; what it says is there may be.

Source: Ethereum yellow paper, section 4.3.1 (M3:2048).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from eth_utils.crypto import keccak

_BITS = 2048


@lru_cache(maxsize=65_536)
def _mask(item: str) -> int:
    """The three bits of one address or topic (0x hex)."""
    digest = keccak(hexstr=item)
    return sum({1 << (int.from_bytes(digest[at : at + 2], "big") % _BITS) for at in (0, 2, 4)})


def may_hold(bloom: int, addresses: Iterable[str], topics: Iterable[str]) -> bool:
    """Whether a block with this bloom may hold an event of one of `addresses` with one of `topics`."""
    return _any(bloom, addresses) and _any(bloom, topics)


def _any(bloom: int, items: Iterable[str]) -> bool:
    return any(bloom & mask == mask for mask in map(_mask, items))
