"""Encoding of a batch for our contract: tokens, loans, items and exchanges."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from eth_abi.abi import encode

from keeper.chain.calldata import ZERO_ADDRESS, encoded
from keeper.execution import batch_gas
from keeper.execution.batch_gas import END_GAS, PAYBACK_GAS, SWAP_GAS, TOKEN_GAS, cap
from keeper.model.plan import BatchItem, FlashLoan, Plan

LENDERS = {"aave-v3": 0, "uniswap-v3": 1}
_SWAP = "(uint8,uint8,bool,uint256,address,bytes)"
_LOAN = "(uint8,address,uint8,uint256)"
_ITEM = f"(uint64,address,bytes[],uint8,uint256,uint8,uint256,uint256,uint256,{_SWAP}[],bool)"
BATCH = f"(address[],{_LOAN}[],{_ITEM}[],{_SWAP}[],uint256,uint256)"
SIGNATURE = f"liquidate({BATCH})"
_Exchange = tuple[int, int, bool, int, str, bytes]


def identity(plan: Plan) -> int:
    """Identify a plan's item in the contract's events."""
    assert plan.batch_item is not None
    text = "|".join((plan.market, plan.account.lower(), plan.batch_item.target, *plan.batch_item.calls))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def tokens_of(items: Sequence[BatchItem]) -> list[str]:
    """Every token once, the profit token first."""
    named = [items[0].profit_token]
    for item in items:
        named += [item.pays, item.gets]
    return list(dict.fromkeys(named))


def loans_of(items: Sequence[BatchItem]) -> dict[tuple[str, FlashLoan], int]:
    """One loan per token and lender, of the sum that the items may need."""
    loans: dict[tuple[str, FlashLoan], int] = {}
    for item in items:
        if item.loan is not None and item.loan.kind != "callback" and item.allowance:
            loans[item.pays, item.loan] = loans.get((item.pays, item.loan), 0) + item.allowance
    return loans


def shared_routes(items: Sequence[BatchItem]) -> dict[str, str]:
    """Per seized token, the route over which most of its items sell it: exchanged once for all of them."""
    selling = [item for item in items if not (calls_back(item) and item.pays == item.profit_token)]
    routes = {item.gets: Counter(each.sale for each in selling if each.gets == item.gets) for item in selling}
    return {token: found.most_common(1)[0][0] for token, found in routes.items()}


def encoded_batch(plans: Sequence[Plan], items: Sequence[BatchItem]) -> bytes:
    """Encode the call of our contract with the items of all these plans."""
    loans, shared = loans_of(items), shared_routes(items)
    places = {token: place for place, token in enumerate(tokens_of(items))}
    swaps = [*_shared_swaps(shared, places), *_covering_swaps(items, places)]
    batch = (
        list(places),
        [(LENDERS[loan.kind], loan.lender, places[token], units) for (token, loan), units in loans.items()],
        [
            _encoded_item(identity(plan), item, shared, places, alone=len(items) == 1)
            for plan, item in zip(plans, items, strict=True)
        ],
        swaps,
        0,
        END_GAS + PAYBACK_GAS * len(loans) + SWAP_GAS * len(swaps),
    )
    return encoded(SIGNATURE, batch)


def calls_back(item: BatchItem) -> bool:
    return item.loan is not None and item.loan.kind == "callback"


def _filled(call: str, item: BatchItem, places: Mapping[str, int]) -> bytes:
    """The call with the callback's work in place of its last argument, which is empty bytes: buy exactly what
    the target asks for, or sell all where it asks for the token that is earned."""
    pays, gets, swaps = places[item.pays], places[item.gets], list[_Exchange]()
    if pays != gets:
        cover = item.pays != item.profit_token
        route = bytes.fromhex((item.route if cover else item.sale)[2:])
        swaps.append((gets, pays, cover, 0, ZERO_ADDRESS, route))
    todo = encode(["address[]", "uint8", "uint8", f"{_SWAP}[]"], [list(places), pays, gets, swaps])
    return bytes.fromhex(call[2:])[:-32] + encode(["uint256"], [len(todo)]) + todo


def _shared_swaps(shared: Mapping[str, str], places: Mapping[str, int]) -> list[_Exchange]:
    return [
        (places[token], 0, False, 0, ZERO_ADDRESS, bytes.fromhex(route[2:]))
        for token, route in shared.items()
        if route
    ]


def _covering_swaps(items: Sequence[BatchItem], places: Mapping[str, int]) -> list[_Exchange]:
    """For each borrowed token but the profit token, an exchange that buys what is still missing of it: the
    loan fee of an item that failed and so did not buy it. A single item has no others to pay for it."""
    if len(items) < 2:
        return []
    routes = {item.pays: item.cover for item in items if item.cover}
    return [
        (0, places[token], True, 0, ZERO_ADDRESS, bytes.fromhex(route[2:])) for token, route in routes.items()
    ]


def own_swaps(item: BatchItem, shared: Mapping[str, str], places: Mapping[str, int]) -> list[_Exchange]:
    """Exchanges of one item alone: it buys back a debt that is not in the profit token, so that no item pays
    for another, and sells over a route that the other items do not share."""
    swaps: list[_Exchange] = []
    if calls_back(item):
        return swaps
    if item.pays != item.profit_token and item.route:
        fee = item.loan.cost(item.allowance) if item.loan else 0
        route = bytes.fromhex(item.route[2:])
        swaps.append((places[item.gets], places[item.pays], True, fee, ZERO_ADDRESS, route))
    if item.sale and item.sale != shared[item.gets]:
        swaps.append((places[item.gets], 0, False, 0, ZERO_ADDRESS, bytes.fromhex(item.sale[2:])))
    return swaps


def _encoded_item(
    name: int, item: BatchItem, shared: Mapping[str, str], places: Mapping[str, int], *, alone: bool
) -> tuple[object, ...]:
    swaps = own_swaps(item, shared, places)
    expected = item.gas + item.cold_gas
    expected += (SWAP_GAS + TOKEN_GAS * len(places)) * (len(swaps) + calls_back(item))
    return (
        name,
        item.target,
        [_filled(call, item, places) if calls_back(item) else bytes.fromhex(call[2:]) for call in item.calls],
        places[item.pays],
        0 if calls_back(item) else item.allowance,
        places[item.gets],
        item.min_got,
        item.min_profit,
        # Alone it can starve nobody: what it takes is measured by rehearsal and bounded by the transaction.
        batch_gas.MOST_TRANSACTION_GAS if alone else cap(expected),
        swaps,
        calls_back(item),
    )
