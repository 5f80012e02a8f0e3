"""Market-wide state read whole: what an answer left out is asked for next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keeper.book.reads import Reader, read_apart
from keeper.book.source import BookSource
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call

# Further requests for market-wide state that did not fit into the first.
MOST_ROUNDS = 256


def market_state(
    reader: Reader,
    head: Head,
    source: BookSource[Any, Any, Any],
    references: frozenset[int],
    first: Answer,
    apart: Iterable[tuple[Call, Answer]],
) -> Any:
    """All market-wide state. What an answer left out is asked for next, what failed in smaller calls, until
    nothing more is answered."""
    state = source.mirror.read_market(first)
    found = list(apart)
    left = _left(source, [(source.mirror.market_call(references), first), *found])
    for _ in range(MOST_ROUNDS):
        if not left:
            break
        more = read_apart(reader.pool, head, left, source.mirror.lenses())
        found += more
        again = _left(source, more)
        if again == [call for call, _ in more]:
            # What is asked first is not starved by others: it cannot be had here.
            again = []
        left = [*again, *left[len(more) :]]
    return source.stranger_reads.with_apart(state, found) if found and source.stranger_reads else state


def _left(source: BookSource[Any, Any, Any], answered: Iterable[tuple[Call, Answer]]) -> list[Call]:
    strangers = source.stranger_reads
    if strangers is None:
        return []
    return [rest for call, answer in answered for rest in strangers.rest_calls(call, answer)]


def apart_calls(source: BookSource[Any, Any, Any], references: Iterable[int]) -> tuple[Call, ...]:
    return tuple(source.stranger_reads.apart_calls(references)) if source.stranger_reads else ()
