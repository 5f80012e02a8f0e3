"""Fees for the next block: EIP-1559 from the fee history, one price where a chain knows no base fee."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from keeper.chain.node import RpcError
from keeper.chain.pool import NodePool
from keeper.errors import KeeperError

# Nodes take a replacement whose fees are a tenth higher; some ask an eighth.
RAISE_NUMERATOR, RAISE_DENOMINATOR = 9, 8
# A bid rises by a quarter of the usual tip with each block it waits.
RISE_PER_BLOCK = 4


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei a unit of gas: the most that is paid, and the tip within it; no tip on a chain without base fee."""

    max_fee: int
    tip: int | None
    present: int = field(default=0, compare=False)
    """What a unit is expected to cost in the next block."""

    def fields(self) -> dict[str, int]:
        """What a transaction says of them: type 2, or type 0 without a tip."""
        if self.tip is None:
            return {"gasPrice": self.max_fee}
        return {"type": 2, "maxFeePerGas": self.max_fee, "maxPriorityFeePerGas": self.tip}


def suggest(pool: NodePool, ceiling: int, waited: int = 0) -> Fees:
    """Twice the next base fee plus the median tip of five blocks, which rises by a quarter with each of the
    `waited` blocks; never above `ceiling` (wei). Without a base fee: the node's price, risen alike.

    KeeperError when even the base fee exceeds the ceiling.
    """
    history = _history(pool)
    bases = history.get("baseFeePerGas") or []
    base = int(bases[-1], 16) if bases else 0
    if base == 0 and _is_legacy(pool):
        price = _risen(int(pool.call("eth_gasPrice"), 16), waited)
        _affordable(pool, price if not waited else 0, ceiling)
        return Fees(min(price, ceiling), None, min(price, ceiling))
    tips = sorted(int(row[0], 16) for row in history.get("reward") or [] if row)
    tip = max(tips[len(tips) // 2] if tips else 0, 1)
    _affordable(pool, base + tip, ceiling)
    tip = _risen(tip, waited)
    return Fees(min(2 * base + tip, ceiling), min(tip, ceiling), min(base + tip, ceiling))


def replacing(old: Fees, wanted: Fees, ceiling: int) -> Fees | None:
    """Fees that may replace `old`: each at least an eighth higher (rounded up) and no less than `wanted`.

    None when that exceeds the ceiling. A tip never exceeds the most that is paid.
    """
    max_fee = max(_raised(old.max_fee), wanted.max_fee)
    if max_fee > ceiling:
        return None
    if old.tip is None:
        return Fees(max_fee, None)
    return Fees(max_fee, min(max(_raised(old.tip), wanted.tip or 0), max_fee))


def within(price: Fees, most: int) -> Fees:
    """The same bid, of which no unit of gas can cost more than `most`; KeeperError where that would not pay
    the next block's base fee and the tip."""
    if price.max_fee <= most:
        return price
    if price.present > most or price.tip is None:
        raise KeeperError(
            f"a unit of gas costs {price.present} wei, and what it is for pays no more than {most}"
        )
    return replace(price, max_fee=most)


def _raised(fee: int) -> int:
    return -(-fee * RAISE_NUMERATOR // RAISE_DENOMINATOR)


def _risen(tip: int, waited: int) -> int:
    return -(-tip * (RISE_PER_BLOCK + waited) // RISE_PER_BLOCK)


def _history(pool: NodePool) -> dict[str, Any]:
    try:
        answer: dict[str, Any] | None = pool.call("eth_feeHistory", "0x5", "latest", [50])
    except RpcError:
        return {}
    return answer or {}


def _is_legacy(pool: NodePool) -> bool:
    return "baseFeePerGas" not in pool.call("eth_getBlockByNumber", "latest", False)


def _affordable(pool: NodePool, price: int, ceiling: int) -> None:
    if price > ceiling:
        raise KeeperError(
            f"gas costs {price} wei, above the ceiling of {ceiling}",
            where=f"chain {pool.name}",
            remedy="Wait, or raise execution.max_gas_price_gwei",
        )
