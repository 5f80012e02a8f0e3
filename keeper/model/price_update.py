"""A signed price, ready to be brought."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WantedBenchmark:
    """The first price of this id from `at` (Unix time) on, for which the contract `oracle` (lower case)
    asks."""

    oracle: str
    id: bytes
    at: int


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """A signed update: the calldata `data` for the contract `oracle` (lower case), and the `fee` in wei sent
    along; `ids` are the prices that it brings, `published` the Unix time of the oldest of them."""

    oracle: str
    data: bytes
    ids: frozenset[bytes]
    published: int
    fee: int = 0
