"""Random accounts, scenarios and markets of the clearinghouse, at every scale, and their ABI types."""

from __future__ import annotations

from random import Random

from keeper.margin.portfolio.clearinghouse.markets import CollateralQuote, MarketSnapshot, Spot, Surface
from keeper.margin.portfolio.clearinghouse.values import (
    ClearingLeg,
    Instrument,
    Kind,
    LegLine,
    PledgedValue,
    Portfolio,
    ScenarioSet,
)
from keeper.margin.rounding import WAD

LINE = "(uint8,uint8,int64,uint64,int256,uint256,uint256,uint256,uint256)"
PLEDGE = "(uint8,uint256)"
PORTFOLIO = f"(int256,uint256,{LINE}[],{PLEDGE}[])"
SCENARIOS = "(uint256,uint256,bytes,uint256[])"
QUOTE = "(uint256,uint128,uint64,uint64)"
SPOT = "(uint64,uint64,int256,uint64,uint64)"
SURFACE = "(uint8,uint40,uint256,int256,uint256,uint256,uint256)"
SNAPSHOT = f"({SPOT}[],{SURFACE}[],{QUOTE}[])"
LEG = "(uint32,int64,int128)"

PRICES = (1, 10**3, 10**9, 2_000 * 10**9, 60_000 * 10**9, 2**63 - 1)
"""With 9 decimals: the least, the greatest, and what things cost."""


def price(draw: Random) -> int:
    """A price of any size, near one of PRICES."""
    return max(1, min(2**63 - 1, draw.choice(PRICES) * draw.randint(500, 2_000) // 1_000))


def size(draw: Random) -> int:
    """A signed size of up to 63 bits."""
    return draw.choice((-1, 1)) * draw.getrandbits(draw.randint(1, 63))


def scenario_set(draw: Random, underlyings: int, collaterals: int, count: int) -> ScenarioSet:
    """Steps at both ends and between, widths from nothing to nine."""
    numbers = 3 * underlyings + collaterals
    edges = (-(2**15), -10_000, -1, 0, 1, 10_000, 2**15 - 1)
    steps = tuple(
        tuple(draw.choice((*edges, draw.randint(-20_000, 20_000))) for _ in range(numbers))
        for _ in range(count)
    )
    widths = tuple(
        draw.randint(1, 9 * WAD) >> draw.randint(0, 8) for _ in range(4 * underlyings + collaterals)
    )
    return ScenarioSet(underlyings, collaterals, steps, widths)


def portfolio(draw: Random, underlyings: int, collaterals: int) -> Portfolio:
    """Cash either way, up to all collaterals and up to six legs."""
    pledges = tuple(
        PledgedValue(token, draw.getrandbits(draw.randint(1, 100)))
        for token in range(collaterals)
        if draw.random() < 0.7
    )
    lines = tuple(line(draw, draw.randrange(underlyings)) for _ in range(draw.randrange(7)))
    return Portfolio(size(draw) * 10**9, draw.getrandbits(60), lines, pledges)


def line(draw: Random, underlying: int) -> LegLine:
    """A leg at any terms: at, near and far from the money, before, in and after its window."""
    kind, at = draw.choice(tuple(Kind)), price(draw)
    if kind is Kind.PERPETUAL:
        return LegLine(kind, underlying, size(draw), at, size(draw) * price(draw))
    opened = draw.choice((WAD, WAD, draw.randint(0, WAD), 0))
    settled = 0 if opened == WAD else at * (WAD - opened) // WAD
    strike = draw.choice((at, at * draw.randint(300, 3_000) // 1_000 or 1, price(draw)))
    deviation = draw.choice((0, draw.getrandbits(draw.randint(1, 62))))
    return LegLine(kind, underlying, size(draw), at, 0, strike, settled, opened, deviation)


def snapshot(draw: Random, underlyings: int, expiries: int, collaterals: int) -> MarketSnapshot:
    """Markets with as many expiries of the first underlying, and in their windows too."""
    spots = tuple(
        Spot(price(draw), price(draw), draw.randint(-(2**66), 2**66), *_fractions(draw, 2))
        for _ in range(underlyings)
    )
    surfaces = tuple(_surface(draw, expiry, spots[0].index) for expiry in range(1, expiries + 1))
    quotes = tuple(
        CollateralQuote(draw.getrandbits(draw.randint(30, 110)), draw.getrandbits(70), *_haircuts(draw))
        for _ in range(collaterals)
    )
    return MarketSnapshot(spots, surfaces, quotes)


def _surface(draw: Random, expiry: int, index: int) -> Surface:
    left = draw.choice((0, draw.randint(1, 1_800), draw.randint(1_800, 10**8)))
    opened = draw.randint(0, WAD) if left <= 1_800 else WAD
    settled = 0 if opened == WAD else index * (WAD - opened) // WAD
    skew = draw.choice((0, draw.randint(-10 * WAD, 10 * WAD)))
    return Surface(0, expiry, draw.randint(WAD // 100, 9 * WAD), skew, left, settled, opened)


def _fractions(draw: Random, count: int) -> list[int]:
    return [draw.choice((0, draw.randint(0, WAD // 10))) for _ in range(count)]


def _haircuts(draw: Random) -> tuple[int, int]:
    first = draw.randint(0, WAD)
    return first, draw.randint(0, WAD - first)


def listed(draw: Random, at: MarketSnapshot) -> tuple[Instrument, int]:
    """An instrument of these markets, and what it settled at: always where the snapshot has no surface."""
    if draw.random() < 0.2:
        return Instrument(Kind.PERPETUAL, draw.randrange(len(at.spots))), 0
    kind, strike = draw.choice((Kind.CALL, Kind.PUT)), price(draw)
    expiry = draw.randrange(len(at.surfaces) + 1)
    if expiry == 0:
        return Instrument(kind, 0, 99, strike), price(draw)
    return Instrument(kind, 0, expiry, strike), draw.choice((0, price(draw)))


def packed(instrument: Instrument, settled_at: int) -> int:
    """As contracts/src/clearinghouse/Listing.sol."""
    word = instrument.kind | instrument.underlying << 8 | instrument.expiry << 16
    return word | instrument.strike << 56 | settled_at << 120


def leg(draw: Random, number: int) -> ClearingLeg:
    """A position of any size and cost."""
    return ClearingLeg(number, size(draw), size(draw) * draw.getrandbits(40))
