"""Judging prices: a crash is believed, a fault is named, and nothing unconfirmed spends an owner's money."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.oracles.guards import GuardTerms, Judgement, Memory, Observation, judge, remember
from keeper.oracles.rounds import Round
from keeper.oracles.seconds import SecondPrice
from keeper.oracles.sources import Basis

pytestmark = pytest.mark.unit

FEED = "0x" + "fe" * 20
DOLLAR = 10**8
TERMS = GuardTerms(deviation=5 * 10**16, heartbeat=3600, min_price=100 * DOLLAR, max_price=10_000 * DOLLAR)


def seen(
    price: int | None, number: int, at: int = 0, *, updated: int | None = None, second: int | None = None
) -> Observation:
    """The protocol's whole-dollar price with its feed's round at block time `at`."""
    newest = Round(number, (price or 0) * DOLLAR, at if updated is None else updated)
    quote = None if second is None else SecondPrice(second * DOLLAR)
    return Observation(None if price is None else price * DOLLAR, at, ((FEED, newest),), second=quote)


def verdict(*observations: Observation, terms: GuardTerms = TERMS) -> Judgement:
    """The judgement of the last of a run of blocks."""
    memory: Memory | None = None
    for each in observations:
        memory = remember(each, memory, terms)
        last = judge(each, memory, terms)
    return last


def kinds(judgement: Judgement) -> list[str]:
    return [fault.kind for fault in judgement.faults]


def test_an_ordinary_price_moves_both_actions() -> None:
    found = verdict(seen(2500, 1), seen(2490, 2, 12))
    assert (found.faults, found.hold, found.market_price) == ((), "", 2490 * DOLLAR)


def test_a_fall_of_forty_percent_in_one_block_with_a_new_round_blocks_nothing() -> None:
    found = verdict(seen(2500, 1), seen(1500, 2, 12))
    assert (found.faults, found.hold, found.market_price) == ((), "", 1500 * DOLLAR)


def test_a_fall_that_the_second_source_confirms_blocks_nothing() -> None:
    found = verdict(seen(2500, 1, second=2500), seen(1500, 2, 12, second=1520))
    assert (found.faults, found.hold) == ((), "")


def test_a_fall_the_second_source_has_not_seen_waits_for_one_more_round_only() -> None:
    blocks = [seen(2500, 1, second=2500), seen(1500, 2, 12, second=2500)]
    waiting = verdict(*blocks)
    assert kinds(waiting) == ["disagreeing"] and "waiting" in waiting.hold
    assert waiting.market_price == 2500 * DOLLAR, "a liquidation is counted at the market's price"
    still = seen(1500, 2, 24, updated=12, second=2500)
    assert verdict(*blocks, still).hold, "the same round again confirms nothing"
    confirmed = verdict(*blocks, still, seen(1490, 3, 36, second=2400))
    assert kinds(confirmed) == ["disagreeing"] and confirmed.hold == ""


def test_a_spike_that_is_withdrawn_and_comes_back_is_never_confirmed() -> None:
    blocks = [
        seen(2500, 1, second=2500),
        seen(1500, 2, 12, second=2500),
        seen(2500, 3, 24, second=2500),
        seen(1500, 4, 36, second=2500),
    ]
    assert verdict(*blocks).hold
    assert verdict(*blocks[:3]).hold == ""


def test_a_spike_to_another_level_is_a_dispute_of_its_own() -> None:
    blocks = [seen(2500, 1, second=2500), seen(1500, 2, 12, second=2500), seen(900, 3, 24, second=2500)]
    assert verdict(*blocks).hold


@pytest.mark.parametrize(
    ("answer", "kind"), [(0, "zero"), (-5, "negative"), (None, "reverting")], ids=lambda value: str(value)
)
def test_without_a_price_nothing_is_done_and_the_cause_is_named(answer: int | None, kind: str) -> None:
    newest = None if answer is None else Round(2, answer, 12)
    found = verdict(seen(2500, 1), Observation(None, 12, ((FEED, newest),)))
    assert kinds(found) == [kind] and FEED in found.closed and found.market_price is None


def test_a_stale_price_moves_no_owners_money_unless_the_second_source_agrees() -> None:
    old = seen(2500, 1, 3602, updated=1)
    assert kinds(verdict(old)) == ["stale"] and "3601 s old" in verdict(old).hold
    assert verdict(old).market_price == 2500 * DOLLAR, "liquidations go on at the protocol's price"
    assert verdict(replace(old, second=SecondPrice(2510 * DOLLAR))).hold == ""
    assert verdict(seen(2500, 1, 3601, updated=1)).faults == ()


def test_a_feed_that_claims_to_be_fresh_but_keeps_its_round_is_frozen() -> None:
    found = verdict(seen(2500, 7, 0, updated=9000), seen(2500, 7, 3601, updated=9000))
    assert kinds(found) == ["frozen"] and "round 7 for 3601 s" in found.hold
    assert verdict(seen(2500, 7, 0), seen(2500, 8, 3601)).faults == ()


@pytest.mark.parametrize("number", [0, 1, 2, 2**80])
def test_a_constant_round_id_is_no_frozen_feed_and_no_missing_round(number: int) -> None:
    """A round is (id, updatedAt): RedStone, API3 and others have one id for ever."""
    blocks = [seen(2500, number, at, second=None) for at in range(0, 9000, 12)]
    assert verdict(*blocks).faults == ()
    fallen = verdict(*blocks, seen(1500, number, 9012))
    assert (fallen.faults, fallen.hold, fallen.market_price) == ((), "", 1500 * DOLLAR)
    late = verdict(seen(2500, number, 12), seen(2500, number, 3700, updated=12))
    assert kinds(late) == ["stale"], "its time is what tells that it does not move"
    held = verdict(seen(2500, number, 12), seen(1500, number, 24, updated=12))
    assert kinds(held) == ["no_round"] and held.hold


def test_one_more_round_of_a_constant_id_settles_a_dispute() -> None:
    blocks = [seen(2500, 1, second=2500), seen(1500, 1, 12, second=2500)]
    assert verdict(*blocks).hold and verdict(*blocks, seen(1500, 1, 24, updated=12, second=2500)).hold
    assert verdict(*blocks, seen(1490, 1, 36, second=2400)).hold == ""


def test_a_source_without_a_time_has_no_age_and_no_new_rounds() -> None:
    old = verdict(seen(2500, 0, 10**9, updated=0))
    assert (old.faults, old.hold) == ((), ""), "that it says 0 is not that it is of 1970"
    assert kinds(verdict(seen(2500, 0, 12, updated=0), seen(1500, 0, 24, updated=0))) == ["no_round"]


def _without_rounds(price: int, basis: Basis) -> Observation:
    return Observation(price * DOLLAR, 0, (), basis=basis)


def test_a_fixed_price_moves_owners_money_until_it_moves_itself() -> None:
    assert verdict(_without_rounds(1000, "constant")).hold == ""
    assert verdict(_without_rounds(1000, "set")).hold == ""
    moved = verdict(_without_rounds(1000, "set"), _without_rounds(600, "set"))
    assert kinds(moved) == ["no_round"] and moved.hold
    by_code = verdict(_without_rounds(1000, "constant"), _without_rounds(1100, "constant"))
    assert by_code.hold == "", "what no one can move moves as it was written to"


def test_a_source_that_names_no_feed_waits_for_a_second_source_that_agrees() -> None:
    alone = verdict(_without_rounds(2500, "nothing"))
    assert alone.hold and not alone.closed and alone.market_price == 2500 * DOLLAR
    agreed = replace(_without_rounds(2500, "nothing"), second=SecondPrice(2510 * DOLLAR))
    assert verdict(agreed).hold == ""
    disputed = replace(agreed, second=SecondPrice(1500 * DOLLAR))
    assert verdict(disputed).hold and verdict(disputed).market_price == 1500 * DOLLAR
    assert verdict(_without_rounds(2500, "nothing"), terms=replace(TERMS, act_unresolved=True)).hold == ""


@pytest.mark.parametrize("answer", [0, -5])
def test_a_feed_without_an_answer_confirms_nothing_where_a_fallback_has_the_price(answer: int) -> None:
    """Aave's oracle asks its fallback where a source says nothing above zero."""
    fallback = Observation(1500 * DOLLAR, 12, ((FEED, Round(2, answer, 12)),))
    assert kinds(verdict(seen(2500, 1), fallback)) == ["no_round"]


