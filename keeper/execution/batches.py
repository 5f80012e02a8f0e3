"""Several accounts' items in one transaction of our contract: its call, and the outcome of each item.

Pure: plans, call data and logs go in, values come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.calldata import topic
from keeper.execution import batch_encoding as encoding
from keeper.execution import batch_gas
from keeper.execution.rehearsal import reason
from keeper.model.bisection import edge
from keeper.model.plan import KEPT_PERCENT, BatchItem, Plan

_DONE = topic("LegDone(uint64,uint256)")
_FAILED = topic("LegFailed(uint64,bytes)")

# OutOfGas and NotEnoughGas; of contracts that know no OutOfGas, NothingDone: a call that gave no reason.
_STARVED = tuple(
    function_signature_to_4byte_selector(each)
    for each in ("OutOfGas(uint256)", "NotEnoughGas(uint256)", "NothingDone()")
)


@dataclass(frozen=True, slots=True)
class Batched:
    """A transaction to be built: the contract, its call data and the gas it is expected to use."""

    target: str
    data: str
    gas: int


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """The outcome of one plan's item; `problem` is the reason of a failure, by the protocol's error names."""

    done: bool
    problem: str = ""
    starved: bool = False
    """Whether the item failed for want of gas, which says nothing about it when run alone."""


def key(plan: Plan) -> tuple[str, str] | None:
    """The key that plans sharing a transaction have in common: contract and profit token. None: cannot
    share."""
    return None if plan.batch_item is None else (plan.batch_item.contract, plan.batch_item.profit_token)


def split(plans: Sequence[Plan], block_gas_limit: int) -> list[list[Plan]]:
    """Split the plans into groups that each fit one transaction, keeping the order within a key; plans
    without an item stay alone.

    Groups are sized to fill a block one after another: each limit must fit into the gas that the ones before
    it really leave, and must cover what refunds return only at the end.
    """
    groups: list[list[Plan]] = []
    room = block_gas_limit
    for shared in (each for like in _by_key(plans) for each in _borne(like)):
        waiting = shared
        while waiting:
            most = min(batch_gas.MOST_TRANSACTION_GAS, room)
            count = _fitting(waiting, most)
            if not count and room < block_gas_limit:
                room = block_gas_limit
                continue
            group, waiting = waiting[: max(count, 1)], waiting[max(count, 1) :]
            for part in _borne(group):
                groups.append(part)
                room -= min(gas_of(part) if part[0].batch_item else part[0].gas, room)
    return groups


def combine(plans: Sequence[Plan]) -> Batched:
    """Combine all plans into one call; ValueError when there are none or they differ in `key`."""
    items = _items(plans)
    return Batched(items[0].contract, "0x" + encoding.encoded_batch(plans, items).hex(), _gas(items))


def gas_of(plans: Sequence[Plan]) -> int:
    """Gas that one transaction with all these items is expected to use."""
    return _gas(_items(plans))


def fits(plans: Sequence[Plan], block_gas_limit: int) -> bool:
    """Whether one transaction can carry the plans, whichever of them fails."""
    return _small_enough(plans, block_gas_limit) and bears(plans)


def bears(plans: Sequence[Plan]) -> bool:
    """Whether the transaction survives the failure of any one item: the surplus that the others are expected
    to earn above what is asked of them must pay for its loan, in a token that they can get."""
    if len(plans) < 2:
        return True
    items = _items(plans)
    lending = {loan.lender for _, loan in encoding.loans_of(items)}
    if any(_lenders_on(item, lending) for item in items):
        return False
    expected = sum(item.profit for item in items)
    asked = sum(max(item.min_profit, item.profit * KEPT_PERCENT // 100) for item in items)
    # What is asked for is spread over all in proportion to what each is expected to earn.
    return all(
        item.fee * expected <= max(expected - asked, 0) * (expected - item.profit)
        and (item.pays == item.profit_token or item.cover)
        for item in items
        if item.fee
    )


def _lenders_on(item: BatchItem, lending: set[str]) -> bool:
    """Whether a route of the item crosses a pool that lends to the batch, and is therefore closed
    meanwhile."""
    routes = item.route + item.sale + item.cover
    return any(lender[2:] in routes for lender in lending)


def _borne(plans: Sequence[Plan]) -> list[list[Plan]]:
    """The plans that survive one another's failure, together; each of the others alone."""
    together, alone = list(plans), list[Plan]()
    while not bears(together):
        dearest = max(together, key=_burden(together))
        together = [each for each in together if each is not dearest]
        alone.append(dearest)
    return [together, *([each] for each in alone)]


