"""Screening of Avalon's positions against the margin library: nobody is called safe who is not, and no box
outlives its verdict."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from keeper.book.screening.bounds import Screen
from keeper.book.screening.columns import Columns
from keeper.book.screening.index import PriceIndex
from keeper.margin.lending.weights import Weights
from keeper.margin.options.lyra_avalon.minimum import MinimumTerms
from keeper.margin.rounding import WAD
from keeper.protocols.lyra_avalon import screening
from keeper.protocols.lyra_avalon.lens import (
    AvalonBoard,
    AvalonCare,
    AvalonState,
    OptionPosition,
    read_position,
)
from keeper.protocols.lyra_avalon.valuing import minimum, valued
from keeper.service.watching.selection import drift

pytestmark = pytest.mark.unit

SOAK = bool(os.environ.get("KEEPER_SOAK"))
POSITIONS, TICKS = (5_000, 40) if SOAK else (400, 12)
DAY, NOW = 86_400, 1_800_000_000
DAYS, STRIKES, KINDS = (2, 9, 33, 80), (1_500, 1_900, 2_100, 2_600), (2, 3, 4)
EDGE = (0.0, 1e-16, 1e-9, 1e-5, 0.02, 0.5)
TERMS = MinimumTerms(
    200 * WAD, WAD // 5, 5 * WAD // 2, 14 * DAY, 9 * WAD // 5, 56 * DAY, 6 * WAD // 5, 4 * WAD // 5, WAD // 20
)
BOARDS = {
    number: AvalonBoard(number, NOW + days * DAY, False, WAD, NOW, 2_000 * WAD, {})
    for number, days in enumerate(DAYS, 1)
}
STATE = AvalonState(
    *5 * ("0x",), 2_000 * WAD, False, TERMS, WAD // 2, 0, BOARDS, AvalonCare("0x", 0, 0, 0, 0, 0, {})
)


def packed(raw: OptionPosition) -> bytes:
    """As the lens packs it."""
    wide = b"".join(each.to_bytes(32, "big") for each in (raw.price, raw.amount, raw.collateral))
    head = bytes([raw.kind, raw.active]) + raw.board.to_bytes(16, "big")
    return head + wide + raw.expiry.to_bytes(8, "big") + raw.strike.to_bytes(16, "big")


def crowded(
    dice: np.random.Generator, edges: tuple[float, ...] = EDGE, least: float = 2
) -> list[OptionPosition]:
    """With just what is required, and a little more or less; some hold nothing to speak of."""
    found = []
    for _ in range(POSITIONS):
        board, kind = int(dice.integers(1, 5)), int(dice.choice(KINDS))
        amount = int(10 ** dice.uniform(least, 24))
        raw = OptionPosition(
            kind, True, board, int(dice.choice(STRIKES)) * WAD, amount, 0, BOARDS[board].expiry, 1
        )
        needed = minimum(STATE, raw, raw.expiry - NOW, 2_000 * WAD)
        apart = float(dice.choice(edges)) * float(dice.normal())
        found.append(
            replace(raw, collateral=max(needed + int(needed * apart) + int(dice.integers(-2, 3)), 0))
        )
    return found


def at_spot(share: float) -> AvalonState:
    return replace(STATE, spot=int(2_000 * WAD * (1 + share)))


def due(state: AvalonState, positions: list[OptionPosition], timestamp: int) -> set[int]:
    worth = (valued(state, "1", raw, timestamp) for raw in positions)
    return {row for row, each in enumerate(worth) if each.equity < each.maintenance}


def test_whoever_has_too_little_is_never_called_safe() -> None:
    dice = np.random.default_rng(4)
    positions, known = crowded(dice), screening.places()
    found = [packed(each) for each in positions]
    assert [read_position(each) for each in found] == positions
    columns = Columns(lambda some: screening.entries(some, known))
    columns.update(range(len(found)), found)
    screen, safe_ever, due_ever = Screen(columns), 0, 0
    for tick in range(TICKS):
        state, later = at_spot(float(dice.normal(0, 0.02))), NOW + 3_600 * tick
        weights = screening.weights(state, later, sorted(columns.factors), known)
        screen.run(weights)
        open_ = columns.unbounded | columns.rows_with(weights.unbounded)
        safe = set(screen.rows[screen.low >= np.nextafter(1.0, 2.0)].tolist()) - open_
        below = due(state, positions, later)
        assert not safe & below
        safe_ever, due_ever = safe_ever + len(safe), due_ever + len(below)
    assert due_ever > 0.2 * TICKS * POSITIONS and safe_ever > 0.1 * TICKS * POSITIONS


def test_the_price_index_names_whoever_a_spot_takes_below() -> None:
    """Up and down, block after block, each option a group of its own."""
    dice = np.random.default_rng(5)
    positions = [each for each in crowded(dice, (1e-9, 0.2, 0.5), 19) if each.expiry > NOW + 3 * DAY]
    known = screening.places()
    columns = Columns(lambda some: screening.entries(some, known))
    columns.update(range(len(positions)), [packed(each) for each in positions])
    factors = sorted(columns.factors)
    groups = np.zeros(known.factors, np.int32)
    groups[factors] = np.arange(len(factors))
    index, share, named, rebuilt = PriceIndex(columns, groups, [1.0]), 0.0, 0, 0

    def weigh(share: float, timestamp: int) -> Weights:
        now, then = (
            screening.weights(at_spot(share), each, factors, known) for each in (timestamp, timestamp + 12)
        )
        return replace(now, drift=drift(now, then))

    index.build(weigh(0.0, NOW))
    for tick in range(1, 10 * TICKS):
        share, later = share + float(dice.normal(0, 1e-3)), NOW + 12 * tick
        weights = weigh(share, later)
        candidates = index.candidates(weights)
        if candidates is None:
            index.build(weights)
            rebuilt += 1
        else:
            named += len(candidates)
            index.renew(candidates, weights)
        below = due(at_spot(share), positions, later)
        assert not below & set(np.flatnonzero(index.cell == 1).tolist())
    never_certain = int(np.count_nonzero(index.cell != 1))
    assert never_certain < 0.7 * len(positions)
    assert rebuilt < TICKS and named < 10 * TICKS * (never_certain + 0.1 * len(positions))


def test_without_a_spot_and_on_its_last_day_an_option_is_valued_exactly() -> None:
    known = screening.places()
    raw = OptionPosition(3, True, 1, 2_000 * WAD, WAD, 400 * WAD, NOW + 2 * DAY, 1)
    long = replace(raw, kind=0)
    found = screening.entries([packed(raw), packed(long), packed(replace(raw, active=False))], known)
    assert found.maintenance.starts.tolist() == [0, 2, 2, 2]
    factors = [int(each) for each in found.maintenance.factors]
    leg = next(each for each in factors if known.market(each) is not None)
    for state, timestamp, unbounded in (
        (STATE, NOW, set()),
        (replace(STATE, spot=None), NOW, {leg}),
        (STATE, NOW + DAY + 1, {leg}),
        (STATE, raw.expiry, set()),
    ):
        assert screening.weights(state, timestamp, factors, known).unbounded == unbounded


def test_more_options_than_there_are_places_for_are_valued_exactly() -> None:
    known = screening.places()
    raws = [
        OptionPosition(3, True, 1, (1_000 + each) * WAD, WAD, 0, NOW + 9 * DAY, 1)
        for each in range(screening.OPTIONS + 2)
    ]
    found = screening.entries([packed(each) for each in raws], known)
    assert np.flatnonzero(found.unbounded).tolist() == [screening.OPTIONS, screening.OPTIONS + 1]
