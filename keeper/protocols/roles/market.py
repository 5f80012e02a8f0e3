"""A market as its roles."""

from __future__ import annotations

from typing import Protocol

from keeper.book.source import A, BookSource, S
from keeper.model.valuation import Valuation
from keeper.protocols.roles.explainer import Explainer
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
from keeper.protocols.roles.planner import Planner
from keeper.protocols.roles.valuer import Valuer


class MarketRoles(BookSource[S, A, Valuation], Protocol[S, A]):
    """One market of one protocol, as its roles; those that it lacks are None."""

    @property
    def protocol(self) -> str: ...

    @property
    def contract(self) -> str:
        """The contract that the configuration names."""

    @property
    def needs_capital(self) -> bool:
        """Whether a liquidator brings money of his own or borrowed."""

    @property
    def valuer(self) -> Valuer[S, A]: ...

    @property
    def planner(self) -> Planner[S, A]: ...

    @property
    def explainer(self) -> Explainer[S, A]: ...

    @property
    def strangers(self) -> Strangers[S] | None: ...

    @property
    def seller(self) -> Seller[S] | None: ...

    @property
    def lending(self) -> Lending[S] | None: ...

    @property
    def loan_pricing(self) -> LoanPricing[S] | None: ...

    @property
    def native_rewards(self) -> NativeRewards | None: ...

    @property
    def redeemer(self) -> Redeemer[S] | None: ...

    @property
    def owner_payments(self) -> OwnerPayments[S] | None: ...

    @property
    def unsized_cures(self) -> UnsizedCures[S, A] | None: ...
