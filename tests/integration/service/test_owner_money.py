"""The owner's own money: within his limits, through our contract, by allowance or by permit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from keeper.cli.contracts import deploy as deploy_command
from keeper.doctor.owners import owners
from keeper.errors import ConfigError, KeeperError
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, RpcRefusedError
from keeper.localchain.transactions import Tx
from keeper.model.finding import Finding
from keeper.protocols.registry import load
from keeper.service import deployment
from tests.integration.service.conftest import Fresh
from tests.support import aave_users
from tests.support.keeping import KEY, PASSWORD, write_keystore
from tests.support.positions import ether_for_dollars, protect
from tests.support.views import view_int
from tests.support.world import World, world

pytestmark = pytest.mark.integration

OWNER_KEY = Account.from_key("0x" + "77" * 32)
OWNER = OWNER_KEY.address
OPERATOR = Account.from_key(KEY)
WAD = 10**18
DAY = 24 * 3600
LOW = {"WETH": 2230 * 10**8}
REPAY = 'steps = [{ action = "repay", asset = "USDC" }]'
PERMIT = keccak(text="Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")


def owner_market(market: Fresh, folder: Path, more: str = "", steps: str = REPAY) -> tuple[World, str]:
    """A keeper without inventory, an owner with a position and money of his own, and our contract."""
    anvil, deployed = market
    config = folder / "first"
    config.mkdir()
    first = world(anvil, deployed, config)
    anvil.set_balance(first.payer, 10**19)
    anvil.set_automine(True)
    assert first.actor.sender is not None
    contract = deployment.deploy(first.actor.sender, deployment.owner_top_up(deployed.pool), 30).address
    anvil.set_automine(False)
    text = protect(OWNER, steps, 'paid_by = "owner"\n' + more)
    w = world(anvil, deployed, folder, text, market_more=f'aave_v3.owner_top_up = "{contract}"')
    w.send(*ether_for_dollars(deployed, OWNER, 10, 18_000))
    return w, contract


def by_owner(target: str, signature: str, *arguments: object) -> Tx:
    return {"from": OWNER, "to": target, "data": calldata(signature, *arguments)}


def let(w: World, contract: str, symbol: str, limit: int, allowance: int = act.MAX) -> None:
    """The owner names the keeper, sets a limit and gives an allowance."""
    asset = w.market.reserves[symbol].asset
    w.send(
        by_owner(contract, "setOperator(address,bool)", OPERATOR.address, True),
        by_owner(contract, "setLimit(address,uint128)", asset, limit),
        by_owner(asset, "approve(address,uint256)", contract, allowance),
    )


def owns(w: World, symbol: str) -> int:
    return w.token(symbol, "balanceOf(address)", OWNER)


def test_the_owners_money_repays_within_the_plan_and_nothing_stays_behind(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w, contract = owner_market(fresh_market, tmp_path)
    let(w, contract, "USDC", 10_000 * 10**6)
    w.work()
    before = owns(w, "USDC")
    w.step(LOW)
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100
    w.step()
    [intent] = w.intents()
    assert intent.state == "settled"
    assert [t.purpose for t in w.transactions()] == ["act"], "the keeper approves nothing"
    assert 0 < before - owns(w, "USDC") <= 10_000 * 10**6
    assert w.token("USDC", "balanceOf(address)", contract) == 0
    assert w.token("USDC", "allowance(address,address)", contract, w.market.pool) == 0
    assert w.balance("USDC") == 0


def test_the_doctor_says_what_may_be_spent_of_an_owners_money_and_what_is_missing(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w, contract = owner_market(fresh_market, tmp_path)
    w.work()

    def doctor() -> Finding:
        [run] = w.deciding.markets
        [found] = owners(w.settings, run, w.payer)
        return found

    assert doctor().verdict == "warning" and "has not named the keeper" in doctor().detail
    assert f"setOperator({w.payer}, true)" in doctor().remedy
    let(w, contract, "USDC", 10_000 * 10**6)
    assert doctor().verdict == "ok" and "may spend 10,000 USDC" in doctor().detail
    other = world(
        *fresh_market,
        tmp_path / "first",
        protect(OWNER, REPAY, 'paid_by = "owner"'),
        market_more=f'aave_v3.owner_top_up = "{w.market.pool}"',
    )
    other.work()
    [wrong] = owners(other.settings, other.deciding.markets[0], w.payer)
    assert wrong.verdict == "fault" and "no OwnerTopUp contract" in wrong.detail


def test_the_owners_daily_limit_holds_in_planning_and_the_next_day_goes_on(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w, contract = owner_market(fresh_market, tmp_path)
    let(w, contract, "USDC", 500 * 10**6)
    w.work()
    before = owns(w, "USDC")
    for _ in range(5):
        w.step({"WETH": 2180 * 10**8})
    assert before - owns(w, "USDC") == 500 * 10**6
    assert [i.state for i in w.intents()] == ["settled"], "nothing is tried that the contract would refuse"
    assert "the owner's limit of the day is used up" in w.alerts("cannot_act")[0].body
    w.anvil.set_next_timestamp((w.heads[-1].timestamp // DAY + 1) * DAY + 60)
    w.step()
    w.step()
    w.step()
    assert before - owns(w, "USDC") == 1000 * 10**6


def test_the_contract_itself_refuses_more_than_the_limit_and_other_callers(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w, contract = owner_market(fresh_market, tmp_path)
    let(w, contract, "USDC", 500 * 10**6)
    asset = w.market.reserves["USDC"].asset

    def refused(sender: str, amount: int) -> bool:
        data = calldata("repay(address,address,uint256,uint256)", OWNER, asset, amount, 2)
        call: dict[str, Json] = {"from": sender, "to": contract, "data": data}
        try:
            w.anvil.rpc.text("eth_call", call, "latest")
        except RpcRefusedError:
            return True
        return False

    assert refused(OPERATOR.address, 500 * 10**6 + 1)
    assert refused("0x" + "99" * 20, 1)
    assert not refused(OPERATOR.address, 500 * 10**6)


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("operator", "has not named the keeper"),
        ("limit", "limit of the day is used up"),
        ("allowance", "allowance is used up"),
        ("balance", "has none left"),
    ],
)
def test_what_the_owner_has_not_given_is_named_and_nothing_is_tried(
    fresh_market: Fresh, tmp_path: Path, missing: str, why: str
) -> None:
    w, contract = owner_market(fresh_market, tmp_path)
    let(
        w,
        contract,
        "USDC",
        0 if missing == "limit" else 10_000 * 10**6,
        0 if missing == "allowance" else act.MAX,
    )
    if missing == "operator":
        w.send(by_owner(contract, "setOperator(address,bool)", OPERATOR.address, False))
    if missing == "balance":
        usdc = w.market.reserves["USDC"]
        w.send(aave_users.transfer(usdc, OWNER, "0x" + "99" * 20, owns(w, "USDC")))
    w.work()
    for _ in range(3):
        w.step(LOW)
    assert w.intents() == []
    [told] = w.alerts("cannot_act")
    assert why in told.body


def signed_permit(anvil: Anvil, market: AaveDeployment, symbol: str, contract: str, value: int) -> str:
    """An inline table for `permits`, signed by the owner's key."""
    asset = market.reserves[symbol].asset
    nonce = view_int(anvil.rpc, asset, "nonces(address)", OWNER)
    deadline = 2**40
    domain = view_int(anvil.rpc, asset, "DOMAIN_SEPARATOR()").to_bytes(32, "big")
    fields = ["bytes32", "address", "address", "uint256", "uint256", "uint256"]
    inner = keccak(encode(fields, [PERMIT, OWNER, contract, value, nonce, deadline]))
    signature = OWNER_KEY.unsafe_sign_hash(keccak(b"\x19\x01" + domain + inner)).signature
    return (
        f'permits = [{{ token = "{asset}", value = "{value}", nonce = {nonce}, deadline = {deadline}, '
        f'signature = "0x{bytes(signature).hex()}" }}]'
    )


