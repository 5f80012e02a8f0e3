"""A bar with an estimate while a long history is read; on standard error, and only where somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from keeper.chain.blocks import Head
from keeper.service.markets import Market


@contextmanager
def scanning(market: Market, head: Head) -> Iterator[Callable[[int], None] | None]:
    """Show how far a scan of the market is and how long it will take: what is yielded is to hear of it."""
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
