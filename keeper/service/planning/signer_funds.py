"""What the payer acts with: coins, and the price of gas. Asked on threads of their own, while others work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool
from keeper.service.planning.gas_money import gas_price


@dataclass(frozen=True, slots=True)
class SignerFunds:
    """Wei that the payer holds at the block, and wei a unit of gas that a transaction sent now should pay."""

    native: int
    gas_price: int


class SignerFundsRequest:
    """Means on their way; `result` waits for them, and raises what asking raised."""

    def __init__(self, threads: ThreadPoolExecutor, pool: NodePool, head: Head, payer: str) -> None:
        self.head = head
        self._native = threads.submit(pool.call, "eth_getBalance", payer, {"blockHash": head.hash})
        self._price = threads.submit(gas_price, pool, head.base_fee)

    def result(self) -> SignerFunds:
        return SignerFunds(int(self._native.result(), 16), self._price.result())
