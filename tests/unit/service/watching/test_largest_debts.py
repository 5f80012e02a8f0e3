"""Of very many breaches the largest debts are valued first, compared in money and not in units of tokens."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from keeper.book.book import Book
from keeper.book.rows import Rows
from keeper.book.screening.bounds import HealthBounds
from keeper.model.valuation import Valuation
from keeper.protocols.morpho_blue.lens import Pair
from keeper.protocols.morpho_blue.market import MorphoBlueMarket
from keeper.protocols.morpho_blue.mirror import Singleton
from keeper.protocols.registry import MARKET
from keeper.service.watching import selection
from keeper.service.watching.selection import Watch, select
from tests.unit.protocols.test_morpho_edge import BORROWER, market

pytestmark = pytest.mark.unit

WAD = 10**18


def book(accounts: list[str]) -> Book[Any, Any, Valuation]:
    rows = Rows()
    for account in accounts:
        rows.put(account, b"1")
    return cast(Book[Any, Any, Valuation], SimpleNamespace(rows=rows))


def test_two_thousand_dust_debts_of_a_token_of_18_decimals_hide_no_debt_in_dollars() -> None:
    dust = [f"0x{number:040x}" for number in range(selection.MOST_BREACHES + 500)]
    owes = "0x" + "d0" * 20
    everyone = [*dust, owes]
    health = np.full(len(everyone), 0.5)
    # A millionth of a whole token of 18 decimals, and a million dollars of 6 decimals.
    debts = np.array([*(10.0**12 for _ in dust), 10.0**12 - 1])
    near = HealthBounds(np.arange(len(everyone)), health, health, debts)
    watch = Watch(levels={"liquidate": WAD}, open=lambda _: np.arange(len(everyone)))
    units = {owes: 1e2}
    found = select(book(everyone), near, (), watch, lambda account: units.get(account, 1e-10))
    assert len(everyone) - 1 in found.rows
    blind = select(book(everyone), near, (), watch)
    assert len(everyone) - 1 not in blind.rows, "in units of different tokens it would not be among them"


def test_morphos_debts_are_worth_what_the_operator_says_and_strangers_nothing() -> None:
    def pair(number: int, decimals: int, symbol: str) -> Pair:
        return replace(market(10**24), id=f"0x{number:064x}", loan_decimals=decimals, loan_symbol=symbol)

    pairs = {each.id: each for each in (pair(1, 6, "USDC"), pair(2, 18, "WETH"), pair(3, 18, "WETH"))}
    ids = list(pairs)
    own = {"market_ids": ids[:2], "loan_prices": {"WETH": Decimal(2_500)}}
    at = {"protocol": "morpho-blue", "chain": "c", "address": "0x" + "05" * 20}
    settings = MARKET.model_validate({**at, "morpho_blue": own})
    adapter = MorphoBlueMarket.of("m", settings)
    worth = [adapter.explainer.unit_worth(Singleton(pairs), BORROWER + each[2:]) for each in ids]
    assert worth == pytest.approx([10.0**adapter.scale / 10**6, 2_500 * 10.0**adapter.scale / 10**18, 0.0])
