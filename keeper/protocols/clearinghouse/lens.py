"""Answers of `contracts/src/ClearinghouseLens.sol` of the whole clearinghouse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from eth_abi.abi import decode

from keeper.margin.options.black76_fixed import YEAR
from keeper.margin.portfolio.clearinghouse.liquidation import ClearingTerms
from keeper.margin.portfolio.clearinghouse.markets import CollateralQuote, MarketSnapshot, Spot, Surface
from keeper.margin.portfolio.clearinghouse.marks import FundingTerms, PerpetualState, accrued
from keeper.margin.portfolio.clearinghouse.scenarios import WidthRamp, decode_steps
from keeper.margin.portfolio.clearinghouse.screening import CashTerms
from keeper.margin.portfolio.clearinghouse.settlement import ExpiryAverage, averaged_part
from keeper.margin.portfolio.clearinghouse.values import Instrument, Kind, ScenarioSet
from keeper.margin.rounding import WAD
from keeper.protocols.clearinghouse import records
from keeper.protocols.clearinghouse.records import ClearingAccount

_FEED = "(address,uint32,uint8,uint128,uint128)"
_UNDERLYING = (
    f"(({_FEED},uint64,uint64,uint64,uint64,address,uint32,uint64,uint64,uint64),"
    "(uint64,uint40,int64,int80),bool,uint64)"
)
_COLLATERAL = f"(({_FEED},uint128,uint64,uint64,address,uint8,uint128),bool,uint256,uint256)"
_EXPIRY = "(uint8,uint40,(uint64,uint40,uint16,uint24,uint80,uint64),bool,uint256,int256)"
_WIDTHS = "(uint8,uint8,uint8,uint24,uint40,uint40,bytes,bytes)"
_TERMS = "(uint128,uint64,uint64,uint64,uint32,uint32,uint64,uint64,uint64,uint64,uint64)"
_STATE = (
    "((address,address,address,address,address,address,address,address),bytes32,uint8,bool,"
    f"{_TERMS},(uint256,uint256,uint256,int256,uint256,uint128,uint40),uint256,uint256,uint256,"
    f"{_UNDERLYING}[],{_COLLATERAL}[],{_EXPIRY}[],{_WIDTHS},bytes,bytes,(uint8,uint32,uint128),(uint32,bool,bool,bytes)[])"
)
_INSTRUMENT, _FIRST_OPTION = 64, 8
_MOST_UNDERLYINGS, _WIDTH_COUNT = 8, 40


@dataclass(frozen=True, slots=True)
class ClearingParts:
    """Addresses of the contracts that make it up (lower case)."""

    markets: str
    options: str
    scenarios: str
    margin: str
    valuation: str
    orders: str
    deleveraging: str
    cash_token: str


@dataclass(frozen=True, slots=True)
class CashLedger:
    """What all have and what all owe (as of when each was touched), the lending index, what was charged
    less what was given, the insurance fund; a year's rate times seconds (18 decimals), summed until `at`."""

    lent: int
    owed: int
    index: int
    undistributed: int
    fund: int
    due: int
    at: int


@dataclass(frozen=True, slots=True)
class ClearingUnderlying:
    """One underlying; `index` (9 decimals) is None where its feed cannot be believed."""

    feed: str
    index: int | None
    funding: FundingTerms
    state: PerpetualState
    closing: int
    short_closing: int


@dataclass(frozen=True, slots=True)
class ClearingCollateral:
    """One collateral token; `quote` is None where its price cannot be believed, `pledged` all of it."""

    token: str
    decimals: int
    feed: str
    quote: CollateralQuote | None
    cap: int
    pledged: int


@dataclass(frozen=True, slots=True)
class ClearingExpiry:
    """An expiry that is not settled; without `is_known` its volatility cannot be believed."""

    underlying: int
    time: int
    average: ExpiryAverage
    is_known: bool
    at_the_money: int
    skew: int


@dataclass(frozen=True, slots=True)
class ListedInstrument:
    """An instrument, what it is settled at (0: it is not), its open interest, and what either side lost that
    nobody has paid yet."""

    terms: Instrument
    settled: int
    open_interest: int
    lost_by_longs: int
    lost_by_shorts: int
    is_halted: bool


@dataclass(frozen=True, slots=True)
class DeleveragingRound:
    """A deleveraging of an instrument: whether longs lost, whether all of the other side are weighed and are
    being charged, and the accounts weighed."""

    instrument: int
    is_long: bool
    is_charging: bool
    weighed: frozenset[int]


