"""Synthetix v3 perps in a keeper's hands: flagging and its windows, margin alone, what stands in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import synthetix_v3_actions as act
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.synthetix_v3_market import WAD, PerpSpec
from keeper.model.account_key import account_key
from keeper.store.tables.journal import Intent
from tests.conformance.case import protection
from tests.conformance.synthetix_case import KEEPER, PAYER, TRADER, SynthetixCase
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, MARKET, PASSWORD, Keeping, keeping
from tests.support.program import run_keeper
from tests.support.rpc_proxy import proxy_to

pytestmark = pytest.mark.integration

LARGE, SMALL, OWN = 1_000_001, 1_000_002, 77


@pytest.fixture
def case() -> Iterator[SynthetixCase]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = SynthetixCase(anvil)
        made.at.send(*made.hold())
        yield made


def watched(case: SynthetixCase, folder: Path, more: str = "") -> Keeping:
    """A keeper of the market, from here on a block at a time."""
    case.anvil.set_automine(False)
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k = keeping(case.anvil, case.toml(), folder, more)
    k.step(case.hold())
    return k


def done(k: Keeping, account: int) -> list[Intent]:
    return [each for each in k.intents() if each.account == account_key(str(account))]


def long_eth(case: SynthetixCase, account: int, dollars: int, ether: int) -> None:
    case.at.open_account(TRADER, account, dollars=dollars)
    case.at.trade(TRADER, account, case.at.eth, ether * WAD, case.prices["ETH"], KEEPER)


def test_a_large_account_is_flagged_and_then_liquidated_window_by_window(
    case: SynthetixCase, tmp_path: Path
) -> None:
    long_eth(case, LARGE, 20_000, 150)
    # A further window pays its costs only: it is worth the gas where these are told high enough.
    case.at.send(act.set_costs(case.at.system, 3 * WAD // 2, WAD // 2, 10 * WAD))
    k = watched(case, tmp_path)
    assert k.intents() == []
    case.prices["ETH"] = 1_890
    k.step(case.hold())
    for _ in range(6):
        k.step(case.hold())
    states = [(each.kind, each.state) for each in done(k, LARGE)]
    assert states == [("liquidate", "settled")] * 3, "70 ETH in each of two windows, then the rest"
    assert case.at.size(LARGE, case.at.eth) == 0
    assert case.at.numbers_in_list("flaggedAccounts()") == []
    # The most a liquidation pays, and twice the costs with the least that is put on top.
    assert case.at.dollars(k.payer) == (500 + 2 * (10 + 2)) * WAD


def test_without_capacity_nothing_is_sent_that_would_earn_nothing(
    case: SynthetixCase, tmp_path: Path
) -> None:
    # BTC: a window of 30 seconds takes 210.
    case.at.open_account(TRADER, LARGE, dollars=1_000_000)
    case.at.trade(TRADER, LARGE, case.at.btc, 300 * WAD, 30_000, KEEPER)
    case.at.send(act.set_costs(case.at.system, 3 * WAD // 2, WAD // 2, 10 * WAD))
    k = watched(case, tmp_path)
    case.prices["BTC"] = 27_500
    k.step([*case.hold(), act.liquidate(case.at.system, KEEPER, LARGE)])
    assert case.at.size(LARGE, case.at.btc) == 90 * WAD, "somebody else drew on the window"
    assert done(k, LARGE) == []
    [told] = [each.body for each in k.alerts("cannot_act")]
    assert "capacity is used up" in told
    for _ in range(4):
        k.step(case.hold())
    assert [each.state for each in done(k, LARGE)] == ["settled"]
    assert case.at.size(LARGE, case.at.btc) == 0


def test_margin_that_no_longer_covers_its_debt_is_seized_alone(case: SynthetixCase, tmp_path: Path) -> None:
    case.at.open_account(TRADER, SMALL, synths=1)
    for size, price in ((WAD, 30_000), (-WAD, 28_300)):
        case.at.trade(TRADER, SMALL, case.at.btc, size, price, KEEPER)
    assert case.at.debt(SMALL) > 1_600 * WAD
    k = watched(case, tmp_path)
    assert k.intents() == []
    case.prices["ETH"] = 1_700
    k.step(case.hold())
    k.step(case.hold())
    [intent] = done(k, SMALL)
    assert intent.state == "settled" and case.at.debt(SMALL) == 0
    assert case.at.dollars(k.payer) > 0


def test_a_price_too_old_for_a_liquidation_is_said_and_nothing_is_sent(
    case: SynthetixCase, tmp_path: Path
) -> None:
    long_eth(case, SMALL, 2_000, 15)
    case.prices["ETH"] = 1_880
    case.at.send(*case.hold())
    case.anvil.increase_time(2 * 86_400)
    case.anvil.mine()
    case.anvil.set_automine(False)
    k = keeping(case.anvil, case.toml(), tmp_path)
    k.step()
    assert k.intents() == []
    [told] = k.alerts("cannot_act")
    assert "no price that a liquidation takes of ETH" in told.body
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k.step(case.hold())
    k.step(case.hold())
    assert [each.state for each in done(k, SMALL)] == ["settled"]


@pytest.mark.parametrize("why", ["waits", "flagged", "no right"])
def test_what_cannot_be_helped_now_is_said(case: SynthetixCase, tmp_path: Path, why: str) -> None:
    owner = TRADER if why == "no right" else PAYER
    case.at.open_account(owner, OWN, dollars=2_000)
    case.at.trade(owner, OWN, case.at.eth, 15 * WAD, 2_000, KEEPER)
    case.at.send(act.mint(case.at.system, PAYER, 10**5 * WAD))
    k = watched(case, tmp_path, protection(str(OWN), "add_collateral", "snxUSD"))
    case.prices["ETH"] = 1_900
    if why == "flagged":
        case.prices["ETH"] = 1_850
        k.step([*case.hold(), act.liquidate(case.at.system, KEEPER, OWN)])
    elif why == "waits":
        # Its size makes the order count, its limit keeps everybody from settling it.
        order = act.commit_order(case.at.system, PAYER, OWN, case.at.btc, 10**15, 1)
        k.step([*case.hold()[:0], order])
        k.step(case.hold())
    else:
        k.step(case.hold())
    told = [each.body for each in k.alerts("cannot_act")]
    words = {
        "waits": "an order of it waits",
        "flagged": "flagged for liquidation",
        "no right": "lets nobody do this",
    }
    if why == "flagged":
        assert done(k, OWN) == [] or all(each.kind == "liquidate" for each in done(k, OWN))
    else:
        assert [each for each in done(k, OWN) if each.kind == "top_up"] == []
        assert any(words[why] in body for body in told), told


def test_people_and_programs_name_accounts_by_their_numbers(case: SynthetixCase, tmp_path: Path) -> None:
    long_eth(case, 2**126 + 5, 2_000, 3)
    case.anvil.set_automine(False)
    keeping(case.anvil, case.toml(), tmp_path)
    config = str(tmp_path / "keeper.toml")
    scanned = run_keeper("scan", "--json", "--config", config)
    [account] = json.loads(scanned.stdout)["markets"][0]["accounts"]
    assert account["account"] == str(2**126 + 5)
    assert account["equity"] == str(case.at.margin(2**126 + 5))
    assert account["maintenance"] == str(case.at.required(2**126 + 5)[1])
    told = run_keeper("explain", str(2**126 + 5), "--json", "--config", config)
    [explained] = json.loads(told.stdout)
    [position] = explained["positions"]
    assert (position["symbol"], position["size"], position["mark"]) == ("ETH", str(3 * WAD), str(2_000 * WAD))
    low = int(position["breaks_below"])
    assert position["breaks_above"] is None and 0 < low < 2_000 * WAD
    assert run_keeper("explain", "x7", "--config", config).returncode == 2


def test_a_node_without_state_overrides_is_named(case: SynthetixCase, tmp_path: Path) -> None:
    def plain(request: dict[str, object]) -> str | None:
        params = request["params"]
        assert isinstance(params, list)
        return "state overrides are not supported" if len(params) > 2 else None

    with proxy_to(case.anvil.url) as proxy:
        keeping(case.anvil, case.toml(), tmp_path)
        text = (tmp_path / "keeper.toml").read_text().replace(case.anvil.url, proxy.url)
        (tmp_path / "keeper.toml").write_text(text)
        proxy.rules.append(plain)
        ended = run_keeper("scan", "--config", str(tmp_path / "keeper.toml"))
    assert ended.returncode == 3 and "state overrides" in ended.stderr + ended.stdout, ended.stderr
    assert MARKET and PASSWORD


def test_a_closed_market_is_said_and_an_open_one_acted_in(case: SynthetixCase, tmp_path: Path) -> None:
    long_eth(case, SMALL, 2_000, 15)
    k = watched(case, tmp_path)
    case.prices["ETH"] = 1_880
    k.step([*case.hold(), act.set_open(case.at.system, False)])
    assert k.intents() == []
    assert "closed" in k.alerts("cannot_act")[0].body
    k.step([*case.hold(), act.set_open(case.at.system, True)])
    k.step(case.hold())
    assert [each.state for each in done(k, SMALL)] == ["settled"]


def test_a_feed_that_expired_blinds_only_whom_it_concerns(case: SynthetixCase, tmp_path: Path) -> None:
    long_eth(case, LARGE, 2_000, 15)
    case.at.open_account(TRADER, SMALL, dollars=2_000)
    case.at.trade(TRADER, SMALL, case.at.btc, WAD, 30_000, KEEPER)
    k = watched(case, tmp_path)
    case.anvil.set_timestamp_interval(31 * 86_400)
    case.prices["BTC"] = 28_200
    k.step([act.set_price(case.at.system, "BTC", 28_200 * 10**8)])
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k.step([act.set_price(case.at.system, "BTC", 28_200 * 10**8)])
    assert done(k, LARGE) == [] and [each.kind for each in done(k, SMALL)] == ["liquidate"]
    told = [each.title + each.body for each in k.alerts() if "price" in each.kind]
    assert any("ETH" in each for each in told), told


def test_dust_and_an_account_in_every_market_are_valued_as_the_market_does(
    case: SynthetixCase, tmp_path: Path
) -> None:
    case.at.open_account(TRADER, LARGE, dollars=5_000, synths=1)
    for perp, size in ((case.at.eth, -(10**18)), (case.at.btc, 10**16)):
        case.at.trade(TRADER, LARGE, perp, size, case.prices[perp.symbol], KEEPER)
    case.at.open_account(TRADER, SMALL, dollars=50)
    case.at.trade(TRADER, SMALL, case.at.eth, 1, 2_000, KEEPER)
    k = watched(case, tmp_path)
    for price in (1, 1_999, 2_001, 10**6):
        case.prices["ETH"] = price
        k.step(case.hold())
        [run] = k.deciding.markets
        head = k.heads[-1]
        ours = run.adapter.valuer.value(run.book.state, run.book.accounts, head.timestamp)
        assert {each.account: each for each in ours} == run.book.views(head, list(run.book.accounts))


def test_a_market_without_a_scale_for_its_skew_is_valued_and_liquidated(tmp_path: Path) -> None:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        flat = SynthetixCase(anvil, (PerpSpec("ETH", 0), PerpSpec("BTC", 10_000 * WAD)))
        flat.at.send(*flat.hold())
        long_eth(flat, LARGE, 20_000, 150)
        k = watched(flat, tmp_path)
        for price in (2_000, 1_950, 1_700):
            flat.prices["ETH"] = price
            k.step(flat.hold())
            [own] = k.deciding.last_valued[MARKET].valuations
            assert own == k.valuation(own.account), price
        k.step(flat.hold())
        assert [each.state for each in done(k, LARGE)] == ["settled"], (
            "whole: without a scale nothing limits it"
        )
        assert flat.at.size(LARGE, flat.at.eth) == 0
