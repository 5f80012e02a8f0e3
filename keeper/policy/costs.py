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
    """A cap on what is spent a day; several budgets can watch the same spending."""

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
    """What gas costs: wei a unit of gas, and money a whole native coin (None where unknown).

    `data_fee` is the wei that the chain charges for one plan's data besides gas; `gas_reserve` the wei that
    liquidations leave for the top-ups of protected accounts; `max_loss` the money that realizing bad debt may
    lose (None: it is not done).
    """

    gas_price: int
    native: int | None
    min_profit: int
    gas_reserve: int = 0
    data_fee: int = 0
    max_loss: int | None = None
    losses: Budget | None = None
    """What all of a day's losses together may come to; None: no limit."""

    def wei(self, gas: int) -> int:
        """What one plan that takes so much gas costs."""
        return gas * self.gas_price + self.data_fee

    def money(self, gas: int) -> int:
        """What that much gas costs with the data of one plan, rounded up."""
        return -(-self.wei(gas) * (self.native or 0) // WAD)

    def coins(self, wei: int) -> int:
        """What so many wei are worth, rounded up; 0 where nobody can say (then no plan is made at all)."""
        return -(-wei * (self.native or 0) // WAD)

    def gas_budget(self, spare: int) -> int | None:
        """Wei that gas may cost where so much money can be spared for gas and data, rounded down; None where
        nobody can say."""
        return spare * WAD // self.native - self.data_fee if self.native else None

    def gain_wei(self, money: int) -> int | None:
        """What so much money is worth in wei, rounded down; None where nobody can say."""
        return money * WAD // self.native if self.native else None

    def risking(self, plan: Plan, least: int) -> Plan:
        """The plan with the loss that it may bring beyond what every liquidation may: that counts against the
        day's from now on."""
        loss = max(min(self.min_profit, 0) - least, 0)
        if loss and self.losses is not None:
            self.losses.spending.spent += loss
        return replace(plan, loss=loss)

    @property
    def unknown(self) -> bool:
        """Whether nobody can say what gas costs: then no profit can be told either."""
        return self.native is None and bool(self.gas_price or self.data_fee)

    def least(self, *, underwater: bool) -> int:
        """The profit (money) that a liquidation must bring; negative where a loss is allowed."""
        if underwater and self.max_loss is not None:
            left = self.max_loss if self.losses is None else min(self.max_loss, self.losses.left)
            return min(self.min_profit, -left)
        return self.min_profit
