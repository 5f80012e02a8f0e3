"""[policy] and [[protect]]: when to act for an account, and what that may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from keeper.config.values import Account, Address, Money, Ratio, Section


class AccountPolicy(Section):
    """Thresholds for one account instead of the general ones."""

    market: str
    account: Account
    warn: Ratio | None = None
    top_up: Ratio | None = None
    liquidate: Ratio | None = None
    ignore: bool = False


class Policy(Section):
    warn: Ratio = Decimal("1.10")
    top_up: Ratio = Decimal("1.05")
    liquidate: Ratio = Decimal("1.0")
    target: Ratio = Decimal("1.25")
    hysteresis: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.005")
    """How far above a warn or top-up threshold an account must rise before its episode ends."""
    min_profit: Decimal = Decimal(0)
    """Least gain of a liquidation after gas, in whole units of account."""
    realize_bad_debt: bool = False
    """Whether accounts that owe more than they have are liquidated even at a loss."""
    max_bad_debt_loss: Money = Decimal(0)
    """The most that one such liquidation may lose, gas included, in whole units of account."""
    max_bad_debt_loss_per_day: Money | None = None
    """The most that all such liquidations together may lose in 24 hours; absent: ten times the most of
    one."""
    gas_reserve: Money = Decimal(0)
    """Whole native coins that liquidations never spend; top-ups of protected accounts may."""
    min_gas_hours: int = Field(default=24, ge=0)
    """An alert is raised for fewer hours of gas money than this, at the recent rate of spending."""
    max_spend_per_account_day: Money | None = None
    """The most that liquidations and top-ups of one account may spend in 24 hours, whole units of account."""
    native_price: Annotated[Money, Field(gt=0)] | None = None
    """Old key for one version, for all chains together: `[chains.NAME] native_price` takes precedence."""
    wrapped_native: str | None = None
    """Symbol or address of the wrapped native coin, where the chain is not known or its market's is another.
    Absent: the known chain's, WETH on others."""
    max_attempts: int = Field(default=5, ge=1)
    """Liquidations of one account that may fail on chain within 24 hours before it must wait."""
    accounts: list[AccountPolicy] = []

    @model_validator(mode="after")
    def _ordered(self) -> Policy:
        if not self.warn >= self.top_up >= self.liquidate:
            raise ValueError("thresholds must fall: warn ≥ top_up ≥ liquidate")
        if self.liquidate > 1:
            raise ValueError("liquidate cannot exceed 1: no protocol allows it above health 1")
        if self.target < self.top_up:
            raise ValueError("target must not be below top_up, or a top-up would not end the breach")
        return self


Action = Literal["repay", "add_collateral", "reduce", "close"]
"""Cures of an account: less debt, more collateral, a smaller position, or none."""


def _present_word(action: object) -> object:
    """Read `supply`, the old word for adding collateral, for one more version."""
    return "add_collateral" if action == "supply" else action


class Step(Section):
    """A way to cure: an action, in an asset named by symbol or address."""

    action: Annotated[Action, BeforeValidator(_present_word)]
    asset: str


class SignedAllowance(Section):
    """An allowance that the owner signed beforehand (EIP-2612) for the owner's contract."""

    token: Address
    value: Annotated[int, Field(gt=0)]
    """Token units; a string in the file, as a TOML number cannot hold them."""
    nonce: int = Field(ge=0)
    deadline: int = Field(gt=0)
    signature: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{130}$")]
    """r‖s‖v."""


class Protect(Section):
    market: str
    account: Account
    target: Ratio | None = None
    top_up: Ratio | None = None
    warn: Ratio | None = None
    max_spend_per_owner_day: Money
    """Whole units of account that top-ups of this owner may spend in 24 hours, in all markets together."""
    paid_by: Literal["keeper", "owner"] = "keeper"
    """Whose money pays: the keeper's own inventory, or the owner's through their contract."""
    permits: list[SignedAllowance] = []
    when_unverified: Literal["watch", "top_up"] = "watch"
    """On a revision whose arithmetic is unknown or differs: only watch, or top up, sized by the contract's
    own view in rehearsals. Liquidations wait in either case."""
    steps: tuple[Step, ...] = ()
    """Steps in the order in which they are tried. Empty: repay each of the account's debts, then supply its
    collaterals; positions are made smaller only where a step says so."""
    prefer: Literal["order", "cheapest"] = "order"
    """Which of the steps that reach the target to take: the first, or the one that costs least. A payment
    costs its `capital_cost`, a smaller position its fees and the price given up."""
    capital_cost: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.1")
    """The yearly price of locked money, as a share of it."""
    max_slippage: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.01")
    """The largest share of the price that making a position smaller may cost."""

    @model_validator(mode="after")
    def _ordered(self) -> Protect:
        if self.target is not None and self.top_up is not None and self.target < self.top_up:
            raise ValueError("target must not be below top_up")
        return self
