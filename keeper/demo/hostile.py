"""A hostile day of the oracles: every way in which a feed lies, one after another, over a market that is calm
and then really falls. A second source is truthful all day."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, ReserveSpec
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import artifacts
from keeper.localchain.tokens import PRICE_STANDINS, create_proxy
from keeper.localchain.transactions import Tx, call_of, send_batch
from keeper.model.money import WAD

BLOCKS = 22
BLOCK_SECONDS = 12
HEARTBEAT = 36
_FALL_FROM, _BOTTOM = 17, 0.74
_OLD = 7200
STAKED = "wstETH"


@dataclass(frozen=True)
class Feeds:
    """A settable feed and an honest second one for each asset; the staked token depends on WETH's feed."""

    first: Mapping[str, str]
    second: Mapping[str, str]


Call = tuple[Any, ...]
"""A function's signature and its arguments."""
Lie = Callable[[int, int], Call]
"""What a feed answers instead of the truth: (true price, the block's timestamp) → the call that sets it."""


@dataclass(frozen=True)
class Beat:
    """One block of the script: its title, the true prices (8 decimals), and the lies by symbol, those of the
    second feeds too."""

    title: str
    truth: Mapping[str, int]
    lies: Mapping[str, Lie]
    second_lies: Mapping[str, Lie]


def install(anvil: Anvil, market: AaveDeployment, specs: list[ReserveSpec]) -> Feeds:
    """Put stand-in sources in the place of all feeds."""
    deployer = Deployer(anvil.rpc, ACCOUNTS[0])
    prices = {spec.symbol: spec.price for spec in specs}
    ratio = prices[STAKED] * WAD // prices["WETH"]
    code = artifacts(PRICE_STANDINS)

    def feed(price: int) -> str:
        return deployer.create(code["FeedStandIn"], 8, price, "stand-in feed", "")

    first = {s: feed(p) for s, p in prices.items() if s != STAKED}
    second = {s: feed(p) for s, p in prices.items()}
    sources = {s: create_proxy(deployer, each) for s, each in first.items()}
    provider = deployer.create(code["RatioStandIn"], ratio)
    sources[STAKED] = deployer.create(code["RatioCapStandIn"], sources["WETH"], provider, 2 * ratio)
    deployer.flush()
    changes = [act.set_oracle_source(market, market.reserves[s], source) for s, source in sources.items()]
    send_batch(anvil.rpc, changes, market.errors)
    return Feeds(first, second)


def settings(feeds: Feeds) -> str:
    """The configuration that an operator would write for these prices."""
    return "".join(
        f"""
[markets.aave.oracles.{symbol}]
heartbeat = {HEARTBEAT}
deviation = 0.03
second_source = {{ kind = "chainlink", address = "{address}", heartbeat = {HEARTBEAT} }}
"""
        for symbol, address in feeds.second.items()
    )


def beats(seed: int, specs: list[ReserveSpec]) -> list[Beat]:
    """The beats of the whole day."""
    dice = random.Random(seed + 13)  # noqa: S311  (a market day, not a secret)
    start = {spec.symbol: spec.price for spec in specs}
    found = []
    for block in range(1, BLOCKS + 1):
        gone = max(0, block - _FALL_FROM) / (BLOCKS - _FALL_FROM)
        level = (1 - (1 - _BOTTOM) * gone) * dice.uniform(0.998, 1.002)
        truth = {s: int(p * level) if s in ("WETH", "WBTC") else p for s, p in start.items()}
        truth[STAKED] = truth["WETH"] * start[STAKED] // start["WETH"]
        calm = "the market falls" if gone else "calm"
        title, lies, second_lies = _SCRIPT.get(block, (calm, {}, {}))
        found.append(Beat(title, truth, lies, second_lies))
    return found


def transactions(feeds: Feeds, beat: Beat, timestamp: int) -> list[Tx]:
    """The transactions of a block: for every feed the truth or the script's lie."""
    told = [(feed, beat.second_lies.get(s, _says(100)), s) for s, feed in feeds.second.items()]
    for symbol, feed in feeds.first.items():
        if symbol not in beat.lies:
            told.append((feed, lambda *_: ("setReverting(bool)", False), symbol))
        told.append((feed, beat.lies.get(symbol, _says(100)), symbol))
    return [call_of(ACCOUNTS[0], feed, *lie(beat.truth[symbol], timestamp)) for feed, lie, symbol in told]


def rest(beat: Beat) -> Beat:
    """The same prices without lies."""
    return Beat("calm", beat.truth, {}, {})


def _says(percent: int) -> Lie:
    """A lie of so many percent of the truth, in a round of its own."""
    return lambda truth, _: ("updateAnswer(int256)", truth * percent // 100)


def _reverts(truth: int, timestamp: int) -> Call:
    return "setReverting(bool)", True


def _in_round(number: int, percent: int, age: int) -> Lie:
    """A lie always in this round, given so many seconds ago."""
    signature = "setRound(uint80,int256,uint256)"
    return lambda truth, timestamp: (signature, number, truth * percent // 100, timestamp - age)


def _frozen(blocks: int) -> Mapping[str, Lie]:
    """Lies whose round and time have not moved for so many blocks: not old yet, and no second opinion."""
    return {"WBTC": _in_round(20_000, 65, blocks * BLOCK_SECONDS)}


_SCRIPT: Mapping[int, tuple[str, Mapping[str, Lie], Mapping[str, Lie]]] = {
    2: ("WETH's feed says 0", {"WETH": _says(0)}, {}),
    3: ("WETH's feed says less than nothing", {"WETH": _says(-100)}, {}),
    5: ("WETH's feed reverts", {"WETH": _reverts}, {}),
    6: ("WBTC's and DAI's feeds revert", {"WBTC": _reverts, "DAI": _reverts}, {}),
    8: ("a spike: WETH loses 45 %", {"WETH": _says(55)}, {}),
    9: ("the spike is withdrawn", {}, {}),
    10: ("a spike: DAI costs 1.30", {"DAI": _says(130)}, {}),
    11: ("a stale answer: WETH at 70 %, two hours old", {"WETH": _in_round(10_000, 70, _OLD)}, {}),
    12: ("WBTC's feed freezes at 65 %", _frozen(0), {}),
    13: ("WBTC frozen; WETH's two sources disagree", _frozen(1), {"WETH": _says(60)}),
    14: ("WBTC's feed is still frozen", _frozen(2), {}),
    15: ("WBTC's feed is still frozen", _frozen(3), {}),
    16: ("WBTC's feed is still frozen", _frozen(4), {}),
}
