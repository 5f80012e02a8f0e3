"""Nodes that say too little, cut, cap, forget or lie: noticed, said, and the book is still the chain's."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from keeper.book.book import Book
from keeper.chain import blocks
from keeper.chain.node import NodeError
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import queue
from keeper.protocols.aave_v3.market import AaveV3Market
from tests.integration.book.test_discovery import AaveBook, Field, _address, field
from tests.support import random_market as rnd
from tests.support.books import refresh_alone
from tests.support.rpc_proxy import Request, RpcProxy, proxy_to

__all__ = ["field"]
pytestmark = pytest.mark.integration


GETH_GAS = 50_000_000


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def _many(field: Field, count: int) -> list[str]:
    market, weth = field.local.market, field.reserve("WETH")
    field.send(act.mint(market, weth, rnd.LENDER, 10**24), act.approve(market, weth, rnd.LENDER))
    accounts = [_address(number) for number in range(1, count + 1)]
    field.send(*(rnd.supply_for(market, "WETH", a, 10**15 + i) for i, a in enumerate(accounts)))
    return accounts


def _from_nothing(field: Field, book: AaveBook) -> None:
    """The book is the one that a new book makes of the chain, and each account is valued as the pool does."""
    anew = field.book()
    assert book.head is not None
    refresh_alone(anew, book.head)

    def with_stake(each: AaveBook) -> dict[str, object]:
        return {account: raw for account, raw in each.accounts.items() if raw.configuration}

    assert with_stake(book) == with_stake(anew)
    assert book.state == anew.state
    field.is_the_chain(book)


def test_reads_fit_geths_gas_cap(field: Field) -> None:
    """A node that silently grants no more than 50M gas a call is read in more calls, and wholly."""
    accounts = _many(field, 4_000)

    def cap(request: Request) -> None:
        if request["method"] == "eth_call":
            request["params"][0]["gas"] = hex(min(int(request["params"][0]["gas"], 16), GETH_GAS))

    field.proxy.changes.append(cap)
    book = field.book()
    field.refresh(book)
    assert set(accounts) <= set(book.accounts)
    assert all(book.accounts[a].positions for a in accounts)
    calls = field.proxy.counts()["eth_call"]
    assert 3 <= calls <= 12


@pytest.mark.parametrize("manner", ["refuses", "ignores"])
def test_a_node_without_state_overrides_is_read_by_initcode(field: Field, manner: str) -> None:
    borrower = field.borrower(1)

    def ignore(request: Request) -> None:
        if request["method"] == "eth_call":
            del request["params"][2:]

    if manner == "refuses":
        field.proxy.rules.append(
            lambda r: "too many arguments, want at most 2" if len(r["params"]) > 2 else None
        )
    else:
        field.proxy.changes.append(ignore)
    book = field.book()
    with capture_logs() as said:
        field.refresh(book)
    assert sum(each["event"] == "no state overrides" for each in said) == 1
    field.proxy.forget()
    field.send(*act.mint_and_supply(field.local.market, field.reserve("WETH"), borrower, 10**17))
    field.refresh(book)
    assert field.proxy.counts()["eth_call"] == 1
    assert not field.proxy.refused
    _from_nothing(field, book)


def test_many_accounts_are_read_by_initcode_in_pieces(field: Field) -> None:
    accounts = _many(field, 1_800)
    field.proxy.rules.append(lambda r: "unsupported: state override" if len(r["params"]) > 2 else None)
    book = field.book()
    field.refresh(book)
    assert set(accounts) <= set(book.accounts)


def test_logs_withheld_once_are_asked_for_again(field: Field) -> None:
    """The block's bloom tells that there should be some."""
    book = field.book()
    field.refresh(book)
    asked: list[Request] = []

    def withhold(request: Request, result: Any) -> Any:
        if request["method"] != "eth_getLogs":
            return result
        asked.append(request)
        return [] if len(asked) == 1 else result

    borrower = _address(5)
    market = field.local.market
    field.send(act.mint(market, field.reserve("WETH"), rnd.LENDER, 10**20))
    field.send(act.approve(market, field.reserve("WETH"), rnd.LENDER))
    field.refresh(book)
    field.send(rnd.supply_for(market, "WETH", borrower, 10**18))
    field.proxy.answers.append(withhold)
    with capture_logs() as said:
        field.refresh(book)
    assert [each["event"] for each in said] == ["logs withheld"]
    assert borrower in book.accounts


