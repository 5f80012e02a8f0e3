"""Liquidations through our contract, with borrowed money and real Uniswap pools, on both versions."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from eth_abi.abi import decode
from sqlmodel import select

from keeper.cli.history import history
from keeper.execution import batch_encoding
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy as deploy_v36
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.rpc import Json
from keeper.localchain.transactions import Tx
from keeper.model.plan import Plan
from keeper.service.reporting.ledger import Ledger
from keeper.service.reporting.ledger import earned as booking_of
from keeper.store.tables.journal import Intent, LedgerEntry, Transaction, TransactionIntent
from tests.conftest import GENESIS
from tests.support import aave_users
from tests.support.faulty_node import faulty
from tests.support.selling import Selling, open_exchange
from tests.support.world import World, account, open_market, world

pytestmark = pytest.mark.integration

WAD = 10**18
ETHER = 10**18


@pytest.fixture(params=["3.0.2", "3.6"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Anvil, AaveDeployment, Selling]]:
    """A fresh market of either version with liquidity, its exchange and our contract."""
    with Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil:
        deploy = {"3.0.2": deploy_v302, "3.6": deploy_v36}[request.param]
        deployed = deploy(anvil.rpc, *demo_market())
        selling = open_exchange(anvil, deployed)
        open_market(anvil, deployed)
        yield anvil, deployed, selling


def position(market: AaveDeployment, who: str, ether: int, dollars: int, debt: str = "USDC") -> list[Tx]:
    """`ether` whole WETH against `dollars` whole units of a stablecoin."""
    reserve = market.reserves[debt]
    return [
        *act.mint_and_supply(market, market.reserves["WETH"], who, ether * ETHER),
        act.borrow(market, reserve, who, dollars * 10**reserve.decimals),
    ]


def keeper(
    place: tuple[Anvil, AaveDeployment, Selling], folder: Path, more: str = "", chain: str = "", rpc: str = ""
) -> World:
    anvil, market, selling = place
    w = world(anvil, market, folder, more, chain_more=selling.settings(chain), rpc=rpc)
    anvil.set_balance(w.payer, 10**19)
    return w


def books(w: World) -> int:
    return Ledger(w.deciding).book()


def first_in_line(anvil: Anvil, tx: Tx) -> None:
    """Queue a transaction that pays more than the keeper's, so that it comes before them."""
    anvil.impersonate(tx["from"])
    fees: dict[str, Json] = {"maxFeePerGas": hex(500 * 10**9), "maxPriorityFeePerGas": hex(100 * 10**9)}
    call: dict[str, Json] = {"from": tx["from"], "to": tx["to"], "data": tx["data"], "gas": hex(2_000_000)}
    anvil.rpc.call("eth_sendTransaction", call | fees)


