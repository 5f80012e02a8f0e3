"""Bids on chains that answer oddly: a tip has a floor, and a missing history is no reason for one wei."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.chain import fees
from keeper.chain.fees import Fees, TooDearError, data_fee_of
from keeper.chain.http import PostError
from keeper.chain.pool import NodePool
from tests.support.scripted_node import Say, healthy, scripted_pool

pytestmark = pytest.mark.unit

GWEI = 10**9
BUSY = Say(error={"code": -32005, "message": "daily quota used up, see plans"})
MISSING = Say(error={"code": -32601, "message": "the method does not exist"})
FAILURES = [
    BUSY,
    MISSING,
    Say(error={"code": None, "message": None}),
    Say(error="later"),
    Say({}),
    Say({"baseFeePerGas": None, "reward": None}),
    Say({"baseFeePerGas": ["0x"], "reward": [[]]}),
    Say({"baseFeePerGas": []}),
    Say(status=403, error={"code": -32000, "message": "no"}),
    Say(status=500, body=b"oops"),
    PostError("cut off"),
]


def history(base: int, *tips: int) -> Say:
    return Say({"baseFeePerGas": [hex(base)] * 6, "reward": [[hex(tip)] for tip in tips]})


def chain(
    told: Say | Exception,
    *,
    base: int | None = 20 * GWEI,
    tip: Say | Exception = MISSING,
    price: Say | Exception = MISSING,
) -> NodePool:
    """A chain of one node: what it tells of its past, its head's base fee, its least tip, its gas price."""
    block: dict[str, Any] = {"number": "0x1"} | ({} if base is None else {"baseFeePerGas": hex(base)})
    answers: dict[str, Say | Exception] = {
        "eth_feeHistory": told,
        "eth_getBlockByNumber": Say(block),
        "eth_maxPriorityFeePerGas": tip,
        "eth_gasPrice": price,
    }

    def script(method: str, params: list[Any]) -> Say | Exception:
        return answers.get(method) or healthy(method, params)

    return scripted_pool(script)[0]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keeper.chain.pool.PAUSES", ())


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("tip", [Say(hex(25 * GWEI)), BUSY, PostError("gone"), Say("0x0")])
def test_without_a_history_the_heads_base_fee_and_a_tip_above_one_wei_are_bid(
    failure: Say | Exception, tip: Say | Exception
) -> None:
    bid = fees.suggest(chain(failure, tip=tip), 10**14)
    assert bid.tip is not None and bid.tip >= 2 * GWEI
    assert bid.max_fee >= 2 * 20 * GWEI + bid.tip
    if isinstance(tip, Say) and tip.result == hex(25 * GWEI):
        assert bid.tip == 25 * GWEI


def test_what_the_node_asks_for_is_a_lower_bound_of_the_tip() -> None:
    assert fees.suggest(chain(history(GWEI, 1, 1, 1), tip=Say(hex(30 * GWEI))), 10**14).tip == 30 * GWEI
    assert fees.suggest(chain(history(GWEI, 40 * GWEI), tip=Say(hex(30 * GWEI))), 10**14).tip == 40 * GWEI
    assert fees.suggest(chain(history(GWEI, 1)), 10**14, least=7 * GWEI).tip == 7 * GWEI


def test_a_base_fee_of_zero_bids_the_nodes_price_as_tip() -> None:
    pool = chain(history(0, 0, 0), base=0, tip=Say("0x0"), price=Say(hex(GWEI // 20)))
    assert fees.suggest(pool, 10**14) == Fees(GWEI // 20, GWEI // 20)
    asked = chain(history(0, 0, 0), base=0, tip=Say(hex(GWEI)), price=Say("0x1"))
    assert fees.suggest(asked, 10**14) == Fees(GWEI, GWEI)


@pytest.mark.parametrize("told", [MISSING, history(0, 0, 0), BUSY])
def test_a_chain_without_base_fee_has_one_price(told: Say) -> None:
    pool = chain(told, base=None, price=Say(hex(5 * GWEI)))
    assert fees.suggest(pool, 10**14) == Fees(5 * GWEI, None)
    assert fees.present(pool) == 5 * GWEI


def test_above_the_ceiling_is_an_error_of_its_own() -> None:
    with pytest.raises(TooDearError, match="above the ceiling"):
        fees.suggest(chain(history(30 * GWEI, GWEI)), 30 * GWEI)


def test_a_tip_that_is_only_advised_keeps_nothing_from_leaving() -> None:
    pool = chain(history(1000, 1, 1, 1), tip=Say(hex(GWEI)))
    assert fees.suggest(pool, 10**14).tip == GWEI
    bid = fees.suggest(pool, GWEI)
    assert bid.max_fee == GWEI and bid.tip == GWEI - 1000, "as much of it as the ceiling allows"
    worth_less = fees.within(bid, 5000)
    assert (worth_less.max_fee, worth_less.tip) == (5000, 5000)
    with pytest.raises(TooDearError):
        fees.within(bid, 900)
    with pytest.raises(TooDearError):
        fees.suggest(pool, GWEI, least=GWEI)


def test_a_receipt_says_all_that_was_charged_besides_gas() -> None:
    assert data_fee_of({"gasUsed": "0x5208"}) == 0
    assert data_fee_of({"gasUsed": "0x5208", "l1Fee": "0x64"}) == 100
    isthmus = {
        "gasUsed": hex(2_000_000),
        "l1Fee": "0x64",
        "operatorFeeScalar": hex(500_000),
        "operatorFeeConstant": hex(7),
    }
    assert data_fee_of(isthmus) == 100 + 1_000_000 + 7
    assert data_fee_of({**isthmus, "daFootprintGasScalar": "0x1"}) == 100 + 2_000_000 * 500_000 * 100 + 7
    assert data_fee_of({"gasUsed": "0x1", "l1Fee": None, "operatorFeeScalar": "soon"}) == 0
