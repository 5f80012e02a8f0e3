"""Several accounts' legs in one transaction of our contract: what it is called with, and what came of each.

Pure: plans, call data and logs go in, values come out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import event_signature_to_log_topic, function_signature_to_4byte_selector

from keeper.execution.rehearsal import reason
from keeper.plan import Leg, Loan, Plan

MOST_TRANSACTION_GAS = 2**24
"""EIP-7825: no transaction may have a higher limit."""
ERRORS = "liquidator_errors"

# What a batch takes besides its legs, measured (docs/LIQUIDATOR.md): transaction and bookkeeping; then each
# loan, each exchange and each token.
BASE_GAS = 60_000
LOAN_GAS = 110_000
SWAP_GAS = 130_000
TOKEN_GAS = 45_000
# A leg may burn this much more than expected before it is cut off; the sum of all stays within the limit.
CAP_PERCENT = 160
# Of a transaction's limit, what the expected gas may fill: the rest is the room that its estimate needs.
FILL_PERCENT = 94
MOST_LEGS = 200

_LENDERS = {"aave-v3": 0, "uniswap-v3": 1}
_NO_VENUE = "0x" + "00" * 20
_SWAP = "(uint8,uint8,bool,uint256,address,bytes)"
_LOAN = "(uint8,address,uint8,uint256)"
_LEG = f"(uint64,address,bytes[],uint8,uint256,uint8,uint256,uint256,uint256,{_SWAP}[],bool)"
BATCH = f"(address[],{_LOAN}[],{_LEG}[],{_SWAP}[],uint256,uint256)"
_LIQUIDATE = function_signature_to_4byte_selector(f"liquidate({BATCH})")
_DONE = "0x" + event_signature_to_log_topic("LegDone(uint64,uint256)").hex()
_FAILED = "0x" + event_signature_to_log_topic("LegFailed(uint64,bytes)").hex()

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


def key(plan: Plan) -> tuple[str, str] | None:
    """Plans of the same key can share a transaction: contract and profit token. None: this one cannot."""
    return None if plan.leg is None else (plan.leg.contract, plan.leg.profit_token)


def split(plans: Sequence[Plan], block_gas_limit: int) -> list[list[Plan]]:
    """The plans in groups that each fit one transaction, in their order; those without a leg stay alone.

    A group's expected gas stays below a transaction's limit and the block's.
    """
    most = min(MOST_TRANSACTION_GAS, block_gas_limit) * FILL_PERCENT // 100
    groups: list[list[Plan]] = []
    open_groups: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans:
        shared = key(plan)
        group = open_groups.get(shared) if shared else None
        if group is not None and len(group) < MOST_LEGS and gas_of([*group, plan]) <= most:
            group.append(plan)
            continue
        groups.append([plan])
        if shared:
            open_groups[shared] = groups[-1]
    return groups


def combine(plans: Sequence[Plan]) -> Batched:
    """One call for all; ValueError when there are none or they differ in `key`."""
    legs = _legs(plans)
    tokens = _tokens(legs)
    loans = _loans(legs)
    places = {token: place for place, token in enumerate(tokens)}
    swaps = _shared_swaps(legs, places)
    expected = _gas(legs)
    reserve = BASE_GAS + LOAN_GAS * len(loans) + SWAP_GAS * len(swaps) + TOKEN_GAS * len(tokens)
    batch = (
        tokens,
        [(_LENDERS[loan.kind], loan.lender, places[token], units) for token, (loan, units) in loans.items()],
        [_encoded(identity(plan), leg, places) for plan, leg in zip(plans, legs, strict=True)],
        swaps,
        0,
        reserve,
    )
    return Batched(legs[0].contract, "0x" + (_LIQUIDATE + encode([BATCH], [batch])).hex(), expected)


def gas_of(plans: Sequence[Plan]) -> int:
    """Gas that one transaction with all these legs is expected to take."""
    return _gas(_legs(plans))


def limit(used: int, plans: Sequence[Plan]) -> int:
    """The gas limit for a batch whose rehearsal took `used`: room for one leg to reach its cap, and for what
    a rehearsal does not see (refunds, state that moves); never more than a transaction may have."""
    largest = max(leg.gas * CAP_PERCENT // 100 for leg in _legs(plans))
    return min(used + used // 20 + largest + BASE_GAS, MOST_TRANSACTION_GAS)


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
        return Outcome(False, "ran out of gas, or gave no reason")
    return Outcome(False, reason({"error": {"data": "0x" + why.hex()}}, plan.errors))


def _legs(plans: Sequence[Plan]) -> list[Leg]:
    legs = [plan.leg for plan in plans if plan.leg is not None]
    if not legs or len(legs) != len(plans) or len({key(plan) for plan in plans}) != 1:
        raise ValueError("only legs of one contract and one profit token make a batch")
    return legs


def _tokens(legs: Sequence[Leg]) -> list[str]:
    """Every token once, the profit token first."""
    named = [legs[0].profit_token]
    for leg in legs:
        named += [leg.pays, leg.gets]
    return list(dict.fromkeys(named))


def _loans(legs: Sequence[Leg]) -> dict[str, tuple[Loan, int]]:
    """One loan a token, of all that its legs may take, from the lender its first leg names."""
    loans: dict[str, tuple[Loan, int]] = {}
    for leg in legs:
        if leg.loan is None or not leg.allowance:
            continue
        loan, units = loans.get(leg.pays, (leg.loan, 0))
        loans[leg.pays] = (loan, units + leg.allowance)
    return loans


def _shared_swaps(legs: Sequence[Leg], places: Mapping[str, int]) -> list[_Exchange]:
    """All that is left of each seized token becomes the profit token, once for all legs."""
    sales = {leg.gets: leg.sale for leg in reversed(legs) if leg.sale}
    return [
        (places[token], 0, False, 0, _NO_VENUE, bytes.fromhex(route[2:])) for token, route in sales.items()
    ]


def _encoded(name: int, leg: Leg, places: Mapping[str, int]) -> tuple[object, ...]:
    swaps: list[_Exchange] = []
    if leg.pays != leg.profit_token and leg.route:
        # Another debt than the profit token: each leg buys back its own, so that none pays for another.
        fee = -(-leg.allowance * leg.loan.fee // 10**6) if leg.loan else 0
        route = bytes.fromhex(leg.route[2:])
        swaps.append((places[leg.gets], places[leg.pays], True, fee, _NO_VENUE, route))
    return (
        name,
        leg.target,
        [bytes.fromhex(call[2:]) for call in leg.calls],
        places[leg.pays],
        leg.allowance,
        places[leg.gets],
        leg.min_got,
        leg.min_profit,
        (leg.gas + (SWAP_GAS + TOKEN_GAS * len(places)) * len(swaps)) * CAP_PERCENT // 100,
        swaps,
        False,
    )


def _gas(legs: Sequence[Leg]) -> int:
    exchanged = {leg.gets for leg in legs if leg.sale}
    own = sum(bool(leg.pays != leg.profit_token and leg.route) for leg in legs)
    return (
        BASE_GAS
        + sum(leg.gas for leg in legs)
        + LOAN_GAS * len(_loans(legs))
        + SWAP_GAS * (len(exchanged) + own)
        + TOKEN_GAS * len(_tokens(legs))
    )
