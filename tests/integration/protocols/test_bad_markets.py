"""Markets with something wrong in them: each fault is said and survived, and what is well goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.errors import ConfigError
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.tokens import create_feed
from keeper.localchain.transactions import send_batch
from tests.conformance.case import Case
from tests.conformance.comet_case import CometCase
from tests.conformance.exchange import open_exchange
from tests.conformance.morpho_case import MorphoCase
from tests.conftest import GENESIS
from tests.support import comet_users
from tests.support.keeping import BLOCK_SECONDS, MARKET, Keeping, keeping, reading, valued
from tests.support.ticks import halted, last_valuations

pytestmark = pytest.mark.integration

ONE, OTHER = "0x" + "c3" * 20, "0x" + "d4" * 20
REVERTING = bytes.fromhex("60006000fd")


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield running


def opened(case: Case, folder: Path, more: str = "", chain: str = "") -> Keeping:
    case.anvil.set_automine(False)
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k = keeping(case.anvil, case.toml() + more, folder, chain=chain)
    k.send(case.fund(k.payer))
    k.step(case.hold())
    return k


def test_a_market_id_of_another_singleton_is_refused_by_name(anvil: Anvil, tmp_path: Path) -> None:
    first, second = MorphoCase(anvil), MorphoCase(anvil)
    foreign = second.at.pairs[0].id
    run = reading(anvil, first.toml() + f'\nmorpho_blue.market_ids = ["{foreign}"]', tmp_path)
    with pytest.raises(ConfigError, match="is no market of") as said:
        valued(run)
    assert foreign in str(said.value) and "another singleton has others" in str(said.value)


def test_one_pairs_reverting_oracle_is_said_and_the_other_pairs_go_on(anvil: Anvil, tmp_path: Path) -> None:
    case = MorphoCase(anvil)
    account = case.near(ONE)
    broken = case.at.pairs[1]
    [other] = case.position_in(broken, OTHER)
    k = opened(case, tmp_path)
    anvil.set_code(broken.oracle, REVERTING)
    k.step()
    [run] = k.deciding.markets
    assert halted(k.deciding).reason == "" and k.alerts("market_failed") == []
    assert {v.account for v in last_valuations(k.deciding)} == {account}
    assert other in run.book.accounts
    assert k.alerts("price_reverting"), "the price that is missing is told of"
    k.step(case.fall())
    assert {i.account for i in k.intents()} == {account}


def test_a_pairs_collateral_is_counted_at_what_the_second_source_says(anvil: Anvil, tmp_path: Path) -> None:
    case = MorphoCase(anvil)
    case.near(ONE)
    queue = Deployer(anvil.rpc, ACCOUNTS[0])
    # A fifth less than the pair's own oracle says: more than a liquidation brings.
    second = create_feed(queue, 1_860 * 10**8)
    queue.flush()
    source = f'second_source = {{ kind = "chainlink", address = "{second}" }}'
    k = opened(case, tmp_path, f"\n[markets.{MARKET}.oracles.{case.oracle}]\n{source}\n")
    k.step(case.fall())
    assert k.intents() == []
    [episode] = k.episodes("liquidate")
    assert "less than min_profit" in episode.blocked_reason, "with a second opinion it would lose money"


def test_loan_prices_by_symbol_count_wherever_prices_are_compared(anvil: Anvil, tmp_path: Path) -> None:
    case = MorphoCase(anvil)
    run = reading(anvil, case.toml(), tmp_path)
    valued(run)
    dear = case.at.pairs[2]
    priced = {each.asset: each.price for each in run.adapter.valuer.priced_assets(run.book.state)}
    assert priced[dear.id] == pytest.approx(60_000 * 10**8, rel=1e-6), "WBTC against WETH, in dollars"
    [everyone, assumed] = run.adapter.explainer.setup_warnings(run.book.state)
    assert "3 markets" in everyone[0] and "market_ids" in everyone[1]
    assert "DAI, USDC" in assumed[0] and "WETH" not in assumed[0]


def test_a_reverting_rate_model_stops_its_pairs_and_nothing_else(anvil: Anvil, tmp_path: Path) -> None:
    case = MorphoCase(anvil)
    account = case.near(ONE)
    k = opened(case, tmp_path)
    well = k.valuation(account)
    code = anvil.rpc.text("eth_getCode", case.at.irm, "latest")
    anvil.set_code(case.at.irm, REVERTING)
    k.step(case.fall())
    k.step()
    assert k.intents() == [] and k.alerts("market_failed") == []
    assert halted(k.deciding).reason == "" and account not in {v.account for v in last_valuations(k.deciding)}
    anvil.set_code(case.at.irm, bytes.fromhex(code[2:]))
    k.step()
    assert {i.account for i in k.intents()} == {account}, "as soon as it answers again"
    assert (k.valuation(account).health or 0) < (well.health or 0)


def test_a_comet_that_pauses_absorbing_is_understood_and_opens_again(anvil: Anvil, tmp_path: Path) -> None:
    case = CometCase(anvil)
    account = case.near(ONE)
    exchange = open_exchange(case)
    send_batch(anvil.rpc, [comet_users.pause(case.at, absorb=True)])
    k = opened(case, tmp_path, chain=exchange.settings())
    fall = case.fall()
    exchange.follow()
    k.step(fall)
    k.step()
    assert k.intents() == [] and "paused: absorb" in k.alerts("cannot_act")[0].body
    k.step([comet_users.pause(case.at)])
    assert {i.account for i in k.intents()} == {account}


@pytest.mark.parametrize("seconds", [1, BLOCK_SECONDS, 110])
def test_a_liquidation_with_a_callback_works_at_another_second_than_planned(
    anvil: Anvil, tmp_path: Path, seconds: int
) -> None:
    """What a repayment by shares seizes hangs on the second: less before the planned one, more after it."""
    case = MorphoCase(anvil)
    account = case.near(ONE)
    exchange = open_exchange(case)
    k = opened(case, tmp_path, chain=exchange.settings())
    fall = case.fall()
    exchange.follow()
    k.step(fall)
    assert [i.account for i in k.intents()] == [account]
    head = as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))
    anvil.set_next_timestamp(as_int(head["timestamp"]) + seconds)
    k.step()
    [sent] = k.transactions()
    assert sent.succeeded and [i.state for i in k.intents()] == ["settled"]
    assert exchange.earned(k.payer) > 0
