"""A running fork with everything on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from keeper.chain.signer import Signer
from keeper.config import Settings
from keeper.fork.ground import ForkAsset
from keeper.fork.shocks import PriceMove
from keeper.localchain.anvil import Anvil
from keeper.store.database import Store


@dataclass(slots=True)
class Fork:
    """A running fork with everything on it."""

    anvil: Anvil
    chain: str
    settings: Settings
    store: Store
    signer: Signer
    assets: list[ForkAsset]
    moves: list[PriceMove]
    forked_at: int
    given: dict[str, int] = field(default_factory=dict)
