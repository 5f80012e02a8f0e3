"""Sizing top-ups by rehearsal, against the contract's own view, where our arithmetic is not the
contract's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isqrt

from keeper.chain.answers import CannotError, RpcError
from keeper.chain.pool import NodePool
from keeper.execution.rehearsal import Rehearsal, rehearse_whole
from keeper.model.cure import Unsized
from keeper.model.plan import Blocked, Plan

# Rehearsals that one account may take: within a factor of two after some seven, then a bit each.
MOST_REHEARSALS = 24
# An amount is near enough when at most this fraction of it is too much.
NEAR = 1000
# Interest until inclusion: the action is worth sending if it comes this near to the target.
SLACK = 10_000


@dataclass(slots=True)
class RehearsalSizing:
    """One account's search: how many rehearsals are left, as which payer and for which time."""

    pool: NodePool
    payer: str
    timestamp: int
    left: int = field(default=MOST_REHEARSALS)

    def size(self, steps: Sequence[Unsized | Blocked], before: int, target: int) -> Plan | Blocked:
        """The first step that reaches `target`, at about the least amount; else the first that helps.

        Healths scaled 1e18; `before` is the present one.
        """
        partial: Plan | None = None
        reasons: list[str] = []
        try:
            for step in steps:
                if isinstance(step, Blocked):
                    reasons.append(step.reason)
                    continue
                all_of_it = self._rehearse(step.plan(step.most, target))
                if all_of_it.ok:
                    floor = target - target // SLACK
                    return step.plan(self._least(step, target), floor)
                helps = step.plan(step.most, before + 1)
                tried = self._rehearse(helps)
                if not tried.ok:
                    reasons.append(f"{step.name}: {tried.problem}")
                elif partial is None:
                    partial = helps
        except (RpcError, CannotError) as error:
            return Blocked(f"sizing by the contract's view needs a rehearsal: {error.what}")
        return partial or Blocked("; ".join(reasons) or "there is nothing to top up with")

    def _least(self, step: Unsized, target: int) -> int:
        """An amount that reaches the target, near the least, as far as rehearsals are left."""
        low, high = 1, step.most
        while high - low > high // NEAR and self.left > 0:
            middle = isqrt(low * high) if high > 4 * low else (low + high) // 2
            if self._rehearse(step.plan(middle, target)).ok:
                high = middle
            else:
                low = middle
        return high

    def _rehearse(self, plan: Plan) -> Rehearsal:
        if self.left <= 0:
            return Rehearsal((), (), "too many rehearsals in one block")
        self.left -= 1
        return rehearse_whole(self.pool, self.payer, plan, (), self.timestamp)
