"""What a transaction signed now pays and which nonce nodes think free: asked while plans are rehearsed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from keeper.chain import fees
from keeper.chain.fees import Fees
from keeper.chain.pool import NodePool
from keeper.chain.refusals import TipFloor
from keeper.execution import nonces
from keeper.store.database import Store


@dataclass(frozen=True, slots=True)
class GasQuote:
    """`pending` is the sender's count of transactions with those that wait at nodes."""

    price: Fees
    pending: int


class Bidding:
    """Asks for one sender on a thread of its own."""

    def __init__(
        self, pool: NodePool, store: Store, sender: str, ceiling: int, floor: TipFloor | None = None
    ) -> None:
        self._pool, self._store, self._sender, self._ceiling = pool, store, sender, ceiling
        self._floor = floor or TipFloor()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=f"bidding-{pool.name}")

    def ask(self) -> Future[GasQuote]:
        """Begin to ask. The result raises what asking raised: KeeperError where gas is above the ceiling."""
        return self._threads.submit(self._ask)

    def _ask(self) -> GasQuote:
        pending = nonces.pending(self._pool, self._store, self._sender)
        return GasQuote(fees.suggest(self._pool, self._ceiling, least=self._floor.wei), pending)
