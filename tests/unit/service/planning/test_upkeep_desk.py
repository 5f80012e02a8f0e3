"""Orders that wait are found whenever they were committed, and those of whom we protect come first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.service.planning.upkeep import MOST_AT_ONCE, UpkeepDesk
from keeper.store.database import open_store
from tests.unit.chain.test_block_time import head

pytestmark = pytest.mark.unit

START = 1_000_000


class Everybody:
    """A market whose accounts have an order each, which can be settled for an hour from the start on."""

    def __init__(self, accounts: list[str], protected: str = "") -> None:
        self.name, self.protected, self.state = "m", protected, None
        self.accounts = {each: each for each in accounts}
        self.rows = SimpleNamespace(records=accounts, account=lambda row: accounts[row])
        upkeep = SimpleNamespace(has_work=bool, window=lambda state, raw: (START, START + 3_600))
        self.adapter, self.book = SimpleNamespace(upkeep=upkeep), self

    def record(self, account: str) -> str:
        return self.accounts.get(account, "")

    def commit(self, account: str) -> None:
        self.accounts[account] = account

    def levels(self, _: str, account: str) -> Any:
        return SimpleNamespace(ignored=False, protection=account == self.protected or None)


def desk(market: Everybody, folder: Path) -> UpkeepDesk:
    store = open_store(f"sqlite:///{folder}/keeper.db")
    chain: Any = SimpleNamespace(store=store, policies=market)
    retries: Any = SimpleNamespace(ready=lambda session, wanted, at: wanted)
    return UpkeepDesk(chain, retries)


def valued(number: int, touched: frozenset[str] = frozenset(), *, acting: bool = True) -> Any:
    refresh = SimpleNamespace(rebuilt=False, reorganised=False, touched=touched)
    return SimpleNamespace(acting=acting, refresh=refresh, head=head(number, START + number))


def test_an_order_that_was_committed_while_nobody_acted_is_found_afterwards(tmp_path: Path) -> None:
    market: Any = Everybody([])
    made = desk(market, tmp_path)
    assert made.due(market, valued(1)) == []
    market.commit("late")
    assert made.due(market, valued(2, frozenset({"late"}), acting=False)) == []
    assert [each.valuation.account for each in made.due(market, valued(3))] == ["late"]


def test_strangers_orders_do_not_push_that_of_one_whom_we_protect_aside(tmp_path: Path) -> None:
    accounts = [f"a{each}" for each in range(10 * MOST_AT_ONCE)]
    market: Any = Everybody(accounts, protected=accounts[-1])
    made = desk(market, tmp_path)
    for number in range(1, 4):
        found = made.due(market, valued(number))
        assert len(found) == MOST_AT_ONCE
        assert accounts[-1] in [each.valuation.account for each in found]
