"""Choosing among all breaches of a tick: the most valuable first, nothing promised twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from keeper.model.format import format_money
from keeper.model.money import Rate
from keeper.model.plan import CURES, NATIVE, Blocked, Kind, Plan, kept_of
from keeper.policy.costs import Budget, Costs
from keeper.policy.profit import demanding

ONE = Rate()
# Of what a purchase in a later block may bring, gas may take one part in so many before it.
PART_FOR_LATER = 10
USED_UP = "what its unpaid upkeep may cost in a day does not pay for the gas now"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A breach that asks for an action, as far as choosing compares it. `plan` sizes it against the funds it
    is given, best first; `reserve` is called with the chosen plan, so that plans sized later know of it.

    Whatever is done is paid from all `budgets`; without any there is no limit. `rate` turns the plans' base
    units into money. `underwater`: the account's collateral is worth less than its debt.
    """

    market: str
    account: str
    kind: Kind
    health: int
    budgets: Sequence[Budget]
    plan: Callable[[Mapping[str, int]], list[Plan] | Blocked]
    reserve: Callable[[Plan], None] = lambda _: None
    underwater: bool = False
    rate: Rate = ONE
    unpaid: bool = False
    """Whether it is done for an account that we protect, whatever it earns."""
    chore: bool = False
    """Whether it is unpaid work for the market: done after all else, and within its plan's gas budget."""

    @property
    def key(self) -> tuple[str, str, Kind]:
        """The key that identifies a candidate: market, account, kind."""
        return self.market, self.account, self.kind

    def affords(self, plan: Plan) -> bool:
        """Whether all budgets have what the plan spends."""
        spend = self.rate.up(plan.spend_base)
        return all(spend <= budget.left for budget in self.budgets)

    def pay(self, plan: Plan) -> None:
        for budget in self.budgets:
            budget.spending.spent += self.rate.up(plan.spend_base)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for a candidate: a plan to commit, or why there is none."""

    candidate: Candidate
    outcome: Plan | Blocked

    @property
    def plan(self) -> Plan | None:
        """The plan; None where nothing can be done."""
        return self.outcome if isinstance(self.outcome, Plan) else None

    @property
    def blocked(self) -> Blocked | None:
        """Why nothing can be done; None where there is a plan."""
        return self.outcome if isinstance(self.outcome, Blocked) else None


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
        """Gas that the plan adds to the transaction it would join; else what it takes alone."""
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


def choose(
    candidates: list[Candidate], funds: Mapping[str, int], costs: Costs, batches: BatchRules | None = None
) -> list[Decision]:
    """Decisions in the order in which their plans should be sent.

    Top-ups come before liquidations, the lowest health first; liquidations by gain after gas. Each plan
    reduces the funds of those after it by what it spends; plans that can share a transaction are charged the
    gas they add to it. Liquidations that do not pay for themselves alone are tried once more together.
    Chores, which nobody pays for, come last."""
    left = dict(funds)
    sharing = Sharing(batches)
    decisions: list[Decision] = []
    cures, liquidations, chores = _by_kind(candidates)
    top_ups = sorted(cures, key=lambda each: each.health)
    for candidate in top_ups:
        plans = candidate.plan(left)
        found = plans if isinstance(plans, Blocked) else plans[0]
        if isinstance(found, Plan) and not candidate.affords(found):
            found = Blocked("the day's cap does not allow it")
        gas = found.gas if isinstance(found, Plan) else 0
        decisions.append(Decision(candidate, _take(candidate, found, left, costs, gas)))
    valued = [(each, _best(each, left, costs, sharing)) for each in liquidations]
    valued.sort(key=lambda pair: -_gain(pair[0], pair[1], costs, sharing))
    refused: list[Candidate] = []
    for candidate, _ in valued:
        outcome = _chosen(candidate, left, costs, sharing)
        decisions.append(Decision(candidate, outcome))
        if isinstance(outcome, Blocked):
            refused.append(candidate)
    if batches is not None and refused:
        together = {d.candidate.key: d for d in _together(refused, left, costs, sharing, batches)}
        decisions = [together.get(decision.candidate.key, decision) for decision in decisions]
    return [*decisions, *(_done(each, left, costs) for each in chores)]


def _done(chore: Candidate, left: dict[str, int], costs: Costs) -> Decision:
    """Decide on a chore, as far as its gas budget allows."""
    plans = chore.plan(left)
    if isinstance(plans, Blocked):
        return Decision(chore, plans)
    [plan] = plans
    budget = (plan.gas_budget or 0) - costs.data_fee
    if plan.gas * costs.gas_price > budget:
        return Decision(chore, Blocked(USED_UP))
    return Decision(chore, _take(chore, replace(plan, gas_budget=budget), left, costs, plan.gas))


def _by_kind(
    candidates: Sequence[Candidate],
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """The candidates that help protected accounts, those that earn, and the market's unpaid chores."""
    cures: list[Candidate] = []
    liquidations: list[Candidate] = []
    chores: list[Candidate] = []
    for each in candidates:
        match each.kind:
            case _ if each.chore:
                chores.append(each)
            case "top_up":
                cures.append(each)
            case "settle" if each.unpaid:
                cures.append(each)
            case "liquidate" | "settle":
                liquidations.append(each)
            case _:
                raise ValueError(f"nobody knows how to choose among actions of kind {each.kind}")
    return cures, liquidations, chores


