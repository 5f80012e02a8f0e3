"""What a transaction signed now pays and which nonce nodes think free: asked while plans are rehearsed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from keeper.chain import fees
from keeper.chain.fees import Fees
from keeper.chain.pool import NodePool
from keeper.chain.refusals import TipFloor


@dataclass(frozen=True, slots=True)
class Bid:
    """`pending` is the sender's count of transactions with those that wait at the node."""

    price: Fees
    pending: int


class Bidding:
    """Asks for one sender on a thread of its own."""

    def __init__(self, pool: NodePool, sender: str, ceiling: int, floor: TipFloor | None = None) -> None:
        self._pool, self._sender, self._ceiling = pool, sender, ceiling
        self._floor = floor or TipFloor()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=f"bidding-{pool.name}")

    def ask(self) -> Future[Bid]:
        """Begin to ask. The result raises what asking raised: KeeperError where gas is above the ceiling."""
        return self._threads.submit(self._ask)

    def _ask(self) -> Bid:
        pending = int(self._pool.call("eth_getTransactionCount", self._sender, "pending"), 16)
        return Bid(fees.suggest(self._pool, self._ceiling, least=self._floor.wei), pending)
