"""Answers of `contracts/src/SynthetixV3Lens.sol` of the whole market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eth_abi.abi import decode

from keeper.margin.perps.synthetix_v3.account import KeeperTerms, MarketTerms
from keeper.margin.perps.synthetix_v3.cross_margin import next_interest
from keeper.margin.perps.synthetix_v3.market import FundingState, accrue
from keeper.oracles.pull.queries import OracleQuery, asked
from keeper.protocols.roles.market import PulledFeed

DOLLAR = 0
"""The number of snxUSD among the collaterals."""
_PRICE = "(bool,uint256,bool,uint256,uint256,uint256,bytes)"
_STRATEGY = "(uint8,uint256,uint256,address,bytes32,uint256,bool,uint256)"
_MARKET = (
    f"(uint128,string,bytes32,{_PRICE},int256[4],uint256,uint256[2],uint256[2],uint256[5],uint256,"
    f"uint256[3],uint256[3],address,{_STRATEGY}[])"
)
_COLLATERAL = f"(uint128,address,{_PRICE},uint256,uint256[4],uint256,bool)"
_STATE = (
    "(address,address,address,address,bool,uint256[4],uint256,uint256[3],uint256,uint256,uint256,"
    f"uint256[],bool,bytes,{_MARKET}[],{_COLLATERAL}[])"
)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old a price liquidations take (seconds), when it was published (Unix time; 0: nobody says), and by
    which queries a fresher one is asked for where it must be brought."""

    tolerance: int
    published: int
    queries: tuple[OracleQuery, ...] = ()

    @property
    def ids(self) -> frozenset[bytes]:
        """The prices that are brought for it."""
        return frozenset(each for query in self.queries for each in query.ids)

    @property
    def feed(self) -> PulledFeed | None:
        """The signed price that it is; None where it is none, or made of several."""
        if len(self.queries) != 1 or len(self.queries[0].ids) != 1:
            return None
        [query] = self.queries
        return PulledFeed(f"{query.oracle}/0x{query.ids[0].hex()}", self.published)


TIMELESS = Freshness(0, 0)


@dataclass(frozen=True, slots=True)
class Strategy:
    """How orders of a market are settled: `delay` seconds after they were committed and for `window` seconds,
    at the price of `feed` that `verifier` tells of `price_delay` seconds after the commitment."""

    delay: int
    window: int
    verifier: str
    feed: bytes
    reward: int
    disabled: bool
    price_delay: int


@dataclass(frozen=True, slots=True)
class Perp:
    """One market. `price` (18 decimals) is None where its feed fails, `strict_price` also where it is older
    than liquidations take. `capacity` is the size that may be liquidated now, out of that of a window of
    `window` seconds, which was last drawn on at `limited_at`; `size` is the sum of all positions' sizes."""

    id: int
    symbol: str
    feed: bytes
    price: int | None
    strict_price: int | None
    funding: FundingState
    size: int
    max_velocity: int
    terms: MarketTerms
    locked_ratio: int
    capacity: int
    limited_at: int
    window: int
    max_pd: int
    endorsed: str
    maker_fee: int
    taker_fee: int
    strategies: tuple[Strategy, ...]
    freshness: Freshness = TIMELESS

    def capacity_at(self, timestamp: int) -> int:
        """The size that may be liquidated then, at least, if nobody draws on it until then."""
        return self.terms.window_max if timestamp - self.window >= self.limited_at else self.capacity

    def funding_at(self, timestamp: int) -> int:
        """Funding a unit of size, accumulated to `timestamp` at the present price."""
        scale = self.terms.skew_scale
        return accrue(self.funding, self.price or 0, scale, self.max_velocity, timestamp).value


@dataclass(frozen=True, slots=True)
class Synth:
    """One collateral: prices as a market's; `most` is what all accounts together may hold, `amount` what they
    do."""

    id: int
    token: str
    price: int | None
    strict_price: int | None
    skew_scale: int
    most: int
    upper: int
    lower: int
    scalar: int
    amount: int
    supported: bool
    freshness: Freshness = TIMELESS


@dataclass(frozen=True, slots=True)
class InterestState:
    """Interest a dollar of locked notional, its rate a year, and when both were recorded."""

    accrued: int
    rate: int
    time: int

    def at(self, timestamp: int) -> int:
        return next_interest(self.accrued, self.rate, self.time, timestamp)


@dataclass(frozen=True, slots=True)
class PerpsState:
    """A perps market at one block: everything that all accounts share, money with 18 decimals.

    `costs_known` is False where the node that tells keepers' costs fails; `flag_costs` are by the number of
    feeds that flagging updates."""

    oracle: str
    dollar: str
    core: str
    spot: str
    open: bool
    keeper: KeeperTerms
    interest: InterestState
    debt: int
    settle_cost: int
    flag_costs: tuple[int, ...]
    costs_known: bool
    perps: Mapping[int, Perp]
    synths: Mapping[int, Synth]
    cost_queries: tuple[OracleQuery, ...] = ()
    """What telling the costs asks for."""


def read_state(data: bytes) -> PerpsState:
    row = decode([_STATE], data)[0]
    contracts = row[:4]
    is_open, guards, collateral_reward, interest, debt, settle, liquidate = row[4:11]
    flags, known, costs_wanted, markets, collaterals = row[11:]
    least, least_profit, most, most_scaling = guards
    keeper = KeeperTerms(
        least, most, least_profit, most_scaling, 0, liquidate, collateral_reward_ratio=collateral_reward
    )
    perps = {each[0]: _perp(each) for each in markets}
    synths = {each[0]: _synth(each) for each in collaterals}
    oracle, dollar, core, spot = contracts
    return PerpsState(
        oracle,
        dollar,
        core,
        spot,
        is_open,
        keeper,
        InterestState(*interest),
        debt,
        settle,
        flags,
        known,
        MappingProxyType(perps),
        MappingProxyType(synths),
        asked(costs_wanted),
    )


def _perp(row: tuple[Any, ...]) -> Perp:
    identity, symbol, feed, price, funding, size, (scale, velocity), fees, terms, locked = row[:10]
    capacity, limits, endorsed, strategies = row[10:]
    initial, least_initial, scalar, flag_reward, least_margin = terms
    left, most, latest = capacity
    found = MarketTerms(scale, initial, least_initial, scalar, least_margin, flag_reward, most)
    return Perp(
        identity,
        symbol,
        feed,
        *_prices(price),
        FundingState(*funding),
        size,
        velocity,
        found,
        locked,
        left,
        latest,
        limits[1],
        limits[2],
        endorsed,
        fees[0],
        fees[1],
        tuple(Strategy(*each[1:]) for each in strategies),
        _freshness(price),
    )


def _synth(row: tuple[Any, ...]) -> Synth:
    identity, token, price, scale, (most, upper, lower, scalar), amount, supported = row
    return Synth(
        identity,
        token.lower(),
        *_prices(price),
        scale,
        most,
        upper,
        lower,
        scalar,
        amount,
        supported,
        _freshness(price),
    )


def _prices(row: tuple[Any, ...]) -> tuple[int | None, int | None]:
    known, value, strictly_known, strict = row[:4]
    return value if known else None, strict if strictly_known else None


def _freshness(row: tuple[Any, ...]) -> Freshness:
    tolerance, published, wanted = row[4:]
    return Freshness(tolerance, published, asked(wanted))
