"""What is said of an Aave account that owes and has nothing left."""

from __future__ import annotations

import pytest

from keeper.margin.lending.aave.state import AccountState, MarketState, Position
from keeper.model.purse import Purse
from keeper.protocols.aave_v3.permissions import no_pair

pytestmark = pytest.mark.unit

DEBT = Position(reserve_id=0, scaled_debt=10**18)
# Bit 0: borrows reserve 0; bit 3: uses reserve 1 as collateral.
BORROWS, USES = 0b0001, 0b1000


def said(configuration: int, *positions: Position) -> str:
    market = MarketState.__new__(MarketState)
    return no_pair(AccountState(0, configuration, positions), market, Purse({}, {})).reason


def test_debt_without_collateral_is_called_bad_debt() -> None:
    assert "bad debt" in said(BORROWS, DEBT)
    assert "bad debt" in said(BORROWS | USES, DEBT, Position(reserve_id=1))
