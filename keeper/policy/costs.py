"""What acting costs, and what may be spent on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.model.money import WAD, Rate
from keeper.model.plan import Plan


@dataclass(slots=True)
class Spending:
    """Money (1e-18 of the unit of account) spent today for one account or one owner."""

    spent: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap on spending per day; several budgets can watch the same spending."""

    cap: int
    spending: Spending

    @property
    def left(self) -> int:
        return max(self.cap - self.spending.spent, 0)


def affordable(budgets: Sequence[Budget], rate: Rate) -> int | None:
    """Base units that all these budgets allow; None without any."""
    return rate.base_down(min(each.left for each in budgets)) if budgets else None


@dataclass(frozen=True, slots=True)
class Costs:
    """What gas costs: wei per gas, and money per whole native coin (None where unknown).

    `data_fee` is the wei that the chain charges for one plan's data besides gas; `gas_reserve` the wei that
    liquidations leave for the top-ups of protected accounts; `max_loss` the money that realizing bad debt may
    lose (None: bad debt is not realized).
    """

    gas_price: int
    native: int | None
    min_profit: int
    gas_reserve: int = 0
    data_fee: int = 0
    max_loss: int | None = None
    losses: Budget | None = None
    """The cap on all of a day's losses together; None: no limit."""

    def wei(self, gas: int) -> int:
        """Wei that one plan of this gas costs, data fee included."""
        return gas * self.gas_price + self.data_fee

    def money(self, gas: int) -> int:
        """Money that this much gas and one plan's data cost, rounded up."""
        return -(-self.wei(gas) * (self.native or 0) // WAD)

    def coins(self, wei: int) -> int:
        """Money that this many wei are worth, rounded up; 0: native price unknown (then no plan is made at
        all)."""
        return -(-wei * (self.native or 0) // WAD)

    def gas_budget(self, spare: int) -> int | None:
        """Most wei of gas that `spare` money pays for, data fee deducted, rounded down. None: native price
        unknown."""
        return spare * WAD // self.native - self.data_fee if self.native else None

    def gain_wei(self, money: int) -> int | None:
        """Wei that this much money is worth, rounded down. None: native price unknown."""
        return money * WAD // self.native if self.native else None

    def risking(self, plan: Plan, least: int) -> Plan:
        """The plan with the loss it risks beyond what every liquidation may lose; that loss counts against
        the day's losses from now on."""
        loss = max(min(self.min_profit, 0) - least, 0)
        if loss and self.losses is not None:
            self.losses.spending.spent += loss
        return replace(plan, loss=loss)

    @property
    def unknown(self) -> bool:
        """Whether the cost of gas is unknown: then no profit is known either."""
        return self.native is None and bool(self.gas_price or self.data_fee)

    def least(self, *, underwater: bool) -> int:
        """The profit (money) that a liquidation must bring; negative where a loss is allowed."""
        if underwater and self.max_loss is not None:
            left = self.max_loss if self.losses is None else min(self.max_loss, self.losses.left)
            return min(self.min_profit, -left)
        return self.min_profit
