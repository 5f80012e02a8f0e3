"""Transactions that several plans share, and the gas that each adds. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keeper.model.plan import Plan


class BatchRules(Protocol):
    """Which plans can share a transaction, and the gas it takes."""

    def key(self, plan: Plan) -> Hashable | None: ...

    def gas_of(self, plans: Sequence[Plan]) -> int: ...

    def fits(self, plans: Sequence[Plan]) -> bool: ...


@dataclass(slots=True)
class Sharing:
    """The transactions that are being filled: a plan that joins one costs less gas than alone."""

    batches: BatchRules | None
    groups: dict[Hashable, list[Plan]] = field(default_factory=dict)

    def gas(self, plan: Plan) -> int:
        """What the plan adds, in the transaction it would join; else what it takes alone."""
        group = self._joins(plan)
        if group is None or self.batches is None:
            return plan.gas
        return self.batches.gas_of([*group, plan]) - self.batches.gas_of(group)

    def add(self, plan: Plan) -> None:
        key = self.batches.key(plan) if self.batches else None
        if key is None:
            return
        group = self._joins(plan)
        self.groups[key] = [*(group or ()), plan]

    def _joins(self, plan: Plan) -> list[Plan] | None:
        key = self.batches.key(plan) if self.batches else None
        group = self.groups.get(key) if key is not None else None
        if group is None or self.batches is None or not self.batches.fits([*group, plan]):
            return None
        return group
