"""An account's numbers in a table: the same columns for every protocol, then its parts by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from keeper.cli.output import money
from keeper.model.format import format_health
from keeper.model.valuation import Valuation
from keeper.service.markets import Market

NUMBERS = ("equity", "maintenance", "net", "health")


def part_names(valuations: Iterable[Valuation]) -> list[str]:
    """The names of all parts that any of them has, in the order in which they come."""
    return list(dict.fromkeys(name for valuation in valuations for name in valuation.parts))


def cells(market: Market, valuation: Valuation, parts: Sequence[str]) -> list[str]:
    """Under `NUMBERS` and `parts`, as people read them; empty where the account has no such part."""
    adapter, state, account = market.adapter, market.book.state, valuation.account
    decimals = adapter.explainer.decimals(state, account)
    amounts = (valuation.equity, valuation.maintenance, valuation.net)
    return [
        *(money(amount, decimals) for amount in amounts),
        format_health(valuation.health),
        *(
            money(valuation.parts[name], adapter.explainer.part_decimals(state, account, name))
            if name in valuation.parts
            else ""
            for name in parts
        ),
    ]


def in_words(market: Market, valuation: Valuation) -> str:
    """The same numbers in one line."""
    parts = part_names([valuation])
    return ", ".join(
        f"{name} {cell}"
        for name, cell in zip((*NUMBERS, *parts), cells(market, valuation, parts), strict=True)
    )
