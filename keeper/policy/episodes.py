"""Episodes: one stay of an account below one threshold. Alerts and attempts belong to an episode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keeper.model.money import WAD
from keeper.model.valuation import Valuation
from keeper.policy.levels import THRESHOLDS, Levels, Policies, Threshold, is_below


@dataclass(frozen=True, slots=True)
class Below:
    """An account below a threshold. `health` is 0 where nothing is required and only the verdict says so."""

    account: str
    threshold: Threshold
    health: int


@dataclass(slots=True)
class Changes:
    """What a block did to the episodes of one market."""

    opened: list[Below] = field(default_factory=list)
    lowered: list[Below] = field(default_factory=list)
    closed: list[tuple[str, Threshold, int | None]] = field(default_factory=list)


def changes(
    market: str, valuations: Iterable[Valuation], lowest: Mapping[tuple[str, str], int], policies: Policies
) -> Changes:
    """Compare a block's valuations with the open episodes (their lowest health by account and threshold).

    A warn or top-up episode ends only above its threshold times 1 + hysteresis, or without debt; liquidation
    has no hysteresis, because below 1 anyone may act and above it no one may.
    """
    found = Changes()
    for valuation in valuations:
        health = valuation.health
        levels = policies.levels(market, valuation.account)
        if levels.ignored:
            continue
        for threshold in THRESHOLDS:
            known = lowest.get((valuation.account, threshold))
            if is_below(valuation, levels.of(threshold)):
                below = Below(valuation.account, threshold, health or 0)
                if known is None:
                    found.opened.append(below)
                elif below.health < known:
                    found.lowered.append(below)
            elif known is not None and _recovered(health, levels, threshold, policies.hysteresis):
                found.closed.append((valuation.account, threshold, health))
    return found


def _recovered(health: int | None, levels: Levels, threshold: Threshold, hysteresis: int) -> bool:
    if health is None or threshold == "liquidate":
        return True
    return health * WAD >= levels.of(threshold) * (WAD + hysteresis)
