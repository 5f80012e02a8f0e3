"""Several accounts' legs in one transaction of our contract: what it is called with, and what came of each.

Pure: plans, call data and logs go in, values come out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import event_signature_to_log_topic, function_signature_to_4byte_selector

from keeper.execution.rehearsal import reason
from keeper.model.plan import KEPT_PERCENT, BatchItem, FlashLoan, Plan

MOST_TRANSACTION_GAS = 2**24
"""EIP-7825: no transaction may have a higher limit."""

# What a batch takes besides its legs, measured (docs/LIQUIDATOR.md): the transaction, bookkeeping, and what
# the first leg touches for all others; then each loan, each exchange and each token.
BASE_GAS = 195_000
LOAN_GAS = 125_000
SWAP_GAS = 90_000
TOKEN_GAS = 10_000
# What comes after the legs, and so must be left for: sending the profit, and paying back each loan.
END_GAS = 50_000
PAYBACK_GAS = 45_000
# A leg may burn this much more than expected, and what the first one touches, before it is cut off.
CAP_PERCENT = 130
COLD_GAS = 250_000
# Refunds give back up to a fifth, but only at the end: the limit must cover what is given back. And what the
# last leg may not touch: the reserve for what comes after it, and a 64th kept back at each call into a call.
LIMIT_PERCENT = 127
SLACK_GAS = 220_000
MOST_LEGS = 200

_LENDERS = {"aave-v3": 0, "uniswap-v3": 1}
_NO_VENUE = "0x" + "00" * 20
_SWAP = "(uint8,uint8,bool,uint256,address,bytes)"
_LOAN = "(uint8,address,uint8,uint256)"
_LEG = f"(uint64,address,bytes[],uint8,uint256,uint8,uint256,uint256,uint256,{_SWAP}[],bool)"
BATCH = f"(address[],{_LOAN}[],{_LEG}[],{_SWAP}[],uint256,uint256)"
SIGNATURE = f"liquidate({BATCH})"
_LIQUIDATE = function_signature_to_4byte_selector(SIGNATURE)
_DONE = "0x" + event_signature_to_log_topic("LegDone(uint64,uint256)").hex()
_FAILED = "0x" + event_signature_to_log_topic("LegFailed(uint64,bytes)").hex()

# OutOfGas and NotEnoughGas; of contracts that know no OutOfGas, NothingDone: a call that gave no reason.
_STARVED = tuple(
    function_signature_to_4byte_selector(each)
    for each in ("OutOfGas(uint256)", "NotEnoughGas(uint256)", "NothingDone()")
)

_Exchange = tuple[int, int, bool, int, str, bytes]


@dataclass(frozen=True, slots=True)
class Batched:
    """One transaction to be: the contract and what it is called with, the gas it is expected to take."""

    target: str
    data: str
    gas: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one plan's leg; `problem` says why not, by the protocol's error names."""

    done: bool
    problem: str = ""
    starved: bool = False
    """Whether it failed for want of gas, which says nothing against it alone."""


def key(plan: Plan) -> tuple[str, str] | None:
    """Plans of the same key can share a transaction: contract and profit token. None: this one cannot."""
    return None if plan.leg is None else (plan.leg.contract, plan.leg.profit_token)


def split(plans: Sequence[Plan], block_gas_limit: int) -> list[list[Plan]]:
    """The plans in groups that each fit one transaction, in order among those of one key; those without a leg
    stay alone.

    Sized so that they fill a block one after another: each transaction's limit must fit into what those
    before it have really left, and a limit must cover what refunds give back in the end.
    """
    groups: list[list[Plan]] = []
    room = block_gas_limit
    for shared in (each for like in _by_key(plans) for each in _borne(like)):
        waiting = shared
        while waiting:
            most = min(MOST_TRANSACTION_GAS, room)
            count = _fitting(waiting, most)
            if not count and room < block_gas_limit:
                room = block_gas_limit
                continue
            group, waiting = waiting[: max(count, 1)], waiting[max(count, 1) :]
            for part in _borne(group):
                groups.append(part)
                room -= min(gas_of(part) if part[0].leg else part[0].gas, room)
    return groups


