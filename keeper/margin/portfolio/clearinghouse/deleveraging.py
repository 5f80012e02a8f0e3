"""Who pays what the clearinghouse's fund lacks: Deleveraging.sol and Haircuts.sol in integers.

Money has 18 decimals, sizes and prices 9. Shares of a whole are rounded up and capped by what is left, so
that exactly the whole is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

WAD = 10**18
MOST_WEIGHED = 24
"""Accounts that a page weighs at most."""
MOST_CHARGED = 64
"""Accounts that a page charges at most."""
MOST_PASSES = 4
"""After so many passes the rest goes by profit and by size."""
_MOST = 2**128 - 1


class DeleveragingRule(IntEnum):
    """From whom it is taken; the contract's numbers."""

    RISK_AWARE = 0
    PRO_RATA = 1
    QUEUE = 2


@dataclass(frozen=True, slots=True)
class FrozenPrice:
    """A round's price: the mark, and what profit counts by, of a perpetual the mark less funding."""

    mark: int
    counted: int
    is_perpetual: bool


@dataclass(frozen=True, slots=True)
class WinningPosition:
    """A position on the winning side, and the equity of all else its account has (None: nobody can tell)."""

    account: int
    size: int
    cost: int
    other_equity: int | None


@dataclass(frozen=True, slots=True)
class Winner:
    """A weighed account: what may yet be taken, the equity left with it, its size and what of it is open."""

    account: int
    profit: int
    equity: int
    size: int
    open: int
    rank: int = 0


@dataclass(slots=True)
class Haircut:
    """What a round takes: charges and closed sizes per account, what is left to the fund, passes needed."""

    charged: dict[int, int] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    deficit: int = 0
    passes: int = 0


@dataclass(frozen=True, slots=True)
class WeighingPage:
    """Arguments of one `weigh`: accounts, and for each a hint, an account that ranks before it plus one."""

    accounts: tuple[int, ...]
    hints: tuple[int, ...]


@dataclass(slots=True)
class _Left:
    """What is still owed and unwanted, and what there is to take it from."""

    owed: int
    unwanted: int
    profit: int
    size: int


def weigh(position: WinningPosition, price: FrozenPrice) -> Winner:
    """The account as a round counts it: min(profit, equity⁺), with the position at the frozen price."""
    size, worth = abs(position.size), position.size * price.counted
    profit = worth - position.cost
    if profit <= 0:
        return Winner(position.account, 0, 0, size, size)
    equity = profit
    if position.other_equity is not None:
        equity = position.other_equity + (profit if price.is_perpetual else worth)
        equity = min(max(equity, 0), _MOST)
    taken = min(profit, equity)
    rank = _rank(taken, equity, size * price.mark, abs(position.cost))
    return Winner(position.account, taken, equity, size, size, rank)


def _rank(profit: int, equity: int, notional: int, paid: int) -> int:
    """(profit / |cost|) · (notional / equity), each factor rounded down and below 2¹²⁸."""
    if profit == 0:
        return 0
    gain = min(profit * WAD // (paid or 1), _MOST)
    leverage = min(notional * WAD // equity, _MOST)
    return min(gain * leverage // WAD, _MOST)


def weight(rule: DeleveragingRule, winner: Winner, mark: int) -> int:
    """⌈profit · notional / equity⌉ where the rule is risk-aware, else the profit."""
    if winner.profit == 0 or rule is not DeleveragingRule.RISK_AWARE:
        return winner.profit
    return _divide_up(winner.profit * winner.size * mark, winner.equity)


def charging_order(rule: DeleveragingRule, winners: Iterable[Winner]) -> list[Winner]:
    """A queue by falling rank, then by number; otherwise as they were weighed."""
    if rule is not DeleveragingRule.QUEUE:
        return list(winners)
    return sorted(winners, key=lambda each: (-each.rank, each.account))


def deleverage(
    rule: DeleveragingRule, mark: int, winners: Iterable[Winner], *, owed: int, unwanted: int = 0
) -> Haircut:
    """Take `owed` of the winners' profit and close `unwanted` against their positions.

    `winners` are the whole side in the order in which they were weighed, and `unwanted` is no more than their
    sizes together.
    """
    line = charging_order(rule, winners)
    done = Haircut()
    left = _Left(owed, unwanted, sum(each.profit for each in line), sum(each.open for each in line))
    while left.unwanted or (left.owed and left.profit):
        done.passes += 1
        line = _pass(rule, mark, line, left, done)
    done.deficit = left.owed
    return done


def _pass(
    rule: DeleveragingRule, mark: int, line: Sequence[Winner], left: _Left, done: Haircut
) -> list[Winner]:
    """One pass over everybody by the weights that its beginning gives."""
    began = replace(left)
    weights = [weight(rule, each, mark) for each in line]
    total = sum(weights)
    closing = sum(own for each, own in zip(line, weights, strict=True) if each.open)
    is_last = done.passes > MOST_PASSES
    by_size = is_last or closing == 0
    by_profit = is_last or total == 0 or began.profit <= began.owed
    after = []
    for winner, own in zip(line, weights, strict=True):
        size, amount = winner.open, winner.profit
        if rule is not DeleveragingRule.QUEUE:
            part, whole = (size, began.size) if by_size else (own, closing)
            size = min(size, _share(began.unwanted, part, whole))
            part, whole = (amount, began.profit) if by_profit else (own, total)
            amount = min(amount, _share(began.owed, part, whole))
        size, amount = min(size, left.unwanted), min(amount, left.owed)
        left.unwanted, left.size = left.unwanted - size, left.size - size
        left.owed, left.profit = left.owed - amount, left.profit - amount
        if size:
            done.closed[winner.account] = done.closed.get(winner.account, 0) + size
        if amount:
            done.charged[winner.account] = done.charged.get(winner.account, 0) + amount
        after.append(
            replace(
                winner, open=winner.open - size, profit=winner.profit - amount, equity=winner.equity - amount
            )
        )
    return after


def lacking(equity: int, pledged: int, sale_value: int, loss: int) -> int:
    """What an insolvent account whose position is closed lacks, at most what the position has lost.

    `pledged` is its collateral after haircuts, which `equity` counts; `sale_value` what selling it brings.
    """
    return max(0, min(loss, -(equity - pledged + sale_value)))


def weighing_pages(
    rule: DeleveragingRule, winners: Iterable[Winner], most: int = MOST_WEIGHED
) -> Iterator[WeighingPage]:
    """The pages that weigh a side. Of a queue each hint is the account before, so that none is looked for."""
    line = charging_order(rule, winners)
    hints = [0] + [each.account + 1 for each in line]
    for start in range(0, len(line), most):
        page = line[start : start + most]
        queued = tuple(hints[start : start + len(page)]) if rule is DeleveragingRule.QUEUE else ()
        yield WeighingPage(tuple(each.account for each in page), queued)


def charging_pages(accounts: int, passes: int, most: int = MOST_CHARGED) -> list[int]:
    """The counts of all `charge` calls of a round of so many accounts: no page goes beyond its pass."""
    full, rest = divmod(accounts, most)
    return ([most] * full + ([rest] if rest else [])) * passes


def _share(whole: int, part: int, total: int) -> int:
    return _divide_up(whole * part, total) if total else 0


def _divide_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
