"""What becomes of a transaction is believed as the head's own chain and other nodes bear it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from keeper.chain import pool as pool_module
from keeper.execution import witness
from keeper.execution.witness import Finality
from tests.support.scripted_node import Say, scripted_pool
from tests.unit.chain.test_block_time import block, head

pytestmark = pytest.mark.unit

TX = "0x" + "77" * 32
SENDER = "0x" + "11" * 20
HEAD = head(100, 1000)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", (0.0, 0.0))


def receipt(number: int | None, fork: str = "aa", status: str = "0x1") -> dict[str, Any]:
    digest = None if number is None else block(number, 0, fork)["hash"]
    at = None if number is None else hex(number)
    return {"blockNumber": at, "blockHash": digest, "status": status, "gasUsed": "0x5208", "logs": []}


@dataclass
class Told:
    """One node's word: its chain up to `top`, our receipt, whether its block lists us, its counts."""

    found: dict[str, Any] | None
    top: int = 100
    lists: bool = True
    count: int = 6
    finalized: int | None = 90
    fork: str = "aa"
    asked: list[str] = field(default_factory=list)

    def __call__(self, method: str, params: list[Any]) -> Say:
        self.asked.append(method)
        if method == "eth_getTransactionReceipt":
            return Say(self.found)
        if method == "eth_getTransactionByHash":
            return Say(self.found)
        if method == "eth_getTransactionCount":
            return Say(hex(self.count))
        if method == "eth_getBlockByNumber":
            if params[0] == "finalized":
                return Say(None if self.finalized is None else block(self.finalized, 0))
            number = self.top if params[0] == "latest" else int(params[0], 16)
            return Say(self._block(number) if number <= self.top else None)
        if method == "eth_getBlockByHash":
            number = int(params[0][4:], 16)
            known = number <= self.top and params[0] == block(number, 0, self.fork)["hash"]
            return Say(self._block(number) if known else None)
        return Say("0x1")

    def _block(self, number: int) -> dict[str, Any]:
        return {**block(number, 0, self.fork), "transactions": [TX] if self.lists else []}


def _by_another(*nodes: Told) -> bool:
    pool, _ = scripted_pool(*nodes)
    return witness.is_used_by_another(pool, SENDER, 5, TX, HEAD)


def test_a_nonce_is_anothers_only_by_all_who_have_the_head() -> None:
    gone = Told(None)
    assert _by_another(gone) and _by_another(gone, gone)
    assert not _by_another(gone, Told(receipt(100)))
    assert not _by_another(gone, Told(None, count=5))
    assert _by_another(gone, Told(None, count=5, top=90)), "who is behind proves nothing"
    assert not _by_another(Told(None, top=90))


def test_a_count_that_one_node_alone_has_moves_nothing() -> None:
    def counted(*counts: int, before: int | None = 5) -> int:
        pool, _ = scripted_pool(*(Told(None, count=count) for count in counts))
        return witness.counted(pool, SENDER, before, 256, HEAD)

    assert counted(6) == 6 and counted(6, 6) == 6
    assert counted(500, 6) == 6 and counted(500, 4) == 5 and counted(6, 5, 9) == 5
    assert counted(7, 3, before=None) == 7
    pool, _ = scripted_pool(Told(None, count=9), Told(None, count=5, top=60), Told(None, count=9))
    assert witness.counted(pool, SENDER, 7, 256, HEAD) == 9, "who stands still holds up nothing"


def test_what_is_final_is_final_by_every_node() -> None:
    def finality(*finalized: int | None) -> Finality:
        pool, _ = scripted_pool(*(Told(None, finalized=number) for number in finalized))
        return Finality(pool, HEAD, None)

    assert finality(90).covers(90) and not finality(90).covers(91)
    assert not finality(95, 80).covers(85) and finality(95, 80).covers(80)
    assert finality(None).block == 100 - witness.ASSUMED_CONFIRMATIONS + 1
    pool, [poster] = scripted_pool(Told(None))
    assert Finality(pool, HEAD, 1).covers(100) and not poster.asked


def test_whether_anybody_knows_it_is_asked_of_all() -> None:
    pool, _ = scripted_pool(Told(None), Told(receipt(None)))
    assert witness.is_known(pool, TX)
    pool, _ = scripted_pool(Told(None), Told(None))
    assert not witness.is_known(pool, TX)
