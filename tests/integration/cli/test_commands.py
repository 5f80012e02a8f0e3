"""What the reading commands print, for programs: exact numbers, and where they come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from keeper.cli.main import app
from keeper.localchain import aave_actions as act
from keeper.localchain.calldata import calldata
from keeper.localchain.transactions import send_batch
from tests.conftest import LocalMarket
from tests.support.keeping import write_keystore
from tests.support.world import LENDER, account, config_text

pytestmark = pytest.mark.integration

WAD = 10**18
WHO = account(1)


@pytest.fixture
def config(aave_market: LocalMarket, tmp_path: Path) -> Path:
    """One borrower at health near 1.07 on either version."""
    local, market = aave_market, aave_market.market
    weth, usdc = market.reserves["WETH"], market.reserves["USDC"]
    txs = [
        *act.mint_and_supply(market, usdc, LENDER, 10**13),
        *act.mint_and_supply(market, weth, WHO, 10 * 10**18),
        act.borrow(market, usdc, WHO, 19_400 * 10**6),
    ]
    send_batch(local.rpc, txs, market.errors)
    write_keystore(tmp_path)
    path = tmp_path / "keeper.toml"
    path.write_text(config_text(local.anvil, market))
    return path


def ask(*arguments: str) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def view(local: LocalMarket, who: str) -> list[int]:
    data = calldata("getUserAccountData(address)", who)
    answer = local.rpc.text("eth_call", {"to": local.market.pool, "data": data}, "latest")[2:]
    return [int(answer[64 * i : 64 * (i + 1)], 16) for i in range(6)]


def test_scan_prints_one_object_with_the_contract_s_own_numbers(
    config: Path, aave_market: LocalMarket
) -> None:
    told = ask("scan", "--config", str(config))
    block = aave_market.rpc.call("eth_getBlockByNumber", "latest", False)
    assert isinstance(block, dict)
    assert told["block"] == {
        "number": int(str(block["number"]), 16),
        "hash": block["hash"],
        "timestamp": int(str(block["timestamp"]), 16),
    }
    [market] = told["markets"]
    assert (market["market"], market["protocol"]) == ("aave", "aave-v3")
    accounts = {a["account"].lower(): a for a in market["accounts"]}
    collateral, debt, _, threshold, _, health = view(aave_market, WHO)
    equity = int(accounts[WHO]["equity"])
    assert accounts[WHO] == {
        "account": accounts[WHO]["account"],
        "collateral": str(collateral),
        "debt": str(debt),
        "equity": str(equity),
        "maintenance": str(debt),
        "net": str(collateral - debt),
        "initial": None,
        "health": str(health),
        "liquidatable": False,
        "parts": {"collateral": str(collateral), "debt": str(debt), "threshold": str(threshold)},
        "breach": "warn",
    }
    assert abs(equity * WAD - health * debt) <= WAD // 2, "to the nearest unit"
    assert accounts[LENDER]["health"] is None and accounts[LENDER]["breach"] is None


def test_a_scan_writes_no_store(config: Path) -> None:
    ask("scan", "--config", str(config))
    assert not (config.parent / "keeper.db").exists()


def test_explain_adds_up_and_names_the_price_at_which_health_breaks(
    config: Path, aave_market: LocalMarket
) -> None:
    [told] = ask("explain", WHO, "--config", str(config))
    collateral, debt, _, threshold, _, health = view(aave_market, WHO)
    lines = {line["symbol"]: line for line in told["assets"]}
    assert sum(int(line["collateral"]) for line in lines.values()) == collateral
    assert sum(int(line["debt"]) for line in lines.values()) == debt
    assert (told["parts"]["threshold"], told["health"]) == (str(threshold), str(health))
    breaks = int(lines["WETH"]["breaks_at"])
    market = aave_market.market
    # Interest of a second or two moves the last digits; a thousandth of a percent is far more than that.
    send_batch(aave_market.rpc, [act.set_price(market, market.reserves["WETH"], breaks * 100_001 // 100_000)])
    assert view(aave_market, WHO)[5] >= WAD
    send_batch(aave_market.rpc, [act.set_price(market, market.reserves["WETH"], breaks)])
    assert view(aave_market, WHO)[5] < WAD


def test_explain_of_a_stranger_is_a_usage_error(config: Path) -> None:
    done = CliRunner().invoke(app, ["explain", "0x" + "99" * 20, "--config", str(config)])
    assert "no market knows the account" in str(done.exception)
    done = CliRunner().invoke(app, ["explain", "me", "--config", str(config)])
    assert "is no account" in str(done.exception)
