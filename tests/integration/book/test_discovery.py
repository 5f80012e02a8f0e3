"""Every account is found and kept up to date, whatever the node refuses and however the chain turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keeper.book.book import REMEMBERED_BLOCKS, Book, Refresh
from keeper.chain import blocks
from keeper.chain.node import NodeError, RpcError, WrongStateError
from keeper.chain.pool import PAUSES, NodePool
from keeper.config import Chain
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import DeployedReserve, ReserveSpec
from keeper.localchain.transactions import Tx, send_batch
from keeper.margin.lending.aave.state import AccountState
from keeper.model.valuation import Valuation
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.market import AaveV3Market
from keeper.store.database import Store, open_store
from tests.conftest import LocalMarket
from tests.support import random_market as rnd
from tests.support.books import refresh_alone
from tests.support.listing import list_reserve
from tests.support.rpc_proxy import RpcProxy, largest_call, longest_range, proxy_to

pytestmark = pytest.mark.integration

AaveBook = Book[PoolState, AccountState, Valuation]


@dataclass
class Field:
    """A market behind a proxy, and a store for books on it."""

    local: LocalMarket
    proxy: RpcProxy
    store: Store
    from_block: int

    def book(self, log_range: int = 50_000, store: Store | None = None) -> AaveBook:
        pool = NodePool("local", Chain(chain_id=31337, rpc=[self.proxy.url]))
        source = AaveV3Market("aave", self.local.market.pool, self.from_block)
        return Book(source, pool, store, log_range)

    def refresh(self, book: AaveBook) -> Refresh[Valuation]:
        """To the newest block. Just after a reorg Anvil may have lost the state of a block whose like was
        reverted before; the next block has it."""
        try:
            return refresh_alone(book, blocks.latest(book.pool))
        except WrongStateError:
            self.local.anvil.mine()
            return refresh_alone(book, blocks.latest(book.pool))

    def send(self, *txs: Tx) -> None:
        send_batch(self.local.rpc, list(txs), self.local.market.errors)

    def reserve(self, symbol: str) -> DeployedReserve:
        return self.local.market.reserves[symbol]

    def borrower(self, number: int) -> str:
        """Someone new who has supplied WETH and owes USDC, in blocks of his own."""
        account = _address(number)
        market, weth = self.local.market, self.reserve("WETH")
        self.send(*act.mint_and_supply(market, weth, account, 10**18 + number))
        self.send(act.borrow(market, self.reserve("USDC"), account, 10**8 + number))
        return account

    def is_the_chain(self, book: AaveBook) -> None:
        """Every account in the book is valued as the pool values it, at the book's head."""
        assert book.head is not None
        ours = book.source.valuer.value(book.state, book.accounts, book.head.timestamp)  # type: ignore[attr-defined]
        theirs = book.views(book.head, list(book.accounts))
        assert {each.account: each for each in ours} == theirs


@pytest.fixture
def field(aave_market: LocalMarket, tmp_path: Path) -> Iterator[Field]:
    store = open_store(f"sqlite:///{tmp_path / 'keeper.db'}")
    with proxy_to(aave_market.anvil.url) as proxy:
        made = Field(aave_market, proxy, store, from_block=0)
        market, usdc = aave_market.market, aave_market.market.reserves["USDC"]
        made.send(*act.mint_and_supply(market, usdc, rnd.LENDER, 10**13))
        yield made
    store.close()


@pytest.mark.parametrize("refusal", ["query returned more than 10000 results", 413, 400, 504])
def test_ranges_shrink_until_the_node_answers_and_cover_every_block(field: Field, refusal: int | str) -> None:
    found = {rnd.LENDER}
    for number in range(1, 6):
        field.local.anvil.mine(37)
        found.add(field.borrower(number))
    field.proxy.rules.append(longest_range(13, refusal))
    book = field.book()
    field.refresh(book)
    assert found <= set(book.accounts)
    field.is_the_chain(book)
    ranges = field.proxy.log_ranges()
    assert book.head is not None
    # Whether the width was at fault is tried with the last block of what was refused, alone.
    tried = {int(each["params"][0]["toBlock"], 16) for each in field.proxy.refused}
    covered = 0
    for first, last in ranges:
        if first == covered:
            covered = last + 1
        else:
            assert first == last and first in tried
    assert covered == book.head.number + 1
    assert field.proxy.refused
    assert max(last - first + 1 for first, last in ranges) <= 13


