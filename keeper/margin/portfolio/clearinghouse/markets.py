"""Legs and collateral at a moment's terms: as contracts/src/clearinghouse/Snapshots.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.errors import MarginError
from keeper.margin.options import black76_fixed
from keeper.margin.portfolio.clearinghouse.values import (
    PRICE_TO_WAD,
    ClearingLeg,
    Instrument,
    Kind,
    LegLine,
    PledgedValue,
)
from keeper.margin.rounding import WAD, mul_div_down, wad_mul_down, wad_mul_up

LEAST_TURN = WAD // 2
MOST_TURN = 2 * WAD
"""A strike's volatility is between half and twice the one at the money."""


@dataclass(frozen=True, slots=True)
class Spot:
    """An underlying: index, mark and funding (9 decimals), and what closing costs as shares of size·index.

    `short_closing` is a short option's besides.
    """

    index: int
    mark: int
    funding: int
    closing: int
    short_closing: int


@dataclass(frozen=True, slots=True)
class Surface:
    """An expiry that is not settled.

    `settled` is the averaged part of the forward (9 decimals), `open` the share of the window that is not
    averaged yet (18 decimals).
    """

    underlying: int
    expiry: int
    at_the_money: int
    skew: int
    seconds_left: int
    settled: int
    open: int


@dataclass(frozen=True, slots=True)
class CollateralQuote:
    """A collateral: money of 10^18 units, its haircut, and the `further` one beyond `step` units."""

    price: int
    step: int
    haircut: int
    further: int


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """All that lines and pledges hang on at a moment, but for what never changes."""

    spots: tuple[Spot, ...]
    surfaces: tuple[Surface, ...]
    quotes: tuple[CollateralQuote, ...]


def lines(
    at: MarketSnapshot, instruments: Sequence[Instrument], prices: Sequence[int], legs: Sequence[ClearingLeg]
) -> tuple[tuple[LegLine, ...], int]:
    """Each leg at the snapshot's terms, and what closing them all costs (money).

    `instruments` and `prices` stand beside `legs`; a price is what the expiry settled at, 0 where it is not.
    """
    found, contingency = [], 0
    for terms, price, leg in zip(instruments, prices, legs, strict=True):
        line, is_going = line_of(at, terms, price)
        carried = 0
        if is_going:
            spot = at.spots[terms.underlying]
            contingency += _closing(spot, terms.kind, leg.size)
            if terms.kind is Kind.PERPETUAL:
                carried = leg.cost + leg.size * spot.funding
        found.append(replace(line, size=leg.size, carried=carried))
    return tuple(found), contingency


def line_of(at: MarketSnapshot, terms: Instrument, price: int) -> tuple[LegLine, bool]:
    """An instrument's line without size and carried, and whether it is going.

    An option whose expiry the snapshot does not have is worth what it settled at, in every scenario, and
    costs nothing to close. MarginError where it did not settle either.
    """
    if terms.kind is Kind.PERPETUAL:
        return LegLine(terms.kind, terms.underlying, 0, _spot(at, terms).mark), True
    surface = next(
        (s for s in at.surfaces if (s.underlying, s.expiry) == (terms.underlying, terms.expiry)), None
    )
    if surface is None:
        if not price:
            raise MarginError(
                f"has no expiry {terms.expiry} of underlying {terms.underlying}",
                field="snapshot",
                remedy="Read it again",
            )
        settled = LegLine(terms.kind, terms.underlying, 0, price, strike=terms.strike, settled=price)
        return settled, False
    index = _spot(at, terms).index
    moves = deviation(surface, index, terms.strike)
    line = LegLine(
        terms.kind, terms.underlying, 0, index, 0, terms.strike, surface.settled, surface.open, moves
    )
    return line, True


def mark_of(line: LegLine) -> int:
    """The price of an instrument: a perpetual's mark, an option's Black-76 price, down to 9 decimals."""
    if line.kind is Kind.PERPETUAL:
        return line.price
    forward = line.settled * PRICE_TO_WAD + line.price * line.open // PRICE_TO_WAD
    call, put = black76_fixed.prices(forward, line.strike * PRICE_TO_WAD, line.deviation)
    return (call if line.kind is Kind.CALL else put) // PRICE_TO_WAD


def deviation(surface: Surface, index: int, strike: int) -> int:
    """Volatility times the root of the time left, of the part that moves.

    In the averaging window it is that of the open part times its share of the forward, as if what is still to
    be averaged moved until the window ends.
    """
    if not surface.open or not surface.seconds_left:
        return 0
    whole = black76_fixed.deviation(strike_volatility(surface, index, strike), surface.seconds_left)
    if not surface.settled:
        return whole
    moving = index * surface.open
    return mul_div_down(whole, moving, surface.settled * WAD + moving)


def strike_volatility(surface: Surface, index: int, strike: int) -> int:
    """at_the_money·(1 + skew·(strike − index)/index): the factor down, within half and twice; then down."""
    turn = WAD + mul_div_down(surface.skew, strike - index, index)
    return wad_mul_down(surface.at_the_money, max(LEAST_TURN, min(MOST_TURN, turn)))


def pledges(quotes: Sequence[CollateralQuote], amounts: Sequence[int]) -> tuple[PledgedValue, ...]:
    """What units of all collaterals are worth after haircuts, each rounded down once; none for 0 units."""
    return tuple(
        PledgedValue(token, pledged(quote, amount))
        for token, (quote, amount) in enumerate(zip(quotes, amounts, strict=True))
        if amount
    )


def pledged(quote: CollateralQuote, amount: int) -> int:
    """amount·(1 − haircut) − (amount beyond the step)·further, times the price; rounded down once."""
    beyond = max(amount - quote.step, 0)
    return (amount * (WAD - quote.haircut) - beyond * quote.further) * quote.price // WAD**2


def _spot(at: MarketSnapshot, terms: Instrument) -> Spot:
    if terms.underlying < len(at.spots) and at.spots[terms.underlying].index:
        return at.spots[terms.underlying]
    raise MarginError(f"has no underlying {terms.underlying}", field="snapshot", remedy="Read it again")


def _closing(spot: Spot, kind: Kind, size: int) -> int:
    rate = spot.closing
    if kind is not Kind.PERPETUAL and size < 0:
        rate += spot.short_closing
    return wad_mul_up(abs(size) * spot.index, rate)
