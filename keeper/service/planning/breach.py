"""An account below a threshold that asks for an action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from keeper.model.chore import Chore
from keeper.model.plan import CURES, REWARDED, Kind
from keeper.model.valuation import Valuation
from keeper.policy.levels import Levels
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation
from keeper.store.tables.watching import Episode


@dataclass(frozen=True, slots=True)
class Breach:
    """A breach that asks for an action, with the episode it belongs to."""

    market: Market
    valuation: Valuation
    levels: Levels
    episode: Episode
    known: bool = True
    """Whether our arithmetic is the contract's; else only what the contract itself sizes may be done."""
    sale: bool = False
    """Whether this is no account, but a market that sells what it absorbed."""
    upkeep: bool = False
    """Whether the account is in no danger, but needs work that is rewarded."""
    chore: Chore | None = None
    """What the market as a whole needs done, unpaid."""
    gas_left: int = 0
    """Wei that unpaid work may still cost today."""

    @property
    def key(self) -> tuple[str, str, Kind]:
        """The key that identifies a breach within a block: market, account, kind."""
        return self.market.name, self.valuation.account, self.kind

    @property
    def kind(self) -> Kind:
        if self.upkeep or self.chore is not None:
            return "settle"
        return "top_up" if self.levels.protection else "liquidate"

    @property
    def traded_tokens(self) -> frozenset[str]:
        """Every token that a liquidation could repay or seize; none for a top-up."""
        state, adapter = self.market.book.state, self.market.adapter
        if self.kind != "liquidate":
            return frozenset()
        if self.sale:
            assert adapter.seller is not None, "what is on sale has a seller"
            return adapter.seller.sold_for(state)
        return adapter.planner.liquidation_tokens(state, self.market.book.accounts[self.valuation.account])


@dataclass(frozen=True, slots=True)
class MarketBreaches:
    """The breaches of one market at a block that ask for an action, and those of them that may be attempted
    now."""

    market: Market
    valued: MarketValuation
    wanted: list[Breach]
    due: list[Breach]


def open_episodes(session: Session, market: str, threshold: str) -> Sequence[Episode]:
    """The open episodes of this threshold in a market."""
    return session.exec(
        select(Episode).where(
            Episode.market == market, Episode.threshold == threshold, col(Episode.closed_block).is_(None)
        )
    ).all()


def rewarded_episodes(wanted: Sequence[Breach]) -> list[int]:
    """The episodes (ids) of what is done for its reward."""
    return [w.episode.id for w in wanted if w.kind in REWARDED and w.episode.id is not None]


def cured_episodes(wanted: Sequence[Breach]) -> list[int]:
    """The episodes (ids) of accounts that we protect."""
    return [w.episode.id for w in wanted if w.kind in CURES and w.episode.id is not None]