def test_logs_withheld_for_good_show_in_the_totals(field: Field) -> None:
    """Accounts changed and nobody said so: debts no longer add up, and all accounts are read again."""
    borrower = field.borrower(1)
    book = field.book()
    field.refresh(book)
    field.proxy.answers.append(lambda r, result: [] if r["method"] == "eth_getLogs" else result)
    field.send(act.borrow(field.local.market, field.reserve("USDC"), borrower, 10**7))
    found = field.refresh(book)
    assert "scaled units" in found.unbalanced
    field.local.anvil.mine()
    field.refresh(book)
    assert not book.unbalanced
    field.is_the_chain(book)


def test_what_changes_silently_is_found_in_rotation(field: Field) -> None:
    """Collateral moved between holders, and the node says nothing of it: debts still add up."""
    giver, receiver = field.borrower(1), field.borrower(2)
    book = field.book()
    field.refresh(book)
    field.proxy.answers.append(lambda r, result: [] if r["method"] == "eth_getLogs" else result)
    field.send(act.transfer_a_token(field.reserve("WETH"), giver, receiver, 10**15))
    head = blocks.latest(book.pool)
    with capture_logs() as said:
        found = refresh_alone(book, head, [giver])
    assert found.silent == {giver}
    assert "silent change" in [each["event"] for each in said]
    field.local.anvil.mine()
    field.refresh(book)
    field.is_the_chain(book)


def _without(*accounts: str) -> Any:
    """What a node answers that leaves out the events which name these accounts, and gives all others."""

    def withhold(request: Request, result: Any) -> Any:
        if request["method"] != "eth_getLogs":
            return result
        return [
            each for each in result if not any(a[2:] in topic for a in accounts for topic in each["topics"])
        ]

    return withhold


@pytest.mark.parametrize("nodes", [1, 2])
def test_an_answer_with_some_of_a_blocks_logs_missing_is_found_and_healed(field: Field, nodes: int) -> None:
    """Somebody new borrows, and just his events are missing: no account that is known says so."""
    with proxy_to(field.local.anvil.url) as other:
        known, new = field.borrower(1), _address(2)
        book = _book_at(field, field.proxy, other) if nodes == 2 else field.book()
        refresh_alone(book, blocks.latest(book.pool))
        lies = _without(new)
        field.proxy.answers.append(lies)
        market, weth = field.local.market, field.reserve("WETH")
        field.send(act.mint(market, weth, rnd.LENDER, 10**20), act.approve(market, weth, rnd.LENDER))
        refresh_alone(book, blocks.latest(book.pool))
        field.local.anvil.set_automine(False)
        for who in (known, new, rnd.LENDER):
            field.local.anvil.set_balance(who, 10**19)
        for tx in (
            act.borrow(market, field.reserve("USDC"), known, 10**7),
            rnd.supply_for(market, "WETH", new, 10**18),
            act.borrow(market, field.reserve("USDC"), new, 10**8),
        ):
            queue(field.local.anvil, tx)
        field.local.anvil.mine()
        field.local.anvil.set_automine(True)
        found = refresh_alone(book, blocks.latest(book.pool))
        assert known in found.touched and new not in book.accounts
        assert "scaled units" in found.unbalanced
        if nodes == 1:
            # Behind one address stand many: the next does not lie.
            field.proxy.answers.remove(lies)
        field.local.anvil.mine()
        refresh_alone(book, blocks.latest(book.pool))
        assert new in book.accounts and not book.unbalanced
        field.local.anvil.mine()
        refresh_alone(book, blocks.latest(book.pool))
        assert not book.unbalanced and book.doubted_from is None
        field.is_the_chain(book)


def test_a_block_older_than_the_record_is_a_rebuild_not_an_error(field: Field) -> None:
    """A node that was set back, or another chain's store: the book is what the chain says."""
    field.local.anvil.mine(6)
    field.borrower(1)
    first = field.book(store=field.store)
    old = blocks.latest(first.pool)
    field.local.anvil.mine(4)
    field.borrower(2)
    field.refresh(first)
    first.save()
    second = field.book(store=field.store)
    found = refresh_alone(second, old)
    assert found.rebuilt and second.head == old
    found = refresh_alone(first, old)
    assert found.rebuilt and first.head == old
    field.refresh(second)
    _from_nothing(field, second)


