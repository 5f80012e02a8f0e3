"""Top-ups: the first of an account's cures that reaches the target within funds and budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from keeper.config.policy import Step
from keeper.model.bisection import least
from keeper.model.cure import CureRequest, action_words
from keeper.model.money import WAD
from keeper.model.offer import Asset
from keeper.model.plan import NATIVE, Blocked, Check, Plan, Spend

# What funds, budget or room allow only in part is done if it is at least this fraction of the need.
SMALLEST_PART = 20
ENDLESS = 2**256 - 1
"""Health without debt."""
MOST = 2**127
"""More units of a token than anybody has."""


@dataclass(frozen=True, slots=True)
class Cure:
    """A step as the account can take it: a call on `target`, of an amount yet to be found (token units).

    `needed` reaches the request's target, or is all that has an effect; `room` (if bounded) is what the
    protocol accepts, `full` says why no more. `health` is what an amount leads to; below `floor` nothing is
    accepted. `check(amount, health)` is what must hold afterwards. `burned`: the tokens leave without an
    allowance.
    """

    step: Step
    asset: Asset
    needed: int
    health: Callable[[int], int]
    target: str
    data: Callable[[int], bytes]
    gas: int
    errors: str
    check: Callable[[int, int], Check]
    cost: Callable[[int], int] | None = None
    """What an amount costs the account in fees and price (base units), where nothing is paid in because a
    position of the account is made smaller."""
    words: Callable[[int], str] | None = None
    """An amount for people, where it is not of a token."""
    room: int | None = None
    full: str = ""
    floor: int = 0
    burned: bool = False


def grown(target: str, call: str, held: int, word: int = 0) -> Callable[[int, int], Check]:
    """The postcondition of a supply: the answer of `call` has grown by all of it."""
    return lambda amount, _: Check(target, call, word, held + amount)


def paid(target: str, call: str, owed: int) -> Callable[[int, int], Check]:
    """The postcondition of a repayment: the debt that `call` answers has fallen by it, except for a hundredth
    that interest until inclusion may make up for."""
    return lambda amount, _: Check(target, call, 0, 0, at_most=owed - amount * 99 // 100)


def needed(health: Callable[[int], int], target: int, most: int) -> int:
    """The least amount whose health reaches `target`; `most` where none up to it does."""
    return least(lambda amount: health(amount) >= target, most) or most


def named(step: Step, assets: Iterable[Asset]) -> Asset | None:
    """The asset that a step names by symbol or address; None when there is none, or when two share the
    symbol."""
    wanted = step.asset.lower()
    matching = [each for each in assets if wanted in (each.token, each.symbol.lower())]
    return matching[0] if len(matching) == 1 else None


def first_enough(
    market: str, request: CureRequest, before: int | None, cures: Iterable[Cure | Blocked]
) -> Plan | Blocked:
    """The first cure that reaches the target alone, or of these the cheapest where that is wanted; else the
    first that helps; else why none does.

    `before` is the health now, None without debt.
    """
    helping: Plan | None = None
    enough: list[tuple[int, Plan]] = []
    reasons = []
    for cure in cures:
        if isinstance(cure, Blocked):
            reasons.append(cure.reason)
            continue
        sized = _sized(request, cure, before)
        if isinstance(sized, Blocked):
            reasons.append(f"{action_words(cure.step.action)} {cure.asset.symbol}: {sized.reason}")
            continue
        amount, reached = sized
        plan = plan_of(market, request, cure, amount, reached, health_after=str(reached))
        if reached >= request.target:
            if not request.cheapest:
                return plan
            enough.append((_price(request, cure, amount), plan))
        helping = helping or plan
    if enough:
        return min(enough, key=lambda each: each[0])[1]
    return helping or Blocked(
        "; ".join(reasons) or "the account has neither debt nor collateral to work with"
    )


def _price(request: CureRequest, cure: Cure, amount: int) -> int:
    """What a cure costs, to compare cures (base units, rounded up): of money paid in, the cost of a year."""
    if cure.cost is not None:
        return cure.cost(amount)
    return -(-cure.asset.cost(amount) * request.capital_cost // WAD)


def _sized(request: CureRequest, cure: Cure, before: int | None) -> tuple[int, int] | Blocked:
    """The amount of a cure to take and the health it leads to, or why none of it is taken."""
    asset = cure.asset
    if cure.needed <= 0:
        return Blocked("the account owes none")
    if cure.room is not None and cure.room * SMALLEST_PART < cure.needed:
        return Blocked(cure.full)
    if asset.token in request.refused:
        return Blocked("it was refused lately")
    affordable = request.affordable(asset)
    amount = min(cure.needed, request.payable(asset.token), affordable)
    if cure.cost is not None:
        amount = cure.needed
        if cure.cost(amount) > request.budget_base:
            return Blocked("what it costs is more than the day's cap leaves")
    if amount <= 0:
        nothing = request.owner.why[asset.token] if request.owner else f"no {asset.symbol} to pay with"
        return Blocked("the day's cap is used up" if affordable <= 0 else nothing)
    if cure.room is not None:
        amount = min(amount, cure.room)
    if amount * SMALLEST_PART < cure.needed:
        return Blocked("too little is left today to be worth it")
    reached = cure.health(amount)
    if before is not None and reached <= before:
        return Blocked("the amount at hand changes nothing")
    if reached < cure.floor:
        return Blocked("not enough for the least health; no less is taken")
    return amount, reached


def plan_of(market: str, request: CureRequest, cure: Cure, amount: int, reached: int, **told: str) -> Plan:
    """The plan of one size; `told` goes to its summary."""
    asset, coins = cure.asset, cure.asset.token == NATIVE
    by_allowance = not (cure.burned or coins or request.owner)
    if cure.cost is not None:
        return _smaller(market, request, cure, amount, reached, told)
    return Plan(
        market=market,
        account=request.account,
        kind="top_up",
        action=cure.step.action,
        target=cure.target,
        data="0x" + cure.data(amount).hex(),
        spend=Spend(asset.token, cure.target if by_allowance else "", amount, burned=cure.burned),
        spend_base=-(-amount * asset.price // asset.unit),
        gain_base=0,
        gas=cure.gas,
        summary={action_words(cure.step.action): asset.words(amount), **told},
        postcondition=cure.check(amount, reached),
        value=amount if coins else 0,
        errors=cure.errors,
    )


def _smaller(
    market: str, request: CureRequest, cure: Cure, amount: int, reached: int, told: dict[str, str]
) -> Plan:
    """The plan that makes a position smaller by this amount."""
    assert cure.cost is not None, "nothing is paid in"
    size = cure.words(amount) if cure.words is not None else cure.asset.words(amount)
    return Plan(
        market=market,
        account=request.account,
        kind="reduce",
        action=cure.step.action,
        target=cure.target,
        data="0x" + cure.data(amount).hex(),
        spend=Spend(cure.asset.token, "", 0),
        spend_base=cure.cost(amount),
        gain_base=0,
        gas=cure.gas,
        summary={action_words(cure.step.action): size, **told},
        postcondition=cure.check(amount, reached),
        errors=cure.errors,
    )
