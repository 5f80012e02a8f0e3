"""Which joint scenarios are in a set, from stated correlations.

One driver after the other moves by so many widths, and everything else by its correlation with the driver,
the expectation of jointly normal moves given the driver's. The basis moves with the driver, by a share of its
own width. Volatility is up, unchanged and down at each. Separate losses are never offset by a correlation:
only what is in the set counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from keeper.errors import MarginError
from keeper.margin.portfolio.clearinghouse.scenarios import MOST_SCENARIOS
from keeper.margin.portfolio.clearinghouse.valuation import STEP

Row = tuple[int, ...]
HALVES = (-1.0, -0.5, 0.5, 1.0)


def joint_rows(
    correlations: Sequence[Sequence[float]],
    underlyings: int,
    moves: Sequence[float] = HALVES,
    turns: Sequence[float] = (1.0, 0.0, -1.0),
    basis: float = 0.25,
) -> list[Row]:
    """Rows of steps (ten-thousandths of a width) for the maintenance set, none twice, the calm ones first.

    `correlations` is square and symmetric with ones on its diagonal: first the underlyings, then the
    collaterals. MarginError where it is not, or where more rows come out than a set may have.
    """
    size = len(correlations)
    for i, row in enumerate(correlations):
        for j, value in enumerate(row):
            if len(row) != size or abs(value) > 1 or value != correlations[j][i] or (i == j and value != 1):
                raise MarginError(
                    f"is no correlation at {i}, {j}",
                    field="correlations",
                    remedy="Give a symmetric matrix of numbers from −1 to 1 with ones on its diagonal",
                )
    calm = [_row([0.0] * size, turn, 0.0, underlyings) for turn in turns]
    driven = [
        _row([each * move for each in correlations[driver]], turn, move * basis, underlyings)
        for driver in range(size)
        for move in moves
        for turn in turns
    ]
    found = list(dict.fromkeys([*calm, *driven]))
    if len(found) > MOST_SCENARIOS:
        raise MarginError(
            f"come to {len(found)} scenarios, a set has {MOST_SCENARIOS} at most",
            field="correlations",
            remedy="Give fewer moves or turns",
        )
    return found


def wider_rows(correlations: Sequence[Sequence[float]], underlyings: int, move: float = 1.5) -> list[Row]:
    """What the initial set has besides: each driver farther, either way, with volatility up."""
    rows = [
        _row([each * side for each in correlations[driver]], 1.0, side / 4, underlyings)
        for driver in range(len(correlations))
        for side in (-move, move)
    ]
    return list(dict.fromkeys(rows))


def _row(moves: Sequence[float], turn: float, basis: float, underlyings: int) -> Row:
    steps: list[int] = []
    for move in moves[:underlyings]:
        steps += [round(move * STEP), round(turn * STEP), round(basis * STEP)]
    return (*steps, *(round(move * STEP) for move in moves[underlyings:]))