@pytest.mark.parametrize("refusal", ["query returned more than 10000 results", 413])
def test_a_refusal_of_a_single_block_is_an_error_and_leaves_the_book_as_it_was(
    field: Field, refusal: int | str
) -> None:
    book = field.book()
    field.proxy.rules.append(longest_range(0, refusal))
    with pytest.raises((RpcError, NodeError)):
        field.refresh(book)
    assert book.head is None
    field.proxy.rules.clear()
    field.refresh(book)
    assert rnd.LENDER in book.accounts


@pytest.mark.parametrize("refusal", [401, 429, 503])
def test_a_refusal_that_is_not_about_size_does_not_multiply_requests(field: Field, refusal: int) -> None:
    """Smaller ranges would only be more requests to a node that says it has too many: it is tried again a few
    times, and once with a single block where its words leave the reason open."""
    field.local.anvil.mine(500)
    field.proxy.rules.append(longest_range(0, refusal))
    with pytest.raises(NodeError, match=str(refusal)):
        field.refresh(field.book())
    assert len(field.proxy.refused) <= 2 * (len(PAUSES) + 1)


def test_reads_shrink_until_the_node_answers(field: Field) -> None:
    """A node that refuses large calls gets more of them, and everything is read."""
    market, weth = field.local.market, field.reserve("WETH")
    accounts = [_address(number) for number in range(1, 201)]
    field.send(act.mint(market, weth, rnd.LENDER, 10**21), act.approve(market, weth, rnd.LENDER))
    field.send(*(rnd.supply_for(market, "WETH", a, 10**15) for a in accounts))
    field.proxy.rules.append(largest_call(6_000, 413))
    book = field.book()
    field.refresh(book)
    assert set(accounts) <= set(book.accounts)
    assert field.proxy.refused
    assert field.proxy.counts()["eth_call"] > 2


def test_an_account_that_only_received_tokens_is_found(field: Field) -> None:
    giver, receiver, weth = field.borrower(1), _address(2), field.reserve("WETH")
    field.send(act.transfer_a_token(weth, giver, receiver, 10**16))
    # In 3.6 what is received must be switched on; in 3.0.2 it switches itself on.
    field.send(act.use_as_collateral(field.local.market, weth, receiver, True))
    book = field.book()
    field.refresh(book)
    assert receiver in book.accounts
    assert book.accounts[receiver].position(0).scaled_collateral
    field.is_the_chain(book)


def test_a_transfer_between_two_holders_changes_both(field: Field) -> None:
    """Such a transfer leaves no event on the pool, only on the token."""
    giver, receiver = field.borrower(1), field.borrower(2)
    book = field.book()
    field.refresh(book)
    before = {a: book.accounts[a] for a in (giver, receiver)}
    field.send(act.transfer_a_token(field.reserve("WETH"), giver, receiver, 10**16))
    assert field.refresh(book).touched >= {giver, receiver}
    assert book.accounts[giver] != before[giver]
    assert book.accounts[receiver] != before[receiver]
    field.is_the_chain(book)


def test_switches_that_move_no_token_are_noticed(field: Field) -> None:
    market, account = field.local.market, _address(1)
    field.send(*act.mint_and_supply(market, field.reserve("WETH"), account, 10**18))
    book = field.book()
    field.refresh(book)
    for tx in (
        act.set_emode(market, account, 1),
        act.use_as_collateral(market, field.reserve("WETH"), account, False),
        act.use_as_collateral(market, field.reserve("WETH"), account, True),
        act.set_emode(market, account, 0),
    ):
        before = book.accounts[account]
        field.send(tx)
        field.refresh(book)
        assert book.accounts[account] != before
        field.is_the_chain(book)


def test_a_restart_continues_from_the_checkpoint(field: Field) -> None:
    """Only what came after the checkpoint is read, and the accounts of before are all there."""
    early = field.borrower(1)
    field.local.anvil.mine(2 * REMEMBERED_BLOCKS)
    first = field.book(store=field.store)
    field.refresh(first)
    assert first.head is not None
    stopped_at = first.head.number
    field.local.anvil.mine(10)
    late = field.borrower(2)
    field.proxy.forget()
    second = field.book(store=field.store)
    field.refresh(second)
    assert {early, late, rnd.LENDER} <= set(second.accounts)
    assert min(first for first, _ in field.proxy.log_ranges()) == stopped_at + 1
    field.is_the_chain(second)