def test_one_frozen_feed_of_two_is_seen() -> None:
    def both(at: int, first: int, second: int) -> Observation:
        # The other claims to be of the future.
        rounds = (("0xa", Round(first, 1, at + 1)), ("0xb", Round(second, 1, 9000)))
        return Observation(2500 * DOLLAR, at, rounds)

    found = verdict(both(0, 1, 1), both(2000, 2, 1), both(4000, 3, 1))
    assert kinds(found) == ["frozen"] and "0xb" in found.hold


def test_a_price_beyond_its_bounds_counts_only_with_a_second_source() -> None:
    low = verdict(seen(2500, 1), seen(99, 2, 12))
    assert kinds(low) == ["out_of_bounds"] and low.hold and low.market_price is None
    assert kinds(verdict(seen(10_001, 1))) == ["out_of_bounds"]
    agreed = verdict(seen(2500, 1, second=2500), seen(99, 2, 12, second=98))
    assert kinds(agreed) == ["out_of_bounds"] and agreed.hold == "" and agreed.market_price == 98 * DOLLAR


def test_a_price_that_moves_without_a_round_is_held() -> None:
    first, moved = seen(2500, 1, 12), seen(2900, 1, 24, updated=12)
    found = verdict(first, moved)
    assert kinds(found) == ["no_round"] and "without a new round" in found.hold
    assert verdict(first, moved, seen(2900, 2, 36)).hold == ""
    little = seen(2600, 1, 24, updated=12)
    assert verdict(first, little).faults == (), "a ratio grows a little all the time"


