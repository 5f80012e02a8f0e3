"""One `eth_call` for all markets of a chain; more only where a node refuses so large a one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from keeper.book.source import BookSource
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, Lens, run
from keeper.chain.node import NodeError, RpcError, WrongStateError
from keeper.chain.pool import NodePool
from keeper.errors import KeeperError

# Accounts asked for in one call at first; halved when the call exceeds a node's gas, time or size.
MOST_ACCOUNTS = 5_000


@dataclass(frozen=True, slots=True)
class Portion:
    """What one market wants read at a block: single calls, and the records of accounts."""

    source: BookSource[Any, Any, Any]
    calls: Sequence[Call]
    accounts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Read:
    """The answers to a portion's calls in order, and the records. `fault`: why the records are not whole."""

    answers: Sequence[Answer]
    records: Mapping[str, bytes]
    fault: KeeperError | None = None


class Reader:
    """Reads of one chain. It remembers how large a call the node takes, and tries larger ones again."""

    def __init__(self, pool: NodePool, workers: int = 1) -> None:
        self.pool = pool
        self.workers = workers
        self.width = MOST_ACCOUNTS

    def read(self, head: Head, portions: Sequence[Portion]) -> list[Read]:
        """Every portion at `head`. In one request where it fits; the same call is made once for all.

        WrongStateError when the node has not the state of the block; RpcError or NodeError when it refuses
        even the smallest call."""
        lenses = tuple(dict.fromkeys(lens for p in portions for lens in p.source.lenses()))
        single = list(dict.fromkeys(call for p in portions for call in p.calls))
        wanted = [(number, account) for number, p in enumerate(portions) for account in p.accounts]
        records: list[dict[str, bytes]] = [{} for _ in portions]
        faults: dict[int, KeeperError] = {}
        first = self._part(head, portions, lenses, single, wanted[: self.width], records, faults)
        answers = dict(zip(single, first.answers, strict=True))
        self._rest(head, portions, lenses, wanted[first.taken :], records, faults)
        return [
            Read([answers[call] for call in p.calls], records[number], faults.get(number))
            for number, p in enumerate(portions)
        ]

    def _rest(
        self,
        head: Head,
        portions: Sequence[Portion],
        lenses: tuple[Lens, ...],
        wanted: Sequence[tuple[int, str]],
        records: list[dict[str, bytes]],
        faults: dict[int, KeeperError],
    ) -> None:
        """What did not fit into the first call, some calls at once."""
        at = 0
        with ThreadPoolExecutor(self.workers) as threads:
            while at < len(wanted):
                # A round of equal pieces; what a piece leaves is asked for in the next round.
                pieces = [
                    wanted[start : start + self.width]
                    for start in range(at, min(at + self.width * self.workers, len(wanted)), self.width)
                ]
                parts = threads.map(
                    lambda piece: self._part(head, portions, lenses, (), piece, records, faults), pieces
                )
                left: list[tuple[int, str]] = []
                for piece, part in zip(pieces, parts, strict=True):
                    left += piece[part.taken :]
                    at += len(piece)
                if left:
                    wanted = [*left, *wanted[at:]]
                    at = 0

    def _part(
        self,
        head: Head,
        portions: Sequence[Portion],
        lenses: tuple[Lens, ...],
        single: Sequence[Call],
        wanted: Sequence[tuple[int, str]],
        records: list[dict[str, bytes]],
        faults: dict[int, KeeperError],
    ) -> _Part:
        """One call with `single` and as many of the wanted accounts as the node takes."""
        if not single and not wanted:
            return _Part((), 0)
        asked = list(wanted)
        while True:
            groups = _by_portion(asked)
            calls = [portions[number].source.accounts_call(accounts) for number, accounts in groups]
            try:
                got = run(self.pool, head, [*single, *calls], lenses)
            except (RpcError, NodeError) as error:
                refused = isinstance(error, RpcError) or error.refused
                if not refused or len(asked) <= 1:
                    raise
                asked = self._narrower(asked)
                continue
            lists = got[len(single) :]
            # Out of gas looks like a revert: fewer accounts tell which of the two it was.
            if len(asked) > 1 and not all(each.ok for each in lists):
                asked = self._narrower(asked)
                continue
            break
        for (number, accounts), answer in zip(groups, lists, strict=True):
            if not answer.ok and not answer.data:
                # The contracts are not there: this node has no state of the block (seen just after reorgs).
                raise WrongStateError(
                    f"has no state of block {head.number}, or not yet", where=f"chain {self.pool.name}"
                )
            try:
                records[number].update(portions[number].source.read_records(accounts, answer))
            except KeeperError as error:
                faults[number] = error
        if len(asked) == self.width:
            self.width = min(self.width + self.width // 8 + 1, MOST_ACCOUNTS)
        return _Part(got[: len(single)], len(asked))

    def _narrower(self, asked: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
        self.width = max(len(asked) // 2, 1)
        return list(asked[: self.width])


@dataclass(frozen=True, slots=True)
class _Part:
    answers: Sequence[Answer]
    taken: int


def _by_portion(wanted: Sequence[tuple[int, str]]) -> list[tuple[int, list[str]]]:
    groups: dict[int, list[str]] = {}
    for number, account in wanted:
        groups.setdefault(number, []).append(account)
    return list(groups.items())