def _burden(plans: Sequence[Plan]) -> Callable[[Plan], tuple[bool, int]]:
    """Sort key for an item's burden on the others: routes closed by loans first, then its fee."""
    lending = {loan.lender for _, loan in encoding.loans_of(_items(plans))}
    return lambda plan: (
        (_lenders_on(plan.batch_item, lending), plan.batch_item.fee) if plan.batch_item else (False, 0)
    )


def _small_enough(plans: Sequence[Plan], block_gas_limit: int) -> bool:
    return (
        batch_gas.limit(gas_of(plans)) <= min(batch_gas.MOST_TRANSACTION_GAS, block_gas_limit)
        and len(plans) <= batch_gas.MOST_ITEMS
    )


def outcomes(plans: Sequence[Plan], logs: Iterable[Mapping[str, Any]]) -> list[ItemOutcome]:
    """Outcome of each plan, in order, from the logs of the receipt (or of `eth_simulateV1`).

    A transaction that reverted has no logs: no plan was carried out.
    """
    contract = plans[0].batch_item.contract if plans and plans[0].batch_item else ""
    told: dict[int, tuple[bool, bytes]] = {}
    for log in logs:
        topics = [str(topic).lower() for topic in log["topics"]]
        if str(log["address"]).lower() != contract or len(topics) != 2 or topics[0] not in (_DONE, _FAILED):
            continue
        told[int(topics[1], 16)] = (topics[0] == _DONE, bytes.fromhex(str(log["data"]).removeprefix("0x")))
    return [_outcome(plan, told.get(encoding.identity(plan))) for plan in plans]


def _outcome(plan: Plan, told: tuple[bool, bytes] | None) -> ItemOutcome:
    if told is None:
        return ItemOutcome(False, "was not reached")
    done, data = told
    if done:
        return ItemOutcome(True)
    why = bytes(decode(["bytes"], data)[0])
    if not why:
        return ItemOutcome(False, "ran out of gas, or gave no reason", starved=True)
    text = reason({"error": {"data": "0x" + why.hex()}}, plan.errors)
    return ItemOutcome(False, text, starved=why[:4] in _STARVED)


def _by_key(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Group plans that can share a transaction, each other one alone; ordered by the first of each group."""
    found: dict[object, list[Plan]] = {}
    for place, plan in enumerate(plans):
        found.setdefault(key(plan) or place, []).append(plan)
    return list(found.values())


def _fitting(plans: Sequence[Plan], most: int) -> int:
    """How many of the plans, counted from the first, fit one transaction with a limit of `most`."""
    if plans[0].batch_item is None:
        return 1
    return edge(
        lambda count: _small_enough(plans[:count], most), 0, min(len(plans), batch_gas.MOST_ITEMS) + 1
    )


def _items(plans: Sequence[Plan]) -> list[BatchItem]:
    items = [plan.batch_item for plan in plans if plan.batch_item is not None]
    if not items or len(items) != len(plans) or len({key(plan) for plan in plans}) != 1:
        raise ValueError("only items of one contract and one profit token make a batch")
    return items


def _gas(items: Sequence[BatchItem]) -> int:
    tokens, shared = encoding.tokens_of(items), encoding.shared_routes(items)
    places = {token: place for place, token in enumerate(tokens)}
    own = sum(len(encoding.own_swaps(item, shared, places)) + encoding.calls_back(item) for item in items)
    return (
        batch_gas.BASE_GAS
        + sum(item.gas for item in items)
        + sum(_first_gas(items).values())
        + batch_gas.LOAN_GAS * len(encoding.loans_of(items))
        + batch_gas.SWAP_GAS * (sum(map(bool, shared.values())) + own)
        + batch_gas.TOKEN_GAS * len(tokens)
    )


def _first_gas(items: Sequence[BatchItem]) -> dict[str, int]:
    """Extra gas that the first item at each target uses compared with the later ones."""
    most: dict[str, int] = {}
    for item in items:
        most[item.target] = max(most.get(item.target, 0), item.cold_gas)
    return most