def _chosen(
    candidate: Candidate, left: dict[str, int], costs: Costs, sharing: Sharing, *, asked: bool = True
) -> Plan | Blocked:
    """The best plan now, counted as taken. Without `asked` it need not earn the least profit."""
    best = _best(candidate, left, costs, sharing, asked=asked)
    if isinstance(best, Blocked):
        return best
    gas = sharing.gas(best)
    outcome = _take(candidate, best, left, costs, gas)
    if isinstance(outcome, Plan):
        least = costs.least(underwater=candidate.underwater)
        if candidate.rate.down(outcome.gain_base) - costs.money(gas) >= costs.min_profit:
            # What earns something need lose nothing: the day's losses are for those that do.
            least = costs.min_profit
        budget = costs.gas_budget(_for_gas(candidate, outcome, least))
        outcome = demanding(outcome, candidate.rate.base_up(costs.money(gas) + least))
        gain_wei = costs.gain_wei(candidate.rate.down(outcome.gain_base))
        outcome = costs.risking(replace(outcome, gas_budget=budget, gain_wei=gain_wei), least)
        sharing.add(outcome)
        candidate.reserve(outcome)
    return outcome


def _best(
    candidate: Candidate, funds: Mapping[str, int], costs: Costs, sharing: Sharing, *, asked: bool = True
) -> Plan | Blocked:
    """The best liquidation within budget that earns the least profit asked for."""
    plans = candidate.plan(funds)
    if isinstance(plans, Blocked):
        return plans
    if costs.unknown:
        return Blocked("nothing tells what gas costs: set native_price of the chain")
    within = [plan for plan in plans if candidate.affords(plan)]
    if not within:
        return Blocked("the day's cap for this account does not allow it")

    def profit(plan: Plan) -> int:
        return candidate.rate.down(plan.gain_base) - costs.money(sharing.gas(plan))

    best, least = max(within, key=profit), costs.least(underwater=candidate.underwater)
    # What is sold at once at a known price is preferred to what is only valued.
    sold = [p for p in within if p.batch_item is not None and profit(p) >= least]
    if best.batch_item is None and sold:
        best = max(sold, key=profit)
    # What can be had at once is preferred to claims that must wait, if it earns enough.
    paid_out = [p for p in within if not p.redeem and profit(p) >= least]
    if best.redeem and paid_out:
        best = max(paid_out, key=profit)
    earned = profit(best)
    if asked and earned < least:
        wanted = format_money(costs.min_profit)
        return Blocked(f"would earn {format_money(earned)} after gas, less than min_profit ({wanted})")
    if asked and best.kept and costs.money(sharing.gas(best)) > _for_gas(candidate, best, least):
        return Blocked("gas would take too much of what a purchase may bring later")
    return replace(best, summary={**best.summary, "profit": format_money(earned)})


def _for_gas(candidate: Candidate, plan: Plan, least: int) -> int:
    """Money that gas may cost for the plan to earn the least profit. Only a small part where it earns by a
    purchase in a later block, which others may make first."""
    gain = candidate.rate.down(plan.gain_base)
    return min(gain - least, gain // PART_FOR_LATER) if plan.kept else gain - least


def _together(
    refused: list[Candidate], left: dict[str, int], costs: Costs, sharing: Sharing, batches: BatchRules
) -> list[Decision]:
    """The liquidations that do not pay for a transaction of their own but pay for a shared one."""
    small: dict[Hashable, list[tuple[int, Candidate, Plan]]] = {}
    for candidate in refused:
        found = _best(candidate, left, costs, sharing, asked=False)
        key = batches.key(found) if isinstance(found, Plan) else None
        if isinstance(found, Plan) and key is not None and key not in sharing.groups:
            spare = candidate.rate.down(found.gain_base) - costs.least(underwater=candidate.underwater)
            small.setdefault(key, []).append((spare, candidate, found))
    decisions = []
    for members in small.values():
        members.sort(key=lambda each: -each[0])
        best_count, best_excess = 0, -1
        for count in range(2, len(members) + 1):
            plans = [plan for _, _, plan in members[:count]]
            if not batches.fits(plans):
                break
            # Each pays for its own data; the gas is one transaction's.
            data = count * costs.money(0)
            gas = costs.money(batches.gas_of(plans)) - costs.money(0)
            excess = sum(spare for spare, _, _ in members[:count]) - gas - data
            if excess > best_excess:
                best_count, best_excess = count, excess
        for _, candidate, _ in members[:best_count]:
            decisions.append(Decision(candidate, _chosen(candidate, left, costs, sharing, asked=False)))
    return decisions


def _gain(candidate: Candidate, outcome: Plan | Blocked, costs: Costs, sharing: Sharing) -> int:
    if isinstance(outcome, Blocked):
        return -1
    return candidate.rate.down(outcome.gain_base) - costs.money(sharing.gas(outcome))


def _take(
    candidate: Candidate, outcome: Plan | Blocked, left: dict[str, int], costs: Costs, gas: int
) -> Plan | Blocked:
    if isinstance(outcome, Blocked):
        return outcome
    fee = costs.wei(gas)
    native = left.get(NATIVE, 0) - outcome.value
    if native < fee:
        return Blocked("the signer has too little native currency left for gas")
    if outcome.kind not in CURES and not candidate.unpaid and native - fee < costs.gas_reserve:
        return Blocked("the signer's native currency is kept for top-ups (gas_reserve, protected accounts)")
    left[NATIVE] -= fee + outcome.value
    candidate.pay(outcome)
    if outcome.kept:
        kept = kept_of(outcome.spend.token)
        left[kept] = left.get(kept, 0) + outcome.kept
    if not outcome.spend.from_signer:
        return outcome
    token = outcome.spend.token.lower()
    left[token] = left.get(token, 0) - outcome.spend.amount
    return outcome
