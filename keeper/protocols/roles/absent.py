"""The optional roles of a protocol that has none of them."""

from __future__ import annotations

from typing import Generic

from keeper.book.source import A, References, S, Screener, StrangerReads
from keeper.protocols.roles.optional import (
    Lending,
    LoanPricing,
    NativeRewards,
    OwnerPayments,
    Redeemer,
    Seller,
    Strangers,
    UnsizedCures,
)


class AbsentRoles(Generic[S, A]):
    """Whoever has one says so."""

    @property
    def screener(self) -> Screener[S] | None:
        return None

    @property
    def references(self) -> References[S] | None:
        return None

    @property
    def stranger_reads(self) -> StrangerReads[S] | None:
        return None

    @property
    def strangers(self) -> Strangers[S] | None:
        return None

    @property
    def seller(self) -> Seller[S] | None:
        return None

    @property
    def lending(self) -> Lending[S] | None:
        return None

    @property
    def loan_pricing(self) -> LoanPricing[S] | None:
        return None

    @property
    def native_rewards(self) -> NativeRewards | None:
        return None

    @property
    def redeemer(self) -> Redeemer[S] | None:
        return None

    @property
    def owner_payments(self) -> OwnerPayments[S] | None:
        return None

    @property
    def unsized_cures(self) -> UnsizedCures[S, A] | None:
        return None
