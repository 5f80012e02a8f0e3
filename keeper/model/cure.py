"""Cures of a protected account: what is requested, whose money pays, and what its owner signed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keeper.config.policy import Action, SignedAllowance, Step
from keeper.model.offer import Asset
from keeper.model.plan import NATIVE, Plan
from keeper.model.purse import Purse


def action_words(action: Action) -> str:
    """The action's name for people."""
    return action.replace("_", " ")


@dataclass(frozen=True, slots=True)
class OwnerMoney:
    """An owner's authorisation to spend their tokens: our contract and signed permits (token, lower case →
    permit)."""

    contract: str
    permits: Mapping[str, SignedAllowance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnerFunds:
    """What the owner's contract can spend at the planned time: token (lower case) → units, why not more,
    and the permits that must be used for it."""

    contract: str
    available: Mapping[str, int]
    why: Mapping[str, str]
    permits: Mapping[str, SignedAllowance]

    def without(self, tokens: Collection[str]) -> OwnerFunds:
        """The same funds, with nothing of these tokens."""
        return replace(
            self,
            available={token: 0 if token in tokens else units for token, units in self.available.items()},
            why={**self.why, **dict.fromkeys(tokens, "it was refused lately")},
        )


@dataclass(frozen=True, slots=True)
class CureRequest:
    """What a cure must reach at `timestamp` (health, 1e18) and may cost (base units), and who pays: the
    signer out of the purse's funds, or `owner`. Without `steps` the protocol's default steps apply."""

    account: str
    timestamp: int
    purse: Purse
    steps: Sequence[Step]
    target: int
    budget_base: int
    owner: OwnerFunds | None = None
    refused: frozenset[str] = frozenset()
    """What steps were refused with lately: tokens, or positions by the protocol's names."""
    most_slippage: int = 0
    """The share of the price (1e18 is all) that making a position smaller may cost."""
    cheapest: bool = False
    """Whether to take the cheapest of the steps that reach the target, not the first."""
    capital_cost: int = 0
    """What a year of locked money costs, as a share of it (1e18 is all)."""

    def payable(self, token: str) -> int:
        """Units at hand, without coins that are gas money."""
        has = self.purse.funds if self.owner is None else self.owner.available
        return max(has.get(token, 0) - (self.purse.gas_reserve if token == NATIVE else 0), 0)

    def affordable(self, asset: Asset) -> int:
        """Units that the budget allows."""
        return self.budget_base * asset.unit // asset.price if asset.price else 0


@dataclass(frozen=True, slots=True)
class Unsized:
    """A step whose amount is yet to be found: at most `most` token units; `plan(amount, floor)` asks for a
    health of at least `floor` (1e18) afterwards."""

    name: str
    most: int
    plan: Callable[[int, int], Plan]
