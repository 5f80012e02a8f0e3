"""What chains charge for a transaction's data besides gas: nothing, or what a contract of the chain says.

Who tells is found by asking: the OP stack's predeploy and Scroll's, in one request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

import structlog

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
"""Gas of a large liquidation: an operator's fee goes by it."""

_ASK_L1_FEE = encoded("getL1Fee(bytes)", SAMPLE)
_ASK_OPERATOR_FEE = encoded("getOperatorFee(uint256)", SAMPLE_GAS)
_CALLS = {
    "op-stack": [Call(OP_STACK_ORACLE, _ASK_L1_FEE), Call(OP_STACK_ORACLE, _ASK_OPERATOR_FEE)],
    "scroll": [Call(SCROLL_ORACLE, _ASK_L1_FEE)],
}
_NONE: WeakKeyDictionary[NodePool, bool] = WeakKeyDictionary()
"""Chains that were found to charge nothing: they are not asked at every plan."""
_LAST: WeakKeyDictionary[NodePool, int] = WeakKeyDictionary()
"""What was told last: it counts while nothing is."""


class UntoldError(UnreachableError):
    """Nobody on the chain says what data costs. The chain itself answers: only plans wait."""

    refused = True


class DataFee(Protocol):
    """What one plan's data costs on a chain."""

    def wei(self, pool: NodePool, head: Head) -> int: ...


class NoDataFee:
    """Data is paid with gas alone."""

    def wei(self, pool: NodePool, head: Head) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class ToldDataFee:
    """A chain whose contract tells: `getL1Fee`, asked for a transaction of a usual size, and what the chain's
    operator takes where `getOperatorFee` answers."""

    kind: Kind

    def wei(self, pool: NodePool, head: Head) -> int:
        calls = _CALLS[self.kind]
        l1_fee, *others = (_word(each) for each in run(pool, head, calls))
        if l1_fee is None:
            if pool in _LAST:
                return _last(pool)
            raise UntoldError(
                f"{calls[0].target} does not say what data costs",
                where=f"chain {pool.name}",
                remedy='Leave data_fee out, or set data_fee = "none" where the chain charges for gas alone',
            )
        _LAST[pool] = l1_fee + sum(each or 0 for each in others)
        return _LAST[pool]


class ProbedDataFee:
    """A chain of which nothing is configured: whoever tells is believed; where nobody does, data is free."""

    def wei(self, pool: NodePool, head: Head) -> int:
        if pool in _NONE:
            return 0
        answers = _ask_all(pool, head)
        kind = _kind(answers)
        if kind == "none":
            if pool in _LAST:
                return _last(pool)
            _NONE[pool] = True
            return 0
        _LAST[pool] = sum(_word(each) or 0 for each in answers[kind])
        return _LAST[pool]


def _last(pool: NodePool) -> int:
    log.warning("data fee not told", chain=pool.name, counted=_LAST[pool])
    return _LAST[pool]


def of(chain: Chain) -> DataFee:
    """As configured, or to be found by asking."""
    if chain.data_fee is None:
        return ProbedDataFee()
    return NoDataFee() if chain.data_fee == "none" else ToldDataFee(chain.data_fee)


def probe(pool: NodePool, head: Head) -> Kind:
    """Who on this chain says what data costs."""
    return _kind(_ask_all(pool, head))


def _ask_all(pool: NodePool, head: Head) -> dict[Kind, Sequence[Answer]]:
    answers = iter(run(pool, head, [call for calls in _CALLS.values() for call in calls]))
    kinds: tuple[Kind, ...] = ("op-stack", "scroll")
    return {kind: [next(answers) for _ in _CALLS[kind]] for kind in kinds}


def _kind(answers: dict[Kind, Sequence[Answer]]) -> Kind:
    return next((kind for kind, said in answers.items() if _word(said[0]) is not None), "none")


def _word(answer: Answer) -> int | None:
    """One number; None from who does not answer with one."""
    return int.from_bytes(answer.data, "big") if answer.ok and len(answer.data) == 32 else None
