"""Receipts of our transactions, believed as far as the head's own chain and other nodes confirm them.

A node that has yet to index its transactions refuses to find one by its hash, sometimes for an hour, while it
still serves its blocks: where no node answers by hash, the blocks below the head are searched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import structlog
from web3.utils import SimpleCache

from keeper.chain.answers import NodeError, RpcError
from keeper.chain.blocks import Head
from keeper.chain.logs import parse
from keeper.chain.pool import NodePool
from keeper.execution.witness import is_ancestor

log = structlog.get_logger()

Receipt = dict[str, Any]
# How far the blocks are searched below the head.
SEARCHED = 64
# A reorganisation may put a transaction into a block as far below the one it was signed at.
BELOW_SIGNED = 8


@dataclass(frozen=True, slots=True)
class _Block:
    parent: str
    transactions: frozenset[str]


@dataclass
class Receipts:
    """One chain's receipts; blocks once read are kept, as they are searched again and again."""

    pool: NodePool
    _blocks: SimpleCache = field(default_factory=lambda: SimpleCache(4 * SEARCHED))
    _found: SimpleCache = field(default_factory=lambda: SimpleCache(4 * SEARCHED))
    _mute_at: str = ""

    def of(self, digest: str, head: Head, since: int) -> Receipt | None:
        """The receipt of a transaction that is in a block of the head's chain; None while none is, or while
        nodes contradict each other about it. It was signed at the block `since`.

        NodeError when no node answers.
        """
        found = self._told(digest, head, since)
        return found if self._holds(digest, found, head) else None

    def anywhere(self, digest: str, head: Head) -> Receipt | None:
        """As `of`, where the first node asked may not know the transaction."""
        answers = self.pool.call_each("eth_getTransactionReceipt", digest)
        return next((each for each in answers if self._holds(digest, each, head)), None)

    def _told(self, digest: str, head: Head, since: int) -> Any:
        if self._mute_at == head.hash:
            return self._in_blocks(digest, head, since)
        try:
            return self.pool.call("eth_getTransactionReceipt", digest)
        except (NodeError, RpcError):
            found = self._in_blocks(digest, head, since)
        # Until the next block the other transactions are looked for there at once.
        self._mute_at = head.hash
        return found

    def _in_blocks(self, digest: str, head: Head, since: int) -> Receipt | None:
        """Search block by block from the head down, by hash. NodeError where not all could be searched."""
        at, least = head.hash, max(since - BELOW_SIGNED, head.number - SEARCHED, 0)
        for _ in range(head.number - least + 1):
            block = self._block(at)
            if digest in block.transactions:
                return self._receipt(at, digest)
            at = block.parent
        if least > since:
            raise NodeError(f"in none of {SEARCHED} blocks, and by hash no node tells", where=self.pool.name)
        return None

    def _block(self, block_hash: str) -> _Block:
        found: _Block | None = self._blocks.get_cache_entry(block_hash)
        if found is None:
            told = self.pool.call("eth_getBlockByHash", block_hash, False)
            try:
                found = _Block(str(told["parentHash"]), frozenset(map(str, told["transactions"])))
            except (KeyError, TypeError) as error:
                raise NodeError(f"no block {block_hash}", where=self.pool.name) from error
            self._blocks.cache(block_hash, found)
        return found

    def _receipt(self, block_hash: str, digest: str) -> Receipt | None:
        key = block_hash + digest
        if key not in self._found:
            told = self.pool.call("eth_getBlockReceipts", block_hash)
            ours: Receipt = next((each for each in told if each.get("transactionHash") == digest), {})
            for each in told:
                if each.get("from") == ours.get("from"):
                    self._found.cache(block_hash + str(each.get("transactionHash")), each)
        return self._found.get_cache_entry(key)

    def _holds(self, digest: str, found: Any, head: Head) -> bool:
        if not isinstance(found, dict):
            return False
        try:
            number, block_hash = int(found["blockNumber"], 16), str(found["blockHash"])
            int(found["status"], 16), int(found["gasUsed"], 16)
            parse(found["logs"])
        except (KeyError, TypeError, ValueError, NodeError):
            # Nodes tell of one that waits, too: it is not in a block yet.
            return False
        if not is_ancestor(self.pool, head, number, block_hash):
            return False
        return len(self.pool.nodes) == 1 or not self._is_contradicted(digest, found)

    def _is_contradicted(self, digest: str, found: Receipt) -> bool:
        """Whether a node that knows the receipt's block lists no such transaction, or reports another
        outcome."""
        known = self.pool.call_each("eth_getBlockByHash", found["blockHash"], False)
        without = any(
            isinstance(block, dict)
            and isinstance(block.get("transactions"), list)
            and digest not in block["transactions"]
            for block in known
        )
        others = self.pool.call_each("eth_getTransactionReceipt", digest)
        otherwise = any(
            isinstance(each, dict)
            and each.get("blockHash") == found["blockHash"]
            and each.get("status") != found["status"]
            for each in others
        )
        if without or otherwise:
            log.error("receipt disputed", chain=self.pool.name, hash=digest, block=found["blockHash"])
        return without or otherwise
