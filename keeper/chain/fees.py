"""EIP-1559 fees for the next block, from the fee history."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.pool import NodePool
from keeper.errors import KeeperError


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei a unit of gas: the most that is paid, and the tip within it."""

    max_fee: int
    tip: int


def suggest(pool: NodePool, ceiling: int) -> Fees:
    """Twice the next base fee plus the median tip of five blocks, never above `ceiling` (wei).

    KeeperError when even the base fee exceeds the ceiling.
    """
    history = pool.call("eth_feeHistory", "0x5", "latest", [50])
    base = int(history["baseFeePerGas"][-1], 16)
    tips = sorted(int(row[0], 16) for row in history.get("reward") or [] if row)
    tip = max(tips[len(tips) // 2] if tips else 0, 1)
    if base + tip > ceiling:
        raise KeeperError(
            f"gas costs {base + tip} wei, above the ceiling of {ceiling}",
            where=f"chain {pool.name}",
            remedy="Wait, or raise execution.max_gas_price_gwei",
        )
    return Fees(max_fee=min(2 * base + tip, ceiling), tip=min(tip, ceiling))
