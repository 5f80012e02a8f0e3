"""`keeper demo --all`: one crash over all markets, reported with a line per block and a table per market."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from keeper.cli.output import console, exact, print_json, print_table
from keeper.cli.telling import leave, tell_ended, tell_faults
from keeper.demo.crash_outcome import CrashLine, CrashOutcome, crash_outcome
from keeper.demo.crash_play import CrashMoment, play_crash
from keeper.demo.crash_stage import BUDGET, crash_stage
from keeper.localchain.four_markets import PROTOCOLS
from keeper.model.format import format_health, format_money

TITLES = {
    "aave": "Aave 3.6",
    "morpho": "Morpho Blue",
    "troves": "Mezo's troves (Liquity family)",
    "comet": "Compound v3 (our stand-in: no package ships the real one)",
}


def demo_all(*, as_json: bool, seed: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="keeper-demo-"))
    moments: list[CrashMoment] = []

    def tell(moment: CrashMoment) -> None:
        moments.append(moment)
        if not as_json:
            _tell_block(moment)

    with crash_stage(seed, folder) as stage:
        if not as_json:
            console.print(
                f"{', '.join(TITLES.values())}: on one local chain with one ether price, {len(stage.people)} "
                f"accounts, one signer, seed {seed}. The keeper runs live; ether falls.\n"
            )
        play_crash(stage, seed, tell)
        result = crash_outcome(stage, moments)
    if as_json:
        print_json(as_object(result))
    else:
        console.print()
        _tell_outcome(result)
    leave(folder, result.faults)


def _tell_block(moment: CrashMoment) -> None:
    parts = []
    for market in PROTOCOLS:
        breaches = [account["breach"] for account in moment.markets.get(market, [])]
        broken = breaches.count("liquidate")
        warned = breaches.count("warn") + breaches.count("top_up")
        parts.append(f"{market} [yellow]{warned:>2}[/yellow] [red]{broken:>2}[/red]")
    shown = "   ".join(parts)
    console.print(f"block [bold]{moment.block:>4}[/bold]  ether {moment.ether / 10**8:>8,.2f}   {shown}")
    tell_ended(moment.ended, with_market=True)


def _tell_outcome(result: CrashOutcome) -> None:
    console.print(
        "(a line a block: in each market how many were [yellow]warned[/yellow] and [red]broken[/red])\n"
    )
    for market in PROTOCOLS:
        print_table(
            TITLES[market],
            ["account", "who", "before", "lowest", "after", "what was done"],
            [_row(line) for line in result.lines if line.market == market],
        )
    print_table(
        "one signer, all markets",
        ["market", "liquidations", "top-ups"],
        [[m, str(result.liquidations[m]), str(result.top_ups[m])] for m in PROTOCOLS],
    )
    console.print(
        f"{result.transactions} transactions, {result.shared} of them for several markets at once.\n"
        f"liquidations earned {format_money(result.earned)}, "
        f"top-ups spent {format_money(result.spent)}, gas cost "
        f"{format_money(result.gas_cost)} (in dollars).\nOf the protected owner's {BUDGET:,} a day "
        f"{format_money(result.owner_spent)} were spent in all markets together"
    )
    if not result.faults:
        console.print(
            f"checked from outside: {result.compared:,} answers of the contracts in {result.blocks} blocks "
            "agree with the keeper"
        )
    tell_faults(result.faults)


def _row(line: CrashLine) -> list[str]:
    after = "emptied" if line.emptied else format_health(line.after)
    who = f"{line.account[:8]}…{line.account[-4:]}"
    return [
        who,
        line.label,
        format_health(line.before),
        format_health(line.lowest),
        after,
        "\n".join(line.done),
    ]


def as_object(result: CrashOutcome) -> dict[str, Any]:
    """The object that `demo --all --json` prints; money in decimal strings of 18 decimals."""
    return {
        "ok": not result.faults,
        "faults": result.faults,
        "compared": result.compared,
        "blocks": result.blocks,
        "transactions": result.transactions,
        "shared": result.shared,
        **exact(result, "earned", "spent", "booked", "gas_cost", "owner_spent"),
        "markets": {
            market: {
                "liquidations": result.liquidations[market],
                "top_ups": result.top_ups[market],
                "accounts": [
                    {
                        "account": line.account,
                        "label": line.label,
                        **exact(line, "before", "lowest", "after"),
                        "emptied": line.emptied,
                        "done": line.done,
                    }
                    for line in result.lines
                    if line.market == market
                ],
            }
            for market in PROTOCOLS
        },
    }
