"""`keeper fork`: try the configuration on a copy of the chain, crash included."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keeper.cli.options import decimal
from keeper.cli.output import cell, console, exact, money, print_json, print_rows, print_table
from keeper.fork.outcome import ForkOutcome, Price
from keeper.fork.session import ForkOptions, rehearse
from keeper.fork.shocks import parse_shock
from keeper.model.format import format_health
from keeper.protocols.registry import load


def fork(
    config: Path,
    *,
    chain: str | None,
    block: int | None,
    shocks: list[str],
    longest: int,
    funds: str,
    as_json: bool,
) -> None:
    """Rehearse and report. What the fork left (store, alerts, log) is removed."""
    settings = load(config)
    options = ForkOptions(
        chain=chain,
        block=block,
        shocks=tuple(parse_shock(text) for text in shocks),
        longest=longest,
        funds=decimal(funds, "--funds"),
    )
    folder = Path(tempfile.mkdtemp(prefix="keeper-fork-"))

    def tell(line: str) -> None:
        if not as_json:
            console.print(line, highlight=False)

    try:
        result = rehearse(settings, options, folder, tell)
    finally:
        shutil.rmtree(folder)
    if as_json:
        print_json(as_object(result))
    else:
        show(result)


def show(result: ForkOutcome) -> None:
    """Print tables for people."""
    moved = [p for p in result.prices if p.before != p.after]
    if moved:
        print_table(
            "prices",
            ["market", "asset", "before", "after"],
            [[p.market, p.symbol, money(p.before, 18), money(p.after, 18)] for p in moved],
        )
    for line in unmoved(result.prices):
        console.print(line, style="yellow", markup=False, highlight=False)
    print_rows(
        "what the keeper did on the fork",
        result.actions,
        {
            "market": lambda d: d.market,
            "account": lambda d: cell(d.account),
            "kind": lambda d: d.kind,
            "health": lambda d: format_health(d.health),
            "state": lambda d: d.state,
            "what": lambda d: d.what,
            "gain": lambda d: money(d.gain, 18) if d.kind == "liquidate" else "",
            "spent": lambda d: money(d.spent, 18) if d.kind == "top_up" else "",
            "why": lambda d: d.why,
        },
    )
    if result.left:
        print_table(
            "left as they were",
            ["market", "account", "below", "lowest health", "why"],
            [
                [each.market, cell(each.account), each.threshold, format_health(each.lowest), each.why]
                for each in result.left
            ],
        )
    console.print(
        f"{result.blocks} blocks after {result.forked_at}: "
        f"would have earned {money(result.earned, 18)} by liquidations, "
        f"spent {money(result.spent, 18)} on top-ups and "
        f"{result.gas / 10**18:.6f} native coins on gas; inventory {money(result.inventory, 18)}. "
        f"{result.alerts} alerts, all local only: nothing reached your node, store or channels.",
        highlight=False,
    )


def unmoved(prices: Sequence[Price]) -> list[str]:
    """Priced assets that did not move though one with their symbol did."""
    moved = {p.symbol for p in prices if p.before != p.after}
    return [
        f"{p.symbol} in {p.market} did not move: its price there does not hang on the feed that was shocked"
        for p in prices
        if p.symbol in moved and p.before == p.after != 0
    ]


def as_object(result: ForkOutcome) -> dict[str, Any]:
    """The object for programs; amounts as decimal strings."""
    return {
        "chain": result.chain,
        "forked_at": result.forked_at,
        "blocks": result.blocks,
        "prices": [
            {"market": p.market, "symbol": p.symbol, **exact(p, "before", "after")} for p in result.prices
        ],
        "deeds": [
            {**asdict(action), **exact(action, "health", "gain", "spent", "gas")} for action in result.actions
        ],
        "left": [{**asdict(each), **exact(each, "lowest")} for each in result.left],
        "totals": exact(result, "earned", "spent", "gas", "inventory"),
        "alerts": result.alerts,
        "local_only": True,
    }
