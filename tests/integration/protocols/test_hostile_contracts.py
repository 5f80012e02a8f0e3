"""Tokens and oracles that burn, flicker, flood, dress up and lie: none of it costs another market a block."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlmodel import col, select

from keeper.chain import blocks
from keeper.chain.calls import run
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.deployer import Deployer
from keeper.localchain.tokens import create_feed, create_zero_first
from keeper.localchain.transactions import send_batch
from keeper.store.tables.alerts import Alert
from keeper.store.tables.watching import PriceStatus
from keeper.venues.uniswap_v3.exchange import UniswapV3, UniswapV3Exchange
from tests.conformance.morpho_case import MorphoCase, mint
from tests.conftest import GENESIS
from tests.integration.protocols.test_strangers import (
    ONE,
    STRANGER,
    borrow_there,
    opened,
    strange_market,
)
from tests.support.hostile_standins import hostile_code
from tests.support.keeping import Keeping
from tests.support.rpc_proxy import Request, proxy_to
from tests.support.ticks import halted
from tests.support.uniswap_pool import create_factory, open_pool

pytestmark = pytest.mark.integration

STRANGE, SMALL_NODE = 4, 5_000_000


@pytest.fixture(scope="module")
def running() -> Iterator[Anvil]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield anvil


@pytest.fixture
def anvil(running: Anvil) -> Iterator[Anvil]:
    running.set_automine(True)
    before = running.rpc.text("evm_snapshot")
    yield running
    running.rpc.call("evm_revert", before)


def told(k: Keeping, *severities: str) -> list[str]:
    with k.store.session() as session:
        rows = session.exec(select(Alert).where(col(Alert.severity).in_(severities))).all()
    return [row.kind for row in rows if row.account == "" or row.kind == "unvaluable"]


@pytest.mark.parametrize("unlisted", ["watch", "act"])
@pytest.mark.parametrize("way", ["burn", "lie", "dress"])
def test_hostile_markets_cost_another_one_no_block(
    anvil: Anvil, tmp_path: Path, way: str, unlisted: str
) -> None:
    """At a node that grants little gas; each of them has a borrower, and all that it names is hostile."""
    case = MorphoCase(anvil)
    account = case.near(ONE)
    strange = [strange_market(case, f"FAKE{number}") for number in range(STRANGE)]
    for pair in strange:
        borrow_there(case, pair, 1_000)
    code = hostile_code(anvil, STRANGER, way, 2**256 - 1)
    for pair in strange:
        anvil.set_code(pair.oracle, code)
        anvil.set_code(pair.collateral, code)

    def cap(request: Request) -> None:
        if request["method"] == "eth_call":
            request["params"][0]["gas"] = hex(
                min(int(request["params"][0].get("gas", "0xffffffff"), 16), SMALL_NODE)
            )

    with proxy_to(anvil.url) as proxy:
        proxy.changes.append(cap)
        k = opened(case, tmp_path, f'\nmorpho_blue.untrusted_markets = "{unlisted}"')
        k.deciding.pool.nodes = [Node(proxy.url, Decimal(20))]
        k.step(case.hold())
        k.step(case.fall())
        [run] = k.deciding.markets
        assert len(run.book.accounts) == STRANGE + 1 and run.book.head == k.deciding.head
        assert account in {episode.account for episode in k.episodes("liquidate")}
        assert account in {intent.account for intent in k.intents()} or unlisted == "watch"
    assert halted(k.deciding).reason == "" and told(k, "critical") == []
    seen = "".join(str(each["params"]).lower() for each in proxy.seen if each["method"] == "eth_call")
    asked = [pair for pair in strange if pair.collateral[2:].lower() in seen]
    assert not asked or unlisted == "act", "no token is asked that nobody trusts"


@pytest.mark.parametrize(("unlisted", "kind"), [("watch", "strangers_silent"), ("act", "price_reverting")])
def test_an_oracle_that_fails_now_and_then_is_one_warning(
    anvil: Anvil, tmp_path: Path, unlisted: str, kind: str
) -> None:
    case = MorphoCase(anvil)
    case.near(ONE)
    fake = strange_market(case)
    borrow_there(case, fake)
    anvil.set_code(fake.oracle, hostile_code(anvil, STRANGER, "flicker", 2_500 * 10**24))
    k = opened(case, tmp_path, f'\nmorpho_blue.untrusted_markets = "{unlisted}"')
    for _ in range(9):
        k.step()
    warnings = told(k, "warning")
    assert told(k, "critical") == [] and kind in warnings
    assert len(warnings) == len(set(warnings)), "each once"
    assert not halted(k.deciding).reason and not halted(k.deciding).parts


def test_what_a_token_calls_itself_is_bounded_before_it_is_kept_or_shown(
    anvil: Anvil, tmp_path: Path
) -> None:
    """Even of a market that the operator listed: PostgreSQL keeps no NUL, and a screen obeys escapes."""
    case = MorphoCase(anvil)
    case.near(ONE)
    fake = strange_market(case)
    borrow_there(case, fake)
    anvil.set_code(fake.collateral, hostile_code(anvil, STRANGER, "dress"))
    ids = f'\nmorpho_blue.market_ids = ["{case.at.pairs[0].id}", "{fake.id}"]'
    k = opened(case, tmp_path, ids + '\nmorpho_blue.untrusted_markets = "watch"')
    k.step(case.fall())
    with k.store.session() as session:
        texts = [row.model_dump_json() for row in session.exec(select(PriceStatus)).all()]
        symbols = [row.symbol for row in session.exec(select(PriceStatus)).all()]
        prices = [row.price for row in session.exec(select(PriceStatus)).all()]
    assert "USD[2JC" in symbols and all(text.isprintable() for text in texts)
    assert all(price is not None and price < 2**256 for price in prices)
    assert told(k, "critical") == []


def test_a_liar_among_the_borrowers_suspends_his_own_market_only(anvil: Anvil, tmp_path: Path) -> None:
    """A price at which Morpho's own arithmetic overflows: its view reverts, and ours would not."""
    case = MorphoCase(anvil)
    account = case.near(ONE)
    fake = strange_market(case)
    borrow_there(case, fake)
    lying = hostile_code(anvil, STRANGER, "lie", 2**256 - 1)
    k = opened(case, tmp_path, '\nmorpho_blue.untrusted_markets = "act"')
    anvil.set_code(fake.oracle, lying)
    k.step()
    assert halted(k.deciding).reason == "" and halted(k.deciding).parts.keys() == {fake.id}
    k.step(case.fall())
    assert {intent.account for intent in k.intents()} == {account}
    [alert] = k.alerts("part_watch_only")
    assert fake.id in alert.title and alert.severity == "warning", "nobody listed it by name"


