"""Plans put together in one transaction, and what its logs say of each."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import event_signature_to_log_topic, function_signature_to_4byte_selector

from keeper.execution import batch_encoding, batch_gas, batches
from keeper.model.plan import BatchItem, FlashLoan, Plan, Spend

pytestmark = pytest.mark.unit

CONTRACT, POOL = "0x" + "c0" * 20, "0x" + "90" * 20
USDC, DAI, WETH = "0x" + "01" * 20, "0x" + "02" * 20, "0x" + "03" * 20
AAVE = FlashLoan("aave-v3", POOL, 500)
ROUTE = "0x" + WETH[2:] + "77" * 20 + USDC[2:]


def plan(
    number: int,
    *,
    pays: str = USDC,
    earns: str = USDC,
    sale: str = ROUTE,
    loan: FlashLoan = AAVE,
    gas: int = 150_000,
    contract: str = CONTRACT,
) -> Plan:
    item = BatchItem(
        contract, POOL, ("0xabcd",), pays, 1_000, WETH, 5, 0, loan, ROUTE, sale, earns, 40, 20, gas
    )
    spend = Spend(pays, "", 0)
    return Plan(
        "m", f"0x{number:040x}", "liquidate", "liquidate", contract, "", spend, 0, 1, 0, {},
        errors="aave_v3_errors+liquidator_errors", batch_item=item,
    )  # fmt: skip


def alone() -> Plan:
    return Plan("m", "0xf", "top_up", "supply", POOL, "0x12", Spend(USDC, POOL, 1), 1, 0, 300_000, {})


def log(each: Plan, reason: bytes | None = None, address: str = CONTRACT) -> dict[str, object]:
    name = "LegDone(uint64,uint256)" if reason is None else "LegFailed(uint64,bytes)"
    data = encode(["uint256"], [7]) if reason is None else encode(["bytes"], [reason])
    topics = ["0x" + event_signature_to_log_topic(name).hex(), f"0x{batch_encoding.identity(each):064x}"]
    return {"address": address, "topics": topics, "data": "0x" + data.hex()}


def test_a_plan_survives_the_journal_with_its_item() -> None:
    before = plan(1)
    assert Plan.from_json(before.to_json()) == before
    assert json.loads(before.to_json())["batch_item"]["loan"]["kind"] == "aave-v3"


def test_the_same_contract_and_profit_token_share_a_transaction() -> None:
    asked = [plan(1), plan(2, earns=DAI), alone(), plan(3), plan(4, contract="0x" + "c1" * 20)]
    groups = batches.split(asked, 30_000_000)
    assert [[asked.index(each) for each in group] for group in groups] == [[0, 3], [1], [2], [4]]
    with pytest.raises(ValueError, match="one contract and one profit token"):
        batches.combine(asked[:2])
    with pytest.raises(ValueError, match="one contract and one profit token"):
        batches.combine([])


@pytest.mark.parametrize("block", [30_000_000, 36_000_000, 60_000_000])
def test_transactions_fill_a_block_one_after_another(block: int) -> None:
    groups = batches.split([plan(n) for n in range(900)], block)
    assert sum(map(len, groups)) == 900
    left, filled = block, 0
    for group in groups:
        gas = batches.gas_of(group)
        assert batch_gas.limit(gas) <= batch_gas.MOST_TRANSACTION_GAS
        if batch_gas.limit(gas) > left:
            break
        left, filled = left - gas, filled + gas
    assert filled >= block * 9 // 10


def test_one_that_fits_nowhere_stays_alone_and_nothing_is_lost() -> None:
    groups = batches.split([plan(1, gas=40_000_000), plan(2)], 30_000_000)
    assert [len(group) for group in groups] == [1, 1]


def test_loans_are_summed_by_token_and_lender() -> None:
    other = FlashLoan("uniswap-v3", "0x" + "78" * 20, 100)
    data = batches.combine([plan(1), plan(2), plan(3, loan=other)]).data
    assert data.startswith("0x" + function_signature_to_4byte_selector(batch_encoding.SIGNATURE).hex())
    words = [data[10:][i : i + 64] for i in range(0, len(data) - 10, 64)]
    assert words.count(f"{2_000:064x}") == 1, "two items borrow together"
    assert any(word.endswith(other.lender[2:]) for word in words)


def test_a_sale_that_most_share_is_made_once_and_the_odd_one_in_its_item() -> None:
    odd = "0x" + WETH[2:] + "79" * 20 + USDC[2:]
    together = batches.combine([plan(1), plan(2), plan(3, sale=odd)]).data
    assert together.count(ROUTE[2:]) == 1
    assert together.count(odd[2:]) == 1
    assert batches.gas_of([plan(1), plan(2), plan(3, sale=odd)]) > batches.gas_of([plan(1), plan(2), plan(3)])


def test_outcomes_are_read_by_name_and_not_by_place() -> None:
    plans = [plan(1), plan(2), plan(3), plan(4)]
    healthy = function_signature_to_4byte_selector("HealthFactorNotBelowThreshold()")
    dear = function_signature_to_4byte_selector("TooLittleGot(uint256)") + encode(["uint256"], [1])
    logs: list[dict[str, object]] = [
        log(plans[2], dear),
        log(plans[0]),
        log(plans[1], healthy),
        log(plans[3], b"", address="0x" + "ee" * 20),
        {"address": CONTRACT, "topics": [], "data": "0x"},
    ]
    found = batches.outcomes(plans, logs)
    assert [each.done for each in found] == [True, False, False, False]
    assert found[1].problem == "HealthFactorNotBelowThreshold"
    assert found[2].problem == "TooLittleGot"
    assert found[3].problem == "was not reached"
    assert batches.outcomes(plans, [log(plans[0], b"")])[0].problem.startswith("ran out of gas")


def test_two_attempts_at_one_account_have_names_of_their_own() -> None:
    assert batch_encoding.identity(plan(1)) != batch_encoding.identity(plan(2))
    assert batch_encoding.identity(plan(1)) == batch_encoding.identity(plan(1))


def earning(number: int, profit: int, fee: int, **more: object) -> Plan:
    """A plan whose item expects `profit` and whose loan costs `fee`, in units of the profit token."""
    made = plan(number)
    assert made.batch_item is not None
    item = replace(made.batch_item, profit=profit, min_profit=profit // 2, fee=fee, **more)  # type: ignore[arg-type]
    return replace(made, batch_item=item)


def exchanges(plans: list[Plan]) -> list[tuple[int, int, bool]]:
    """From, to and whether it covers, of the exchanges that a batch shares."""
    data = bytes.fromhex(batches.combine(plans).data[10:])
    return [(each[0], each[1], each[2]) for each in decode([batch_encoding.BATCH], data)[0][3]]


def test_a_item_whose_fee_the_others_could_not_bear_goes_alone() -> None:
    small, other, large = earning(1, 100, 1), earning(2, 120, 1), earning(3, 90_000, 111)
    assert batches.split([small, other, large], 30_000_000) == [[small, other], [large]]
    assert not batches.fits([small, other, large], 30_000_000)
    bearable = earning(3, 90_000, 109)
    assert batches.split([small, other, bearable], 30_000_000) == [[small, other, bearable]]


def test_what_others_are_asked_for_cannot_bear_a_fee_as_well() -> None:
    asked = [
        replace(each, batch_item=replace(each.batch_item, min_profit=90))
        for each in (earning(1, 100, 11), earning(2, 100, 11))
        if each.batch_item
    ]
    assert [len(group) for group in batches.split(asked, 30_000_000)] == [1, 1]
    assert [
        len(group) for group in batches.split([earning(1, 100, 11), earning(2, 100, 11)], 30_000_000)
    ] == [2]


def test_every_borrowed_token_has_an_exchange_that_covers_it() -> None:
    cover = "0x" + USDC[2:] + "88" * 20 + DAI[2:]
    foreign = earning(2, 400, 1, pays=DAI, cover=cover)
    assert exchanges([earning(1, 400, 1), foreign]) == [(1, 0, False), (0, 2, True)]
    assert exchanges([foreign]) == [(2, 0, False)], "alone there is nobody who could pay for it"


def test_a_fee_in_a_token_that_the_others_cannot_get_goes_alone() -> None:
    foreign = earning(2, 400, 1, pays=DAI)
    assert [len(group) for group in batches.split([earning(1, 400, 1), foreign], 30_000_000)] == [1, 1]
    free = earning(3, 400, 0, pays=DAI)
    assert [len(group) for group in batches.split([earning(1, 400, 1), free], 30_000_000)] == [2]


def test_a_pool_that_lends_is_on_no_route_of_the_same_transaction() -> None:
    lender = FlashLoan("uniswap-v3", "0x" + "77" * 20, 100)
    first, second = earning(1, 400, 0), earning(2, 400, 0, loan=lender, route="", sale="")
    assert first.batch_item is not None and lender.lender[2:] in first.batch_item.sale
    assert [len(group) for group in batches.split([first, second], 30_000_000)] == [1, 1]


def test_a_item_alone_may_take_what_the_transaction_has_and_beside_others_what_is_expected() -> None:
    def caps(plans: list[Plan]) -> list[int]:
        return [
            item[8]
            for item in decode([batch_encoding.BATCH], bytes.fromhex(batches.combine(plans).data[10:]))[0][2]
        ]

    assert caps([earning(1, 400, 0)]) == [batch_gas.MOST_TRANSACTION_GAS]
    assert max(caps([earning(1, 400, 0), earning(2, 400, 0)])) < 1_000_000


@pytest.mark.parametrize("error", ["OutOfGas(uint256)", "NotEnoughGas(uint256)"])
def test_want_of_gas_is_told_from_other_failures(error: str) -> None:
    why = function_signature_to_4byte_selector(error) + encode(["uint256"], [7])
    [found] = batches.outcomes([plan(1)], [log(plan(1), why)])
    assert (found.starved, error.split("(")[0] in found.problem) == (True, True)
    dear = function_signature_to_4byte_selector("TooLittleGot(uint256)") + encode(["uint256"], [1])
    assert not batches.outcomes([plan(1)], [log(plan(1), dear)])[0].starved