def test_liquidates_without_a_token_of_its_own_and_earns(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    w = keeper(place, tmp_path)
    w.send(*position(w.market, account(1), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    [intent] = w.intents()
    assert intent.kind == "liquidate"
    w.step()
    w.step()
    settled = [i for i in w.intents() if i.state == "settled"]
    assert settled, [(i.state, i.reason) for i in w.intents()]
    assert w.balance("USDC") > 100 * 10**6
    assert w.allowance("USDC") == 0


def test_the_profit_is_what_was_planned_and_the_books_say_the_same(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    w = keeper(place, tmp_path)
    w.send(*position(w.market, account(1), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    [intent] = w.intents()
    item = Plan.from_json(intent.plan).batch_item
    assert item is not None
    before = w.balance("USDC")
    w.step()
    earned = w.balance("USDC") - before
    # A second of interest lies between the plan and its block.
    assert item.min_profit <= earned and abs(earned - item.profit) <= item.profit // 1_000
    books(w)
    [row] = w.transactions()
    with w.store.session() as session:
        booking = session.get_one(LedgerEntry, row.id)
        assert booking.gas_wei == (row.gas_used or 0) * (row.gas_price or 0)
        assert booking.gas == -(-booking.gas_wei * 2260 * 10**18 // ETHER)
        assert [(each["symbol"], each["units"]) for each in json.loads(booking.moved)] == [
            ("USDC", str(earned))
        ]
        assert booking.value == earned * 10**12
        net = Decimal(booking.net).scaleb(-18)
        assert booking_of(session, intent) == net


def test_with_each_bid_the_least_profit_covers_the_gas(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    bids = "[execution]\nreplace_blocks = 1\ncancel_blocks = 40\n"
    with faulty(place[0].url) as node:
        w = keeper(place, tmp_path, bids, rpc=node.url)
        w.send(*position(w.market, account(1), 10, 19_000))
        w.work()
        place[2].follow({"WETH": 2260 * 10**8})
        node.holds = True
        w.step({"WETH": 2260 * 10**8})
        gwei = 10**9
        for price in (20, 60, 120, 200, 250):
            w.anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(price * gwei))
            w.step()
    [intent] = w.intents()
    item = Plan.from_json(intent.plan).batch_item
    assert item is not None
    acts = [t for t in w.transactions() if t.purpose == "act"]
    asked = [decode([batch_encoding.BATCH], bytes.fromhex(t.data[10:]))[0][2][0][7] for t in acts]
    # A dollar has six decimals and an ether costs 2,260 of them; it takes 518,000 gas or more.
    costs = [t.max_fee * 510_000 * 2_260 * 10**6 // ETHER for t in acts]
    assert len(set(asked)) > 2 and max(costs) > item.profit // 2
    assert all(least >= cost for least, cost in zip(asked, costs, strict=True))
    assert all(item.profit // 2 <= least <= item.profit * 98 // 100 + 1 for least in asked)


def test_many_fall_at_once_and_share_a_transaction(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    w = keeper(place, tmp_path)
    for number in range(1, 7):
        w.send(*position(w.market, account(number), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    w.step()
    w.step()
    done = [i for i in w.intents() if i.state == "settled"]
    assert {i.account for i in done} >= {account(n).lower() for n in range(1, 7)}
    first = w.transactions()[0]
    with w.store.session() as session:
        carried = session.exec(
            select(TransactionIntent).where(TransactionIntent.transaction_id == first.id)
        ).all()
    assert len(carried) == 6
    assert first.gas_used is not None and first.gas_used < 6 * 300_000
    books(w)
    with w.store.session() as session:
        booking = session.get_one(LedgerEntry, first.id)
        shares = [booking_of(session, session.get_one(Intent, each.intent_id)) for each in carried]
    whole = sum(share for share in shares if share is not None)
    assert abs(whole - Decimal(booking.net).scaleb(-18)) < Decimal("0.00001")


def test_a_item_that_another_keeper_takes_does_not_stop_the_others(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    w = keeper(place, tmp_path)
    for number in (1, 2, 3):
        w.send(*position(w.market, account(number), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    # Between the rehearsal and the block somebody is faster, with a higher bid.
    rival = account(99)
    usdc, weth = w.market.reserves["USDC"], w.market.reserves["WETH"]
    for tx in (
        act.mint(w.market, usdc, rival, 10**12),
        act.approve(w.market, usdc, rival),
        aave_users.liquidate(w.market, weth, usdc, account(2), 9_400 * 10**6, rival),
    ):
        w.anvil.set_balance(tx["from"], 10**20)
        first_in_line(w.anvil, tx)
    w.step()
    assert w.health(account(2)) > 0
    states = {i.account: i.state for i in w.intents()[:3]}
    assert states[account(1).lower()] == states[account(3).lower()] == "settled"
    assert w.balance("USDC") > 0


def test_a_transaction_that_would_not_pay_is_not_sent_unless_bad_debt_is_realized(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    folder = tmp_path / "careful"
    folder.mkdir()
    w = keeper(place, folder, "[policy]\nmin_profit = 5\n")
    # A small account whose collateral falls below its debt: it cannot pay for anybody's gas.
    w.send(
        *act.mint_and_supply(w.market, w.market.reserves["WETH"], account(1), ETHER // 100),
        act.borrow(w.market, w.market.reserves["USDC"], account(1), 19 * 10**6),
    )
    w.work()
    place[2].follow({"WETH": 1800 * 10**8})
    w.step({"WETH": 1800 * 10**8})
    w.step()
    assert w.intents() == []
    assert any("less than min_profit" in a.body for a in w.alerts("cannot_act"))
    held = tmp_path / "willing"
    held.mkdir()
    cap = 'native_price = 50000\nmin_profit = 5\nrealize_bad_debt = true\nmax_bad_debt_loss = "{}"\n'
    mean = keeper(place, held, "[policy]\n" + cap.format("0.1"))
    mean.work()
    assert mean.intents() == []
    willing = tmp_path / "more"
    willing.mkdir()
    w = keeper(place, willing, "[policy]\n" + cap.format("60"))
    w.work()
    w.step()
    w.step()
    assert [i.state for i in w.intents()] == ["settled"]
    assert w.health(account(1)) == 0 or w.token("WETH", "balanceOf(address)", account(1)) == 0
    books(w)
    with w.store.session() as session:
        [booking] = session.exec(select(LedgerEntry)).all()
    assert -60 * 10**18 < booking.net < 0


def test_several_debts_in_one_transaction_earn_one_token(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    _, market, _ = place
    w = keeper(place, tmp_path, chain=f'profit_token = "{market.reserves["USDC"].asset}"')
    w.send(*position(market, account(1), 10, 19_000), *position(market, account(2), 12, 22_800, "DAI"))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    w.step()
    assert [(i.state, i.reason) for i in w.intents()[:2]] == [("settled", "")] * 2
    first = w.transactions()[0]
    with w.store.session() as session:
        assert (
            len(
                session.exec(
                    select(TransactionIntent).where(TransactionIntent.transaction_id == first.id)
                ).all()
            )
            == 2
        )
    assert w.balance("USDC") > 500 * 10**6
    # What was bought back for a debt that grew less than was allowed for stays a crumb.
    assert w.balance("DAI") < 10**18


def test_with_its_own_money_and_no_contract_it_still_works(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    anvil, market, _ = place
    w = world(anvil, market, tmp_path)
    anvil.set_balance(w.payer, 10**19)
    w.send(*position(market, account(1), 10, 19_000))
    w.send(act.mint(market, market.reserves["USDC"], w.payer, 100_000 * 10**6))
    w.work()
    w.step({"WETH": 2260 * 10**8})
    w.step()
    w.step()
    assert "settled" in {i.state for i in w.intents()}
    assert w.balance("WETH") > 0
    books(w)
    with w.store.session() as session:
        for booking in session.exec(select(LedgerEntry)).all():
            assert booking.gas > 0


def test_a_revert_and_an_allowance_are_booked_with_what_they_cost(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    w = keeper(place, tmp_path)
    w.send(*position(w.market, account(1), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    # The price recovers in the block that carries the liquidation, before it.
    first_in_line(w.anvil, act.set_price(w.market, w.market.reserves["WETH"], 2500 * 10**8))
    w.step()
    [row] = w.transactions()
    assert row.succeeded is False
    books(w)
    with w.store.session() as session:
        booking = session.get_one(LedgerEntry, row.id)
    assert booking.value == 0 and booking.net == -booking.gas < 0


def test_a_booking_is_made_anew_for_the_block_that_has_the_transaction_now(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    w = keeper(place, tmp_path)
    w.send(*position(w.market, account(1), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    w.step()
    assert books(w) == 1
    assert books(w) == 0
    with w.store.session() as session:
        row = session.exec(select(Transaction)).first()
        assert row is not None
        row.block_hash = "0x" + "00" * 32
    # The journal speaks of a block that the chain does not have: nothing is booked until it is set right.
    assert books(w) == 0


def test_the_books_are_exported_with_every_transaction(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = keeper(place, tmp_path)
    w.send(*position(w.market, account(1), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    w.step()
    books(w)
    file = tmp_path / "books.csv"
    history(w.config, None, as_json=False, csv=str(file))
    capsys.readouterr()
    [line] = list(csv.DictReader(file.open()))
    assert line["succeeded"] == "yes" and line["accounts"] == account(1).lower()
    assert Decimal(line["net"]) == Decimal(line["value"]) - Decimal(line["gas"])
    assert line["moved"].endswith("USDC") and line["moved"].startswith("+")
    history(w.config, None, as_json=False, csv="-")
    assert capsys.readouterr().out.splitlines() == file.read_text().splitlines()
    history(w.config, None, as_json=True)
    [told] = json.loads(capsys.readouterr().out)
    assert Decimal(told["earned"]) == Decimal(line["net"])
