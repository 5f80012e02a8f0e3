"""What a block has settles an intent by any node that knows its receipt; one that none tells of waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlmodel import col, select

from keeper.chain import pool as pool_module
from keeper.execution import settlement
from keeper.execution.limits import Limits
from keeper.execution.sender import Sender
from keeper.store.database import Store, open_store
from keeper.store.rows import insert_values
from keeper.store.tables.journal import Intent, TransactionIntent
from keeper.store.tables.states import TransactionState
from tests.support.scripted_node import Say, Script, scripted_pool
from tests.unit.chain.test_block_time import head
from tests.unit.execution.test_batching import log, plan
from tests.unit.execution.test_busy_nodes import US, Quiet, planned, transaction

pytestmark = pytest.mark.unit

HEAD = head(100, 1000)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", ())


def receipt(number: int) -> dict[str, Any]:
    return {
        "blockNumber": hex(HEAD.number), "blockHash": HEAD.hash, "status": "0x1", "gasUsed": "0x5208",
        "logs": [{**log(plan(number)), "blockNumber": hex(HEAD.number)}],
    }  # fmt: skip


def knows(*numbers: int, busy: tuple[int, ...] = ()) -> Script:
    def script(method: str, params: list[Any]) -> Say:
        if method != "eth_getTransactionReceipt":
            return Say(None)
        number = int(params[0], 16)
        if number in busy:
            return Say(error={"code": 429, "message": "Too Many Requests"})
        return Say(receipt(number) if number in numbers else None)

    return script


def settled(folder: Path, *nodes: Script) -> list[str]:
    """The states of two intents in the head's block after a round of settlement."""
    store = open_store(f"sqlite:///{folder}/keeper.db")
    pool, _ = scripted_pool(*nodes)
    with store.session() as session:
        for number in (1, 2):
            each = planned(session, number)
            row = session.get_one(Intent, each.intent.id)
            row.state = "rehearsed"
            session.add(row)
            act = transaction(session, number, TransactionState.INCLUDED)
            act.block, act.block_hash, act.succeeded = HEAD.number, HEAD.hash, True
            session.add(act)
            insert_values(session, TransactionIntent, intent_id=row.id, transaction_id=act.id, step=0)
    settlement.settle(_sender(pool, store), HEAD)
    with store.session() as session:
        return [row.state for row in session.exec(select(Intent).order_by(col(Intent.id)))]


def _sender(pool: pool_module.NodePool, store: Store) -> Sender:
    return Sender(pool, store, Limits(10**12), US, *cast(Any, (None, None, Quiet())))


def test_a_receipt_that_the_node_asked_first_does_not_know_is_asked_of_the_others(tmp_path: Path) -> None:
    assert settled(tmp_path, knows(), knows(1, 2)) == ["settled", "settled"]


def test_a_receipt_that_no_node_tells_of_now_keeps_no_other_from_being_settled(tmp_path: Path) -> None:
    assert settled(tmp_path, knows(2, busy=(1,))) == ["rehearsed", "settled"]
