"""The whole book against the protocol: every account's own view, and the protocol's totals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keeper.chain.blocks import Head
from keeper.model.valuation import Valuation
from keeper.service.markets import Market
from keeper.service.watching.value import value


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose numbers are not the protocol's; None where one side has no number."""

    account: str
    ours: Valuation | None
    theirs: Valuation | None


@dataclass(frozen=True, slots=True)
class Audit:
    """One market compared at a block. `unbalanced` says which total is contradicted, empty when none is;
    `unknown` that no arithmetic of ours is known for the market's revision."""

    market: Market
    head: Head
    accounts: int
    differences: Sequence[Difference]
    unbalanced: str
    unknown: str

    @property
    def agrees(self) -> bool:
        return not (self.differences or self.unbalanced or self.unknown)


def audit(market: Market, head: Head, progress: Callable[[int], None] | None = None) -> Audit:
    """Value every account of a market and ask the protocol for its own view of each, at the same block."""
    valued = value(market, head, progress)
    accounts = list(market.book.accounts)
    state = market.book.state
    unknown = ""
    own: dict[str, Valuation] = {}
    if market.adapter.valuer.version(state) is None:
        unknown = valued.memory.watch_only.reason
    else:
        raws = {a: market.book.accounts[a] for a in accounts if a not in valued.unvaluable}
        own = {v.account: v for v in market.adapter.valuer.value(state, raws, head.timestamp)}
    theirs = market.book.views(valued.head, accounts)
    compared = (Difference(account, own.get(account), theirs.get(account)) for account in accounts)
    differences = [each for each in compared if not unknown and each.ours != each.theirs]
    return Audit(market, head, len(accounts), differences, market.book.unbalanced, unknown)
