"""What the fork's report says of prices."""

from __future__ import annotations

import pytest
from rich.console import Console

from keeper.cli import fork, output
from keeper.fork.outcome import ForkAction, ForkOutcome, Price

pytestmark = pytest.mark.unit

WAD = 10**18
OWNER = "0x" + "b2" * 20


def outcome() -> ForkOutcome:
    prices = (
        Price("aave", "WETH", 2500 * WAD, 2000 * WAD),
        Price("morpho", "WETH", 2500 * WAD, 2500 * WAD),
        Price("troves", "WETH", 0, 0),
        Price("aave", "USDC", WAD, WAD),
    )
    deed = ForkAction(
        "morpho", OWNER + "12" * 32, "liquidate", "settled", WAD, "repay 1 USDC", "", 1, 0, 1, ()
    )
    return ForkOutcome("local", 1, 2, prices, (deed,), (), 1, 0, 1, 0, 0)


def test_what_shares_a_symbol_with_what_moved_and_did_not_move_is_named() -> None:
    assert [line.split(" did not move")[0] for line in fork.unmoved(outcome().prices)] == ["WETH in morpho"]


def test_the_tables_name_the_market_of_each_price_and_deed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Console(width=160, record=True)
    monkeypatch.setattr(output, "console", page)
    monkeypatch.setattr(fork, "console", page)
    fork.show(outcome())
    text = page.export_text()
    assert text.count("market") >= 2 and "│ morpho" in text and "│ aave" in text
    assert "0x12121212" in text and "12" * 16 not in text
