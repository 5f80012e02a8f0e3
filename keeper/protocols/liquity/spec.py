"""Trove systems, as the registry lists them."""

from __future__ import annotations

from keeper.protocols.liquity.market import TroveMarket
from keeper.protocols.spec import Spec

SPEC = Spec(
    name="liquity",
    title="a TroveManager of the Liquity family",
    market="troves",
    marks=("getTroveOwnersCount()", "sortedTroves()", "totalStakes()"),
    leads=("troveManager()", "troveManagerAddress()"),
    adapter=TroveMarket,
)
