"""Price sources on a chain: every known kind is told by its interface, down to its feeds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from keeper.chain import blocks
from keeper.chain.calls import run
from keeper.chain.pool import NodePool
from keeper.config import Chain, ChainlinkSource, PythSource, UniswapV3Source
from keeper.errors import ConfigError
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.deployer import Deployer
from keeper.localchain.tokens import create_feed, create_proxy, create_zero_first
from keeper.oracles import resolution, seconds
from keeper.oracles.sources import Source, tree
from tests.support import price_standins as make
from tests.support.price_sources import PRICE_ID, create_pyth, pyth_feed
from tests.support.uniswap_pool import create_factory, open_pool

pytestmark = pytest.mark.integration

DOLLAR = 10**8


class Sources:
    """A chain to deploy sources to, resolved as the keeper would."""

    def __init__(self, anvil: Anvil) -> None:
        self.deployer = Deployer(anvil.rpc, ACCOUNTS[0])
        self.pool = NodePool("local", Chain(chain_id=31337, rpc=[anvil.url]))

    def resolve(self, address: str) -> Source:
        self.deployer.flush()
        head = blocks.latest(self.pool)
        return resolution.resolve(self.pool, head, [address.lower()])[address.lower()]

    def quote(
        self,
        asset: str,
        settings: ChainlinkSource | UniswapV3Source | PythSource,
        market: dict[str, int] | None = None,
        later: int = 0,
    ) -> seconds.SecondPrice:
        self.deployer.flush()
        head = blocks.latest(self.pool)
        second = seconds.prepare(self.pool, head, asset.lower(), settings, "markets.m.oracles.A")
        calls = seconds.calls(second)
        answers = dict(zip(calls, run(self.pool, head, calls), strict=True))
        prices = market or {}
        return seconds.read(second, answers, 8, head.timestamp + later, prices.get)

    def publish(self, pyth: str, price: int, exponent: int, confidence: int = 0) -> None:
        """A new price in Pyth's contract, of the newest block's time."""
        self.deployer.flush()
        published = blocks.latest(self.pool).timestamp
        feed = pyth_feed(price, exponent, published, confidence)
        self.deployer.call(pyth, "updatePriceFeeds(bytes[])", [feed])

    def pass_time(self, seconds: int) -> None:
        self.deployer.flush()
        self.deployer.rpc.call("evm_increaseTime", seconds)
        self.deployer.rpc.call("evm_mine")


@pytest.fixture
def sources(anvil: Anvil) -> Sources:
    return Sources(anvil)


def kinds(source: Source) -> list[str]:
    return [line.split()[0] for line in tree(source).splitlines()]


def test_chainlinks_own_test_aggregator_is_a_feed(sources: Sources) -> None:
    found = sources.resolve(create_feed(sources.deployer, 5 * DOLLAR))
    assert (found.kind, found.decimals, found.emitter) == ("aggregator", 8, found.address)


def test_a_proxy_names_the_aggregator_that_logs_its_answers(sources: Sources) -> None:
    aggregator = make.create_feed(sources.deployer, 5 * DOLLAR)
    found = sources.resolve(create_proxy(sources.deployer, aggregator))
    assert (found.kind, found.emitter) == ("chainlink", aggregator.lower())


def test_a_proxy_over_a_dual_aggregator_is_svr(sources: Sources) -> None:
    aggregator = make.create_feed(sources.deployer, 5 * DOLLAR, version=make.SVR)
    found = sources.resolve(create_proxy(sources.deployer, aggregator))
    assert (found.kind, found.emitter) == ("svr", aggregator.lower())


def test_a_proxy_whose_aggregator_reverts_is_still_a_feed(sources: Sources) -> None:
    aggregator = make.create_feed(sources.deployer, 5 * DOLLAR)
    sources.deployer.call(aggregator, "setReverting(bool)", True)
    assert sources.resolve(create_proxy(sources.deployer, aggregator)).kind == "chainlink"


def test_adapters_rest_on_their_feeds(sources: Sources) -> None:
    to = sources.deployer
    feed = create_proxy(to, make.create_feed(to, DOLLAR))
    cap = sources.resolve(make.create_stable_cap(to, feed, 104 * DOLLAR // 100))
    assert kinds(cap) == ["stable-cap", "chainlink"] and cap.note == "cap 104000000"
    provider = make.create_ratio(to, 12 * 10**17)
    over = sources.resolve(make.create_ratio_cap(to, cap.address, provider, 13 * 10**17))
    assert kinds(over) == ["ratio-cap", "stable-cap", "chainlink"] and provider.lower() in over.note
    assert [each.address for each in over.feeds()] == [feed.lower()]
    both = sources.resolve(make.create_synchronicity(to, create_feed(to, DOLLAR), feed))
    assert kinds(both) == ["synchronicity", "aggregator", "chainlink"]
    assert len(list(both.feeds())) == 2


def test_a_ratio_that_is_itself_a_feed_is_a_feed_of_the_price(sources: Sources) -> None:
    to = sources.deployer
    base, ratio = create_feed(to, DOLLAR), create_feed(to, DOLLAR)
    found = sources.resolve(make.create_ratio_cap(to, base, ratio, 2 * 10**18))
    assert [each.address for each in found.feeds()] == [base.lower(), ratio.lower()]


def test_pyth_and_fixed_prices_are_known_and_anything_else_is_not(sources: Sources) -> None:
    port, pyth = create_pyth(sources.deployer)
    sources.publish(pyth, 5 * DOLLAR, -8)
    found = sources.resolve(port)
    assert (found.kind, found.decimals, found.emitter) == ("pyth", 8, pyth.lower())
    fixed = sources.resolve(make.create_fixed(sources.deployer, DOLLAR))
    assert (fixed.kind, list(fixed.feeds())) == ("fixed", [])
    unknown = make.create_unknown(sources.deployer)
    assert sources.resolve(unknown).kind == "unresolved"
    over = sources.resolve(make.create_stable_cap(sources.deployer, unknown, DOLLAR))
    assert kinds(over) == ["stable-cap", "unresolved"] and any(over.unresolved())
    assert sources.resolve("0x" + "12" * 20).kind == "unresolved"


def test_second_sources_speak_the_markets_units(sources: Sources) -> None:
    to = sources.deployer
    ether = create_zero_first(to, "ether", "ETH", 18)
    feed = make.create_feed(to, 2500 * 10**18, decimals=18)
    chainlink = ChainlinkSource(kind="chainlink", address=feed, heartbeat=60)
    assert sources.quote(ether, chainlink).price == 2500 * DOLLAR
    assert "old" in sources.quote(ether, chainlink, later=61).why
    to.call(feed, "setReverting(bool)", True)
    assert "does not answer" in sources.quote(ether, chainlink).why


def test_pyth_as_a_second_source_is_judged_by_its_own_uncertainty_and_age(sources: Sources) -> None:
    to = sources.deployer
    ether = create_zero_first(to, "ether", "ETH", 18)
    _, pyth = create_pyth(to)
    second = PythSource(kind="pyth", address=pyth, price_id="0x" + PRICE_ID.hex(), heartbeat=60)
    assert "does not answer" in sources.quote(ether, second).why
    sources.publish(pyth, 2500 * 10**5, -5, confidence=50 * 10**5)
    assert sources.quote(ether, second).price == 2500 * DOLLAR
    assert "old" in sources.quote(ether, second, later=70).why
    sources.pass_time(5)
    sources.publish(pyth, 2500 * 10**5, -5, confidence=50 * 10**5 + 1)
    assert "unsure" in sources.quote(ether, second).why


def test_a_real_uniswap_pools_mean_speaks_the_markets_units(sources: Sources) -> None:
    to = sources.deployer
    factory = create_factory(to)
    ether = create_zero_first(to, "ether", "ETH", 18)
    dollar = create_zero_first(to, "dollar", "USD", 6)
    # 1.0001^-198079 raw units of a 6-decimal token for one of an 18-decimal token: 2500.0 of it for one.
    tick = -198079 if int(ether, 16) < int(dollar, 16) else 198078
    pool = open_pool(to, factory, ether, dollar, tick)
    twap = UniswapV3Source(kind="uniswap-v3", address=pool, window=900)
    prices = {dollar.lower(): DOLLAR}
    assert "no 900 s of history" in sources.quote(ether, twap, prices).why
    sources.pass_time(901)
    price = sources.quote(ether, twap, prices).price
    assert price is not None and abs(price - 2500 * DOLLAR) < DOLLAR // 2
    assert "no price" in sources.quote(ether, twap).why
    fixed = UniswapV3Source(kind="uniswap-v3", address=pool, window=900, quote_price=Decimal(1))
    assert sources.quote(ether, fixed).price == price
    of_ether = {ether.lower(): 2500 * DOLLAR}
    turned = sources.quote(dollar, twap, of_ether).price
    assert turned is not None and abs(turned - DOLLAR) < DOLLAR // 5000


def test_a_second_source_that_is_none_is_silent_or_named(sources: Sources) -> None:
    nowhere = "0x" + "12" * 20
    assert "does not answer" in sources.quote(nowhere, ChainlinkSource(kind="chainlink", address=nowhere)).why
    with pytest.raises(ConfigError, match="is no Uniswap v3 pool"):
        sources.quote(nowhere, UniswapV3Source(kind="uniswap-v3", address=nowhere))


def test_compounds_feeds_resolve_to_the_leaves_they_rest_on(sources: Sources) -> None:
    one, other = (create_feed(sources.deployer, price * DOLLAR) for price in (2, 3))
    scaled = make.create_scaling(sources.deployer, one)
    found = sources.resolve(make.create_multiplicative(sources.deployer, scaled, other))
    assert kinds(found) == ["synchronicity", "scaled", "aggregator", "aggregator"]
    assert [feed.address for feed in found.feeds()] == [one.lower(), other.lower()]


def test_compounds_constant_feed_is_fixed_and_never_stale(sources: Sources) -> None:
    found = sources.resolve(make.create_constant(sources.deployer, DOLLAR))
    assert (found.kind, found.note, list(found.feeds())) == ("fixed", f"always {DOLLAR}", [])
