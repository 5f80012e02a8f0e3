"""A batch as our contract takes it: tokens, loans, legs and exchanges, encoded."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from eth_abi.abi import encode

from keeper.chain.calldata import encoded
from keeper.execution import batch_gas
from keeper.execution.batch_gas import END_GAS, PAYBACK_GAS, SWAP_GAS, TOKEN_GAS, cap
from keeper.model.plan import BatchItem, FlashLoan, Plan

LENDERS = {"aave-v3": 0, "uniswap-v3": 1}
_NO_VENUE = "0x" + "00" * 20
_SWAP = "(uint8,uint8,bool,uint256,address,bytes)"
_LOAN = "(uint8,address,uint8,uint256)"
_LEG = f"(uint64,address,bytes[],uint8,uint256,uint8,uint256,uint256,uint256,{_SWAP}[],bool)"
BATCH = f"(address[],{_LOAN}[],{_LEG}[],{_SWAP}[],uint256,uint256)"
SIGNATURE = f"liquidate({BATCH})"
_Exchange = tuple[int, int, bool, int, str, bytes]


def identity(plan: Plan) -> int:
    """The name under which the contract's events tell of a plan's leg."""
    assert plan.leg is not None
    text = "|".join((plan.market, plan.account.lower(), plan.leg.target, *plan.leg.calls))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def tokens_of(legs: Sequence[BatchItem]) -> list[str]:
    """Every token once, the profit token first."""
    named = [legs[0].profit_token]
    for leg in legs:
        named += [leg.pays, leg.gets]
    return list(dict.fromkeys(named))


def loans_of(legs: Sequence[BatchItem]) -> dict[tuple[str, FlashLoan], int]:
    """One loan a token and lender, of all that the legs may take."""
    loans: dict[tuple[str, FlashLoan], int] = {}
    for leg in legs:
        if leg.loan is not None and leg.loan.kind != "callback" and leg.allowance:
            loans[leg.pays, leg.loan] = loans.get((leg.pays, leg.loan), 0) + leg.allowance
    return loans


def shared_routes(legs: Sequence[BatchItem]) -> dict[str, str]:
    """For each seized token the route over which most of its legs sell it: that sale is made once for all."""
    selling = [leg for leg in legs if not (calls_back(leg) and leg.pays == leg.profit_token)]
    routes = {leg.gets: Counter(each.sale for each in selling if each.gets == leg.gets) for leg in selling}
    return {token: found.most_common(1)[0][0] for token, found in routes.items()}


def encoded_batch(plans: Sequence[Plan], legs: Sequence[BatchItem]) -> bytes:
    """The call of our contract with all these plans' legs."""
    loans, shared = loans_of(legs), shared_routes(legs)
    places = {token: place for place, token in enumerate(tokens_of(legs))}
    swaps = [*_shared_swaps(shared, places), *_covering_swaps(legs, places)]
    batch = (
        list(places),
        [(LENDERS[loan.kind], loan.lender, places[token], units) for (token, loan), units in loans.items()],
        [
            _encoded_leg(identity(plan), leg, shared, places, alone=len(legs) == 1)
            for plan, leg in zip(plans, legs, strict=True)
        ],
        swaps,
        0,
        END_GAS + PAYBACK_GAS * len(loans) + SWAP_GAS * len(swaps),
    )
    return encoded(SIGNATURE, batch)


def calls_back(leg: BatchItem) -> bool:
    return leg.loan is not None and leg.loan.kind == "callback"


def _filled(call: str, leg: BatchItem, places: Mapping[str, int]) -> bytes:
    """The call with what its callback is to do in the place of its last argument, which is empty bytes: as
    much as the target asks for is bought, or all is sold where what it asks for is what is earned."""
    pays, gets, swaps = places[leg.pays], places[leg.gets], list[_Exchange]()
    if pays != gets:
        cover = leg.pays != leg.profit_token
        route = bytes.fromhex((leg.route if cover else leg.sale)[2:])
        swaps.append((gets, pays, cover, 0, _NO_VENUE, route))
    todo = encode(["address[]", "uint8", "uint8", f"{_SWAP}[]"], [list(places), pays, gets, swaps])
    return bytes.fromhex(call[2:])[:-32] + encode(["uint256"], [len(todo)]) + todo


def _shared_swaps(shared: Mapping[str, str], places: Mapping[str, int]) -> list[_Exchange]:
    return [
        (places[token], 0, False, 0, _NO_VENUE, bytes.fromhex(route[2:]))
        for token, route in shared.items()
        if route
    ]


def _covering_swaps(legs: Sequence[BatchItem], places: Mapping[str, int]) -> list[_Exchange]:
    """For each borrowed token but the profit token, one that buys what is missing of it after all: the fee of
    a leg that failed, and so did not buy it itself. A single leg has no others to pay for it."""
    if len(legs) < 2:
        return []
    routes = {leg.pays: leg.cover for leg in legs if leg.cover}
    return [
        (0, places[token], True, 0, _NO_VENUE, bytes.fromhex(route[2:])) for token, route in routes.items()
    ]


def own_swaps(leg: BatchItem, shared: Mapping[str, str], places: Mapping[str, int]) -> list[_Exchange]:
    """What a leg exchanges by itself: it buys back a debt that is not the profit token, so that none pays for
    another, and sells over a route that the others do not take."""
    swaps: list[_Exchange] = []
    if calls_back(leg):
        return swaps
    if leg.pays != leg.profit_token and leg.route:
        fee = -(-leg.allowance * leg.loan.fee // 10**6) if leg.loan else 0
        route = bytes.fromhex(leg.route[2:])
        swaps.append((places[leg.gets], places[leg.pays], True, fee, _NO_VENUE, route))
    if leg.sale and leg.sale != shared[leg.gets]:
        swaps.append((places[leg.gets], 0, False, 0, _NO_VENUE, bytes.fromhex(leg.sale[2:])))
    return swaps


def _encoded_leg(
    name: int, leg: BatchItem, shared: Mapping[str, str], places: Mapping[str, int], *, alone: bool
) -> tuple[object, ...]:
    swaps = own_swaps(leg, shared, places)
    expected = leg.gas + leg.cold_gas
    expected += (SWAP_GAS + TOKEN_GAS * len(places)) * (len(swaps) + calls_back(leg))
    return (
        name,
        leg.target,
        [_filled(call, leg, places) if calls_back(leg) else bytes.fromhex(call[2:]) for call in leg.calls],
        places[leg.pays],
        0 if calls_back(leg) else leg.allowance,
        places[leg.gets],
        leg.min_got,
        leg.min_profit,
        # Alone it can starve nobody: what it takes is measured by rehearsal and bounded by the transaction.
        batch_gas.MOST_TRANSACTION_GAS if alone else cap(expected),
        swaps,
        calls_back(leg),
    )
