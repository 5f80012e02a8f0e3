"""An account below a threshold that asks for an action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.model.plan import Kind
from keeper.model.valuation import Valuation
from keeper.policy.levels import Levels
from keeper.service.markets import Market
from keeper.store.tables.watching import Episode


@dataclass(frozen=True, slots=True)
class Breach:
    """A breach that asks for an action, with the episode it belongs to."""

    run: Market
    valuation: Valuation
    levels: Levels
    episode: Episode
    known: bool = True
    """Whether our arithmetic is the contract's; else only what the contract itself sizes may be done."""
    sale: bool = False
    """Whether it is no account, but the market that sells what it absorbed."""

    @property
    def kind(self) -> Kind:
        return "top_up" if self.levels.protection else "liquidate"


def episodes_of(wanted: Sequence[Breach], kind: Kind) -> list[int]:
    return [w.episode.id for w in wanted if w.kind == kind and w.episode.id is not None]
