"""Our own clearinghouse, as the registry lists it."""

from __future__ import annotations

from keeper.protocols.clearinghouse.market import ClearinghouseMarket
from keeper.protocols.clearinghouse.settings import ClearinghouseSettings
from keeper.protocols.spec import Spec

SPEC = Spec(
    name="clearinghouse",
    title="a Clearinghouse (portfolio margin by joint scenarios)",
    market="clearinghouse",
    marks=("margin()", "cashToken()", "ledger()", "changes()"),
    adapter=ClearinghouseMarket,
    settings=ClearinghouseSettings,
)
