"""Where a Morpho Blue position's shares just seize all its collateral, and interest moves that edge."""

from __future__ import annotations

import pytest

from keeper.margin.lending.morpho.market import MarketState, MarketTerms
from keeper.margin.lending.morpho.position import Position, repaid_shares_up, seized_down
from keeper.model.offer import Asset, Quote
from keeper.model.plan import Blocked
from keeper.protocols.morpho_blue.lens import Pair
from keeper.protocols.morpho_blue.planning import GRACE, LIQUIDATE, offers

pytestmark = pytest.mark.unit

WAD = 10**18
NOW = 1_750_000_000
BORROWER = "0x" + "b0" * 20
ASSET = Asset("0x" + "01" * 20, "LOAN", 10**8, 10**6)
ENCODED_AT = 4 + 32 * 6


def market(price: int) -> Pair:
    return Pair(
        id="0x" + "aa" * 32,
        loan=ASSET.token,
        collateral="0x" + "02" * 20,
        oracle="0x" + "03" * 20,
        irm="0x" + "04" * 20,
        terms=MarketTerms(86 * WAD // 100),
        totals=MarketState(10**15, 10**21, 8 * 10**14, 8 * 10**20, NOW - 900),
        price=price,
        # A hundred percent a year: much within the seconds that are allowed for.
        rate=WAD // (365 * 24 * 3600),
        rate_at_target=None,
        loan_decimals=6,
        collateral_decimals=18,
        loan_symbol="LOAN",
    )


def edge(pair: Pair, position: Position) -> int:
    """The price at which all shares seize exactly the collateral, found by bisection."""
    low, high = 1, pair.price or 0
    while high - low > 1:
        middle = (low + high) // 2
        if seized_down(position.borrow_shares, pair.at(NOW), middle, pair.terms.incentive_factor) > (
            position.collateral
        ):
            low = middle
        else:
            high = middle
    return high


@pytest.mark.parametrize("parts_per_billion", [*range(-3000, 20_000, 500), -1, 1])
def test_what_is_planned_can_still_be_carried_out_after_some_interest(parts_per_billion: int) -> None:
    position = Position(10 * WAD, 20_000 * 10**6 * 10**6)
    first = market(2500 * 10**24)
    at_edge = edge(first, position)
    pair = market(at_edge + at_edge * parts_per_billion // 10**9)
    found = offers("0x" + "05" * 20, pair, BORROWER, position, NOW, ASSET, ASSET)
    assert not isinstance(found, Blocked)
    [offer] = found
    deal = offer.deal(offer.max_sizes[0])
    assert isinstance(deal, Quote), "there is always something to be had"
    seized, shares = _arguments(deal.calls[0])
    assert deal.received * 10**6 >= position.collateral * (10**6 - 20), "all but a trace"
    for second in (NOW, NOW + 12, NOW + GRACE):
        then, incentive = pair.at(second), pair.terms.incentive_factor
        if shares:
            assert shares <= position.borrow_shares
            assert seized_down(shares, then, pair.price or 0, incentive) <= position.collateral
        else:
            assert seized == position.collateral
            assert repaid_shares_up(seized, then, pair.price or 0, incentive) <= position.borrow_shares


def test_both_ways_are_met_on_the_two_sides_of_the_edge() -> None:
    position = Position(10 * WAD, 20_000 * 10**6 * 10**6)
    at_edge = edge(market(2500 * 10**24), position)
    ways = set()
    for price in (at_edge * 99 // 100, at_edge * 101 // 100):
        found = offers("0x" + "05" * 20, market(price), BORROWER, position, NOW, ASSET, ASSET)
        assert not isinstance(found, Blocked)
        deal = found[0].deal(found[0].max_sizes[0])
        assert deal is not None
        ways.add(bool(_arguments(deal.calls[0])[1]))
    assert ways == {True, False}


def _arguments(call: bytes) -> tuple[int, int]:
    """Seized collateral and repaid shares: the two words after the market's five and the borrower."""
    assert LIQUIDATE.startswith("liquidate(")
    seized, shares = call[ENCODED_AT : ENCODED_AT + 32], call[ENCODED_AT + 32 : ENCODED_AT + 64]
    return int.from_bytes(seized, "big"), int.from_bytes(shares, "big")