def limit(used: int) -> int:
    """The gas limit for a batch that takes `used` after refunds; `split` keeps it below what a transaction
    may have."""
    return used * LIMIT_PERCENT // 100 + SLACK_GAS


def within(gas_limit: int) -> int:
    """What a batch was measured to take that has this limit."""
    return max(gas_limit - SLACK_GAS, 0) * 100 // LIMIT_PERCENT


def combine(plans: Sequence[Plan]) -> Batched:
    """One call for all; ValueError when there are none or they differ in `key`."""
    legs = _legs(plans)
    tokens = _tokens(legs)
    loans = _loans(legs)
    places = {token: place for place, token in enumerate(tokens)}
    shared = _shared(legs)
    swaps = [*_shared_swaps(legs, places), *_covering(legs, places)]
    expected = _gas(legs)
    reserve = END_GAS + PAYBACK_GAS * len(loans) + SWAP_GAS * len(swaps)
    batch = (
        tokens,
        [(_LENDERS[loan.kind], loan.lender, places[token], units) for (token, loan), units in loans.items()],
        [
            _encoded(identity(plan), leg, shared, places, alone=len(legs) == 1)
            for plan, leg in zip(plans, legs, strict=True)
        ],
        swaps,
        0,
        reserve,
    )
    return Batched(legs[0].contract, "0x" + (_LIQUIDATE + encode([BATCH], [batch])).hex(), expected)


def gas_of(plans: Sequence[Plan]) -> int:
    """Gas that one transaction with all these legs is expected to take."""
    return _gas(_legs(plans))


def fits(plans: Sequence[Plan], block_gas_limit: int) -> bool:
    """Whether one transaction can carry them, whichever of them fails."""
    return _small_enough(plans, block_gas_limit) and bears(plans)


