"""The newest block of a chain: by subscription where there is one, else by as little polling as needed."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import structlog

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.node import NodeError
from keeper.chain.pool import NodePool
from keeper.chain.stream import ASK_HEADS, Stream
from keeper.config import LOCAL_CHAIN_IDS, Chain

log = structlog.get_logger()

# Without a head for so many block times a node is silent: looked into in time to have left it by the second.
SILENT_BLOCKS = 1.5
_REMEMBERED = 256
# A head that was answered so often, for a whole block time, and was never done is one nobody can read.
_TRIES = 3
# All nodes are asked for their head so often, in seconds: so that a better one is known when it is needed.
SURVEY_SECONDS = 60.0

# A subscription that told of a block that no node knows is not listened to for so long.
UNTRUSTED_SECONDS = 60.0
# While nothing is known of a chain's blocks, and the least that is thought of, in seconds.
USUAL_SECONDS = 12.0
LEAST_SECONDS = 0.05


def _seconds(block_seconds: Decimal | float | None) -> float:
    return USUAL_SECONDS if block_seconds is None else max(float(block_seconds), LEAST_SECONDS)


class Subscription(Stream):
    """The newest head announced by any of `urls`.

    `on_head` is called from the subscription's own thread, after `newest` has changed.
    """

    def __init__(self, chain: str, chain_id: int, urls: Sequence[str], on_head: Callable[[], None]) -> None:
        super().__init__(chain, chain_id, urls, ASK_HEADS, "heads", self._take_head)
        self.on_head = on_head
        self.newest: Head | None = None

    def heard_within(self, seconds: float) -> bool:
        """Whether a head came within the last so many seconds."""
        return self.newest is not None and time.monotonic() - self.heard_at <= seconds

    def _take_head(self, header: Any) -> None:
        self.newest = blocks.parse(header)
        self.on_head()


class Heads:
    """`newest` answers with the newest block until it is `done`, then with None. A silent node is left."""

    def __init__(self, pool: NodePool, chain: Chain, on_head: Callable[[], None] | None = None) -> None:
        self.pool = pool
        self.poll = float(chain.poll)
        self.paced = chain.chain_id not in LOCAL_CHAIN_IDS
        self.subscription: Subscription | None = None
        if chain.head_ws and on_head is not None:
            self.subscription = Subscription(pool.name, chain.chain_id, chain.head_ws, on_head)
        self._done: Head | None = None
        self._seen: deque[str] = deque(maxlen=_REMEMBERED)
        self._chain: OrderedDict[int, str] = OrderedDict()
        self._untrusted_until = -float("inf")
        self._heard = self._disowned = ""
        self._tries = 0
        self._heard_at = self._surveyed_at = time.monotonic()
        self._searched_at = -float("inf")
        self._polls = 0
        self._next_poll = 0.0

    def start(self) -> None:
        """Start the subscription, where there is one."""
        if self.subscription is not None:
            self.subscription.start()

    def stop(self) -> None:
        if self.subscription is not None:
            self.subscription.stop()

    def newest(self, block_seconds: Decimal | float | None) -> Head | None:
        """The newest block that is not done; NodeError when no node answers."""
        seconds = _seconds(block_seconds)
        self._survey()
        head = self._newest(seconds)
        if head is None:
            return None
        if head.hash != self._heard:
            self._heard, self._heard_at, self._tries = head.hash, time.monotonic(), 0
        self._tries += 1
        if self._tries > 1 and self._is_made_up(head):
            return None
        long = time.monotonic() - self._heard_at > seconds
        if self._tries > _TRIES and long and len(self.pool.nodes) > 1:
            self._disown(head)
            return None
        return head

    def _is_made_up(self, head: Head) -> bool:
        """Whether a head that could not be processed is one that no node knows. A subscription that announced
        it is ignored for a while; a node of several that made it up is left."""
        told = self.subscription.newest if self.subscription is not None else None
        by_telling = told is not None and told.hash == head.hash
        if (not by_telling and len(self.pool.nodes) < 2) or blocks.is_known(self.pool, head.hash):
            return False
        if by_telling and self.subscription is not None:
            log.warning("untrusted heads", chain=self.pool.name, at=head.number, hash=head.hash)
            self._untrusted_until = time.monotonic() + UNTRUSTED_SECONDS
            self.subscription.leave()
            self._heard, self._tries, self._next_poll = "", 0, 0.0
        else:
            self._disown(head)
        return True

    def _disown(self, head: Head) -> None:
        """Disown a block whose state and logs no node gives, not even the one that announced it. The next
        block is answered again; where none comes, another node is looked for, and where none has a better,
        this block again."""
        log.warning("unreadable head", chain=self.pool.name, node=self.pool.current.label, at=head.number)
        self._disowned, self._tries = head.hash, 0
        self.pool.doubt()

    def _newest(self, seconds: float) -> Head | None:
        told = self._told(seconds)
        if told is not None:
            return told
        if self._listens(seconds):
            return None
        if time.monotonic() < self._next_poll:
            return None
        head = blocks.latest(self.pool)
        self.pool.saw_head(None, head.number)
        self._pace(seconds)
        if self._is_new(head, seconds):
            return head
        return self._search(seconds)

    def _listens(self, seconds: float) -> bool:
        """Whether the subscription announces heads as they come."""
        if self.subscription is None or time.monotonic() < self._untrusted_until:
            return False
        return self.subscription.heard_within(SILENT_BLOCKS * seconds)

    def _told(self, seconds: float) -> Head | None:
        """The head announced by the subscription since."""
        if self.subscription is None or not self._listens(seconds):
            return None
        head = self.subscription.newest
        return head if head is not None and self._is_new(head, seconds) else None

    def _is_new(self, head: Head, seconds: float) -> bool:
        """Whether the head is not done yet, and not an older block of the same chain: a node that gives that
        is behind."""
        if head.hash in self._seen or head.hash == self._disowned:
            return False
        done = self._done
        if done is None or head.number >= done.number:
            return True
        known = self._chain.get(head.number)
        if known is not None:
            return known != head.hash
        # Lower, at a height that was never looked at: proof is that no node has the block that was done.
        silent = time.monotonic() - self._heard_at > SILENT_BLOCKS * seconds
        return silent and not blocks.is_known(self.pool, done.hash)

    def told(self, block_seconds: Decimal | float | None) -> bool:
        """Whether the subscription announced a block that is not done; no request is made."""
        return self._told(_seconds(block_seconds)) is not None

    def done(self, head: Head) -> None:
        """Mark a head as done, so that it is not answered again."""
        self._done = head
        self._seen.append(head.hash)
        self._chain.update({head.number - 1: head.parent, head.number: head.hash})
        for number in [each for each in self._chain if each > head.number]:
            del self._chain[number]
        while len(self._chain) > _REMEMBERED:
            self._chain.popitem(last=False)
        self._polls, self._next_poll = 0, 0.0

    def _pace(self, seconds: float) -> None:
        """When to poll next: not before a block is due; then at the configured pace, and ever less often."""
        now = time.monotonic()
        if not self.paced:
            return
        due = self._heard_at + seconds - self.poll
        if now < due:
            self._next_poll = due
            return
        self._polls += 1
        later = now + min(self.poll * 2 ** max(self._polls - 2, 0), max(seconds / 4, self.poll))
        silent = self._heard_at + SILENT_BLOCKS * seconds
        self._next_poll = min(later, silent) if now < silent else later

    def _search(self, seconds: float) -> Head | None:
        """Ask all nodes where no block came for too long, and change to one that has a newer block."""
        now = time.monotonic()
        done = self._done.number if self._done is not None else -1
        if now - self._heard_at < SILENT_BLOCKS * seconds:
            return None
        if now - self._searched_at < seconds or len(self.pool.nodes) < 2:
            return None
        self._searched_at = now
        best: tuple[int, Head] | None = None
        for index, head in enumerate(self._all()):
            newer = head is not None and head.number > done and self._is_new(head, seconds)
            if newer and head is not None and (best is None or head.number > best[1].number):
                best = index, head
        if best is None:
            self._disowned = ""
            return None
        log.warning("silent node", chain=self.pool.name, node=self.pool.current.label, at=done)
        self.pool.leave(best[0], "silent")
        if self.subscription is not None:
            self.subscription.leave()
        return best[1]

    def _survey(self) -> None:
        """Learn every node's head and speed now and then, and change to one that is clearly better."""
        now = time.monotonic()
        if len(self.pool.nodes) < 2 or now - self._surveyed_at < SURVEY_SECONDS:
            return
        self._surveyed_at = now
        self._all()
        self.pool.reconsider()

    def _all(self) -> list[Head | None]:
        heads: list[Head | None] = []
        for index, answer in enumerate(self.pool.call_each("eth_getBlockByNumber", "latest", False)):
            try:
                head = None if isinstance(answer, Exception) else blocks.parse(answer)
            except NodeError:
                head = None
            if head is not None:
                self.pool.saw_head(index, head.number)
            heads.append(head)
        return heads
