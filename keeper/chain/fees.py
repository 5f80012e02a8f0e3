"""Fees for the next block: EIP-1559 from the fee history, one price where a chain has no base fee.

No figure comes from one source alone: where the history fails the head's base fee counts, and a tip is never
below what the node asks for, nor below what a refusal named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from keeper.chain.pool import NodePool
from keeper.errors import KeeperError

# Nodes take a replacement whose fees are a tenth higher; some ask an eighth.
RAISE_NUMERATOR, RAISE_DENOMINATOR = 9, 8
# A bid rises by a quarter of the usual tip with each block it waits.
RISE_PER_BLOCK = 4
# Where nothing tells a usual tip: this part of the base fee.
TIP_PART = 10


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas: the maximum fee, and the tip within it; no tip on a chain without base fee."""

    max_fee: int
    tip: int | None
    present: int = field(default=0, compare=False)
    """Wei per gas that the next block is expected to cost."""
    least: int = field(default=0, compare=False)
    """The least wei per gas that it costs: a tip that a node only advises need not be paid."""

    def fields(self) -> dict[str, int]:
        """The transaction's fee fields: type 2, or type 0 without a tip."""
        if self.tip is None:
            return {"gasPrice": self.max_fee}
        return {"type": 2, "maxFeePerGas": self.max_fee, "maxPriorityFeePerGas": self.tip}


class TooDearError(KeeperError):
    """Gas costs more than the operator's ceiling, or than its purpose can pay."""


def suggest(pool: NodePool, ceiling: int, waited: int = 0, least: int = 0) -> Fees:
    """Twice the next base fee plus the usual tip, which rises by a quarter with each of the `waited` blocks;
    never above `ceiling` (wei per gas). Without a base fee: the node's price, raised alike.

    `least` is a tip that a node was seen to ask for. TooDearError when even the present price exceeds the
    ceiling. A tip that the node only advises is bid as far as the ceiling allows: a refusal would show more.
    """
    base, usual, advised = _market(pool)
    if base is None:
        price = max(_quantity(pool.call("eth_gasPrice")), least)
        _affordable(pool, price if not waited else 0, ceiling)
        price = min(_risen(price, waited), ceiling)
        return Fees(price, None, price)
    needed = max(usual, least)
    _affordable(pool, base + needed, ceiling)
    if 2 * base + advised > ceiling:
        # Half of what is left: the other half is for raising it, and for the base fee.
        advised = min(advised, (ceiling - base) // 2)
    tip = _risen(max(needed, advised), waited)
    return Fees(
        min(2 * base + tip, ceiling), min(tip, ceiling), min(base + tip, ceiling), min(base + needed, ceiling)
    )


def present(pool: NodePool) -> int:
    """Wei per gas now: the next base fee and the usual tip."""
    base, usual, advised = _market(pool)
    return _quantity(pool.call("eth_gasPrice")) if base is None else base + max(usual, advised)


def replacing(old: Fees, wanted: Fees, ceiling: int) -> Fees | None:
    """Fees that may replace `old`: each at least an eighth higher (rounded up) and no less than `wanted`.

    None when that exceeds the ceiling. A tip never exceeds the maximum fee.
    """
    max_fee = max(_raised(old.max_fee), wanted.max_fee)
    if max_fee > ceiling:
        return None
    if old.tip is None:
        return Fees(max_fee, None)
    return Fees(max_fee, min(max(_raised(old.tip), wanted.tip or 0), max_fee))


def within(price: Fees, most: int) -> Fees:
    """The same bid, capped at `most` wei per gas; TooDearError where that would not pay the next block's base
    fee and the tip."""
    if price.max_fee <= most:
        return price
    if (price.least or price.present) > most or price.tip is None:
        raise TooDearError(
            f"a unit of gas costs {price.present} wei, and what it is for pays no more than {most}"
        )
    return replace(price, max_fee=most, tip=min(price.tip, most))


def data_fee_of(receipt: Mapping[str, Any]) -> int:
    """Wei that a receipt shows as charged besides gas: for its data (OP stack, Scroll) and by the chain's
    operator, whose two formulas are those of the OP stack's Isthmus and Jovian specifications."""
    data = _said(receipt, "l1Fee")
    gas, scalar = _said(receipt, "gasUsed"), _said(receipt, "operatorFeeScalar")
    by_gas = gas * scalar * 100 if "daFootprintGasScalar" in receipt else gas * scalar // 10**6
    return data + by_gas + _said(receipt, "operatorFeeConstant")


def _said(receipt: Mapping[str, Any], name: str) -> int:
    """A number of a receipt; 0 where it has none, or something else in its place."""
    try:
        return _quantity(receipt.get(name))
    except ValueError:
        return 0


def _raised(fee: int) -> int:
    return -(-fee * RAISE_NUMERATOR // RAISE_DENOMINATOR)


def _risen(tip: int, waited: int) -> int:
    return -(-tip * (RISE_PER_BLOCK + waited) // RISE_PER_BLOCK)


def _market(pool: NodePool) -> tuple[int | None, int, int]:
    """The next base fee (None: the chain has none), the usual tip and the tip that the node advises, wei per
    gas."""
    history = _history(pool)
    base = history[0] if history else _head_base_fee(pool)
    if history and base == 0:
        base = _head_base_fee(pool)
    if base is None:
        return None, 0, 0
    usual, advised = history[1] if history else None, _asked(pool, "eth_maxPriorityFeePerGas")
    if usual or advised or (base and usual is not None):
        # A history of zeros says only that nobody bid: one wei is a bid where nodes ask for no tip.
        return base, usual or min(advised or 1, max(base // TIP_PART, 1)), advised or 0
    # Nothing tells a tip, or there is neither base fee nor tip (BSC): the node's price is what it takes.
    price = _asked(pool, "eth_gasPrice") or 0
    return base, max(price - base, base // TIP_PART, 1), 0


def _history(pool: NodePool) -> tuple[int, int | None] | None:
    """The next base fee and the median tip of five blocks; None where the node gives no usable history."""
    try:
        answer = pool.call("eth_feeHistory", "0x5", "latest", [50])
        bases = answer["baseFeePerGas"]
        tips = sorted(_quantity(row[0]) for row in answer.get("reward") or [] if row)
        return (_quantity(bases[-1]), tips[len(tips) // 2] if tips else None)
    except (KeeperError, TypeError, ValueError, KeyError, IndexError, AttributeError):
        return None


def _head_base_fee(pool: NodePool) -> int | None:
    """The most that the base fee may be in the block after the newest; None on a chain without base fee."""
    block: Mapping[str, Any] = pool.call("eth_getBlockByNumber", "latest", False)
    said = block.get("baseFeePerGas")
    return None if said is None else _raised(_quantity(said))


def _asked(pool: NodePool, method: str) -> int | None:
    """The node's answer; None where it gives none."""
    try:
        return _quantity(pool.call(method))
    except (KeeperError, TypeError, ValueError):
        return None


def _quantity(said: object) -> int:
    """Parse a number as JSON-RPC writes it; ValueError for anything else."""
    if not isinstance(said, str):
        raise ValueError("no quantity")
    return int(said, 16)


def _affordable(pool: NodePool, price: int, ceiling: int) -> None:
    if price > ceiling:
        raise TooDearError(
            f"gas costs {price} wei, above the ceiling of {ceiling}",
            where=f"chain {pool.name}",
            remedy=f"Wait, or raise chains.{pool.name}.max_gas_price_gwei",
        )
