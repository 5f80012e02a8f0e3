"""Reports of a demo or fork day: a line per block, a table at the end, or one JSON object."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from keeper.alerts.wording import PAST
from keeper.cli.output import console, exact, money, print_table
from keeper.demo.director import Moment
from keeper.demo.outcome import DayOutcome, Line
from keeper.model.account_key import NUMBER_LETTERS, account_name
from keeper.model.format import format_health
from keeper.store.tables.journal import Intent

BASE_DECIMALS = 8


def tell_block(moment: Moment) -> None:
    shown = "  ".join(
        f"{symbol} {moment.prices[symbol] / 10**BASE_DECIMALS:>9,.2f}"
        for symbol in ("WETH", "WBTC", "wstETH")
    )
    states = Counter(account["breach"] for account in moment.accounts)
    warned = states["warn"] + states["top_up"]
    healthy = sum(1 for a in moment.accounts if a["health"] is not None and not a["breach"])
    console.print(
        f"block [bold]{moment.block:>4}[/bold]  {shown}   "
        f"[green]{healthy:>2} healthy[/green]  [yellow]{warned:>2} warned[/yellow]  "
        f"[red]{states['liquidate']:>2} liquidatable[/red]"
    )
    if moment.title:
        console.print(f"            [magenta]{escape(moment.title)}[/magenta]")
    for reasons in (moment.held, moment.unvaluable):
        for why in dict.fromkeys(reasons.values()):
            those = [_short(account) for account, told in reasons.items() if told == why]
            console.print(f"            [dim]held still for {', '.join(those)}: {escape(why)}[/dim]")
    tell_ended(moment.ended)


def tell_ended(intents: Sequence[Intent], *, with_market: bool = False) -> None:
    """Print a line for each intent that has ended."""
    for intent in intents:
        where = f" in {intent.market}" if with_market else ""
        if intent.state == "settled" and intent.kind == "settle":
            # Work beside liquidations: nobody's health is told by it.
            told = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in _summary(intent).items())
            console.print(
                f"            [cyan]worked for {_short(intent.account)}{where}[/cyan] ({escape(told)})"
            )
        elif intent.state == "settled":
            what = f"{PAST[intent.kind]} {_short(intent.account)}{where}"
            console.print(f"            [cyan]{what}[/cyan] (health was {format_health(intent.health)})")
        else:
            how = f"{intent.kind}{where} {intent.state}: {escape(intent.reason)}"
            console.print(f"            [dim]{how}[/dim]")


def _summary(intent: Intent) -> dict[str, str]:
    found: dict[str, str] = json.loads(intent.summary)
    return found


def tell_faults(faults: Sequence[str]) -> None:
    for fault in faults:
        console.print(f"[red]fault:[/red] {escape(fault)}")


def leave(folder: Path, faults: Sequence[str]) -> None:
    """Remove what the keeper left; where there are faults, print where it is, and exit with 1."""
    if faults:
        typer.echo(f"what the keeper left is in {folder}", err=True)
        raise typer.Exit(1)
    shutil.rmtree(folder)


def _short(account: str) -> str:
    """An owner's address without the part of a market that follows it in the account's key; a number
    unchanged."""
    if len(account) == NUMBER_LETTERS:
        return account_name(account)
    return f"{account[:8]}…{account[38:42]}"


def held_object(moment: Moment) -> dict[str, Any]:
    """The accounts for which nothing was done at a block, and why."""
    return {
        "block": moment.block,
        "title": moment.title,
        "held": dict(moment.held),
        "unvaluable": dict(moment.unvaluable),
    }


def tell_outcome(result: DayOutcome) -> None:
    print_table(
        "the day, account by account",
        ["account", "who", "before", "lowest", "after", "what was done", "transactions", "gain or cost"],
        [_row(line) for line in result.lines],
    )
    amounts = (result.bad_debt, result.earned, result.booked, result.gas_cost, result.profit)
    print_table(
        "totals",
        ["liquidations", "top-ups", "bad debt", "at oracle prices", "booked", "gas", "profit after gas"],
        [
            [
                str(result.liquidations),
                str(result.top_ups),
                *(money(amount, BASE_DECIMALS) for amount in amounts),
            ]
        ],
    )
    console.print(
        f"checked from outside: {result.compared:,} valuations in {result.blocks} blocks "
        + ("equal the contract's own, to the last unit" if not result.faults else "")
    )
    tell_faults(result.faults)


def _row(line: Line) -> list[str]:
    return [
        f"{line.account[:6]}…{line.account[-4:]}",
        line.label,
        format_health(line.before),
        format_health(line.lowest),
        "emptied" if line.debt and not line.collateral else format_health(line.after),
        "\n".join(line.done),
        "\n".join(f"{tx[:10]}…" for tx in line.transactions),
        money(line.gain, BASE_DECIMALS) if line.gain else "",
    ]


def as_object(result: DayOutcome) -> dict[str, Any]:
    return {
        "ok": not result.faults,
        "faults": result.faults,
        "compared": result.compared,
        "blocks": result.blocks,
        "totals": {
            "liquidations": result.liquidations,
            "top_ups": result.top_ups,
            **exact(result, "bad_debt", "earned", "booked", "gas_cost", "profit"),
        },
        "accounts": [
            {
                "account": line.account,
                "label": line.label,
                **exact(line, "before", "lowest", "after"),
                "done": line.done,
                "transactions": line.transactions,
                "gain": str(line.gain),
            }
            for line in result.lines
        ],
    }
