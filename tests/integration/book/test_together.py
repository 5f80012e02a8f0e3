"""All markets of a chain in the same few requests, counted at a proxy over whole ticks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain import aave_v36, aave_v302
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.transactions import send_batch
from keeper.protocols.registry import load
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import build, policies_of, pools
from keeper.store.database import open_store
from tests.conftest import GENESIS
from tests.support import random_market as rnd
from tests.support.rpc_proxy import RpcProxy, proxy_to
from tests.support.ticks import halted, look

pytestmark = pytest.mark.integration

MOST_REQUESTS = 4


@pytest.fixture(scope="module")
def markets() -> Iterator[tuple[Anvil, list[AaveDeployment]]]:
    """Three markets on one chain, of both versions, with a lender in each."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        deployed = [
            aave_v36.deploy(anvil.rpc, *demo_market(), deployer=ACCOUNTS[0]),
            aave_v302.deploy(anvil.rpc, *demo_market(), deployer=ACCOUNTS[1]),
            aave_v36.deploy(anvil.rpc, *demo_market(), deployer=ACCOUNTS[2]),
        ]
        for market in deployed:
            weth = market.reserves["WETH"]
            txs = [act.mint(market, weth, rnd.LENDER, 10**24), act.approve(market, weth, rnd.LENDER)]
            txs += act.mint_and_supply(market, market.reserves["USDC"], rnd.LENDER, 10**15)
            send_batch(anvil.rpc, txs, market.errors)
        yield anvil, deployed


def _deciding(url: str, folder: Path, markets: list[AaveDeployment], more: str = "") -> ChainLoop:
    config = folder / "keeper.toml"
    config.write_text(
        f'[chains.local]\nchain_id = 31337\nrpc = ["{url}"]\nblock_time = 12\n{more}'
        f'[store]\nurl = "sqlite:///{folder}/keeper.db"\n'
        + "".join(
            f'[markets.m{i}]\nprotocol = "aave-v3"\nchain = "local"\naddress = "{each.pool}"\n'
            for i, each in enumerate(markets)
        )
    )
    settings = load(config)
    nodes, store = pools(settings), open_store(settings.store.url)
    runs = build(settings, nodes, store)
    own = settings.of_chain("local")
    return ChainLoop(nodes["local"], store, own, policies_of(settings), runs, "dry", None)


def _borrow(anvil: Anvil, market: AaveDeployment, numbers: range) -> None:
    who = [f"0x{0xB0B << 148 | number:040x}" for number in numbers]
    txs = [rnd.supply_for(market, "WETH", each, 10**18) for each in who]
    txs += [act.borrow(market, market.reserves["USDC"], each, 10**9) for each in who]
    send_batch(anvil.rpc, txs, market.errors)


@contextmanager
def _ticking(url: str, folder: Path, markets: list[AaveDeployment]) -> Iterator[tuple[ChainLoop, RpcProxy]]:
    with proxy_to(url) as proxy:
        deciding = _deciding(proxy.url, folder, markets)
        look(deciding)
        yield deciding, proxy
        deciding.store.close()


@pytest.mark.parametrize("count", [1, 3])
def test_whole_ticks_cost_the_same_whatever_the_markets_and_accounts(
    markets: tuple[Anvil, list[AaveDeployment]], tmp_path: Path, count: int
) -> None:
    anvil, deployed = markets
    chosen, costs = deployed[:count], set()
    for accounts in (10, 400):
        for market in chosen:
            _borrow(anvil, market, range(accounts))
        folder = tmp_path / str(accounts)
        folder.mkdir()
        with _ticking(anvil.url, folder, chosen) as (deciding, proxy):
            assert all(len(run.book.rows) > accounts for run in deciding.markets)
            # The first block after a start resolves what prices hang on.
            anvil.mine()
            look(deciding)
            for number in range(5):
                for market in chosen:
                    _borrow(anvil, market, range(3 * number, 3 * number + 3))
                anvil.set_automine(True)
                proxy.forget()
                head = deciding.next_head()
                assert head is not None
                look(deciding, head)
                assert not deciding.troubles.failed_at
                costs.add(sum(proxy.counts().values()) - _caught_up(proxy))
                assert all(
                    run.book.head == head and not halted(deciding, run).reason for run in deciding.markets
                )
    assert len(costs) == 1
    assert max(costs) <= MOST_REQUESTS - 1


def _caught_up(proxy: RpcProxy) -> int:
    """Requests that only looking for a common ancestor over several blocks takes, which a test's many blocks
    at once bring: the ancestor, and the check that the range was this chain's."""
    return sum(
        request["method"] == "eth_getBlockByNumber" and request["params"][0] != "latest"
        for request in proxy.seen
    )


def test_a_block_at_a_time_costs_three_requests(
    markets: tuple[Anvil, list[AaveDeployment]], tmp_path: Path
) -> None:
    anvil, deployed = markets
    with _ticking(anvil.url, tmp_path, deployed) as (deciding, proxy):
        anvil.mine()
        look(deciding)
        for _ in range(5):
            anvil.mine()
            proxy.forget()
            look(deciding)
            # No account moved, yet the bloom of an empty block says so: nothing is asked twice.
            assert proxy.counts() == {"eth_getBlockByNumber": 1, "eth_getLogs": 1, "eth_call": 1}


def test_one_market_s_fault_is_that_market_s_alone(
    markets: tuple[Anvil, list[AaveDeployment]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anvil, deployed = markets
    with _ticking(anvil.url, tmp_path, deployed) as (deciding, _):
        broken = deciding.markets[1]

        def fails(*_: object) -> None:
            raise ZeroDivisionError("broken adapter")

        monkeypatch.setattr(broken.adapter, "read_market", fails)
        anvil.mine()
        head = look(deciding)
        assert [run.book.head == head for run in deciding.markets] == [True, False, True]
        monkeypatch.undo()
        anvil.mine()
        head = look(deciding)
        assert all(run.book.head == head for run in deciding.markets)
