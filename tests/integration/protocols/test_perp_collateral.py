"""Collateral of Perp v2's traders, bought for their debt at the vault's discount."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from keeper.localchain import perp_v2_actions as act
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.perp_v2 import deploy
from keeper.localchain.perp_v2_market import DOLLAR, WAD
from keeper.localchain.transactions import call_of
from tests.conftest import GENESIS
from tests.support.curie_exchange import BUILDS, COLLATERALS, MARKETS, CurieExchange
from tests.support.keeping import KEY, Keeping, keeping
from tests.support.views import view_int

pytestmark = pytest.mark.integration

TRADER, RIVAL = "0x" + "7a" * 20, "0x" + "7b" * 20
PAYER = str(Account.from_key(KEY).address)


@pytest.fixture(params=BUILDS)
def market(request: pytest.FixtureRequest) -> Iterator[CurieExchange]:
    """A trader with ether as collateral, long in bitcoin, which then falls: its debt is more than three
    quarters of what its ether counts, and yet its positions are covered."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = CurieExchange(anvil, deploy(anvil.rpc, MARKETS, COLLATERALS, None, request.param))
        made.fund(TRADER, ether=6)
        made.trade(TRADER, made.btc, WAD)
        yield made


def watched(market: CurieExchange, folder: Path, dollars: int) -> Keeping:
    """A keeper with so many dollars, which has seen a block."""
    usd = market.system.usd
    market.send(call_of(RIVAL, usd, "mint(address,uint256)", PAYER, dollars * DOLLAR))
    text = f'protocol = "perp-v2"\naddress = "{market.system.clearing_house}"\nunknown_oracles = "act"'
    market.anvil.set_automine(False)
    k = keeping(market.anvil, text, folder, "", "native_price = 1\n")
    k.step()
    return k


def fallen(market: CurieExchange) -> None:
    market.anvil.set_automine(True)
    for dollars in (28_000, 26_300, 24_900, 23_700):
        market.set_price(market.btc, dollars)
        market.wait(900)
    market.set_index(market.weth, 2_000)
    market.anvil.set_automine(False)


def ether(market: CurieExchange, who: str) -> int:
    return view_int(market.anvil.rpc, market.weth.token, "balanceOf(address)", who)


@pytest.mark.parametrize("dollars", [50_000, 700])
def test_it_is_bought_with_the_signers_dollars_as_promised(
    market: CurieExchange, tmp_path: Path, dollars: int
) -> None:
    k = watched(market, tmp_path, dollars)
    fallen(market)
    assert market.value(TRADER) > market.required(TRADER), "its positions are covered"
    k.step()
    k.step()
    intent = k.intents()[0]
    assert (intent.kind, intent.state) == ("liquidate", "settled"), intent.reason
    paid = dollars * DOLLAR - market.dollars(PAYER)
    got = ether(market, PAYER)
    assert 0 < paid <= dollars * DOLLAR and f'"gets_units": {got}' in intent.plan
    # At nine tenths of its price, which is two thousand dollars.
    assert abs(got * 2_000 * 9 // 10 - paid * 10**12) <= paid * 10**12 // 10**5
    assert len(k.intents()) == 1 or dollars == 50_000, "where money is left what remains due is bought, too"


def test_a_rival_who_buys_first_costs_only_gas(market: CurieExchange, tmp_path: Path) -> None:
    k = watched(market, tmp_path, 50_000)
    fallen(market)
    k.step()
    assert [each.state for each in k.transactions()][-1] == "sent"
    buys = act.liquidate_collateral(market.system, RIVAL, TRADER, market.weth, 2_600 * DOLLAR)
    k.step(buys)
    k.step()
    first = k.intents()[0]
    assert first.state == "failed" and market.dollars(PAYER) == 50_000 * DOLLAR
    assert ether(market, PAYER) == 0