def test_a_price_without_a_feed_moves_an_owners_money_with_a_second_source_only(
    anvil: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/PRICES.md: a source that agrees, or a round that confirms."""
    case = MorphoCase(anvil)
    pair = case.at.pairs[1]
    said = case.toml().replace("{ WETH", '{ DAI = "1", WETH')
    monkeypatch.setattr(case, "toml", lambda: said)
    owner = "0x" + "e5" * 20
    send_batch(anvil.rpc, case._position(pair, owner, 20_000, 0.8))
    dai = case.at.tokens["DAI"]
    protect = f"""
[[protect]]
market = "m"
account = "{owner}"
top_up = 1.3
target = 1.4
max_spend_per_owner_day = "100000"
steps = [{{ action = "repay", asset = "DAI" }}]
"""
    for second, acted in (("", False), ('second_source = { kind = "chainlink", address = "FEED" }', True)):
        folder = tmp_path / str(acted)
        folder.mkdir()
        feed = _feed(anvil, 60_000 * 10**8)
        oracles = f"\n[markets.m.oracles.{pair.id}]\n{second.replace('FEED', feed)}\n" if second else ""
        anvil.set_automine(True)
        k = opened(case, folder, f'\nmorpho_blue.market_ids = ["{pair.id}"]' + oracles + protect)
        send_batch(anvil.rpc, [mint(dai, k.payer, 10**23)])
        anvil.set_automine(False)
        k.step()
        k.step()
        assert bool(k.intents()) == acted, second
        if not acted:
            assert "names no feed" in k.alerts("cannot_act")[0].body


def _feed(anvil: Anvil, answer: int) -> str:
    anvil.set_automine(True)
    queue = Deployer(anvil.rpc, STRANGER)
    feed = create_feed(queue, answer)
    queue.flush()
    return feed


@pytest.mark.parametrize("way", ["burn", "flood", "dress", "lie"])
def test_a_pool_at_the_real_factory_with_a_token_that_lies_hides_no_other(anvil: Anvil, way: str) -> None:
    queue = Deployer(anvil.rpc, STRANGER)
    factory = create_factory(queue)
    ether, dollar, liar = (create_zero_first(queue, name, name, 18) for name in ("ether", "dollar", "liar"))
    true = open_pool(queue, factory, ether, dollar, 0)
    for token in (ether, dollar):
        open_pool(queue, factory, token, liar, 0)
    queue.flush()
    anvil.set_code(liar, hostile_code(anvil, STRANGER, way, 2**255))
    nodes = NodePool("local", Chain(chain_id=31337, rpc=[anvil.url]))
    venue = UniswapV3(factory, [500, 3000, 10000], [])
    asked = [venue.call([liar, ether, dollar])]
    exchange = venue.read(run(nodes, blocks.latest(nodes), asked, [venue.lens()])[0])
    assert isinstance(exchange, UniswapV3Exchange) and true.lower() in exchange.pools
