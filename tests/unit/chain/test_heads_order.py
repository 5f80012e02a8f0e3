"""Heads never go backwards but by a reorganisation proved by hash; what nobody knows is no head."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from keeper.chain import pool as pool_module
from keeper.chain.blocks import Head
from keeper.chain.heads import Heads
from keeper.chain.pool import NodePool
from keeper.config import Chain
from tests.support.scripted_node import CHAIN_ID, Say, scripted_pool
from tests.unit.chain.test_block_time import block, head

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", (0.0, 0.0))


@dataclass
class Backend:
    """A node's chain: blocks by number, the highest its newest."""

    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, method: str, params: list[Any]) -> Say:
        if method == "eth_getBlockByNumber":
            number = max(self.blocks) if params[0] == "latest" else int(params[0], 16)
            return Say(self.blocks.get(number))
        if method == "eth_getBlockByHash":
            return Say(next((b for b in self.blocks.values() if b["hash"] == params[0]), None))
        return Say("0x1")


def _heads(*backends: Backend) -> tuple[Heads, NodePool]:
    pool, _ = scripted_pool(*backends)
    heads = Heads(pool, Chain(chain_id=CHAIN_ID, rpc=["http://x.invalid"], poll=Decimal("0.001")))
    heads.paced = False
    return heads, pool


def _work(heads: Heads) -> Head | None:
    found = heads.newest(12.0)
    if found is not None:
        heads.done(found)
    return found


def test_a_backend_that_is_behind_gives_no_head() -> None:
    backend = Backend({n: block(n, n) for n in range(1, 11)})
    heads, _ = _heads(backend)
    assert _work(heads) == head(10, 10)
    for newest in (9, 5, 8):
        backend.blocks = {n: block(n, n) for n in range(1, newest + 1)}
        assert _work(heads) is None
    backend.blocks = {n: block(n, n) for n in range(1, 12)}
    assert _work(heads) == head(11, 11)


@pytest.mark.parametrize("newest", [9, 10, 11])
def test_another_block_at_a_height_that_was_seen_is_a_reorganisation(newest: int) -> None:
    backend = Backend()
    heads, _ = _heads(backend)
    for number in (8, 9, 10):
        backend.blocks = {n: block(n, n) for n in range(1, number + 1)}
        assert _work(heads) == head(number, number)
    backend.blocks = {n: block(n, n, "bb" if n >= 9 else "aa") for n in range(1, newest + 1)}
    assert _work(heads) == head(newest, newest, "bb")


def test_a_lower_head_at_a_height_never_looked_at_is_believed_only_when_the_old_one_is_gone() -> None:
    backend = Backend({n: block(n, n) for n in range(1, 11)})
    heads, _ = _heads(backend)
    assert _work(heads) == head(10, 10)
    backend.blocks = {n: block(n, n, "cc") for n in range(1, 5)}
    assert _work(heads) is None, "it may be a backend that is behind"
    heads._heard_at -= 100
    assert _work(heads) == head(4, 4, "cc"), "nobody knows the old one for long"


def test_a_told_head_that_no_node_knows_leads_to_polling() -> None:
    backend = Backend({n: block(n, n) for n in range(1, 11)})
    heads, _ = _heads(backend)

    class Telling:
        newest = head(99, 99, "ff")
        left = 0

        def heard_within(self, seconds: float) -> bool:
            return True

        def leave(self) -> None:
            self.left += 1

    telling = Telling()
    heads.subscription = telling  # type: ignore[assignment]
    first = heads.newest(12.0)
    assert first == telling.newest, "the first time it is tried: the node may only be late"
    assert heads.newest(12.0) is None and telling.left == 1
    assert _work(heads) == head(10, 10), "and then the nodes are asked"
    backend.blocks[11] = block(11, 11)
    assert _work(heads) == head(11, 11), "for a while"


def test_a_head_that_the_first_node_made_up_is_left_for_another() -> None:
    liar, honest = Backend({50: block(50, 50, "ff")}), Backend({n: block(n, n) for n in range(1, 11)})

    class Liar(Backend):
        def __call__(self, method: str, params: list[Any]) -> Say:
            return Say(None) if method == "eth_getBlockByHash" else liar(method, params)

    heads, pool = _heads(Liar(), honest)
    assert heads.newest(0.05) is not None
    found = [heads.newest(0.05) for _ in range(3)]
    assert found[0] is None
    heads._heard_at -= 100
    heads._searched_at = -1e9
    assert _work(heads) == head(10, 10) and pool.current is pool.nodes[1]
