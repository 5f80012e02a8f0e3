"""What accounts are worth by the margin library, at a state's prices and a given second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.margin.portfolio.clearinghouse import screening
from keeper.margin.portfolio.clearinghouse.liquidation import marks_of
from keeper.margin.portfolio.clearinghouse.markets import MarketSnapshot, line_of
from keeper.margin.portfolio.clearinghouse.screening import AccountArrays, ExactMarket
from keeper.margin.portfolio.clearinghouse.table import AS_THINGS_STAND, ScenarioTable
from keeper.margin.portfolio.clearinghouse.values import ClearingState, Instrument, Kind, LegLine
from keeper.margin.rounding import WAD
from keeper.model.valuation import Valuation, ratio_down
from keeper.protocols.clearinghouse.lens import ClearingHouseState
from keeper.protocols.clearinghouse.records import ClearingAccount

Scenarios = Sequence[int] | None
"""Those that can be the worst; None: all of them."""
# From so many accounts on, arrays tell which scenarios can be the worst.
SEARCHED_FROM = 4


class ClearingMoment:
    """A clearinghouse at one second: the same prices for all accounts, each worked out once."""

    def __init__(self, state: ClearingHouseState, timestamp: int) -> None:
        self.state, self.timestamp = state, timestamp
        self.snapshot = state.snapshot(timestamp)
        self.instruments = {number: each.terms for number, each in state.instruments.items()}
        lines, going = _lines(state, self.snapshot)
        cash = state.interest(timestamp)
        self.maintenance, self.initial = (
            ExactMarket(
                self.snapshot,
                cash,
                ScenarioTable(lines, state.scenarios(timestamp, initial=initial)),
                self.instruments,
                going,
            )
            for initial in (False, True)
        )

    def halted(self, raw: ClearingAccount) -> int | None:
        """The first instrument of an account that is halted until it is deleveraged."""
        for leg in raw.state.legs:
            each = self.state.instruments[leg.instrument]
            if each.lost_by_longs or each.lost_by_shorts or each.is_halted:
                return leg.instrument
        return None

    def is_priced(self, raw: ClearingAccount) -> bool:
        """Whether everything that an account has can be valued."""
        lines = self.maintenance.table.lines
        held = zip(raw.state.collateral, self.state.collaterals, strict=False)
        return all(leg.instrument in lines for leg in raw.state.legs) and all(
            each.quote is not None for amount, each in held if amount
        )

    def profits(self, raw: ClearingAccount) -> dict[int, int]:
        """What each going position has won (money), at its mark; below zero, lost."""
        marks = marks_of(self.maintenance, raw.state)
        return {
            leg.instrument: leg.size * marks[leg.instrument][0] - leg.cost
            for leg in raw.state.legs
            if leg.instrument in self.maintenance.going
        }

    def lasts(self, instrument: int) -> bool:
        """Whether it is a perpetual, or an option that has not expired."""
        expiry = self.instruments[instrument].expiry
        return not expiry or self.timestamp < expiry

    def below(self, accounts: Mapping[str, ClearingAccount]) -> list[str]:
        """The accounts that are below maintenance."""
        some = {a: raw for a, raw in accounts.items() if raw.state.legs and self.is_priced(raw)}
        states = [raw.state for raw in some.values()]
        likely = self._likely(self.maintenance, self._arrays(states), states, only_below=True)
        return [
            account
            for (account, raw), scenarios in zip(some.items(), likely, strict=True)
            if scenarios != [] and self.maintenance.value(raw.state, scenarios).worst < 0
        ]

    def health(self, state: ClearingState) -> int | None:
        """The health (18 decimals) that an account in this state has; None where nothing is required."""
        found = self.maintenance.value(state)
        return ratio_down(found.equity, found.equity - found.worst)

    def value(self, accounts: Mapping[str, ClearingAccount]) -> list[Valuation]:
        states = [each.state for each in accounts.values()]
        copied = self._arrays(states)
        some = self._likely(self.maintenance, copied, states), self._likely(self.initial, copied, states)
        return [
            self._valuation(account, raw.state, lower, wider)
            for (account, raw), lower, wider in zip(accounts.items(), *some, strict=True)
        ]

    def _valuation(self, account: str, state: ClearingState, lower: Scenarios, wider: Scenarios) -> Valuation:
        """`lower` and `wider` are the scenarios of either set that can be the worst."""
        table, basis = self.maintenance.table, self.maintenance.basis(state)
        worst, scenario = self.maintenance.worst(state, basis, lower)
        initial, _ = self.initial.worst(state, basis, wider)
        marked = table.total(state.legs, AS_THINGS_STAND)
        pledged = basis.pledged
        equity = basis.cash + pledged + marked - basis.carried
        parts = {
            "cash": basis.cash,
            "collateral": pledged,
            "contingency": basis.contingency,
            "scenario": scenario,
        }
        net = equity + (self._worth(state) - pledged if pledged else 0)
        return clearing_valuation(account, equity, worst, initial, net, parts)

    def _arrays(self, states: Sequence[ClearingState]) -> AccountArrays | None:
        """None where there are too few to be worth it."""
        if len(states) < SEARCHED_FROM:
            return None
        numbers, tokens = self.maintenance.table.numbers, len(self.state.collaterals)
        return screening.arrays(states, self.instruments, numbers, tokens)

    def _likely(
        self,
        market: ExactMarket,
        copied: AccountArrays | None,
        states: Sequence[ClearingState],
        *,
        only_below: bool = False,
    ) -> Sequence[Scenarios]:
        """The scenarios that can be each account's worst; None: all of them. `only_below`: none of an account
        that is certainly worth something in all of them."""
        if copied is None:
            return [None] * len(states)
        found = screening.screened(copied, market)
        above = found.values.min(axis=1) > found.error
        likely = found.all_candidates()
        return [[] if only_below and above[row] else each for row, each in enumerate(likely)]

    def _worth(self, state: ClearingState) -> int:
        """What the collateral is worth at market (money)."""
        quotes = self.snapshot.quotes
        return sum(amount * each.price // WAD for amount, each in zip(state.collateral, quotes, strict=False))


def _lines(state: ClearingHouseState, at: MarketSnapshot) -> tuple[dict[int, LegLine], frozenset[int]]:
    """Each instrument that can be valued as a line, and which still cost something to close."""
    lines, going = {}, set()
    unknown = {(each.underlying, each.time) for each in state.expiries if not each.is_known}
    for number, each in state.instruments.items():
        terms = each.terms
        if not _is_priced(terms, each.settled, at, unknown):
            continue
        lines[number], is_going = line_of(at, terms, each.settled)
        if is_going:
            going.add(number)
    return lines, frozenset(going)


def _is_priced(terms: Instrument, settled: int, at: MarketSnapshot, unknown: set[tuple[int, int]]) -> bool:
    if terms.kind is not Kind.PERPETUAL and settled:
        return True
    return bool(at.spots[terms.underlying].index) and (terms.underlying, terms.expiry) not in unknown


def clearing_valuation(
    account: str, equity: int, worst: int, initial: int, net: int, parts: Mapping[str, int]
) -> Valuation:
    """`worst` and `initial` are the least values over the maintenance and over the initial set."""
    maintenance = equity - worst
    health = ratio_down(equity, maintenance)
    return Valuation(account, equity, maintenance, net, worst < 0, equity - initial, health, parts)
