"""What chains charge for a transaction's data besides gas: nothing, or what a contract of the chain says."""

from __future__ import annotations

from typing import Protocol

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.blocks import Head
from keeper.chain.calls import Call, run
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.errors import UnreachableError

OP_STACK_ORACLE = "0x420000000000000000000000000000000000000F"
_GET_L1_FEE = function_signature_to_4byte_selector("getL1Fee(bytes)")
# A liquidation's transaction, signed, is some 1,300 bytes, of which a third cannot be compressed: so many
# bytes that cannot be, which costs no less.
SAMPLE = bytes(i * 167 % 255 + 1 for i in range(600))


class DataFee(Protocol):
    """What one plan's data costs on a chain."""

    def wei(self, pool: NodePool, head: Head) -> int: ...


class NoDataFee:
    """Data is paid with gas alone."""

    def wei(self, pool: NodePool, head: Head) -> int:
        return 0


class OpStackDataFee:
    """Chains of the OP stack: `GasPriceOracle.getL1Fee`, asked for a transaction of a usual size."""

    def wei(self, pool: NodePool, head: Head) -> int:
        data = _GET_L1_FEE + encode(["bytes"], [SAMPLE])
        [answer] = run(pool, head, [Call(OP_STACK_ORACLE, data)])
        if not answer.ok or len(answer.data) < 32:
            raise UnreachableError(
                f"{OP_STACK_ORACLE} does not say what data costs",
                where=f"chain {pool.name}",
                remedy='Set data_fee = "none" where the chain is none of the OP stack',
            )
        return int.from_bytes(answer.data[:32], "big")


def of(chain: Chain) -> DataFee:
    return OpStackDataFee() if chain.data_fee == "op-stack" else NoDataFee()
