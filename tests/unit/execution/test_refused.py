"""What a refusal teaches: a tip only where its words name one; a base fee, a fee cap or a busy node none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from keeper.chain.refusals import TipFloor
from keeper.execution import refusal
from keeper.execution.refusal import AskedInRefusal
from keeper.execution.sender import Sender
from keeper.store.tables.journal import Transaction
from keeper.store.tables.states import TransactionState
from tests.support.scripted_node import Say, healthy, scripted_pool
from tests.unit.chain.test_block_time import head

pytestmark = pytest.mark.unit

GWEI = 10**9
SENDER = "0x" + "11" * 20
HEAD = head(100, 1000)


def lane_of() -> Sender:
    def script(method: str, params: list[Any]) -> Say | Exception:
        return Say(hex(10**20)) if method == "eth_getBalance" else healthy(method, params)

    pool = scripted_pool(script)[0]
    limits = SimpleNamespace(max_gas_price=500 * GWEI)
    made = SimpleNamespace(pool=pool, limits=limits, floor=TipFloor(), address=SENDER, chain="c")
    return cast(Sender, made)


def bid(max_fee: int = 30 * GWEI, tip: int | None = GWEI) -> Transaction:
    return Transaction(
        chain="c",
        sender=SENDER,
        nonce=7,
        hash="0x" + "77" * 32,
        raw="0x",
        purpose="act",
        target=SENDER,
        data="0x",
        gas_limit=300_000,
        max_fee=max_fee,
        tip=tip,
        value=0,
        first_block=1,
        signed_block=1,
        state=TransactionState.SIGNED,
    )


@pytest.mark.parametrize(
    ("said", "ask", "learnt"),
    [
        ("underpriced: gas tip cap 1000000000, minimum needed 25000000000", AskedInRefusal(tip=25 * GWEI), 1),
        ("maxPriorityFeePerGas too low, want 25 gwei (baseFee: 12 gwei)", AskedInRefusal(tip=25 * GWEI), 1),
        ("fee cap less than block base fee: address 0x, maxFeePerGas: 30000000000, baseFee: 31000000000",
         AskedInRefusal(max_fee=31 * GWEI), 0),
        ("max fee per gas 30000000000 (priority 1000000000) is below base fee 31000000000",
         AskedInRefusal(max_fee=31 * GWEI), 0),
        ("fee cap too low: have 30 gwei, need 45 gwei", AskedInRefusal(max_fee=45 * GWEI), 0),
        ("multiple senders: 45 gwei is the least", AskedInRefusal(max_fee=45 * GWEI), 0),
        ("25 gwei is the least here", AskedInRefusal(tip=25 * GWEI), 0),
        ("underpriced", None, 0),
    ],
)  # fmt: skip
def test_a_refusal_teaches_a_tip_only_where_it_names_one(
    said: str, ask: AskedInRefusal | None, learnt: bool
) -> None:
    sender = lane_of()
    assert refusal.asked(sender, bid(), HEAD, said, sure=True) == ask
    assert sender.floor.wei == (25 * GWEI if learnt else 0)


@pytest.mark.parametrize("said", ["tip too low, 25 gwei", "Sorry, 25000000000 wei"])
def test_what_may_be_no_refusal_teaches_nothing(said: str) -> None:
    sender = lane_of()
    assert refusal.asked(sender, bid(), HEAD, said, sure=False) == AskedInRefusal(tip=25 * GWEI)
    assert sender.floor.wei == 0
    for busy in ("rate limit: retry in 25000000000 ns", "daily request count exceeded: 25000000000"):
        assert refusal.asked(sender, bid(), HEAD, busy, sure=False) is None


def test_on_a_chain_without_base_fee_the_price_is_what_is_learnt() -> None:
    sender = lane_of()
    assert refusal.asked(sender, bid(GWEI, None), HEAD, "gas price below 3 gwei", True) == AskedInRefusal(
        tip=3 * GWEI
    )
    assert sender.floor.wei == 3 * GWEI


def test_words_that_break_the_reading_are_no_more_than_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> int:
        raise RuntimeError("boo")

    monkeypatch.setattr(refusal, "least_asked", breaks)
    assert refusal.asked(lane_of(), bid(), HEAD, "tip 25 gwei", True) is None
