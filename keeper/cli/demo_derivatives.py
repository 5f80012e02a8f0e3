"""`keeper demo --derivatives`: perpetuals and options through a squeeze, a crash and a week, reported
live."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from keeper.cli.output import console, exact, print_json, print_table
from keeper.cli.telling import leave, tell_ended, tell_faults
from keeper.demo.derivatives_outcome import DerivativesLine, DerivativesOutcome, derivatives_outcome
from keeper.demo.derivatives_play import DerivativesMoment, play_derivatives
from keeper.demo.derivatives_stage import AVALON, CURIE, MARKETS, SYNTHETIX, derivatives_stage
from keeper.model.format import format_health, format_money

TITLES = {
    SYNTHETIX: "Synthetix v3 perps (its core is our stand-in: no package ships the real one)",
    CURIE: "Perp v2 on Uniswap v3 pools",
    AVALON: "Lyra Avalon options (its Synthetix side is the package's own double)",
}


def demo_derivatives(*, as_json: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="keeper-demo-"))
    moments: list[DerivativesMoment] = []

    def tell(moment: DerivativesMoment) -> None:
        if not as_json:
            _tell_block(moment, moments[-1].step.title if moments else "")
        moments.append(moment)

    with derivatives_stage(folder) as stage:
        if not as_json:
            console.print("One local chain, one signer, and on it:")
            for title in TITLES.values():
                console.print(f"  {title}")
            console.print("The keeper runs live; ether and bitcoin rise, and then they fall.\n")
        play_derivatives(stage, tell)
        result = derivatives_outcome(stage, moments)
    if as_json:
        print_json(_object(result))
    else:
        console.print()
        _tell_outcome(result)
    leave(folder, result.faults)


def _tell_block(moment: DerivativesMoment, before: str) -> None:
    if moment.step.title != before:
        console.print(f"[magenta]{moment.step.title}[/magenta]")
    parts = []
    for market in MARKETS:
        breaches = [account["breach"] for account in moment.markets.get(market, [])]
        warned = breaches.count("warn") + breaches.count("top_up")
        parts.append(f"{market} [yellow]{warned:>2}[/yellow] [red]{breaches.count('liquidate'):>2}[/red]")
    console.print(f"block [bold]{moment.block:>4}[/bold]  ether {moment.ether:>6,}   {'   '.join(parts)}")
    tell_ended(moment.ended, with_market=True)


def _tell_outcome(result: DerivativesOutcome) -> None:
    console.print(
        "(a line a block: in each market how many were [yellow]warned[/yellow] and [red]broken[/red])\n"
    )
    for market in MARKETS:
        print_table(
            TITLES[market],
            ["account", "who", "before", "lowest", "after", "in the end", "what was done"],
            [_row(line) for line in result.lines if line.market == market],
        )
    console.print(
        f"booked {format_money(result.booked)} before gas, which cost {format_money(result.gas_cost)} "
        "(dollars; what protected accounts were given is in it)"
    )
    if not result.faults:
        console.print(
            f"checked from outside: {result.compared:,} answers of the contracts in {result.blocks} blocks "
            "agree with the keeper"
        )
    tell_faults(result.faults)


def _row(line: DerivativesLine) -> list[str]:
    who = line.account if len(line.account) < 12 else f"{line.account[:8]}…{line.account[-4:]}"
    healths = [format_health(each) for each in (line.before, line.lowest, line.after)]
    return [who, line.label, *healths, line.end, "\n".join(line.done)]


def _object(result: DerivativesOutcome) -> dict[str, Any]:
    """Money in decimal strings of 18 decimals."""
    return {
        "ok": not result.faults,
        "faults": result.faults,
        "compared": result.compared,
        "blocks": result.blocks,
        **exact(result, "booked", "gas_cost"),
        "accounts": [
            {
                "market": line.market,
                "account": line.account,
                "label": line.label,
                **exact(line, "before", "lowest", "after"),
                "end": line.end,
                "done": line.done,
            }
            for line in result.lines
        ],
    }
