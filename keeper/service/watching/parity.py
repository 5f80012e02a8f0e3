"""The whole book against the protocol: every account's own view, and the protocol's totals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keeper.book.book import VIEWS_A_CALL
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

    run: Market
    head: Head
    accounts: int
    differences: Sequence[Difference]
    unbalanced: str
    unknown: str

    @property
    def agrees(self) -> bool:
        return not (self.differences or self.unbalanced or self.unknown)


def audit(run: Market, head: Head, progress: Callable[[int], None] | None = None) -> Audit:
    """Value every account of a market and ask the protocol for its own view of each, at the same block."""
    at = value(run, head, progress)
    accounts = list(run.book.accounts)
    state = run.book.state
    unknown = ""
    own: dict[str, Valuation] = {}
    if run.adapter.valuer.version(state) is None:
        unknown = at.memory.watch_only.reason
    else:
        raws = {a: run.book.accounts[a] for a in accounts if a not in at.unvaluable}
        own = {v.account: v for v in run.adapter.valuer.value(state, raws, head.timestamp)}
    differences: list[Difference] = []
    for first in range(0, len(accounts), VIEWS_A_CALL):
        chunk = accounts[first : first + VIEWS_A_CALL]
        theirs = run.book.views(head, chunk)
        for account in chunk:
            mine, its = own.get(account), theirs.get(account)
            if not unknown and mine != its:
                differences.append(Difference(account, mine, its))
    return Audit(run, head, len(accounts), differences, run.book.unbalanced, unknown)
