"""[markets.NAME.perp_v2]: our contract that takes positions over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from keeper.config import ProtocolSettings
from keeper.config.values import Address
from keeper.protocols.perp_v2.takeover import TAKE


class PerpV2Settings(ProtocolSettings):
    contracts: ClassVar[Mapping[str, str]] = {"takeover": "takeover"}

    takeover: Address | None = None
    """Our PerpTakeover contract for this exchange, which liquidates with the signer's money; absent: nobody
    is liquidated. `keeper contracts deploy takeover` makes one."""

    @property
    def own_calls(self) -> Mapping[str, tuple[str, ...]]:
        return {} if self.takeover is None else {self.takeover: (TAKE,)}
