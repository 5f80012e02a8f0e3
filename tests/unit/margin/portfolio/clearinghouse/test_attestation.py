"""A true root has no challenge; every false leaf has one, and asking leads to it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from keeper.errors import MarginError
from keeper.margin.portfolio.clearinghouse.attestation import (
    AttestedMoment,
    ChallengeKind,
    LeafChallenge,
    cash_with_interest,
    false_leaves,
    leaf_of,
    state_hash,
)
from keeper.margin.portfolio.clearinghouse.markets import CollateralQuote, MarketSnapshot, Spot, Surface
from keeper.margin.portfolio.clearinghouse.sum_tree import (
    EMPTY_LEAF,
    SolvencyFigures,
    SolvencyLeaf,
    SumTree,
    depth_for,
    first_false_sums,
    parent,
)
from keeper.margin.portfolio.clearinghouse.values import (
    ClearingLeg,
    ClearingState,
    Instrument,
    Kind,
    ScenarioSet,
)

pytestmark = pytest.mark.unit

WAD = 10**18
YEAR = 365 * 24 * 3600
MOMENT = AttestedMoment(
    time=1_000_000,
    due=WAD // 20 * 1_000_000,
    lending_index=WAD // 100,
    markets=MarketSnapshot(
        (Spot(2_000 * 10**9, 2_005 * 10**9, 3 * 10**9, WAD // 1000, WAD // 100),),
        (Surface(0, 2_000_000, 8 * WAD // 10, WAD // 10, 1_000_000, 0, WAD),),
        (CollateralQuote(2_000 * WAD, 1_000 * WAD, WAD // 10, WAD // 10),),
    ),
    scenarios=ScenarioSet(
        1,
        1,
        ((-10_000, 10_000, 0, -10_000), (0, 10_000, 0, 0), (10_000, 10_000, 0, 10_000)),
        (16 * WAD // 100, WAD // 2, WAD // 4, WAD // 100, 16 * WAD // 100),
    ),
    terms={
        0: (Instrument(Kind.PERPETUAL, 0), 0),
        8: (Instrument(Kind.CALL, 0, 2_000_000, 2_000 * 10**9), 0),
        9: (Instrument(Kind.PUT, 0, 900_000, 2_100 * 10**9), 2_000 * 10**9),
    },
)


def account(draw: random.Random) -> ClearingState:
    legs = tuple(
        ClearingLeg(instrument, size, size * draw.randint(1, 3_000) * 10**9)
        for instrument in (0, 8, 9)
        if (size := draw.randint(-5, 5) * draw.randint(1, 10**9))
    )
    cash = draw.choice((0, draw.randint(-(10**22), 10**22)))
    return ClearingState(
        cash, draw.randint(1, 10**6) * WAD // 20, draw.randint(0, 10**16), (draw.choice((0, 10**18)),), legs
    )


def book(seed: int, count: int) -> tuple[list[ClearingState], list[SolvencyLeaf]]:
    draw = random.Random(seed)
    states = [account(draw) for _ in range(count)]
    return states, [leaf_of(state, MOMENT) for state in states]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 13])
def test_a_true_tree_has_no_challenge(count: int) -> None:
    states, leaves = book(count, count)
    tree = SumTree(tuple(leaves))
    padded = [*leaves, *[EMPTY_LEAF] * (2**tree.depth - count)]
    assert false_leaves(padded, states, MOMENT) == []
    for index in range(2**tree.depth):
        shown = tree.opening(index)
        assert shown.root() == tree.root and shown.leaf == padded[index]
        assert tree.next_demand(shown) is None
    for word, each in enumerate(tree.root.sums.words()):
        assert each == sum(leaf.figures.words()[word] for leaf in leaves)
    with pytest.raises(MarginError):
        tree.opening(2**tree.depth)


def test_figures_are_equity_requirement_and_what_it_lacks() -> None:
    for state, leaf in zip(*book(1, 40), strict=True):
        at = leaf.figures
        assert leaf.state == state_hash(state)
        assert not (at.equity_above and at.equity_below)
        assert at.shortfall == max(0, at.requirement + at.equity_below - at.equity_above)


FALSEHOODS = [
    (ChallengeKind.EQUITY, {"equity_above": 1}),
    (ChallengeKind.EQUITY, {"equity_above": -1}),
    (ChallengeKind.EQUITY, {"equity_above": 1, "equity_below": 1}),
    (ChallengeKind.TOO_LOW, {"requirement": -1}),
    (ChallengeKind.TOO_HIGH, {"requirement": 1}),
    (ChallengeKind.SHORTFALL, {"shortfall": 1}),
]


@pytest.mark.parametrize(("kind", "by"), FALSEHOODS)
def test_a_figure_that_is_off_by_one_is_found(kind: ChallengeKind, by: dict[str, int]) -> None:
    state = ClearingState(10**21, 1, 0, (10**18,), (ClearingLeg(0, 10**9, 2 * 10**21),))
    true = leaf_of(state, MOMENT)
    figures = replace(true.figures, **{name: getattr(true.figures, name) + more for name, more in by.items()})
    (found,) = false_leaves([replace(true, figures=figures)], [state], MOMENT)
    assert found == LeafChallenge(kind, 0, 0 if kind is ChallengeKind.TOO_LOW else None)


def test_accounts_left_out_doubled_stale_or_made_up_are_found_by_their_numbers() -> None:
    states, leaves = book(7, 5)
    padded = [*leaves, *[EMPTY_LEAF] * 3]
    left_out = [*leaves[:2], *leaves[3:], *[EMPTY_LEAF] * 4]
    assert [each.index for each in false_leaves(left_out, states, MOMENT)] == [2, 3, 4]
    doubled = [*padded[:1], leaves[0], *padded[2:]]
    assert false_leaves(doubled, states, MOMENT) == [LeafChallenge(ChallengeKind.STATE, 1)]
    stale = [leaf_of(replace(states[0], cash=states[0].cash - 1), MOMENT), *padded[1:]]
    assert false_leaves(stale, states, MOMENT) == [LeafChallenge(ChallengeKind.STATE, 0)]
    made_up = [*padded[:7], leaves[0]]
    assert false_leaves(made_up, states, MOMENT) == [LeafChallenge(ChallengeKind.STATE, 7)]


def test_asking_leads_to_the_false_leaf_in_as_many_answers_as_the_tree_is_deep() -> None:
    states, leaves = book(9, 13)
    own = SumTree(tuple(leaves))
    draw = random.Random(9)
    for false in range(13):
        figures = replace(leaves[false].figures, requirement=leaves[false].figures.requirement + 1)
        theirs = SumTree((*leaves[:false], replace(leaves[false], figures=figures), *leaves[false + 1 :]))
        asked: int | None = draw.randrange(16)
        answers = 0
        while asked is not None and asked != false:
            shown = theirs.opening(asked)
            assert shown.root() == theirs.root
            asked = own.next_demand(shown)
            answers += 1
        assert asked == false and answers <= own.depth
    assert len(states) == 13


def test_a_node_that_does_not_add_up_is_found_with_its_way_from_the_root() -> None:
    _, leaves = book(11, 8)
    levels = [list(level) for level in SumTree(tuple(leaves)).levels]
    assert first_false_sums(levels) is None
    false = levels[1][2]
    levels[1][2] = replace(false, sums=false.sums.plus(SolvencyFigures(shortfall=1)))
    levels[2][1] = parent(*levels[1][2:4])
    levels[3][0] = parent(*levels[2])
    found = first_false_sums(levels)
    assert found is not None
    index, pairs = found
    assert index == 4 and pairs == (*levels[2], *levels[1][2:4], *levels[0][4:6])


def test_depth_is_the_least_with_room() -> None:
    assert [depth_for(n) for n in (0, 1, 2, 3, 4, 5, 8, 9)] == [0, 0, 1, 2, 2, 3, 3, 4]


def test_interest_is_up_on_debts_and_down_on_balances() -> None:
    assert cash_with_interest(-100, WAD // 20 * YEAR, 7) == -105
    assert cash_with_interest(-1, 1, 0) == -2
    assert cash_with_interest(-1, 0, 0) == -1
    assert cash_with_interest(3, WAD * YEAR, WAD // 2) == 4
