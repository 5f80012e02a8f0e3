"""Ways of liquidating that were refused: a token that is paused, that blacklists our contract or keeps a part
of what is transferred closes the ways that lead over it, and no other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from keeper.model.plan import Plan

# Refusals that say nothing against the way: it would work at another price, bid or moment. What a block
# reverted a rehearsal had found well.
_OF_THE_MOMENT = (
    "TooLittleProfit",
    "OutOfGas",
    "NotEnoughGas",
    "ran out of gas",
    "never left",
    "reverted on chain",
    "its nonce went to another transaction",
    "the postcondition fails",
)


@dataclass(frozen=True, slots=True)
class Route:
    """What a liquidation takes and brings, the lender, and the exchange routes; lender and routes are empty
    where the signer's own money pays."""

    pays: str
    gets: str
    lender: str = ""
    route: str = ""
    sale: str = ""


def way_of(plan: Plan) -> Route | None:
    """The way of a plan; None where it exchanges nothing."""
    item, trade = plan.batch_item, plan.trade
    if item is not None:
        return Route(item.pays, item.gets, item.loan.lender if item.loan else "", item.route, item.sale)
    return Route(trade.pays, trade.gets) if trade is not None else None


def of_the_moment(reason: str) -> bool:
    """Whether an attempt that ended for this reason may go well at another moment."""
    return any(text in reason for text in _OF_THE_MOMENT)


def refused(attempts: Iterable[tuple[Plan, str]]) -> list[Route]:
    """The ways of attempts (with the reason each ended for) that the chain refused for a lasting reason."""
    lasting = (way_of(plan) for plan, reason in attempts if not of_the_moment(reason))
    return [way for way in lasting if way is not None]


def untried(plans: Sequence[Plan], tried: Sequence[Route]) -> list[Plan]:
    """The plans to choose from: those that bring another token than any that was refused; else those that
    take another; else those over other routes; with nothing else left, all of them again."""
    if not tried:
        return list(plans)
    brought, taken = {each.gets for each in tried}, {each.pays for each in tried}
    tests: tuple[Callable[[Route], bool], ...] = (
        lambda way: way.gets not in brought,
        lambda way: way.pays not in taken,
        lambda way: way not in tried,
    )
    for test in tests:
        left = [plan for plan in plans if (way := way_of(plan)) is None or test(way)]
        if left:
            return left
    return list(plans)
