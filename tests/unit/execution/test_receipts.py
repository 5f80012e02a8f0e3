"""A receipt is believed as the head's own chain and other nodes bear it out, and found in blocks where no
node tells of it by its hash."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from keeper.chain import pool as pool_module
from keeper.chain.answers import NodeError
from keeper.chain.blocks import Head
from keeper.execution.receipts import BELOW_SIGNED, SEARCHED, Receipts
from tests.support.scripted_node import Say, Script, scripted_pool
from tests.unit.chain.test_block_time import block
from tests.unit.execution.test_witness import HEAD, TX, Told, receipt

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", (0.0, 0.0))


def _receipt(*nodes: Told, at: Head = HEAD) -> bool:
    pool, _ = scripted_pool(*nodes)
    return Receipts(pool).of(TX, at, at.number) is not None


@pytest.mark.parametrize("number", [100, 99, 90, 1])
def test_a_receipt_of_the_heads_own_chain_is_one(number: int) -> None:
    assert _receipt(Told(receipt(number)))


@pytest.mark.parametrize(
    "found",
    [
        receipt(101),
        receipt(100, "bb"),
        receipt(99, "bb"),
        receipt(50, "bb"),
        receipt(None),
        {},
        {"blockNumber": "0x64"},
        {**receipt(100), "status": None},
        {**receipt(100), "logs": [{}]},
        None,
    ],
)
def test_what_is_above_the_head_or_beside_it_or_in_no_block_is_not_yet(found: dict[str, Any] | None) -> None:
    """Seen ahead of the head and reorganised away it would settle what never happened."""
    assert not _receipt(Told(found, top=101))


def test_a_node_that_knows_the_block_without_the_transaction_contradicts() -> None:
    assert not _receipt(Told(receipt(100)), Told(None, lists=False))
    assert not _receipt(Told(receipt(90)), Told(None, lists=False), Told(receipt(90)))


def test_a_node_that_tells_of_another_end_contradicts() -> None:
    assert not _receipt(Told(receipt(99)), Told(receipt(99, status="0x0")))


def test_a_node_that_is_behind_or_indexing_or_elsewhere_contradicts_nothing() -> None:
    assert _receipt(Told(receipt(100)), Told(None, top=98))
    assert _receipt(Told(receipt(100)), Told(None))
    assert _receipt(Told(receipt(100)), Told(None, fork="bb", lists=False))


INDEXING = (
    Say(error={"code": -32000, "message": "transaction indexing is in progress"}),
    Say(error={"code": -32601, "message": "not yet"}),
    Say(error={"code": -32603, "message": "кa lim"}, status=503),
    Say(error={"code": 429, "message": "no"}, status=429),
)


@dataclass
class Indexing:
    """A node that finds no transaction by its hash, and tells of blocks: `mined` says in which they are."""

    mined: dict[str, int]
    says: Say = INDEXING[0]
    status: str = "0x1"
    least: int = 0
    asked: list[str] = field(default_factory=list)

    def __call__(self, method: str, params: list[Any]) -> Say:
        self.asked.append(method)
        if method == "eth_getTransactionReceipt":
            return self.says
        if method not in ("eth_getBlockByHash", "eth_getBlockByNumber", "eth_getBlockReceipts"):
            return Say("0x1")
        number = int(params[0][4:], 16) if len(params[0]) == 66 else int(params[0], 16)
        if number < self.least:
            return self.says
        inside = [digest for digest, at in self.mined.items() if at == number]
        if method == "eth_getBlockReceipts":
            made = [{**receipt(number, status=self.status), "transactionHash": each} for each in inside]
            return Say([{"transactionHash": "0xother", "from": "0xother"}, *made])
        return Say({**block(number, 0), "transactions": ["0xother", *inside]})


def _found(*nodes: Script, digest: str = TX, since: int = 95) -> int | None:
    pool, _ = scripted_pool(*nodes)
    told = Receipts(pool).of(digest, HEAD, since)
    return None if told is None else int(told["blockNumber"], 16)


@pytest.mark.parametrize("number", [100, 99, 97, 95, 95 - BELOW_SIGNED])
@pytest.mark.parametrize("says", INDEXING)
def test_where_no_node_tells_by_hash_the_blocks_do(number: int, says: Say) -> None:
    assert _found(Indexing({TX: number}, says)) == number
    assert _found(Indexing({TX: number}, says), Indexing({TX: number}, says)) == number


def test_what_is_in_none_of_the_blocks_since_it_was_signed_is_in_none() -> None:
    assert _found(Indexing({})) is None
    assert _found(Indexing({TX: 80})) is None, "as far below the block of signing nothing is looked for"


def test_blocks_that_nobody_tells_of_prove_nothing() -> None:
    with pytest.raises(NodeError):
        _found(Indexing({}, least=97))
    with pytest.raises(NodeError, match=f"in none of {SEARCHED} blocks"):
        _found(Indexing({}), since=10)
    assert _found(Indexing({TX: 98}, least=97)) == 98


def test_a_node_that_contradicts_is_heard_about_what_a_block_says_too() -> None:
    assert _found(Indexing({TX: 98}), Told(None, lists=False)) is None
    assert _found(Indexing({TX: 98}), Told(receipt(98))) == 98


def test_many_are_found_with_few_questions() -> None:
    """Forty undecided transactions once took twenty seconds of each block."""
    ours = [f"0x{number:064x}" for number in range(1, 41)]
    node = Indexing({digest: 90 + number % 11 for number, digest in enumerate(ours)})
    pool, _ = scripted_pool(node)
    receipts = Receipts(pool)
    assert all(receipts.of(digest, HEAD, 90) for digest in ours)
    assert node.asked.count("eth_getTransactionReceipt") == len(pool_module.PAUSES) + 1
    assert node.asked.count("eth_getBlockReceipts") == 11
    assert node.asked.count("eth_getBlockByHash") == 11
    node.asked.clear()
    assert all(receipts.of(digest, HEAD, 90) for digest in ours)
    assert set(node.asked) == {"eth_getBlockByNumber"}, "only whether each block is still the chain's"


def test_a_block_with_another_chain_above_it_settles_nothing() -> None:
    node = Indexing({TX: 98})
    elsewhere = Head(**{**_fields(HEAD), "hash": "0xbb" + HEAD.hash[4:]})
    pool, _ = scripted_pool(lambda method, params: _unknown(node, method, params))
    with pytest.raises(NodeError):
        Receipts(pool).of(TX, elsewhere, 95)


def _fields(head: Head) -> dict[str, Any]:
    return {name: getattr(head, name) for name in head.__dataclass_fields__}


def _unknown(node: Indexing, method: str, params: list[Any]) -> Say:
    if method == "eth_getBlockByHash" and params[0].startswith("0xbb"):
        return Say(None)
    return node(method, params)
