"""What chains charge for a transaction's data besides gas: nothing, or what a contract of the chain reports.

The contract is found by asking: the OP stack's predeploy (`getL1Fee` for a transaction of a usual size, and
the operator fee where `getOperatorFee` answers) and Scroll's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

import structlog

from keeper.chain import abi
from keeper.chain.blocks import Head
from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call, run
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.config.known_chains import DataFee as Kind
from keeper.errors import UnreachableError

log = structlog.get_logger()

OP_STACK_ORACLE = "0x420000000000000000000000000000000000000F"
SCROLL_ORACLE = "0x5300000000000000000000000000000000000002"
# A liquidation's transaction, signed, is some 1,300 bytes, of which a third cannot be compressed: so many
# bytes that cannot be, which costs no less.
SAMPLE = bytes(i * 167 % 255 + 1 for i in range(600))
SAMPLE_GAS = 1_000_000
"""Gas of a large liquidation: an operator's fee depends on it."""

_ASK_L1_FEE = encoded("getL1Fee(bytes)", SAMPLE)
_ASK_OPERATOR_FEE = encoded("getOperatorFee(uint256)", SAMPLE_GAS)
_CALLS: Mapping[Kind, Sequence[Call]] = {
    "op-stack": [Call(OP_STACK_ORACLE, _ASK_L1_FEE), Call(OP_STACK_ORACLE, _ASK_OPERATOR_FEE)],
    "scroll": [Call(SCROLL_ORACLE, _ASK_L1_FEE)],
}
_NONE: WeakKeyDictionary[NodePool, bool] = WeakKeyDictionary()
"""Chains that were found to charge nothing: they are not asked at every plan."""
_LAST: WeakKeyDictionary[NodePool, int] = WeakKeyDictionary()
"""The last data fee reported: it counts while none is reported."""


class UntoldError(UnreachableError):
    """No contract of the chain reports what data costs. The chain itself answers: only plans wait."""

    refused = True


def wei(chain: Chain, pool: NodePool, head: Head) -> int:
    """Wei that one plan's data costs. A configured contract is asked, and UntoldError is raised where it
    never answered. Where none is configured any that answers is believed, and data is free where none
    does."""
    if chain.data_fee == "none" or (chain.data_fee is None and pool in _NONE):
        return 0
    answers = _ask(pool, head, _CALLS if chain.data_fee is None else (chain.data_fee,))
    kind = _kind(answers)
    if kind != "none":
        _LAST[pool] = sum(abi.word(each) or 0 for each in answers[kind])
    elif pool in _LAST:
        log.warning("data fee not told", chain=pool.name, counted=_LAST[pool])
    elif chain.data_fee is None:
        _NONE[pool] = True
        return 0
    else:
        raise UntoldError(
            f"{_CALLS[chain.data_fee][0].target} does not say what data costs",
            where=f"chain {pool.name}",
            remedy='Leave data_fee out, or set data_fee = "none" where the chain charges for gas alone',
        )
    return _LAST[pool]


def probe(pool: NodePool, head: Head) -> Kind:
    """Which kind of data fee this chain's contracts report."""
    return _kind(_ask(pool, head, _CALLS))


def _ask(pool: NodePool, head: Head, kinds: Iterable[Kind]) -> dict[Kind, Sequence[Answer]]:
    """What the contracts of these kinds answer, in one request."""
    wanted = {kind: _CALLS[kind] for kind in kinds}
    answers = iter(run(pool, head, [call for calls in wanted.values() for call in calls]))
    return {kind: [next(answers) for _ in calls] for kind, calls in wanted.items()}


def _kind(answers: dict[Kind, Sequence[Answer]]) -> Kind:
    return next((kind for kind, said in answers.items() if abi.word(said[0]) is not None), "none")