def test_a_silent_second_source_is_told_and_the_first_suffices() -> None:
    quiet = replace(seen(1500, 2, 12), second=SecondPrice(None, "the second source does not answer"))
    found = verdict(seen(2500, 1), quiet)
    assert kinds(found) == ["second_silent"]
    assert (found.hold, found.market_price) == ("", 1500 * DOLLAR)
    old = replace(quiet, timestamp=9000)
    assert verdict(seen(2500, 1), quiet, old).market_price is None, "neither source is fresh"


def test_an_unresolved_source_is_watched_or_acted_on_as_configured() -> None:
    unknown = Observation(2500 * DOLLAR, 0, (), resolved=False)
    assert verdict(unknown).closed and verdict(unknown).hold
    acting = verdict(unknown, terms=replace(TERMS, act_unresolved=True))
    assert kinds(acting) == ["unresolved"] and (acting.closed, acting.hold) == ("", "")


def test_a_feed_that_reverts_for_a_block_has_given_no_new_round() -> None:
    blocks = [
        seen(2500, 1, second=2500),
        seen(1500, 2, 12, second=2500),
        Observation(None, 24, ((FEED, None),), second=SecondPrice(2500 * DOLLAR)),
        seen(1500, 2, 36, updated=12, second=2500),
    ]
    assert verdict(*blocks).hold


def test_a_round_from_before_an_outage_of_the_sequencer_is_old() -> None:
    before = replace(seen(2500, 7, at=1000), up_since=1001)
    found = verdict(before, terms=replace(TERMS, heartbeat=None))
    assert kinds(found) == ["stale"] and "sequencer" in found.hold
    after = replace(seen(2500, 8, at=1001), up_since=1001)
    assert verdict(before, after).faults == ()