def test_answers_that_are_cut_are_noticed_and_asked_for_in_pieces(field: Field) -> None:
    accounts = _many(field, 300)

    def cut(request: Request, result: Any) -> Any:
        return result[:4_000] if request["method"] == "eth_call" else result

    book = field.book()
    field.refresh(book)
    field.proxy.answers.append(cut)
    book.read_all_next()
    field.local.anvil.mine()
    with pytest.raises(NodeError, match="not whole"):
        # The market's own state does not fit what this node lets through.
        field.refresh(book)
    field.proxy.answers.clear()
    field.proxy.answers.append(lambda r, x: x[:30_000] if r["method"] == "eth_call" else x)
    field.proxy.forget()
    field.refresh(book)
    assert field.proxy.counts()["eth_call"] > 1
    assert set(accounts) <= set(book.accounts)
    field.is_the_chain(book)


def test_a_node_that_prunes_is_left_for_one_that_does_not(field: Field) -> None:
    field.borrower(1)
    with proxy_to(field.local.anvil.url) as other:
        field.proxy.rules.append(
            lambda r: "missing trie node 00aa (path )" if r["method"] == "eth_call" else None
        )
        book = _book_at(field, field.proxy, other)
        with capture_logs() as said:
            refresh_alone(book, blocks.latest(book.pool))
        assert "failover" in [each["event"] for each in said]
        assert other.counts()["eth_call"] >= 1
        field.is_the_chain(book)


def test_a_node_that_fails_within_a_tick_is_left_and_no_block_is_mixed(field: Field) -> None:
    """The head comes from one node; its logs and state, of the very same block, from another."""
    borrower = field.borrower(1)
    with proxy_to(field.local.anvil.url) as other:
        book = _book_at(field, field.proxy, other)
        refresh_alone(book, blocks.latest(book.pool))
        field.send(*act.mint_and_supply(field.local.market, field.reserve("WETH"), borrower, 10**17))
        field.local.anvil.mine()
        refresh_alone(book, blocks.latest(book.pool))
        field.local.anvil.mine()
        head = blocks.latest(book.pool)
        field.proxy.rules.append(lambda r: 503 if r["method"] != "eth_getBlockByNumber" else None)
        field.local.anvil.mine()
        refresh_alone(book, head)
        assert book.head == head
        pinned = [r["params"][1] for r in other.seen if r["method"] == "eth_call"]
        assert pinned[-1] == {"blockHash": head.hash}
        field.is_the_chain(book)


def test_a_head_that_no_chain_has_is_refused(field: Field) -> None:
    """A block made up by a node: nobody has its state, the book stays, and the next true block is read."""
    book = field.book()
    field.refresh(book)
    before = book.head

    def lie(request: Request, result: Any) -> Any:
        if request["method"] != "eth_getBlockByNumber" or request["params"][0] != "latest":
            return result
        return {**result, "number": hex(int(result["number"], 16) + 50), "hash": "0x" + "ab" * 32}

    field.proxy.answers.append(lie)
    with pytest.raises(Exception):  # noqa: B017, PT011  (which error depends on the node)
        refresh_alone(book, blocks.latest(book.pool))
    assert book.head == before
    field.proxy.answers.clear()
    field.local.anvil.mine()
    field.refresh(book)
    field.is_the_chain(book)


@pytest.mark.parametrize("depth", [1, 3])
def test_after_a_reorg_the_book_equals_one_built_from_nothing(field: Field, depth: int) -> None:
    """Only what orphaned and new blocks touched is read again."""
    field.local.anvil.mine(5)
    others = _many(field, 40)
    stays = field.borrower(101)
    book = field.book()
    field.refresh(book)
    field.local.anvil.mine(2)
    field.refresh(book)
    goes = _address(102)
    field.send(act.transfer_a_token(field.reserve("WETH"), stays, goes, 10**15))
    field.refresh(book)
    field.local.anvil.reorg(depth)
    field.local.anvil.mine()
    found = field.refresh(book)
    assert found.reorganised and not found.rebuilt
    assert {stays, goes} <= found.touched
    assert not set(others[:20]) & found.touched
    _from_nothing(field, book)


