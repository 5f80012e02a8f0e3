"""How far prices may move before a margin call, liquidation, or zero equity of an account.

Equity and requirement are both revalued at every moved price. The search walks outwards on a grid of log
moves and bisects the first step at which the account fails; a failure narrower than one step, with recovery
inside it, is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.options.checks import Mask, finite_array
from keeper.margin.portfolio.accounts import Accounts
from keeper.margin.portfolio.engine import Valuation, evaluate
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import DprmParameters

# Log moves up to e^±3 (−95 %, +1,900 %), 1 % per step, then halved to below 1e-12.
_REACH = 3.0
_STEPS = 300
_HALVINGS = 40


class Level(Enum):
    """The level that an account may fall below."""

    CALL = "margin call"
    LIQUIDATION = "liquidation"
    ZERO = "zero equity"

    def surplus(self, valuation: Valuation) -> Array:
        """Equity above the level, shape (accounts,); the account fails where it is below 0."""
        required = {
            Level.CALL: valuation.initial,
            Level.LIQUIDATION: valuation.maintenance,
            Level.ZERO: np.zeros_like(valuation.equity),
        }
        return valuation.equity - required[self]


@dataclass(frozen=True, slots=True)
class Move:
    """The nearest failing moves along one line, as price factors: `down` < 1 < `up`; None: beyond reach.

    Both are 1 where the account already fails.
    """

    down: float | None
    up: float | None

    @property
    def nearest(self) -> float | None:
        """The smaller of the two log moves, as a price factor."""
        moves = [factor for factor in (self.down, self.up) if factor is not None]
        return min(moves, key=lambda factor: abs(np.log(factor)), default=None)


@dataclass(frozen=True, slots=True)
class Distances:
    """Moves to one level: each underlying alone (by name), and all underlyings by the same factor."""

    level: Level
    alone: dict[str, Move]
    together: Move


def distances(
    accounts: Accounts, account: int, market: MarketData, p: DprmParameters, level: Level
) -> Distances:
    """Nearest failing moves of one account of a book, up to a factor of e^±3."""
    one = accounts.one(account)
    here = market if market.spot.ndim == 1 else MarketData(market.names, market.spot[account])
    count = len(market.names)
    lines = np.concatenate([np.eye(count), np.ones((1, count))])
    radii = first_failures(one, here, p, level, np.concatenate([lines, -lines]))
    up, down = (
        [None if np.isinf(r) else float(np.exp(sign * r)) for r in part]
        for sign, part in ((1.0, radii[: count + 1]), (-1.0, radii[count + 1 :]))
    )
    moves = [Move(low, high) for low, high in zip(down, up, strict=True)]
    return Distances(level, dict(zip(market.names, moves[:count], strict=True)), moves[count])


def first_failures(
    one: Accounts,
    market: MarketData,
    p: DprmParameters,
    level: Level,
    directions: Array,
    *,
    within: float = np.inf,
    steps: int = _STEPS,
) -> Array:
    """Length along each log-price direction (directions, underlyings) at which a book of one first fails.

    +inf where it does not fail within the module's reach (the largest log move of any underlying) nor within
    the length `within`, 0 where it fails already. Lengths are in units of the direction given; the walk
    takes `steps` steps.
    """
    scale = np.minimum(_REACH / np.abs(directions).max(axis=1), within)
    if _fails(one, market, p, level, np.zeros((1, directions.shape[1])))[0]:
        return np.zeros(len(directions))
    found = np.full(len(directions), np.inf)
    high = np.full(len(directions), np.inf)
    walk = np.arange(1, steps + 1) / steps
    for i, direction in enumerate(directions):
        failed = _fails(one, market, p, level, (walk * scale[i])[:, np.newaxis] * direction)
        if failed.any():
            high[i] = walk[int(np.argmax(failed))] * scale[i]
    hit = np.flatnonzero(np.isfinite(high))
    if not hit.size:
        return found
    low, top = high[hit] - scale[hit] / steps, high[hit]
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + top)
        failed = _fails(one, market, p, level, middle[:, np.newaxis] * directions[hit])
        low, top = np.where(failed, low, middle), np.where(failed, middle, top)
    found[hit] = top
    return found


def book_failures(
    accounts: Accounts,
    market: MarketData,
    p: DprmParameters,
    level: Level,
    direction: Array,
    *,
    steps: int = _STEPS,
    workers: int = 1,
) -> Array:
    """Length along one log-price direction (underlyings,) at which each account of a book first fails.

    Shape (accounts,): as `first_failures` for each account, in whole passes over the book (`steps` to walk
    and 40 to bisect, so choose fewer steps for large books). +inf and 0 as there.
    """
    line = finite_array(direction, "direction")
    scale = _REACH / float(np.abs(line).max())

    def failing(lengths: Array) -> Mask:
        moved = market.moved(np.exp(lengths[:, np.newaxis] * line))
        return np.asarray(level.surplus(evaluate(accounts, moved, p, workers=workers)) < 0)

    high = np.where(failing(np.zeros(len(accounts))), 0.0, np.inf)
    for step in range(1, steps + 1):
        if np.isfinite(high).all():
            break
        length = scale * step / steps
        failed = failing(np.full(len(accounts), length))
        high = np.where(np.isinf(high) & failed, length, high)
    hit = np.isfinite(high) & (high > 0)
    low = np.where(hit, high - scale / steps, 0.0)
    for _ in range(_HALVINGS if hit.any() else 0):
        middle = np.where(hit, 0.5 * (low + high), 0.0)
        failed = failing(middle)
        low, high = np.where(hit & ~failed, middle, low), np.where(hit & failed, middle, high)
    return high


def _fails(one: Accounts, market: MarketData, p: DprmParameters, level: Level, log_moves: Array) -> Mask:
    moved = market.moved(np.exp(log_moves))
    return np.asarray(level.surplus(evaluate(one.copies(len(log_moves)), moved, p)) < 0)
