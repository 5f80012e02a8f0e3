"""Synthetix v3 perps, as the registry lists them."""

from __future__ import annotations

from keeper.protocols.spec import Spec
from keeper.protocols.synthetix_v3.market import PerpsMarket
from keeper.protocols.synthetix_v3.settings import SynthetixV3Settings

SPEC = Spec(
    name="synthetix-v3",
    title="a Synthetix v3 perps market",
    market="perps",
    marks=("getKeeperCostNodeId()", "getKeeperRewardGuards()", "flaggedAccounts()"),
    adapter=PerpsMarket,
    settings=SynthetixV3Settings,
    grant="SynthetixGrant",
)
