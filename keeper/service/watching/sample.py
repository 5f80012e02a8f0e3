"""Which accounts are compared with the contract's own view at a block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from keeper.service.markets import Market
from keeper.service.watching.memory import MarketMemory

# Accounts compared before a market may be acted in.
START_SAMPLE = 64


def first_sample(accounts: Iterable[str]) -> list[str]:
    """Accounts compared at the start, spread evenly over all."""
    ordered = sorted(accounts)
    stride = max(len(ordered) // START_SAMPLE, 1)
    return ordered[::stride][:START_SAMPLE]


def next_sample(market: Market, memory: MarketMemory, protected: Sequence[str]) -> tuple[Sequence[str], int]:
    """The protected accounts, those nearest to 1, and the next in turn; and whose turn it is then (a row)."""
    size, rows = market.settings.audit_sample, market.book.rows
    chosen = dict.fromkeys(market.of(protected))
    chosen.update(dict.fromkeys(memory.nearest[: size // 2]))
    in_turn = size - size // 2
    for step in range(min(in_turn, len(rows))):
        chosen[rows.account((memory.turn + step) % len(rows))] = None
    return list(chosen), memory.turn + in_turn
