"""[markets.NAME.perp_v2]: our contract that takes positions over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from keeper.config import ProtocolSettings
from keeper.config.values import Address
from keeper.protocols.perp_v2.reducing import REDUCE
from keeper.protocols.perp_v2.takeover import TAKE


class PerpV2Settings(ProtocolSettings):
    contracts: ClassVar[Mapping[str, str]] = {"takeover": "takeover", "grant": "grant"}

    takeover: Address | None = None
    """Our PerpTakeover contract for this exchange, which liquidates with the signer's money; absent: nobody
    is liquidated. `keeper contracts deploy takeover` makes one."""

    grant: Address | None = None
    """Our CurieGrant contract, which traders make their delegate so that it can make positions smaller."""

    @property
    def own_calls(self) -> Mapping[str, tuple[str, ...]]:
        named = ((self.takeover, (TAKE,)), (self.grant, (REDUCE,)))
        return {address: calls for address, calls in named if address is not None}