def test_a_reorg_deeper_than_remembered_is_said_and_the_book_rebuilt(field: Field) -> None:
    field.local.anvil.mine(8)
    field.borrower(1)
    book = field.book()
    field.refresh(book)
    book.recent = deque(maxlen=2)
    for number in range(4):
        field.send(
            *act.mint_and_supply(field.local.market, field.reserve("WETH"), _address(9), 10**15 + number)
        )
        field.refresh(book)
    field.local.anvil.reorg(9)
    field.local.anvil.mine()
    with capture_logs() as said:
        found = field.refresh(book)
    assert found.rebuilt
    assert "rebuild" in [each["event"] for each in said]
    _from_nothing(field, book)


def test_a_reorg_while_the_keeper_was_down_is_undone_at_the_start(field: Field) -> None:
    """The store remembers what each of the last blocks touched."""
    field.local.anvil.mine(5)
    stays = field.borrower(1)
    first = field.book(store=field.store)
    field.refresh(first)
    field.local.anvil.mine(2)
    field.refresh(first)
    goes = _address(2)
    field.send(act.transfer_a_token(field.reserve("WETH"), stays, goes, 10**15))
    field.refresh(first)
    first.save()
    assert first.accounts[goes].positions or field.local.market.version == "3.6"
    field.local.anvil.reorg(3)
    field.local.anvil.mine(2)
    second = field.book(store=field.store)
    field.proxy.forget()
    field.refresh(second)
    # No discovery: only the blocks after the last common one were read.
    assert min(a for a, _ in field.proxy.log_ranges()) > second.source.from_block + 3
    _from_nothing(field, second)


def test_a_restart_reads_no_account_that_did_not_change(field: Field) -> None:
    accounts = _many(field, 200)
    first = field.book(store=field.store)
    field.refresh(first)
    field.local.anvil.mine(3)
    second = field.book(store=field.store)
    field.proxy.forget()
    field.refresh(second)
    asked = json.dumps([r for r in field.proxy.seen if r["method"] == "eth_call"])
    assert not any(account[2:] in asked for account in accounts)
    _from_nothing(field, second)


def test_discovery_goes_on_in_parallel_and_finds_all(field: Field) -> None:
    found = set()
    for number in range(1, 5):
        field.local.anvil.mine(40)
        found.add(field.borrower(number))
    pool = NodePool("local", Chain(chain_id=31337, rpc=[field.proxy.url]))
    source = AaveV3Market("aave", field.local.market.pool, 0)
    covered: list[int] = []
    book: AaveBook = Book(source, pool, None, 16, workers=4)
    refresh_alone(book, blocks.latest(pool), progress=covered.append)
    assert found <= set(book.accounts)
    assert covered == sorted(covered)
    assert book.head is not None and covered[-1] == book.head.number
    ranges = sorted(field.proxy.log_ranges())
    assert all(a[1] + 1 == b[0] for a, b in pairwise(ranges))


def test_a_long_discovery_says_how_far_it_is_and_how_long_it_will_take(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log, as nobody looks at a service's terminal."""
    monkeypatch.setattr("keeper.book.discovery.TOLD_EVERY", 0.0)
    field.borrower(1)
    field.local.anvil.mine(100)
    field.proxy.changes.append(lambda r: time.sleep(0.02) if r["method"] == "eth_getLogs" else None)
    book = field.book(10)
    with capture_logs() as said:
        field.refresh(book)
    told = [each for each in said if each["event"] == "reading events"]
    assert len(told) > 5
    assert [each["block"] for each in told] == sorted({each["block"] for each in told})
    assert book.head is not None and all(each["of"] == book.head.number for each in told)
    # A tenth of the way in a second or less each: what is left is told within reason.
    assert all(0 <= each["seconds_left"] <= 30 for each in told)


def _book_at(field: Field, *proxies: RpcProxy) -> AaveBook:
    pool = NodePool("local", Chain(chain_id=31337, rpc=[each.url for each in proxies]))
    return Book(AaveV3Market("aave", field.local.market.pool, 0), pool, None, 50_000)
