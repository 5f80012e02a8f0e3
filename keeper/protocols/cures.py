"""Top-ups: the first of an account's ways that reaches the target within funds and budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from keeper.margin.lending.least import least
from keeper.model.blocked import Blocked
from keeper.model.cure import OwnerFunds, Step, action_words
from keeper.model.format import format_amount
from keeper.model.offer import Asset
from keeper.model.plan import NATIVE, Check, Plan, Spend
from keeper.model.purse import Purse

# What funds, budget or room allow only in part is done if it is at least this fraction of the need.
SMALLEST_PART = 20
ENDLESS = 2**256 - 1
"""Health without debt."""
MOST = 2**127
"""More units of a token than anybody has."""


@dataclass(frozen=True, slots=True)
class CureRequest:
    """What a top-up is to reach at `timestamp` (health, 1e18) and may cost (base units), and who pays: the
    signer out of `funds`, or `owner`."""

    account: str
    timestamp: int
    facts: Purse
    funds: Mapping[str, int]
    steps: Sequence[Step]
    target: int
    budget_base: int
    owner: OwnerFunds | None = None

    def payable(self, token: str) -> int:
        """Units at hand; coins that are gas money are not."""
        has = self.funds if self.owner is None else self.owner.available
        return max(has.get(token, 0) - (self.facts.gas_reserve if token == NATIVE else 0), 0)


@dataclass(frozen=True, slots=True)
class Cure:
    """A step as the account can take it: a call on `target`, of an amount yet to be found (token units).

    `needed` reaches the wish's target, or is all that has an effect; `room` (if bounded) is what the protocol
    takes, `full` says why no more. `health` is what an amount leads to, and below `floor` nothing is taken.
    `check(amount, health)` is what must hold afterwards. `burned`: the tokens leave without an allowance.
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
    room: int | None = None
    full: str = ""
    floor: int = 0
    burned: bool = False


def grown(target: str, call: str, held: int, word: int = 0) -> Callable[[int, int], Check]:
    """What must hold after a supply: what `call` tells has grown by all of it."""
    return lambda amount, _: Check(target, call, word, held + amount)


def paid(target: str, call: str, owed: int) -> Callable[[int, int], Check]:
    """What must hold after a repayment: what `call` tells of a debt has fallen by it, but for a hundredth
    that interest until inclusion may make up for."""
    return lambda amount, _: Check(target, call, 0, 0, at_most=owed - amount * 99 // 100)


def needed(health: Callable[[int], int], target: int, most: int) -> int:
    """The least amount whose health reaches `target`; `most` where none up to it does."""
    return least(lambda amount: health(amount) >= target, most) or most


def named(step: Step, assets: Iterable[Asset]) -> Asset | None:
    """The asset a step names by symbol or address; None when there is none, or when two share the symbol."""
    wanted = step.asset.lower()
    matching = [each for each in assets if wanted in (each.token, each.symbol.lower())]
    return matching[0] if len(matching) == 1 else None


def first_enough(
    market: str, wish: CureRequest, before: int | None, ways: Iterable[Cure | Blocked]
) -> Plan | Blocked:
    """The first way that reaches the target alone; else the first that helps; else why none does.

    `before` is the health now, None without debt."""
    chosen: Plan | None = None
    reasons = []
    for way in ways:
        if isinstance(way, Blocked):
            reasons.append(way.reason)
            continue
        sized = _sized(wish, way, before)
        if isinstance(sized, Blocked):
            reasons.append(f"{action_words(way.step.action)} {way.asset.symbol}: {sized.reason}")
            continue
        plan = _plan(market, wish, way, *sized)
        if sized[1] >= wish.target:
            return plan
        chosen = chosen or plan
    return chosen or Blocked("; ".join(reasons) or "the account has neither debt nor collateral to work with")


def _sized(wish: CureRequest, way: Cure, before: int | None) -> tuple[int, int] | Blocked:
    """How much of a way is taken and the health it leads to, or why none of it is."""
    asset = way.asset
    if way.needed <= 0:
        return Blocked("the account owes none")
    if way.room is not None and way.room * SMALLEST_PART < way.needed:
        return Blocked(way.full)
    affordable = wish.budget_base * asset.unit // asset.price if asset.price else 0
    amount = min(way.needed, wish.payable(asset.token), affordable)
    if amount <= 0:
        nothing = wish.owner.why[asset.token] if wish.owner else f"no {asset.symbol} to pay with"
        return Blocked("the day's cap is used up" if affordable <= 0 else nothing)
    if way.room is not None:
        amount = min(amount, way.room)
    if amount * SMALLEST_PART < way.needed:
        return Blocked("too little is left today to be worth it")
    reached = way.health(amount)
    if before is not None and reached <= before:
        return Blocked("the amount at hand changes nothing")
    if reached < way.floor:
        return Blocked("not enough for the least health; no less is taken")
    return amount, reached


def _plan(market: str, wish: CureRequest, way: Cure, amount: int, reached: int) -> Plan:
    asset, coins = way.asset, way.asset.token == NATIVE
    units = format_amount(amount, len(str(asset.unit)) - 1)
    by_allowance = not (way.burned or coins or wish.owner)
    return Plan(
        market=market,
        account=wish.account,
        kind="top_up",
        action=way.step.action,
        target=way.target,
        data="0x" + way.data(amount).hex(),
        spend=Spend(asset.token, way.target if by_allowance else "", amount, burned=way.burned),
        spend_base=-(-amount * asset.price // asset.unit),
        gain_base=0,
        gas=way.gas,
        summary={
            action_words(way.step.action): f"{units} {asset.symbol}",
            "health_after": str(reached),
        },
        postcondition=way.check(amount, reached),
        value=amount if coins else 0,
        errors=way.errors,
    )
