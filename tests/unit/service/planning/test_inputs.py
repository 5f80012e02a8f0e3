"""What planning goes by is read in one request, looked up by the call that asked, less what is promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keeper.chain.calls import Answer, Call
from keeper.execution import rehearsal
from keeper.execution.unseen_gas import Unseen
from keeper.model.plan import NATIVE, Spend, kept_of
from keeper.model.price_update import PriceUpdate
from keeper.model.purse import Purse
from keeper.service.chain_context import ChainContext
from keeper.service.planning.gas_money import SignerFunds
from keeper.service.planning.inputs import InputReader, unpromised
from keeper.store.database import open_store
from tests.unit.chain.test_block_time import head
from tests.unit.execution.test_batching import USDC, plan
from tests.unit.service.planning.test_ceilings import settings
from tests.unit.service.planning.test_planner import breach, market

pytestmark = pytest.mark.unit

PAYER = "0x" + "0f" * 20


def test_open_absorptions_keep_what_they_are_to_be_bought_with() -> None:
    absorbs = replace(plan(1), batch_item=None, spend=Spend(USDC, "", 0), kept=70)
    funds = unpromised([Purse({USDC: 100}, {})], 10**18, [absorbs], 1)
    assert funds == {USDC: 100, kept_of(USDC): 70, NATIVE: 10**18 - absorbs.gas}


def test_what_is_promised_is_nobodys_else_and_never_less_than_nothing() -> None:
    spend = Spend(USDC.upper().replace("0X", "0x"), "0xpool", 60)
    spends = replace(plan(1), batch_item=None, spend=spend, gas=7, value=3)
    assert unpromised([Purse({USDC: 100}, {})], 100, [spends], 2) == {USDC: 40, NATIVE: 100 - 7 * 2 - 3}
    assert unpromised([Purse({USDC: 100}, {})], 9, [spends, spends], 2) == {USDC: 0, NATIVE: 0}


class CountedReads:
    """Answers each call with its own target, and counts the requests."""

    def __init__(self) -> None:
        self.requests: list[list[Call]] = []

    def answers_to(self, calls: list[Call], lenses: Any = ()) -> dict[Call, Answer]:
        if calls:
            self.requests.append(calls)
        return {call: Answer(True, call.target.encode()) for call in reversed(calls)}


def asking(name: str) -> Any:
    """A market whose purse is what its own call was answered with."""
    here = market(name=name)
    call = Call(f"0x{name}", b"")

    def read(state: Any, accounts: list[str], payer: str, answers: dict[Call, Answer]) -> Purse:
        return Purse({answers[call].data.decode(): 5}, {}, {(each, payer): 1 for each in accounts})

    here.adapter.planner.planning_calls = lambda state, accounts, payer: [call]
    here.adapter.planner.read_planning = read
    here.adapter.planner.liquidation_tokens = lambda *_: frozenset[str]()
    here.adapter.planner.assets = lambda state, purse: {}
    here.adapter.owner_payments = None
    here.book.read, here.book.head = True, head(1, 1)
    return here


def test_all_markets_are_asked_in_one_request_and_each_gets_its_own_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "unseen_of", lambda *_: Unseen())
    reads, one, other = CountedReads(), asking("one"), asking("other")
    update = PriceUpdate("0xoracle", b"signed", frozenset({b"id"}), 1, 3)
    one.pulled = SimpleNamespace(updates=(update,))
    due = [breach(one, 1, protected=True), breach(other, 2), breach(other, 3, protected=True)]
    chain = ChainContext(
        cast(Any, SimpleNamespace(name="c")),
        open_store(f"sqlite:///{tmp_path}/keeper.db"),
        settings(1, {"data_fee": "none"}).of_chain("c"),
        cast(Any, SimpleNamespace(owner=lambda market, account: account)),
        [one, other],
        "live",
        PAYER,
    )
    reader = InputReader(
        chain,
        PAYER,
        head(1, 1),
        2,
        cast(Any, reads),
        cast(Any, SimpleNamespace(result=lambda: SignerFunds(10**18, 10**9))),
    )
    found = reader.read(due)
    assert [[call.target for call in each] for each in reads.requests] == [["0xone", "0xother"]]
    assert set(found.purses["one"].funds) == {"0xone"} and set(found.purses["other"].funds) == {"0xother"}
    assert set(found.purses["other"].idle_collateral) == {("0x3", PAYER)}, "only whom a top-up is due to"
    assert found.funds == {"0xone": 5, "0xother": 5, NATIVE: 10**18}
    assert found.purses["one"].updates == (update,) and found.purses["other"].updates == ()
    assert found.purses["one"].payer == PAYER and found.purses["one"].recipient == ""
    assert set(found.budgets) == {each.key for each in due} and found.trading is None