@dataclass(frozen=True)
class ClearingHouseState:
    """A clearinghouse at one block: everything that all accounts share."""

    parts: ClearingParts
    arithmetic: str
    """The hash of the code that values accounts."""
    decimals: int
    paused: bool
    terms: ClearingTerms
    ledger: CashLedger
    accounts: int
    held: int
    read: int
    """The second it is of."""
    underlyings: tuple[ClearingUnderlying, ...]
    collaterals: tuple[ClearingCollateral, ...]
    expiries: tuple[ClearingExpiry, ...]
    maintenance_count: int
    set_version: int
    steps: tuple[tuple[int, ...], ...]
    ramp: WidthRamp
    instruments: Mapping[int, ListedInstrument]
    own: ClearingAccount | None
    """The account that takes positions over, where one is named."""
    patience: int
    """Seconds after a margin call from which on a position is closed against the other side."""
    trifle: int
    """A shortfall of no more is left to the fund (money)."""
    rounds: tuple[DeleveragingRound, ...]

    @cached_property
    def cash_unit(self) -> int:
        """Money per unit of the cash token."""
        return int(10 ** (18 - self.decimals))

    def snapshot(self, timestamp: int) -> MarketSnapshot:
        """What lines and pledges hang on at that second, if nothing happens until then. What has no price has
        an index or price of 0."""
        spots = []
        for each in self.underlyings:
            index = each.index or 0
            state, mark = accrued(each.state, index, each.funding, timestamp)
            spots.append(Spot(index, mark, state.funding, each.closing, each.short_closing))
        surfaces = []
        for one in self.expiries:
            settled, is_open = averaged_part(one.average, one.time)
            left = max(one.time - timestamp, 0)
            known = (one.at_the_money, one.skew) if left else (0, 0)
            surfaces.append(Surface(one.underlying, one.time, *known, left, settled, is_open))
        none = CollateralQuote(0, 0, 0, 0)
        return MarketSnapshot(
            tuple(spots), tuple(surfaces), tuple(each.quote or none for each in self.collaterals)
        )

    def interest(self, timestamp: int) -> CashTerms:
        """Interest at that second, while nobody is touched: as `until` in Cash.sol."""
        ledger = self.ledger
        rise = self.terms.rate * (timestamp - ledger.at)
        given = ledger.owed * rise // (WAD * YEAR)
        index = ledger.index + (given * WAD // ledger.lent if ledger.lent >= WAD else 0)
        return CashTerms(index, ledger.due + rise)

    def scenarios(self, timestamp: int, *, initial: bool = False) -> ScenarioSet:
        """The scenarios of a set at the widths of that second."""
        steps = self.steps if initial else self.steps[: self.maintenance_count]
        return ScenarioSet(len(self.underlyings), len(self.collaterals), steps, self.ramp.at(timestamp))


def read_state(data: bytes) -> ClearingHouseState:
    row = decode([_STATE], data)[0]
    parts, arithmetic, decimals, paused, terms, ledger, accounts, held, read = row[:9]
    underlyings, collaterals, expiries, widths, instruments, own, policy, rounds = row[9:]
    count, tokens, maintenance, version, start, end, steps, numbers = widths
    found = [_numbers(numbers, place, count, tokens) for place in range(3)]
    return ClearingHouseState(
        ClearingParts(*(each.lower() for each in parts)),
        "0x" + arithmetic.hex(),
        decimals,
        paused,
        ClearingTerms(*terms),
        CashLedger(*ledger),
        accounts,
        held,
        read,
        tuple(_underlying(each) for each in underlyings),
        tuple(_collateral(each) for each in collaterals),
        tuple(_expiry(each) for each in expiries),
        maintenance,
        version,
        decode_steps(steps, count, tokens),
        WidthRamp(start, end, *found),
        MappingProxyType(_instruments(instruments, len(underlyings))),
        records.decode(own) if own else None,
        policy[1],
        policy[2],
        tuple(_round(each) for each in rounds),
    )


def _numbers(data: bytes, place: int, underlyings: int, collaterals: int) -> tuple[int, ...]:
    """Widths of the set's own shape, out of all that could be."""
    first = 8 * _WIDTH_COUNT * place
    wanted = [*range(4 * underlyings), *(4 * _MOST_UNDERLYINGS + each for each in range(collaterals))]
    return tuple(int.from_bytes(data[first + 8 * at : first + 8 * at + 8], "big") for at in wanted)


def _underlying(row: tuple[Any, ...]) -> ClearingUnderlying:
    terms, (last, at, premium, integral), priced, index = row
    feed, band, cap, closing, short = terms[:5]
    return ClearingUnderlying(
        feed[0].lower(),
        index if priced else None,
        FundingTerms(band, cap),
        PerpetualState(last, at, premium, integral),
        closing,
        short,
    )


def _collateral(row: tuple[Any, ...]) -> ClearingCollateral:
    (feed, step, haircut, further, token, decimals, cap), priced, price, pledged = row
    quote = CollateralQuote(price, step, haircut, further) if priced else None
    return ClearingCollateral(token.lower(), decimals, feed[0].lower(), quote, cap, pledged)


def _expiry(row: tuple[Any, ...]) -> ClearingExpiry:
    underlying, time, (_, last, count, gap, total, _), known, at_the_money, skew = row
    return ClearingExpiry(underlying, time, ExpiryAverage(last, count, gap, total), known, at_the_money, skew)


def _instruments(data: bytes, underlyings: int) -> dict[int, ListedInstrument]:
    found = {}
    for place, at in enumerate(range(0, len(data), _INSTRUMENT)):
        kind, underlying, expiry, strike, settled, interest, longs, shorts, halted = _split(data, at)
        terms = Instrument(Kind(kind), underlying, expiry, strike)
        number = place if place < underlyings else _FIRST_OPTION + place - underlyings
        found[number] = ListedInstrument(terms, settled, interest, longs, shorts, bool(halted))
    return found


def _round(row: tuple[Any, ...]) -> DeleveragingRound:
    instrument, is_long, is_charging, weighed = row
    keys = (int.from_bytes(weighed[at : at + 8], "big") for at in range(0, len(weighed), 8))
    return DeleveragingRound(instrument, is_long, is_charging, frozenset(key - 1 for key in keys))


def _split(data: bytes, at: int) -> Iterator[int]:
    for size in (1, 1, 5, 8, 8, 8, 16, 16, 1):
        yield int.from_bytes(data[at : at + size], "big")
        at += size
