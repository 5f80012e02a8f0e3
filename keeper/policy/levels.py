"""Which thresholds hold for which account, and which of them a valuation has crossed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from keeper.config import Protect, Settings, wad
from keeper.config.policy import Step
from keeper.model.account_key import account_key
from keeper.model.cure import OwnerMoney
from keeper.model.money import WAD
from keeper.model.valuation import Valuation

Threshold = Literal["warn", "top_up", "liquidate"]
Owner = Callable[[str, str], str]
"""The lookup of an account's owner: (market, account) → address, lower case."""
# From the mildest to the gravest.
THRESHOLDS: tuple[Threshold, ...] = ("warn", "top_up", "liquidate")
# What is said of an account below `top_up` that nobody protects.
NEAR = "near"


def is_below(valuation: Valuation, level: int) -> bool:
    """Whether the account lies below a level (1e18 is 1); decided nowhere else.

    At 1 the protocol's own verdict decides; elsewhere equity < level · maintenance, for which the protocol's
    own ratio is as good (`ratio_down`). Where nothing is required only the verdict decides.
    """
    if valuation.health is None:
        return valuation.liquidatable
    return valuation.liquidatable if level == WAD else valuation.health < level


@dataclass(frozen=True, slots=True)
class Protection:
    """What an owner asks for one account: target health and daily cap (whole base units), times 1e18."""

    target: int
    max_spend_per_owner_day: int
    steps: tuple[Step, ...]
    owner: OwnerMoney | None = None
    """The owner's authorisation, where their own money pays."""
    max_slippage: int = 0
    cheapest: bool = False
    capital_cost: int = 0
    when_unverified: bool = False
    """Whether to top up, sized by the contract's own view, where our arithmetic is not the contract's."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Thresholds of one account, scaled 1e18."""

    warn: int
    top_up: int
    liquidate: int
    protection: Protection | None = None
    ignored: bool = False

    def of(self, threshold: Threshold) -> int:
        return {"warn": self.warn, "top_up": self.top_up, "liquidate": self.liquidate}[threshold]

    def crossed(self, valuation: Valuation) -> Threshold | None:
        """The gravest threshold this valuation lies below; None where it lies below none, or nothing is
        required."""
        if self.ignored:
            return None
        for threshold in reversed(THRESHOLDS):
            if is_below(valuation, self.of(threshold)):
                return threshold
        return None


class Policies:
    """Every account's levels, from the settings. Money stays in whole base units until the decimals of a
    market's base currency are known. Settings for an owner hold for all of their accounts."""

    def __init__(self, settings: Settings, owner: Owner) -> None:
        policy = settings.policy
        self.owner = owner
        # The levels of every account that has none of its own.
        self.general = Levels(wad(policy.warn), wad(policy.top_up), wad(policy.liquidate))
        self._special: dict[tuple[str, str], Levels] = {}
        self.hysteresis = wad(policy.hysteresis)
        for account in policy.accounts:
            self._special[(account.market, account_key(account.account))] = Levels(
                wad(account.warn or policy.warn),
                wad(account.top_up or policy.top_up),
                wad(account.liquidate or policy.liquidate),
                ignored=account.ignore,
            )
        for protect in settings.protect:
            key = (protect.market, account_key(protect.account))
            base = self._special.get(key, self.general)
            self._special[key] = Levels(
                wad(protect.warn) if protect.warn else base.warn,
                wad(protect.top_up) if protect.top_up else base.top_up,
                base.liquidate,
                _protection(protect, settings),
                base.ignored,
            )
        self._markets = frozenset(market for market, _ in self._special)

    def special(self, market: str) -> frozenset[str]:
        """Accounts of a market with levels of their own, or under protection; lower case."""
        return frozenset(account for name, account in self._special if name == market)

    def levels(self, market: str, account: str) -> Levels:
        if market not in self._markets:
            return self.general
        own = self._special.get((market, account))
        return own or self._special.get((market, self.owner(market, account)), self.general)

    def words(self, market: str, account: str, threshold: str) -> str:
        """A threshold's name for people: below `top_up` nothing is done for an account that nobody
        protects."""
        if threshold == "top_up" and self.levels(market, account).protection is None:
            return NEAR
        return threshold

    def protected(self, market: str) -> list[str]:
        """Accounts of a market under protection, lower case."""
        return [a for (m, a), levels in self._special.items() if m == market and levels.protection]

    def crossed(self, market: str, valuation: Valuation) -> Threshold | None:
        return self.levels(market, valuation.account).crossed(valuation)


def _protection(protect: Protect, settings: Settings) -> Protection:
    return Protection(
        target=wad(protect.target or settings.policy.target),
        max_spend_per_owner_day=wad(protect.max_spend_per_owner_day),
        steps=protect.steps,
        owner=_owner(protect, settings),
        max_slippage=wad(protect.max_slippage),
        cheapest=protect.prefer == "cheapest",
        capital_cost=wad(protect.capital_cost),
        when_unverified=protect.when_unverified == "top_up",
    )


def _owner(protect: Protect, settings: Settings) -> OwnerMoney | None:
    contract = settings.markets[protect.market].own.ours("owner-top-up")
    if protect.paid_by != "owner" or contract is None:
        return None
    return OwnerMoney(contract, {each.token.lower(): each for each in protect.permits})