def bears(plans: Sequence[Plan]) -> bool:
    """Whether the transaction survives the failure of any one leg: what the others are expected to earn more
    than is asked of them must pay for its loan, in a token that they can get."""
    if len(plans) < 2:
        return True
    legs = _legs(plans)
    lending = {loan.lender for _, loan in _loans(legs)}
    if any(_lenders_on(leg, lending) for leg in legs):
        return False
    expected = sum(leg.profit for leg in legs)
    asked = sum(max(leg.min_profit, leg.profit * KEPT_PERCENT // 100) for leg in legs)
    # What is asked for is spread over all in proportion to what each is expected to earn.
    return all(
        leg.fee * expected <= max(expected - asked, 0) * (expected - leg.profit) and _covered(leg)
        for leg in legs
        if leg.fee
    )


def _covered(leg: BatchItem) -> bool:
    return leg.pays == leg.profit_token or bool(leg.cover)


def _lenders_on(leg: BatchItem, lending: set[str]) -> bool:
    """Whether a route of the leg leads over a pool that lends, and so is closed meanwhile."""
    routes = leg.route + leg.sale + leg.cover
    return any(lender[2:] in routes for lender in lending)


def _borne(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Those that bear one another's failure together; each of the others alone."""
    together, alone = list(plans), list[Plan]()
    while not bears(together):
        dearest = max(together, key=_burden(together))
        together = [each for each in together if each is not dearest]
        alone.append(dearest)
    return [together, *([each] for each in alone)]


def _burden(plans: Sequence[Plan]) -> Callable[[Plan], tuple[bool, int]]:
    """By what a leg weighs on the others: routes that are closed meanwhile first, then its fee."""
    lending = {loan.lender for _, loan in _loans(_legs(plans))}
    return lambda plan: (_lenders_on(plan.leg, lending), plan.leg.fee) if plan.leg else (False, 0)


def _small_enough(plans: Sequence[Plan], block_gas_limit: int) -> bool:
    return limit(gas_of(plans)) <= min(MOST_TRANSACTION_GAS, block_gas_limit) and len(plans) <= MOST_LEGS


def identity(plan: Plan) -> int:
    """The name under which the contract's events tell of a plan's leg."""
    assert plan.leg is not None
    text = "|".join((plan.market, plan.account.lower(), plan.leg.target, *plan.leg.calls))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def outcomes(plans: Sequence[Plan], logs: Iterable[Mapping[str, Any]]) -> list[Outcome]:
    """What came of each plan, in order, from the logs of the receipt (or of `eth_simulateV1`).

    A transaction that reverted has no logs: then nothing was done for anyone.
    """
    contract = plans[0].leg.contract if plans and plans[0].leg else ""
    told: dict[int, tuple[bool, bytes]] = {}
    for log in logs:
        topics = [str(topic).lower() for topic in log["topics"]]
        if str(log["address"]).lower() != contract or len(topics) != 2 or topics[0] not in (_DONE, _FAILED):
            continue
        told[int(topics[1], 16)] = (topics[0] == _DONE, bytes.fromhex(str(log["data"]).removeprefix("0x")))
    return [_outcome(plan, told.get(identity(plan))) for plan in plans]


def _outcome(plan: Plan, told: tuple[bool, bytes] | None) -> Outcome:
    if told is None:
        return Outcome(False, "was not reached")
    done, data = told
    if done:
        return Outcome(True)
    why = bytes(decode(["bytes"], data)[0])
    if not why:
        return Outcome(False, "ran out of gas, or gave no reason", starved=True)
    text = reason({"error": {"data": "0x" + why.hex()}}, plan.errors)
    return Outcome(False, text, starved=why[:4] in _STARVED)


def _by_key(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Plans that can share a transaction together, otherwise each alone; in the order of each first."""
    found: dict[object, list[Plan]] = {}
    for place, plan in enumerate(plans):
        found.setdefault(key(plan) or place, []).append(plan)
    return list(found.values())


def _fitting(plans: Sequence[Plan], most: int) -> int:
    """How many of the plans, from the first, one transaction with a limit of `most` holds."""
    if plans[0].leg is None:
        return 1
    low, high = 0, min(len(plans), MOST_LEGS)
    while low < high:
        middle = (low + high + 1) // 2
        if _small_enough(plans[:middle], most):
            low = middle
        else:
            high = middle - 1
    return low


def _legs(plans: Sequence[Plan]) -> list[BatchItem]:
    legs = [plan.leg for plan in plans if plan.leg is not None]
    if not legs or len(legs) != len(plans) or len({key(plan) for plan in plans}) != 1:
        raise ValueError("only legs of one contract and one profit token make a batch")
    return legs


def _tokens(legs: Sequence[BatchItem]) -> list[str]:
    """Every token once, the profit token first."""
    named = [legs[0].profit_token]
    for leg in legs:
        named += [leg.pays, leg.gets]
    return list(dict.fromkeys(named))


def _loans(legs: Sequence[BatchItem]) -> dict[tuple[str, FlashLoan], int]:
    """One loan a token and lender, of all that the legs may take."""
    loans: dict[tuple[str, FlashLoan], int] = {}
    for leg in legs:
        if leg.loan is not None and leg.loan.kind != "callback" and leg.allowance:
            loans[leg.pays, leg.loan] = loans.get((leg.pays, leg.loan), 0) + leg.allowance
    return loans


def _shared(legs: Sequence[BatchItem]) -> dict[str, str]:
    """For each seized token the route over which most of its legs sell it: that sale is made once for all."""
    selling = [leg for leg in legs if not (_calls_back(leg) and leg.pays == leg.profit_token)]
    routes = {leg.gets: Counter(each.sale for each in selling if each.gets == leg.gets) for leg in selling}
    return {token: found.most_common(1)[0][0] for token, found in routes.items()}


def _calls_back(leg: BatchItem) -> bool:
    return leg.loan is not None and leg.loan.kind == "callback"


def _back_swaps(leg: BatchItem, places: Mapping[str, int]) -> list[_Exchange]:
    """What is exchanged in the target's callback: as much as it asks for is bought, or all is sold where what
    it asks for is what is earned."""
    if leg.pays == leg.gets:
        return []
    cover = leg.pays != leg.profit_token
    route = bytes.fromhex((leg.route if cover else leg.sale)[2:])
    return [(places[leg.gets], places[leg.pays], cover, 0, _NO_VENUE, route)]


def _filled(call: str, leg: BatchItem, places: Mapping[str, int]) -> bytes:
    """The call with what its callback is to do in the place of its last argument, which is empty bytes."""
    swaps = _back_swaps(leg, places)
    todo = encode(
        ["address[]", "uint8", "uint8", f"{_SWAP}[]"],
        [list(places), places[leg.pays], places[leg.gets], swaps],
    )
    return bytes.fromhex(call[2:])[:-32] + encode(["uint256"], [len(todo)]) + todo


def _shared_swaps(legs: Sequence[BatchItem], places: Mapping[str, int]) -> list[_Exchange]:
    return [
        (places[token], 0, False, 0, _NO_VENUE, bytes.fromhex(route[2:]))
        for token, route in _shared(legs).items()
        if route
    ]


def _covering(legs: Sequence[BatchItem], places: Mapping[str, int]) -> list[_Exchange]:
    """For each borrowed token but the profit token, one that buys what is missing of it after all: the fee of
    a leg that failed, and so did not buy it itself. A single leg has no others to pay for it."""
    if len(legs) < 2:
        return []
    routes = {leg.pays: leg.cover for leg in legs if leg.cover}
    return [
        (0, places[token], True, 0, _NO_VENUE, bytes.fromhex(route[2:])) for token, route in routes.items()
    ]


def _own_swaps(leg: BatchItem, shared: Mapping[str, str], places: Mapping[str, int]) -> list[_Exchange]:
    """What a leg exchanges by itself: it buys back a debt that is not the profit token, so that none pays for
    another, and sells over a route that the others do not take."""
    swaps: list[_Exchange] = []
    if _calls_back(leg):
        return swaps
    if leg.pays != leg.profit_token and leg.route:
        fee = -(-leg.allowance * leg.loan.fee // 10**6) if leg.loan else 0
        route = bytes.fromhex(leg.route[2:])
        swaps.append((places[leg.gets], places[leg.pays], True, fee, _NO_VENUE, route))
    if leg.sale and leg.sale != shared[leg.gets]:
        swaps.append((places[leg.gets], 0, False, 0, _NO_VENUE, bytes.fromhex(leg.sale[2:])))
    return swaps


def _encoded(
    name: int, leg: BatchItem, shared: Mapping[str, str], places: Mapping[str, int], *, alone: bool
) -> tuple[object, ...]:
    swaps = _own_swaps(leg, shared, places)
    expected = leg.gas + leg.cold_gas
    expected += (SWAP_GAS + TOKEN_GAS * len(places)) * (len(swaps) + _calls_back(leg))
    return (
        name,
        leg.target,
        [_filled(call, leg, places) if _calls_back(leg) else bytes.fromhex(call[2:]) for call in leg.calls],
        places[leg.pays],
        0 if _calls_back(leg) else leg.allowance,
        places[leg.gets],
        leg.min_got,
        leg.min_profit,
        # Alone it can starve nobody: what it takes is measured by rehearsal and bounded by the transaction.
        MOST_TRANSACTION_GAS if alone else _cap(expected),
        swaps,
        _calls_back(leg),
    )


def _cap(gas: int) -> int:
    return gas * CAP_PERCENT // 100 + COLD_GAS


def _gas(legs: Sequence[BatchItem]) -> int:
    tokens, shared = _tokens(legs), _shared(legs)
    places = {token: place for place, token in enumerate(tokens)}
    own = sum(len(_own_swaps(leg, shared, places)) + _calls_back(leg) for leg in legs)
    return (
        BASE_GAS
        + sum(leg.gas for leg in legs)
        + sum(_first_gas(legs).values())
        + LOAN_GAS * len(_loans(legs))
        + SWAP_GAS * (sum(map(bool, shared.values())) + own)
        + TOKEN_GAS * len(tokens)
    )


def _first_gas(legs: Sequence[BatchItem]) -> dict[str, int]:
    """What the first leg at each target takes more than the others there."""
    most: dict[str, int] = {}
    for leg in legs:
        most[leg.target] = max(most.get(leg.target, 0), leg.cold_gas)
    return most
