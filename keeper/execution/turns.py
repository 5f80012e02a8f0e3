"""Asking nodes about many things, where a round that gets few answers is not waited out to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keeper.chain.answers import RpcError
from keeper.errors import UnreachableError

T = TypeVar("T")

UNANSWERED = 3
"""After so many without an answer a round asks no more: each waits out every node and every pause between."""


@dataclass
class Turns:
    """Whose turn it is: a round that broke off goes on with the next at the next one, so that things of which
    no node can tell hold up no other for longer than it takes to go round."""

    _last: int = 0

    def go(
        self,
        items: Sequence[T],
        number: Callable[[T], int],
        ask: Callable[[T], None],
        untold: Callable[[T, Exception], None],
    ) -> None:
        """`ask` about each, those after the last one asked in a broken round first; `untold` hears of each
        that no node answered about. `number` tells them apart from round to round."""
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
