"""Traders of Perp v2 under protection: a delegate of ours makes a position smaller, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from keeper.doctor.grants import grants
from keeper.localchain import perp_v2_actions as act
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.perp_v2 import deploy
from keeper.localchain.perp_v2_market import WAD
from keeper.localchain.rpc import RpcRefusedError
from keeper.localchain.transactions import Tx, call_of
from keeper.service import deployment
from tests.conformance.case import protection
from tests.conftest import GENESIS
from tests.support.curie_exchange import BUILDS, MARKETS, CurieExchange
from tests.support.keeping import KEY, Keeping, keeping

pytestmark = pytest.mark.integration

TRADER, OTHER = "0x" + "7a" * 20, "0x" + "7b" * 20
PAYER = str(Account.from_key(KEY).address)
DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
BLOCK = 20


@pytest.fixture
def newest() -> Iterator[CurieExchange]:
    """The newer build, where what is seen is not the exchange's."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield CurieExchange(anvil, deploy(anvil.rpc, MARKETS, (), None, BUILDS[-1]))


@pytest.fixture(params=BUILDS)
def market(request: pytest.FixtureRequest) -> Iterator[CurieExchange]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield CurieExchange(anvil, deploy(anvil.rpc, MARKETS, (), None, request.param))


def key(address: str) -> bytes:
    return int(address, 16).to_bytes(32, "big")


def opened(market: CurieExchange, size: int, who: str = TRADER) -> None:
    market.fund(who, dollars=1_500)
    market.trade(who, market.eth, size)


