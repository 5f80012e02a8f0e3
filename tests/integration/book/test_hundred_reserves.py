"""An account with a position in each of a hundred reserves, on the real protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.book.book import Book
from keeper.chain import blocks
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.localchain import aave_actions as act
from keeper.localchain import aave_v36, aave_v302
from keeper.localchain.aave_market import RateSpec, ReserveSpec
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import Tx, send_batch
from keeper.protocols.aave_v3.market import AaveV3Market
from tests.conftest import GENESIS, LocalMarket
from tests.integration.book.test_discovery import AaveBook
from tests.support import random_market as rnd
from tests.support.books import refresh_alone
from tests.support.rpc_proxy import Request, RpcProxy, proxy_to

pytestmark = pytest.mark.integration

RESERVES = 100
# What an account does where it has positions everywhere costs far more than elsewhere.
GAS = 15_000_000
GETH_GAS = 50_000_000
OWNER = "0x" + "0d" * 20
USUAL = "0x" + "0e" * 20
_DECIMALS = (18, 6, 8, 12)


def _specs() -> list[ReserveSpec]:
    return [
        ReserveSpec(
            f"T{number}",
            _DECIMALS[number % 4],
            price=10**8 * (1 + number),
            ltv=6_000 + 10 * number,
            liquidation_threshold=7_000 + 10 * number,
            bonus=10_500,
            rates=RateSpec(base=10 + number),
        )
        for number in range(RESERVES)
    ]


@pytest.fixture(scope="module", params=["3.0.2", "3.6"])
def wide(request: pytest.FixtureRequest) -> Iterator[LocalMarket]:
    """`OWNER` supplies all of the reserves and owes half of them; `USUAL` has two positions."""
    deploy = {"3.0.2": aave_v302.deploy, "3.6": aave_v36.deploy}[request.param]
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        market = deploy(anvil.rpc, _specs(), ())
        txs: list[Tx] = []
        for number, reserve in enumerate(market.reserves.values()):
            unit = 10**reserve.decimals
            txs += act.mint_and_supply(market, reserve, rnd.LENDER, 1_000_000 * unit)
            txs += act.mint_and_supply(market, reserve, OWNER, 10_000 * unit + number)
        first, second = market.reserves["T0"], market.reserves["T1"]
        txs += act.mint_and_supply(market, first, USUAL, 10_000 * 10**first.decimals)
        txs.append(act.borrow(market, second, USUAL, 10 * 10**second.decimals))
        for number, reserve in enumerate(market.reserves.values()):
            if number % 2:
                borrow = act.borrow(market, reserve, OWNER, 6_000 * 10**reserve.decimals + number)
                txs.append({**borrow, "gas": GAS})
        send_batch(anvil.rpc, txs, market.errors)
        yield LocalMarket(anvil, market)


def _book(proxy: RpcProxy, market: LocalMarket) -> AaveBook:
    def cap(request: Request) -> None:
        if request["method"] == "eth_call":
            request["params"][0]["gas"] = hex(min(int(request["params"][0]["gas"], 16), GETH_GAS))

    proxy.changes.append(cap)
    pool = NodePool("local", Chain(chain_id=31337, rpc=[proxy.url]))
    return Book(AaveV3Market("wide", market.market.pool, 0), pool, None, 50_000)


def _as_the_contract(book: AaveBook) -> None:
    assert book.head is not None
    ours = book.source.valuer.value(book.state, book.accounts, book.head.timestamp)  # type: ignore[attr-defined]
    assert {each.account: each for each in ours} == book.views(book.head, list(book.accounts))


def test_a_position_in_each_of_a_hundred_reserves_is_valued_as_the_contract_does(wide: LocalMarket) -> None:
    with proxy_to(wide.anvil.url) as proxy:
        book = _book(proxy, wide)
        refresh_alone(book, blocks.latest(book.pool))
        assert len(book.state.market.reserves) == RESERVES
        held = book.accounts[OWNER].positions
        assert len(held) == RESERVES
        assert sum(each.scaled_debt > 0 for each in held) == RESERVES // 2
        _as_the_contract(book)


def test_it_is_read_with_its_view_in_one_request_within_geths_gas(wide: LocalMarket) -> None:
    """A block that touches the wide account costs what a block costs that touches a usual one."""
    costs = {}
    with proxy_to(wide.anvil.url) as proxy:
        book = _book(proxy, wide)
        refresh_alone(book, blocks.latest(book.pool))
        for account in (USUAL, OWNER):
            reserve = wide.market.reserves["T0"]
            txs = [
                act.mint(wide.market, reserve, account, 10**18),
                act.approve(wide.market, reserve, account),
                act.supply(wide.market, reserve, account, 10**17),
            ]
            send_batch(wide.rpc, txs, wide.market.errors)
            # Straight to the newest block: what is counted is one steady tick.
            refresh_alone(book, blocks.latest(book.pool))
            wide.anvil.mine()
            send_batch(wide.rpc, [act.supply(wide.market, reserve, account, 10**15)], wide.market.errors)
            proxy.forget()
            found = refresh_alone(book, blocks.latest(book.pool), [USUAL, OWNER])
            assert account in found.touched
            assert found.views.keys() == {USUAL, OWNER}
            costs[account] = proxy.counts()
        assert costs[OWNER] == costs[USUAL]
        assert costs[OWNER]["eth_call"] == 1
        _as_the_contract(book)
