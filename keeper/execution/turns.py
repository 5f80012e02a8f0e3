"""Asking nodes about many things in turns, where a round with few answers is cut short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keeper.chain.answers import RpcError
from keeper.errors import UnreachableError

T = TypeVar("T")

UNANSWERED = 3
"""Unanswered questions after which a round asks no more: each waits for every node and every pause
between."""


@dataclass
class Turns:
    """Turns across rounds: the round after one that broke off goes on with the next thing, so that things no
    node can report on hold up no other for longer than one cycle."""

    _last: int = 0

    def go(
        self,
        items: Sequence[T],
        number: Callable[[T], int],
        ask: Callable[[T], None],
        untold: Callable[[T, Exception], None],
    ) -> None:
        """`ask` about each, first those after the last one asked in a broken round; call `untold` for each
        that no node answered about. `number` identifies them from round to round."""
        order = sorted(items, key=lambda each: number(each) <= self._last)
        self._last, silent = 0, 0
        for place, item in enumerate(order, start=1):
            try:
                ask(item)
            except (UnreachableError, RpcError) as error:
                untold(item, error)
                silent += 1
            if silent == UNANSWERED and place < len(order):
                self._last = number(item)
                return
