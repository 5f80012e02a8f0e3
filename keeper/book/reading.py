"""Reading many accounts in few calls whose size adapts to what the node allows."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.book.source import A, BookSource, S, V
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, run
from keeper.chain.node import NodeError, RpcError, WrongStateError
from keeper.chain.pool import NodePool

# Addresses asked for in one call at first; halved when the call exceeds a node's gas, time or size.
FIRST_CHUNK = 5_000


def read_chunks(
    pool: NodePool,
    head: Head,
    source: BookSource[S, A, V],
    calls: Sequence[Call],
    accounts: Sequence[str],
) -> tuple[list[Answer], dict[str, A]]:
    """The answers to `calls` and the raw state of `accounts`, all at `head`; `calls` ride in the first."""
    fresh: dict[str, A] = {}
    pending: list[Call] = list(calls)
    answers: list[Answer] = []
    at, width = 0, FIRST_CHUNK
    while pending or at < len(accounts):
        chunk = accounts[at : at + width]
        batch = [*pending, *([source.accounts_call(chunk)] if chunk else [])]
        try:
            got = run(pool, head, batch, source.lenses())
        except (RpcError, NodeError) as error:
            refused = isinstance(error, RpcError) or error.refused
            if not refused or len(chunk) <= 1:
                raise
            width = len(chunk) // 2
            continue
        if chunk:
            if not got[-1].ok and len(chunk) > 1:
                width = len(chunk) // 2
                continue
            if not got[-1].ok and not got[-1].data:
                # The contracts are not there: this node has no state of the block (seen just after reorgs).
                raise WrongStateError(
                    f"has no state of block {head.number}, or not yet", where=f"chain {pool.name}"
                )
            fresh.update(source.read_accounts(chunk, got[-1]))
        if pending:
            answers, pending = got[: len(pending)], []
        at += len(chunk)
    return answers, fresh
