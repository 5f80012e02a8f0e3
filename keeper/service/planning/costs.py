"""What acting costs and may cost, in the unit of account: gas, the least profit, what is left of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keeper.chain.blocks import Head
from keeper.config import ChainSettings, Policy
from keeper.execution import journal
from keeper.model.money import money
from keeper.model.purse import Purse
from keeper.policy.costs import Budget, Costs, Spending
from keeper.policy.levels import Protection
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.service.planning.gas_money import gas_reserve
from keeper.service.planning.native_price import native_price

DAY = 24 * 3600
LOSSES_PER_DAY = 10
"""A day's losses may come to this many times the most that one account's bad debt may lose, unless
configured."""


def costs_of(
    settings: ChainSettings,
    markets: Sequence[Market],
    purses: Mapping[str, Purse],
    gas_price: int,
    data_fee: int = 0,
    lost: int = 0,
) -> Costs:
    """The costs of acting on a chain with these markets, at `gas_price` wei per gas and `data_fee` wei per
    plan. `purses` by market, of those that were read; `lost` is the money that realizing bad debt may have
    cost today."""
    policy = settings.policy
    return Costs(
        gas_price,
        native_price(settings, markets, purses),
        money(policy.min_profit),
        gas_reserve(settings, gas_price),
        data_fee,
        money(policy.max_bad_debt_loss) if policy.realize_bad_debt else None,
        Budget(losses_of_a_day(policy), Spending(lost)) if policy.realize_bad_debt else None,
    )


def losses_of_a_day(policy: Policy) -> int:
    """Money that realizing bad debt may cost per day, on all chains."""
    a_day = policy.max_bad_debt_loss_per_day
    return money(policy.max_bad_debt_loss * LOSSES_PER_DAY if a_day is None else a_day)


@dataclass(slots=True)
class Budgets:
    """What accounts and owners may still cost today. An owner has one budget across all markets: each of
    their caps counts what all of their top-ups have spent, those chosen in the same tick included."""

    chain: ChainContext
    head: Head
    _owners: dict[str, Spending] = field(default_factory=dict)

    def of(self, market: str, account: str, protection: Protection | None) -> list[Budget]:
        found = []
        store, mode, since = self.chain.store, self.chain.mode, self.head.timestamp - DAY
        most, whose = self.chain.settings.policy.max_spend_per_account_day, self.chain.policies.owner
        if most is not None:
            with store.session() as session:
                spent = journal.spent_since(session, market, account, mode, since)
            found.append(Budget(money(most), Spending(spent)))
        if protection is not None:
            owner = whose(market, account)
            if owner not in self._owners:
                with store.session() as session:
                    spent = journal.spent_for_owner(session, owner, whose, mode, since)
                self._owners[owner] = Spending(spent)
            found.append(Budget(protection.max_spend_per_owner_day, self._owners[owner]))
        return found
