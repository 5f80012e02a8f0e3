"""`keeper scan`: every account valued once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.node import NodeError
from keeper.cli.output import money, name, print_json, print_table
from keeper.config import Settings
from keeper.errors import KeeperError
from keeper.model.format import format_health
from keeper.model.valuation import Valuation
from keeper.policy.levels import Policies
from keeper.protocols.registry import load
from keeper.service.markets import Market, build, policies_of, pools
from keeper.service.reporting.record import block_json, valuation_json
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.value import value
from keeper.store.database import Store, open_store

NUMBERS = ("equity", "maintenance", "net", "health")


def scan(config: Path, *, as_json: bool) -> None:
    settings = load(config)
    policies = policies_of(settings)
    valued = scan_markets(settings)
    if as_json:
        print_json(as_object(valued, policies))
        return
    for market, at in valued:
        parts = part_names(at.valuations)
        rows = [
            [
                name(v.account),
                *cells(market, v, parts),
                policies.words(market.name, v.account, policies.crossed(market.name, v) or ""),
            ]
            for v in sorted(at.valuations, key=lambda v: (v.health is None, v.health or 0))
        ]
        watched = f"; WATCHED ONLY: {halted}" if (halted := at.memory.watch_only.reason) else ""
        print_table(
            f"{market.name} ({market.adapter.protocol}) at block {at.head.number}: "
            f"{len(rows)} accounts{watched}",
            ["account", *NUMBERS, *parts, "breach"],
            rows,
        )
        if at.unvaluable:
            print_table(
                f"{market.name}: accounts the contract itself cannot value",
                ["account", "why"],
                [[account, why] for account, why in sorted(at.unvaluable.items())],
            )


def scan_markets(settings: Settings) -> list[tuple[Market, MarketValuation]]:
    """Scan every market at its chain's newest block; uses what a store already holds and changes nothing."""
    found = []
    for market, at in try_markets(settings):
        if isinstance(at, KeeperError):
            raise at
        found.append((market, at))
    return found


def try_markets(settings: Settings) -> Iterator[tuple[Market, MarketValuation | KeeperError]]:
    """As `scan_markets`, one by one; where a market or its chain fails, the error is that market's alone."""
    nodes = pools(settings)
    heads: dict[str, Head] = {}
    for market in build(settings, nodes, existing_store(settings.store.url), read_only=True):
        chain = market.settings.chain
        try:
            if chain not in heads:
                heads[chain] = blocks.latest(nodes[chain])
            with scanning(market, heads[chain]) as progress:
                at: MarketValuation | KeeperError = _valued(market, heads[chain], progress)
        except KeeperError as error:
            at = error
        yield market, at


def _valued(market: Market, head: Head, progress: Callable[[int], None] | None) -> MarketValuation:
    """Value a market. A first discovery may outlast the state of its head: its results then serve a newer
    one."""
    try:
        return value(market, head, progress)
    except NodeError:
        if not market.book.discovered:
            raise
        return value(market, blocks.latest(market.book.pool), progress)


def existing_store(url: str) -> Store | None:
    """The store if there is one: a scan does not create one."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        return None
    return open_store(url)


def as_object(valued: list[tuple[Market, MarketValuation]], policies: Policies) -> dict[str, Any]:
    """The object that `scan --json` prints; `block` is the first market's."""
    return {
        "block": block_json(valued[0][1].head),
        "markets": [
            {
                "market": market.name,
                "protocol": market.adapter.protocol,
                "block": block_json(at.head),
                "acting": at.acting,
                "reason": at.memory.watch_only.reason,
                "accounts": [
                    valuation_json(market.adapter, v, policies.crossed(market.name, v))
                    for v in sorted(at.valuations, key=lambda v: v.account)
                ],
                "unvaluable": [{"account": a, "why": why} for a, why in sorted(at.unvaluable.items())],
            }
            for market, at in valued
        ],
    }


@contextmanager
def scanning(market: Market, head: Head) -> Iterator[Callable[[int], None] | None]:
    """Show the progress and remaining time of scanning the market; yields the function to call with
    progress."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("block {task.completed:.0f} of {task.total:.0f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        first = market.settings.from_block
        task = bar.add_task(f"{market.name}: reading events", total=head.number, completed=first)

        def covered(until: int) -> None:
            bar.update(task, completed=until)

        yield covered


def part_names(valuations: Iterable[Valuation]) -> list[str]:
    """The names of all parts that any valuation has, in order of first appearance."""
    return list(dict.fromkeys(name for valuation in valuations for name in valuation.parts))


def cells(market: Market, valuation: Valuation, parts: Sequence[str]) -> list[str]:
    """The values under `NUMBERS` and `parts`, formatted for people; empty where the account has no such
    part."""
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
    """The same numbers in one line of text."""
    parts = part_names([valuation])
    return ", ".join(
        f"{name} {cell}"
        for name, cell in zip((*NUMBERS, *parts), cells(market, valuation, parts), strict=True)
    )
