"""Of several plans for one breach: which are open, confirmed and can be paid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keeper.model.plan import Blocked, Plan
from keeper.model.purse import Purse
from keeper.policy.guards import Verdicts, may_top_up
from keeper.policy.routes import Route, untried


def best_open(
    sized: Callable[[frozenset[str]], Plan | Blocked], refused: Mapping[str, int], target: int
) -> Plan | Blocked:
    """A token that was refused (paused, blacklisted) closes its own steps only, while others help: after one
    refusal where these reach the target or do no less, after more wherever they do anything."""
    found = sized(frozenset(refused))
    if refused and _reached(found) < target:
        again = sized(frozenset(token for token, count in refused.items() if count > 1))
        found = again if _reached(again) > _reached(found) else found
    return sized(frozenset()) if refused and isinstance(found, Blocked) else found


def _reached(found: Plan | Blocked) -> int:
    """The health that a top-up is to lead to; below all where there is none."""
    return -1 if isinstance(found, Blocked) else int(found.summary.get("health_after", 0))


def open_plans(found: list[Plan] | Blocked, refused: Sequence[Route]) -> list[Plan] | Blocked:
    """Without the ways that were refused in this episode, as long as there are others."""
    return found if isinstance(found, Blocked) else untried(found, refused)


def confirmed_plans(found: list[Plan] | Blocked, verdicts: Verdicts, purse: Purse) -> list[Plan] | Blocked:
    """Top-ups wait while nothing confirms the price of what they spend."""
    if isinstance(found, Blocked):
        return found
    why = may_top_up([plan.spend.token.lower() for plan in found], verdicts, purse.symbols)
    return Blocked(why) if why else found


def paid_out_plans(found: list[Plan] | Blocked, reason: str) -> list[Plan] | Blocked:
    """Without the liquidations that would bring claims only, for this reason."""
    if isinstance(found, Blocked):
        return found
    paid = [each for each in found if not each.redeem]
    return paid or Blocked(f"the pool has none of the collateral to pay out ({reason})")


def either(first: list[Plan] | Blocked, second: list[Plan] | Blocked) -> list[Plan] | Blocked:
    """The plans of both; if there are none, why the first has none."""
    if isinstance(first, Blocked):
        return first if isinstance(second, Blocked) else second
    return first if isinstance(second, Blocked) else [*first, *second]
