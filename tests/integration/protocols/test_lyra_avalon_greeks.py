"""Greeks of options on a real Avalon: at the contract's own volatility, and equal to its own delta."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import lyra_avalon_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.lyra_avalon import deploy
from keeper.localchain.lyra_avalon_market import AvalonOption
from keeper.localchain.lyra_avalon_parameters import WAD, WEEK
from keeper.model.account_key import account_key
from keeper.model.valuation import PositionLine
from keeper.service.markets import Market
from tests.conftest import GENESIS
from tests.support.avalon_exchange import BOARDS, AvalonExchange
from tests.support.keeping import keeping, reading, valued
from tests.support.program import run_keeper

pytestmark = pytest.mark.integration

TRADER = ACCOUNTS[1]
SIZES = {
    AvalonOption.LONG_CALL: (3 * WAD, 0),
    AvalonOption.LONG_PUT: (WAD, 0),
    AvalonOption.SHORT_CALL_BASE: (2 * WAD, 2 * WAD),
    AvalonOption.SHORT_CALL_QUOTE: (WAD // 2, 2_000 * WAD),
    AvalonOption.SHORT_PUT_QUOTE: (WAD, 2_000 * WAD),
}
CALLS = (AvalonOption.LONG_CALL, AvalonOption.SHORT_CALL_BASE, AvalonOption.SHORT_CALL_QUOTE)
NAMES = {"delta", "gamma", "vega", "theta", "rho"}
# The contract calculates with 27 decimals and its own normal distribution, we with floats.
TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def market() -> Iterator[AvalonExchange]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = AvalonExchange(anvil, deploy(anvil.rpc, BOARDS))
        made.fund(TRADER, dollars=100_000, ether=100)
        yield made


@pytest.fixture(scope="module")
def positions(market: AvalonExchange) -> dict[AvalonOption, int]:
    return {kind: market.open(TRADER, kind, *sizes) for kind, sizes in SIZES.items()}


def toml(market: AvalonExchange) -> str:
    return f'protocol = "lyra-avalon"\naddress = "{market.system.market}"\nunknown_oracles = "act"'


def line(run: Market, number: int, timestamp: int) -> PositionLine:
    account = account_key(str(number))
    raw, state = run.book.accounts[account], run.book.state
    [found] = run.adapter.explainer.explain(state, account, raw, timestamp, {}).positions
    return found


def cached(market: AvalonExchange) -> tuple[int, int]:
    """Delta of a call and of a put of the first board's middle strike, as the cache has them."""
    shape = ",".join([*4 * ["uint256"], *2 * ["int256"]])
    found = market.numbers(market.system.greek_cache, "getStrikeCache(uint256)", shape, market.strike.id)
    return found[4], found[5]


def test_delta_is_the_one_that_the_contract_caches_where_volatility_stood_still(
    market: AvalonExchange, positions: dict[AvalonOption, int], tmp_path: Path
) -> None:
    # The cache is made of averages over three days: by then those of a market without trades are the present.
    market.wait(WEEK)
    market.send(act.update_greeks(market.system, TRADER, market.board))
    run = reading(market.anvil, toml(market), tmp_path)
    valued(run)
    now, (call, put) = market.now(), cached(market)
    assert 0.4 < call / WAD < 0.7 and -0.6 < put / WAD < -0.3
    for kind, number in positions.items():
        found = line(run, number, now)
        each = (call if kind in CALLS else put) / WAD
        size = SIZES[kind][0] / WAD * (-1 if kind >= AvalonOption.SHORT_CALL_BASE else 1)
        assert found.greeks["delta"] / WAD == pytest.approx(size * each, rel=TOLERANCE)
        assert found.size == size * WAD
        assert found.days == (market.board.expiry - now) / 86_400


def test_volatility_is_the_boards_times_the_strikes_skew_and_moves_with_each_trade(
    market: AvalonExchange, positions: dict[AvalonOption, int], tmp_path: Path
) -> None:
    run = reading(market.anvil, toml(market), tmp_path)
    skew_of: dict[int, list[int]] = {}
    for _ in range(2):
        valued(run)
        for board in market.system.boards:
            _, _, _, iv, *_ = market.numbers(
                market.system.market, "getOptionBoard(uint256)", ",".join(5 * ["uint256"]), board.id
            )
            read = run.book.state.boards[board.id]
            assert read.iv == iv
            for strike in board.strikes:
                shape = ",".join(9 * ["uint256"])
                skew = market.numbers(market.system.market, "getStrike(uint256)", shape, strike.id)[2]
                assert (read.skews[strike.id], read.volatility(strike.id)) == (skew, iv * skew // WAD)
                skew_of.setdefault(strike.id, []).append(skew)
        market.open(TRADER, AvalonOption.LONG_CALL, 20 * WAD)
    before, after = skew_of[market.strike.id]
    assert after > before, "otherwise nothing moved"


def test_a_seller_bears_the_opposite_of_a_buyer_and_an_ended_option_nothing(
    market: AvalonExchange, positions: dict[AvalonOption, int], tmp_path: Path
) -> None:
    run = reading(market.anvil, toml(market), tmp_path)
    valued(run)
    now = market.now()
    bought, sold = (
        line(run, positions[kind], now) for kind in (AvalonOption.LONG_PUT, AvalonOption.SHORT_PUT_QUOTE)
    )
    assert set(bought.greeks) == NAMES
    assert {name: -number for name, number in bought.greeks.items()} == sold.greeks
    assert bought.greeks["delta"] < 0 < min(bought.greeks["gamma"], bought.greeks["vega"])
    assert bought.greeks["theta"] < 0
    ended = line(run, positions[AvalonOption.LONG_PUT], market.board.expiry)
    assert (ended.days, ended.greeks) == (0, {})


def test_explain_shows_greeks_and_the_days_that_are_left(
    market: AvalonExchange, positions: dict[AvalonOption, int], tmp_path: Path
) -> None:
    keeping(market.anvil, toml(market), tmp_path)
    config, number = str(tmp_path / "keeper.toml"), str(positions[AvalonOption.SHORT_PUT_QUOTE])
    [found] = json.loads(run_keeper("explain", number, "--json", "--config", config).stdout)
    [position] = found["positions"]
    assert set(position["greeks"]) == NAMES
    assert 0.3 < int(position["greeks"]["delta"]) / WAD < 0.6
    assert 20 < position["days"] < 28
    shown = run_keeper("explain", number, "--config", config).stdout
    assert all(name in shown for name in (*NAMES, "days left"))
