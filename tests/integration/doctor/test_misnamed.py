"""Names that stand for nothing: doctor faults, and a run warns at its start; what is right is let be."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from keeper.cli.scan import scan_markets
from keeper.doctor.checks import run_checks
from keeper.errors import ConfigError
from keeper.localchain.anvil import Anvil
from keeper.model.finding import Finding
from keeper.protocols.registry import load
from tests.conformance.morpho_case import MorphoCase
from tests.conformance.together import Together
from tests.conformance.trove_case import TroveCase
from tests.conftest import LocalMarket
from tests.support.keeping import MARKET, PASSWORD, config_text, keeping, write_keystore
from tests.support.positions import ether_for_dollars, protect
from tests.support.ticks import look
from tests.support.world import World, account, open_market, world

pytestmark = pytest.mark.integration

OWNER = account(1)


def findings(config: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    monkeypatch.setenv("KEEPER_KEYSTORE_PASSWORD", PASSWORD)
    return list(run_checks(load(config), config))


def aave(at: LocalMarket, folder: Path, more: str, market_more: str = "") -> World:
    open_market(at.anvil, at.market)
    w = world(at.anvil, at.market, folder, more, market_more=market_more)
    w.send(*ether_for_dollars(at.market, OWNER, 10, 10_000))
    at.anvil.mine()
    return w


STEPS = """steps = [
  { action = "supply", asset = "weth" },
  { action = "repay", asset = "USDX" },
]"""


def test_a_mistyped_step_is_a_fault_and_told_at_the_start_of_a_run(
    aave_v36: LocalMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = aave(aave_v36, tmp_path, protect(OWNER, STEPS))
    w.step()
    [alert] = w.alerts("unknown_name")
    assert alert.severity == "warning" and alert.title.startswith(
        "protect[0].steps[1]: repay USDX is nothing"
    )
    assert "To repay it takes" in alert.body and "USDC" in alert.body
    w.step()
    assert len(w.alerts("unknown_name")) == 1
    faults = [each for each in findings(w.config, monkeypatch) if each.verdict == "fault"]
    assert [(each.subject, "USDC" in each.remedy) for each in faults if "protect" in each.subject] == [
        ("protect[0].steps[1]", True)
    ]


def test_every_protocol_takes_what_it_takes_and_names_what_it_does_not(
    markets: Together,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_keystore(tmp_path)
    entries = []
    for number, (name, case) in enumerate(markets.cases.items()):
        owner = "0x" + f"{0xB1 + number:02x}" * 20
        case.near(owner)
        good = [tomllib.loads(case.protect(owner, action))["protect"][0]["steps"][0] for action in both()]
        wrong: dict[str, str] = {"action": "supply", "asset": "NOTHING"}
        steps = ", ".join(f'{{ action = "{s["action"]}", asset = "{s["asset"]}" }}' for s in [*good, wrong])
        entries.append(
            f'[[protect]]\nmarket = "{name}"\naccount = "{owner}"\nmax_per_day = 1\nsteps = [{steps}]\n'
        )
    config = tmp_path / "keeper.toml"
    more = markets.others() + "".join(entries)
    config.write_text(config_text(markets.anvil.url, markets.first(), more, markets.venue()))
    found = findings(config, monkeypatch)
    named = {each.subject: each for each in found if ".steps[" in each.subject}
    assert set(named) == {f"protect[{i}].steps[2]" for i in range(len(markets.cases))}
    assert all(each.verdict == "fault" and "it takes" in each.remedy for each in named.values())


def both() -> tuple[str, str]:
    return ("repay", "supply")


def test_a_price_of_no_loan_token_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Anvil() as anvil:
        case = MorphoCase(anvil)
        market = case.toml().replace("loan_prices = { ", 'loan_prices = { USDX = "1", ')
        k = keeping(anvil, market, tmp_path)
        look(k.deciding)
        [alert] = k.alerts("unknown_name")
        assert alert.title.startswith(f"markets.{MARKET}.morpho_blue.loan_prices.USDX: is no loan token")
        faults = [each for each in findings(tmp_path / "keeper.toml", monkeypatch) if each.verdict == "fault"]
        assert [each.subject for each in faults] == [f"markets.{MARKET}.morpho_blue.loan_prices.USDX"]
        assert "USDC" in faults[0].remedy


def test_a_first_block_that_has_not_come_is_refused(
    aave_v36: LocalMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = aave(aave_v36, tmp_path, "", market_more="from_block = 99999999")
    for work in (w.step, lambda: scan_markets(w.settings)):
        with pytest.raises(
            ConfigError, match=r"markets.aave.from_block: accounts are looked for from block"
        ) as said:
            work()
        assert said.value.remedy
    faults = [each for each in findings(w.config, monkeypatch) if each.verdict == "fault"]
    assert [each.subject for each in faults if "aave" in each.subject] == ["market aave"]
    assert "from_block" in faults[0].detail


def test_a_market_without_accounts_is_a_warning(
    aave_v36: LocalMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = aave(aave_v36, tmp_path, "")
    aave_v36.anvil.mine()
    w.config.write_text(
        w.config.read_text().replace(
            'chain = "local"', f'chain = "local"\nfrom_block = {aave_v36.anvil.mine()}'
        )
    )
    [market] = [each for each in findings(w.config, monkeypatch) if each.subject == "market aave"]
    assert market.verdict == "warning" and "nobody was ever here" in market.detail
    assert "from_block and address" in market.remedy


def test_who_is_protected_in_one_market_only_and_has_several_budgets_is_told(
    markets: Together,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_keystore(tmp_path)
    owner = "0x" + "b1" * 20
    first, second, third, *_ = markets.cases
    for name in (first, second, third):
        markets.cases[name].near(owner)

    def told(*entries: tuple[str, int], more: str = "") -> dict[str, str]:
        text = "".join(
            f'[[protect]]\nmarket = "{name}"\naccount = "{owner}"\nmax_per_day = {cap}\n'
            for name, cap in entries
        )
        config = tmp_path / "keeper.toml"
        text = config_text(
            markets.anvil.url, markets.first(), markets.others() + text + more, markets.venue()
        )
        config.write_text(text)
        found = [each for each in findings(config, monkeypatch) if each.subject == "protect[0]"]
        assert all(each.verdict == "warning" for each in found)
        return {each.detail: each.remedy for each in found}

    one, two = sorted(told((first, 5), (second, 9)))
    assert f"also has a position in {third}" in one
    assert (
        "several max_spend_per_owner_day (protect[0] 5, protect[1] 9)" in two and "lowest ends first" in two
    )
    ignored = f'[[policy.accounts]]\nmarket = "{third}"\naccount = "{owner}"\nignore = true\n'
    assert told((first, 5), (second, 5), more=ignored) == {}


def test_troves_are_liquidated_without_money_and_no_funds_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Anvil() as anvil:
        case = TroveCase(anvil)
        write_keystore(tmp_path)
        config = tmp_path / "keeper.toml"
        config.write_text(config_text(anvil.url, case.toml()))
        [line] = [each for each in findings(config, monkeypatch) if each.subject == f"funds for {MARKET}"]
        assert (line.verdict, line.detail) == ("ok", "none, and none are needed here")
        case.near(OWNER)
        config.write_text(config_text(anvil.url, case.toml(), case.protect(OWNER)))
        [line] = [each for each in findings(config, monkeypatch) if each.subject == f"funds for {MARKET}"]
        assert line.verdict == "warning" and line.detail.startswith("none: top-ups have")
