"""Routes over Uniswap v3 pools and their quotes: pools are read once, quotes need no further requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from keeper.chain.calls import Answer, Call, Lens
from keeper.model.plan import FlashLoan
from keeper.venues.base import Exchange
from keeper.venues.uniswap_v3 import lens
from keeper.venues.uniswap_v3 import pool as swaps
from keeper.venues.uniswap_v3.pool import Pool

Hop = tuple[str, str]
"""The token given, and the pool it is given to."""
# Pools shallower than a thousandth of the deepest between the same tokens are no route worth trying.
SHALLOW = 1_000
# Pairs of tokens between which pools are looked for that only lend: a node caps what a read may use.
MOST_PAIRS = 200


class UniswapV3:
    """One deployment. Routes are direct, or lead over one of the `hops` (tokens)."""

    def __init__(self, factory: str, fees: Sequence[int], hops: Sequence[str]) -> None:
        self.factory = factory
        self.fees = tuple(fees)
        self.hops = tuple(hop.lower() for hop in hops)

    def lens(self) -> Lens:
        return lens.lens()

    def call(self, tokens: Iterable[str]) -> Call:
        return lens.read_call(self.factory, {*(t.lower() for t in tokens), *self.hops}, self.fees)

    def lending_call(self, tokens: Iterable[str], beside: Iterable[str]) -> Call | None:
        among = {token.lower() for token in tokens}
        others = sorted({token.lower() for token in beside} - among - set(self.hops))
        most = MOST_PAIRS // max(len(among), 1)
        return lens.lenders_call(self.factory, among, others[:most], self.fees) if others[:most] else None

    def read(self, answer: Answer, lending: Answer | None = None) -> Exchange:
        beside = lens.read_pools(lending) if lending is not None else []
        return UniswapV3Exchange([*lens.read_pools(answer), *beside], self.hops)


class UniswapV3Exchange:
    """Implements Exchange on the pools of one block."""

    def __init__(self, pools: Iterable[Pool], hops: Sequence[str]) -> None:
        known = {pool.address: pool for pool in pools}
        self.pools = {at: pool for at, pool in known.items() if pool.quotes}
        self._beside = {at: pool for at, pool in known.items() if not pool.quotes}
        self.hops = tuple(hops)
        self._lending: dict[tuple[str, str], int] = {}
        self._traded: set[str] = set()
        self._between: dict[frozenset[str], list[str]] = {}
        for pool in sorted(self.pools.values(), key=lambda each: -each.liquidity):
            beside = self._between.setdefault(frozenset((pool.token0, pool.token1)), [])
            if not beside or pool.liquidity * SHALLOW >= self.pools[beside[0]].liquidity:
                beside.append(pool.address)

    def routes(self, given: str, wanted: str) -> list[str]:
        if given == wanted:
            return []
        found = [[(given, pool)] for pool in self._open(given, wanted)]
        for hop in self.hops:
            if hop in (given, wanted):
                continue
            found += [
                [(given, first), (hop, second)]
                for first in self._open(given, hop)
                for second in self._open(hop, wanted)
            ]
        return [_packed(hops, wanted) for hops in found]

    def sell(self, route: str, amount: int) -> int | None:
        found = self._sold(route, amount)
        return None if found is None else found[0]

    def buy(self, route: str, amount: int) -> int | None:
        hops, wanted = unpacked(route)
        after: dict[str, Pool] = {}
        for given, address in reversed(hops):
            done = swaps.buy(after.get(address, self.pools[address]), wanted, amount)
            if done is None or done.given != amount:
                return None
            after[address], amount, wanted = done.pool, done.taken, given
        return amount

    def make(self, route: str, amount: int) -> None:
        found = self._sold(route, amount)
        if found is not None:
            self.pools.update(found[1])
            self._traded.update(found[1])

    def loans(self, token: str, amount: int) -> list[FlashLoan]:
        able = []
        for pool in (*self.pools.values(), *self._beside.values()):
            held = {pool.token0: pool.balance0, pool.token1: pool.balance1}.get(token, 0)
            loan = FlashLoan("uniswap-v3", pool.address, pool.fee)
            if (
                pool.liquidity
                and pool.address not in self._traded
                and amount <= held - self.lent(loan, token)
            ):
                able.append(loan)
        return sorted(able, key=lambda each: each.fee)

    def lend(self, loan: FlashLoan, token: str, amount: int) -> None:
        self._lending[loan.lender, token] = self.lent(loan, token) + amount

    def lent(self, loan: FlashLoan, token: str) -> int:
        return self._lending.get((loan.lender, token), 0)

    def copy(self) -> UniswapV3Exchange:
        other = UniswapV3Exchange((), self.hops)
        other.pools, other._beside, other._between = dict(self.pools), self._beside, self._between
        other._lending, other._traded = dict(self._lending), set(self._traded)
        return other

    def _open(self, one: str, other: str) -> list[str]:
        beside = self._between.get(frozenset((one, other)), [])
        lending = {lender for lender, _ in self._lending}
        return [pool for pool in beside if pool not in lending]

    def _sold(self, route: str, amount: int) -> tuple[int, dict[str, Pool]] | None:
        after: dict[str, Pool] = {}
        for given, address in unpacked(route)[0]:
            done = swaps.sell(after.get(address, self.pools[address]), given, amount)
            if done is None:
                return None
            after[address], amount = done.pool, done.given
        return amount, after


def _packed(hops: Sequence[Hop], wanted: str) -> str:
    """Token, pool, token, …, pool, token, packed as `contracts/src/liquidator/Swaps.sol` reads it."""
    return "0x" + "".join(given[2:] + pool[2:] for given, pool in hops) + wanted[2:]


def unpacked(route: str) -> tuple[list[Hop], str]:
    """The hops of a route, and the token it ends in."""
    words = ["0x" + route[i : i + 40] for i in range(2, len(route), 40)]
    return [(words[i], words[i + 1]) for i in range(0, len(words) - 1, 2)], words[-1]
