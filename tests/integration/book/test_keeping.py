"""What a book keeps in either store: records inserted and replaced, and a restart that reads none again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import aave_actions as act
from keeper.store.accounts import Saved, SavedBlock, load, save
from keeper.store.database import Store, open_store
from tests.conftest import LocalMarket
from tests.integration.book.test_discovery import Field
from tests.support import random_market as rnd
from tests.support.rpc_proxy import proxy_to

pytestmark = pytest.mark.integration

# More than go into one statement.
MANY = 12_000


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    postgresql = request.param == "postgresql"
    url = request.getfixturevalue("postgresql") if postgresql else f"sqlite:///{tmp_path / 'k.db'}"
    opened = open_store(url)
    assert opened.engine.dialect.name == request.param
    yield opened
    opened.close()


def _account(number: int) -> str:
    return f"0x{0xACC << 148 | number:040x}"


def _record(number: int) -> bytes:
    return bytes([0, 255, number % 256]) + number.to_bytes(32, "big")


def test_records_are_inserted_and_replaced_and_come_back_byte_for_byte(store: Store) -> None:
    records = {_account(number): _record(number) for number in range(MANY)}
    recent = (
        SavedBlock(9, "0x09", frozenset({_account(1), _account(2)})),
        SavedBlock(10, "0x0a", frozenset()),
    )
    save(store, "m", Saved(10, "0x0a", ("0xpool",), records, recent))
    save(store, "other", Saved(7, "0x07", (), {_account(1): b"another market's"}))
    # One half of what is written next is there already; the rest of what is there stays.
    changed = {_account(number): _record(number + 1) for number in range(MANY // 2, MANY + 500)}
    save(store, "m", Saved(11, "0x0b", ("0xpool", "0xtoken"), changed))
    found = load(store, "m")
    assert found is not None
    assert found.records == {**records, **changed}
    assert (found.block, found.block_hash, found.addresses) == (11, "0x0b", ("0xpool", "0xtoken"))
    other = load(store, "other")
    assert other is not None and other.records == {_account(1): b"another market's"}


def test_what_recent_blocks_touched_comes_back(store: Store) -> None:
    recent = (
        SavedBlock(9, "0x09", frozenset({_account(1), _account(2)})),
        SavedBlock(10, "0x0a", frozenset()),
    )
    save(store, "m", Saved(10, "0x0a", ("0xpool",), {}, recent))
    found = load(store, "m")
    assert found is not None and found.recent == recent


def test_a_checkpoint_that_fails_half_way_leaves_the_one_before(store: Store) -> None:
    """Records without their checkpoint, or the other way round, would be a book of no block."""
    before = Saved(10, "0x0a", ("0xpool",), {_account(1): _record(1)})
    save(store, "m", before)
    # The second statement fails: a record must be bytes.
    broken: dict[str, bytes] = {_account(number): _record(number + 9) for number in range(1, MANY)}
    broken[_account(MANY)] = None  # type: ignore[assignment]
    with pytest.raises(Exception, match=r"(?i)null"):
        save(store, "m", Saved(11, "0x0b", ("0xpool",), broken))
    assert load(store, "m") == before


def test_a_restart_reads_no_account_that_did_not_change(aave_v36: LocalMarket, store: Store) -> None:
    with proxy_to(aave_v36.anvil.url) as proxy:
        field = Field(aave_v36, proxy, store, from_block=0)
        weth = field.reserve("WETH")
        field.send(*act.mint_and_supply(aave_v36.market, weth, rnd.LENDER, 10**24))
        field.send(*act.mint_and_supply(aave_v36.market, field.reserve("USDC"), rnd.LENDER, 10**13))
        stays, changes = field.borrower(1), field.borrower(2)
        first = field.book(store=store)
        field.refresh(first)
        field.send(act.borrow(aave_v36.market, field.reserve("USDC"), changes, 10**6))
        second = field.book(store=store)
        proxy.forget()
        field.refresh(second)
        asked = json.dumps([request for request in proxy.seen if request["method"] == "eth_call"])
        assert changes[2:] in asked and stays[2:] not in asked
        assert min(begin for begin, _ in proxy.log_ranges() or [(10**9, 0)]) > 1
        field.is_the_chain(second)
