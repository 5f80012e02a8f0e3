"""A block's valuations judged: who crosses which threshold, what is asked for, and when it is over."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.chain.blocks import Head
from keeper.model.valuation import Valuation
from keeper.service.markets import policies_of
from keeper.service.planning.breach import Breach
from keeper.service.watching import breaches
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.memory import BLANK, MarketMemory, WatchOnly
from keeper.store.database import Store, open_store
from tests.unit.service.planning.test_ceilings import settings

pytestmark = pytest.mark.unit

WAD = 10**18
OWNER, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
MARKET: Any = SimpleNamespace(name="m", adapter=SimpleNamespace(part=lambda account: ""))
POLICIES = policies_of(
    settings(
        1, protect=[{"market": "m", "account": OWNER, "max_spend_per_owner_day": "100", "target": "1.3"}]
    )
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/keeper.db")


def valuation(account: str, percent: int) -> Valuation:
    return Valuation(account, percent, 100, 1, percent < 100, None, percent * WAD // 100)


class Blocks:
    """One market judged block by block, as the loop does it."""

    def __init__(self, store: Store) -> None:
        self.store, self.number = store, 0
        self.open_now = breaches.OpenEpisodes()

    def judge(
        self, *valuations: Valuation, next_block: dict[str, Valuation] | None = None, halted: str = ""
    ) -> list[tuple[str, str]]:
        self.number += 1
        head = Head(self.number, f"0x{self.number}", "0x", 1_000 + self.number, 1, 30_000_000)
        memory = MarketMemory(WatchOnly(reason=halted)) if halted else BLANK
        at = MarketValuation(head, list(valuations), memory, next_block=next_block or {})
        with self.store.session() as session:
            found: list[Breach] = breaches.judge(session, MARKET, at, POLICIES, self.open_now)
            return [(each.valuation.account, each.kind) for each in found]

    @property
    def open(self) -> set[tuple[str, str]]:
        return set(self.open_now.known)


def test_who_may_be_liquidated_is_and_who_is_protected_is_topped_up_before(store: Store) -> None:
    blocks = Blocks(store)
    assert blocks.judge(valuation(OTHER, 104), valuation(OWNER, 104)) == [(OWNER, "top_up")]
    assert blocks.judge(valuation(OTHER, 99), valuation(OWNER, 99)) == [
        (OTHER, "liquidate"),
        (OWNER, "top_up"),
    ]
    assert blocks.open == {(a, t) for a in (OTHER, OWNER) for t in ("warn", "top_up", "liquidate")}


def test_an_episode_is_one_stay_below_and_ends_above_with_a_margin(store: Store) -> None:
    blocks = Blocks(store)
    blocks.judge(valuation(OTHER, 108))
    first = blocks.open_now.known[OTHER, "warn"].id
    blocks.judge(valuation(OTHER, 107))
    assert blocks.open_now.known[OTHER, "warn"].id == first
    assert blocks.open_now.known[OTHER, "warn"].lowest == 107 * WAD // 100
    blocks.judge(valuation(OTHER, 110))
    assert blocks.open == {(OTHER, "warn")}, "just above it is not over"
    blocks.judge(valuation(OTHER, 111))
    assert blocks.open == set()
    blocks.judge(valuation(OTHER, 109))
    assert blocks.open_now.known[OTHER, "warn"].id != first


def test_whoever_falls_by_interest_until_the_next_block_counts_as_below_now(store: Store) -> None:
    blocks = Blocks(store)
    then = {OTHER: valuation(OTHER, 99)}
    assert blocks.judge(valuation(OTHER, 101), next_block=then) == [(OTHER, "liquidate")]
    better = {OTHER: valuation(OTHER, 103)}
    assert blocks.judge(valuation(OTHER, 101), next_block=better) == [], "interest never helps"


def test_in_a_market_that_is_watched_only_nothing_is_asked_for_and_episodes_are_kept(store: Store) -> None:
    blocks = Blocks(store)
    assert blocks.judge(valuation(OTHER, 99), valuation(OWNER, 99), halted="it differs") == []
    assert (OTHER, "liquidate") in blocks.open and (OWNER, "top_up") in blocks.open


def test_without_debt_nothing_is_below_anything(store: Store) -> None:
    blocks = Blocks(store)
    blocks.judge(valuation(OTHER, 99))
    assert blocks.judge(Valuation(OTHER, 0, 0, 1, False)) == [] and blocks.open == set()


def test_an_episode_that_another_keeper_closed_is_found_out(store: Store) -> None:
    mine, theirs = Blocks(store), Blocks(store)
    mine.judge(valuation(OTHER, 99))
    theirs.open_now = breaches.open_episodes(store, ["m"])["m"]
    theirs.judge(valuation(OTHER, 120))
    with pytest.raises(breaches.StaleEpisodesError):
        mine.judge(valuation(OTHER, 98))
