"""Printing: tables for people, JSON for programs, logs on standard error."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keeper.alerts.wording import format_account
from keeper.model.account_key import account_name

T = TypeVar("T")
# Piped output is wide enough for whole addresses and hashes.
console = Console(width=None if sys.stdout.isatty() else 160)
# A table of many columns shows whole addresses from this width on.
_WIDE = 140
# Columns of prose are not squeezed to a letter a line.
_LEAST = {"what": 16, "why": 20, "held back by": 20}


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print a table. Plain text is shown unchanged, brackets and all; style comes only with rich's Text."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(
            column,
            overflow="fold",
            no_wrap=column in ("account", "health"),
            min_width=_LEAST.get(column),
        )
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    console.print(table)


def print_rows(title: str, rows: Iterable[T], columns: Mapping[str, Callable[[T], str | Text]]) -> None:
    """Print a table with one line per row; each column shows a value of the row."""
    print_table(title, list(columns), [[show(row) for show in columns.values()] for row in rows])


def name(account: str) -> str:
    """The name of an account for people: an address with its checksum, a number in decimal."""
    first, _, more = format_account(account).partition(" ")
    return " ".join([account_name(first), *filter(None, [more])])


def cell(account: str) -> str:
    """An account's name for a table of many columns: on two lines, and abbreviated where the terminal is
    narrow."""
    owner, _, part = name(account).partition(" ")
    if console.width < _WIDE:
        owner = f"{owner[:8]}…{owner[-4:]}"
    return f"{owner}\n{part}" if part else owner


def money(amount: int, decimals: int) -> str:
    """Base units as a number with two digits after the point, truncated."""
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    whole, rest = divmod(amount, 10**decimals)
    cents = rest * 100 // 10**decimals
    return f"{sign}{whole:,}.{cents:02d}"


def digits(number: int | None) -> str | None:
    """A number as text for JSON, whose numbers cannot hold it."""
    return None if number is None else str(number)


def exact(of: object, *names: str) -> dict[str, str | None]:
    """Numbers of a value by their names, each as text by `digits`."""
    return {name: digits(getattr(of, name)) for name in names}


def setup_logging(*, as_json: bool, level: int = logging.INFO) -> None:
    """Log structured events on standard error, so that standard output holds only what was asked for."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    for noisy in ("apscheduler", "urllib3", "apprise", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        # A traceback never shows the values of variables: one of them may be the key.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *([structlog.processors.format_exc_info] if as_json else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
