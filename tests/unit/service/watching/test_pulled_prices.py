"""What is told of prices that are brought: once, however it flickers, and of no single lost request."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.blocks import Head
from keeper.chain.calls import Answer
from keeper.model.price_update import PriceUpdate
from keeper.oracles.pull.judging import UpdateFault
from keeper.oracles.pull.service import Supply, WantedPrice
from keeper.service.watching.price_prelude import behind
from keeper.service.watching.pulled_prices import PulledPrices

pytestmark = pytest.mark.unit

ORACLE, ONE, OTHER = "0x" + "aa" * 20, b"\x01" * 32, b"\x02" * 32
WANTED = [WantedPrice(ORACLE, ONE, "BTC"), WantedPrice(ORACLE, OTHER, "ETH")]
DOWN, UNSURE = UpdateFault("missing", "it cannot be reached"), UpdateFault("unsure", "is unsure by 5%")


class Supplying:
    """In place of a service: what it has at a block."""

    def __init__(self) -> None:
        self.faults: dict[bytes, UpdateFault] = {}

    def supply(self, wanted: Any, now: int) -> Supply:
        left = [each.id for each in wanted if each.id not in self.faults]
        updates = tuple(PriceUpdate(ORACLE, b"signed" + each, frozenset({each}), now) for each in left)
        return Supply(updates, self.faults)


def head(now: int) -> Head:
    return Head(now, hex(now), "0x", now, 1, 30_000_000)


def pulled() -> tuple[PulledPrices, Supplying]:
    service = Supplying()
    return PulledPrices(service), service  # type: ignore[arg-type]


def answered(*outcomes: tuple[bool, int, bytes]) -> Answer:
    return Answer(True, encode(["(bool,uint256,bytes)[]"], [list(outcomes)]))


def test_what_an_oracle_takes_is_brought_along_with_its_fee_and_what_it_refuses_is_told() -> None:
    prices, _ = pulled()
    at = behind(head(100), prices.bring(WANTED, head(100)))
    assert [call.data for call in at.prelude] == [b"signed" + ONE, b"signed" + OTHER]
    wrong = function_signature_to_4byte_selector("InvalidUpdateDataSource()")
    prices.learn(at, answered((True, 7, b""), (False, 0, wrong)))
    assert [(each.ids, each.fee) for each in prices.updates] == [(frozenset({ONE}), 7)]
    [told] = prices.warnings.values()
    assert "ETH" in told and "InvalidUpdateDataSource" in told
    fresher = function_signature_to_4byte_selector("NoFreshUpdate()")
    at = behind(head(200), prices.bring(WANTED, head(200)))
    assert list(prices.updates) == [], "those of another block"
    prices.learn(at, answered((False, 0, fresher), (True, 7, b"")))
    assert [each.ids for each in prices.updates] == [frozenset({OTHER})] and prices.warnings == {}


def test_an_answer_that_is_none_brings_nothing() -> None:
    prices, _ = pulled()
    at = behind(head(100), prices.bring(WANTED, head(100)))
    nothing = [Answer(False, b""), Answer(True, b""), answered()]
    for answer in nothing:
        prices.learn(at, answer)
        assert prices.updates == ()


def test_one_lost_request_is_nothing_to_tell_of_and_two_are() -> None:
    prices, service = pulled()
    service.faults = {ONE: DOWN, OTHER: DOWN}
    prices.bring(WANTED, head(100))
    assert prices.warnings == {} and len(prices.troubles) == 1
    prices.bring(WANTED, head(112))
    assert list(prices.warnings) == ["price_service"]


def test_what_flickers_is_told_once_and_is_over_when_it_stays_away() -> None:
    prices, service = pulled()
    for block in range(5):
        service.faults = {ONE: UNSURE} if block % 2 == 0 else {}
        prices.bring(WANTED, head(100 + 12 * block))
        assert list(prices.warnings) == ["price_unsure_01010101"]
    service.faults = {}
    prices.bring(WANTED, head(148 + 30))
    assert len(prices.warnings) == 1
    prices.bring(WANTED, head(148 + 31))
    assert prices.warnings == {}
