"""`keeper audit`: every account of every market against the contract's own view, and all together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keeper.chain import blocks
from keeper.cli.output import console, name, print_json, print_table
from keeper.cli.scan import NUMBERS, existing_store, scanning
from keeper.model.valuation import Valuation
from keeper.protocols.registry import load
from keeper.service.markets import build, pools
from keeper.service.reporting.record import account_json, numbers_json
from keeper.service.watching.parity import Audit, Difference, audit


def compare(config: Path, *, as_json: bool) -> int:
    """Print what was compared; 1 when anything differs, else 0."""
    settings = load(config)
    nodes = pools(settings)
    markets = build(settings, nodes, existing_store(settings.store.url), read_only=True)
    heads = {name: blocks.latest(pool) for name, pool in nodes.items()}
    found = []
    for market in markets:
        head = heads[market.settings.chain]
        with scanning(market, head) as progress:
            found.append(audit(market, head, progress))
    if as_json:
        print_json({"markets": [_object(each) for each in found]})
    else:
        for each in found:
            _print(each)
    return 0 if all(each.agrees for each in found) else 1


def _print(found: Audit) -> None:
    title = f"{found.market.name} at block {found.head.number}: {found.accounts} accounts compared"
    totals = found.unbalanced or "the sums of all positions agree with the protocol's totals"
    if found.unknown:
        totals = f"{found.unknown}; {totals}"
    title = f"{title}, {len(found.differences)} differ; {totals}"
    if not found.differences:
        console.print(title, markup=False, highlight=False)
        return
    print_table(
        title,
        ["account", "", *NUMBERS, "liquidatable", "parts"],
        [row for each in found.differences for row in _rows(each)],
    )


def _rows(each: Difference) -> list[list[str]]:
    ours, theirs = _cells(each.ours), _cells(each.theirs)
    return [[name(each.account), "ours", *ours], ["", "the contract's", *theirs]]


def _cells(valuation: Valuation | None) -> list[str]:
    """Exact to the unit: differences may be in the last digit."""
    if valuation is None:
        return ["none", *[""] * (len(NUMBERS) + 1)]
    return [
        *(str(getattr(valuation, each)) for each in NUMBERS),
        "yes" if valuation.liquidatable else "no",
        ", ".join(f"{part} {amount}" for part, amount in valuation.parts.items()),
    ]


def _object(found: Audit) -> dict[str, Any]:
    return {
        "market": found.market.name,
        "block": found.head.number,
        "accounts": found.accounts,
        "agrees": found.agrees,
        "unbalanced": found.unbalanced,
        "unknown": found.unknown,
        "differences": [
            {
                **account_json(found.market.adapter, d.account),
                "ours": None if d.ours is None else numbers_json(d.ours),
                "theirs": None if d.theirs is None else numbers_json(d.theirs),
            }
            for d in found.differences
        ],
    }
