"""`keeper explain ACCOUNT`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from eth_utils.address import is_address, to_checksum_address

from keeper.alerts.wording import ratio
from keeper.book.source import part_of
from keeper.chain.calls import run as read
from keeper.cli.output import console, money, name, print_json, print_table
from keeper.cli.scan import scan_markets
from keeper.config import load
from keeper.errors import ConfigError
from keeper.policy.levels import Policies
from keeper.protocols.base import Explanation
from keeper.service.markets import MarketRun
from keeper.service.record import block_json
from keeper.service.valuing import Valued


def explain(config: Path, account: str, *, as_json: bool) -> None:
    if not is_address(account):
        raise ConfigError(
            f"{account!r} is not an address", where="explain", remedy="Give 0x and 40 hexadecimal digits"
        )
    settings = load(config)
    policies = Policies(settings)
    wanted = account.lower()
    found = [
        (run, at, _explain(run, at, each)) for run, at in scan_markets(settings) for each in run.of([wanted])
    ]
    if not found:
        raise ConfigError(
            f"no market knows the account {account}",
            where="explain",
            remedy="Check the address, the markets, and their from_block",
        )
    if as_json:
        print_json(
            [
                {
                    "block": block_json(at.head),
                    "market": run.name,
                    "account": to_checksum_address(wanted),
                    **({"part": part} if (part := part_of(e.valuation.account)) else {}),
                    "collateral": str(e.valuation.collateral),
                    "debt": str(e.valuation.debt),
                    "threshold": str(e.valuation.threshold),
                    "health": None if e.valuation.health is None else str(e.valuation.health),
                    "breach": policies.crossed(run.name, e.valuation),
                    "formula": e.formula,
                    "assets": [
                        {k: str(v) if isinstance(v, int) else v for k, v in asdict(line).items()}
                        for line in e.lines
                    ],
                }
                for run, at, e in found
            ]
        )
        return
    for run, at, e in found:
        _print(run, at, e, policies)


def _explain(run: MarketRun, at: Valued, account: str) -> Explanation:
    if run.stopped:
        raise ConfigError(
            f"is watched only ({run.stopped}), so its numbers cannot be explained here",
            where=f"market {run.name}",
        )
    state = run.book.state
    # Planning reads symbols too; nobody pays here, so the balances asked for are the account's own.
    answers = read(run.book.pool, at.head, run.adapter.planning_calls(state, [], account))
    symbols = run.adapter.read_planning(state, [], answers).symbols
    return run.adapter.explain(state, account, run.book.accounts[account], at.head.timestamp, symbols)


def _print(run: MarketRun, at: Valued, e: Explanation, policies: Policies) -> None:
    decimals = run.adapter.decimals(run.book.state, e.valuation.account)
    rows = [
        [
            line.symbol,
            money(line.price, decimals),
            money(line.supplied, line.decimals) if line.supplied else "",
            money(line.collateral, decimals) if line.collateral else "",
            f"{line.threshold / 100:.2f} %" if line.collateral else "",
            money(line.owed, line.decimals) if line.owed else "",
            money(line.debt, decimals) if line.debt else "",
            money(line.breaks_at, decimals) if line.breaks_at is not None else "",
        ]
        for line in e.lines
    ]
    print_table(
        f"{name(e.valuation.account)} in {run.name} at block {at.head.number}",
        ["asset", "price", "supplied", "collateral", "threshold", "owed", "debt", "breaks at price"],
        rows,
    )
    breach = policies.crossed(run.name, e.valuation)
    console.print(
        f"collateral {money(e.valuation.collateral, decimals)}, debt {money(e.valuation.debt, decimals)}, "
        f"health [bold]{ratio(e.valuation.health)}[/bold]" + (f", below {breach}" if breach else "")
    )
    console.print(e.formula, style="dim")
