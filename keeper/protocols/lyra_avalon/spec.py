"""Lyra Avalon, as the registry lists it."""

from __future__ import annotations

from keeper.protocols.lyra_avalon.market import AvalonOptions
from keeper.protocols.spec import Spec

SPEC = Spec(
    name="lyra-avalon",
    title="an OptionMarket (Lyra Avalon)",
    market="options",
    marks=("getLiveBoards()", "getNumLiveBoards()", "getOptionMarketParams()"),
    adapter=AvalonOptions,
)
