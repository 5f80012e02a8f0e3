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

    protocol: str
    contract: str
    """The contract that the configuration names."""
    needs_capital: bool
    """Whether a liquidator brings money of their own or borrowed."""
    valuer: Valuer[S, A]
    planner: Planner[S, A]
    explainer: Explainer[S, A]
    strangers: Strangers[S] | None = None
    seller: Seller[S] | None = None
    lending: Lending[S] | None = None
    loan_pricing: LoanPricing[S] | None = None
    native_rewards: NativeRewards | None = None
    redeemer: Redeemer[S] | None = None
    owner_payments: OwnerPayments[S] | None = None
    unsized_cures: UnsizedCures[S, A] | None = None