def test_a_signed_permit_is_used_once_and_the_rest_of_its_allowance_later(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    anvil, deployed = fresh_market
    first, contract = owner_market(fresh_market, tmp_path)
    weth = deployed.reserves["WETH"]
    let(first, contract, "WETH", 10**21, allowance=0)
    first.send(act.mint(deployed, weth, OWNER, 10**19))
    permits = signed_permit(anvil, deployed, "WETH", contract, 10**19)
    steps = 'steps = [{ action = "supply", asset = "WETH" }]'
    text = protect(OWNER, steps, 'paid_by = "owner"\n' + permits)
    w = world(anvil, deployed, tmp_path, text, market_more=f'aave_v3.owner_top_up = "{contract}"')
    w.work()
    w.step(LOW)
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100
    w.step()
    spent = 10**19 - owns(w, "WETH")
    assert 0 < spent < 10**19
    assert w.token("WETH", "allowance(address,address)", OWNER, contract) == 10**19 - spent
    assert view_int(anvil.rpc, weth.asset, "nonces(address)", OWNER) == 1
    for _ in range(3):
        w.step({"WETH": 1850 * 10**8})
    assert [i.state for i in w.intents()] == ["settled", "settled"]
    assert owns(w, "WETH") < 10**19 - spent


def test_the_command_deploys_and_writes_the_address_to_the_configuration(
    fresh_market: Fresh,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anvil, deployed = fresh_market
    w = world(anvil, deployed, tmp_path)
    write_keystore(tmp_path)
    monkeypatch.setenv("KEEPER_KEYSTORE_PASSWORD", PASSWORD)
    anvil.set_balance(w.payer, 10**19)
    anvil.set_automine(True)
    deploy_command(w.config, "owner-top-up", market="aave", live=True, as_json=True)
    # Without the command line's own set-up, what is logged stands before it.
    out = capsys.readouterr().out
    shown = json.loads(out[out.index("{") :])
    found = view_int(anvil.rpc, shown["owner_top_up"], "POOL()")
    assert found == int(deployed.pool, 16)
    assert load(w.config).markets["aave"].own.ours("owner-top-up") == shown["owner_top_up"]
    with pytest.raises(ConfigError, match="not a market"):
        deploy_command(w.config, "owner-top-up", market="elsewhere", live=True, as_json=False)
    with pytest.raises(KeeperError, match="cannot be deployed"):
        deployment.cost(w.deciding.pool, w.payer, deployment.owner_top_up("0x" + "12" * 20))


def test_the_owners_money_needs_the_contract_in_the_configuration(
    tmp_path: Path, fresh_market: Fresh
) -> None:
    anvil, deployed = fresh_market
    with pytest.raises(ConfigError, match=r"needs markets.aave.aave_v3.owner_top_up"):
        world(anvil, deployed, tmp_path, protect(OWNER, "", 'paid_by = "owner"'))
