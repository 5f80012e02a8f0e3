"""What surrounds a Comet, as the real one does it: many collaterals, lone accounts, later pauses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from keeper.cli.audit import compare
from keeper.cli.explain import explain
from keeper.cli.scan import scan_markets
from keeper.localchain import comet_standin as comet
from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.comet_standin import CollateralSpec, CometSpec, CometStandIn
from keeper.localchain.liquidator import deploy_liquidator
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import PoolSpec, Token, UniswapDeployment
from keeper.model.plan import Plan
from keeper.protocols.registry import load
from tests.conformance.exchange import PAYER
from tests.conftest import GENESIS
from tests.support import comet_users
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping
from tests.support.ticks import halted, no_sample
from tests.support.views import view_int

pytestmark = pytest.mark.integration

PERCENT = 10**16
LENDER = ACCOUNTS[1]
MANY = 24
OWNER, OTHER, SUPPLIER = ("0x" + each * 20 for each in ("a1", "b2", "c3"))
SYMBOLS = ["WETH", "WBTC", *(f"T{number}" for number in range(MANY - 2))]
PRICES = {"WETH": 2500 * 10**8, "WBTC": 60_000 * 10**8}


class Place:
    """A Comet with as many collaterals as there can be, two real Uniswap pools, and our contract."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        spec = CometSpec(
            "USDC",
            6,
            10**8,
            [
                CollateralSpec(each, 18, PRICES.get(each, 10**8), 83 * PERCENT, 90 * PERCENT, 95 * PERCENT)
                for each in SYMBOLS
            ],
            target_reserves=10**15,
        )
        self.at: CometStandIn = comet.deploy(anvil.rpc, spec)
        send_batch(anvil.rpc, comet.mint_and_supply(self.at, LENDER, "USDC", 10**14))
        # Whoever holds WETH alone sells it over the one pool, and can borrow of the other only.
        self.pools = [PoolSpec("WETH", "USDC", 3000, 4_000_000), PoolSpec("WBTC", "USDC", 3000, 4_000_000)]
        self.tokens = {
            symbol: Token(self.at.tokens[symbol].lower(), 6 if symbol == "USDC" else 18, price)
            for symbol, price in {"USDC": 10**8, **PRICES}.items()
        }
        self.uniswap: UniswapDeployment = uniswap.deploy(anvil.rpc, self.tokens, self.pools)
        self.liquidator = deploy_liquidator(anvil.rpc, PAYER, PAYER)

    def keeper(self, folder: Path, more: str = "", contract: bool = True) -> Keeping:
        venue = f'[chains.local.venues.uniswap_v3]\nfactory = "{self.uniswap.factory}"\n'
        chain = f'liquidator = "{self.liquidator}"\n{venue}' if contract else ""
        market = f'protocol = "compound-v3"\naddress = "{self.at.comet}"'
        self.anvil.set_automine(False)
        self.anvil.set_timestamp_interval(BLOCK_SECONDS)
        return keeping(self.anvil, market, folder, more, chain)

    def borrow(self, who: str, worth: dict[str, int], dollars: int) -> list[Tx]:
        """Collaterals for so many dollars each, and a debt."""
        txs = [
            tx
            for symbol, value in worth.items()
            for tx in comet.mint_and_supply(self.at, who, symbol, value * 10**26 // PRICES.get(symbol, 10**8))
        ]
        return [*txs, comet.withdraw(self.at, who, "USDC", dollars * 10**6)] if dollars else txs

    def fall(self, percent: int) -> list[Tx]:
        """WETH falls to this part of its price, on the exchange too."""
        price = PRICES["WETH"] * percent // 100
        moved = {**self.tokens, "WETH": Token(self.tokens["WETH"].address, 18, price)}
        send_batch(self.anvil.rpc, uniswap.move(self.anvil.rpc, self.uniswap, self.pools[0], moved))
        self.anvil.set_automine(False)
        return [comet_users.set_price(self.at, "WETH", price)]


@pytest.fixture(scope="module")
def built() -> Iterator[Place]:
    with Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil:
        yield Place(anvil)


@pytest.fixture
def place(built: Place) -> Iterator[Place]:
    """The chain as it was, whatever the test before did."""
    before = built.anvil.snapshot()
    built.anvil.set_automine(True)
    yield built
    built.anvil.revert(before)


def settled(k: Keeping, sales: bool = False) -> list[str]:
    """Accounts liquidated, or the market's contract for each purchase of what it sold."""
    [market] = k.settings.markets.values()
    done = [i.account for i in k.intents() if i.state == "settled"]
    return [each for each in done if (each == market.address.lower()) == sales]


def why(k: Keeping) -> Sequence[tuple[str, str]]:
    return [(i.state, i.reason) for i in k.intents()] + [
        ("", e.blocked_reason) for e in k.episodes("liquidate")
    ]


def test_an_account_with_24_collaterals_is_liquidated_at_the_first_attempt(
    place: Place, tmp_path: Path
) -> None:
    k = place.keeper(tmp_path)
    small = {symbol: 1_000 for symbol in SYMBOLS if symbol != "WETH"}
    k.send(place.borrow(OWNER, {"WETH": 100_000, **small}, 102_000))
    k.step()
    k.step(place.fall(85))
    for _ in range(3):
        k.step()
    assert settled(k) == [OWNER], why(k)
    intent, act = k.intents()[0], k.transactions()[0]
    assert (act.gas_used or 0) > 900_000, "it is a large one"
    item = Plan.from_json(intent.plan).batch_item
    assert item is not None and item.gas > 1_000_000, "and was expected to be"


def test_a_large_account_beside_a_small_one_starves_neither(place: Place, tmp_path: Path) -> None:
    k = place.keeper(tmp_path)
    small = {symbol: 200 for symbol in SYMBOLS if symbol != "WETH"}
    k.send(place.borrow(OWNER, {"WETH": 20_000, **small}, 20_400))
    k.send(place.borrow(OTHER, {"WETH": 10_000}, 8_200))
    k.step()
    k.step(place.fall(87))
    for _ in range(3):
        k.step()
    assert sorted(settled(k)) == [OWNER, OTHER], why(k)


def test_a_lone_account_borrows_of_a_pool_that_is_not_on_its_way(place: Place, tmp_path: Path) -> None:
    k = place.keeper(tmp_path)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.step()
    k.step(place.fall(90))
    k.step()
    k.step()
    assert settled(k) == [OTHER], why(k)
    item = Plan.from_json(k.intents()[0].plan).batch_item
    assert item is not None and item.loan is not None
    assert item.loan.kind == "uniswap-v3" and item.loan.lender[2:] not in item.route


def test_without_our_contract_it_says_so_and_with_absorbing_paused_waits(
    place: Place, tmp_path: Path
) -> None:
    k = place.keeper(tmp_path, contract=False)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.step()
    k.step(place.fall(90))
    assert [e.blocked_reason for e in k.episodes("liquidate")] == [
        "acting alone earns nothing: our contract does it together with the purchase of what it brings "
        "(keeper contracts deploy), or the signer holds USDC to buy it with"
    ]


def test_while_absorbing_is_paused_nothing_is_tried_and_after_it_is_at_once(
    place: Place, tmp_path: Path
) -> None:
    k = place.keeper(tmp_path)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.step()
    k.step([*place.fall(90), comet_users.pause(place.at, absorb=True)])
    k.step()
    assert (k.intents(), [e.blocked_reason for e in k.episodes("liquidate")]) == (
        [],
        ["the market is paused: absorb"],
    )
    k.step([comet_users.pause(place.at)])
    k.step()
    assert settled(k) == [OTHER], why(k)


@pytest.mark.parametrize(
    ("closing", "step"),
    [
        ("pauseBaseSupply(bool)", "repay"),
        ("pauseCollateralSupply(bool)", "supply"),
        ("pauseCollateralAssetSupply(uint24,bool)", "supply"),
        ("deactivateCollateral(uint24)", "supply"),
    ],
)
def test_what_a_later_comet_closes_is_not_tried_and_the_other_way_is(
    place: Place, tmp_path: Path, closing: str, step: str
) -> None:
    asset, other = ("USDC", "WETH") if step == "repay" else ("WETH", "USDC")
    way = "supply" if step == "repay" else "repay"
    protect = f'[[protect]]\nmarket = "m"\naccount = "{OTHER}"\nmax_per_day = "100000"\n'
    steps = f'steps = [{{action="{step}", asset="{asset}"}}, {{action="{way}", asset="{other}"}}]\n'
    k = place.keeper(tmp_path, protect + steps)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.send([comet_users.mint(place.at, k.payer, each, 10**22) for each in ("USDC", "WETH")])
    k.send([comet_users.later(place.at), comet_users.close(place.at, closing)])
    k.step()
    k.step(place.fall(95))
    k.step()
    [intent] = k.intents()
    plan = Plan.from_json(intent.plan)
    assert (intent.state, plan.action) == ("settled", "add_collateral" if way == "supply" else way), why(k)
    assert plan.postcondition is not None


def test_a_deactivated_collateral_is_liquidated_like_any_other(place: Place, tmp_path: Path) -> None:
    k = place.keeper(tmp_path)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.send([comet_users.later(place.at), comet_users.close(place.at, "deactivateCollateral(uint24)")])
    k.step()
    k.step(place.fall(90))
    k.step()
    assert settled(k) == [OTHER], why(k)


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another"])
def test_where_the_estimate_is_far_too_low_rehearsal_measures(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    monkeypatch.setattr("keeper.protocols.compound_v3.planning.LIQUIDATION_GAS", 1_000)
    monkeypatch.setattr("keeper.protocols.compound_v3.planning.COLLATERAL_GAS", 1_000)
    k = place.keeper(tmp_path)
    small = {symbol: 200 for symbol in SYMBOLS if symbol != "WETH"}
    k.send(place.borrow(OWNER, {"WETH": 20_000, **small}, 20_400))
    if beside:
        k.send(place.borrow(OTHER, {"WETH": 10_000}, 8_200))
    k.step()
    k.step(place.fall(87))
    for _ in range(3):
        k.step()
    assert sorted(settled(k)) == [OWNER, OTHER][: 1 + beside], why(k)


def test_one_shot_commands_do_not_trust_what_may_have_changed_silently(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of many accounts only some are compared with the contract at a start: of these few, none.
    monkeypatch.setattr("keeper.service.watching.value.first_sample", lambda _: [])
    k = place.keeper(tmp_path)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.send(comet.mint_and_supply(place.at, SUPPLIER, "USDC", 10**11))
    k.step()
    before = k.valuation(OTHER)
    # No event names the borrower: the checkpoint still says what he owed.
    k.send([comet_users.transfer(place.at, SUPPLIER, OTHER, "USDC", 9_000 * 10**6)])
    config = tmp_path / "keeper.toml"
    [(run, at)] = scan_markets(load(config))
    assert run.book.restore() is not None, "it began from a checkpoint"
    found = {v.account: v for v in at.valuations}
    assert found[OTHER] == k.valuation(OTHER) != before
    assert explain(config, OTHER, as_json=True) == 0
    [told] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["debt"] == told["maintenance"] == str(k.valuation(OTHER).maintenance)
    assert compare(config, as_json=True) == 0


def bought(k: Keeping, place: Place, symbol: str) -> bool:
    """Whether nothing of it is left for sale but what prices may move until a block, a few hundredths."""
    left = view_int(
        place.anvil.rpc, place.at.comet, "getCollateralReserves(address)", place.at.tokens[symbol]
    )
    return left < 10**26 // PRICES[symbol] * 600


def test_what_others_absorbed_is_bought(place: Place, tmp_path: Path) -> None:
    k = place.keeper(tmp_path)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    send_batch(place.anvil.rpc, [*place.fall(90), comet_users.absorb(place.at, LENDER, OTHER)])
    place.anvil.set_automine(False)
    assert not bought(k, place, "WETH")
    k.step()
    k.step()
    k.step()
    assert bought(k, place, "WETH"), why(k)
    assert settled(k) == [] != settled(k, sales=True)
    assert view_int(place.anvil.rpc, place.at.tokens["USDC"], "balanceOf(address)", PAYER) > 200 * 10**6
    assert k.alerts("cannot_act") == []


def test_the_other_collaterals_of_an_account_that_we_absorbed_are_bought_too(
    place: Place, tmp_path: Path
) -> None:
    k = place.keeper(tmp_path)
    k.send(place.borrow(OTHER, {"WETH": 20_000, "WBTC": 20_000}, 33_000))
    k.step()
    k.step(place.fall(80))
    for _ in range(5):
        k.step()
    assert settled(k) == [OTHER], why(k)
    assert bought(k, place, "WETH") and bought(k, place, "WBTC"), why(k)


def test_without_a_contract_the_signers_own_base_tokens_absorb_and_buy(place: Place, tmp_path: Path) -> None:
    k = place.keeper(tmp_path, contract=False)
    k.send(
        [*place.borrow(OTHER, {"WETH": 20_000}, 16_500), comet_users.mint(place.at, k.payer, "USDC", 10**12)]
    )
    k.step()
    k.step(place.fall(90))
    for _ in range(4):
        k.step()
    assert settled(k) == [OTHER] and settled(k, sales=True), why(k)
    assert bought(k, place, "WETH")
    assert view_int(place.anvil.rpc, place.at.tokens["WETH"], "balanceOf(address)", k.payer) > 7 * 10**18


@pytest.mark.parametrize("charge", [1, 1_000], ids=["little", "more than it earns"])
def test_a_token_that_charges_is_not_bought_with_the_signers_own_money_at_a_loss(
    place: Place, tmp_path: Path, charge: int
) -> None:
    k = place.keeper(tmp_path, contract=False)
    k.send(
        [*place.borrow(OTHER, {"WETH": 20_000}, 16_500), comet_users.mint(place.at, k.payer, "USDC", 10**12)]
    )
    k.step()
    crash = place.fall(90)
    weth = place.at.tokens["WETH"]
    k.send([{"from": LENDER, "to": weth, "data": calldata("setFee(uint256)", charge)}])
    k.step(crash)
    for _ in range(4):
        k.step()
    assert settled(k) == [OTHER], why(k)
    assert bool(view_int(place.anvil.rpc, weth, "balanceOf(address)", k.payer)) == (charge == 1), why(k)
    sales = [i for i in k.intents() if i.account != OTHER]
    assert sales and all(("would arrive" in i.reason) == (charge == 1_000) for i in sales), why(k)


@pytest.mark.parametrize(
    ("habit", "said"),
    [
        (("setPaused(bool)", True), "paused"),
        (("addBlackList(address)", "the contract"), "blacklisted"),
        (("setFee(uint256)", 100), "act reverts"),
    ],
    ids=["paused", "blacklists us", "charges"],
)
def test_a_token_that_cannot_be_moved_closes_its_route_only(
    place: Place, tmp_path: Path, habit: tuple[str, object], said: str
) -> None:
    k = place.keeper(tmp_path)
    k.send(place.borrow(OTHER, {"WETH": 20_000, "WBTC": 12_000}, 26_500))
    k.step()
    signature, argument = habit
    crash = place.fall(85)
    data = calldata(signature, place.liquidator if argument == "the contract" else argument)
    k.send([{"from": LENDER, "to": place.at.tokens["WETH"], "data": data}])
    k.step(crash)
    for _ in range(5):
        k.step()
    first, *_ = k.intents()
    item = Plan.from_json(first.plan).batch_item
    assert item is not None and item.gets == place.at.tokens["WETH"].lower(), "the better one is tried first"
    assert (first.state, said in first.reason) == ("refused", True), first.reason
    assert settled(k) == [OTHER], why(k)
    taken = [
        Plan.from_json(i.plan).batch_item for i in k.intents() if i.state == "settled" and i.account == OTHER
    ]
    assert taken[0] is not None and taken[0].gets == place.at.tokens["WBTC"].lower()


@pytest.mark.parametrize("dollars", [100, 9_000], ids=["still due", "saved"])
def test_a_base_transfer_in_the_block_of_a_price_fall_stops_nothing(
    place: Place, tmp_path: Path, dollars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Among many accounts rotation comes to these two some other time.
    no_sample(monkeypatch)
    monkeypatch.setattr("keeper.service.watching.value.first_sample", lambda _: [])
    k = place.keeper(tmp_path)
    # The supplier's own event names no borrower, and another borrower is as silent.
    k.send(comet.mint_and_supply(place.at, SUPPLIER, "USDC", 10**11))
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.send(place.borrow(OWNER, {"WETH": 20_000}, 16_500))
    k.step()
    k.step([*place.fall(90), comet_users.transfer(place.at, SUPPLIER, OTHER, "USDC", dollars * 10**6)])
    assert halted(k.deciding).reason == "" and k.alerts("watch_only") == []
    for _ in range(2):
        k.step()
    assert halted(k.deciding).reason == ""
    assert set(settled(k)) == ({OTHER, OWNER} if dollars < 1_000 else {OWNER}), why(k)
    found = {v.account: v for v in scan_markets(k.settings)[0][1].valuations}
    assert found[OTHER] == k.valuation(OTHER)


def test_a_top_up_goes_on_with_another_token_where_one_is_refused(place: Place, tmp_path: Path) -> None:
    protect = f'[[protect]]\nmarket = "m"\naccount = "{OTHER}"\nmax_per_day = "100000"\n'
    steps = 'steps = [{action="repay", asset="USDC"}, {action="supply", asset="WETH"}]\n'
    k = place.keeper(tmp_path, protect + steps)
    k.send(place.borrow(OTHER, {"WETH": 20_000}, 16_500))
    k.send([comet_users.mint(place.at, k.payer, each, 10**22) for each in ("USDC", "WETH")])
    data = calldata("addBlackList(address)", k.payer)
    k.send([{"from": LENDER, "to": place.at.tokens["USDC"], "data": data}])
    k.step()
    k.step(place.fall(95))
    for _ in range(4):
        k.step()
    first, *others = k.intents()
    assert (first.state, "blacklisted" in first.reason) == ("refused", True), why(k)
    assert [(i.state, Plan.from_json(i.plan).action) for i in others] == [("settled", "add_collateral")], why(
        k
    )


def test_want_of_gas_is_said_by_name(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keeper.execution.batch_gas.MOST_TRANSACTION_GAS", 500_000)
    k = place.keeper(tmp_path)
    small = {symbol: 1_000 for symbol in SYMBOLS if symbol != "WETH"}
    k.send(place.borrow(OWNER, {"WETH": 100_000, **small}, 102_000))
    k.step()
    k.step(place.fall(85))
    assert "OutOfGas" in k.intents()[0].reason, why(k)
