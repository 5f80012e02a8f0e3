"""[markets.NAME.aave_v3]: settings that only an Aave v3 pool needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from keeper.config import ProtocolSettings
from keeper.config.values import Address
from keeper.protocols.aave_v3.owner_money import PERMIT_AND_CALL, REPAY, SUPPLY


class AaveV3Settings(ProtocolSettings):
    moved_from_market: ClassVar[Mapping[str, str]] = {"owner_top_up": "owner_top_up"}
    moved_from_policy: ClassVar[Mapping[str, str]] = {"receive_a_tokens": "receive_a_tokens"}
    contracts: ClassVar[Mapping[str, str]] = {"owner-top-up": "owner_top_up"}

    owner_top_up: Address | None = None
    """Our OwnerTopUp contract for this pool, where owners pay; `keeper contracts deploy` makes one."""
    receive_a_tokens: bool = True
    """Whether liquidations may take aTokens, to be redeemed later, where the pool cannot pay out."""

    @property
    def own_calls(self) -> Mapping[str, tuple[str, ...]]:
        calls = (SUPPLY, REPAY, PERMIT_AND_CALL)
        return {} if self.owner_top_up is None else {self.owner_top_up: calls}

    @property
    def no_claims_reason(self) -> str:
        return "" if self.receive_a_tokens else "receive_a_tokens is off"
