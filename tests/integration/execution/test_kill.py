"""SIGKILL at each change of state, and at any moment: after a restart each intent reaches its right end, and
every account was acted on once an attempt."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from keeper.localchain import aave_actions as act
from keeper.localchain.anvil import Anvil
from keeper.localchain.transactions import queue, send_batch
from keeper.store.database import open_store
from keeper.store.tables.journal import Intent, StandingAllowance, Transaction
from keeper.store.tables.watching import ChainStatus
from tests.integration.execution.conftest import CRASH, OTHER, WELL, Fresh, Ready
from tests.support.keeping import PASSWORD
from tests.support.killed_keeper import die_at
from tests.support.liquidations import liquidations
from tests.support.positions import ether_for_dollars
from tests.support.program import Running, start_keeper
from tests.support.world import World, account, config_text

pytestmark = pytest.mark.integration

SOAK = bool(os.environ.get("KEEPER_SOAK"))
WAD = 10**18
# planned; two signed, rehearsed; two sent; two included and final; settled; and the same of what clears.
SURELY = (2, 5, 8)
CHANGES = range(1, 17) if SOAK else SURELY
# Moments in a row with one store: ten times ten, each with dice of its own, or six once.
ROUNDS, MOMENTS = (10, 10) if SOAK else (1, 6)
SEED = int(os.environ.get("KEEPER_SEED", "20261122"))
SHORT = "[execution]\ncancel_blocks = 12\n"


def wait_for(what: Callable[[], bool], seconds: float = 40) -> bool:
    limit = time.monotonic() + seconds
    while not what():
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def start(config: Path, log: Path, *killing: Any) -> Running:
    return start_keeper(
        *("run", "--live", "--config", str(config)),
        environment={**os.environ, "KEEPER_KEYSTORE_PASSWORD": PASSWORD},
        log=log,
        before=partial(die_at, *killing) if killing else None,
    )


def acted(config: Path) -> int:
    store = open_store(f"sqlite:///{config.parent / 'own.db'}")
    try:
        with store.session() as session:
            row = session.get(ChainStatus, "local")
            return row.acted_block if row else 0
    finally:
        store.close()


def own_store(ready: Ready, fresh: Fresh) -> World:
    w = ready()
    w.actor.release()
    w.store.close()
    w.config.write_text(config_text(*fresh, SHORT, "sqlite:///own.db"))
    return w


def crash(w: World, price: dict[str, int]) -> None:
    queue(w.anvil, act.set_price(w.market, w.market.reserves["WETH"], price["WETH"]))
    w.anvil.mine()


def carry_to_its_end(w: World, log: Path, who: str) -> None:
    """A keeper that nobody kills, and blocks until there is nothing left to do."""
    process = start(w.config, log)
    try:
        for _ in range(24):
            block = w.anvil.block_number()
            assert wait_for(lambda block=block: acted(w.config) >= block), log.read_text()[-2000:]  # type: ignore[misc]
            if w.health(who) >= WAD and _at_rest(w.config):
                return
            w.anvil.mine()
        raise AssertionError(f"not at rest after 24 blocks\n{log.read_text()[-3000:]}")
    finally:
        process.terminate()
        process.wait(30)


def _at_rest(config: Path) -> bool:
    store = open_store(f"sqlite:///{config.parent / 'own.db'}")
    try:
        with store.session() as session:
            intents = session.exec(select(Intent)).all()
            transactions = session.exec(select(Transaction)).all()
            left = session.exec(select(StandingAllowance)).all()
    finally:
        store.close()
    over = all(t.state in ("final", "dropped") for t in transactions)
    return over and not left and all(i.state not in ("planned", "rehearsed") for i in intents)


def agree(w: World, who: str) -> None:
    """Journal and chain tell the same: one liquidation for each settled intent, no nonce used twice."""
    store = open_store(f"sqlite:///{w.folder / 'own.db'}")
    with store.session() as session:
        states = [i.state for i in session.exec(select(Intent).where(Intent.account == who)).all()]
        final = [t.nonce for t in session.exec(select(Transaction).where(Transaction.state == "final")).all()]
    store.close()
    assert liquidations(w.anvil, w.market)[who] == states.count("settled") >= 1, states
    assert not {"failed", "planned", "rehearsed"} & set(states)
    assert len(final) == len(set(final))
    assert w.allowance("USDC") == 0


@pytest.mark.parametrize("when", ["before", "after"] if SOAK else ["after"])
@pytest.mark.parametrize("change", CHANGES)
def test_killed_at_a_change_of_state(
    fresh: Fresh, ready: Ready, tmp_path: Path, when: str, change: int
) -> None:
    w, log = own_store(ready, fresh), tmp_path / "log"
    process = start(w.config, log, when, change)
    assert wait_for(lambda: acted(w.config) > 0 or process.poll() is not None)
    crash(w, CRASH)
    for _ in range(8):
        if wait_for(lambda: process.poll() is not None, 1.2):
            break
        w.anvil.mine()
    if process.poll() is None:
        # Fewer changes than that: then it did its work undisturbed.
        process.terminate()
    process.wait(30)
    if change <= max(SURELY):
        assert process.returncode == -signal.SIGKILL
    carry_to_its_end(w, log, OTHER)
    agree(w, OTHER)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_killed_at_any_moment(fresh: Fresh, ready: Ready, tmp_path: Path, round_: int) -> None:
    print(f"seed {SEED + round_}")
    dice = random.Random(SEED + round_)
    w, log = own_store(ready, fresh), tmp_path / "log"
    for moment in range(MOMENTS):
        who = account(100 + moment)
        send_batch(w.anvil.rpc, ether_for_dollars(w.market, who, 10, 19_000), w.market.errors)
        w.anvil.set_automine(False)
        process = start(w.config, log)
        seen = w.anvil.block_number()
        assert wait_for(lambda seen=seen: acted(w.config) >= seen)  # type: ignore[misc]
        crash(w, CRASH)
        _mine_now_and_then(w.anvil, dice.uniform(0.0, 1.0), dice)
        process.kill()
        process.wait()
        carry_to_its_end(w, log, who)
        agree(w, who)
        crash(w, WELL)


def _mine_now_and_then(anvil: Anvil, seconds: float, dice: random.Random) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, dice.uniform(0.05, 0.4)))
        if dice.random() < 0.5:
            anvil.mine()