def test_a_restart_after_a_new_listing_looks_for_its_accounts_from_the_start(field: Field) -> None:
    first = field.book(store=field.store)
    field.refresh(first)
    field.local.anvil.mine(2 * REMEMBERED_BLOCKS)
    holder = _holder_of_new_reserve(field)
    field.local.anvil.mine(2 * REMEMBERED_BLOCKS)
    second = field.book(store=field.store)
    field.refresh(second)
    assert holder in second.accounts
    field.is_the_chain(second)


def test_a_discovery_that_was_cut_off_continues_where_it_was(field: Field) -> None:
    """The checkpoint moves with the scan: a long discovery is not begun anew after a restart."""
    early = field.borrower(1)
    field.local.anvil.mine(3 * REMEMBERED_BLOCKS)
    field.borrower(2)
    width = 100
    half = 2 * REMEMBERED_BLOCKS
    field.proxy.rules.append(
        lambda request: (
            503
            if request["method"] == "eth_getLogs" and int(request["params"][0]["fromBlock"], 16) > half
            else None
        )
    )
    with pytest.raises(NodeError):
        field.refresh(field.book(width, field.store))
    field.proxy.rules.clear()
    field.proxy.forget()
    book = field.book(width, field.store)
    field.refresh(book)
    assert min(first for first, _ in field.proxy.log_ranges()) > half - REMEMBERED_BLOCKS - width
    assert early in book.accounts
    field.is_the_chain(book)


def test_a_reserve_listed_while_running_is_followed_from_its_beginning(field: Field) -> None:
    """Also when the book looks again only after the first deposits: their blocks are scanned back."""
    book = field.book()
    field.refresh(book)
    known = len(book.state.market.reserves)
    holder = _holder_of_new_reserve(field)
    field.local.anvil.mine(3)
    field.refresh(book)
    assert len(book.state.market.reserves) == known + 1
    assert holder in book.accounts
    field.is_the_chain(book)


@pytest.mark.parametrize("depth", [1, 4])
def test_after_a_reorg_the_book_is_the_chain(field: Field, depth: int) -> None:
    """What only orphaned blocks did is undone in the book, whether it saw every block or not."""
    # Anvil cannot reorganise back to a block that a snapshot was once reverted to: its state is gone.
    field.local.anvil.mine(5)
    stays = field.borrower(1)
    book = field.book()
    field.refresh(book)
    goes = _address(2)
    field.send(*act.mint_and_supply(field.local.market, field.reserve("WETH"), goes, 10**18))
    field.send(act.transfer_a_token(field.reserve("WETH"), stays, goes, 10**15))
    field.refresh(book)
    assert book.accounts[goes].configuration
    field.local.anvil.reorg(depth)
    field.local.anvil.mine()
    assert field.refresh(book).reorganised
    assert book.head == blocks.latest(book.pool)
    field.is_the_chain(book)


def test_a_reorg_to_another_block_of_the_same_height_is_noticed(field: Field) -> None:
    field.borrower(1)
    book = field.book()
    field.local.anvil.mine(3)
    field.refresh(book)
    field.send(act.set_price(field.local.market, field.reserve("WETH"), 2000_00000000))
    field.refresh(book)
    field.local.anvil.reorg(1)
    assert field.refresh(book).reorganised
    assert book.head == blocks.latest(book.pool)
    field.is_the_chain(book)


@pytest.mark.parametrize("accounts", [5, 300])
def test_a_steady_block_costs_the_same_requests_whatever_the_number_of_accounts(
    field: Field, accounts: int
) -> None:
    market, weth = field.local.market, field.reserve("WETH")
    field.send(act.mint(market, weth, rnd.LENDER, 10**21), act.approve(market, weth, rnd.LENDER))
    everyone = [_address(number) for number in range(1, accounts + 1)]
    field.send(*(rnd.supply_for(market, "WETH", a, 10**15) for a in everyone))
    book = field.book()
    field.refresh(book)
    for _ in range(3):
        field.send(*(rnd.supply_for(market, "WETH", a, 10**15) for a in everyone[:15]))
        field.proxy.forget()
        field.refresh(book)
        assert sum(field.proxy.counts().values()) <= 4
    field.is_the_chain(book)


def _holder_of_new_reserve(field: Field) -> str:
    spec = ReserveSpec("NEW", 18, 5_00000000, 5000, 6000, 10800)
    reserve = list_reserve(field.local, spec)
    holder = _address(77)
    field.send(*act.mint_and_supply(field.local.market, reserve, holder, 10**18))
    return holder


def _address(number: int) -> str:
    return f"0x{0xFACE << 144 | number:040x}"