def granted(market: CurieExchange, per_day: int = 100 * WAD, share: int = WAD // 50) -> str:
    contract = deployment.grant("CurieGrant", market.system.clearing_house)
    at, eth = contract.address, key(market.eth.token)
    market.send(
        {"from": OTHER, "to": DEPLOYER, "data": contract.request, "gas": 8_000_000},
        act.approve_delegate(market.system, TRADER, at),
        call_of(TRADER, at, "setOperator(bytes32,address,bool)", key(TRADER), PAYER, True),
        call_of(TRADER, at, "setLimit(bytes32,bytes32,uint128)", key(TRADER), eth, per_day),
        call_of(TRADER, at, "setShare(bytes32,uint256)", key(TRADER), share),
    )
    return at


def watched(
    market: CurieExchange, folder: Path, grant: str, action: str = "reduce", who: str = TRADER
) -> Keeping:
    asked = protection(who, action, "vETH").replace("1.01", "1.20").replace("1.25", "1.60")
    text = f'protocol = "perp-v2"\naddress = "{market.system.clearing_house}"\nunknown_oracles = "act"'
    market.anvil.set_automine(False)
    market.anvil.set_timestamp_interval(BLOCK)
    more = f'\nperp_v2.grant = "{grant}"' if grant else ""
    k = keeping(market.anvil, text + more, folder, asked, "native_price = 1\n")
    k.step()
    return k


def moved(market: CurieExchange, dollars: int) -> None:
    market.anvil.set_automine(True)
    market.set_price(market.eth, dollars)
    market.wait(900)
    market.set_price(market.eth, dollars)
    market.anvil.set_automine(False)


@pytest.mark.parametrize(("size", "price"), [(6 * WAD, 1_880), (-6 * WAD, 2_100)])
def test_the_least_that_reaches_the_target_is_traded_back(
    market: CurieExchange, tmp_path: Path, size: int, price: int
) -> None:
    opened(market, size)
    k = watched(market, tmp_path, granted(market))
    moved(market, price)
    k.step()
    k.step()
    [intent] = k.intents()
    assert (intent.kind, intent.state) == ("reduce", "settled"), intent.reason
    left = market.size(TRADER, market.eth)
    assert 0 < abs(left) < 6 * WAD and (left > 0) == (size > 0)
    reached = market.value(TRADER) / market.required(TRADER)
    assert 1.55 < reached < 1.65, "its target, but for what averages did meanwhile"
    assert k.episodes("top_up")[-1].closed_block is not None


def test_a_position_is_closed_whole(market: CurieExchange, tmp_path: Path) -> None:
    opened(market, 6 * WAD)
    k = watched(market, tmp_path, granted(market), "close")
    moved(market, 1_880)
    k.step()
    k.step()
    assert [(each.kind, each.state) for each in k.intents()] == [("reduce", "settled")]
    assert market.size(TRADER, market.eth) == 0


@pytest.mark.parametrize("lacks", ["contract", "right", "operator", "limit", "price"])
def test_what_is_not_open_is_said_and_not_tried(newest: CurieExchange, tmp_path: Path, lacks: str) -> None:
    market = newest
    opened(market, 6 * WAD)
    at = granted(market, share=0 if lacks == "price" else WAD // 50)
    eth = key(market.eth.token)
    take: dict[str, list[Tx]] = {
        "right": [
            call_of(TRADER, market.system.delegate_approval, "revoke(address,uint8)", at, 1),
        ],
        "operator": [call_of(TRADER, at, "setOperator(bytes32,address,bool)", key(TRADER), PAYER, False)],
        "limit": [call_of(TRADER, at, "setLimit(bytes32,bytes32,uint128)", key(TRADER), eth, 0)],
    }
    market.send(*take.get(lacks, []))
    k = watched(market, tmp_path, "" if lacks == "contract" else at)
    [found] = grants(k.settings, k.deciding.markets[0], PAYER)
    assert found.verdict == ("ok" if lacks == "price" else "warning"), found
    moved(market, 1_880)
    k.step()
    k.step()
    assert k.intents() == [] and k.transactions() == []
    words = {
        "contract": "lets nobody do this",
        "right": "no right to reduce",
        "operator": "is no operator of it",
        "limit": "no limit is left",
        "price": "within 0.00 % of its index",
    }
    assert words[lacks] in k.alerts("cannot_act")[0].body


def test_the_contract_only_reduces(newest: CurieExchange) -> None:
    market = newest
    opened(market, 6 * WAD)
    at = granted(market, per_day=2 * WAD)
    reduce, eth = "reduce(address,address,int256,uint256)", market.eth.token

    def refused(who: str, *arguments: object) -> None:
        data = calldata(reduce, *arguments)
        with pytest.raises(RpcRefusedError):
            market.anvil.rpc.call("eth_call", {"from": who, "to": at, "data": data}, "latest")

    refused(OTHER, TRADER, eth, -WAD, 1_970 * WAD)
    refused(PAYER, TRADER, eth, WAD, 2_030 * WAD)
    refused(PAYER, TRADER, eth, -7 * WAD, 0)
    refused(PAYER, TRADER, eth, -3 * WAD, 3 * 1_970 * WAD)
    refused(PAYER, TRADER, eth, -WAD, 1_900 * WAD)
    market.send(call_of(PAYER, at, reduce, TRADER, eth, -WAD, 1_970 * WAD))
    assert market.size(TRADER, market.eth) == 5 * WAD


def test_a_signer_reduces_its_own_position_without_a_contract(newest: CurieExchange, tmp_path: Path) -> None:
    market = newest
    opened(market, 6 * WAD, PAYER)
    k = watched(market, tmp_path, "", who=PAYER)
    moved(market, 1_880)
    k.step()
    k.step()
    assert [(each.kind, each.state) for each in k.intents()] == [("reduce", "settled")]
    assert 0 < market.size(PAYER, market.eth) < 6 * WAD


def test_a_maker_whose_ranges_would_trade_against_it_is_left(newest: CurieExchange, tmp_path: Path) -> None:
    market = newest
    opened(market, 5 * WAD)
    market.send(act.add_liquidity(market.system, TRADER, market.eth, WAD // 2, 1_000 * WAD, 75_000, 77_040))
    k = watched(market, tmp_path, granted(market))
    moved(market, 1_850)
    k.step()
    assert k.intents() == []
    assert "no delegate can remove them" in k.alerts("cannot_act")[0].body
