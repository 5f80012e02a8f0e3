"""[markets.NAME.synthetix_v3]: what only a Synthetix v3 perps market needs to be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from keeper.config import ProtocolSettings
from keeper.config.values import Address
from keeper.protocols.synthetix_v3.planning import ADD
from keeper.protocols.synthetix_v3.reducing import REDUCE


class SynthetixV3Settings(ProtocolSettings):
    contracts: ClassVar[Mapping[str, str]] = {"grant": "grant"}

    grant: Address | None = None
    """Our SynthetixGrant contract, which accounts' owners give their permissions to; `keeper contracts
    deploy` makes one. Without it only accounts of the signer's own are added to and reduced."""

    @property
    def own_calls(self) -> Mapping[str, tuple[str, ...]]:
        return {} if self.grant is None else {self.grant: (ADD, REDUCE)}
