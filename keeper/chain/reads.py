"""Reads of one block: what was answered once, for whatever purpose, is not asked again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from keeper.chain import calls
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.pool import NodePool


class Reads:
    """What is known of the state of `head`."""

    def __init__(self, pool: NodePool, head: Head) -> None:
        self.head = head
        self._pool = pool
        self._known: dict[Call, Answer] = {}

    def learn(self, answers: Mapping[Call, Answer]) -> None:
        """Take over what was answered at this very block."""
        self._known.update(answers)

    def known(self, wanted: Iterable[Call]) -> bool:
        """Whether all of it is answered already."""
        return all(call in self._known for call in wanted)

    def answers_to(self, wanted: Sequence[Call], lenses: Iterable[Lens] = ()) -> Mapping[Call, Answer]:
        """All that is known, by the call that asked; one request for what of `wanted` is not known yet."""
        unknown = [call for call in wanted if call not in self._known]
        self._known.update(calls.answers_to(self._pool, self.head, unknown, lenses))
        return self._known
