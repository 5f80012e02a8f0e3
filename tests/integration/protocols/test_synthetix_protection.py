"""Accounts of Synthetix v3 perps under protection: their owner's rights are with a contract of ours, which
can only add collateral and only make a position smaller."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.abi import filter_abi_by_type, function_abi_to_4byte_selector

from keeper.contracts import artifact
from keeper.doctor.grants import grants
from keeper.localchain import synthetix_v3_actions as act
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import RpcRefusedError
from keeper.localchain.synthetix_v3_market import WAD
from keeper.localchain.transactions import TransactionFailedError, Tx
from keeper.margin.perps.synthetix_v3.market import fill_price, order_fee
from keeper.model.account_key import account_key
from keeper.model.valuation import Valuation
from keeper.service import deployment
from tests.conformance.case import protection
from tests.conformance.synthetix_case import KEEPER, PAYER, TRADER, SynthetixCase
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping, valued
from tests.support.views import view_int

pytestmark = pytest.mark.integration

OWN, SECOND = 77, 78
RIGHTS = ("PERPS_MODIFY_COLLATERAL", "PERPS_COMMIT_ASYNC_ORDER")
DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"


@pytest.fixture
def case() -> Iterator[SynthetixCase]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = SynthetixCase(anvil)
        made.at.send(*made.hold())
        made.at.open_account(TRADER, OWN, dollars=2_000)
        made.at.trade(TRADER, OWN, made.at.eth, 13 * WAD, 2_000, KEEPER)
        yield made


def sent(who: str, to: str, signature: str, *arguments: object) -> Tx:
    return {"from": who, "to": to, "data": calldata(signature, *arguments), "gas": 3_000_000}


def key(account: int) -> bytes:
    return account.to_bytes(32, "big")


def granted(case: SynthetixCase, perday: int = 100 * WAD, account: int = OWN) -> str:
    """The contract, with the account's rights, its owner's limit in ETH and one part in fifty of the
    price."""
    contract = deployment.grant("SynthetixGrant", case.at.system.perps)
    if case.anvil.rpc.call("eth_getCode", contract.address, "latest") == "0x":
        case.at.send({"from": KEEPER, "to": DEPLOYER, "data": contract.request, "gas": 8_000_000})
    at = contract.address
    case.at.send(
        *(act.grant(case.at.system, TRADER, account, right, at) for right in RIGHTS),
        sent(TRADER, at, "setOperator(bytes32,address,bool)", key(account), PAYER, True),
        sent(TRADER, at, "setLimit(bytes32,bytes32,uint128)", key(account), key(case.at.eth.id), perday),
        sent(TRADER, at, "setShare(bytes32,uint256)", key(account), WAD // 50),
    )
    return at


def watched(case: SynthetixCase, folder: Path, grant: str, steps: str, more: str = "") -> Keeping:
    """A keeper that protects the account, from here on a block at a time."""
    asked = protection(str(OWN), "repay", "snxUSD").replace("1.01", "1.10")
    text = asked[: asked.index("steps")] + f"steps = [{steps}]\n{more}\n"
    case.at.send(act.mint(case.at.system, PAYER, 10**5 * WAD))
    case.anvil.set_automine(False)
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    market = case.toml() + (f'\nsynthetix_v3.grant = "{grant}"' if grant else "")
    k = keeping(case.anvil, market, folder, text, "native_price = 1\n")
    k.step(case.hold())
    return k


def step(action: str, asset: str) -> str:
    return f'{{ action = "{action}", asset = "{asset}" }}'


def value(case: SynthetixCase, k: Keeping, account: int = OWN) -> Valuation:
    return k.valuation(account_key(str(account)))


def bring(case: SynthetixCase, price: int) -> Tx:
    time = act.price_time(case.anvil.rpc, case.at.system, OWN, case.at.eth)
    return act.bring_benchmark(case.at.system, KEEPER, case.at.eth.feed, price * 10**8, time)


def test_collateral_is_added_through_the_contract_and_no_more_than_needed(
    case: SynthetixCase, tmp_path: Path
) -> None:
    k = watched(case, tmp_path, granted(case), step("add_collateral", "snxUSD"))
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    k.step(case.hold())
    [intent] = k.intents()
    assert (intent.kind, intent.state) == ("top_up", "settled"), intent.reason
    health = value(case, k).health
    assert health is not None and 1.249 < health / 10**18 < 1.251


def test_a_position_is_made_smaller_by_an_order_that_is_then_settled(
    case: SynthetixCase, tmp_path: Path
) -> None:
    k = watched(case, tmp_path, granted(case), step("reduce", "ETH"))
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    k.step(case.hold())
    [order] = k.intents()
    assert (order.kind, order.state) == ("reduce", "settled"), order.reason
    assert case.at.size(OWN, case.at.eth) == 13 * WAD, "committed, not settled"
    k.step([*case.hold(), bring(case, 1_890)])
    k.step(case.hold())
    k.step(case.hold())
    assert [(each.kind, each.state) for each in k.intents()] == [("reduce", "settled"), ("settle", "settled")]
    assert 0 < case.at.size(OWN, case.at.eth) < 13 * WAD
    health = value(case, k).health
    assert health is not None and health >= 1249 * WAD // 1000, "its target, but for interest since"
    assert health < 140 * WAD // 100
    assert k.episodes("top_up")[-1].closed_block is not None


def test_after_a_worse_settlement_it_is_judged_again(case: SynthetixCase, tmp_path: Path) -> None:
    k = watched(case, tmp_path, granted(case), step("reduce", "ETH"))
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    k.step(case.hold())
    case.prices["ETH"] = 1_888
    k.step([*case.hold(), bring(case, 1_888)])
    for _ in range(2):
        k.step(case.hold())
    first = case.at.size(OWN, case.at.eth)
    assert first < 13 * WAD
    while len(k.intents()) == 2:
        case.prices["ETH"] -= 2
        k.step(case.hold())
    k.step(case.hold())
    k.step([*case.hold(), bring(case, case.prices["ETH"])])
    for _ in range(2):
        k.step(case.hold())
    assert 0 < case.at.size(OWN, case.at.eth) < first
    assert [each.kind for each in k.intents()] == ["reduce", "settle"] * 2


def test_a_position_is_closed_whole(case: SynthetixCase, tmp_path: Path) -> None:
    k = watched(case, tmp_path, granted(case), step("close", "ETH"))
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    k.step(case.hold())
    k.step([*case.hold(), bring(case, 1_890)])
    for _ in range(2):
        k.step(case.hold())
    assert case.at.size(OWN, case.at.eth) == 0
    assert [(each.kind, each.state) for each in k.intents()] == [("reduce", "settled"), ("settle", "settled")]


@pytest.mark.parametrize(("capital_cost", "kind"), [("0.5", "reduce"), ("0.001", "top_up")])
def test_the_cheaper_of_adding_and_reducing_is_taken_where_that_is_wanted(
    case: SynthetixCase, tmp_path: Path, capital_cost: str, kind: str
) -> None:
    steps = f"{step('add_collateral', 'snxUSD')}, {step('reduce', 'ETH')}"
    more = f'prefer = "cheapest"\ncapital_cost = {capital_cost}'
    k = watched(case, tmp_path, granted(case), steps, more)
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    assert [each.kind for each in k.intents()] == [kind]


@pytest.mark.parametrize("lacks", ["contract", "rights", "operator", "limit"])
def test_what_its_owner_does_not_let_be_done_is_said_and_not_tried(
    case: SynthetixCase, tmp_path: Path, lacks: str
) -> None:
    at = granted(case)
    take: dict[str, list[Tx]] = {
        "contract": [],
        "rights": [act.revoke(case.at.system, TRADER, OWN, right, at) for right in RIGHTS],
        "operator": [sent(TRADER, at, "setOperator(bytes32,address,bool)", key(OWN), PAYER, False)],
        "limit": [sent(TRADER, at, "setLimit(bytes32,bytes32,uint128)", key(OWN), key(case.at.eth.id), 0)],
    }
    words = {
        "contract": "lets nobody do this",
        "rights": "no right to reduce",
        "operator": "is no operator of it",
        "limit": "no limit is left",
    }
    case.at.send(*take[lacks])
    k = watched(case, tmp_path, "" if lacks == "contract" else at, step("reduce", "ETH"))
    [found] = grants(k.settings, k.deciding.markets[0], PAYER)
    assert found.verdict == "warning", found
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    k.step(case.hold())
    assert k.intents() == [] and k.transactions() == []
    [told] = k.alerts("cannot_act")
    assert words[lacks] in told.body
    assert k.alerts("unknown_name") == []


def test_a_days_limit_holds_what_may_be_taken_away(case: SynthetixCase, tmp_path: Path) -> None:
    k = watched(case, tmp_path, granted(case, WAD), step("reduce", "ETH"))
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    k.step(case.hold())
    k.step([*case.hold(), bring(case, 1_890)])
    for _ in range(3):
        k.step(case.hold())
    assert case.at.size(OWN, case.at.eth) == 12 * WAD
    assert [each.kind for each in k.intents()] == ["reduce", "settle"]


def test_a_signer_protects_an_account_of_its_own_without_a_contract(
    case: SynthetixCase, tmp_path: Path
) -> None:
    case.at.open_account(PAYER, SECOND, dollars=2_000)
    case.at.trade(PAYER, SECOND, case.at.eth, -13 * WAD, 2_000, KEEPER)
    k = watched(case, tmp_path, "", step("reduce", "ETH"))
    text = (tmp_path / "keeper.toml").read_text().replace(f'account = "{OWN}"', f'account = "{SECOND}"')
    k.store.close()
    second = tmp_path / "second"
    second.mkdir()
    case.anvil.set_automine(False)
    market = text[text.index("protocol") : text.index("[store]")]
    k = keeping(case.anvil, market, second, text[text.index("[[protect]]") :], "native_price = 1\n")
    case.prices["ETH"] = 2_108
    k.step(case.hold())
    k.step(case.hold())
    [order] = [each for each in k.intents() if each.kind == "reduce"]
    assert order.state == "settled", order.reason
    assert case.at.numbers("getOrder(uint128)", "int256,int256,int256,int256", SECOND)[3] > 0


def test_the_contract_does_nothing_else(case: SynthetixCase) -> None:
    at = granted(case, 5 * WAD)
    price = 2_000 * WAD
    reduce = "reduce(uint128,uint128,int128,uint128,uint256)"

    def refused(who: str, signature: str, *arguments: object) -> str:
        data = calldata(signature, *arguments)
        with pytest.raises(RpcRefusedError) as caught:
            case.anvil.rpc.call("eth_call", {"from": who, "to": at, "data": data}, "latest")
        return caught.value.data

    eth, btc = case.at.eth.id, case.at.btc.id
    errors = {
        "NotOperator": refused(KEEPER, reduce, OWN, eth, -WAD, 0, price * 99 // 100),
        "NotReducing": refused(PAYER, reduce, OWN, eth, WAD, 0, price),
        "WorsePriceThanAllowed": refused(PAYER, reduce, OWN, eth, -WAD, 0, price * 97 // 100),
        "LimitExceeded": refused(PAYER, reduce, OWN, eth, -6 * WAD, 0, price * 99 // 100),
        "NotOwner": refused(PAYER, "setOperator(bytes32,address,bool)", key(OWN), PAYER, True),
        "ShareTooLarge": refused(TRADER, "setShare(bytes32,uint256)", key(OWN), WAD),
        "NothingToDo": refused(PAYER, "add(uint128,uint128,address,uint128)", OWN, 0, case.at.system.usd, 0),
    }
    for name, said in errors.items():
        assert selector(name) in said, (name, said)
    beyond = refused(PAYER, reduce, OWN, eth, -14 * WAD, 0, price), refused(PAYER, reduce, OWN, btc, -1, 0, 0)
    assert all(selector("NotReducing") in each for each in beyond)
    # Who buys the account finds nobody let in.
    token = case.at.system.account_token
    case.at.send(sent(TRADER, token, "transferFrom(address,address,uint256)", TRADER, KEEPER, OWN))
    assert selector("NotOperator") in refused(PAYER, reduce, OWN, eth, -WAD, 0, price * 99 // 100)


def test_what_an_order_costs_is_what_the_market_says(case: SynthetixCase, tmp_path: Path) -> None:
    case.anvil.set_automine(False)
    k = keeping(case.anvil, case.toml(), tmp_path)
    dice = random.Random(4)
    market = k.deciding.markets[0]
    assert valued(market).accounts == 1
    state = market.book.state
    for perp in state.perps.values():
        for _ in range(40):
            size = int(dice.uniform(-30, 30) * WAD) or 1
            told = case.at.numbers("computeOrderFees(uint128,int128)", "uint256,uint256", perp.id, size)
            fill = fill_price(perp.funding.skew, perp.terms.skew_scale, size, perp.price)
            fee = order_fee(size, fill, perp.funding.skew, perp.maker_fee, perp.taker_fee)
            assert (fee, fill) == told


def selector(name: str) -> str:
    """A custom error of the contract, as nodes quote it."""
    found = filter_abi_by_type("error", artifact("SynthetixGrant")["abi"])
    return function_abi_to_4byte_selector(next(each for each in found if each["name"] == name)).hex()


def test_an_operator_takes_nothing_out_by_adding_an_amount_beyond_what_is_signed(case: SynthetixCase) -> None:
    """2**256 - x of a token that agrees to everything would be -x of collateral, once it is cast."""
    at, yes = granted(case), "0x" + "e5" * 20
    case.anvil.rpc.call("anvil_setCode", yes, "0x600160005260206000f3")
    held = case.at.numbers("getCollateralAmount(uint128,uint128)", "uint256", OWN, 0)
    selector_of = calldata("add(uint128,uint128,address,uint128)", 0, 0, yes, 0)[:10]
    words = (OWN, 0, int(yes, 16), 2**256 - 100 * WAD)
    data = selector_of + "".join(f"{each:064x}" for each in words)
    with pytest.raises(TransactionFailedError):
        case.at.send({"from": PAYER, "to": at, "data": data, "gas": 3_000_000})
    for amount in (2**127, 2**128 - 1):
        with pytest.raises(TransactionFailedError):
            case.at.send(sent(PAYER, at, "add(uint128,uint128,address,uint128)", OWN, 0, yes, amount))
    assert case.at.numbers("getCollateralAmount(uint128,uint128)", "uint256", OWN, 0) == held


def test_an_operator_cannot_bleed_an_account_by_orders_of_next_to_nothing(case: SynthetixCase) -> None:
    """Each pays whoever settles it a flat reward: a day's limit is good for twenty orders, however small, and
    an order that can only miss its limit, to be cancelled for a reward, is none."""
    at, eth, price = granted(case, 20 * WAD), case.at.eth.id, 2_000 * WAD
    reduce = "reduce(uint128,uint128,int128,uint128,uint256)"
    with pytest.raises(TransactionFailedError):
        case.at.send(sent(PAYER, at, reduce, OWN, eth, -1, 0, price * 110 // 100))
    for number in range(20):
        case.at.send(sent(PAYER, at, reduce, OWN, eth, -1, 0, price * 99 // 100))
        case.anvil.increase_time(5)
        settling = act.bring_and_settle(
            case.anvil.rpc, case.at.system, PAYER, OWN, case.at.eth, 2_000 * 10**8
        )
        case.at.send(*settling)
        left = view_int(case.anvil.rpc, at, "leftToday(bytes32,bytes32)", key(OWN), key(eth))
        assert left == (19 - number) * WAD
    with pytest.raises(TransactionFailedError):
        case.at.send(sent(PAYER, at, reduce, OWN, eth, -1, 0, price * 99 // 100))
