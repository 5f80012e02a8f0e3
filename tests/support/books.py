"""One book brought to a block by requests of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keeper.book.book import Book, Refresh, Sample
from keeper.book.reads import Reader
from keeper.book.refresh import RefreshRequest, refresh_together
from keeper.chain.blocks import Head


def refresh_alone(
    book: Book[Any, Any, Any], head: Head, sample: Sample = (), progress: Callable[[int], None] | None = None
) -> Refresh[Any]:
    """The book's refresh; raises what went wrong with its market."""
    request = RefreshRequest(book, sample, progress)
    [outcome] = refresh_together(Reader(book.pool, book.workers), head, [request])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
