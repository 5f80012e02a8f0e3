"""One signer, several markets of different protocols: what is shared, and who comes first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import col, select

from keeper.chain.pool import NodePool
from keeper.fork.ground import survey
from keeper.fork.leaves import leaves_of
from keeper.localchain.transactions import send_batch
from keeper.model.money import WAD
from keeper.model.plan import Plan
from keeper.protocols.registry import load
from keeper.service.markets import Market, build, pools
from keeper.service.planning.gas_money import gas_price
from keeper.service.reporting.ledger import Ledger
from keeper.store.tables.journal import LedgerEntry
from keeper.store.tables.watching import Episode
from tests.conformance.together import Together
from tests.support.keeping import BLOCK_SECONDS, MARKET, Keeping, config_text, keeping
from tests.support.ticks import look

pytestmark = pytest.mark.integration

OWNER = "0x" + "a1" * 20


def quiet(at: Together) -> None:
    """From here on blocks come when asked for."""
    at.anvil.set_automine(False)
    at.anvil.set_timestamp_interval(BLOCK_SECONDS)


def broken(at: Together, folder: Path, *, native: int | None = None) -> Keeping:
    """A keeper of all markets, at the block in which an account of each may be liquidated."""
    for number, case in enumerate(at.cases.values()):
        case.near("0x" + f"{0xB1 + number:02x}" * 20)
    quiet(at)
    k = keeping(at.anvil, at.first(), folder, at.others(), at.venue())
    k.step(at.hold())
    k.send(at.fall())
    at.follow()
    if native is not None:
        at.anvil.set_balance(k.payer, native)
    for tx in at.hold():
        k.send([tx])
    head = k.deciding.next_head()
    assert head is not None
    look(k.deciding, head)
    return k


def test_a_crash_of_all_markets_is_answered_most_valuable_first(markets: Together, tmp_path: Path) -> None:
    k = broken(markets, tmp_path)
    planned = k.intents()
    assert {i.market for i in planned} == set(markets.cases)
    gains = [i.gain for i in planned]
    assert gains == sorted(gains, reverse=True), "dollars of 8 and of 18 decimals are compared as dollars"
    assert all(WAD < gain < 20_000 * WAD for gain in gains), "each earns some part of its 20,000"
    for _ in range(3):
        k.step(markets.hold())
    assert {i.state for i in k.intents()} == {"settled"}
    nonces = [t.nonce for t in k.transactions()]
    assert nonces == sorted(set(nonces)), "one signer, one row of nonces"
    assert Ledger(k.deciding).book() == len(nonces)
    with k.store.session() as session:
        booked = session.exec(select(LedgerEntry)).all()
    assert all(row.gas > 0 and not row.unpriced for row in booked)
    assert sum(row.value for row in booked) == pytest.approx(sum(gains), rel=0.01)


def test_a_fork_rehearses_a_crash_of_every_protocol(markets: Together, tmp_path: Path) -> None:
    for number, name in enumerate((MARKET, "comet", "troves")):
        markets.cases[name].near("0x" + f"{0xB1 + number:02x}" * 20)
    config = tmp_path / "keeper.toml"
    config.write_text(config_text(markets.anvil.url, markets.first(), markets.others(), markets.venue()))
    found = {
        each.market: feed
        for each in survey(*_reading(config))
        if each.symbol in ("WETH", "native") and each.market != "morpho"
        for feed in leaves_of(markets.anvil.rpc, each.sources[0])
    }
    shocks = [word for feed in found.values() for word in ("--shock", f"{feed}=-11%")]
    send_batch(markets.anvil.rpc, markets.hold())
    done = subprocess.run(
        [sys.executable, "-m", "keeper.cli.main", "fork", "--config", str(config), "--json", *shocks],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    settled = {deed["market"] for deed in result["deeds"] if deed["state"] == "settled"}
    assert settled == {MARKET, "comet", "troves"}, done.stdout[-3000:]
    assert int(result["totals"]["earned"]) > 0


def _reading(config: Path) -> tuple[NodePool, list[Market]]:
    settings = load(config)
    nodes = pools(settings)
    return nodes["local"], build(settings, nodes, None, read_only=True)


def test_when_gas_is_short_the_most_valuable_goes_first_and_the_others_are_told(
    markets: Together, tmp_path: Path
) -> None:
    rich = broken(markets, tmp_path)
    wanted = rich.intents()
    first = Plan.from_json(wanted[0].plan)
    head = rich.deciding.head
    assert head is not None
    enough = first.gas * gas_price(rich.deciding.pool, head.base_fee) * 11 // 10
    folder = tmp_path / "poor"
    folder.mkdir()
    poor = keeping(markets.anvil, markets.first(), folder, markets.others(), markets.venue())
    markets.anvil.set_balance(poor.payer, enough)
    found = poor.deciding.next_head()
    assert found is not None
    look(poor.deciding, found)
    assert [(i.market, i.account) for i in poor.intents()] == [(wanted[0].market, wanted[0].account)]
    with poor.store.session() as session:
        held = session.exec(select(Episode).where(col(Episode.threshold) == "liquidate")).all()
    why = {row.market: row.blocked_reason for row in held if row.market != wanted[0].market}
    assert len(why) == len(markets.cases) - 1
    assert all("too little native currency" in each for each in why.values())


def test_an_owner_with_positions_in_several_markets_has_one_budget(markets: Together, tmp_path: Path) -> None:
    names = (MARKET, "morpho")
    protected = ""
    for name in names:
        case = markets.cases[name]
        case.near(OWNER)
        protected += case.protect(OWNER).replace(f'market = "{MARKET}"', f'market = "{name}"')
    protected = protected.replace('max_spend_per_owner_day = "1000000"', 'max_spend_per_owner_day = "5000"')
    quiet(markets)
    k = keeping(markets.anvil, markets.first(), tmp_path, markets.others() + protected)
    k.send([tx for name in names for tx in markets.cases[name].fund(k.payer)])
    quiet(markets)
    k.step(markets.hold())
    k.step(markets.fall())
    for _ in range(4):
        k.step(markets.hold())
    spent = {i.market: i.spend for i in k.intents()}
    assert {i.state for i in k.intents()} == {"settled"} and set(spent) == set(names)
    assert 4_900 * WAD < sum(spent.values()) <= 5_000 * WAD
    assert max(spent.values()) > 2_500 * WAD, "with a budget each, they would have spent more"
