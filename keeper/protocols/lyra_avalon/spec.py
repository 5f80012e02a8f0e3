"""Lyra Avalon, as the registry lists it."""

from __future__ import annotations

from keeper.protocols.lyra_avalon.lens import AvalonState
from keeper.protocols.lyra_avalon.market import AvalonOptions
from keeper.protocols.lyra_avalon.settings import LyraAvalonSettings
from keeper.protocols.spec import Spec


def _grant_parts(state: AvalonState) -> tuple[str, ...]:
    return state.token, state.adapter, state.quote, state.base


SPEC = Spec(
    name="lyra-avalon",
    title="an OptionMarket (Lyra Avalon)",
    market="options",
    marks=("getLiveBoards()", "getNumLiveBoards()", "getOptionMarketParams()"),
    adapter=AvalonOptions,
    settings=LyraAvalonSettings,
    grant="AvalonGrant",
    grant_parts=_grant_parts,
)
