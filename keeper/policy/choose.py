"""Planning sees all breaches of a tick at once: the most valuable first, nothing promised twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from keeper.plan import Kind, Plan
from keeper.protocols.base import Impossible

NATIVE = "native"
WAD = 10**18


@dataclass(frozen=True, slots=True)
class Request:
    """A breach that asks for an action. `plan` sizes it against the funds it is given, best first.

    `budget_base` is what the account may still cost today, in base units; None is no limit.
    """

    market: str
    account: str
    kind: Kind
    health: int
    budget_base: int | None
    plan: Callable[[Mapping[str, int]], list[Plan] | Impossible]


@dataclass(frozen=True, slots=True)
class Costs:
    """What gas costs: wei a unit of gas, and base units a whole native coin (None where unknown).

    `kept_native` is the wei that liquidations leave for the top-ups of protected accounts.
    """

    gas_price: int
    native_base: int | None
    min_profit_base: int
    kept_native: int = 0

    def base(self, gas: int) -> int:
        """Base units that much gas costs, rounded up."""
        return -(-gas * self.gas_price * (self.native_base or 0) // WAD)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for a request: a plan to commit, or why not."""

    request: Request
    outcome: Plan | Impossible


def choose(requests: list[Request], funds: Mapping[str, int], costs: Costs) -> list[Decision]:
    """Plans in the order they should be sent. Top-ups come before liquidations, the lowest health first;
    liquidations by gain after gas. Each plan takes what it spends out of the funds of those after it."""
    left = dict(funds)
    decisions: list[Decision] = []
    top_ups = sorted((r for r in requests if r.kind == "top_up"), key=lambda r: r.health)
    for request in top_ups:
        decisions.append(Decision(request, _take(_first(request.plan(left)), left, costs)))
    liquidations = [r for r in requests if r.kind == "liquidate"]
    valued = [(r, _best(r, left, costs)) for r in liquidations]
    valued.sort(key=lambda pair: -_gain(pair[1], costs))
    for request, _ in valued:
        decisions.append(Decision(request, _take(_best(request, left, costs), left, costs)))
    return decisions


def _first(plans: list[Plan] | Impossible) -> Plan | Impossible:
    return plans if isinstance(plans, Impossible) else plans[0]


def _best(request: Request, funds: Mapping[str, int], costs: Costs) -> Plan | Impossible:
    """The best liquidation within budget that earns the least profit asked for."""
    plans = request.plan(funds)
    if isinstance(plans, Impossible):
        return plans
    budget = request.budget_base
    within = [p for p in plans if budget is None or p.spend_base <= budget]
    if not within:
        return Impossible("the day's cap for this account does not allow it")
    best = max(within, key=lambda p: _profit(p, costs))
    # What can be had at once is preferred to claims that must wait, if it earns enough.
    paid_out = [p for p in within if not p.redeem and _profit(p, costs) >= costs.min_profit_base]
    if best.redeem and paid_out:
        best = max(paid_out, key=lambda p: _profit(p, costs))
    profit = _profit(best, costs)
    if profit < costs.min_profit_base:
        return Impossible(
            f"would earn {profit} base units after gas, less than min_profit ({costs.min_profit_base})"
        )
    return replace(best, summary={**best.summary, "profit_base": str(profit)})


def _profit(plan: Plan, costs: Costs) -> int:
    return plan.gain_base - costs.base(plan.gas)


def _gain(outcome: Plan | Impossible, costs: Costs) -> int:
    return -1 if isinstance(outcome, Impossible) else _profit(outcome, costs)


def _take(outcome: Plan | Impossible, left: dict[str, int], costs: Costs) -> Plan | Impossible:
    if isinstance(outcome, Impossible):
        return outcome
    fee = outcome.gas * costs.gas_price
    native = left.get(NATIVE, 0)
    if native < fee:
        return Impossible("the signer has too little native currency left for gas")
    if outcome.kind != "top_up" and native - fee < costs.kept_native:
        return Impossible("the signer's native currency is kept for top-ups (min_native, protected accounts)")
    left[NATIVE] -= fee
    if not outcome.spend.spender:
        return outcome
    token = outcome.spend.token.lower()
    left[token] = left.get(token, 0) - outcome.spend.amount
    return outcome
