"""Compound v3, as the registry lists it."""

from __future__ import annotations

from keeper.protocols.compound_v3.market import CometMarket
from keeper.protocols.spec import Spec

SPEC = Spec(
    name="compound-v3",
    title="a Comet (Compound III)",
    market="comet",
    marks=("baseTokenPriceFeed()", "totalsBasic()", "numAssets()"),
    leads=("comet()",),
    adapter=CometMarket,
)
