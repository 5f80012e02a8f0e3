"""What accounts are worth by the margin library, at a state's prices and a given second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.margin.portfolio.clearinghouse import screening
from keeper.margin.portfolio.clearinghouse.markets import MarketSnapshot, line_of, pledged
from keeper.margin.portfolio.clearinghouse.screening import CashTerms, ExactMarket
from keeper.margin.portfolio.clearinghouse.table import ScenarioTable
from keeper.margin.portfolio.clearinghouse.values import ClearingState, Instrument, Kind, LegLine
from keeper.model.valuation import Valuation, ratio_down
from keeper.protocols.clearinghouse.lens import ClearingHouseState
from keeper.protocols.clearinghouse.records import ClearingAccount

# From so many accounts on, arrays tell which scenarios can be the worst.
SEARCHED_FROM = 4


class Moment:
    """A clearinghouse at one second: the same prices for all accounts, each worked out once."""

    def __init__(self, state: ClearingHouseState, timestamp: int) -> None:
        self.state, self.timestamp = state, timestamp
        self.snapshot = state.snapshot(timestamp)
        self.instruments = {number: each.terms for number, each in state.instruments.items()}
        lines, going = _lines(state, self.snapshot)
        cash = CashTerms(state.ledger.index, state.terms.rate, timestamp)
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

    def below(self, accounts: Mapping[str, ClearingAccount]) -> list[str]:
        """The accounts that are below maintenance."""
        some = {a: raw for a, raw in accounts.items() if raw.state.legs and self.is_priced(raw)}
        likely = self._likely(self.maintenance, [raw.state for raw in some.values()], only_below=True)
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
        some = self._likely(self.maintenance, states), self._likely(self.initial, states)
        found = []
        for (account, raw), lower, wider in zip(accounts.items(), *some, strict=True):
            of = self.maintenance.value(raw.state, lower)
            initial = self.initial.value(raw.state, wider).worst
            net = of.equity + self._haircuts(raw.state)
            parts = {
                "cash": of.cash,
                "collateral": of.pledged,
                "contingency": of.contingency,
                "scenario": of.scenario,
            }
            found.append(clearing_valuation(account, of.equity, of.worst, initial, net, parts))
        return found

    def _likely(
        self, market: ExactMarket, states: Sequence[ClearingState], *, only_below: bool = False
    ) -> Sequence[Sequence[int] | None]:
        """The scenarios that can be each account's worst; None: all of them. `only_below`: none of an account
        that is certainly worth something in all of them."""
        if len(states) < SEARCHED_FROM:
            return [None] * len(states)
        numbers, tokens = market.table.numbers, len(self.state.collaterals)
        found = screening.screened(screening.arrays(states, self.instruments, numbers, tokens), market)
        above = found.values.min(axis=1) > found.error
        return [[] if only_below and above[row] else found.candidates(row) for row in range(len(states))]

    def _haircuts(self, state: ClearingState) -> int:
        """What haircuts take off the collateral (money): its worth at market less what is counted."""
        quotes = self.snapshot.quotes
        worth = sum(
            amount * quote.price // 10**18 for amount, quote in zip(state.collateral, quotes, strict=False)
        )
        counted = sum(pledged(quote, amount) for amount, quote in zip(state.collateral, quotes, strict=False))
        return worth - counted


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
