"""The context that everything working on one chain shares."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.pool import NodePool
from keeper.config import ChainSettings
from keeper.execution.journal import Mode
from keeper.policy.levels import Policies
from keeper.service.markets import Market
from keeper.store.database import Store


@dataclass
class ChainContext:
    """One chain's nodes, markets and settings, and the payer the keeper acts as there (None: nobody acts)."""

    pool: NodePool
    store: Store
    settings: ChainSettings
    policies: Policies
    markets: list[Market]
    mode: Mode
    payer: str | None

    @property
    def name(self) -> str:
        """The chain's name in the configuration."""
        return self.pool.name
