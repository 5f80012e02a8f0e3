"""A node that answers a pinned read without the block's state is asked again, then told of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from keeper.book.book import Book
from keeper.chain import blocks
from keeper.chain.node import Node, WrongStateError
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import send_batch
from keeper.protocols.aave_v3.market import AaveV3Market
from tests.conftest import LocalMarket
from tests.support.books import refresh_alone

pytestmark = pytest.mark.integration


class Forgetful(Node):
    """Answers the first `times` reads with the state of the chain's first block, where nothing is."""

    times = 0
    pretended = (0, 0)

    def call(self, method: str, params: list[Any]) -> Any:
        if method == "eth_call" and self.times:
            self.times -= 1
            first = super().call("eth_getBlockByNumber", ["0x0", False])
            number, timestamp = self.pretended
            block = {"number": hex(number), "time": hex(timestamp)}
            return super().call(method, [params[0], {"blockHash": first["hash"]}, params[2], block])
        return super().call(method, params)


@pytest.mark.parametrize(("times", "fails"), [(1, False), (2, False), (1000, True)])
def test_a_read_without_state_is_repeated(aave_v302: LocalMarket, times: int, fails: bool) -> None:
    local = aave_v302
    who = "0x" + "ab" * 20
    reserve = local.market.reserves["WETH"]
    send_batch(local.rpc, act.mint_and_supply(local.market, reserve, who, 10**18))
    pool = NodePool("local", Chain(chain_id=31337, rpc=[local.anvil.url]))
    node = Forgetful(local.anvil.url, Decimal(20))
    pool.nodes = [node]
    book = Book(AaveV3Market("aave", local.market.pool, 0), pool, None, 50_000)
    head = blocks.latest(pool)
    refresh_alone(book, head)
    local.anvil.mine()
    book.read_all_next()
    head = blocks.latest(pool)
    node.times, node.pretended = times, (head.number, head.timestamp)
    if fails:
        with pytest.raises(WrongStateError, match=r"no state|has not the block or state"):
            refresh_alone(book, head)
    else:
        refresh_alone(book, head)
        assert who in book.accounts and book.head == head
