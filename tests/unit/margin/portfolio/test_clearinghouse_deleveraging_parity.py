"""The contract takes what `deleveraging.py` takes: both draw the same cases, and compare what comes of them.

The forge test has a digest of each fifty; this one says whether they are what Python makes of them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from keeper.margin.portfolio.clearinghouse.deleveraging import (
    DeleveragingRule,
    FrozenPrice,
    WinningPosition,
    deleverage,
    weigh,
)

pytestmark = pytest.mark.unit

FORGE = Path(__file__).parents[4] / "contracts/test/forge/clearinghouse/DeleveragingParity.t.sol"
CASES = 50
MULTIPLIER = 0xDA942042E4DD58B5DA942042E4DD58B5DA942042E4DD58B5DA942042E4DD58B5
INCREMENT = 0x9E3779B97F4A7C15


class Draws:
    """The forge test's numbers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        for _ in range(4):
            self()

    def __call__(self) -> int:
        self._seed = (self._seed * MULTIPLIER + INCREMENT) % 2**256
        return self._seed >> 128

    def up_to(self, most: int, places: int) -> int:
        value = self() % most
        return value >> (self() % places)


def outcome(number: int, digest: bytes) -> bytes:
    """Draw a case, take what is owed, and add what was taken to a digest."""
    draw = Draws(number)
    count = 1 + draw() % 8
    mark = draw.up_to(10**13, 40)
    is_perpetual = draw() % 2 == 0
    funding = draw() % (2 * 10**9) - 10**9 if is_perpetual else 0
    price = FrozenPrice(mark, mark - funding, is_perpetual)
    is_long = draw() % 2 == 0
    is_thin = draw() % 2 == 0
    positions = [_winner(draw, i, price, is_long, is_thin) for i in range(count)]
    share = draw() % 1_200
    profits = (each.size * price.counted - each.cost for each in positions)
    owed = 1 + sum(max(0, each) for each in profits) * share // 1_000
    sizes = sum(abs(each.size) for each in positions)
    unwanted = 0 if draw() % 2 == 0 else 1 + draw() % sizes
    rule = DeleveragingRule(number % 3)
    winners = [weigh(each, price) for each in positions]
    haircut = deleverage(rule, mark, winners, owed=owed, unwanted=unwanted)
    for each in winners:
        taken = (each.account, haircut.charged.get(each.account, 0), haircut.closed.get(each.account, 0))
        digest = _folded(digest, *taken)
    return _folded(digest, haircut.deficit, haircut.passes)


def _winner(draw: Draws, i: int, price: FrozenPrice, is_long: bool, is_thin: bool) -> WinningPosition:
    account = draw() % 1_000 * 8 + i
    size = 1 + draw.up_to(10**12, 40)
    size = -size if is_long else size
    cost = size * (draw() % (2 * price.mark + 2))
    thin = draw.up_to(10**15, 40)
    if is_thin:
        cost = size * price.counted - thin
    other = draw.up_to(10**24, 60)
    other -= draw.up_to(10**22, 60)
    return WinningPosition(account, size, cost, None if draw() % 16 == 0 else other)


def _folded(digest: bytes, *numbers: int) -> bytes:
    return keccak(digest + b"".join(each.to_bytes(32, "big") for each in numbers))


def test_the_contract_takes_what_python_takes() -> None:
    written = re.findall(
        r"0x[0-9a-f]{64}(?=[,)]|\n)", FORGE.read_text().split("digests = [")[1].split("]")[0]
    )
    computed = []
    for first in range(0, CASES * len(written), CASES):
        digest = bytes(32)
        for number in range(first, first + CASES):
            digest = outcome(number, digest)
        computed.append("0x" + digest.hex())
    assert len(written) == 8 and written == computed, "write into the forge test:\n" + ",\n".join(computed)
