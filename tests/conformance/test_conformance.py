"""What every protocol's adapter must do, on its own real contracts."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import queue, send_batch
from tests.conformance.aave_case import AaveCase
from tests.conformance.avalon_case import AvalonCase
from tests.conformance.case import Case
from tests.conformance.clearinghouse_case import ClearinghouseCase
from tests.conformance.comet_case import CometCase
from tests.conformance.exchange import open_exchange
from tests.conformance.morpho_case import MorphoCase
from tests.conformance.perp_case import PerpCase
from tests.conformance.synthetix_case import SynthetixCase
from tests.conformance.trove_case import TroveCase
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, MARKET, Keeping, keeping, reading, valued
from tests.support.ticks import last_valuations

pytestmark = pytest.mark.integration

WAD = 10**18
OTHER = "0x" + "b2" * 20
SOAK = os.environ.get("KEEPER_SOAK") == "1"
ACCOUNTS_OPENED = 40 if SOAK else 20
STIRS = 60 if SOAK else 16

CASES: dict[str, Callable[[Anvil], Case]] = {
    "morpho-blue": MorphoCase,
    "compound-v3": CometCase,
    "liquity": TroveCase,
    "synthetix-v3": SynthetixCase,
    "lyra-avalon": AvalonCase,
    "perp-v2": PerpCase,
    "perp-2.8.4": PerpCase.of("2.8.4"),
    "clearinghouse": ClearinghouseCase,
    "aave-3.0.2": AaveCase.of("3.0.2"),
    "aave-3.6": AaveCase.of("3.6"),
}
# A price of Synthetix v2 reaches Avalon without the time at which it was told.
AGED = [name for name in CASES if name != "lyra-avalon"]
# Whoever takes a position of Perp v2 or of the clearinghouse over puts up margin of his own.
BORROWING = [name for name in CASES if not name.startswith(("perp", "clearinghouse"))]
CLOSED = [
    ("compound-v3", "supply paused"),
    ("compound-v3", "supply cap"),
    *(
        (f"aave-{version}", name)
        for version in ("3.0.2", "3.6")
        for name in ("paused", "frozen", "supply cap")
    ),
]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield CASES[request.param](anvil)


def quiet(case: Case) -> None:
    """From here on blocks come when asked for."""
    case.anvil.set_automine(False)
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)


def fallen(k: Keeping, case: Case) -> None:
    """The price falls; where averages follow it, until they have gone far enough to act."""
    k.step(case.fall())
    for _ in range(case.lag):
        if not k.intents():
            k.step(case.hold())


def test_every_account_that_ever_was_is_found_from_nothing_and_from_any_checkpoint(
    case: Case, tmp_path: Path
) -> None:
    dice = random.Random(1)
    keys = set(case.open(dice, 6))
    first = reading(case.anvil, case.toml(), tmp_path, store=True)
    valued(first)
    assert set(first.book.accounts) == keys
    keys |= set(case.open(dice, 6))
    case.stir(dice)
    again = reading(case.anvil, case.toml(), tmp_path, store=True)
    valued(again)
    fresh = reading(case.anvil, case.toml(), tmp_path)
    valued(fresh)
    assert keys <= set(fresh.book.accounts)
    assert {a: again.book.accounts[a] for a in again.book.accounts} == dict(fresh.book.accounts)


def test_local_numbers_are_the_contracts_to_the_unit(case: Case, tmp_path: Path) -> None:
    dice = random.Random(2)
    case.open(dice, ACCOUNTS_OPENED)
    run = reading(case.anvil, case.toml(), tmp_path)
    compared = 0

    def compare() -> Head:
        at, head = valued(run), blocks.latest(run.book.pool)
        assert at.acting, at.memory.watch_only
        views = run.book.views(head, list(run.book.accounts))
        assert {v.account: v for v in at.valuations} == views
        sums = run.adapter.auditor.sums(run.book.rows.records)
        assert run.adapter.auditor.unbalanced(run.book.state, sums) == ""
        nonlocal compared
        compared += len(views)
        return head

    with capture_logs() as logs:
        for _ in range(STIRS):
            case.stir(dice)
            compare()
        for name, scene in case.scenes().items():
            scene.play()
            assert scene.is_there(run, compare().timestamp), name
    assert compared >= 300
    assert "silent change" not in {each["event"] for each in logs}, "whatever changes an account is heard"


@pytest.mark.parametrize("case", BORROWING, indirect=True)
def test_with_borrowed_money_a_breach_is_liquidated_and_earns(case: Case, tmp_path: Path) -> None:
    account = case.near(OTHER)
    exchange = open_exchange(case)
    quiet(case)
    k = keeping(case.anvil, case.toml(), tmp_path, chain=case.chain + exchange.settings())
    k.step(case.hold())
    fall = case.fall()
    exchange.follow()
    k.step(fall)
    assert {(i.account, i.kind) for i in k.intents()} == {(account, "liquidate")}
    for _ in range(6):
        k.step(case.hold())
    after = k.valuation(account)
    assert not after.liquidatable
    assert {i.state for i in k.intents()} == {"settled"}
    assert exchange.earned(k.payer) > 0, "profit goes to the contract's owner"


def test_a_breach_is_liquidated_in_the_block_that_causes_it_and_cured_or_emptied(
    case: Case, tmp_path: Path
) -> None:
    account = case.near(OTHER)
    case.open(random.Random(3), 5)
    quiet(case)
    k = keeping(case.anvil, case.toml(), tmp_path, chain=case.chain)
    k.send(case.fund(k.payer))
    k.step(case.hold())
    assert k.intents() == []
    fallen(k, case)
    if case.by_contract_only:
        assert k.intents() == [] and "contract" in k.alerts("cannot_act")[0].body
        return
    assert account in {i.account for i in k.intents() if i.kind == "liquidate"}
    for _ in range(6):
        k.step(case.hold())
    after = k.valuation(account)
    assert not after.liquidatable
    assert {i.state for i in k.intents() if i.account == account} == {"settled"}


def test_a_top_up_is_the_least_that_reaches_its_target(case: Case, tmp_path: Path) -> None:
    account = case.near(case.owner)
    quiet(case)
    k = keeping(case.anvil, case.toml(), tmp_path, case.protect(case.owner), chain=case.chain)
    k.send(case.fund(k.payer))
    k.step(case.hold())
    fallen(k, case)
    [intent] = k.intents()
    assert (intent.kind, intent.account) == ("top_up", account)
    k.step(case.hold())
    reached = k.valuation(account).health
    k.step(case.hold())
    assert reached is not None and case.target <= reached < case.target + case.target // 10**5
    assert [i.state for i in k.intents()] == ["settled"]


@pytest.mark.parametrize("case", AGED, indirect=True)
def test_a_stale_price_blocks_a_top_up_until_a_new_round(case: Case, tmp_path: Path) -> None:
    case.near(case.owner)
    quiet(case)
    for tx in case.fall():
        queue(case.anvil, tx)
    case.anvil.mine(4)
    told = f'\n[markets.{MARKET}.oracles."{case.oracle}"]\nheartbeat = {2 * BLOCK_SECONDS}\n'
    k = keeping(case.anvil, case.toml() + told, tmp_path, case.protect(case.owner), chain=case.chain)
    k.send(case.fund(k.payer))
    k.work()
    assert k.intents() == [] and "heartbeat" in k.alerts("cannot_act")[0].body
    k.step(case.refresh())
    assert [i.kind for i in k.intents()] == ["top_up"]


def test_a_version_that_is_unknown_is_only_watched(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = case.near(OTHER)
    quiet(case)
    k = keeping(case.anvil, case.toml(), tmp_path, chain=case.chain)
    monkeypatch.setattr(type(k.deciding.markets[0].adapter), "version", lambda *_: None)
    k.send(case.fund(k.payer))
    k.step(case.hold())
    k.step(case.fall())
    k.step(case.hold())
    assert k.intents() == [] and k.transactions() == []
    assert "no known arithmetic" in k.alerts("watch_only")[0].body
    assert k.valuation(account) in last_valuations(k.deciding), "by the contract's own view"


@pytest.mark.parametrize(("protocol", "what"), CLOSED)
def test_what_is_closed_is_understood_and_not_tried(protocol: str, what: str, tmp_path: Path) -> None:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        case = CASES[protocol](anvil)
        case.near(case.owner)
        closing = case.closings()[what]
        send_batch(anvil.rpc, closing.txs)
        quiet(case)
        k = keeping(anvil, case.toml(), tmp_path, case.protect(case.owner, closing.action), chain=case.chain)
        k.send(case.fund(k.payer))
        k.step(case.hold())
        k.step(case.fall())
        for _ in range(3):
            k.step(case.hold())
        assert k.intents() == [] and k.transactions() == []
        [told] = k.alerts("cannot_act")
        assert closing.word in told.body


def test_requests_a_block_do_not_grow_with_accounts(case: Case, tmp_path: Path) -> None:
    counts = []
    dice = random.Random(4)
    for number in (5, 40):
        case.anvil.set_automine(True)
        case.open(dice, number)
        quiet(case)
        folder = tmp_path / str(number)
        folder.mkdir()
        k = keeping(case.anvil, case.toml(), folder, chain=case.chain)
        k.step(case.hold())
        before = k.deciding.pool.requests
        for _ in range(3):
            k.step(case.hold())
        counts.append(k.deciding.pool.requests - before)
    assert counts[0] == counts[1] and counts[0] <= 4 * 3 + 3


def test_a_reorg_leaves_the_book_as_the_chain_is(case: Case, tmp_path: Path) -> None:
    dice = random.Random(5)
    case.open(dice, 8)
    run = reading(case.anvil, case.toml(), tmp_path, store=True)
    valued(run)
    before = case.anvil.block_number()
    case.open(dice, 3)
    case.stir(dice)
    valued(run)
    case.anvil.reorg(min(3, case.anvil.block_number() - before))
    case.anvil.mine(2)
    valued(run)
    fresh = reading(case.anvil, case.toml(), tmp_path)
    valued(fresh)
    known = {a: raw for a, raw in run.book.accounts.items() if a in fresh.book.accounts}
    assert known == dict(fresh.book.accounts)
