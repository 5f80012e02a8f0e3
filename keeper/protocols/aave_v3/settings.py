"""[markets.NAME.aave_v3]: what only an Aave v3 pool needs to be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from keeper.config import ProtocolSettings
from keeper.config.values import Address


class AaveV3Settings(ProtocolSettings):
    moved_from_market: ClassVar[Mapping[str, str]] = {"owner_top_up": "owner_top_up"}
    moved_from_policy: ClassVar[Mapping[str, str]] = {"receive_a_tokens": "receive_a_tokens"}
    owners_may_pay: ClassVar[bool] = True

    owner_top_up: Address | None = None
    """Our OwnerTopUp contract for this pool, where owners pay; `keeper contracts deploy` makes one."""
    receive_a_tokens: bool = True
    """Whether liquidations may take aTokens, to be redeemed later, where the pool has nothing to pay out."""

    @property
    def owner_contract(self) -> str | None:
        return self.owner_top_up

    @property
    def no_claims_reason(self) -> str:
        return "" if self.receive_a_tokens else "receive_a_tokens is off"
