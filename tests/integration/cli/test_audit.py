"""`keeper audit` compares everything, and says both numbers where they differ."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from keeper.cli.main import app
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import send_batch
from keeper.margin.lending.aave import rules
from keeper.protocols.aave_v3 import lens
from tests.conftest import LocalMarket
from tests.integration.cli.test_commands import WHO, config
from tests.support.rpc_proxy import proxy_to
from tests.support.world import config_text

__all__ = ["config"]
pytestmark = pytest.mark.integration


def _audit(path: Path) -> tuple[int, Any]:
    done = CliRunner().invoke(app, ["audit", "--config", str(path), "--json"])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])["markets"][0]


def test_a_market_that_agrees_is_said_to(config: Path, aave_market: LocalMarket) -> None:
    market = aave_market.market
    extra = [f"0x{0xAD17 << 144 | i:040x}" for i in range(30)]
    txs = [tx for a in extra for tx in act.mint_and_supply(market, market.reserves["WETH"], a, 10**18)]
    send_batch(aave_market.rpc, txs, market.errors)
    code, found = _audit(config)
    assert code == 0
    assert found["agrees"] and not found["differences"] and not found["unbalanced"]
    assert found["accounts"] >= 32
    shown = CliRunner().invoke(app, ["audit", "--config", str(config)])
    assert shown.exit_code == 0
    assert "0 differ" in shown.stdout


def test_a_difference_is_shown_with_both_numbers(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our arithmetic rounds debts down by ten units, which no sample of a start would forgive either."""
    wrong = {
        number: replace(each, owed=lambda scaled, index: scaled * index // 10**27 - 10)
        for number, each in rules.BY_REVISION.items()
    }
    monkeypatch.setattr(lens, "BY_REVISION", wrong)
    code, found = _audit(config)
    assert code == 1
    differing = {each["account"]: each for each in found["differences"]}
    assert WHO in differing
    assert differing[WHO]["ours"]["debt"] != differing[WHO]["theirs"]["debt"]


def test_accounts_nobody_told_of_show_in_the_totals(
    config: Path, aave_market: LocalMarket, tmp_path: Path
) -> None:
    """A node that withholds the history: nobody differs, as nobody is known, but debts do not add up."""
    with proxy_to(aave_market.anvil.url) as proxy:
        proxy.answers.append(lambda r, x: [] if r["method"] == "eth_getLogs" else x)
        path = tmp_path / "other.toml"
        path.write_text(config_text(aave_market.anvil, aave_market.market, rpc=proxy.url))
        code, found = _audit(path)
    assert code == 1
    assert "scaled units" in found["unbalanced"]
