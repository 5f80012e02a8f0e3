"""Perp v2, as the registry lists it."""

from __future__ import annotations

from keeper.protocols.perp_v2.market import LISTED, CurieMarket
from keeper.protocols.perp_v2.settings import PerpV2Settings
from keeper.protocols.spec import SetupHints, Spec

_TABLE = """\
# Our contract that takes positions over: `keeper contracts deploy takeover` makes one and writes it here.
# takeover = "0x…"
"""

SPEC = Spec(
    name="perp-v2",
    title="a ClearingHouse (Perp v2)",
    market="perp",
    marks=("getClearingHouseConfig()", "getAccountBalance()", "getQuoteToken()"),
    leads=("getClearingHouse()",),
    adapter=CurieMarket,
    settings=PerpV2Settings,
    grant="CurieGrant",
    setup=SetupHints(created=LISTED, told_by=lambda state: state.registry, table=lambda *_: _TABLE),
)
