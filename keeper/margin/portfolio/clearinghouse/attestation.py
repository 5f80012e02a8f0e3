"""Attesting solvency: true leaves at a moment, and the challenge to each false one.

As contracts/src/clearinghouse/Attestation.sol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.margin.portfolio.clearinghouse.markets import MarketSnapshot, lines, pledges
from keeper.margin.portfolio.clearinghouse.sum_tree import EMPTY_LEAF, SolvencyFigures, SolvencyLeaf
from keeper.margin.portfolio.clearinghouse.valuation import equity, worst
from keeper.margin.portfolio.clearinghouse.values import ClearingState, Instrument, Portfolio, ScenarioSet
from keeper.margin.rounding import WAD, div_trunc, mul_div_up

YEAR = 365 * 24 * 3600
STATE = "(int256,uint256,uint256,uint256[],(uint32,int64,int128)[])"


@dataclass(frozen=True, slots=True)
class AttestedMoment:
    """What accounts are valued by: `recorded` and the time of a moment.

    `due` is a year's rate times seconds, summed so far, `lending_index` what a unit of cash has been given.
    `terms` has, by an instrument's number, what it is and what its expiry settled at (0: it did not).
    """

    time: int
    due: int
    lending_index: int
    markets: MarketSnapshot
    scenarios: ScenarioSet
    terms: Mapping[int, tuple[Instrument, int]]


class ChallengeKind(Enum):
    """The contract's functions."""

    STATE = "challengeState"
    EQUITY = "challengeEquity"
    TOO_LOW = "challengeTooLow"
    TOO_HIGH = "challengeTooHigh"
    SHORTFALL = "challengeShortfall"


@dataclass(frozen=True, slots=True)
class LeafChallenge:
    """What wins against a leaf. `scenario` is what `challengeTooLow` is to name, else None."""

    kind: ChallengeKind
    index: int
    scenario: int | None = None


def state_hash(state: ClearingState) -> bytes:
    """What the clearinghouse remembers of an account."""
    legs = [(leg.instrument, leg.size, leg.cost) for leg in state.legs]
    words = (state.cash, state.due, state.lending_index, state.collateral, legs)
    return keccak(encode([STATE], [words]))


def cash_with_interest(cash: int, due_rise: int, index_rise: int) -> int:
    """Cash after a time: a debt with ⌈debt·(rise of due)/year⌉, a balance with the index's rise, down."""
    if cash < 0:
        return cash - mul_div_up(-cash, due_rise, WAD * YEAR)
    return cash + div_trunc(cash * index_rise, WAD)


def portfolio_at(state: ClearingState, moment: AttestedMoment) -> Portfolio:
    """The account by the moment's terms, with interest until then."""
    terms = [moment.terms[leg.instrument] for leg in state.legs]
    found, contingency = lines(moment.markets, [t[0] for t in terms], [t[1] for t in terms], state.legs)
    cash = cash_with_interest(state.cash, moment.due - state.due, moment.lending_index - state.lending_index)
    quotes = moment.markets.quotes[: len(state.collateral)]
    return Portfolio(cash, contingency, found, pledges(quotes, state.collateral))


def figures_of(account: Portfolio, scenarios: ScenarioSet) -> SolvencyFigures:
    """Equity, the requirement (equity less the least value, at least 0) and what it lacks."""
    value = equity(account)
    least, _ = worst(account, scenarios)
    requirement = max(value - least, 0)
    return SolvencyFigures(max(value, 0), max(-value, 0), requirement, max(0, requirement - value))


def leaf_of(state: ClearingState, moment: AttestedMoment) -> SolvencyLeaf:
    """An account's true leaf."""
    return SolvencyLeaf(state_hash(state), figures_of(portfolio_at(state, moment), moment.scenarios))


def leaf_challenge(
    index: int, posted: SolvencyLeaf, state: ClearingState | None, moment: AttestedMoment
) -> LeafChallenge | None:
    """The cheapest challenge to a posted leaf, None where it is true.

    `state` is the account's at the moment, None for a number that no account has.
    """
    if state is None:
        return None if posted == EMPTY_LEAF else LeafChallenge(ChallengeKind.STATE, index)
    if posted.state != state_hash(state):
        return LeafChallenge(ChallengeKind.STATE, index)
    account = portfolio_at(state, moment)
    true, stated = figures_of(account, moment.scenarios), posted.figures
    if (stated.equity_above, stated.equity_below) != (true.equity_above, true.equity_below):
        return LeafChallenge(ChallengeKind.EQUITY, index)
    if stated.requirement < true.requirement:
        return LeafChallenge(ChallengeKind.TOO_LOW, index, worst(account, moment.scenarios)[1])
    if stated.requirement > true.requirement:
        return LeafChallenge(ChallengeKind.TOO_HIGH, index)
    if stated.shortfall != true.shortfall:
        return LeafChallenge(ChallengeKind.SHORTFALL, index)
    return None


def false_leaves(
    posted: Sequence[SolvencyLeaf], states: Sequence[ClearingState], moment: AttestedMoment
) -> list[LeafChallenge]:
    """A challenge per false leaf. `posted` are all that the tree has room for, `states` all accounts'."""
    padded: list[ClearingState | None] = [*states, *[None] * (len(posted) - len(states))]
    found = (
        leaf_challenge(index, leaf, state, moment)
        for index, (leaf, state) in enumerate(zip(posted, padded, strict=True))
    )
    return [challenge for challenge in found if challenge is not None]
